#include "trust/commit.h"

#include "base/json.h"
#include "base/size.h"
#include "storage/audit.h"
#include "storage/change_record.h"
#include "storage/role_target.h"
#include "trust/expiry.h"
#include "trust/roots.h"

/* A root is accepted by more than the repository's documents: pin, policy, revoked keys and the keys
 * that the namespace accepts. Each change of those moves the gate generation. */
static bool root_rules_as_loaded(struct db_tx *tx, const struct trust_commit *c, bool *same,
                                 struct err *err)
{
    struct repository now;
    bool root = c->doc_count > 0 && c->docs[0]->kind == ROLE_ROOT;
    if (root && !repository_get_by_id(tx, c->repo->id, &now, err)) {
        return false;
    }
    *same = !root || now.gate_generation == c->repo->gate_generation;
    return true;
}

/* Compares the lives of all roles with what was loaded: any publish, renewal, role end or wipe in
 * between shows here. */
static bool still_as_loaded(struct db_tx *tx, const struct trust_commit *c, struct err *err)
{
    struct trust_role_life_list now = {0};
    bool same = true;
    if (!root_rules_as_loaded(tx, c, &same, err) || !trust_role_lives(tx, c->repo->id, &now, err)) {
        return false;
    }
    same = same && now.count == c->loaded->lives.count;
    for (size_t i = 0; same && i < now.count; i++) {
        const struct trust_role_life *a = &now.items[i], *b = &c->loaded->lives.items[i];
        same = strcmp(a->role, b->role) == 0 && a->incarnation == b->incarnation &&
               a->version == b->version && a->ended == b->ended;
    }
    trust_role_life_list_dispose(&now);
    return same ||
           err_set(err, ERR_CONFLICT, "the trust data of %s changed meanwhile; publish again",
                   c->repo->name.text);
}

static struct digest hash_digest(bool has, enum digest_algorithm algorithm, const uint8_t *bytes)
{
    struct digest d = {0};
    if (has) {
        (void)digest_from_hash(algorithm, bytes, digest_size(algorithm), &d);
    }
    return d;
}

static const char *const everywhere[] = {""};
const struct role_paths role_paths_all = {everywhere, 1};

static bool covers(const struct role_paths *paths, struct slice tag)
{
    for (size_t i = 0; i < paths->count; i++) {
        if (slice_starts(tag, paths->items[i])) {
            return true;
        }
    }
    return false;
}

bool trust_commit_listing(struct db_tx *tx, int64_t repository_id, const struct tuf_doc *doc,
                          const struct role_paths *paths, const struct sig_count *signed_by,
                          int64_t now_us, struct err *err)
{
    auto_free struct role_target_entry *entries = xcalloc(doc->target_count + 1, sizeof *entries);
    uint8_t signers[TARGET_SIGNERS_MAX][32];
    int n = 0;
    for (size_t i = 0; i < doc->target_count; i++) {
        const struct tuf_target *t = &doc->target_list[i];
        entries[i] = (struct role_target_entry){
            .tag = {t->name, t->name_n},
            .sha256 = hash_digest(t->file.has_sha256, DIGEST_SHA256, t->file.sha256),
            .sha512 = hash_digest(t->file.has_sha512, DIGEST_SHA512, t->file.sha512),
            .length = t->file.length,
            .outside = !covers(paths, (struct slice){t->name, t->name_n})};
    }
    for (; signed_by && n < signed_by->signer_count && n < TARGET_SIGNERS_MAX; n++) {
        memcpy(signers[n], signed_by->signers[n].sha256, 32);
    }
    return role_target_update(tx, repository_id, slice_str(doc->role), doc->version, entries,
                              doc->target_count, (const uint8_t(*)[32])signers, n, now_us, err);
}

static bool put_listing(struct db_tx *tx, const struct trust_commit *c, const struct tuf_doc *doc,
                        struct err *err)
{
    const struct trust_role *role = trust_state_role(c->state, slice_str(doc->role));
    const struct role_paths paths = {role ? role->paths : NULL, role ? role->path_count : 0};
    return trust_commit_listing(tx, c->repo->id, doc,
                                doc->kind == ROLE_TARGETS ? &role_paths_all : &paths,
                                role ? &role->signatures : NULL, c->now_us, err);
}

static bool path_covers(const void *arg, struct slice tag)
{
    return covers(arg, tag);
}

bool trust_commit_paths(struct db_tx *tx, int64_t repository_id, struct slice role,
                        const struct role_paths *paths, int64_t now_us, struct err *err)
{
    return role_target_turn(tx, repository_id, role, path_covers, paths, now_us, err);
}

/* Paths come from above. */
static bool is_below_a_new_document(const struct trust_commit *c, const char *role)
{
    for (size_t i = 0; i < c->doc_count; i++) {
        size_t n = strlen(c->docs[i]->role);
        if (strncmp(role, c->docs[i]->role, n) == 0 && role[n] == '/') {
            return true;
        }
    }
    return false;
}

static bool put_paths(struct db_tx *tx, const struct trust_commit *c, struct err *err)
{
    for (size_t i = 1; c->state && i < c->state->role_count; i++) {
        const struct trust_role *role = &c->state->roles[i];
        const struct role_paths paths = {role->paths, role->path_count};
        if (is_below_a_new_document(c, role->name) &&
            !trust_commit_paths(tx, c->repo->id, slice_str(role->name), &paths, c->now_us, err)) {
            return false;
        }
    }
    return true;
}

static bool is_made_here(const struct tuf_doc *doc, const struct tuf_doc *root,
                         const struct trust_loaded *loaded)
{
    return doc->kind == ROLE_TIMESTAMP ||
           (doc->kind == ROLE_SNAPSHOT &&
            trust_loaded_holds(loaded, &root->snapshot, ROLE_SNAPSHOT));
}

int64_t trust_commit_renewal(const struct tuf_doc *doc, const struct tuf_doc *root,
                             const struct trust_loaded *loaded, int64_t accepted_us)
{
    if (!is_made_here(doc, root, loaded)) {
        return 0;
    }
    int64_t half_us = accepted_us + (doc->expires_us - accepted_us) / 2;
    return half_us > 0 ? half_us : 1;
}

void trust_commit_row(const struct tuf_doc *doc, struct trust_doc_new *out)
{
    *out = (struct trust_doc_new){.role = slice_str(doc->role),
                                  .version = doc->version,
                                  .expires_us = doc->expires_us,
                                  .bytes = doc->bytes};
    memcpy(out->sha256, doc->sha256, sizeof out->sha256);
    memcpy(out->signed_sha256, doc->signed_sha256, sizeof out->signed_sha256);
}

static bool put_document(struct db_tx *tx, const struct trust_commit *c, const struct tuf_doc *doc,
                         struct err *err)
{
    struct trust_doc_new row;
    trust_commit_row(doc, &row);
    row.renew_us = trust_commit_renewal(doc, c->root, c->loaded, c->now_us);
    if (!trust_doc_put(tx, c->repo->id, &row, c->now_us, err)) {
        return false;
    }
    bool lists = doc->kind == ROLE_TARGETS || doc->kind == ROLE_DELEGATION;
    return !lists || put_listing(tx, c, doc, err);
}

bool trust_commit_key_states(struct db_tx *tx, const struct trust_key_list *keys,
                             const struct tuf_doc *root, struct err *err)
{
    for (size_t i = 0; i < keys->count; i++) {
        const struct trust_key *key = &keys->items[i];
        bool timestamp = strcmp(key->role, "timestamp") == 0;
        enum trust_key_state state = key->state;
        if (tuf_role_lists_key(timestamp ? &root->timestamp : &root->snapshot,
                               slice_str(key->key_id))) {
            state = TRUST_KEY_ACTIVE;
        } else if (key->state == TRUST_KEY_ACTIVE) {
            state = TRUST_KEY_RETIRED;
        }
        if (state != key->state && !trust_key_set_state(tx, key->id, state, err)) {
            return false;
        }
    }
    return true;
}

static bool put_pins(struct db_tx *tx, const struct trust_commit *c, struct err *err)
{
    /* struct spki is its hash and nothing else, so the array is one of hashes. */
    if (c->pin && !trust_pin_set(tx, c->repo->id, (const uint8_t(*)[32])c->pin, c->pin_count,
                                 c->actor, c->now_us, err)) {
        return false;
    }
    struct roots_change change = {
        .namespace_id = c->repo->namespace_id, .actor = c->actor, .now_us = c->now_us};
    repo_name_namespace(&c->repo->name, &change.namespace_);
    for (size_t i = 0; i < c->accept_count; i++) {
        change.key = c->accept[i];
        if (!trust_roots_add(tx, &change, err)) {
            return false;
        }
    }
    return true;
}
_Static_assert(sizeof(struct spki) == 32, "an array of spki is an array of hashes");

static bool put_audit(struct db_tx *tx, const struct trust_commit *c, struct err *err)
{
    if (!c->audit_action) {
        return true;
    }
    auto_json json_t *versions = json_object();
    auto_buf struct buf after = {0};
    for (size_t i = 0; i < c->doc_count; i++) {
        json_object_set_new(versions, c->docs[i]->role,
                            json_integer((json_int_t)c->docs[i]->version));
    }
    json_write(&after, versions);
    struct audit_entry entry = {.action = c->audit_action,
                                .namespace_id = c->repo->namespace_id,
                                .object = repo_name_slice(&c->repo->name),
                                .outcome = AUDIT_OK,
                                .after = buf_slice_of(&after)};
    return audit_append(tx, c->actor, &entry, c->now_us, err);
}

static bool tell_reached(struct db_tx *tx, const struct trust_commit *c, struct err *err)
{
    trust_role_life_list_dispose(c->reached); /* of a run before */
    return trust_role_lives(tx, c->repo->id, c->reached, err);
}

static bool check_space(struct db_tx *tx, const struct trust_commit *c, struct err *err)
{
    char max[SIZE_STR_MAX];
    int64_t bytes = 0;
    if (c->space_max == 0) {
        return true;
    }
    if (!trust_space_add(tx, c->repo->id, 0, &bytes, err)) {
        return false;
    }
    return bytes <= c->space_max ||
           err_set(err, ERR_TRUST_INVALID_UPDATE,
                   "the trust data of the namespace would take more than %s, its limit "
                   "(trust.namespace_size); ask the administrator of the server",
                   size_format(c->space_max, max));
}

bool trust_commit_write(struct db_tx *tx, void *arg, struct err *err)
{
    const struct trust_commit *c = arg;
    if (!still_as_loaded(tx, c, err)) {
        return false;
    }
    for (size_t i = 0; i < c->ended_count; i++) {
        if (!trust_role_end(tx, c->repo->id, slice_str(c->ended_roles[i]), c->now_us, err)) {
            return false;
        }
    }
    for (size_t i = 0; i < c->doc_count; i++) {
        if (!put_document(tx, c, c->docs[i], err)) {
            return false;
        }
    }
    return put_paths(tx, c, err) && check_space(tx, c, err) &&
           trust_commit_key_states(tx, &c->loaded->keys, c->root, err) && put_pins(tx, c, err) &&
           expiry_note(tx, c->repo->id, c->loaded->set.gun, c->root, &c->loaded->keys, c->docs,
                       c->doc_count, err) &&
           change_record_put(tx, c->loaded->set.gun, CHANGE_UPDATE, c->timestamp->version,
                             c->timestamp->sha256, c->now_us, err) &&
           put_audit(tx, c, err) && repository_gate_bump(tx, c->repo->id, err) &&
           tell_reached(tx, c, err);
}
