/* A bounded FIFO of pointers between threads. */
#ifndef BASE_QUEUE_H
#define BASE_QUEUE_H

#include "base/cleanup.h"

#include <stdbool.h>
#include <stddef.h>

struct queue;

struct queue *queue_new(size_t capacity);
/* Nobody may wait on it any more. */
void queue_free(struct queue *q);
/* False when full or closed; never waits. Any thread. */
bool queue_try_push(struct queue *q, void *item) MUST_USE;
/* Waits for an item; false when closed and empty. */
bool queue_pop(struct queue *q, void **item_out) MUST_USE;
/* Wakes all; pushes fail from now on, pops go on until it is empty. */
void queue_close(struct queue *q);

#endif
