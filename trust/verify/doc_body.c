#include "trust/verify/doc_body.h"

#include "base/hex.h"
#include "base/json.h"
#include "trust/verify/strict.h"

#define PATHS_MAX 1024 /* of one delegation: each is compared with each of its parent's */

struct body {
    struct trust_arena *arena;
    struct tuf_doc *doc;
    const struct doc_limits *limits;
    struct err *err;
};

static bool is_absent(const json_t *value)
{
    return !value || json_is_null(value);
}

static struct slice text_of(const json_t *value)
{
    return (struct slice){json_string_value(value), json_string_length(value)};
}

/* ---- hashes ---- */

static enum doc_fault read_hash(struct body *b, const json_t *hashes, const char *name,
                                uint8_t *out, size_t size, bool *present)
{
    const json_t *value = json_object_get(hashes, name);

    *present = false;
    if (is_absent(value)) {
        return DOC_OK;
    }
    if (!json_is_string(value) || !base64_decode_fixed(text_of(value), out, size)) {
        return doc_refuse(b->err, DOC_STRUCTURE, "a %s hash is malformed", name);
    }
    *present = true;
    return DOC_OK;
}

static enum doc_fault read_length(struct body *b, const json_t *value, int64_t *out)
{
    *out = -1;
    if (is_absent(value)) {
        return DOC_OK;
    }
    if (!json_is_integer(value) || json_integer_value(value) < 0) {
        return doc_refuse(b->err, DOC_STRUCTURE, "a length is malformed");
    }
    *out = json_integer_value(value);
    return DOC_OK;
}

static enum doc_fault read_hashes(struct body *b, const json_t *entry, struct tuf_hashes *out)
{
    const json_t *hashes = json_object_get(entry, "hashes");

    if (!json_is_object(entry) || (!is_absent(hashes) && !json_is_object(hashes))) {
        return doc_refuse(b->err, DOC_STRUCTURE, "an entry or its hashes are malformed");
    }
    enum doc_fault fault =
        read_hash(b, hashes, "sha256", out->sha256, sizeof(out->sha256), &out->has_sha256);
    if (fault == DOC_OK) {
        fault = read_hash(b, hashes, "sha512", out->sha512, sizeof(out->sha512), &out->has_sha512);
    }
    return fault == DOC_OK ? read_length(b, json_object_get(entry, "length"), &out->length) : fault;
}

/* ---- keys and roles ---- */

static enum doc_fault read_keys(struct body *b, const json_t *keys)
{
    struct tuf_doc *doc = b->doc;
    size_t count = json_object_size(keys);
    const char *id;
    json_t *object;

    if (!is_absent(keys) && !json_is_object(keys)) {
        return doc_refuse(b->err, DOC_STRUCTURE, "keys is not an object");
    }
    if (count > b->limits->keys) {
        return doc_refuse(b->err, DOC_STRUCTURE, "more than %zu keys", b->limits->keys);
    }
    doc->keys = trust_arena_alloc(b->arena, count, sizeof(struct tuf_key *));
    doc->listed_ids = trust_arena_alloc(b->arena, count, sizeof(char *));
    json_object_foreach((json_t *)keys, id, object)
    {
        struct err why = {0};
        if (!tuf_key_read(object, &doc->keys[doc->key_count], &why)) {
            return doc_refuse(b->err, DOC_STRUCTURE, "%s", why.msg);
        }
        doc->listed_ids[doc->key_count++] = trust_arena_text(b->arena, slice_str(id));
    }
    return DOC_OK;
}

static enum doc_fault read_key_ids(struct body *b, const json_t *list, const json_t *keys,
                                   struct tuf_role_keys *out)
{
    size_t count = json_array_size(list);

    if (!is_absent(list) && !json_is_array(list)) {
        return doc_refuse(b->err, DOC_STRUCTURE, "keyids is not a list");
    }
    if (count > b->limits->keys) {
        return doc_refuse(b->err, DOC_STRUCTURE, "a role lists more than %zu keys",
                          b->limits->keys);
    }
    out->key_ids = trust_arena_alloc(b->arena, count, sizeof(char *));
    for (size_t i = 0; i < count; i++) {
        const char *id = json_string_value(json_array_get(list, i));
        if (!id || !json_object_get(keys, id)) {
            return doc_refuse(b->err, DOC_STRUCTURE, "a role names a key that is not listed");
        }
        out->key_ids[out->key_count++] = trust_arena_text(b->arena, slice_str(id));
    }
    return DOC_OK;
}

static enum doc_fault read_role_keys(struct body *b, const json_t *role, const json_t *keys,
                                     struct tuf_role_keys *out)
{
    if (!json_is_object(role)) {
        return doc_refuse(b->err, DOC_STRUCTURE, "a role is not an object");
    }
    if (!json_get_int(role, "threshold", &out->threshold) || out->threshold < 1) {
        return doc_refuse(b->err, DOC_STRUCTURE, "a role's threshold is not at least 1");
    }
    return read_key_ids(b, json_object_get(role, "keyids"), keys, out);
}

/* ---- root ---- */

static enum doc_fault read_root(struct body *b, const json_t *part)
{
    struct tuf_doc *doc = b->doc;
    const json_t *keys = json_object_get(part, "keys");
    const json_t *roles = json_object_get(part, "roles");
    const struct {
        const char *name;
        struct tuf_role_keys *out;
    } wanted[] = {
        {"root", &doc->root},
        {"targets", &doc->targets},
        {"snapshot", &doc->snapshot},
        {"timestamp", &doc->timestamp},
    };

    enum doc_fault fault = read_keys(b, keys);
    for (size_t i = 0; fault == DOC_OK && i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        const json_t *role = json_object_get(roles, wanted[i].name);
        if (is_absent(role)) {
            return doc_refuse(b->err, DOC_STRUCTURE, "missing %s role specification",
                              wanted[i].name);
        }
        fault = read_role_keys(b, role, keys, wanted[i].out);
    }
    return fault;
}

/* ---- targets and delegations ---- */

static enum doc_fault read_paths(struct body *b, const json_t *list, struct tuf_delegation *out)
{
    size_t count = json_array_size(list);

    if (!is_absent(list) && !json_is_array(list)) {
        return doc_refuse(b->err, DOC_STRUCTURE, "a delegation's paths are not a list");
    }
    if (count > PATHS_MAX) {
        return doc_refuse(b->err, DOC_STRUCTURE, "a delegation has more than %d paths", PATHS_MAX);
    }
    out->paths = trust_arena_alloc(b->arena, count, sizeof(char *));
    for (size_t i = 0; i < count; i++) {
        const json_t *path = json_array_get(list, i);
        if (!json_is_string(path)) {
            return doc_refuse(b->err, DOC_STRUCTURE, "a delegation's path is not a string");
        }
        if (strict_has_control(text_of(path))) {
            return doc_refuse(b->err, DOC_NOT_STRICT, "a path holds a control character");
        }
        out->paths[out->path_count++] = trust_arena_text(b->arena, text_of(path));
    }
    return DOC_OK;
}

static enum doc_fault read_delegation(struct body *b, const json_t *role, const json_t *keys,
                                      struct tuf_delegation *out)
{
    struct slice name = json_get_slice(role, "name");

    if (!name.p || role_parse(name) != ROLE_DELEGATION ||
        !role_is_direct_child(slice_str(b->doc->role), name)) {
        return doc_refuse(b->err, DOC_STRUCTURE,
                          "a delegation's name is invalid, not a direct child, or more than %d "
                          "levels deep",
                          ROLE_DEPTH_MAX);
    }
    if (tuf_doc_delegation(b->doc, name)) {
        return doc_refuse(b->err, DOC_STRUCTURE, "a delegation is listed twice");
    }
    out->name = trust_arena_text(b->arena, name);
    enum doc_fault fault = read_role_keys(b, role, keys, &out->keys);
    return fault == DOC_OK ? read_paths(b, json_object_get(role, "paths"), out) : fault;
}

static enum doc_fault read_delegations(struct body *b, const json_t *delegations)
{
    const json_t *keys = json_object_get(delegations, "keys");
    const json_t *roles = json_object_get(delegations, "roles");
    size_t count = json_array_size(roles);

    if (is_absent(delegations)) {
        return DOC_OK;
    }
    if (!json_is_object(delegations) || (!is_absent(roles) && !json_is_array(roles))) {
        return doc_refuse(b->err, DOC_STRUCTURE, "delegations are malformed");
    }
    if (count > b->limits->delegations) {
        return doc_refuse(b->err, DOC_STRUCTURE, "more than %zu delegations",
                          b->limits->delegations);
    }
    enum doc_fault fault = read_keys(b, keys);
    b->doc->delegations = trust_arena_alloc(b->arena, count, sizeof(struct tuf_delegation));
    for (size_t i = 0; fault == DOC_OK && i < count; i++) {
        fault = read_delegation(b, json_array_get(roles, i), keys, &b->doc->delegations[i]);
        b->doc->delegation_count += fault == DOC_OK;
    }
    return fault;
}

static int by_target_name(const void *a, const void *b)
{
    const struct tuf_target *x = a;
    const struct tuf_target *y = b;
    return slice_compare((struct slice){x->name, x->name_n}, (struct slice){y->name, y->name_n});
}

static enum doc_fault read_target(struct body *b, const char *name, const json_t *entry,
                                  struct tuf_target *out)
{
    enum doc_fault fault = read_hashes(b, entry, &out->file);

    if (fault != DOC_OK) {
        return fault;
    }
    if (!out->file.has_sha256 && !out->file.has_sha512) {
        return doc_refuse(b->err, DOC_STRUCTURE, "a target has neither a sha256 nor a sha512 hash");
    }
    out->name_n = strlen(name);
    out->name = trust_arena_text(b->arena, (struct slice){name, out->name_n});
    return DOC_OK;
}

static enum doc_fault read_target_list(struct body *b, const json_t *targets)
{
    struct tuf_doc *doc = b->doc;
    size_t count = json_object_size(targets);
    const char *name;
    json_t *entry;

    if (!is_absent(targets) && !json_is_object(targets)) {
        return doc_refuse(b->err, DOC_STRUCTURE, "targets is not an object");
    }
    if (count > b->limits->targets) {
        return doc_refuse(b->err, DOC_STRUCTURE, "more than %zu targets", b->limits->targets);
    }
    doc->target_list = trust_arena_alloc(b->arena, count, sizeof(struct tuf_target));
    json_object_foreach((json_t *)targets, name, entry)
    {
        enum doc_fault fault = read_target(b, name, entry, &doc->target_list[doc->target_count]);
        if (fault != DOC_OK) {
            return fault;
        }
        doc->target_count++;
    }
    qsort(doc->target_list, doc->target_count, sizeof(struct tuf_target), by_target_name);
    return DOC_OK;
}

static enum doc_fault read_targets(struct body *b, const json_t *part)
{
    enum doc_fault fault = read_delegations(b, json_object_get(part, "delegations"));
    return fault == DOC_OK ? read_target_list(b, json_object_get(part, "targets")) : fault;
}

/* ---- snapshot and timestamp ---- */

static int by_role(const void *a, const void *b)
{
    return strcmp(((const struct tuf_meta *)a)->role, ((const struct tuf_meta *)b)->role);
}

/* Whether this list speaks of that role at all. */
static bool meta_is_wanted(enum role_kind of, enum role_kind entry)
{
    if (of == ROLE_TIMESTAMP) {
        return entry == ROLE_SNAPSHOT;
    }
    return entry == ROLE_ROOT || entry == ROLE_TARGETS || entry == ROLE_DELEGATION;
}

static enum doc_fault require_sha256(struct body *b, const char *role)
{
    const struct tuf_meta *meta = tuf_doc_meta(b->doc, slice_str(role));

    if (!meta || !meta->file.has_sha256) {
        return doc_refuse(b->err, DOC_STRUCTURE, "missing %s sha256 checksum information", role);
    }
    return DOC_OK;
}

static enum doc_fault require_entries(struct body *b)
{
    if (b->doc->kind == ROLE_TIMESTAMP) {
        return require_sha256(b, "snapshot");
    }
    enum doc_fault fault = require_sha256(b, "root");
    return fault == DOC_OK ? require_sha256(b, "targets") : fault;
}

static enum doc_fault read_meta(struct body *b, const json_t *part)
{
    struct tuf_doc *doc = b->doc;
    const json_t *meta = json_object_get(part, "meta");
    size_t count = json_object_size(meta);
    const char *name;
    json_t *entry;

    if (count > b->limits->delegations) {
        return doc_refuse(b->err, DOC_STRUCTURE, "more than %zu entries", b->limits->delegations);
    }
    doc->meta = trust_arena_alloc(b->arena, count, sizeof(struct tuf_meta));
    json_object_foreach((json_t *)meta, name, entry)
    {
        enum role_kind kind = role_parse(slice_str(name));
        if (kind == ROLE_NONE) {
            return doc_refuse(b->err, DOC_STRUCTURE, "an entry is no valid role name");
        }
        if (!meta_is_wanted(doc->kind, kind)) {
            continue;
        }
        struct tuf_meta *out = &doc->meta[doc->meta_count];
        enum doc_fault fault = read_hashes(b, entry, &out->file);
        if (fault != DOC_OK) {
            return fault;
        }
        out->role = trust_arena_text(b->arena, slice_str(name));
        doc->meta_count++;
    }
    qsort(doc->meta, doc->meta_count, sizeof(struct tuf_meta), by_role);
    return require_entries(b);
}

enum doc_fault doc_body_read(struct trust_arena *arena, const json_t *part, struct tuf_doc *doc,
                             struct err *err)
{
    struct body b = {arena, doc, doc_limits_of(doc->kind), err};

    switch (doc->kind) {
    case ROLE_ROOT:
        return read_root(&b, part);
    case ROLE_TARGETS:
    case ROLE_DELEGATION:
        return read_targets(&b, part);
    case ROLE_SNAPSHOT:
    case ROLE_TIMESTAMP:
        return read_meta(&b, part);
    case ROLE_NONE:
        break;
    }
    BUG("a document of no role");
}
