#include "base/queue.h"

#include "base/buf.h"

#include <pthread.h>

struct queue {
    pthread_mutex_t lock;
    pthread_cond_t has_item;
    void **ring;
    size_t capacity, head, count;
    bool closed;
};

struct queue *queue_new(size_t capacity)
{
    if (capacity == 0) {
        BUG("a queue without room");
    }
    struct queue *q = xcalloc(1, sizeof(*q));
    q->ring = xcalloc(capacity, sizeof(*q->ring));
    q->capacity = capacity;
    pthread_mutex_init(&q->lock, NULL);
    pthread_cond_init(&q->has_item, NULL);
    return q;
}

void queue_free(struct queue *q)
{
    if (!q) {
        return;
    }
    pthread_cond_destroy(&q->has_item);
    pthread_mutex_destroy(&q->lock);
    free(q->ring);
    free(q);
}

/* With the lock held and an item known. */
static void *get(struct queue *q)
{
    void *item = q->ring[q->head];
    q->head = (q->head + 1) % q->capacity;
    q->count--;
    return item;
}

bool queue_try_push(struct queue *q, void *item)
{
    pthread_mutex_lock(&q->lock);
    bool room = !q->closed && q->count < q->capacity;
    if (room) {
        q->ring[(q->head + q->count) % q->capacity] = item;
        q->count++;
    }
    pthread_mutex_unlock(&q->lock);
    if (room) { /* without the lock: who wakes up takes it, and would go to sleep again at once */
        pthread_cond_signal(&q->has_item);
    }
    return room;
}

bool queue_pop(struct queue *q, void **item_out)
{
    pthread_mutex_lock(&q->lock);
    while (!q->closed && q->count == 0) {
        pthread_cond_wait(&q->has_item, &q->lock);
    }
    bool found = q->count > 0;
    *item_out = found ? get(q) : NULL;
    pthread_mutex_unlock(&q->lock);
    return found;
}

void queue_close(struct queue *q)
{
    pthread_mutex_lock(&q->lock);
    q->closed = true;
    pthread_cond_broadcast(&q->has_item);
    pthread_mutex_unlock(&q->lock);
}
