/* The data folder of a running server: its lock, its folders, its database and its open uploads.
 * Owns: DIR/lock, DIR/index.db, DIR/blobs, DIR/uploads. Refuses to know: configuration,
 * certificates, secrets.
 * Invariants
 *   1. One process at a time has a data folder open.
 *   2. A blob row exists only when its file is durable, or its bytes are in the journal.
 *
 * The rest of storage is one header a noun. Functions that take `struct db_tx *tx` run inside the
 * caller's snapshot or write transaction; functions that write want the writer's (db_write).
 * Functions that take `struct store *` make their own transactions and must not be called from
 * inside db_write. All times are microseconds since the epoch, UTC. Lists are owned by the caller
 * and released by the `_dispose` beside them; everything inside belongs to the list. */
#ifndef STORAGE_STORE_H
#define STORAGE_STORE_H

#include "base/db.h"
#include "base/err.h"

struct store;

/* Opens the data folder, making index.db, blobs/ and uploads/ when missing; migrates; removes
 * upload files that no row names. Reads no file's bytes.
 *   dir   path of an existing folder; relative paths count from the working folder
 * Expected errors: ERR_CONFLICT (another server has the folder open, or a newer version wrote the
 * database; the sentence says which), ERR_INVALID (no such folder, or this user may not write it), ERR_NO_SPACE,
 * ERR_INTERNAL. One thread. Ownership: store_close. */
bool store_open(const char *dir, struct store **out, struct err *err) MUST_USE;
/* Ends all uploads' sessions in memory (their rows and files stay), closes the database, frees the
 * lock. No other thread may use it any more. Accepts NULL. */
void store_close(struct store *store);
/* The database, for db_snapshot and db_write. Borrowed; lives as long as the store. */
struct db *store_db(struct store *store);
/* Open folder descriptor of blobs/ and uploads/. Borrowed. */
int store_blobs_dir(const struct store *store);
int store_uploads_dir(const struct store *store);

/* Limits, set once before the first request; the defaults are those of the architecture, section
 * 9. */
struct store_limits {
    int uploads_per_account; /* 512 */
    int64_t upload_idle_us;  /* 24 h */
    int64_t condemned_us;    /* how long a blob that nothing names (yet, or any more) is kept: longer
                                than a push takes between being told "exists" and its manifest:
                                24 h */
    int64_t journal_bytes;   /* of small blobs that may wait for their files; 0: none. 32 MiB */
};
void store_set_limits(struct store *store, const struct store_limits *limits);
const struct store_limits *store_get_limits(const struct store *store);

#endif
