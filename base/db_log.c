#include "base/db_internal.h"
#include "base/fsx.h"
#include "base/log.h"

#include <fcntl.h>
#include <sys/stat.h>

/* Pages in the log from which on the writer moves them into the database after a commit: what changes often goes there
 * once in 16 MiB. */
#define CHECKPOINT_PAGES 4000

void db_log_doubt(struct db *db, int result)
{
    if (result == SQLITE_IOERR_FSYNC) {
        atomic_store(&db->log_suspect, true);
    }
}

/* After each commit of the writer. The engine's own hook does the same, but forgets failures. */
static int checkpoint_now_and_then(void *arg, sqlite3 *handle, const char *name, int pages)
{
    struct db *db = arg;
    if (pages >= CHECKPOINT_PAGES) {
        int result = sqlite3_wal_checkpoint_v2(handle, name, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
        if (result != SQLITE_OK && result != SQLITE_BUSY) {
            struct err why = {0};
            db_engine_error(&why, handle, result, __func__, "wal_checkpoint");
            log_err(LOG_ERROR, "checkpoint", &why);
            db_log_doubt(db, result);
        }
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
    int result = sqlite3_wal_checkpoint_v2(handle, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    sqlite3_busy_timeout(handle, BUSY_TIMEOUT_MS);
    if (result == SQLITE_OK || result == SQLITE_BUSY) {
        return true;
    }
    db_log_doubt(db, result);
    return db_engine_error(err, handle, result, __func__, "wal_checkpoint");
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
