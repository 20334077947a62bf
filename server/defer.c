#include "server/defer.h"

#include "base/buf.h"
#include "base/queue.h"
#include "server/metrics.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

struct job {
    defer_fn fn;
    void *arg;
    struct MHD_Connection *connection; /* NULL: detached */
};

struct defer {
    struct queue *queue;
    struct metrics *metrics;
    pthread_t *threads;
    size_t thread_count;
    size_t waiting;
    size_t capacity;
    atomic_size_t pending; /* queued or running */
    atomic_bool stopping;
};

static void *work(void *arg)
{
    struct defer *d = arg;
    void *item;
    while (queue_pop(d->queue, &item)) {
        struct job *job = item;
        job->fn(job->arg);
        struct MHD_Connection *connection = job->connection;
        free(job);
        /* The count covers the resume: when it has fallen to nothing, no connection is suspended.
         */
        if (connection != NULL) {
            MHD_resume_connection(connection);
        }
        atomic_fetch_sub(&d->pending, 1);
        metrics_add(d->metrics, METRIC_WORKERS_BUSY, -1);
    }
    return NULL;
}

struct defer *defer_new(size_t threads, size_t waiting, size_t going_on, struct metrics *metrics)
{
    struct defer *d = xcalloc(1, sizeof(*d));
    d->metrics = metrics;
    d->waiting = waiting;
    d->capacity = waiting + going_on;
    d->queue = queue_new(d->capacity);
    d->threads = xcalloc(threads, sizeof(*d->threads));
    for (; d->thread_count < threads; d->thread_count++) {
        if (pthread_create(&d->threads[d->thread_count], NULL, work, d) != 0) {
            BUG("a worker thread could not be made");
        }
    }
    return d;
}

/* A place among the pending jobs, or none. Stopping is read after the place is taken: defer_stop
 * sets it first and then waits for the places to be given back, so no job slips in behind it. */
static bool take_place(struct defer *d, size_t limit)
{
    size_t before = atomic_fetch_add(&d->pending, 1);
    if (before < limit && !atomic_load(&d->stopping)) {
        metrics_add(d->metrics, METRIC_WORKERS_BUSY, 1);
        return true;
    }
    atomic_fetch_sub(&d->pending, 1);
    return false;
}

static void hand_over(struct defer *d, struct MHD_Connection *connection, defer_fn fn, void *arg)
{
    struct job *job = xmalloc(sizeof(*job));
    *job = (struct job){.fn = fn, .arg = arg, .connection = connection};
    if (!queue_try_push(d->queue, job)) {
        BUG("the queue of the workers is shorter than its count of places");
    }
}

bool defer_run(struct defer *d, enum defer_priority priority, struct MHD_Connection *connection,
               defer_fn fn, void *arg)
{
    if (!take_place(d, priority == DEFER_NEW ? d->waiting : d->capacity)) {
        metrics_add(d->metrics, METRIC_REFUSED_BUSY, 1);
        return false;
    }
    MHD_suspend_connection(connection);
    hand_over(d, connection, fn, arg);
    return true;
}

bool defer_detached(struct defer *d, defer_fn fn, void *arg)
{
    if (!take_place(d, d->capacity)) {
        return false;
    }
    hand_over(d, NULL, fn, arg);
    return true;
}

void defer_stop(struct defer *d)
{
    atomic_store(&d->stopping, true);
    while (atomic_load(&d->pending) > 0) {
        const struct timespec pause = {.tv_nsec = 2000000};
        (void)nanosleep(&pause, NULL);
    }
    queue_close(d->queue);
    for (size_t i = 0; i < d->thread_count; i++) {
        (void)pthread_join(d->threads[i], NULL);
    }
    d->thread_count = 0;
}

void defer_free(struct defer *d)
{
    if (d != NULL) {
        queue_free(d->queue);
        free(d->threads);
        free(d);
    }
}
