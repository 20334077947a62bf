#include "base/db_internal.h"

#include <errno.h>
#include <stdio.h>

static const char *const step_text[STEP_COUNT] = {
    [STEP_BEGIN_READ] = "BEGIN DEFERRED",
    [STEP_FIX_STATE] = "SELECT 1 FROM sqlite_schema LIMIT 1",
    [STEP_BEGIN_WRITE] = "BEGIN IMMEDIATE",
    [STEP_SAVEPOINT] = "SAVEPOINT request",
    [STEP_RELEASE] = "RELEASE request",
    [STEP_ROLLBACK_TO] = "ROLLBACK TO request",
    [STEP_COMMIT] = "COMMIT",
};

/* --- errors --- */

static enum err_code code_of(int result)
{
    switch (result & 0xFF) {
    case SQLITE_CONSTRAINT:
        return ERR_CONFLICT;
    case SQLITE_FULL:
        return ERR_NO_SPACE;
    case SQLITE_BUSY:
        return ERR_BUSY;
    default:
        return ERR_INTERNAL;
    }
}

/* What the file itself remembers: the engine does not ask it when it is the commit that fails. */
static int errno_of_file(sqlite3 *handle, int which)
{
    sqlite3_file *file = NULL;
    int sys = 0;
    if (sqlite3_file_control(handle, "main", which, &file) != SQLITE_OK || !file ||
        !file->pMethods ||
        file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &sys) != SQLITE_OK) {
        return 0;
    }
    return sys;
}

static int errno_of(sqlite3 *handle, int result)
{
    int sys = handle ? sqlite3_system_errno(handle) : 0;
    if (sys != 0 || !handle || result != SQLITE_IOERR_WRITE) {
        return sys;
    }
    sys = errno_of_file(handle, SQLITE_FCNTL_JOURNAL_POINTER);
    return sys != 0 ? sys : errno_of_file(handle, SQLITE_FCNTL_FILE_POINTER);
}

/* A disk that fills up while the log is written is an I/O error with the errno beside it. */
static bool disk_is_full(sqlite3 *handle, int result)
{
    int sys = (result & 0xFF) == SQLITE_IOERR ? errno_of(handle, result) : 0;
    return sys == ENOSPC || sys == EDQUOT;
}

static bool out_of_descriptors(sqlite3 *handle, int result)
{
    int sys = handle && (result & 0xFF) == SQLITE_CANTOPEN ? sqlite3_system_errno(handle) : 0;
    return sys == EMFILE || sys == ENFILE;
}

bool db_engine_error(struct err *err, sqlite3 *handle, int result, const char *where,
                     const char *what)
{
    enum err_code code = disk_is_full(handle, result)         ? ERR_NO_SPACE
                         : out_of_descriptors(handle, result) ? ERR_BUSY
                                                              : code_of(result);
    err_set_at(err, code, where, "");
    if (err) {
        bool has_errno =
            handle && ((result & 0xFF) == SQLITE_IOERR || (result & 0xFF) == SQLITE_CANTOPEN);
        err->sys = has_errno ? errno_of(handle, result) : 0;
        snprintf(err->detail, sizeof(err->detail), "%.150s: %.200s (%d)", what,
                 handle ? sqlite3_errmsg(handle) : sqlite3_errstr(result), result);
    }
    return false;
}

bool db_engine_exec(sqlite3 *handle, const char *sql, struct err *err)
{
    int result = sqlite3_exec(handle, sql, NULL, NULL, NULL);
    return result == SQLITE_OK || db_engine_error(err, handle, result, __func__, sql);
}

void db_engine_rollback(sqlite3 *handle)
{
    if (!sqlite3_get_autocommit(handle)) {
        (void)sqlite3_exec(handle, "ROLLBACK", NULL, NULL, NULL);
    }
}

bool db_engine_step(struct connection *c, enum step step, struct err *err)
{
    sqlite3_stmt **q = &c->steps[step];
    int result = SQLITE_OK;
    if (!*q) {
        result =
            sqlite3_prepare_v3(c->handle, step_text[step], -1, SQLITE_PREPARE_PERSISTENT, q, NULL);
    }
    if (result == SQLITE_OK) {
        result = sqlite3_step(*q);
    }
    bool done = result == SQLITE_DONE || result == SQLITE_ROW;
    if (!done) {
        db_engine_error(err, c->handle, result, __func__, step_text[step]);
    }
    (void)sqlite3_reset(*q); /* repeats the error of the step */
    return done;
}

/* --- connections --- */

static const char *const settings[] = {
    "PRAGMA journal_mode=WAL",   "PRAGMA synchronous=FULL",  "PRAGMA foreign_keys=ON",
    "PRAGMA trusted_schema=OFF", "PRAGMA temp_store=MEMORY", "PRAGMA journal_size_limit=67108864",
    "PRAGMA secure_delete=FAST", /* not the pages that become free: those of settled blobs, mostly */
};

static bool configure(sqlite3 *handle, struct err *err)
{
    int on = 0;
    sqlite3_extended_result_codes(handle, 1);
    sqlite3_busy_timeout(handle, BUSY_TIMEOUT_MS);
    int result = sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, &on);
    if (result != SQLITE_OK || on != 1) {
        return db_engine_error(err, handle, result, __func__, "SQLITE_DBCONFIG_DEFENSIVE");
    }
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        if (!db_engine_exec(handle, settings[i], err)) {
            return false;
        }
    }
    return true;
}

void db_connection_close(struct connection *c)
{
    for (int i = 0; c->statements && i < c->db->statement_count; i++) {
        sqlite3_finalize(c->statements[i].raw);
    }
    for (int i = 0; i < STEP_COUNT; i++) {
        sqlite3_finalize(c->steps[i]);
    }
    free(c->statements);
    c->statements = NULL;
    int result = sqlite3_close(c->handle);
    if (result != SQLITE_OK) {
        BUG("a database connection was closed while in use");
    }
    c->handle = NULL;
}

bool db_connection_open(const struct db *db, struct connection *c, struct err *err)
{
    *c = (struct connection){.db = db};
    int result =
        sqlite3_open_v2(db->path, &c->handle,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    if (result != SQLITE_OK) {
        db_engine_error(err, c->handle, result, __func__, db->path);
        sqlite3_close(c->handle);
        c->handle = NULL;
        return false;
    }
    c->statements = xcalloc((size_t)db->statement_count, sizeof(*c->statements));
    if (!configure(c->handle, err)) {
        db_connection_close(c);
        return false;
    }
    return true;
}

bool db_connection_can_write(const struct connection *c, struct err *err)
{
    return sqlite3_db_readonly(c->handle, "main") != 1 ||
           db_engine_error(err, NULL, SQLITE_READONLY, __func__, c->db->path);
}
