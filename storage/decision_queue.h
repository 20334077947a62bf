/* Records of decisions that wait to be written together, in their order. Part of decision_log.h, which
 * says what comes into it and when it is written. Any thread, but where said otherwise. */
#ifndef STORAGE_DECISION_QUEUE_H
#define STORAGE_DECISION_QUEUE_H

#include "storage/decision.h"

struct decision_queue;

/*   db   borrowed, must outlive */
struct decision_queue *decision_queue_new(struct db *db);
/* What waits is lost. Accepts NULL. */
void decision_queue_free(struct decision_queue *q);
/* Takes the draft, unless `max` or more wait: then false. */
bool decision_queue_put(struct decision_queue *q, struct decision_draft *draft,
                        size_t max) MUST_USE;
size_t decision_queue_count(struct decision_queue *q);
/* Writes all that waits, in transactions of some hundred; what could not be written waits on, in its
 * place.
 *   durable   true: it survives power loss; false: the death of the process
 * One thread at a time, not from inside a write. */
bool decision_queue_write(struct decision_queue *q, bool durable, struct err *err) MUST_USE;
/* Waits until something does, or `timeout_us` are over, or it is woken. */
void decision_queue_wait(struct decision_queue *q, int64_t timeout_us);
void decision_queue_wake(struct decision_queue *q);

#endif
