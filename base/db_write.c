#include "base/db_internal.h"

#include <sched.h>

/* Requests in one transaction at most: bounds how long the first of them waits. */
#define GROUP_MAX 256
/* How often a thread that is about to write lets others come before it. */
#define GATHER_MAX 4

/* Some errors of the engine (disk full, I/O) end the whole transaction under the function. */
static bool call(struct db *db, struct request *rq)
{
    struct db_tx tx = {&db->writer};
    bool ok = rq->fn(&tx, rq->arg, rq->err);
    db_stmt_return(&db->writer);
    if (!ok && rq->err->code == ERR_NONE) {
        return err_internal(rq->err, "a write failed without a reason");
    }
    if (ok && sqlite3_get_autocommit(db->writer.handle)) {
        return err_internal(rq->err, "the transaction ended inside a write");
    }
    return ok;
}

/* Runs one request, guarded by a savepoint of its own or not. False when the whole transaction is
 * lost with it. */
static bool run_one(struct db *db, struct request *rq, bool guarded)
{
    struct connection *c = &db->writer;
    *rq->err = (struct err){0};
    if (!guarded) {
        rq->ok = call(db, rq);
        return rq->ok;
    }
    rq->ok = db_engine_step(c, STEP_SAVEPOINT, rq->err) && call(db, rq) &&
             db_engine_step(c, STEP_RELEASE, rq->err);
    if (rq->ok) {
        return true;
    }
    return !sqlite3_get_autocommit(c->handle) && db_engine_step(c, STEP_ROLLBACK_TO, NULL) &&
           db_engine_step(c, STEP_RELEASE, NULL);
}

enum outcome {
    GROUP_COMMITTED,
    GROUP_FAILED, /* it could not begin or commit: nobody's fault */
    GROUP_LOST,   /* one request took the transaction down */
};

/* One durable request makes the commit of its group durable, and with it all that came before: the
 * log is one file. Without a sync the engine still syncs where the order of its own files asks for
 * it. The setting takes effect between transactions only, and acts when it is parsed: it cannot be
 * kept prepared. */
static bool choose_sync(struct db *db, const struct request *group, struct err *why)
{
    bool durable = false;
    for (const struct request *rq = group; rq; rq = rq->next) {
        durable = durable || rq->durable;
    }
    if (durable == db->syncing) {
        return true;
    }
    if (!db_engine_exec(db->writer.handle,
                        durable ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL", why)) {
        return false;
    }
    db->syncing = durable;
    return true;
}

static enum outcome run_together(struct db *db, struct request *group, bool guarded,
                                 struct err *why)
{
    struct connection *c = &db->writer;
    if (!choose_sync(db, group, why) || !db_engine_step(c, STEP_BEGIN_WRITE, why)) {
        return GROUP_FAILED;
    }
    int64_t before = sqlite3_total_changes64(c->handle);
    for (struct request *rq = group; rq; rq = rq->next) {
        if (!run_one(db, rq, guarded)) {
            db_log_doubt(db, sqlite3_extended_errcode(c->handle));
            if (db_trouble_was_met(db)) {
                db_trouble_begins(db, rq->err);
            }
            db_engine_rollback(c->handle);
            return GROUP_LOST;
        }
    }
    bool changed = sqlite3_total_changes64(c->handle) != before;
    if ((changed && !db_log_secure(db, why)) || !db_engine_step(c, STEP_COMMIT, why)) {
        db_log_doubt(db, sqlite3_extended_errcode(c->handle));
        db_engine_rollback(c->handle);
        /* a deferred constraint: one of them broke it, alone it will be told */
        return why->code == ERR_CONFLICT && group->next ? GROUP_LOST : GROUP_FAILED;
    }
    return GROUP_COMMITTED;
}

/* After a commit that failed nothing is tried again: a second fsync that succeeds proves nothing.
 */
static void fail_all(struct request *group, const struct err *why)
{
    for (struct request *rq = group; rq; rq = rq->next) {
        if (rq->ok) {
            rq->ok = false;
            *rq->err = *why;
        }
    }
}

static enum outcome run_group(struct db *db, struct request *group, bool guarded)
{
    struct err why = {0};
    for (struct request *rq = group; rq; rq = rq->next) {
        rq->ok = true; /* until it fails */
    }
    enum outcome outcome = run_together(db, group, guarded, &why);
    if (outcome == GROUP_FAILED) {
        db_trouble_begins(db, &why);
        fail_all(group, &why);
    }
    return outcome;
}

/* Savepoints keep a copy of every page, and most groups need none: only when one of them fails the
 * group is run again, each in its own. What one request takes down even then is run request by
 * request: the others do not pay for it. */
static void run_requests(struct db *db, struct request *group)
{
    if (run_group(db, group, false) != GROUP_LOST || !group->next) {
        return;
    }
    if (run_group(db, group, true) != GROUP_LOST) {
        return;
    }
    for (struct request *rq = group; rq;) {
        struct request *next = rq->next;
        rq->next = NULL;
        (void)run_group(db, rq, false);
        rq->next = next;
        rq = next;
    }
}

/* Takes up to GROUP_MAX requests off the queue; with the lock held. */
static struct request *take_group(struct db *db)
{
    struct request *group = db->first;
    struct request *last = group;
    for (int i = 1; last && i < GROUP_MAX && last->next; i++) {
        last = last->next;
    }
    if (last) {
        db->first = last->next;
        last->next = NULL;
    }
    if (!db->first) {
        db->last = NULL;
    }
    return group;
}

static void wake(struct request *rq, bool finished)
{
    rq->finished = finished;
    (void)sem_post(&rq->woken); /* its memory is its waiter's again */
}

/* Threads that are about to write, but wait for a core, join the group. Costs nothing when no one
 * waits for one. With the lock held. */
static void gather(struct db *db)
{
    const struct request *seen = NULL;
    for (int i = 0; i < GATHER_MAX && db->last != seen; i++) {
        seen = db->last;
        pthread_mutex_unlock(&db->lock);
        (void)sched_yield();
        pthread_mutex_lock(&db->lock);
    }
}

/* One group, which begins with this thread's own request; then it is the turn of the first that
 * came meanwhile. So nobody writes for others longer than for one group, and who is alone is not
 * handed from thread to thread. */
static void write_group(struct db *db, struct request *own)
{
    pthread_mutex_lock(&db->lock);
    gather(db);
    struct request *group = take_group(db);
    pthread_mutex_unlock(&db->lock);

    atomic_store(&db->writing_thread, (unsigned long)pthread_self());
    run_requests(db, group);
    atomic_store(&db->writing_thread, 0);

    pthread_mutex_lock(&db->lock);
    struct request *heir = db->first;
    db->writing = heir != NULL;
    pthread_mutex_unlock(&db->lock);
    if (heir) {
        wake(heir, false);
    }
    while (group) {
        struct request *next = group->next;
        if (group != own) {
            wake(group, true);
        }
        group = next;
    }
}

/* True when it is this thread's turn at once. */
static bool enqueue(struct db *db, struct request *rq)
{
    pthread_mutex_lock(&db->lock);
    bool first = !db->writing;
    db->writing = true;
    if (db->last) {
        db->last->next = rq;
    } else {
        db->first = rq;
    }
    db->last = rq;
    pthread_mutex_unlock(&db->lock);
    return first;
}

bool db_is_writing(struct db *db)
{
    return atomic_load(&db->writing_thread) == (unsigned long)pthread_self();
}

static bool write_kind(struct db *db, bool durable, db_write_fn fn, void *arg, struct err *err)
{
    if (db_is_writing(db)) {
        BUG("db_write inside a write");
    }
    struct err own = {0};
    struct request rq = {.fn = fn, .arg = arg, .err = err ? err : &own, .durable = durable};
    (void)sem_init(&rq.woken, 0, 0);
    if (!enqueue(db, &rq)) {
        while (sem_wait(&rq.woken) != 0) {
            /* a signal came */
        }
    }
    if (!rq.finished) {
        write_group(db, &rq);
    }
    (void)sem_destroy(&rq.woken);
    return rq.ok;
}

bool db_write(struct db *db, db_write_fn fn, void *arg, struct err *err)
{
    return write_kind(db, true, fn, arg, err);
}

bool db_write_relaxed(struct db *db, db_write_fn fn, void *arg, struct err *err)
{
    return write_kind(db, false, fn, arg, err);
}
