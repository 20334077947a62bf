/* A gate in which a thread stays until the test opens it. */
#ifndef TESTS_UNIT_BASE_GATE_H
#define TESTS_UNIT_BASE_GATE_H

#include "base/db.h"

#include <pthread.h>
#include <stdbool.h>

struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool inside, open;
};
#define GATE                                                                                       \
    {                                                                                              \
        PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, false                          \
    }

/* A db_write_fn; arg is the gate. Holds the writer, so that everything queued meanwhile waits. */
static inline bool write_at_gate(struct db_tx *tx, void *arg, struct err *err)
{
    struct gate *g = arg;
    (void)tx;
    (void)err;
    pthread_mutex_lock(&g->lock);
    g->inside = true;
    pthread_cond_broadcast(&g->changed);
    while (!g->open) {
        pthread_cond_wait(&g->changed, &g->lock);
    }
    pthread_mutex_unlock(&g->lock);
    return true;
}

/* Waits until somebody is inside. */
static inline void gate_await(struct gate *g)
{
    pthread_mutex_lock(&g->lock);
    while (!g->inside) {
        pthread_cond_wait(&g->changed, &g->lock);
    }
    pthread_mutex_unlock(&g->lock);
}

static inline void gate_open(struct gate *g)
{
    pthread_mutex_lock(&g->lock);
    g->open = true;
    pthread_cond_broadcast(&g->changed);
    pthread_mutex_unlock(&g->lock);
}

#endif
