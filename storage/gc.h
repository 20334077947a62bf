/* Collection without a walk: the queue of what lost its last reference, and the step that deletes.
 * Owns: the condemned table. Refuses to know: schedules.
 * Invariants
 *   1. Whoever removes the last reference queues it in the same transaction; whoever adds a
 *      reference takes it out.
 *   2. The collector checks again inside the transaction that deletes the row; the file goes after
 *      the commit, under the digest's lock, unless a new row has come meanwhile. */
#ifndef STORAGE_GC_H
#define STORAGE_GC_H

#include "base/digest.h"
#include "storage/store.h"

enum condemned_kind {
    CONDEMNED_MEMBERSHIP = 1, /* (repository, digest): no manifest of the repository names it */
    CONDEMNED_BLOB = 2        /* (0, digest): no repository holds it */
};

/* Queues, or moves the time of what is queued already. Writer. */
bool gc_condemn(struct db_tx *tx, enum condemned_kind kind, int64_t repository_id,
                const struct digest *digest, int64_t not_before_us, struct err *err) MUST_USE;
/* Moves the time of what is queued for earlier than `not_before_us`; what is not queued stays so.
 * Writer. */
bool gc_postpone(struct db_tx *tx, enum condemned_kind kind, int64_t repository_id,
                 const struct digest *digest, int64_t not_before_us, struct err *err) MUST_USE;
/* Takes out of the queue. Writer. */
bool gc_spare(struct db_tx *tx, enum condemned_kind kind, int64_t repository_id,
              const struct digest *digest, struct err *err) MUST_USE;

struct gc_result {
    int examined;           /* entries that were due */
    int memberships, blobs; /* removed */
    int64_t bytes;          /* of blobs removed */
    int failures;           /* entries that could not be carried out, logged and put off */
};
/* One step: at most `max` entries that are due at `now_us`. An entry that fails is put off by
 * GC_RETRY_US, so that it does not stand in the way of the others. Maintenance thread; call again
 * while examined == max. */
#define GC_RETRY_US (INT64_C(3600) * 1000000)
bool gc_run(struct store *store, int64_t now_us, int max, struct gc_result *out,
            struct err *err) MUST_USE;

#endif
