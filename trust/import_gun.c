#include "base/json.h"
#include "storage/audit.h"
#include "trust/commit.h"
#include "trust/expiry.h"
#include "trust/import_gun.h"
#include "trust/make.h"
#include "trust/root_policy.h"
#include "trust/roots.h"
#include "trust/trust_internal.h"

#include <stdarg.h>

#define WARNINGS_MAX 100

static void taking_dispose(struct taking *t)
{
    trust_loaded_dispose(&t->before);
    trust_loaded_dispose(&t->after);
    trust_state_free(t->state);
    tuf_doc_free(t->root);
    for (size_t i = 0; i < t->lister_count; i++) {
        tuf_doc_free(t->listers[i]);
    }
    free(t->listers);
}
#define auto_taking __attribute__((cleanup(taking_dispose)))

void taking_warn(struct taking *t, const char *fmt, ...)
{
    char text[600];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (json_array_size(t->g->warnings) < WARNINGS_MAX) {
        json_array_append_new(t->g->warnings, json_string(text));
    }
}

/* ---- before ---- */

static bool ensure_namespace(struct taking *t, struct err *err)
{
    const struct import_request *rq = t->im->rq;
    struct namespace_name name;
    struct namespace ns;
    struct err why = {0};
    repo_name_namespace(&t->g->repo, &name);
    if (namespace_get(t->tx, &name, &ns, &why)) {
        return true;
    }
    if (why.code != ERR_NAMESPACE_UNKNOWN) {
        *err = why;
        return false;
    }
    if (rq->owner_id == 0) {
        return err_set(err, ERR_INVALID,
                       "there is no namespace %s; create it, or say with --owner "
                       "who shall own the namespaces that are missing",
                       name.text);
    }
    struct audit_entry entry = {
        .action = "namespace.create", .object = slice_str(name.text), .outcome = AUDIT_OK};
    if (!namespace_create(t->tx, &name, VISIBILITY_PRIVATE, rq->owner_id, rq->now_us, &ns, err)) {
        return false;
    }
    entry.namespace_id = ns.id;
    return audit_append(t->tx, rq->actor, &entry, rq->now_us, err);
}

static int64_t newest_in_dump(const struct taking *t, const char *role)
{
    int64_t newest = 0;
    for (size_t i = t->g->docs.from; i < t->g->docs.to; i++) {
        const struct import_doc *doc = &t->im->docs[i];
        if (doc->version > newest && strcmp(t->im->names[doc->role], role) == 0) {
            newest = doc->version;
        }
    }
    return newest;
}

/* Whoever published here since, or wiped, goes on here. A timestamp is renewed without anybody. */
static bool check_not_ahead(const struct taking *t, struct err *err)
{
    bool lives = false;
    for (size_t i = 0; i < t->before.lives.count; i++) {
        const struct trust_role_life *life = &t->before.lives.items[i];
        lives = lives || !life->ended;
        if (!life->ended && strcmp(life->role, "timestamp") != 0 &&
            newest_in_dump(t, life->role) < life->version) {
            return err_set(err, ERR_INVALID,
                           "%s is at version %lld here and at %lld in the dump: it was published "
                           "here since",
                           life->role, (long long)life->version,
                           (long long)newest_in_dump(t, life->role));
        }
    }
    return t->before.lives.count == 0 || lives ||
           err_set(err, ERR_INVALID,
                   "its trust data was wiped here; what was wiped does not come "
                   "back, publish anew");
}

static bool begin(struct taking *t, struct err *err)
{
    if (!ensure_namespace(t, err) ||
        !repository_ensure(t->tx, &t->g->repo, t->im->rq->now_us, &t->repo, NULL, err) ||
        !trust_load(t->im->trust, t->tx, &t->repo, &t->before, err)) {
        return false;
    }
    t->fresh = t->before.lives.count == 0;
    for (size_t i = 0; i < t->before.current.count; i++) {
        if (t->before.current.items[i].accepted_us > t->last_us) {
            t->last_us = t->before.current.items[i].accepted_us;
        }
    }
    char why[SUSPICION_MAX];
    if (checkpoint_allows(t->im->trust->checkpoint, &t->repo.name, &t->before.lives,
                          &t->before.revoked_rows, t->im->rq->now_us, why) != CHECKPOINT_GOOD) {
        return err_set(err, ERR_INVALID, "%s", why);
    }
    return check_not_ahead(t, err);
}

/* ---- does it hold? ---- */

static bool check_timestamp_keys(const struct taking *t, struct err *err)
{
    const struct tuf_role_keys *keys = &t->root->timestamp;
    for (size_t i = 0; i < keys->key_count; i++) {
        if (!trust_loaded_key(&t->after, ROLE_TIMESTAMP, keys->key_ids[i], NULL)) {
            return err_set(err, ERR_INVALID, "its timestamp key %.12s was not taken: %s",
                           keys->key_ids[i],
                           t->key_why[0] ? t->key_why : "the signer's dump does not have it");
        }
    }
    return true;
}

static bool only_expired(enum trust_status status)
{
    return status == TRUST_OK || status == TRUST_EXPIRED_ROOT ||
           status == TRUST_EXPIRED_TIMESTAMP || status == TRUST_EXPIRED_SNAPSHOT ||
           status == TRUST_EXPIRED_TARGETS;
}

/* The first fault is the one that a state tells; an expired root may hide another. */
static bool check_state(struct taking *t, struct err *err)
{
    struct trust_options options;
    trust_loaded_options(&t->after, t->im->rq->now_us, &options);
    options.unpinned = t->fresh;
    trust_state_build(&t->after.set, &options, &t->state);
    const struct trust_state *s = t->state;
    bool whole = s->root && s->timestamp && s->snapshot && s->role_count > 0 &&
                 (s->roles[0].state == ROLE_STATE_OK || s->roles[0].state == ROLE_STATE_EXPIRED);
    if (!whole || !only_expired(s->status)) {
        return err_set(err, ERR_INVALID, "it does not verify: %s", s->why);
    }
    if (s->status != TRUST_OK) {
        taking_warn(t, "%s: nothing of it is valid until its signers publish", s->why);
    }
    for (size_t i = 1; i < s->role_count; i++) {
        if (s->roles[i].state != ROLE_STATE_OK && s->roles[i].state != ROLE_STATE_ABSENT) {
            taking_warn(t, "%s does not count until its signers publish: %s", s->roles[i].name,
                 s->roles[i].why);
        }
    }
    return true;
}

static bool reload(struct taking *t, struct err *err)
{
    trust_loaded_dispose(&t->after);
    return trust_load(t->im->trust, t->tx, &t->repo, &t->after, err);
}

static bool read_current(const struct taking *t, const char *role, struct tuf_doc **out,
                         struct err *err)
{
    for (size_t i = 0; i < t->after.current.count; i++) {
        const struct trust_doc *row = &t->after.current.items[i];
        if (strcmp(row->role, role) == 0) {
            return tuf_doc_read(slice_str(role), row->bytes, out, err) == DOC_OK;
        }
    }
    return true;
}

/* Both servers renewed the timestamp, and the old one published: its snapshot gets a timestamp of
 * ours, above both. */
static bool renew_timestamp(struct taking *t, struct err *err)
{
    auto_doc struct tuf_doc *snapshot = NULL, *timestamp = NULL, *made = NULL;
    if (!read_current(t, "snapshot", &snapshot, err) ||
        !read_current(t, "timestamp", &timestamp, err)) {
        return false;
    }
    const struct tuf_meta *meta = timestamp ? tuf_doc_meta(timestamp, SLICE_LIT("snapshot")) : NULL;
    if (t->fresh || t->g->docs_put == 0 || !snapshot || !meta ||
        tuf_hashes_match(&meta->file, snapshot)) {
        return true;
    }
    return make_timestamp(t->im->trust, &t->after, t->root, snapshot, timestamp->version + 1,
                          t->im->rq->now_us, &made, err) &&
           taking_put_doc(t, made, t->im->rq->now_us, err) && reload(t, err);
}

/* ---- pins, ends, traces ---- */

/* The root in force alone: the ones before it handed over to it. */
static bool check_allowed(const struct taking *t, const struct policy *policy, struct err *err)
{
    auto_buf struct buf names = {0};
    if (root_policy_accepts(policy, t->state->root, t->after.set.gun, t->im->rq->now_us)) {
        return true;
    }
    if (policy->allow_root_ca.count == 0) {
        return err_set(err, ERR_INVALID,
                       "the root keys of %s are none that its policy allows (allow_roots)",
                       t->repo.name.text);
    }
    root_policy_describe(policy, t->im->rq->now_us, &names);
    return err_set(err, ERR_INVALID,
                   "the root keys of %s are none that its policy allows (allow_roots), nor certified "
                   "by %s (allow_root_ca)",
                   t->repo.name.text, names.p);
}

static bool pin_first_root(struct taking *t, struct err *err)
{
    auto_doc struct tuf_doc *first = NULL;
    auto_free struct spki *keys = NULL;
    if (tuf_doc_read(SLICE_LIT("root"), t->after.set.roots[0].bytes, &first, err) != DOC_OK) {
        return false;
    }
    size_t n = trust_root_spkis(first, &keys);
    return trust_pin_set(t->tx, t->repo.id, (const uint8_t(*)[32])keys, n, t->im->rq->actor,
                         t->im->rq->now_us, err);
}

/* Nobody is asked: what was in force on the other server begins the namespace's set here. */
static bool accept_signers(struct taking *t, struct err *err)
{
    struct sig_count own = {0};
    struct root_rules rules = {.gun = t->after.set.gun, .now_us = t->im->rq->now_us};
    struct roots_change change = {.namespace_id = t->repo.namespace_id,
                                  .actor = t->im->rq->actor,
                                  .now_us = t->im->rq->now_us};
    repo_name_namespace(&t->repo.name, &change.namespace_);
    tuf_count_signatures(t->state->root, t->state->root, &t->state->root->root, &rules, &own);
    for (int i = 0; i < own.signer_count; i++) {
        change.key = own.signers[i];
        if (!trust_roots_add(t->tx, &change, err)) {
            return false;
        }
    }
    return true;
}

static bool put_pins(struct taking *t, struct err *err)
{
    auto_policy struct policy policy = {0};
    char scope[POLICY_SCOPE_SIZE];
    if (!t->fresh && t->after.roots.count == t->before.roots.count) {
        return true;
    }
    if (!policy_for(t->tx, &t->repo.name, scope, &policy, err)) {
        return false;
    }
    if (root_policy_binds(&policy, t->fresh)) {
        return check_allowed(t, &policy, err) && (!t->fresh || pin_first_root(t, err));
    }
    return !t->fresh || (accept_signers(t, err) && pin_first_root(t, err));
}

/* Known only now, when the keys are here and it is clear which documents are current. */
static bool put_renewals(struct taking *t, struct err *err)
{
    for (size_t i = 0; i < t->after.current.count; i++) {
        const struct trust_doc *row = &t->after.current.items[i];
        bool timestamp = strcmp(row->role, "timestamp") == 0;
        if (!timestamp && strcmp(row->role, "snapshot") != 0) {
            continue;
        }
        const struct tuf_doc *doc = timestamp ? t->state->timestamp : t->state->snapshot;
        int64_t renew_us = trust_commit_renewal(doc, t->state->root, &t->after, row->accepted_us);
        if (!trust_doc_set_renewal(t->tx, t->repo.id, slice_str(row->role), renew_us, err)) {
            return false;
        }
    }
    return true;
}

/* Delegations that nobody delegates any more. */
static bool end_roles(struct taking *t, struct err *err)
{
    for (size_t i = 0; i < t->after.lives.count; i++) {
        const struct trust_role_life *life = &t->after.lives.items[i];
        if (!life->ended && role_parse(slice_str(life->role)) == ROLE_DELEGATION &&
            !trust_state_role(t->state, slice_str(life->role)) &&
            !trust_role_end(t->tx, t->repo.id, slice_str(life->role), t->last_us, err)) {
            return false;
        }
    }
    return true;
}

static bool put_audit(struct taking *t, struct err *err)
{
    auto_json json_t *what = json_pack("{s:I, s:I}", "documents", (json_int_t)t->g->docs_put,
                                       "keys", (json_int_t)t->g->keys_put);
    auto_buf struct buf text = {0};
    json_write(&text, what);
    struct audit_entry entry = {.action = "trust.import",
                                .namespace_id = t->repo.namespace_id,
                                .object = repo_name_slice(&t->repo.name),
                                .outcome = AUDIT_OK,
                                .after = buf_slice_of(&text)};
    return audit_append(t->tx, t->im->rq->actor, &entry, t->im->rq->now_us, err);
}

static bool finish(struct taking *t, struct err *err)
{
    if (t->g->docs_put == 0 && t->g->keys_put == 0) {
        return true;
    }
    /* a root that came with this dump may name other keys than the one before */
    return trust_commit_key_states(t->tx, &t->after.keys, t->root, err) && put_pins(t, err) &&
           put_renewals(t, err) && end_roles(t, err) &&
           expiry_note_unknown(t->tx, t->repo.id, err) && put_audit(t, err) &&
           repository_gate_bump(t->tx, t->repo.id, err) &&
           reached_add(&t->g->reached, t->tx, &t->repo, err);
}

bool import_gun_write(struct db_tx *tx, void *arg, struct err *err)
{
    struct import_gun *g = arg;
    auto_taking struct taking t = {.tx = tx, .g = g, .im = g->im};
    g->docs_put = g->keys_put = 0;
    g->done = false;
    reached_clear(&g->reached);
    json_decref(g->warnings);
    g->warnings = json_array();
    if (!begin(&t, err) || !taking_put_docs(&t, err) || !taking_put_keys(&t, err) || !reload(&t, err) ||
        !check_timestamp_keys(&t, err) || !renew_timestamp(&t, err) || !check_state(&t, err) ||
        !finish(&t, err)) {
        return false;
    }
    g->done = true;
    return !g->im->rq->dry_run || err_set(err, ERR_CONFLICT, "a dry run keeps nothing");
}
