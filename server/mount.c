#include "server/mount.h"

#include "auth/access.h"
#include "base/clock.h"
#include "server/app.h"
#include "server/record.h"
#include "server/registry.h"
#include "storage/blob.h"
#include "storage/upload.h"

#define SOURCES_ASKED_MAX 8 /* of a mount without `from`: the gate is asked about each */

struct mount {
    struct request *rq;
    struct digest digest;
    struct repository source;
    int64_t began_us; /* monotonic */
    bool may_push;    /* out, of the write: the caller still may */
};

/* --- where the blob may come from --------------------------------------------------------------------------------- */

/* By what the account may do: a client that mounts has asked for a token of the target, and need not know the source at
 * all. */
static bool may_pull(struct db_tx *tx, const struct mount *m, const struct repo_name *source)
{
    return registry_account_may_pull(m->rq->identity, tx, source);
}

/* What the caller would get at the source is what he may take along. */
static bool is_served(struct db_tx *tx, const struct mount *m)
{
    struct gate_caller caller;
    struct decision d = {0};
    struct err why = {0};
    const struct record record = {m->rq, tx, "blob", &caller, &m->source, m->began_us, NULL};
    if (!registry_gate_caller_of(m->rq->identity, tx, &m->source.name, &caller, &why)) {
        return false;
    }
    gate_decide_blob(m->rq->app->trust, tx, &caller, &m->source, &m->source.name, &m->digest,
                     m->rq->now_us, &d);
    if (d.effect != EFFECT_ALLOW || d.override_counts) {
        return false;
    }
    return record_decision(&record, &d) && d.effect == EFFECT_ALLOW;
}

static bool find_named(struct db_tx *tx, struct mount *m, const struct repo_name *from)
{
    struct err why = {0};
    return may_pull(tx, m, from) && repository_get(tx, from, &m->source, &why) && is_served(tx, m);
}

static bool find_any(struct db_tx *tx, struct mount *m)
{
    struct reader reader;
    struct err why = {0};
    int64_t id = INT64_MAX;
    registry_reader(m->rq, &reader);
    for (int i = 0; i < SOURCES_ASKED_MAX; i++) {
        if (!blob_find_source(tx, &m->digest, &reader, id, &id, &why)) {
            return false;
        }
        if (repository_get_by_id(tx, id, &m->source, &why) && may_pull(tx, m, &m->source.name) &&
            is_served(tx, m)) {
            return true;
        }
    }
    return false;
}

/* In a snapshot before the write: the gate may have to verify, and to renew a timestamp. */
static bool find_source(struct mount *m)
{
    auto_snapshot struct db_tx *tx = NULL;
    auto_buf struct buf text = {0};
    struct repo_name from;
    struct err why = {0};
    bool named = request_query(m->rq, "from", 0, &text) && text.n > 0;
    if (named && !repo_name_parse(buf_slice_of(&text), &from, &why)) {
        return false;
    }
    return db_snapshot(m->rq->app->db, &tx, &why) &&
           (named ? find_named(tx, m, &from) : find_any(tx, m));
}

/* --- the mount ---------------------------------------------------------------------------------------------------- */

/* The source is still there, the right to pull from it, and everything that the gate decided by. */
static bool mount_transaction(struct db_tx *tx, void *arg, struct err *err)
{
    struct mount *m = arg;
    const struct store_limits *limits = store_get_limits(m->rq->app->store);
    struct repository source, target;
    struct blob blob;
    m->may_push = request_may_still(m->rq, tx, err);
    if (!m->may_push || !repository_get(tx, &m->source.name, &source, err)) {
        return false;
    }
    if (source.id != m->source.id || source.gate_generation != m->source.gate_generation ||
        !may_pull(tx, m, &source.name)) {
        return err_set(err, ERR_BLOB_UNKNOWN, "");
    }
    return repository_ensure(tx, &m->rq->repo, m->rq->now_us, &target, NULL, err) &&
           blob_mount(tx, target.id, source.id, &m->digest, limits->condemned_us, m->rq->now_us,
                      &blob, err);
}

static bool read_digest(const struct request *rq, struct digest *out)
{
    auto_buf struct buf text = {0};
    struct err why = {0};
    return request_query(rq, "mount", 0, &text) && digest_parse(buf_slice_of(&text), out, &why);
}

bool mount_try(struct request *rq, struct digest *out, struct err *err)
{
    struct mount m = {.rq = rq, .began_us = clock_mono_us(), .may_push = true};
    struct err why = {0};
    if (!read_digest(rq, &m.digest) || !find_source(&m)) {
        return false;
    }
    *out = m.digest;
    if (upload_make_room(rq->app->store, &rq->repo, mount_transaction, &m, &why)) {
        return true;
    }
    if (why.code == ERR_QUOTA || !m.may_push) { /* the caller may read the blob where it is: this tells nothing */
        *err = why;
    }
    return false;
}
