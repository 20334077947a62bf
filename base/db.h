/* The one door to the database engine (the only sqlite3.h). SQL text lives in a statement table handed over at open;
 * callers name a statement by its number. One write connection with group commit, used by one of the writing threads at
 * a time, for all that wait; one read connection per reading thread, opened at its first read and kept through a
 * pthread key.
 * SQLite settings: WAL, synchronous=FULL, foreign_keys=ON, trusted_schema=OFF, DEFENSIVE, busy_timeout.
 *
 * Invariants
 *   1. Writes run one after the other, a group of them in one BEGIN IMMEDIATE; one that fails leaves nothing, and the
 *      others of its group are stored.
 *   2. When db_write returns true, the change survives power loss; when db_write_relaxed does, the death of the process.
 *   3. A snapshot sees one committed state from its begin to its end. */
#ifndef BASE_DB_H
#define BASE_DB_H

#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"

struct db;
struct db_tx;   /* a snapshot (reading) or the write transaction ("writer" in other headers); borrowed */
struct db_stmt; /* a prepared statement, borrowed from the connection until db_stmt_done */

struct db_options {
    const char *path;
    const char *const *statements; /* SQL by number, parameters ?1 … */
    int statement_count;
    const char *const *migrations; /* migration i brings user_version from i to i + 1 */
    int migration_count;
};

/* Opens or makes the database, migrates it.
 * Expected errors: ERR_CONFLICT "the database was written by a newer version", ERR_INTERNAL. */
bool db_open(const struct db_options *options, struct db **out, struct err *err) MUST_USE;
/* No other thread may use it any more. Accepts NULL. */
void db_close(struct db *db);

/* Runs on one of the threads that are in db_write, which may be another than the one that queued it and may hold a
 * snapshot or locks of its own: it waits for nothing, and touches only the database and `arg`. It may be run
 * again after what it did was rolled back (so it must set, not add to, what `arg` carries out). Returns false with err
 * to undo what it did. */
typedef bool (*db_write_fn)(struct db_tx *tx, void *arg, struct err *err);
/* Queues fn, waits for the commit of its group. True: fn returned true and the commit is durable.
 * False: nothing of fn is stored; err is fn's own or that of the commit. Any thread, not from inside a write. */
bool db_write(struct db *db, db_write_fn fn, void *arg, struct err *err) MUST_USE;
/* The same, acknowledged without a sync of the disk: the change is there for everybody, and survives the death of the
 * process; power loss may take it, together with everything that came later: what is left is always a prefix of what
 * was committed. Whatever db_write commits after it makes it durable too. For what its user can begin again. */
bool db_write_relaxed(struct db *db, db_write_fn fn, void *arg, struct err *err) MUST_USE;

/* Why the last change could not be stored, a sentence for whoever runs this; NULL while changes can be stored. It is
 * NULL again when the next one is: db_try asks for it when nobody writes. Reads go on. Any thread, at once. */
const char *db_trouble(const struct db *db);
/* Stores something that changes nothing, as durable as any change. Any thread, not from inside a write.
 * Expected errors: ERR_NO_SPACE, ERR_INTERNAL. */
bool db_try(struct db *db, struct err *err) MUST_USE;

/* Begins a read transaction on this thread's connection; one at a time per thread. */
bool db_snapshot(struct db *db, struct db_tx **out, struct err *err) MUST_USE;
/* Ends it; accepts NULL. */
void db_snapshot_end(struct db_tx *tx);
static inline void cleanup_snapshot(struct db_tx **tx)
{
    db_snapshot_end(*tx);
}
#define auto_snapshot __attribute__((cleanup(cleanup_snapshot)))

/* Borrows statement `number`, reset and unbound. Never NULL: a statement that does not prepare is a bug. */
struct db_stmt *db_stmt(struct db_tx *tx, int number);
void db_stmt_done(struct db_stmt *q); /* resets, clears bindings; accepts NULL */
static inline void cleanup_stmt(struct db_stmt **q)
{
    db_stmt_done(*q);
}
#define auto_stmt __attribute__((cleanup(cleanup_stmt)))

/* Bytes and text are NOT copied: they must live until the step after. Index from 1. */
void db_bind_int(struct db_stmt *q, int index, int64_t value);
void db_bind_text(struct db_stmt *q, int index, struct slice text);
void db_bind_str(struct db_stmt *q, int index, const char *text); /* NULL binds NULL */
void db_bind_blob(struct db_stmt *q, int index, struct slice bytes);
void db_bind_digest(struct db_stmt *q, int index, const struct digest *d); /* unset binds NULL */
void db_bind_null(struct db_stmt *q, int index);

enum db_result { DB_FAILED, DB_ROW, DB_DONE };
/* Expected results DB_ROW and DB_DONE; DB_FAILED fills err (constraint violations: ERR_CONFLICT, a full disk:
 * ERR_NO_SPACE, everything else ERR_INTERNAL). */
enum db_result db_step(struct db_stmt *q, struct err *err) MUST_USE;
/* For statements without rows: true on DB_DONE (a row is taken as done too). */
bool db_run(struct db_stmt *q, struct err *err) MUST_USE;
/* Rows changed by the last statement run in this transaction. */
int64_t db_changes(struct db_tx *tx);

/* Columns from 0; text and bytes are borrowed until the next step or done. NULL reads as 0 / empty. */
int64_t db_col_int(struct db_stmt *q, int column);
struct slice db_col_text(struct db_stmt *q, int column);
struct slice db_col_blob(struct db_stmt *q, int column);
bool db_col_is_null(struct db_stmt *q, int column);
/* False (and out unset) when NULL or not a stored digest. */
bool db_col_digest(struct db_stmt *q, int column, struct digest *out);

/* For maintenance and tests: EXPLAIN QUERY PLAN of statement `number` as text lines. */
bool db_explain(struct db *db, int number, struct buf *out, struct err *err) MUST_USE;
/* Is the file what the engine wrote? Both members are called on the calling thread and borrow what they are given. */
struct db_damage_listener {
    void (*found)(const char *what, void *arg); /* half a sentence in one line */
    void (*pulse)(void *arg);                   /* every now and then while it works; may be NULL */
    void *arg;
};
#define DB_DAMAGE_MAX 100 /* findings of one kind; the rest is not told */
/* Reads every page: those that are not well-formed, entries of a table that its indexes lack and the other way round,
 * values that the schema forbids, and rows that belong to one which is not there. Takes as long as reading the file
 * does, changes nothing. No snapshot may be open on this thread. Expected errors: those of reading; damage is none. */
bool db_damage_look(struct db *db, const struct db_damage_listener *listener, struct err *err) MUST_USE;
/* Truncating WAL checkpoint; maintenance thread. */
bool db_checkpoint(struct db *db, struct err *err) MUST_USE;

#endif
