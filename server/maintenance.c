#include "server/maintenance.h"

#include "base/clock.h"
#include "base/db.h"
#include "base/log.h"
#include "server/metrics.h"
#include "storage/gc.h"
#include "storage/session.h"
#include "storage/upload.h"
#include "trust/resign.h"

#include <pthread.h>
#include <time.h>

#define STEP_MAX 100 /* rows of one step, so that a write never holds the writer long */
#define SESSION_KEEP_US (30 * US_PER_DAY) /* dead sessions are shown for so long */

struct maintenance {
    struct app *app;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stopping; /* under lock */
};

/* True: call again at once, there is more. */
typedef bool (*step_fn)(struct app *app, int64_t now_us, bool *more_out, struct err *err);

static bool renew_trust(struct app *app, int64_t now_us, bool *more, struct err *err)
{
    (void)err;
    metrics_add(app->metrics, METRIC_TRUST_RENEWED,
                trust_renew_due(app->trust, now_us, STEP_MAX, more));
    return true;
}

static bool expire_uploads(struct app *app, int64_t now_us, bool *more, struct err *err)
{
    int ended = 0;
    if (!upload_expire(app->store, now_us, STEP_MAX, &ended, err)) {
        return false;
    }
    metrics_add(app->metrics, METRIC_UPLOADS_EXPIRED, ended);
    *more = ended == STEP_MAX;
    return true;
}

static bool collect(struct app *app, int64_t now_us, bool *more, struct err *err)
{
    struct gc_result result = {0};
    if (!gc_run(app->store, now_us, STEP_MAX, &result, err)) {
        return false;
    }
    metrics_add(app->metrics, METRIC_BLOBS_COLLECTED, result.blobs);
    metrics_add(app->metrics, METRIC_MAINTENANCE_ERRORS, result.failures);
    *more = result.examined == STEP_MAX;
    return true;
}

static bool purge_in(struct db_tx *tx, void *arg, struct err *err)
{
    const int64_t *now_us = arg;
    return session_purge(tx, *now_us, SESSION_KEEP_US, STEP_MAX, err);
}

static bool purge_sessions(struct app *app, int64_t now_us, bool *more, struct err *err)
{
    *more = false;
    return db_write(app->db, purge_in, &now_us, err);
}

static bool checkpoint(struct app *app, int64_t now_us, bool *more, struct err *err)
{
    (void)now_us;
    *more = false;
    return db_checkpoint(app->db, err);
}

static const struct {
    const char *name;
    step_fn run;
} steps[] = {{"renew_trust", renew_trust},
             {"expire_uploads", expire_uploads},
             {"collect", collect},
             {"purge_sessions", purge_sessions},
             {"checkpoint", checkpoint}};

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
            if (!steps[i].run(m->app, clock_now_us(), &more, &err)) {
                log_err(LOG_ERROR, steps[i].name, &err);
                metrics_add(m->app->metrics, METRIC_MAINTENANCE_ERRORS, 1);
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
        struct timespec until;
        (void)clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += (time_t)(interval_us / US_PER_SECOND);
        (void)pthread_mutex_lock(&m->lock);
        if (!m->stopping) {
            (void)pthread_cond_timedwait(&m->wake, &m->lock, &until);
        }
        (void)pthread_mutex_unlock(&m->lock);
    }
    return NULL;
}

struct maintenance *maintenance_new(struct app *app)
{
    struct maintenance *m = xcalloc(1, sizeof(*m));
    m->app = app;
    if (pthread_mutex_init(&m->lock, NULL) != 0 || pthread_cond_init(&m->wake, NULL) != 0 ||
        pthread_create(&m->thread, NULL, run, m) != 0) {
        BUG("the maintenance thread could not be made");
    }
    return m;
}

void maintenance_free(struct maintenance *m)
{
    if (m == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&m->lock);
    m->stopping = true;
    (void)pthread_cond_signal(&m->wake);
    (void)pthread_mutex_unlock(&m->lock);
    (void)pthread_join(m->thread, NULL);
    (void)pthread_cond_destroy(&m->wake);
    (void)pthread_mutex_destroy(&m->lock);
    free(m);
}
