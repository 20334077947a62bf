/* Small blobs on their way to their files: the bytes wait in the index, made durable by the same
 * commit as the blob's row, so that a push of many small blobs does not wait for a sync of every
 * file and folder. Settling writes the files, many at a time, syncs them together, and only then
 * takes the bytes out of the index.
 * Owns: the table blob_journal. Refuses to know: when to settle.
 * Invariants
 *   1. A row is taken out only after its file, and the file's name, are durable; whatever is under
 *      that name before then is not believed: bytes that are in the journal are read from there.
 *   2. A row's number is never used again: who settles an old row cannot take out a newer one of
 *      the same digest.
 *   3. What waits is bounded; beyond the bound a blob takes the ordinary way, through its file. */
#ifndef STORAGE_BLOB_JOURNAL_H
#define STORAGE_BLOB_JOURNAL_H

#include "base/db.h"
#include "base/digest.h"
#include "storage/store.h"

#define BLOB_JOURNAL_BLOB_MAX (64 * 1024) /* bytes of one blob */
#define BLOB_JOURNAL_ROWS_MAX 8192        /* blobs that wait; their bytes: limits.journal_bytes */

/* May a blob of `size` bytes wait in the journal now? The bounds are kept approximately: requests
 * that ask together may all be told yes. Any thread. */
bool blob_journal_has_room(const struct store *store, int64_t size);
/* Puts the bytes of a blob whose row was made, or made good again, in this transaction. Bytes that
 * wait already stay; db_changes tells. Writer. */
bool blob_journal_put(struct db_tx *tx, const struct digest *digest, struct slice bytes,
                      struct err *err) MUST_USE;
/* Takes the bytes out before the row of a blob that no repository holds; does nothing to others.
 *   dropped_out   there were any
 * Writer. */
bool blob_journal_drop(struct db_tx *tx, const struct digest *digest, bool *dropped_out,
                       struct err *err) MUST_USE;
/* To be told after the commit of the two. Any thread. */
void blob_journal_added(struct store *store, int64_t size);
void blob_journal_dropped(struct store *store, int64_t size);

/* The bytes as a file in memory, O_CLOEXEC; the caller closes it. *fd_out is -1 when the journal
 * does not have them: then the file is durable, or was when tx began. Any tx. */
bool blob_journal_open(struct db_tx *tx, const struct digest *digest, int *fd_out,
                       struct err *err) MUST_USE;

/* At the start: counts what the last run left to be settled; no more than the bound. Reads no blob. */
bool blob_journal_start(struct store *store, struct err *err) MUST_USE;
/* One step: writes the files of at most BLOB_JOURNAL_STEP rows, syncs them together, takes the rows
 * out. After an error everything is still in the journal, and the next call begins again with new
 * files. One thread at a time; call again while *more_out.
 *   settled_out   rows taken out; may be NULL
 * Expected errors: ERR_NO_SPACE, ERR_INTERNAL. */
#define BLOB_JOURNAL_STEP 512
bool blob_journal_settle(struct store *store, int *settled_out, bool *more_out,
                         struct err *err) MUST_USE;
/* Is there anything to settle? Any thread. */
bool blob_journal_waiting(const struct store *store);

#endif
