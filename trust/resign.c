#include "trust/resign.h"

#include "base/log.h"
#include "trust/checkpoint.h"
#include "trust/commit.h"
#include "trust/make.h"
#include "trust/trust_internal.h"

struct renewal {
    struct trust *trust;
    int64_t repository_id;
    bool early;
    int64_t now_us;
    enum resign_result result;
    struct trust_loaded loaded;
    struct trust_state *state;
    struct tuf_doc *snapshot, *timestamp; /* made */
    struct repository repo;
    struct trust_role_life_list reached; /* afterwards */
};

static void renewal_reset(struct renewal *r)
{
    trust_loaded_dispose(&r->loaded);
    trust_state_free(r->state);
    tuf_doc_free(r->snapshot);
    tuf_doc_free(r->timestamp);
    trust_role_life_list_dispose(&r->reached);
    r->state = NULL;
    r->snapshot = r->timestamp = NULL;
    r->result = RESIGN_FAILED;
}

static bool is_due(const struct renewal *r, const struct tuf_doc *doc)
{
    return r->now_us >= doc->expires_us ||
           (r->early && trust_loaded_due(&r->loaded, doc->kind, r->now_us));
}

static bool write_renewed(struct db_tx *tx, struct renewal *r, struct err *err)
{
    const struct tuf_doc *docs[2];
    struct actor server = {.name = "server"};
    size_t n = 0;
    if (r->snapshot) {
        docs[n++] = r->snapshot;
    }
    docs[n++] = r->timestamp;
    struct trust_commit c = {.repo = &r->repo,
                             .loaded = &r->loaded,
                             .docs = docs,
                             .doc_count = n,
                             .state = r->state,
                             .root = r->state->root,
                             .timestamp = r->timestamp,
                             .actor = &server,
                             .now_us = r->now_us,
                             .reached = &r->reached};
    r->result = RESIGN_DONE;
    return trust_commit_write(tx, &c, err);
}

/* Targets that their signers let expire keep nobody from a fresh timestamp (notary-api 10 asks for a
 * root that is good); a snapshot is made again over good targets alone (gate.md 4.1). */
static bool is_renewable(const struct trust_state *s, const struct trust_options *options)
{
    return (s->status == TRUST_OK || s->status == TRUST_EXPIRED_TARGETS) &&
           options->renewable_timestamp;
}

/* Everything happens in the writer's transaction: what is renewed is what is stored now. About a
 * millisecond. */
static bool renew(struct db_tx *tx, void *arg, struct err *err)
{
    struct renewal *r = arg;
    struct trust_options options;
    char why[SUSPICION_MAX];
    renewal_reset(r);
    if (!repository_get_by_id(tx, r->repository_id, &r->repo, err) ||
        !trust_load(r->trust, tx, &r->repo, &r->loaded, err)) {
        return false;
    }
    if (checkpoint_allows(r->trust->checkpoint, &r->repo.name, &r->loaded.lives,
                          &r->loaded.revoked_rows, r->now_us, why) != CHECKPOINT_GOOD) {
        r->result = RESIGN_NOT_POSSIBLE; /* gate.md 4.1: what may be old is not made new */
        return true;
    }
    trust_loaded_options(&r->loaded, r->now_us, &options);
    chains_build(r->trust->chains, r->repo.id, &r->loaded.set, &options, &r->state);
    const struct trust_state *s = r->state;
    if (!is_renewable(s, &options)) {
        r->result = RESIGN_NOT_POSSIBLE;
        return true;
    }
    bool snapshot_due =
        s->status == TRUST_OK && options.renewable_snapshot && is_due(r, s->snapshot);
    if (!snapshot_due && !is_due(r, s->timestamp)) {
        r->result = RESIGN_NOT_DUE;
        return true;
    }
    if (snapshot_due && !make_snapshot_again(r->trust, &r->loaded, s->root, s->snapshot, r->now_us,
                                             &r->snapshot, err)) {
        return false;
    }
    return make_timestamp(r->trust, &r->loaded, s->root, r->snapshot ? r->snapshot : s->snapshot,
                          s->timestamp->version + 1, r->now_us, &r->timestamp, err) &&
           write_renewed(tx, r, err);
}

/* Notes what it did in the checkpoint; the caller flushes. */
static enum resign_result renew_one(struct trust *trust, int64_t repository_id, bool early,
                                    int64_t now_us, struct err *err)
{
    struct renewal r = {
        .trust = trust, .repository_id = repository_id, .early = early, .now_us = now_us};
    auto_unlock pthread_mutex_t *lock = trust_publish_lock(trust, repository_id);
    bool ok = checkpoint_ready(trust->checkpoint, err) && db_write(trust->db, renew, &r, err);
    enum resign_result result = ok ? r.result : RESIGN_FAILED;
    if (result == RESIGN_DONE) {
        checkpoint_note(trust->checkpoint, &r.repo.name, &r.reached);
    }
    renewal_reset(&r);
    (void)lock;
    return result;
}

enum resign_result trust_resign(struct trust *trust, int64_t repository_id, bool early,
                                int64_t now_us, struct err *err)
{
    enum resign_result result = renew_one(trust, repository_id, early, now_us, err);
    if (result == RESIGN_DONE && !checkpoint_flush(trust->checkpoint, err)) {
        return RESIGN_FAILED;
    }
    return result;
}

static bool due_candidates(struct trust *trust, int64_t now_us, int max, struct trust_due_list *out,
                           struct err *err)
{
    const struct trust_due *after = trust->renewed_to.repository_id ? &trust->renewed_to : NULL;
    auto_snapshot struct db_tx *tx = NULL;
    return db_snapshot(trust->db, &tx, err) &&
           trust_doc_renewals(tx, now_us, after, max, out, err);
}

int trust_renew_due(struct trust *trust, int64_t now_us, int max, bool *more_out)
{
    struct trust_due_list due = {0};
    struct err err = {0};
    int renewed = 0;
    if (!due_candidates(trust, now_us, max, &due, &err)) {
        log_err(LOG_ERROR, "trust_renewal", &err);
    }
    for (size_t i = 0; i < due.count; i++) {
        struct err why = {0};
        switch (renew_one(trust, due.items[i].repository_id, true, now_us, &why)) {
        case RESIGN_DONE:
            renewed++;
            break;
        case RESIGN_FAILED:
            log_err(LOG_ERROR, "trust_renewal", &why);
            break;
        case RESIGN_NOT_DUE:
        case RESIGN_NOT_POSSIBLE:
            break;
        }
    }
    if (renewed > 0 && !checkpoint_flush(trust->checkpoint, &err)) { /* one sync for all of them */
        log_err(LOG_ERROR, "trust_renewal", &err);
    }
    bool full = due.count == (size_t)max;
    trust->renewed_to = full ? due.items[due.count - 1] : (struct trust_due){0};
    *more_out = full && renewed > 0;
    trust_due_list_dispose(&due);
    return renewed;
}
