#include "server/scrubber.h"

#include "base/clock.h"
#include "base/log.h"
#include "server/metrics.h"
#include "server/pace.h"
#include "storage/blob.h"
#include "storage/scrub.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>

#define SUSPECTS_MAX 64
#define IDLE_US (60 * US_PER_SECOND)  /* between two looks at the clock */
#define RETRY_US (60 * US_PER_SECOND) /* after an error */
#define USERS_LOGGED 3

struct scrubber {
    struct app *app;
    struct pace pace; /* the thread's own */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t moved; /* on the monotonic clock */
    /* under the lock */
    bool stopping;
    bool woken;
    struct digest suspects[SUSPECTS_MAX];
    size_t suspect_count;
};

/* --- waiting ---------------------------------------------------------------------------------- */

/* Waits until then, until the end, or (when `wakes`) until somebody wakes it. False at the end. */
static bool wait_until(struct scrubber *s, int64_t mono_us, bool wakes)
{
    const struct timespec until = {.tv_sec = (time_t)(mono_us / US_PER_SECOND),
                                   .tv_nsec = (long)(mono_us % US_PER_SECOND * 1000)};
    (void)pthread_mutex_lock(&s->lock);
    int result = 0;
    while (!s->stopping && !(wakes && s->woken) && result != ETIMEDOUT) {
        result = pthread_cond_clockwait(&s->moved, &s->lock, CLOCK_MONOTONIC, &until);
    }
    bool goes_on = !s->stopping;
    if (wakes) {
        s->woken = false;
    }
    (void)pthread_mutex_unlock(&s->lock);
    return goes_on;
}

static bool pace(int64_t bytes, void *arg)
{
    struct scrubber *s = arg;
    int64_t now_us = clock_mono_us();
    int64_t wait_us = pace_wait_us(&s->pace, bytes, now_us);
    metrics_add(s->app->metrics, METRIC_SCRUB_BYTES, bytes);
    return wait_until(s, now_us + wait_us, false);
}

static bool rest(int64_t us, void *arg)
{
    return wait_until(arg, clock_mono_us() + us, false);
}

/* --- findings --------------------------------------------------------------------------------- */

static void write_users(struct buf *out, const struct blob_user_list *users)
{
    for (size_t i = 0; i < users->count && i < USERS_LOGGED; i++) {
        char text[BLOB_USER_TEXT_MAX];
        buf_printf(out, "%s%s", i > 0 ? ", " : "", blob_user_format(&users->items[i], text));
    }
    if (users->more || users->count > USERS_LOGGED) {
        buf_str(out, ", ...");
    }
}

static void found(const struct scrub_finding *finding, void *arg)
{
    struct scrubber *s = arg;
    char digest[DIGEST_STR_MAX];
    char quoted[1500];
    auto_buf struct buf users = {0};
    buf_str(&users, "");
    write_users(&users, finding->users);
    metrics_add(s->app->metrics, METRIC_SCRUB_FINDINGS, 1);
    log_event(LOG_ERROR, finding->verdict == SCRUB_MANIFEST ? "manifest_damaged" : "blob_missing",
              "digest=%s why=\"%s\" moved_to=\"%s\" needed_by=%s",
              digest_format(&finding->digest, digest), scrub_verdict_text(finding->verdict),
              finding->quarantined, log_quote(buf_slice_of(&users), quoted, sizeof(quoted)));
}

void scrubber_read_failed(struct app *app, const struct digest *digest, int sys)
{
    char text[DIGEST_STR_MAX];
    metrics_add(app->metrics, METRIC_BLOB_READ_ERRORS, 1);
    log_event(LOG_ERROR, "blob_read_failed", "digest=%s sys=%d", digest_format(digest, text), sys);
    scrubber_suspect(app->scrubber, digest);
}

/* --- suspects --------------------------------------------------------------------------------- */

void scrubber_wake(struct scrubber *s)
{
    if (s != NULL) {
        (void)pthread_mutex_lock(&s->lock);
        s->woken = true;
        (void)pthread_cond_signal(&s->moved);
        (void)pthread_mutex_unlock(&s->lock);
    }
}

void scrubber_suspect(struct scrubber *s, const struct digest *digest)
{
    if (s == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&s->lock);
    size_t i = 0;
    while (i < s->suspect_count && !digest_equal(&s->suspects[i], digest)) {
        i++;
    }
    if (i == s->suspect_count && i < SUSPECTS_MAX) {
        s->suspects[s->suspect_count++] = *digest;
    }
    (void)pthread_mutex_unlock(&s->lock);
    scrubber_wake(s);
}

static bool first_suspect(struct scrubber *s, struct digest *out)
{
    (void)pthread_mutex_lock(&s->lock);
    bool any = s->suspect_count > 0;
    *out = s->suspects[0];
    (void)pthread_mutex_unlock(&s->lock);
    return any;
}

static void forget_first_suspect(struct scrubber *s)
{
    (void)pthread_mutex_lock(&s->lock);
    s->suspect_count--;
    memmove(s->suspects, s->suspects + 1, s->suspect_count * sizeof(s->suspects[0]));
    (void)pthread_mutex_unlock(&s->lock);
}

/* --- the thread ------------------------------------------------------------------------------- */

static bool read_round(struct scrubber *s, struct scrub_round *out, struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    int64_t missing = 0;
    if (!db_snapshot(s->app->db, &tx, err) || !scrub_round_get(tx, out, err) ||
        !blob_count_missing(tx, &missing, err)) {
        return false;
    }
    metrics_set(s->app->metrics, METRIC_BLOBS_MISSING, missing);
    return true;
}

static bool is_round_due(const struct scrubber *s, const struct scrub_round *round)
{
    int64_t interval_us = s->app->config->scrub_interval;
    return interval_us > 0 && round->started_us + interval_us <= clock_now_us();
}

/* The next piece of work. *more_out: there is more at once. */
static bool work(struct scrubber *s, bool *more_out, struct err *err)
{
    const struct scrub_listener listener = {pace, rest, found, s};
    struct scrub_round round;
    struct digest suspect;
    enum scrub_verdict verdict;
    *more_out = true;
    if (first_suspect(s, &suspect)) {
        bool done = scrub_blob(s->app->store, &suspect, &listener, clock_now_us(), &verdict, err);
        forget_first_suspect(s);
        return done;
    }
    if (!read_round(s, &round, err)) {
        return false;
    }
    if (round.phase == SCRUB_IDLE && is_round_due(s, &round)) {
        return scrub_begin(s->app->store, clock_now_us(), err);
    }
    return scrub_step(s->app->store, &listener, clock_now_us(), &round, more_out, err);
}

/* The disk and the processors are for requests first. */
static void yield_to_others(void)
{
    enum { PROCESS = 1, IDLE_CLASS = 3 << 13, POLITE = 10 };
    long thread = syscall(SYS_gettid);
    (void)setpriority(PRIO_PROCESS, (id_t)thread, POLITE);
    (void)syscall(SYS_ioprio_set, PROCESS, thread, IDLE_CLASS);
}

static void *run(void *arg)
{
    struct scrubber *s = arg;
    bool goes_on = true;
    yield_to_others();
    while (goes_on) {
        struct err err = {0};
        bool more = false;
        int64_t pause_us = 0;
        if (!work(s, &more, &err)) {
            log_err(LOG_ERROR, "scrub", &err);
            metrics_add(s->app->metrics, METRIC_MAINTENANCE_ERRORS, 1);
            pause_us = RETRY_US;
        } else if (!more) {
            pause_us = IDLE_US;
        }
        goes_on = wait_until(s, clock_mono_us() + pause_us, true);
    }
    return NULL;
}

struct scrubber *scrubber_new(struct app *app)
{
    struct scrubber *s = xcalloc(1, sizeof(*s));
    s->app = app;
    s->pace.rate = app->config->scrub_rate;
    if (pthread_mutex_init(&s->lock, NULL) != 0 || pthread_cond_init(&s->moved, NULL) != 0 ||
        pthread_create(&s->thread, NULL, run, s) != 0) {
        BUG("the scrubbing thread could not be made");
    }
    return s;
}

void scrubber_free(struct scrubber *s)
{
    if (s == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&s->lock);
    s->stopping = true;
    (void)pthread_cond_signal(&s->moved);
    (void)pthread_mutex_unlock(&s->lock);
    (void)pthread_join(s->thread, NULL);
    (void)pthread_cond_destroy(&s->moved);
    (void)pthread_mutex_destroy(&s->lock);
    free(s);
}
