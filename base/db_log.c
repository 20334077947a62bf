#include "base/db_internal.h"
#include "base/fsx.h"
#include "base/log.h"

#include <fcntl.h>
#include <sys/stat.h>

/* Pages in the log from which on the writer moves them into the database after a commit: what changes often goes there
 * once in 16 MiB. */
#define CHECKPOINT_PAGES 4000

/* Of "WAL-Mode File Format", 2 and 2.1. */
#define LOG_INDEX_BYTES (32 * 1024) /* one block of it */
#define LOG_INDEX_VERSION 3007000   /* its first word */
#define LOG_INDEX_MOVED 24          /* which word counts the frames that are in the database */

void db_log_doubt(struct db *db, int result)
{
    if (result == SQLITE_IOERR_FSYNC) {
        atomic_store(&db->log_suspect, true);
    }
}

/* The engine's count of the log's frames that are in the database, back to none: the next checkpoint moves all of them.
 * It stands in the memory that the connections share ("WAL-Mode File Format", 2.1: nBackfill). Only a checkpoint changes
 * it, and none runs (`moving` is held); while it is short of the log's end, which it was when a checkpoint failed, nobody
 * begins the log anew. A reader who sees it takes from the log what he would take from the database: the same. */
static void move_all_again(sqlite3 *handle)
{
    sqlite3_file *file = NULL;
    void volatile *shared = NULL;
    int result = sqlite3_file_control(handle, "main", SQLITE_FCNTL_FILE_POINTER, (void *)&file);
    result = result == SQLITE_OK ? file->pMethods->xShmMap(file, 0, LOG_INDEX_BYTES, 0, &shared) : result;
    uint32_t volatile *words = shared;
    if (result != SQLITE_OK || !words || words[0] != LOG_INDEX_VERSION) {
        BUG("the index of the log is not in memory, or another engine's"); /* the next start moves all again, too */
    }
    __atomic_store_n(&words[LOG_INDEX_MOVED], 0, __ATOMIC_SEQ_CST);
    log_event(LOG_WARN, "index_moved_again", "why=\"a sync of the index failed\"");
}

/* With `moving` held. */
static bool move_pages(struct db *db, sqlite3 *handle, int mode, struct err *err)
{
    int result = sqlite3_wal_checkpoint_v2(handle, NULL, mode, NULL, NULL);
    if (result == SQLITE_OK || result == SQLITE_BUSY) {
        return true;
    }
    if (result == SQLITE_IOERR_FSYNC) { /* of which file it was, nobody says */
        db_log_doubt(db, result);
        move_all_again(handle);
    }
    return db_engine_error(err, handle, result, __func__, "wal_checkpoint");
}

/* After each commit of the writer. The engine's own hook does the same, but forgets failures. Whoever moves pages now
 * may wait for the writer: it does not wait for him. */
static int checkpoint_now_and_then(void *arg, sqlite3 *handle, const char *name, int pages)
{
    struct db *db = arg;
    (void)name;
    db_trouble_ends(db);
    if (pages >= CHECKPOINT_PAGES && pthread_mutex_trylock(&db->moving) == 0) {
        struct err why = {0};
        if (!move_pages(db, handle, SQLITE_CHECKPOINT_PASSIVE, &why)) {
            log_err(LOG_ERROR, "checkpoint", &why);
        }
        pthread_mutex_unlock(&db->moving);
    }
    return SQLITE_OK; /* the commit itself is done */
}

void db_log_find(struct db *db)
{
    struct stat st;
    atomic_store(&db->log_suspect, stat(db->log_path, &st) == 0 && st.st_size > 0);
}

void db_log_follow(struct db *db)
{
    (void)sqlite3_wal_hook(db->writer.handle, checkpoint_now_and_then, db);
}

bool db_log_heal(struct db *db, struct err *why)
{
    if (!atomic_exchange(&db->log_suspect, false)) {
        return true;
    }
    if (!fsx_rewrite(AT_FDCWD, db->log_path, why)) {
        atomic_store(&db->log_suspect, true);
        return false;
    }
    log_event(LOG_INFO, "index_log_rewritten", "file=\"%s\"", db->log_path);
    return true;
}

bool db_log_secure(struct db *db, struct err *why)
{
    db->log_named = db->log_named || fsx_sync_folder(AT_FDCWD, db->log_path, why);
    return db->log_named && db_log_heal(db, why);
}

static bool heal_in_turn(struct db_tx *tx, void *db, struct err *err)
{
    (void)tx;
    return db_log_heal(db, err);
}

bool db_checkpoint(struct db *db, struct err *err)
{
    if (atomic_load(&db->log_suspect) && !db_write(db, heal_in_turn, db, err)) {
        return false;
    }
    struct reader *r = db_reader(db, err);
    if (!r) {
        return false;
    }
    if (r->open) {
        BUG("a checkpoint inside a snapshot");
    }
    sqlite3 *handle = r->connection.handle;
    /* Waiting for readers it would hold up the writer, and a reader may itself wait for a write: what cannot be moved
     * now is moved the next time. */
    sqlite3_busy_timeout(handle, 0);
    pthread_mutex_lock(&db->moving);
    bool ok = move_pages(db, handle, SQLITE_CHECKPOINT_TRUNCATE, err);
    pthread_mutex_unlock(&db->moving);
    sqlite3_busy_timeout(handle, BUSY_TIMEOUT_MS);
    return ok;
}

void db_log_end(struct db *db)
{
    struct err why = {0};
    int on = 0;
    if (!db_log_heal(db, &why)) {
        log_err(LOG_ERROR, "index_log_suspect", &why);
        (void)sqlite3_db_config(db->writer.handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, &on);
    }
}
