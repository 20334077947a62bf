/* Rows of repositories that hold nothing: a push that never came to its manifest, a mistyped name.
 * Owns: the table repository_idle after it was filled (repository.h). Refuses to know: schedules. */
#ifndef STORAGE_REPOSITORY_IDLE_H
#define STORAGE_REPOSITORY_IDLE_H

#include "storage/store.h"

/* One step: looks at no more than `max` rows that are due, and collects those that hold nothing: no
 * manifest, no blob, no upload, no history of a tag, no trust data now or in the past. What holds
 * only blobs or uploads, which go by themselves, is looked at again later.
 *   examined_out   call again at once while it equals max
 * Maintenance thread. */
bool repository_collect_idle(struct store *store, int64_t now_us, int max, int *examined_out,
                             struct err *err) MUST_USE;

#endif
