#include "base/buf.h"
#include "base/clock.h"
#include "trust/verify/chain.h"
#include "trust/verify/state_build.h"

#include <stdarg.h>
#include <stdio.h>

void builder_blame(struct builder *b, enum trust_status status, const char *role, const char *fmt,
                   ...)
{
    struct blame *slot = status == TRUST_ROLLBACK ? &b->rollback : &b->first;
    va_list args;

    if (slot->set) {
        return; /* the first one is the one that is told */
    }
    *slot = (struct blame){.status = status, .set = true};
    slot->role = role ? trust_arena_text(b->state->arena, slice_str(role)) : NULL;
    va_start(args, fmt);
    (void)vsnprintf(slot->why, sizeof(slot->why), fmt, args);
    va_end(args);
}

const struct trust_file *builder_file(const struct builder *b, struct slice role)
{
    for (size_t i = 0; i < b->set->file_count; i++) {
        if (slice_is(role, b->set->files[i].role)) {
            return &b->set->files[i];
        }
    }
    return NULL;
}

enum doc_fault trust_file_read(const struct trust_file *file, struct tuf_doc **out, struct err *err)
{
    if (file->parsed && strcmp(file->parsed->role, file->role) == 0) {
        *out = tuf_doc_share(file->parsed);
        return DOC_OK;
    }
    return tuf_doc_read(slice_str(file->role), file->bytes, out, err);
}

const struct trust_seen *builder_seen(const struct builder *b, struct slice role)
{
    for (size_t i = 0; i < b->set->seen_count; i++) {
        if (slice_is(role, b->set->seen[i].role)) {
            return &b->set->seen[i];
        }
    }
    return NULL;
}

enum history builder_history(const struct builder *b, const struct tuf_doc *doc)
{
    const struct trust_seen *seen = builder_seen(b, slice_str(doc->role));

    if (!seen || doc->version > seen->version) {
        return HISTORY_OK;
    }
    if (doc->version < seen->version) {
        return HISTORY_ROLLBACK;
    }
    if (!seen->has_signed ||
        memcmp(doc->signed_sha256, seen->signed_sha256, sizeof(doc->signed_sha256)) == 0) {
        return HISTORY_OK; /* signatures alone may differ */
    }
    return HISTORY_REWRITTEN;
}

/* False (with the blame) when the version says that this is not the newest that was accepted. A
 * rollback goes on: what it holds is authentic, only old. */
static bool check_history(struct builder *b, const struct tuf_doc *doc)
{
    switch (builder_history(b, doc)) {
    case HISTORY_REWRITTEN:
        builder_blame(b, TRUST_BAD_DATA, doc->role,
                      "%s: version %lld was accepted with other content", doc->role,
                      (long long)doc->version);
        return false;
    case HISTORY_ROLLBACK:
        builder_blame(b, TRUST_ROLLBACK, doc->role,
                      "%s: version %lld is lower than one accepted before", doc->role,
                      (long long)doc->version);
        return true;
    case HISTORY_OK:
        break;
    }
    return true;
}

static void lower_valid_until(struct builder *b, int64_t us)
{
    if (us < b->state->valid_until_us) {
        b->state->valid_until_us = us;
    }
}

/* ---- root ---- */

/* The first root's keys are exactly the pinned ones. */
static bool pin_matches(const struct trust_set *set, const struct tuf_doc *first)
{
    auto_free struct spki *keys = NULL;
    size_t count = trust_root_spkis(first, &keys);
    bool same = true;

    for (size_t i = 0; i < count; i++) {
        same = same && spki_in(set->pin, set->pin_count, &keys[i]);
    }
    for (size_t i = 0; i < set->pin_count; i++) {
        same = same && spki_in(keys, count, &set->pin[i]);
    }
    return same;
}

static struct tuf_doc *read_root(struct builder *b, const struct trust_file *file)
{
    struct tuf_doc *doc = NULL;
    struct err why = {0};

    if (trust_file_read(file, &doc, &why) != DOC_OK) {
        builder_blame(b, TRUST_BAD_DATA, "root", "%s", why.msg);
    }
    return doc;
}

static bool check_first_root(struct builder *b, const struct tuf_doc *first, struct sig_count *own)
{
    enum root_link link = root_link(NULL, first, b->set->gun, b->options->now_us, false, own);

    b->state->first_root_version = first->version;
    if (b->set->pin_count > 0 && !pin_matches(b->set, first)) {
        builder_blame(b, TRUST_ROOT_PINNED, "root",
                      "the first root's keys are not the pinned ones");
        return false;
    }
    switch (link) {
    case ROOT_LINK_HOLDS:
        return true;
    case ROOT_LINK_BAD_VERSION:
        builder_blame(b, TRUST_ROOT_CHANGED, "root", "the root chain begins with version %lld",
                      (long long)first->version);
        return false;
    case ROOT_LINK_NOT_BY_PREVIOUS:
    case ROOT_LINK_NOT_BY_ITSELF:
        break;
    }
    builder_blame(b, own->valid > 0 ? TRUST_THRESHOLD : TRUST_BAD_DATA, "root",
                  "root has %d of %lld valid signatures by certificates for this repository",
                  own->valid, (long long)own->threshold);
    return false;
}

static bool check_next_root(struct builder *b, const struct tuf_doc *prev,
                            const struct tuf_doc *next, struct sig_count *own)
{
    switch (root_link(prev, next, b->set->gun, b->options->now_us, false, own)) {
    case ROOT_LINK_HOLDS:
        return true;
    case ROOT_LINK_BAD_VERSION:
        builder_blame(b, TRUST_ROOT_CHANGED, "root", "root %lld does not follow root %lld",
                      (long long)next->version, (long long)prev->version);
        return false;
    case ROOT_LINK_NOT_BY_PREVIOUS:
        builder_blame(b, TRUST_ROOT_CHANGED, "root", "root %lld is not signed by root %lld's keys",
                      (long long)next->version, (long long)prev->version);
        return false;
    case ROOT_LINK_NOT_BY_ITSELF:
        break;
    }
    builder_blame(b, TRUST_ROOT_CHANGED, "root", "root %lld is not signed by its own keys",
                  (long long)next->version);
    return false;
}

/* The last of the roots whose links are known to hold: only who signed it is asked. */
static bool check_known_root(struct builder *b, const struct tuf_doc *root, struct sig_count *own)
{
    const struct root_rules undated = {b->set->gun, b->options->now_us, false};

    tuf_count_signatures(root, root, &root->root, &undated, own);
    if (sig_count_met(own)) {
        return true;
    }
    builder_blame(b, TRUST_ROOT_CHANGED, "root", "root %lld is not signed by its own keys",
                  (long long)root->version);
    return false;
}

/* How many roots at the front are the ones that were verified before. */
static size_t roots_verified(const struct builder *b, const struct chain_name *names)
{
    const uint8_t *known = b->options->verified_chain;

    for (size_t n = b->set->root_count; known && n > 0; n--) {
        if (slice_equal(slice_of_bytes(names[n - 1].sha256, 32), slice_of_bytes(known, 32))) {
            return n;
        }
    }
    return 0;
}

static bool check_root_at(struct builder *b, size_t at, size_t verified, const struct tuf_doc *prev,
                          const struct tuf_doc *root, struct sig_count *own)
{
    if (at == 0) {
        return check_first_root(b, root, own);
    }
    if (at < verified) {
        return check_known_root(b, root, own);
    }
    b->state->links_verified++;
    return check_next_root(b, prev, root, own);
}

/* Walks the chain from the first root, which the pin is about, over those whose links were not
 * verified before; leaves the newest root in the state. */
static bool walk_chain(struct builder *b, size_t verified, struct sig_count *own)
{
    struct tuf_doc *prev = NULL;

    for (size_t i = 0; i < b->set->root_count; i++) {
        if (i > 0 && i + 1 < verified) {
            continue; /* between the first root and the last of the known ones */
        }
        struct tuf_doc *next = read_root(b, &b->set->roots[i]);
        bool holds = next && check_root_at(b, i, verified, prev, next, own);
        tuf_doc_free(prev);
        if (!holds) {
            tuf_doc_free(next);
            return false;
        }
        prev = next;
    }
    b->state->root = prev;
    return true;
}

static bool check_chain(struct builder *b, struct sig_count *own)
{
    size_t count = b->set->root_count;

    if (!root_chain_within_limits(b->set, 0)) {
        builder_blame(b, TRUST_BAD_DATA, "root",
                      "more than %d roots, or more than %zu bytes of them", TRUST_ROOTS_MAX,
                      TRUST_ROOT_BYTES_MAX);
        return false;
    }
    auto_free struct chain_name *names = xcalloc(count, sizeof(*names));
    root_chain_names(b->set, names);
    if (!walk_chain(b, roots_verified(b, names), own)) {
        return false;
    }
    memcpy(b->state->chain, names[count - 1].sha256, sizeof(b->state->chain));
    return true;
}

static const struct spki *find_revoked(const struct builder *b, const struct spki *key)
{
    for (size_t i = 0; i < b->set->revoked_count; i++) {
        if (spki_equal(&b->set->revoked[i], key)) {
            return &b->set->revoked[i];
        }
    }
    return NULL;
}

static void blame_revoked(struct builder *b, const struct spki *revoked)
{
    const struct trust_revocation *notes = b->set->revocations;
    char when[TIME_STR_MAX];
    long long version = (long long)b->state->root->version;

    if (notes == NULL || revoked == NULL) {
        builder_blame(b, TRUST_ROOT_KEY_REVOKED, "root",
                      "root %lld needs a root key that was revoked", version);
        return;
    }
    notes += revoked - b->set->revoked;
    builder_blame(b, TRUST_ROOT_KEY_REVOKED, "root",
                  "root %lld needs a root key that was revoked on %s: %s", version,
                  time_format(notes->when_us - notes->when_us % US_PER_SECOND, when),
                  notes->reason);
}

static void check_revoked(struct builder *b, const struct sig_count *own)
{
    const struct spki *revoked = NULL;
    int64_t remaining = 0;

    for (int i = 0; i < own->signer_count; i++) {
        const struct spki *found = find_revoked(b, &own->signers[i]);
        revoked = found ? found : revoked;
        remaining += found == NULL;
    }
    if (remaining < own->threshold) {
        blame_revoked(b, revoked);
    }
}

static void check_root_dates(struct builder *b, const struct sig_count *undated)
{
    const struct tuf_doc *root = b->state->root;
    const struct root_rules dated = {b->set->gun, b->options->now_us, true};
    struct sig_count own;
    char end[TIME_STR_MAX];

    lower_valid_until(b, root->expires_us);
    lower_valid_until(b, sig_count_end(undated));
    if (root->expires_us <= b->options->now_us) {
        builder_blame(b, TRUST_EXPIRED_ROOT, "root", "root expired at %s", root->expires);
        return;
    }
    tuf_count_signatures(root, root, &root->root, &dated, &own);
    if (!sig_count_met(&own)) {
        bool over = sig_count_end(undated) <= b->options->now_us;
        builder_blame(b, TRUST_EXPIRED_ROOT, "root",
                      "%d of %lld root certificates are valid at this time%s%s", own.valid,
                      (long long)own.threshold, over ? ", since " : "",
                      over ? time_format(sig_count_end(undated), end) : "");
    }
}

/* The keys that can sign the next root: one that was revoked is none. */
static void note_root_keys(struct builder *b)
{
    struct trust_state *state = b->state;
    const struct tuf_doc *root = state->root;

    state->root_keys =
        trust_arena_alloc(state->arena, root->root.key_count, sizeof(*state->root_keys));
    for (size_t i = 0; i < root->root.key_count; i++) {
        const struct tuf_key *key = tuf_doc_key(root, slice_str(root->root.key_ids[i]));
        const struct tuf_cert *cert = key ? tuf_key_cert(key) : NULL;
        if (!cert || !tuf_key_usable(key, NULL) || !cert->well_formed ||
            !tuf_cert_names(cert, b->set->gun)) {
            continue;
        }
        struct spki spki = tuf_key_spki(key);
        if (!spki_in(b->set->revoked, b->set->revoked_count, &spki) &&
            !spki_in(state->root_keys, state->root_key_count, &spki)) {
            state->root_keys[state->root_key_count++] = spki;
        }
    }
}

static bool build_root(struct builder *b)
{
    struct sig_count own = {0};

    if (b->set->root_count == 0) {
        builder_blame(b, TRUST_BAD_DATA, "root", "there is trust data but no root");
        return false;
    }
    if (!check_chain(b, &own) || !check_history(b, b->state->root)) {
        return false;
    }
    check_revoked(b, &own);
    check_root_dates(b, &own);
    note_root_keys(b);
    return true;
}

/* ---- timestamp, snapshot, targets ---- */

static struct tuf_doc *read_file(struct builder *b, const char *role)
{
    const struct trust_file *file = builder_file(b, slice_str(role));
    struct tuf_doc *doc = NULL;
    struct err why = {0};

    if (!file) {
        builder_blame(b, TRUST_BAD_DATA, role, "%s is missing", role);
        return NULL;
    }
    if (trust_file_read(file, &doc, &why) != DOC_OK) {
        builder_blame(b, TRUST_BAD_DATA, role, "%s", why.msg);
    }
    return doc;
}

/* Bytes equal what `lister` says of them. */
static bool check_bytes(struct builder *b, const struct tuf_doc *lister, const struct tuf_doc *doc,
                        const char *blamed)
{
    const struct tuf_meta *meta = tuf_doc_meta(lister, slice_str(doc->role));

    if (meta && tuf_hashes_match(&meta->file, doc)) {
        return true;
    }
    builder_blame(b, TRUST_BAD_DATA, blamed, "%s: hash or length is not what %s says", doc->role,
                  lister->role);
    return false;
}

static bool check_signatures(struct builder *b, const struct tuf_doc *doc,
                             const struct tuf_role_keys *keys, struct sig_count *count)
{
    tuf_count_signatures(doc, b->state->root, keys, NULL, count);
    b->checks += count->checks;
    if (sig_count_met(count)) {
        return true;
    }
    builder_blame(b, count->valid > 0 ? TRUST_THRESHOLD : TRUST_BAD_DATA, doc->role,
                  "%s has %d of %lld valid signatures", doc->role, count->valid,
                  (long long)count->threshold);
    return false;
}

/* True when it has expired and nobody here can renew it. */
static bool check_expiry(struct builder *b, const struct tuf_doc *doc, enum trust_status status,
                         bool renewable, bool *expired)
{
    *expired = doc->expires_us <= b->options->now_us;
    if (!*expired || !renewable) {
        lower_valid_until(b, doc->expires_us);
    }
    if (*expired && !renewable) {
        builder_blame(b, status, doc->role, "%s expired at %s", doc->role, doc->expires);
        return true;
    }
    return false;
}

static bool build_timestamp(struct builder *b)
{
    struct trust_state *state = b->state;
    struct sig_count count;
    struct tuf_doc *doc = read_file(b, "timestamp");

    if (!doc || !check_signatures(b, doc, &state->root->timestamp, &count) ||
        !check_history(b, doc)) {
        tuf_doc_free(doc);
        return false;
    }
    state->timestamp = doc;
    (void)check_expiry(b, doc, TRUST_EXPIRED_TIMESTAMP, b->options->renewable_timestamp,
                       &state->timestamp_expired);
    return true;
}

static bool build_snapshot(struct builder *b)
{
    struct trust_state *state = b->state;
    struct sig_count count;
    struct tuf_doc *doc = read_file(b, "snapshot");

    if (!doc || !check_bytes(b, state->timestamp, doc, "snapshot") ||
        !check_signatures(b, doc, &state->root->snapshot, &count) ||
        !check_bytes(b, doc, state->root, "snapshot") || !check_history(b, doc)) {
        tuf_doc_free(doc);
        return false;
    }
    state->snapshot = doc;
    (void)check_expiry(b, doc, TRUST_EXPIRED_SNAPSHOT, b->options->renewable_snapshot,
                       &state->snapshot_expired);
    return true;
}

static void build_targets(struct builder *b)
{
    struct trust_state *state = b->state;
    struct sig_count count;
    bool expired = false;
    struct tuf_doc *doc = read_file(b, "targets");

    if (!doc || !check_bytes(b, state->snapshot, doc, "targets") ||
        !check_signatures(b, doc, &state->root->targets, &count) || !check_history(b, doc)) {
        tuf_doc_free(doc);
        return;
    }
    (void)check_expiry(b, doc, TRUST_EXPIRED_TARGETS, false, &expired);
    enum role_state state_of = expired ? ROLE_STATE_EXPIRED : ROLE_STATE_OK;
    if (builder_history(b, doc) == HISTORY_ROLLBACK) {
        state_of = ROLE_STATE_ROLLBACK;
    }
    tree_build(b, doc, state_of, &count);
}

static void conclude(struct builder *b)
{
    const struct blame *told = b->rollback.set ? &b->rollback : &b->first;
    struct trust_state *state = b->state;

    if (!told->set) {
        state->status = TRUST_OK;
        return;
    }
    state->status = told->status;
    state->defect_role = told->role;
    memcpy(state->why, told->why, sizeof(state->why));
}

static bool files_within_limits(struct builder *b)
{
    size_t bytes = 0;

    for (size_t i = 0; i < b->set->file_count; i++) {
        bytes += b->set->files[i].bytes.n;
    }
    if (bytes > TRUST_FILE_BYTES_MAX) {
        builder_blame(b, TRUST_BAD_DATA, "targets", "more than %zu bytes of documents",
                      TRUST_FILE_BYTES_MAX);
        return false;
    }
    return true;
}

void trust_state_build(const struct trust_set *set, const struct trust_options *options,
                       struct trust_state **out)
{
    struct trust_state *state = xcalloc(1, sizeof(*state));
    struct builder b = {.set = set, .options = options, .state = state};

    state->status = TRUST_BAD_DATA;
    state->arena = trust_arena_new();
    state->valid_until_us = INT64_MAX;
    *out = state;
    if (set->root_count == 0 && set->file_count == 0) {
        builder_blame(&b, TRUST_NOT_INITIALISED, NULL, "the repository has no trust data");
    } else if (set->pin_count == 0 && !options->unpinned) {
        builder_blame(&b, TRUST_NOT_INITIALISED, NULL, "the repository's root is not pinned");
    } else if (files_within_limits(&b) && build_root(&b) && build_timestamp(&b) &&
               build_snapshot(&b)) {
        build_targets(&b);
    }
    conclude(&b);
}

void trust_state_free(struct trust_state *state)
{
    if (!state) {
        return;
    }
    for (size_t i = 0; i < state->role_count; i++) {
        tuf_doc_free(state->roles[i].doc);
    }
    tuf_doc_free(state->root);
    tuf_doc_free(state->timestamp);
    tuf_doc_free(state->snapshot);
    free(state->roles);
    trust_arena_free(state->arena);
    free(state);
}

size_t trust_state_bytes(const struct trust_state *state)
{
    const struct tuf_doc *base[] = {state->root, state->timestamp, state->snapshot};
    size_t total = sizeof(*state) + trust_arena_bytes(state->arena) +
                   state->role_count * sizeof(*state->roles);

    for (size_t i = 0; i < sizeof(base) / sizeof(base[0]); i++) {
        total += base[i] ? tuf_doc_bytes(base[i]) : 0;
    }
    for (size_t i = 0; i < state->role_count; i++) {
        total += state->roles[i].doc ? tuf_doc_bytes(state->roles[i].doc) : 0;
    }
    return total;
}

const struct trust_role *trust_state_role(const struct trust_state *state, struct slice name)
{
    for (size_t i = 0; i < state->role_count; i++) {
        if (slice_is(name, state->roles[i].name)) {
            return &state->roles[i];
        }
    }
    return NULL;
}

bool trust_role_covers(const struct trust_role *role, struct slice name)
{
    for (size_t i = 0; i < role->path_count; i++) {
        if (slice_starts(name, role->paths[i])) {
            return true;
        }
    }
    return false;
}
