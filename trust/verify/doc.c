#include "trust/verify/doc.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/hex.h"
#include "base/json.h"
#include "trust/verify/arena.h"
#include "trust/verify/canon.h"
#include "trust/verify/doc_body.h"
#include "trust/verify/strict.h"

#define MIB ((size_t)1024 * 1024)
#define LARGE_BYTES MIB /* of a document whose reading takes more memory than should stay with the thread */
#define META_ENTRIES_MAX                                                                           \
    1024 /* 512 roles, and room for those that an imported snapshot still names */

static const struct doc_limits limits_of_root = {MIB, 64, 512, 0, 0};
static const struct doc_limits limits_of_targets = {16 * MIB, 64, 512, 512, 100000};
static const struct doc_limits limits_of_snapshot = {MIB, 64, 0, META_ENTRIES_MAX, 0};
static const struct doc_limits limits_of_timestamp = {MIB / 16, 64, 0, META_ENTRIES_MAX, 0};

const struct doc_limits *doc_limits_of(enum role_kind kind)
{
    switch (kind) {
    case ROLE_ROOT:
        return &limits_of_root;
    case ROLE_TARGETS:
    case ROLE_DELEGATION:
        return &limits_of_targets;
    case ROLE_SNAPSHOT:
        return &limits_of_snapshot;
    case ROLE_TIMESTAMP:
    case ROLE_NONE:
        break;
    }
    return &limits_of_timestamp;
}

/* ---- reading ---- */

static void read_signature(struct trust_arena *arena, const json_t *entry,
                           struct tuf_signature *out)
{
    auto_buf struct buf raw = {0};

    if (!base64_decode(json_get_slice(entry, "sig"), &raw)) {
        BUG("the shape check lets no such signature pass");
    }
    out->sig = (struct slice){trust_arena_text(arena, buf_slice_of(&raw)), raw.n};
    out->key_id = slice_str(trust_arena_text(arena, json_get_slice(entry, "keyid")));
    out->method = slice_str(trust_arena_text(arena, json_get_slice(entry, "method")));
}

static bool is_listed_before(const struct tuf_doc *doc, size_t at)
{
    for (size_t i = 0; i < at; i++) {
        if (slice_equal(doc->signatures[i].key_id, doc->signatures[at].key_id)) {
            return true;
        }
    }
    return false;
}

static void read_signatures(struct trust_arena *arena, const json_t *list, struct tuf_doc *doc)
{
    size_t count = json_array_size(list);

    doc->signatures = trust_arena_alloc(arena, count, sizeof(struct tuf_signature));
    for (size_t i = 0; i < count; i++) {
        read_signature(arena, json_array_get(list, i), &doc->signatures[i]);
        doc->signature_count++;
        doc->duplicate_signature = doc->duplicate_signature || is_listed_before(doc, i);
    }
}

static enum doc_fault read_common(const json_t *part, struct tuf_doc *doc, struct err *err)
{
    struct slice type = json_get_slice(part, "_type");
    struct slice expires = json_get_slice(part, "expires");

    if (!type.p || !slice_is(type, role_type_name(doc->kind))) {
        return doc_refuse(err, DOC_BAD_TYPE, "expected type %s", role_type_name(doc->kind));
    }
    if (!json_get_int(part, "version", &doc->version) || doc->version < 1) {
        return doc_refuse(err, DOC_STRUCTURE, "version cannot be less than 1");
    }
    if (!expires.p || !time_parse(expires, &doc->expires_us)) {
        return doc_refuse(err, DOC_STRUCTURE, "it has no expiry");
    }
    memcpy(doc->expires, expires.p,
           expires.n); /* shorter than the array: the shape check saw to it */
    return DOC_OK;
}

static enum doc_fault read_canonical(const json_t *part, struct tuf_doc *doc, struct err *err)
{
    auto_buf struct buf canonical = {0};
    struct err why = {0};

    if (!canon_encode(part, &canonical, &why)) {
        return doc_refuse(err, DOC_NOT_STRICT, "%s", why.msg);
    }
    hash_sha256(buf_slice_of(&canonical), doc->signed_sha256);
    doc->canonical.n = canonical.n;
    doc->canonical.p = buf_steal(&canonical, NULL);
    return DOC_OK;
}

static enum doc_fault read_value(const json_t *top, struct tuf_doc *doc, struct err *err)
{
    const json_t *part = json_object_get(top, "signed");

    if (!json_is_object(part)) {
        return doc_refuse(err, DOC_STRUCTURE, "it has no signed part");
    }
    read_signatures(doc->owner, json_object_get(top, "signatures"), doc);
    enum doc_fault fault = read_common(part, doc, err);
    if (fault == DOC_OK) {
        fault = doc_body_read(doc->owner, part, doc, err);
    }
    return fault == DOC_OK ? read_canonical(part, doc, err) : fault;
}

static struct tuf_doc *doc_new(struct slice role, enum role_kind kind, struct slice bytes)
{
    struct tuf_doc *doc = xcalloc(1, sizeof(*doc));

    doc->owner = trust_arena_new();
    doc->kind = kind;
    memcpy(doc->role, role.p, role.n);
    doc->bytes = (struct slice){trust_arena_text(doc->owner, bytes), bytes.n};
    hash_sha256(bytes, doc->sha256);
    hash_sha512(bytes, doc->sha512);
    return doc;
}

static enum doc_fault read_document(struct slice role, enum role_kind kind, struct slice bytes,
                                    struct tuf_doc **out, struct err *err)
{
    const struct doc_limits *limits = doc_limits_of(kind);
    auto_json json_t *top = NULL;

    if (bytes.n > limits->bytes) {
        return doc_refuse(err, DOC_NOT_STRICT, "larger than %zu bytes", limits->bytes);
    }
    enum doc_fault fault = strict_parse(bytes, limits->signatures, &top, err);
    if (fault != DOC_OK) {
        return fault;
    }
    struct tuf_doc *doc = doc_new(role, kind, bytes);
    fault = read_value(top, doc, err);
    if (fault != DOC_OK) {
        tuf_doc_free(doc);
        return fault;
    }
    *out = doc;
    return DOC_OK;
}

enum doc_fault tuf_doc_read(struct slice role, struct slice bytes, struct tuf_doc **out,
                            struct err *err)
{
    enum role_kind kind = role_parse(role);

    *out = NULL;
    if (kind == ROLE_NONE) {
        return doc_refuse(err, DOC_STRUCTURE, "no valid role name");
    }
    enum doc_fault fault = read_document(role, kind, bytes, out, err);
    if (bytes.n > LARGE_BYTES) {
        xtrim(); /* the JSON took a dozen times as much */
    }
    if (fault != DOC_OK) {
        (void)err_prefix(err, "%.*s", SLICE_FMT(role));
    }
    return fault;
}

struct tuf_doc *tuf_doc_share(const struct tuf_doc *doc)
{
    struct tuf_doc *shared = (struct tuf_doc *)(uintptr_t)doc; /* the count is no part of its value */
    atomic_fetch_add(&shared->shares, 1);
    return shared;
}

void tuf_doc_free(struct tuf_doc *doc)
{
    if (!doc || atomic_fetch_sub(&doc->shares, 1) > 0) {
        return;
    }
    for (size_t i = 0; i < doc->key_count; i++) {
        tuf_key_free(doc->keys[i]);
    }
    free((void *)(uintptr_t)doc->canonical.p);
    trust_arena_free(doc->owner);
    free(doc);
}

size_t tuf_doc_bytes(const struct tuf_doc *doc)
{
    const size_t key_bytes = 4096; /* a parsed public key with its certificate */

    return sizeof(*doc) + trust_arena_bytes(doc->owner) + doc->canonical.n +
           doc->key_count * key_bytes;
}

/* ---- looking up ---- */

static int meta_compare(const void *role, const void *entry)
{
    const struct slice *wanted = role;
    return slice_compare(*wanted, slice_str(((const struct tuf_meta *)entry)->role));
}

const struct tuf_meta *tuf_doc_meta(const struct tuf_doc *doc, struct slice role)
{
    if (doc->meta_count == 0) {
        return NULL;
    }
    return bsearch(&role, doc->meta, doc->meta_count, sizeof(struct tuf_meta), meta_compare);
}

static int target_compare(const void *name, const void *entry)
{
    const struct slice *wanted = name;
    const struct tuf_target *target = entry;
    return slice_compare(*wanted, (struct slice){target->name, target->name_n});
}

const struct tuf_target *tuf_doc_target(const struct tuf_doc *doc, struct slice name)
{
    if (doc->target_count == 0) {
        return NULL;
    }
    return bsearch(&name, doc->target_list, doc->target_count, sizeof(struct tuf_target),
                   target_compare);
}

const struct tuf_delegation *tuf_doc_delegation(const struct tuf_doc *doc, struct slice role)
{
    for (size_t i = 0; i < doc->delegation_count; i++) {
        if (slice_is(role, doc->delegations[i].name)) {
            return &doc->delegations[i];
        }
    }
    return NULL;
}

const struct tuf_key *tuf_doc_key(const struct tuf_doc *doc, struct slice key_id)
{
    for (size_t i = 0; i < doc->key_count; i++) {
        if (slice_is(key_id, doc->listed_ids[i])) {
            return slice_is(key_id, tuf_key_id(doc->keys[i])) ? doc->keys[i] : NULL;
        }
    }
    return NULL;
}

bool tuf_hashes_match(const struct tuf_hashes *h, const struct tuf_doc *doc)
{
    if (!h->has_sha256 && !h->has_sha512) {
        return false;
    }
    if (h->length < 0 || (size_t)h->length != doc->bytes.n) {
        return false;
    }
    if (h->has_sha256 && memcmp(h->sha256, doc->sha256, sizeof(h->sha256)) != 0) {
        return false;
    }
    return !h->has_sha512 || memcmp(h->sha512, doc->sha512, sizeof(h->sha512)) == 0;
}
