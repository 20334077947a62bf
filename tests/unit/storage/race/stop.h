/* Threads that stop at named points, so that a test decides what comes between two steps of the store. The points are
 * calls that the store makes, caught at link time (ld --wrap); the store itself knows nothing of them.
 * Owns: where one thread stops, and which points a thread has come to. */
#ifndef TESTS_UNIT_STORAGE_RACE_STOP_H
#define TESTS_UNIT_STORAGE_RACE_STOP_H

#include <pthread.h>
#include <stdbool.h>

enum point {
    POINT_NOWHERE,
    POINT_BEFORE_APPEND, /* bytes of an upload are about to be written */
    POINT_BEFORE_LOCK, /* a digest's lock is about to be taken; whoever else has it is waited for */
    POINT_BEFORE_LINK, /* a file is about to get its name under blobs/ */
    POINT_AFTER_LINK,  /* it has it; no row says so */
    POINT_BEFORE_WRITE,  /* a transaction is about to be queued */
    POINT_AFTER_WRITE,   /* it is committed, or refused */
    POINT_BEFORE_UNLINK, /* a file is about to go */
    POINT_BEFORE_EXPIRY, /* a session was seen to be idle, and is about to be taken */
    POINT_COUNT
};

struct actor_thread; /* a piece of work on a thread of its own */

/* Begins `work(arg)` on a thread that stops when it comes to `point` for the n-th time (from 1). Returns when it has
 * stopped there. Fails the test when the work ends without coming there. */
struct actor_thread *begin_until(void (*work)(void *arg), void *arg, enum point point, int n);
/* Begins work that does not stop, and returns when it has come to `point`: it may go on, as far as others let it. */
struct actor_thread *begin_past(void (*work)(void *arg), void *arg, enum point point);
/* Lets it go on when it has stopped, waits for its end, frees it. */
void finish_work(struct actor_thread *t);

#endif
