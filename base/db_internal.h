/* What the files db*.c share: a connection to the engine, its statements, the log, and who writes.
 * Private to them; with it they alone know sqlite3.h.
 *   db.c          opening and closing, snapshots
 *   db_engine.c   the engine's errors, the module's own statements, connections
 *   db_migrate.c  from one format to the next
 *   db_stmt.c     statements: values in, columns out
 *   db_write.c    one writer at a time, many requests in a commit
 *   db_log.c      the log that commits are written to: when it is synced, healed, moved
 *   db_damage.c   whether the file is still what the engine wrote */
#ifndef BASE_DB_INTERNAL_H
#define BASE_DB_INTERNAL_H

#include "base/db.h"

#include <pthread.h>
#include <semaphore.h>
#include <sqlite3.h>
#include <stdatomic.h>

#define BUSY_TIMEOUT_MS 5000

/* The statements of the module itself. */
enum step {
    STEP_BEGIN_READ,
    STEP_FIX_STATE,
    STEP_BEGIN_WRITE,
    STEP_SAVEPOINT,
    STEP_RELEASE,
    STEP_ROLLBACK_TO,
    STEP_COMMIT,
    STEP_COUNT
};

struct connection;

struct db_stmt {
    sqlite3_stmt *raw;
    struct connection *connection;
    bool borrowed;
};

/* A connection and its prepared statements: used by one thread at a time. */
struct connection {
    sqlite3 *handle;
    const struct db *db;
    struct db_stmt *statements; /* by number, prepared at first use */
    int borrowed;               /* of them */
    sqlite3_stmt *steps[STEP_COUNT];
};

struct db_tx {
    struct connection *connection;
};

/* One per reading thread, found through the pthread key, listed so that db_close can end those of
 * living threads. */
struct reader {
    struct connection connection;
    struct db_tx tx;
    bool open; /* a snapshot is running */
    struct db *db;
    struct reader *next;
};

/* Lives on the stack of the thread that is in db_write. */
struct request {
    db_write_fn fn;
    void *arg;
    struct err *err;
    bool durable;
    bool ok;
    bool finished; /* what its waiter is woken for: it is done, or it is its turn to write */
    sem_t woken;
    struct request *next;
};

struct db {
    char *path;
    const char *const *statements;
    int statement_count;

    /* of the thread that writes */
    struct connection writer;
    char *log_path;
    atomic_bool log_suspect; /* a sync of the log failed: see db_log_heal */
    bool log_named;          /* its folder was synced by this process */

    /* Over checkpoints. One that readers cut short counts its pages as moved without a sync of the database; when the
     * sync of a later one fails, the system may drop them too: then all are moved again. */
    pthread_mutex_t moving;

    bool syncing; /* how commits are set to be: with a sync of the disk */

    _Atomic(const char *) trouble; /* db_trouble */

    atomic_ulong writing_thread; /* a pthread_t; 0: nobody writes, or is about to say so */
    pthread_mutex_t lock;        /* over the members below */
    bool writing;
    struct request *first, *last;

    pthread_key_t reader_key;
    pthread_mutex_t readers_lock;
    struct reader *readers;
};

/* --- db_engine.c ------------------------------------------------------------------------------ */

/* Always false. What the engine says of `what`, in our words: a full disk, too few descriptors, a
 * constraint, or ERR_INTERNAL with its text in the detail. */
bool db_engine_error(struct err *err, sqlite3 *handle, int result, const char *where,
                     const char *what);
bool db_engine_exec(sqlite3 *handle, const char *sql, struct err *err) MUST_USE;
/* Of whatever transaction there is. */
void db_engine_rollback(sqlite3 *handle);
/* Runs one of the module's own statements, prepared at first use. */
bool db_engine_step(struct connection *c, enum step step, struct err *err) MUST_USE;

/* A connection with the settings of db.h. On false there is nothing to close. */
bool db_connection_open(const struct db *db, struct connection *c, struct err *err) MUST_USE;
/* SQLite opens for reading what it fails to open for writing, and says nothing: fine for a reader, but a writer
 * could write nothing until the next start. Expected errors: ERR_INTERNAL. */
bool db_connection_can_write(const struct connection *c, struct err *err) MUST_USE;
void db_connection_close(struct connection *c);

/* --- db_migrate.c ----------------------------------------------------------------------------- */

/* Expected errors: ERR_CONFLICT (a newer format). */
bool db_migrate(sqlite3 *handle, const struct db_options *options, struct err *err) MUST_USE;

/* --- db_stmt.c -------------------------------------------------------------------------------- */

/* Gives back what a function left borrowed. */
void db_stmt_return(struct connection *c);

/* --- db.c ------------------------------------------------------------------------------------- */

/* The calling thread's; NULL on failure. */
struct reader *db_reader(struct db *db, struct err *err) MUST_USE;

/* --- db_write.c ------------------------------------------------------------------------------- */

/* Is the calling thread inside a write? */
bool db_is_writing(struct db *db);

/* --- db_trouble.c ----------------------------------------------------------------------------- */

/* A change could not be stored, as the engine or the log says; a conflict and a busy engine are no trouble. */
void db_trouble_begins(struct db *db, const struct err *why);
/* A function failed in a write: because of what the disk did to it, and not by a refusal of its own? */
bool db_trouble_was_met(const struct db *db);
/* A commit has changed the log. One that was not synced does not count: the disk may fail at syncs alone. */
void db_trouble_ends(struct db *db);

/* --- db_log.c --------------------------------------------------------------------------------- */

/* Before the first connection: is a log there, left by a process that did not close it, perhaps
 * because it could not sync it? Then it is in doubt. */
void db_log_find(struct db *db);
/* From here on the writer's commits are followed: a long log is moved into the database. */
void db_log_follow(struct db *db);
/* A result of the engine: was it a sync that failed? Then the log is in doubt. */
void db_log_doubt(struct db *db, int result);
/* After a sync of the log that failed the kernel may have given up what it held of it, relaxed commits of earlier groups
 * among them, and no later sync will tell. A durable commit behind such a gap would be lost with it. So the log is
 * written over itself before anything is added to it or moved out of it. Inside a transaction of the writer, which
 * keeps everybody else from changing the log; the engine locks other files, so closing this one drops no lock. */
bool db_log_heal(struct db *db, struct err *err) MUST_USE;
/* Before the log is added to. The engine syncs the folder when it has made the log, but takes no notice when that
 * fails: once in the life of a process it is done again. */
bool db_log_secure(struct db *db, struct err *err) MUST_USE;
/* Before the writer's connection is closed: the last one moves and removes the log; one that is in
 * doubt stays, for the next start to read. */
void db_log_end(struct db *db);

#endif
