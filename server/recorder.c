#include "server/recorder.h"

#include "base/clock.h"
#include "base/log.h"
#include "server/metrics.h"
#include "storage/decision_log.h"

#include <pthread.h>
#include <time.h>

#define LOOK_US US_PER_SECOND /* for windows that are over */
#define RETRY_S 1             /* after a failure */

struct recorder {
    struct app *app;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stopping; /* under lock */
};

static bool is_stopping(struct recorder *r)
{
    (void)pthread_mutex_lock(&r->lock);
    bool stopping = r->stopping;
    (void)pthread_mutex_unlock(&r->lock);
    return stopping;
}

static void pause_after_failure(struct recorder *r)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += RETRY_S;
    (void)pthread_mutex_lock(&r->lock);
    if (!r->stopping) {
        (void)pthread_cond_clockwait(&r->wake, &r->lock, CLOCK_MONOTONIC, &until);
    }
    (void)pthread_mutex_unlock(&r->lock);
}

static bool flush(struct recorder *r, bool all)
{
    struct err err = {0};
    if (decision_log_flush(r->app->decisions, all, clock_mono_us(), clock_now_us(), &err)) {
        return true;
    }
    log_err(LOG_ERROR, "decision_records", &err);
    metrics_add(r->app->metrics, METRIC_MAINTENANCE_ERRORS, 1);
    return false;
}

static void *run(void *arg)
{
    struct recorder *r = arg;
    while (!is_stopping(r)) {
        decision_log_wait(r->app->decisions, LOOK_US);
        if (!flush(r, false)) {
            pause_after_failure(r);
        }
    }
    (void)flush(r, true);
    return NULL;
}

struct recorder *recorder_new(struct app *app)
{
    struct recorder *r = xcalloc(1, sizeof(*r));
    r->app = app;
    if (pthread_mutex_init(&r->lock, NULL) != 0 || pthread_cond_init(&r->wake, NULL) != 0 ||
        pthread_create(&r->thread, NULL, run, r) != 0) {
        BUG("the recording thread could not be made");
    }
    return r;
}

void recorder_free(struct recorder *r)
{
    if (r == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&r->lock);
    r->stopping = true;
    (void)pthread_cond_broadcast(&r->wake);
    (void)pthread_mutex_unlock(&r->lock);
    decision_log_wake(r->app->decisions);
    (void)pthread_join(r->thread, NULL);
    (void)pthread_cond_destroy(&r->wake);
    (void)pthread_mutex_destroy(&r->lock);
    free(r);
}
