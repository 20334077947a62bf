/* When manifests were last pulled, coarse enough to cost nothing: noted in memory at most once an
 * hour for each, written together by the maintenance thread.
 * Owns: the table manifest_pull. Refuses to know: what follows from it (retention.h).
 * Invariants
 *   1. Noting a pull that was noted within the same hour touches nothing that another thread
 *      writes.
 *   2. Memory is bounded. A pull that finds no room is noted at the next one after the next
 *      writing.
 * What was noted since the last writing is lost with the process: minutes, of times that are
 * compared with days. */
#ifndef STORAGE_PULL_H
#define STORAGE_PULL_H

#include "base/db.h"
#include "base/digest.h"

struct pull_log; /* any thread */

#define PULL_LOG_MAX 16384 /* pulls that wait to be written */

struct pull_log *pull_log_new(void);
void pull_log_free(struct pull_log *log); /* accepts NULL */

/* A manifest was pulled, by whom or how does not matter. Never waits for the database. */
void pull_log_note(struct pull_log *log, int64_t repository_id, const struct digest *digest,
                   int64_t now_us);
/* Writes what waits, at most `max` entries, in one transaction; what could not be written waits on.
 *   more_out   there is more
 * Maintenance thread. */
bool pull_log_write(struct pull_log *log, struct db *db, int max, int64_t now_us, bool *more_out,
                    struct err *err) MUST_USE;

/* When a manifest, or a platform of it when it is an index, was last pulled; 0 = never that anybody
 * knows. Any tx. */
bool pull_last(struct db_tx *tx, int64_t repository_id, const struct digest *digest,
               int64_t *us_out, struct err *err) MUST_USE;

struct pulled {
    struct digest digest;
    int64_t us;
};
struct pulled_list {
    struct pulled *items;
    size_t count;
    bool more; /* a next page exists */
};
/* The manifests of a repository that were pulled at or after `since_us`, by digest after `after`
 * (unset: from the start), at most `max` (1 … 1,000). Any tx. */
bool pull_list_since(struct db_tx *tx, int64_t repository_id, int64_t since_us,
                     const struct digest *after, int max, struct pulled_list *out,
                     struct err *err) MUST_USE;
void pulled_list_dispose(struct pulled_list *list);
static inline void cleanup_pulled_list(struct pulled_list *list)
{
    pulled_list_dispose(list);
}
#define auto_pulled_list __attribute__((cleanup(cleanup_pulled_list)))

#endif
