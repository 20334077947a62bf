#include "base/db.h"

#include "base/fsx.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>

/* Requests in one transaction at most: bounds how long the first of them waits. */
#define GROUP_MAX 256
#define GATHER_MAX 4
#define BUSY_TIMEOUT_MS 5000
/* Pages in the log from which on the writer moves them into the database after a commit: what changes often goes there
 * once in 16 MiB. */
#define CHECKPOINT_PAGES 4000

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

static const char *const step_text[STEP_COUNT] = {
    [STEP_BEGIN_READ] = "BEGIN DEFERRED",
    [STEP_FIX_STATE] = "SELECT 1 FROM sqlite_schema LIMIT 1",
    [STEP_BEGIN_WRITE] = "BEGIN IMMEDIATE",
    [STEP_SAVEPOINT] = "SAVEPOINT request",
    [STEP_RELEASE] = "RELEASE request",
    [STEP_ROLLBACK_TO] = "ROLLBACK TO request",
    [STEP_COMMIT] = "COMMIT",
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
    atomic_bool log_suspect; /* a sync of the log failed: see heal_log */
    bool log_named;          /* its folder was synced by this process */
    bool syncing;            /* how commits are set to be: with a sync of the disk */

    atomic_ulong writing_thread; /* a pthread_t; 0: nobody writes, or is about to say so */
    pthread_mutex_t lock;        /* over the members below */
    bool writing;
    struct request *first, *last;

    pthread_key_t reader_key;
    pthread_mutex_t readers_lock;
    struct reader *readers;
};

/* --- errors of the engine --- */

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

static bool engine_error(struct err *err, sqlite3 *handle, int result, const char *where,
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

static bool exec(sqlite3 *handle, const char *sql, struct err *err)
{
    int result = sqlite3_exec(handle, sql, NULL, NULL, NULL);
    return result == SQLITE_OK || engine_error(err, handle, result, __func__, sql);
}

static void rollback(sqlite3 *handle)
{
    if (!sqlite3_get_autocommit(handle)) {
        (void)sqlite3_exec(handle, "ROLLBACK", NULL, NULL, NULL);
    }
}

/* Runs one of the module's own statements, prepared at first use. */
static bool run_step(struct connection *c, enum step step, struct err *err)
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
        engine_error(err, c->handle, result, __func__, step_text[step]);
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
        return engine_error(err, handle, result, __func__, "SQLITE_DBCONFIG_DEFENSIVE");
    }
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        if (!exec(handle, settings[i], err)) {
            return false;
        }
    }
    return true;
}

static void connection_close(struct connection *c)
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

static bool connection_open(const struct db *db, struct connection *c, struct err *err)
{
    *c = (struct connection){.db = db};
    int result =
        sqlite3_open_v2(db->path, &c->handle,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    if (result != SQLITE_OK) {
        engine_error(err, c->handle, result, __func__, db->path);
        sqlite3_close(c->handle);
        c->handle = NULL;
        return false;
    }
    c->statements = xcalloc((size_t)db->statement_count, sizeof(*c->statements));
    if (!configure(c->handle, err)) {
        connection_close(c);
        return false;
    }
    return true;
}

/* --- migrations --- */

static bool read_version(sqlite3 *handle, int *out, struct err *err)
{
    sqlite3_stmt *q = NULL;
    int result = sqlite3_prepare_v2(handle, "PRAGMA user_version", -1, &q, NULL);
    if (result == SQLITE_OK) {
        result = sqlite3_step(q);
    }
    *out = result == SQLITE_ROW ? sqlite3_column_int(q, 0) : 0;
    sqlite3_finalize(q);
    return result == SQLITE_ROW ||
           engine_error(err, handle, result, __func__, "PRAGMA user_version");
}

/* One step and its number in one transaction: a crash leaves the version before or the version
 * after. */
static bool migrate_step(sqlite3 *handle, const char *sql, int to_version, struct err *err)
{
    char number[64];
    snprintf(number, sizeof(number), "PRAGMA user_version=%d", to_version);
    if (exec(handle, "BEGIN IMMEDIATE", err) && exec(handle, sql, err) &&
        exec(handle, number, err) && exec(handle, "COMMIT", err)) {
        return true;
    }
    rollback(handle);
    return false;
}

static bool migrate(sqlite3 *handle, const struct db_options *options, struct err *err)
{
    int version = 0;
    if (!read_version(handle, &version, err)) {
        return false;
    }
    if (version > options->migration_count || version < 0) {
        return err_set(err, ERR_CONFLICT,
                       "the database was written by a newer version of Bondstore (format %d, this "
                       "program knows up to %d)",
                       version, options->migration_count);
    }
    for (int i = version; i < options->migration_count; i++) {
        if (!migrate_step(handle, options->migrations[i], i + 1, err)) {
            return err_prefix(err, "migration %d", i + 1);
        }
    }
    return true;
}

/* --- writing --- */

static void suspect_log(struct db *db, int result)
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
            engine_error(&why, handle, result, __func__, "wal_checkpoint");
            log_err(LOG_ERROR, "checkpoint", &why);
            suspect_log(db, result);
        }
    }
    return SQLITE_OK; /* the commit itself is done */
}

/* Statements that a function left open would keep its savepoint from being released. */
static void return_statements(struct connection *c)
{
    for (int i = 0; c->borrowed > 0 && i < c->db->statement_count; i++) {
        db_stmt_done(&c->statements[i]);
    }
}

/* Some errors of the engine (disk full, I/O) end the whole transaction under the function. */
static bool call(struct db *db, struct request *rq)
{
    struct db_tx tx = {&db->writer};
    bool ok = rq->fn(&tx, rq->arg, rq->err);
    return_statements(&db->writer);
    if (!ok && rq->err->code == ERR_NONE) {
        return err_internal(rq->err, "a write failed without a reason");
    }
    if (ok && sqlite3_get_autocommit(db->writer.handle)) {
        return err_internal(rq->err, "the transaction ended inside a write");
    }
    return ok;
}

/* Runs one request, guarded by a savepoint of its own or not. False when the whole transaction is
 * lost with it. */
static bool run_one(struct db *db, struct request *rq, bool guarded)
{
    struct connection *c = &db->writer;
    *rq->err = (struct err){0};
    if (!guarded) {
        rq->ok = call(db, rq);
        return rq->ok;
    }
    rq->ok =
        run_step(c, STEP_SAVEPOINT, rq->err) && call(db, rq) && run_step(c, STEP_RELEASE, rq->err);
    if (rq->ok) {
        return true;
    }
    return !sqlite3_get_autocommit(c->handle) && run_step(c, STEP_ROLLBACK_TO, NULL) &&
           run_step(c, STEP_RELEASE, NULL);
}

enum outcome {
    GROUP_COMMITTED,
    GROUP_FAILED, /* it could not begin or commit: nobody's fault */
    GROUP_LOST,   /* one request took the transaction down */
};

/* One durable request makes the commit of its group durable, and with it all that came before: the
 * log is one file. Without a sync the engine still syncs where the order of its own files asks for
 * it. The setting takes effect between transactions only, and acts when it is parsed: it cannot be
 * kept prepared. */
static bool choose_sync(struct db *db, const struct request *group, struct err *why)
{
    bool durable = false;
    for (const struct request *rq = group; rq; rq = rq->next) {
        durable = durable || rq->durable;
    }
    if (durable == db->syncing) {
        return true;
    }
    if (!exec(db->writer.handle, durable ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL",
              why)) {
        return false;
    }
    db->syncing = durable;
    return true;
}

/* After a sync of the log that failed the kernel may have given up what it held of it, relaxed commits of earlier groups
 * among them, and no later sync will tell. A durable commit behind such a gap would be lost with it. So the log is
 * written over itself before anything is added to it or moved out of it. Inside a transaction of the writer, which
 * keeps everybody else from changing the log; the engine locks other files, so closing this one drops no lock. */
static bool heal_log(struct db *db, struct err *why)
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

/* Before the log is added to. The engine syncs the folder when it has made the log, but takes no notice when that
 * fails: once in the life of a process it is done again. */
static bool secure_log(struct db *db, struct err *why)
{
    db->log_named = db->log_named || fsx_sync_folder(AT_FDCWD, db->log_path, why);
    return db->log_named && heal_log(db, why);
}

static enum outcome run_together(struct db *db, struct request *group, bool guarded,
                                 struct err *why)
{
    struct connection *c = &db->writer;
    if (!choose_sync(db, group, why) || !run_step(c, STEP_BEGIN_WRITE, why)) {
        return GROUP_FAILED;
    }
    int64_t before = sqlite3_total_changes64(c->handle);
    for (struct request *rq = group; rq; rq = rq->next) {
        if (!run_one(db, rq, guarded)) {
            suspect_log(db, sqlite3_extended_errcode(c->handle));
            rollback(c->handle);
            return GROUP_LOST;
        }
    }
    bool changed = sqlite3_total_changes64(c->handle) != before;
    if ((changed && !secure_log(db, why)) || !run_step(c, STEP_COMMIT, why)) {
        suspect_log(db, sqlite3_extended_errcode(c->handle));
        rollback(c->handle);
        /* a deferred constraint: one of them broke it, alone it will be told */
        return why->code == ERR_CONFLICT && group->next ? GROUP_LOST : GROUP_FAILED;
    }
    return GROUP_COMMITTED;
}

/* After a commit that failed nothing is tried again: a second fsync that succeeds proves nothing.
 */
static void fail_all(struct request *group, const struct err *why)
{
    for (struct request *rq = group; rq; rq = rq->next) {
        if (rq->ok) {
            rq->ok = false;
            *rq->err = *why;
        }
    }
}

static enum outcome run_group(struct db *db, struct request *group, bool guarded)
{
    struct err why = {0};
    for (struct request *rq = group; rq; rq = rq->next) {
        rq->ok = true; /* until it fails */
    }
    enum outcome outcome = run_together(db, group, guarded, &why);
    if (outcome == GROUP_FAILED) {
        fail_all(group, &why);
    }
    return outcome;
}

/* Savepoints keep a copy of every page, and most groups need none: only when one of them fails the
 * group is run again, each in its own. What one request takes down even then is run request by
 * request: the others do not pay for it. */
static void run_requests(struct db *db, struct request *group)
{
    if (run_group(db, group, false) != GROUP_LOST || !group->next) {
        return;
    }
    if (run_group(db, group, true) != GROUP_LOST) {
        return;
    }
    for (struct request *rq = group; rq;) {
        struct request *next = rq->next;
        rq->next = NULL;
        (void)run_group(db, rq, false);
        rq->next = next;
        rq = next;
    }
}

/* Takes up to GROUP_MAX requests off the queue; with the lock held. */
static struct request *take_group(struct db *db)
{
    struct request *group = db->first;
    struct request *last = group;
    for (int i = 1; last && i < GROUP_MAX && last->next; i++) {
        last = last->next;
    }
    if (last) {
        db->first = last->next;
        last->next = NULL;
    }
    if (!db->first) {
        db->last = NULL;
    }
    return group;
}

static void wake(struct request *rq, bool finished)
{
    rq->finished = finished;
    (void)sem_post(&rq->woken); /* its memory is its waiter's again */
}

/* Threads that are about to write, but wait for a core, join the group. Costs nothing when no one
 * waits for one. With the lock held. */
static void gather(struct db *db)
{
    const struct request *seen = NULL;
    for (int i = 0; i < GATHER_MAX && db->last != seen; i++) {
        seen = db->last;
        pthread_mutex_unlock(&db->lock);
        (void)sched_yield();
        pthread_mutex_lock(&db->lock);
    }
}

/* One group, which begins with this thread's own request; then it is the turn of the first that
 * came meanwhile. So nobody writes for others longer than for one group, and who is alone is not
 * handed from thread to thread. */
static void write_group(struct db *db, struct request *own)
{
    pthread_mutex_lock(&db->lock);
    gather(db);
    struct request *group = take_group(db);
    pthread_mutex_unlock(&db->lock);

    atomic_store(&db->writing_thread, (unsigned long)pthread_self());
    run_requests(db, group);
    atomic_store(&db->writing_thread, 0);

    pthread_mutex_lock(&db->lock);
    struct request *heir = db->first;
    db->writing = heir != NULL;
    pthread_mutex_unlock(&db->lock);
    if (heir) {
        wake(heir, false);
    }
    while (group) {
        struct request *next = group->next;
        if (group != own) {
            wake(group, true);
        }
        group = next;
    }
}

/* True when it is this thread's turn at once. */
static bool enqueue(struct db *db, struct request *rq)
{
    pthread_mutex_lock(&db->lock);
    bool first = !db->writing;
    db->writing = true;
    if (db->last) {
        db->last->next = rq;
    } else {
        db->first = rq;
    }
    db->last = rq;
    pthread_mutex_unlock(&db->lock);
    return first;
}

static bool is_writing(struct db *db)
{
    return atomic_load(&db->writing_thread) == (unsigned long)pthread_self();
}

static bool write_kind(struct db *db, bool durable, db_write_fn fn, void *arg, struct err *err)
{
    if (is_writing(db)) {
        BUG("db_write inside a write");
    }
    struct err own = {0};
    struct request rq = {.fn = fn, .arg = arg, .err = err ? err : &own, .durable = durable};
    (void)sem_init(&rq.woken, 0, 0);
    if (!enqueue(db, &rq)) {
        while (sem_wait(&rq.woken) != 0) {
            /* a signal came */
        }
    }
    if (!rq.finished) {
        write_group(db, &rq);
    }
    (void)sem_destroy(&rq.woken);
    return rq.ok;
}

bool db_write(struct db *db, db_write_fn fn, void *arg, struct err *err)
{
    return write_kind(db, true, fn, arg, err);
}

bool db_write_relaxed(struct db *db, db_write_fn fn, void *arg, struct err *err)
{
    return write_kind(db, false, fn, arg, err);
}

/* --- snapshots --- */

static void reader_free(struct reader *r)
{
    return_statements(&r->connection);
    if (r->open) {
        rollback(r->connection.handle);
    }
    connection_close(&r->connection);
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

static struct reader *reader_of_thread(struct db *db, struct err *err)
{
    struct reader *r = pthread_getspecific(db->reader_key);
    if (r) {
        return r;
    }
    r = xcalloc(1, sizeof(*r));
    if (!connection_open(db, &r->connection, err) ||
        !exec(r->connection.handle, "PRAGMA query_only=ON", err)) {
        if (r->connection.handle) {
            connection_close(&r->connection);
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
    if (is_writing(db)) {
        BUG("a snapshot inside a write");
    }
    struct reader *r = reader_of_thread(db, err);
    if (!r) {
        return false;
    }
    if (r->open) {
        BUG("a second snapshot on one thread");
    }
    /* a deferred transaction fixes its state at the first read, so read at once */
    if (!run_step(&r->connection, STEP_BEGIN_READ, err) ||
        !run_step(&r->connection, STEP_FIX_STATE, err)) {
        rollback(r->connection.handle);
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
    return_statements(&r->connection);
    if (!run_step(&r->connection, STEP_COMMIT, NULL)) {
        rollback(r->connection.handle);
    }
    r->open = false;
}

/* --- opening and closing --- */

static void db_free(struct db *db)
{
    pthread_key_delete(db->reader_key);
    pthread_mutex_destroy(&db->readers_lock);
    pthread_mutex_destroy(&db->lock);
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
    struct stat st;
    /* left by a process that did not close it, perhaps because it could not sync it */
    atomic_store(&db->log_suspect, stat(db->log_path, &st) == 0 && st.st_size > 0);
    bool opened = make_private(db->path, err) && connection_open(db, &db->writer, err);
    if (!opened || !migrate(db->writer.handle, options, err)) {
        if (opened) {
            connection_close(&db->writer);
        }
        db_free(db);
        return false;
    }
    (void)sqlite3_wal_hook(db->writer.handle, checkpoint_now_and_then, db);
    *out = db;
    return true;
}

/* The last connection checkpoints and removes the log; one that is in doubt stays, for the next start to read. */
static void close_writer(struct db *db)
{
    struct err why = {0};
    int on = 0;
    if (!heal_log(db, &why)) {
        log_err(LOG_ERROR, "index_log_suspect", &why);
        (void)sqlite3_db_config(db->writer.handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, &on);
    }
    connection_close(&db->writer);
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
    close_writer(db);
    db_free(db);
}

/* --- statements --- */

struct db_stmt *db_stmt(struct db_tx *tx, int number)
{
    struct connection *c = tx->connection;
    if (number < 0 || number >= c->db->statement_count) {
        BUG("no such statement");
    }
    struct db_stmt *q = &c->statements[number];
    if (q->borrowed) {
        log_event(LOG_ERROR, "statement", "number=%d", number);
        BUG("a statement borrowed twice");
    }
    if (!q->raw) {
        int result = sqlite3_prepare_v3(c->handle, c->db->statements[number], -1,
                                        SQLITE_PREPARE_PERSISTENT, &q->raw, NULL);
        if (result != SQLITE_OK) {
            log_event(LOG_ERROR, "statement", "number=%d reason=\"%s\"", number,
                      sqlite3_errmsg(c->handle));
            BUG("a statement does not prepare");
        }
        q->connection = c;
    }
    q->borrowed = true;
    c->borrowed++;
    return q;
}

void db_stmt_done(struct db_stmt *q)
{
    if (!q || !q->borrowed) {
        return;
    }
    (void)sqlite3_reset(q->raw); /* repeats the error of the last step, which has been told */
    (void)sqlite3_clear_bindings(q->raw);
    q->borrowed = false;
    q->connection->borrowed--;
}

/* A bind fails by a wrong index, by a statement in the middle of its rows, or by a value above the
 * engine's limit. */
static void bound(int result)
{
    if (result != SQLITE_OK) {
        BUG("a value could not be bound");
    }
}

void db_bind_int(struct db_stmt *q, int index, int64_t value)
{
    bound(sqlite3_bind_int64(q->raw, index, value));
}

void db_bind_text(struct db_stmt *q, int index, struct slice text)
{
    bound(sqlite3_bind_text64(q->raw, index, text.p ? text.p : "", text.n, SQLITE_STATIC,
                              SQLITE_UTF8));
}

void db_bind_str(struct db_stmt *q, int index, const char *text)
{
    if (text) {
        db_bind_text(q, index, slice_str(text));
    } else {
        db_bind_null(q, index);
    }
}

void db_bind_blob(struct db_stmt *q, int index, struct slice bytes)
{
    bound(sqlite3_bind_blob64(q->raw, index, bytes.p ? bytes.p : "", bytes.n, SQLITE_STATIC));
}

void db_bind_digest(struct db_stmt *q, int index, const struct digest *d)
{
    uint8_t raw[DIGEST_RAW_MAX];
    if (!digest_is_set(d)) {
        db_bind_null(q, index);
        return;
    }
    size_t n = digest_to_raw(d, raw);
    bound(sqlite3_bind_blob64(q->raw, index, raw, n, SQLITE_TRANSIENT));
}

void db_bind_null(struct db_stmt *q, int index)
{
    bound(sqlite3_bind_null(q->raw, index));
}

enum db_result db_step(struct db_stmt *q, struct err *err)
{
    int result = sqlite3_step(q->raw);
    if (result == SQLITE_ROW) {
        return DB_ROW;
    }
    if (result == SQLITE_DONE) {
        return DB_DONE;
    }
    (void)engine_error(err, q->connection->handle, result, __func__, sqlite3_sql(q->raw));
    return DB_FAILED;
}

bool db_run(struct db_stmt *q, struct err *err)
{
    return db_step(q, err) != DB_FAILED;
}

int64_t db_changes(struct db_tx *tx)
{
    return sqlite3_changes64(tx->connection->handle);
}

int64_t db_last_id(struct db_tx *tx)
{
    return sqlite3_last_insert_rowid(tx->connection->handle);
}

int64_t db_col_int(struct db_stmt *q, int column)
{
    return sqlite3_column_int64(q->raw, column);
}

struct slice db_col_text(struct db_stmt *q, int column)
{
    const char *p = (const char *)sqlite3_column_text(q->raw, column);
    if (!p) {
        return (struct slice){"", 0};
    }
    return (struct slice){p, (size_t)sqlite3_column_bytes(q->raw, column)};
}

struct slice db_col_blob(struct db_stmt *q, int column)
{
    const char *p = sqlite3_column_blob(q->raw, column);
    if (!p) {
        return (struct slice){"", 0};
    }
    return (struct slice){p, (size_t)sqlite3_column_bytes(q->raw, column)};
}

bool db_col_is_null(struct db_stmt *q, int column)
{
    return sqlite3_column_type(q->raw, column) == SQLITE_NULL;
}

bool db_col_digest(struct db_stmt *q, int column, struct digest *out)
{
    *out = (struct digest){0};
    return sqlite3_column_type(q->raw, column) == SQLITE_BLOB &&
           digest_from_raw(db_col_blob(q, column), out);
}

/* --- maintenance --- */

bool db_explain(struct db *db, int number, struct buf *out, struct err *err)
{
    if (number < 0 || number >= db->statement_count) {
        BUG("no such statement");
    }
    struct reader *r = reader_of_thread(db, err);
    if (!r) {
        return false;
    }
    auto_buf struct buf sql = {0};
    sqlite3 *handle = r->connection.handle;
    sqlite3_stmt *q = NULL;
    buf_printf(&sql, "EXPLAIN QUERY PLAN %s", db->statements[number]);
    int result = sqlite3_prepare_v2(handle, sql.p, -1, &q, NULL);
    if (result != SQLITE_OK) {
        return engine_error(err, handle, result, __func__, sql.p);
    }
    while ((result = sqlite3_step(q)) == SQLITE_ROW) {
        buf_printf(out, "%s\n", (const char *)sqlite3_column_text(q, 3));
    }
    sqlite3_finalize(q);
    return result == SQLITE_DONE || engine_error(err, handle, result, __func__, sql.p);
}

static bool heal_in_turn(struct db_tx *tx, void *db, struct err *err)
{
    (void)tx;
    return heal_log(db, err);
}

bool db_checkpoint(struct db *db, struct err *err)
{
    if (atomic_load(&db->log_suspect) && !db_write(db, heal_in_turn, db, err)) {
        return false;
    }
    struct reader *r = reader_of_thread(db, err);
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
    suspect_log(db, result);
    return engine_error(err, handle, result, __func__, "wal_checkpoint");
}
