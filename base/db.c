#include "base/db_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

/* --- snapshots --- */

static void reader_free(struct reader *r)
{
    db_stmt_return(&r->connection);
    if (r->open) {
        db_engine_rollback(r->connection.handle);
    }
    db_connection_close(&r->connection);
    free(r);
}

/* A reading thread ends: the key's destructor. */
static void reader_gone(void *value)
{
    struct reader *r = value;
    struct db *db = r->db;
    pthread_mutex_lock(&db->readers_lock);
    struct reader **at = &db->readers;
    while (*at && *at != r) {
        at = &(*at)->next;
    }
    if (*at) {
        *at = r->next;
    }
    pthread_mutex_unlock(&db->readers_lock);
    reader_free(r);
}

struct reader *db_reader(struct db *db, struct err *err)
{
    struct reader *r = pthread_getspecific(db->reader_key);
    if (r) {
        return r;
    }
    r = xcalloc(1, sizeof(*r));
    if (!db_connection_open(db, &r->connection, err) ||
        !db_engine_exec(r->connection.handle, "PRAGMA query_only=ON", err)) {
        if (r->connection.handle) {
            db_connection_close(&r->connection);
        }
        free(r);
        return NULL;
    }
    r->db = db;
    r->tx.connection = &r->connection;
    if (pthread_setspecific(db->reader_key, r) != 0) {
        BUG("pthread_setspecific");
    }
    pthread_mutex_lock(&db->readers_lock);
    r->next = db->readers;
    db->readers = r;
    pthread_mutex_unlock(&db->readers_lock);
    return r;
}

bool db_snapshot(struct db *db, struct db_tx **out, struct err *err)
{
    *out = NULL;
    if (db_is_writing(db)) {
        BUG("a snapshot inside a write");
    }
    struct reader *r = db_reader(db, err);
    if (!r) {
        return false;
    }
    if (r->open) {
        BUG("a second snapshot on one thread");
    }
    /* a deferred transaction fixes its state at the first read, so read at once */
    if (!db_engine_step(&r->connection, STEP_BEGIN_READ, err) ||
        !db_engine_step(&r->connection, STEP_FIX_STATE, err)) {
        db_engine_rollback(r->connection.handle);
        return false;
    }
    r->open = true;
    *out = &r->tx;
    return true;
}

void db_snapshot_end(struct db_tx *tx)
{
    if (!tx) {
        return;
    }
    struct reader *r = (struct reader *)tx->connection; /* its first member */
    if (!r->open) {
        BUG("a snapshot ended twice");
    }
    db_stmt_return(&r->connection);
    if (!db_engine_step(&r->connection, STEP_COMMIT, NULL)) {
        db_engine_rollback(r->connection.handle);
    }
    r->open = false;
}

/* --- opening and closing --- */

static void db_free(struct db *db)
{
    pthread_key_delete(db->reader_key);
    pthread_mutex_destroy(&db->readers_lock);
    pthread_mutex_destroy(&db->lock);
    pthread_mutex_destroy(&db->moving);
    free(db->path);
    free(db->log_path);
    free(db);
}

static struct db *db_new(const struct db_options *options)
{
    struct db *db = xcalloc(1, sizeof(*db));
    auto_buf struct buf log_path = {0};
    buf_printf(&log_path, "%s-wal", options->path);
    db->path = xstrdup(options->path);
    db->log_path = xstrdup(log_path.p);
    db->statements = options->statements;
    db->statement_count = options->statement_count;
    db->syncing = true; /* as configure() sets it */
    pthread_mutex_init(&db->lock, NULL);
    pthread_mutex_init(&db->moving, NULL);
    pthread_mutex_init(&db->readers_lock, NULL);
    if (pthread_key_create(&db->reader_key, reader_gone) != 0) {
        BUG("pthread_key_create");
    }
    return db;
}

/* Makes the file with its mode beforehand, so that it is never readable by others; the engine gives
 * -wal and -shm the same mode. A file that exists is not opened here: closing it would drop the
 * locks of this process on it. */
static bool make_private(const char *path, struct err *err)
{
    auto_fd int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno != EEXIST) {
        return err_sys(err, errno, "create %s", path);
    }
    if (chmod(path, 0600) != 0) {
        return err_sys(err, errno, "chmod of %s", path);
    }
    return true;
}

bool db_open(const struct db_options *options, struct db **out, struct err *err)
{
    *out = NULL;
    if (!sqlite3_threadsafe()) {
        BUG("the database engine was built without threads");
    }
    struct db *db = db_new(options);
    db_log_find(db);
    bool opened = make_private(db->path, err) && db_connection_open(db, &db->writer, err);
    if (!opened || !db_connection_can_write(&db->writer, err) || !db_migrate(db->writer.handle, options, err)) {
        if (opened) {
            db_connection_close(&db->writer);
        }
        db_free(db);
        return false;
    }
    db_log_follow(db);
    *out = db;
    return true;
}

void db_close(struct db *db)
{
    if (!db) {
        return;
    }
    while (db->readers) {
        struct reader *r = db->readers;
        db->readers = r->next;
        reader_free(r);
    }
    db_log_end(db);
    db_connection_close(&db->writer);
    db_free(db);
}

/* --- for tests of the statements --- */

bool db_explain(struct db *db, int number, struct buf *out, struct err *err)
{
    if (number < 0 || number >= db->statement_count) {
        BUG("no such statement");
    }
    struct reader *r = db_reader(db, err);
    if (!r) {
        return false;
    }
    auto_buf struct buf sql = {0};
    sqlite3 *handle = r->connection.handle;
    sqlite3_stmt *q = NULL;
    buf_printf(&sql, "EXPLAIN QUERY PLAN %s", db->statements[number]);
    int result = sqlite3_prepare_v2(handle, sql.p, -1, &q, NULL);
    if (result != SQLITE_OK) {
        return db_engine_error(err, handle, result, __func__, sql.p);
    }
    while ((result = sqlite3_step(q)) == SQLITE_ROW) {
        buf_printf(out, "%s\n", (const char *)sqlite3_column_text(q, 3));
    }
    sqlite3_finalize(q);
    return result == SQLITE_DONE || db_engine_error(err, handle, result, __func__, sql.p);
}
