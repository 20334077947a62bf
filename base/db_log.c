#include "base/db_internal.h"
#include "base/fsx.h"
#include "base/log.h"

#include <fcntl.h>
#include <sys/stat.h>

/* Pages in the log from which on the writer moves them into the database after a commit: what changes often goes there
 * once in 16 MiB. */
#define CHECKPOINT_PAGES 4000

#define PIECE (1024 * 1024) /* bytes of the database that are written again at once */

void db_log_doubt(struct db *db, int result)
{
    if (result == SQLITE_IOERR_FSYNC) {
        atomic_store(&db->log_suspect, true);
    }
}

/* All that the database has, as it can be read, written and synced again. Through the engine's own descriptor: closing
 * another one would give up its locks. With `moving` held: only checkpoints write there. */
static bool heal_pages(struct db *db, sqlite3 *handle, struct err *err)
{
    sqlite3_file *file = NULL;
    sqlite3_int64 size = 0;
    if (!db->pages_suspect) {
        return true;
    }
    int result = sqlite3_file_control(handle, "main", SQLITE_FCNTL_FILE_POINTER, (void *)&file);
    result = result == SQLITE_OK ? file->pMethods->xFileSize(file, &size) : result;
    auto_free char *piece = xcalloc(1, PIECE);
    for (sqlite3_int64 at = 0; at < size && result == SQLITE_OK; at += PIECE) {
        int n = size - at < PIECE ? (int)(size - at) : PIECE;
        result = file->pMethods->xRead(file, piece, n, at);
        result = result == SQLITE_OK ? file->pMethods->xWrite(file, piece, n, at) : result;
    }
    result = result == SQLITE_OK ? file->pMethods->xSync(file, SQLITE_SYNC_NORMAL) : result;
    db->pages_suspect = result != SQLITE_OK;
    if (db->pages_suspect) {
        return db_engine_error(err, NULL, result, __func__, db->path);
    }
    log_event(LOG_INFO, "index_rewritten", "file=\"%s\"", db->path);
    return true;
}

/* With `moving` held. */
static bool move_pages(struct db *db, sqlite3 *handle, int mode, struct err *err)
{
    if (!heal_pages(db, handle, err)) {
        return false;
    }
    int result = sqlite3_wal_checkpoint_v2(handle, NULL, mode, NULL, NULL);
    if (result == SQLITE_OK || result == SQLITE_BUSY) {
        return true;
    }
    db_log_doubt(db, result); /* of which file it was, nobody says */
    db->pages_suspect = db->pages_suspect || result == SQLITE_IOERR_FSYNC;
    return db_engine_error(err, handle, result, __func__, "wal_checkpoint");
}

/* After each commit of the writer. The engine's own hook does the same, but forgets failures. Whoever moves pages now
 * may wait for the writer: it does not wait for him, nor does it write the whole database again. */
static int checkpoint_now_and_then(void *arg, sqlite3 *handle, const char *name, int pages)
{
    struct db *db = arg;
    (void)name;
    if (pages >= CHECKPOINT_PAGES && pthread_mutex_trylock(&db->moving) == 0) {
        struct err why = {0};
        if (!db->pages_suspect && !move_pages(db, handle, SQLITE_CHECKPOINT_PASSIVE, &why)) {
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
    if (!db_log_heal(db, &why) || !heal_pages(db, db->writer.handle, &why)) {
        log_err(LOG_ERROR, "index_log_suspect", &why);
        (void)sqlite3_db_config(db->writer.handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, &on);
    }
}
