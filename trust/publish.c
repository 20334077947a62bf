#include "trust/publish.h"

#include "base/clock.h"
#include "base/log.h"
#include "trust/checkpoint.h"
#include "trust/commit.h"
#include "trust/gate.h"
#include "trust/make.h"
#include "trust/override.h"
#include "trust/policy.h"
#include "trust/publish_pushed.h"
#include "trust/root_policy.h"
#include "trust/trust_internal.h"
#include "trust/view_next.h"

#define ATTEMPTS 4
#define LIVES_CHECKED 64

/* One try: everything that was read, decided and made. */
struct attempt {
    struct trust *trust;
    const struct publish_request *rq;
    struct repository repo;
    bool repo_known;
    struct trust_loaded loaded;
    struct spki *accepted;
    size_t accepted_count;
    struct authorities *authorities;
    bool restricted, by_policy;
    bool adds_key;                          /* the first root's signers enter the namespace's set */
    const char *resets[PUBLISH_RESETS_MAX]; /* borrowed from loaded */
    size_t reset_count;
    struct publish_past *past;
    size_t past_count;
    char timestamp_key_id[KEY_ID_MAX];
    struct publish_verdict *verdict;
    struct tuf_doc *made_snapshot, *timestamp;
    const struct tuf_doc *snapshot;
    const struct tuf_doc **docs; /* to store */
    size_t doc_count;
    struct trust_state *state;           /* with the documents in place */
    struct trust_role_life_list reached; /* after the commit */
};

static void attempt_dispose(struct attempt *a)
{
    trust_loaded_dispose(&a->loaded);
    free(a->accepted);
    authorities_free(a->authorities);
    free(a->past);
    free(a->docs);
    trust_state_free(a->state);
    trust_role_life_list_dispose(&a->reached);
    tuf_doc_free(a->made_snapshot);
    tuf_doc_free(a->timestamp);
    publish_verdict_free(a->verdict);
}
#define auto_attempt __attribute__((cleanup(attempt_dispose)))

/* --- facts ------------------------------------------------------------------------------------ */

static bool holds(void *arg, enum role_kind role, const char *key_id, const struct spki *spki)
{
    return trust_loaded_key(arg, role, key_id, spki) != NULL;
}

static bool load_allowed_roots(struct attempt *a, struct db_tx *tx, bool first, struct err *err)
{
    auto_policy struct policy policy = {0};
    char scope[POLICY_SCOPE_SIZE];
    if (!policy_for(tx, &a->repo.name, scope, &policy, err)) {
        return false;
    }
    if (root_policy_binds(&policy, first)) {
        a->restricted = a->by_policy = true;
        a->accepted = root_policy_keys(&policy, &a->accepted_count);
        a->authorities = root_policy_authorities(&policy);
    }
    return true;
}

static bool brings_root(const struct attempt *a)
{
    for (size_t i = 0; i < a->rq->part_count; i++) {
        if (slice_is(a->rq->parts[i].role, "root")) {
            return true;
        }
    }
    return false;
}

/* gate.md 11.1: the policy's lists, else the namespace's set; an empty set is begun by the first root,
 * an owner's key enters. A rotation is judged by the chain of roots, and by the CAs that a policy names. */
static bool load_accepted_roots(struct attempt *a, struct db_tx *tx, struct err *err)
{
    auto_pin_list struct pin_list set = {0};
    bool first = a->loaded.roots.count == 0;
    if (!first && !brings_root(a)) {
        return true;
    }
    if (!load_allowed_roots(a, tx, first, err)) {
        return false;
    }
    if (a->by_policy || !first) {
        return true;
    }
    if (!namespace_root_list(tx, a->repo.namespace_id, &set, err)) {
        return false;
    }
    if (set.count == 0 || a->rq->is_owner) {
        a->adds_key = true;
        return true;
    }
    a->restricted = true;
    a->accepted = xcalloc(set.count, sizeof *a->accepted);
    for (size_t i = 0; i < set.count; i++) {
        memcpy(a->accepted[a->accepted_count++].sha256, set.items[i].spki, 32);
    }
    return true;
}

static bool add_past(struct attempt *a, struct db_tx *tx, const struct trust_role_life *life,
                     const struct tuf_doc *doc, struct err *err)
{
    int64_t last = life->ended ? life->incarnation : life->incarnation - 1;
    int64_t first = last > LIVES_CHECKED ? last - LIVES_CHECKED + 1 : 1;
    for (int64_t i = first; i <= last; i++) {
        auto_trust_doc struct trust_doc old = {0};
        struct err why = {0};
        if (!trust_doc_by_life(tx, a->repo.id, slice_str(life->role), i, doc->version, &old,
                               &why)) {
            if (why.code == ERR_TRUST_NOT_FOUND) {
                continue;
            }
            *err = why;
            return false;
        }
        a->past = xrealloc(a->past, (a->past_count + 1) * sizeof *a->past);
        a->past[a->past_count].role = life->role;
        memcpy(a->past[a->past_count++].signed_sha256, old.signed_sha256, 32);
    }
    return true;
}

/* Documents of earlier lives of the uploaded delegations, at the uploaded versions. */
static bool load_past(struct attempt *a, struct db_tx *tx, struct err *err)
{
    bool ok = true;
    for (size_t p = 0; ok && p < a->rq->part_count; p++) {
        const struct upload_part *part = &a->rq->parts[p];
        for (size_t i = 0; ok && i < a->loaded.lives.count; i++) {
            const struct trust_role_life *life = &a->loaded.lives.items[i];
            struct tuf_doc *doc = NULL;
            bool earlier = life->ended || life->incarnation > 1;
            if (!earlier || !slice_is(part->role, life->role) ||
                role_parse(part->role) != ROLE_DELEGATION) {
                continue;
            }
            if (tuf_doc_read(part->role, part->bytes, &doc, NULL) == DOC_OK) {
                ok = add_past(a, tx, life, doc, err);
            }
            tuf_doc_free(doc);
        }
    }
    return ok;
}

/* Storage gives the permission to no other roles. */
static void find_resets(struct attempt *a)
{
    for (size_t i = 0; i < a->loaded.lives.count && a->reset_count < PUBLISH_RESETS_MAX; i++) {
        if (a->loaded.lives.items[i].may_reset) {
            a->resets[a->reset_count++] = a->loaded.lives.items[i].role;
        }
    }
}

static void name_timestamp_key(struct attempt *a)
{
    for (size_t i = 0; i < a->loaded.keys.count; i++) {
        const struct trust_key *key = &a->loaded.keys.items[i];
        if (strcmp(key->role, "timestamp") == 0 &&
            (key->state == TRUST_KEY_PENDING || !a->timestamp_key_id[0])) {
            memcpy(a->timestamp_key_id, key->key_id, sizeof a->timestamp_key_id);
        }
    }
}

static bool load_attempt(struct attempt *a, struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    struct err why = {0};
    if (!db_snapshot(a->trust->db, &tx, err)) {
        return false;
    }
    if (!repository_get(tx, &a->rq->repo, &a->repo, &why)) {
        a->repo.name = a->rq->repo;
        trust_gun_write(a->trust, &a->rq->repo, &a->loaded.gun);
        a->loaded.set.gun = buf_slice_of(&a->loaded.gun);
        if (why.code != ERR_NAME_UNKNOWN) {
            *err = why;
        }
        return why.code == ERR_NAME_UNKNOWN; /* nobody asked for a key yet: the rule will say so */
    }
    a->repo_known = true;
    if (!trust_load(a->trust, tx, &a->repo, &a->loaded, err)) {
        return false;
    }
    name_timestamp_key(a);
    find_resets(a);
    return load_accepted_roots(a, tx, err) && load_past(a, tx, err);
}

static void decide(struct attempt *a)
{
    bool first = a->loaded.roots.count == 0;
    struct publish_facts facts = {.stored = &a->loaded.set,
                                  .parts = a->rq->parts,
                                  .part_count = a->rq->part_count,
                                  .holds = holds,
                                  .holds_arg = &a->loaded,
                                  .timestamp_key_id =
                                      a->timestamp_key_id[0] ? a->timestamp_key_id : NULL,
                                  .accepted_roots = a->accepted,
                                  .accepted_root_count = a->accepted_count,
                                  .authorities = a->authorities,
                                  .roots_restricted = a->restricted,
                                  .roots_by_policy = a->by_policy,
                                  .keep_pin = first ? a->loaded.pin : NULL,
                                  .keep_pin_count = first ? a->loaded.pin_rows.count : 0,
                                  .resets = a->resets,
                                  .reset_count = a->reset_count,
                                  .past = a->past,
                                  .past_count = a->past_count,
                                  .may_administer = a->rq->may_administer,
                                  .max_lifetime_us = a->trust->max_lifetime_us,
                                  .now_us = a->rq->now_us};
    publish_check(&facts, &a->verdict);
}

/* --- making ----------------------------------------------------------------------------------- */

static int64_t seen_version(const struct trust_loaded *loaded, const char *role)
{
    for (size_t i = 0; i < loaded->set.seen_count; i++) {
        if (strcmp(loaded->seen[i].role, role) == 0) {
            return loaded->seen[i].version;
        }
    }
    return 0;
}

/* Of a document that the server makes. */
static int64_t next_version(const struct attempt *a, const char *role)
{
    return publish_begins_anew(a->verdict, role) ? 1 : seen_version(&a->loaded, role) + 1;
}

static bool make_documents(struct attempt *a, struct err *err)
{
    const struct publish_verdict *v = a->verdict;
    a->snapshot = v->snapshot;
    if (v->make_snapshot) {
        auto_free const struct tuf_doc **listed = xcalloc(v->tree_count + 1, sizeof *listed);
        listed[0] = v->root;
        memcpy(listed + 1, v->tree, v->tree_count * sizeof *listed);
        if (!make_snapshot(a->trust, &a->loaded, v->root, listed, v->tree_count + 1,
                           next_version(a, "snapshot"), a->rq->now_us, &a->made_snapshot, err)) {
            return false;
        }
        a->snapshot = a->made_snapshot;
    }
    if (!make_timestamp(a->trust, &a->loaded, v->root, a->snapshot, next_version(a, "timestamp"),
                        a->rq->now_us, &a->timestamp, err)) {
        return false;
    }
    a->docs = xcalloc(v->doc_count + 3, sizeof *a->docs);
    for (size_t i = 0; i < v->doc_count; i++) {
        a->docs[a->doc_count++] = v->docs[i];
    }
    if (a->made_snapshot) {
        a->docs[a->doc_count++] = a->made_snapshot;
    }
    a->docs[a->doc_count++] = a->timestamp;
    return true;
}

static struct trust_file file_of(const struct tuf_doc *doc)
{
    return (struct trust_file){.role = doc->role, .bytes = doc->bytes, .parsed = doc};
}

/* The complete resulting state must load (attacks 5.8): what was checked step by step is verified
 * once more as a whole, by the same code that the gate will use. */
static bool verify_result(struct attempt *a, struct err *err)
{
    const struct publish_verdict *v = a->verdict;
    const struct trust_set *stored = &a->loaded.set;
    auto_free struct trust_file *roots = xcalloc(stored->root_count + 1, sizeof *roots);
    auto_free struct trust_file *files = xcalloc(v->tree_count + 2, sizeof *files);
    auto_free struct trust_seen *seen = xcalloc(stored->seen_count + 1, sizeof *seen);
    struct trust_set set = *stored;
    struct trust_options options = {.now_us = a->rq->now_us, .unpinned = v->first_root};
    size_t file_count = 0;
    bool new_root = v->doc_count > 0 && v->docs[0]->kind == ROLE_ROOT;
    for (size_t i = 0; i < stored->root_count; i++) {
        roots[i] = stored->roots[i];
    }
    if (new_root) {
        roots[set.root_count++] = file_of(v->docs[0]);
    }
    for (size_t i = 0; i < v->tree_count; i++) {
        files[file_count++] = file_of(v->tree[i]);
    }
    files[file_count++] = file_of(a->snapshot);
    files[file_count++] = file_of(a->timestamp);
    set.seen = seen;
    set.seen_count = 0;
    for (size_t i = 0; i < stored->seen_count; i++) {
        if (!publish_begins_anew(v, stored->seen[i].role)) {
            seen[set.seen_count++] = stored->seen[i];
        }
    }
    set.roots = roots;
    set.files = files;
    set.file_count = file_count;
    chains_build(a->trust->chains, a->repo.id, &set, &options, &a->state);
    if (a->state->status == TRUST_OK || a->state->status == TRUST_EXPIRED_TARGETS ||
        a->state->status == TRUST_EXPIRED_ROOT) {
        return true; /* an expired ancestor that was not uploaded is tolerated (notary-api 9.3) */
    }
    return err_set(err, ERR_TRUST_INVALID_UPDATE, "the resulting trust data would not verify: %s",
                   a->state->why);
}

struct whole {
    struct trust_commit *commit;
    const struct publish_request *rq;
};

static bool write_whole(struct db_tx *tx, void *arg, struct err *err)
{
    const struct whole *w = arg;
    return actor_may_still(tx, w->rq->actor, err) && trust_commit_write(tx, w->commit, err) &&
           (!w->rq->with || w->rq->with(tx, w->commit->repo, w->rq->with_arg, err));
}

static bool commit(struct attempt *a, struct err *err)
{
    const struct publish_verdict *v = a->verdict;
    struct spki *pin = NULL;
    struct sig_count own = {0};
    struct root_rules rules = {
        .gun = a->loaded.set.gun, .now_us = a->rq->now_us, .check_dates = true};
    struct trust_commit c = {.repo = &a->repo,
                             .loaded = &a->loaded,
                             .docs = a->docs,
                             .doc_count = a->doc_count,
                             .state = a->state,
                             .ended_roles = v->ended_roles,
                             .ended_count = v->ended_count,
                             .root = v->root,
                             .timestamp = a->timestamp,
                             .actor = a->rq->actor,
                             .audit_action = "trust.publish",
                             .space_max = a->trust->namespace_bytes,
                             .now_us = a->rq->now_us,
                             .reached = &a->reached};
    if (v->first_root) {
        c.pin_count = trust_root_spkis(v->root, &pin);
        c.pin = pin;
    }
    if (v->first_root && a->adds_key) {
        tuf_count_signatures(v->root, v->root, &v->root->root, &rules, &own);
        c.accept = own.signers;
        c.accept_count = (size_t)own.signer_count;
    }
    struct whole whole = {.commit = &c, .rq = a->rq};
    struct view_next *next = view_next_expect(a->trust, &a->repo);
    bool ok = checkpoint_ready(a->trust->checkpoint, err) &&
              db_write(a->trust->db, write_whole, &whole, err);
    if (ok) {
        checkpoint_note(a->trust->checkpoint, &a->repo.name, &a->reached);
        view_next_build(next, a->docs, a->doc_count, a->rq->now_us);
    }
    view_next_free(next);
    free(pin);
    return ok && checkpoint_flush(a->trust->checkpoint, err);
}

/* The next publish of the repository reads what this one stored. */
static void keep_documents(const struct attempt *a)
{
    struct documents *documents = a->trust->documents;
    for (size_t i = 0; i < a->loaded.current.count; i++) {
        const struct trust_doc *row = &a->loaded.current.items[i];
        bool replaced = false;
        for (size_t j = 0; j < a->doc_count; j++) {
            replaced = replaced || strcmp(a->docs[j]->role, row->role) == 0;
        }
        if (replaced) {
            documents_forget(documents, slice_str(row->role), row->sha256);
        }
    }
    for (size_t i = 0; i < a->doc_count; i++) {
        documents_keep(documents, a->docs[i]);
    }
}

/* What is released now needs no override any more. Maintenance does what fails here. */
static void end_overrides(const struct attempt *a)
{
    struct err err = {0};
    if (!override_settle(a->trust, a->repo.id, a->rq->now_us, &err)) {
        log_err(LOG_WARN, "override_settle", &err);
    }
}

/* What was published is published: a look that fails costs a warning. */
static void tell_unpushed(const struct attempt *a)
{
    auto_snapshot struct db_tx *tx = NULL;
    struct err err = {0};
    if (db_snapshot(a->trust->db, &tx, &err)) {
        publish_warn_unpushed(tx, a->repo.id, a->verdict);
    }
}

/* An upload without documents needs no new versions while the present ones are good (notary-api 23
 * row 16). */
static bool nothing_to_do(const struct attempt *a)
{
    return !a->rq->with && a->verdict->doc_count == 0 && a->loaded.current.count > 0 &&
           !trust_loaded_due(&a->loaded, ROLE_TIMESTAMP, a->rq->now_us) &&
           !(a->verdict->make_snapshot &&
             trust_loaded_due(&a->loaded, ROLE_SNAPSHOT, a->rq->now_us));
}

static void refuse_verdict(struct publish_verdict *v, const struct err *why)
{
    v->code = why->code;
    (void)snprintf(v->errname, sizeof v->errname, "ErrValidation");
    (void)snprintf(v->msg, sizeof v->msg, "%s", why->msg);
}

/* A store that may be a restored one takes nothing: what is signed on it might be older than what was
 * accepted (gate.md 4.2). */
static bool is_suspect(struct attempt *a)
{
    char why[SUSPICION_MAX];
    if (!a->repo_known ||
        checkpoint_allows(a->trust->checkpoint, &a->repo.name, &a->loaded.lives,
                          &a->loaded.revoked_rows, a->rq->now_us, why) == CHECKPOINT_GOOD) {
        return false;
    }
    a->verdict = xcalloc(1, sizeof *a->verdict);
    a->verdict->code = ERR_TRUST_INVALID_UPDATE;
    (void)snprintf(a->verdict->errname, sizeof a->verdict->errname, "ErrValidation");
    (void)snprintf(a->verdict->reason, sizeof a->verdict->reason, "%s",
                   gate_reason_info(REASON_ROLLBACK_SUSPECTED)->name);
    (void)snprintf(a->verdict->msg, sizeof a->verdict->msg, "%s", why);
    return true;
}

enum attempt_result {
    ATTEMPT_FAILED = 0,
    ATTEMPT_REFUSED,
    ATTEMPT_READY, /* everything is made and verified, nothing stored */
    ATTEMPT_STORED,
    ATTEMPT_AGAIN
};

static enum attempt_result refused(struct attempt *a, const struct err *why,
                                   struct publish_verdict **out, struct err *err)
{
    *err = *why;
    refuse_verdict(a->verdict, why);
    *out = take(a->verdict);
    return ATTEMPT_REFUSED;
}

/* All but storing. ATTEMPT_STORED: there is nothing to store. */
static enum attempt_result attempt_prepare(struct attempt *a, struct publish_verdict **out,
                                           struct err *err)
{
    struct err why = {0};
    if (!load_attempt(a, err)) {
        return ATTEMPT_FAILED;
    }
    if (!is_suspect(a)) {
        decide(a);
    }
    if (a->verdict->code != ERR_NONE) {
        err_set(err, a->verdict->code, "%s", a->verdict->msg);
        *out = take(a->verdict);
        return ATTEMPT_REFUSED;
    }
    if (nothing_to_do(a)) {
        *out = take(a->verdict);
        return ATTEMPT_STORED;
    }
    if (!make_documents(a, err)) {
        return ATTEMPT_FAILED;
    }
    return verify_result(a, &why) ? ATTEMPT_READY : refused(a, &why, out, err);
}

static enum attempt_result attempt_run(struct attempt *a, struct publish_verdict **out,
                                       struct err *err)
{
    struct err why = {0};
    enum attempt_result prepared = attempt_prepare(a, out, err);
    if (prepared != ATTEMPT_READY) {
        return prepared;
    }
    if (!commit(a, &why)) {
        if (why.code == ERR_CONFLICT) {
            *err = why;
            return ATTEMPT_AGAIN;
        }
        if (why.code == ERR_TRUST_VERSION || why.code == ERR_TRUST_INVALID_UPDATE) {
            return refused(a, &why, out, err);
        }
        *err = why;
        return ATTEMPT_FAILED;
    }
    keep_documents(a);
    end_overrides(a);
    tell_unpushed(a);
    *out = take(a->verdict);
    return ATTEMPT_STORED;
}

/* The row's id, 0 when there is none yet (then nothing can be stored either). */
static bool repository_id(struct trust *trust, const struct repo_name *name, int64_t *id_out,
                          struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    struct repository repo;
    struct err why = {0};
    *id_out = 0;
    if (!db_snapshot(trust->db, &tx, err)) {
        return false;
    }
    if (repository_get(tx, name, &repo, &why)) {
        *id_out = repo.id;
        return true;
    }
    if (why.code != ERR_NAME_UNKNOWN) {
        *err = why;
        return false;
    }
    return true;
}

bool publish_run(struct trust *trust, const struct publish_request *request,
                 struct publish_verdict **out, struct err *err)
{
    int64_t id = 0;
    *out = NULL;
    if (!repository_id(trust, &request->repo, &id, err)) {
        return false;
    }
    auto_unlock pthread_mutex_t *lock = trust_publish_lock(trust, id);
    for (int i = 0; i < ATTEMPTS; i++) {
        auto_attempt struct attempt a = {.trust = trust, .rq = request};
        enum attempt_result result = attempt_run(&a, out, err);
        if (result != ATTEMPT_AGAIN) {
            return result == ATTEMPT_STORED;
        }
    }
    (void)lock;
    return err_set(err, ERR_BUSY, "the trust data changes too fast, try again");
}

bool publish_try(struct trust *trust, const struct publish_request *request,
                 struct publish_verdict **out, struct trust_state **state_out, struct err *err)
{
    auto_attempt struct attempt a = {.trust = trust, .rq = request};
    *out = NULL;
    *state_out = NULL;
    switch (attempt_prepare(&a, out, err)) {
    case ATTEMPT_READY:
        *out = take(a.verdict);
        *state_out = take(a.state);
        return true;
    case ATTEMPT_STORED: /* the present documents are good, and stay */
        return true;
    case ATTEMPT_REFUSED:
    case ATTEMPT_FAILED:
    case ATTEMPT_AGAIN:
        break;
    }
    return false;
}
