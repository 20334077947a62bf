/* The bounded worker pool, and the only place that suspends and resumes a connection. A job has
 * one owner at a time: the loop thread until it is handed over, the worker until the connection is
 * resumed.
 *
 * Invariants
 *   1. A connection is suspended only after its job has a place in the queue, and resumed exactly
 *      once.
 *   2. After defer_stop no connection is suspended, so the HTTP library may be stopped. */
#ifndef SERVER_DEFER_H
#define SERVER_DEFER_H

#include "base/cleanup.h"

#include <stdbool.h>
#include <stddef.h>

struct defer;
struct metrics;
struct MHD_Connection;

typedef void (*defer_fn)(void *arg);

/*   threads   workers
 *   waiting   jobs of new requests that may be queued or running at once
 *   going_on  further jobs of requests that are under way: at most one per connection */
struct defer *defer_new(size_t threads, size_t waiting, size_t going_on, struct metrics *metrics);

enum defer_priority {
    DEFER_NEW,     /* begins work: refused when the queue is full */
    DEFER_GOING_ON /* goes on with work already begun: refused only when stopping */
};

/* Suspends the connection, runs fn(arg) on a worker, resumes. The loop thread must not touch `arg`
 * until it is called again for this connection. Loop thread of the connection only. False: nothing
 * happened, the queue is full or the pool is stopping. */
bool defer_run(struct defer *d, enum defer_priority priority, struct MHD_Connection *connection,
               defer_fn fn, void *arg) MUST_USE;
/* Runs fn(arg) without a connection; arg belongs to fn. False: not taken, the caller does it
 * itself. Any thread. */
bool defer_detached(struct defer *d, defer_fn fn, void *arg) MUST_USE;

/* Takes no more, finishes what there is, ends the threads. */
void defer_stop(struct defer *d);
void defer_free(struct defer *d); /* stopped before; accepts NULL */

#endif
