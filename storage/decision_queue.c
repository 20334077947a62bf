#include "storage/decision_queue.h"

#include <pthread.h>
#include <time.h>

#define BATCH 256 /* records of one transaction */

struct queued {
    struct decision_draft *draft;
    struct queued *next;
};

struct decision_queue {
    struct db *db;
    pthread_mutex_t lock; /* over the members below */
    pthread_cond_t wake;
    struct queued *first, *last;
    size_t count;
    bool woken;
};

struct decision_queue *decision_queue_new(struct db *db)
{
    struct decision_queue *q = xcalloc(1, sizeof(*q));
    q->db = db;
    if (pthread_mutex_init(&q->lock, NULL) != 0 || pthread_cond_init(&q->wake, NULL) != 0) {
        BUG("a lock could not be made");
    }
    return q;
}

static void free_items(struct queued *first)
{
    while (first) {
        struct queued *item = first;
        first = item->next;
        decision_draft_free(item->draft);
        free(item);
    }
}

void decision_queue_free(struct decision_queue *q)
{
    if (q) {
        free_items(q->first);
        (void)pthread_cond_destroy(&q->wake);
        (void)pthread_mutex_destroy(&q->lock);
        free(q);
    }
}

/* With the lock held. */
static void append_item(struct decision_queue *q, struct decision_draft *draft)
{
    struct queued *item = xcalloc(1, sizeof(*item));
    item->draft = draft;
    *(q->last ? &q->last->next : &q->first) = item;
    q->last = item;
    q->count++;
    (void)pthread_cond_signal(&q->wake);
}

bool decision_queue_put(struct decision_queue *q, struct decision_draft *draft, size_t max)
{
    (void)pthread_mutex_lock(&q->lock);
    bool room = q->count < max;
    if (room) {
        append_item(q, draft);
    }
    (void)pthread_mutex_unlock(&q->lock);
    return room;
}

size_t decision_queue_count(struct decision_queue *q)
{
    (void)pthread_mutex_lock(&q->lock);
    size_t count = q->count;
    (void)pthread_mutex_unlock(&q->lock);
    return count;
}

void decision_queue_wait(struct decision_queue *q, int64_t timeout_us)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t ns = until.tv_nsec + timeout_us % 1000000 * 1000;
    until.tv_sec += (time_t)(timeout_us / 1000000 + ns / 1000000000);
    until.tv_nsec = (long)(ns % 1000000000);
    (void)pthread_mutex_lock(&q->lock);
    if (q->count == 0 && !q->woken) {
        (void)pthread_cond_clockwait(&q->wake, &q->lock, CLOCK_MONOTONIC, &until);
    }
    q->woken = false;
    (void)pthread_mutex_unlock(&q->lock);
}

void decision_queue_wake(struct decision_queue *q)
{
    (void)pthread_mutex_lock(&q->lock);
    q->woken = true;
    (void)pthread_cond_signal(&q->wake);
    (void)pthread_mutex_unlock(&q->lock);
}

/* --- writing ------------------------------------------------------------------------------------ */

struct batch {
    struct queued *first, *last;
    size_t count;
};

/* The oldest drafts, still in their order. */
static void take_batch(struct decision_queue *q, struct batch *out)
{
    *out = (struct batch){0};
    (void)pthread_mutex_lock(&q->lock);
    out->first = q->first;
    while (q->first && out->count < BATCH) {
        out->last = q->first;
        q->first = q->first->next;
        out->count++;
    }
    if (out->last) {
        out->last->next = NULL;
    }
    if (!q->first) {
        q->last = NULL;
    }
    q->count -= out->count;
    (void)pthread_mutex_unlock(&q->lock);
}

static void put_back(struct decision_queue *q, struct batch *batch)
{
    (void)pthread_mutex_lock(&q->lock);
    batch->last->next = q->first;
    q->first = batch->first;
    if (!q->last) {
        q->last = batch->last;
    }
    q->count += batch->count;
    (void)pthread_mutex_unlock(&q->lock);
}

static bool write_batch(struct db_tx *tx, void *arg, struct err *err)
{
    const struct batch *batch = arg;
    for (const struct queued *item = batch->first; item; item = item->next) {
        if (!decision_append(tx, item->draft, err)) {
            return false;
        }
    }
    return true;
}

bool decision_queue_write(struct decision_queue *q, bool durable, struct err *err)
{
    for (;;) {
        struct batch batch;
        take_batch(q, &batch);
        if (batch.count == 0) {
            return true;
        }
        bool written = durable ? db_write(q->db, write_batch, &batch, err)
                               : db_write_relaxed(q->db, write_batch, &batch, err);
        if (!written) {
            put_back(q, &batch);
            return false;
        }
        free_items(batch.first);
    }
}
