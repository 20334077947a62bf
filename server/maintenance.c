#include "server/maintenance.h"

#include "base/clock.h"
#include "base/db.h"
#include "base/log.h"
#include "server/metrics.h"
#include "storage/blob_journal.h"
#include "storage/decision.h"
#include "storage/gc.h"
#include "storage/pull.h"
#include "storage/removal.h"
#include "storage/repository_idle.h"
#include "storage/retention.h"
#include "storage/session.h"
#include "storage/upload.h"
#include "trust/collect.h"
#include "trust/expiry.h"
#include "trust/override.h"
#include "trust/policy.h"
#include "trust/remove.h"
#include "trust/resign.h"
#include "trust/trust.h"

#include <pthread.h>
#include <time.h>

#define STEP_MAX 100 /* rows of one step, so that a write never holds the writer long */
/* Small blobs wait about so long for their files, and get them many at a time. */
#define SETTLE_PAUSE_S 1
#define SETTLE_RETRY_S 10                 /* when it failed */
#define SESSION_KEEP_US (30 * US_PER_DAY) /* dead sessions are shown for so long */

#define PULLS_MAX 1000 /* of one transaction: a few statements each */
#define DECISIONS_MAX 1000 /* cut off in one transaction */

struct maintenance {
    struct app *app;
    struct retention *retention;
    pthread_t thread;
    pthread_t settler; /* a thread of its own: a full journal makes pushes slow */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stopping; /* under lock */
    bool wanted;   /* under lock: a round is wanted before its time */
};

/* True: call again at once, there is more. */
typedef bool (*step_fn)(struct maintenance *m, int64_t now_us, bool *more_out, struct err *err);

/* So that an index that can be written again says so, though nobody writes. */
static bool try_index(struct maintenance *m, int64_t now_us, bool *more, struct err *err)
{
    (void)now_us;
    *more = false;
    return db_trouble(m->app->db) == NULL || db_try(m->app->db, err);
}

static bool renew_trust(struct maintenance *m, int64_t now_us, bool *more, struct err *err)
{
    struct app *app = m->app;
    (void)err;
    metrics_add(app->metrics, METRIC_TRUST_RENEWED,
                trust_renew_due(app->trust, now_us, STEP_MAX, more));
    return true;
}

#define LOOK_MAX 10 /* repositories whose documents are parsed in one write */

static bool count_expiring(struct maintenance *m, int64_t now_us, struct err *err)
{
    struct app *app = m->app;
    auto_snapshot struct db_tx *tx = NULL;
    int64_t within = 0, count = 0;
    if (!db_snapshot(app->db, &tx, err) || !expiry_within(tx, NULL, NULL, &within, err)) {
        return false;
    }
    for (int kind = 1; kind <= EXPIRY_KINDS; kind++) {
        if (!expiry_count(tx, (enum expiry_kind)kind, expiry_before(now_us, within), &count, err)) {
            return false;
        }
        metrics_expiring(app->metrics, (size_t)kind, expiry_kind_name((enum expiry_kind)kind), count);
    }
    return true;
}

static bool look_at_expiry(struct maintenance *m, int64_t now_us, bool *more, struct err *err)
{
    return expiry_look(m->app->trust, LOOK_MAX, more, err) &&
           (*more || count_expiring(m, now_us, err));
}

static bool collect_superseded(struct maintenance *m, int64_t now_us, bool *more, struct err *err)
{
    struct app *app = m->app;
    struct trust_collected result;
    bool done = trust_collect(app->trust, now_us, app->config->trust_keep_superseded, STEP_MAX,
                              &result, err);
    metrics_add(app->metrics, METRIC_TRUST_COLLECTED, result.documents);
    *more = result.more;
    return done;
}

/* Before renewal, which a clock that was turned back stops. */
static bool note_time(struct maintenance *m, int64_t now_us, bool *more, struct err *err)
{
    *more = false;
    return trust_note_time(m->app->trust, now_us, err);
}

static bool expire_uploads(struct maintenance *m, int64_t now_us, bool *more, struct err *err)
{
    struct app *app = m->app;
    int ended = 0;
    if (!upload_expire(app->store, now_us, STEP_MAX, &ended, err)) {
        return false;
    }
    metrics_add(app->metrics, METRIC_UPLOADS_EXPIRED, ended);
    *more = ended == STEP_MAX;
    return true;
}

static bool collect(struct maintenance *m, int64_t now_us, bool *more, struct err *err)
{
    struct app *app = m->app;
    struct gc_result result = {0};
    if (!gc_run(app->store, now_us, STEP_MAX, &result, err)) {
        return false;
    }
    metrics_add(app->metrics, METRIC_BLOBS_COLLECTED, result.blobs);
    metrics_add(app->metrics, METRIC_MAINTENANCE_ERRORS, result.failures);
    *more = result.examined == STEP_MAX;
    return true;
}

/* The repositories of deleted namespaces. What is refused here does not keep the rows of others. */
static bool mark_deleted(struct maintenance *m, int64_t now_us, bool *more, struct err *err)
{
    return trust_remove_step(m->app->trust, now_us, STEP_MAX, more, err);
}

static bool remove_deleted(struct maintenance *m, int64_t now_us, bool *more, struct err *err)
{
    return removal_step(m->app->store, now_us, STEP_MAX, more, err);
}

static bool collect_repositories(struct maintenance *m, int64_t now_us, bool *more, struct err *err)
{
    struct app *app = m->app;
    int examined = 0;
    if (!repository_collect_idle(app->store, now_us, STEP_MAX, &examined, err)) {
        return false;
    }
    *more = examined == STEP_MAX;
    return true;
}

static bool purge_in(struct db_tx *tx, void *arg, struct err *err)
{
    const int64_t *now_us = arg;
    return session_purge(tx, *now_us, SESSION_KEEP_US, STEP_MAX, err);
}

static bool purge_sessions(struct maintenance *m, int64_t now_us, bool *more, struct err *err)
{
    struct app *app = m->app;
    *more = false;
    return db_write(app->db, purge_in, &now_us, err);
}

/* Before retention, which asks when something was pulled. */
static bool write_pulls(struct maintenance *m, int64_t now_us, bool *more, struct err *err)
{
    return pull_log_write(m->app->pulls, m->app->db, PULLS_MAX, now_us, more, err);
}

static bool retire_tags(struct maintenance *m, int64_t now_us, bool *more, struct err *err)
{
    struct retention_result result;
    bool done = retention_step(m->retention, now_us, &result, err);
    metrics_add(m->app->metrics, METRIC_TAGS_RETIRED, result.tags);
    metrics_add(m->app->metrics, METRIC_MANIFESTS_RETIRED, result.manifests);
    *more = result.more;
    return done;
}

struct cut {
    struct decision_keep keep;
    int64_t now_us, records; /* records: out */
    bool more;               /* out */
};

static bool cut_in(struct db_tx *tx, void *arg, struct err *err)
{
    struct cut *cut = arg;
    return decision_cut(tx, &cut->keep, DECISIONS_MAX, cut->now_us, &cut->records, &cut->more, err);
}

static bool cut_decisions(struct maintenance *m, int64_t now_us, bool *more, struct err *err)
{
    const struct config *c = m->app->config;
    struct cut cut = {.keep = {.age_us = c->decisions_keep, .bytes = c->decisions_size},
                      .now_us = now_us};
    bool done = db_write(m->app->db, cut_in, &cut, err);
    *more = cut.more;
    return done;
}

/* What is released by now needs no override, and time has passed since they were counted. */
static bool settle_overrides(struct maintenance *m, int64_t now_us, bool *more, struct err *err)
{
    struct app *app = m->app;
    auto_snapshot struct db_tx *tx = NULL;
    int64_t active = 0;
    *more = false;
    if (!override_settle(app->trust, 0, now_us, err) || !db_snapshot(app->db, &tx, err) ||
        !override_count_active(tx, now_us, &active, err)) {
        return false;
    }
    metrics_set(app->metrics, METRIC_OVERRIDES_ACTIVE, active);
    return true;
}

static bool checkpoint(struct maintenance *m, int64_t now_us, bool *more, struct err *err)
{
    struct app *app = m->app;
    (void)now_us;
    *more = false;
    return db_checkpoint(app->db, err);
}

static const struct {
    const char *name;
    step_fn run;
} steps[] = {{"try_index", try_index},
             {"note_time", note_time},
             {"renew_trust", renew_trust},
             {"look_at_expiry", look_at_expiry},
             {"collect_superseded", collect_superseded},
             {"expire_uploads", expire_uploads},
             {"write_pulls", write_pulls},
             {"retire_tags", retire_tags},
             {"mark_deleted", mark_deleted},
             {"remove_deleted", remove_deleted},
             {"collect", collect},
             {"collect_repositories", collect_repositories},
             {"purge_sessions", purge_sessions},
             {"cut_decisions", cut_decisions},
             {"settle_overrides", settle_overrides},
             {"checkpoint", checkpoint}};

/* Until the pause is over, somebody wakes the threads, or the server stops. The lock is held. By the
 * monotonic clock: setting the other one back makes no pause longer. */
static void pause_for(struct maintenance *m, int64_t seconds)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)seconds;
    if (!m->stopping) {
        (void)pthread_cond_clockwait(&m->wake, &m->lock, CLOCK_MONOTONIC, &until);
    }
}

static bool is_stopping(struct maintenance *m)
{
    (void)pthread_mutex_lock(&m->lock);
    bool stopping = m->stopping;
    (void)pthread_mutex_unlock(&m->lock);
    return stopping;
}

static void run_round(struct maintenance *m)
{
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        bool more = true;
        while (more && !is_stopping(m)) {
            struct err err = {0};
            more = false;
            if (!steps[i].run(m, clock_now_us(), &more, &err)) {
                log_err(LOG_ERROR, steps[i].name, &err);
                metrics_add(m->app->metrics, METRIC_MAINTENANCE_ERRORS, 1);
                more = false; /* it is tried again in the next round, whatever is left */
            }
        }
    }
}

static void *run(void *arg)
{
    struct maintenance *m = arg;
    int64_t interval_us = m->app->config->maintenance_interval;
    while (!is_stopping(m)) {
        run_round(m);
        (void)pthread_mutex_lock(&m->lock);
        if (!m->wanted) {
            pause_for(m, interval_us / US_PER_SECOND);
        }
        m->wanted = false;
        (void)pthread_mutex_unlock(&m->lock);
    }
    return NULL;
}

/* Returns the seconds until the next time. */
static int64_t settle(struct maintenance *m)
{
    bool more = blob_journal_waiting(m->app->store);
    while (more) {
        struct err err = {0};
        if (!blob_journal_settle(m->app->store, NULL, &more, &err)) {
            log_err(LOG_ERROR, "settle_blobs", &err);
            metrics_add(m->app->metrics, METRIC_MAINTENANCE_ERRORS, 1);
            return SETTLE_RETRY_S;
        }
    }
    return SETTLE_PAUSE_S;
}

/* Also at the end, so that the next start finds nothing to do. */
static void *run_settler(void *arg)
{
    struct maintenance *m = arg;
    bool last = false;
    while (!last) {
        last = is_stopping(m);
        int64_t pause_s = settle(m);
        (void)pthread_mutex_lock(&m->lock);
        pause_for(m, pause_s);
        (void)pthread_mutex_unlock(&m->lock);
    }
    return NULL;
}

struct maintenance *maintenance_new(struct app *app)
{
    struct maintenance *m = xcalloc(1, sizeof(*m));
    m->app = app;
    m->retention = retention_new(app->store, policy_grace, app->config->retention_interval);
    if (pthread_mutex_init(&m->lock, NULL) != 0 || pthread_cond_init(&m->wake, NULL) != 0 ||
        pthread_create(&m->thread, NULL, run, m) != 0 ||
        pthread_create(&m->settler, NULL, run_settler, m) != 0) {
        BUG("the maintenance threads could not be made");
    }
    return m;
}

void maintenance_wake(struct maintenance *m)
{
    if (m != NULL) {
        (void)pthread_mutex_lock(&m->lock);
        m->wanted = true;
        (void)pthread_cond_broadcast(&m->wake);
        (void)pthread_mutex_unlock(&m->lock);
    }
}

void maintenance_free(struct maintenance *m)
{
    if (m == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&m->lock);
    m->stopping = true;
    (void)pthread_cond_broadcast(&m->wake);
    (void)pthread_mutex_unlock(&m->lock);
    (void)pthread_join(m->thread, NULL);
    (void)pthread_join(m->settler, NULL);
    retention_free(m->retention);
    (void)pthread_cond_destroy(&m->wake);
    (void)pthread_mutex_destroy(&m->lock);
    free(m);
}
