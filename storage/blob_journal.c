#include "storage/blob_journal.h"

#include "base/fsx.h"
#include "storage/blob.h"
#include "storage/row.h"
#include "storage/statements.h"
#include "storage/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* Rows taken out in one transaction: bounds how long the writer is held. */
#define DELETE_MAX 64
/* In blobs/, where no blob's file can be: written whole before it gets its name. One is enough, one
 * thread settles. */
#define SETTLING "settling"

struct entry {
    int64_t id;
    struct digest digest;
    int64_t size;
    bool deleted; /* by us; the collector may have been faster */
};

/* --- what waits ------------------------------------------------------------------------------- */

bool blob_journal_has_room(const struct store *store, int64_t size)
{
    const struct journal_size *j = &store->journal;
    return size <= BLOB_JOURNAL_BLOB_MAX && atomic_load(&j->rows) < BLOB_JOURNAL_ROWS_MAX &&
           atomic_load(&j->bytes) + size <= store->limits.journal_bytes;
}

bool blob_journal_waiting(const struct store *store)
{
    return atomic_load(&store->journal.rows) > 0;
}

void blob_journal_added(struct store *store, int64_t size)
{
    atomic_fetch_add(&store->journal.rows, 1);
    atomic_fetch_add(&store->journal.bytes, size);
}

void blob_journal_dropped(struct store *store, int64_t size)
{
    atomic_fetch_sub(&store->journal.rows, 1);
    atomic_fetch_sub(&store->journal.bytes, size);
}

bool blob_journal_put(struct db_tx *tx, const struct digest *digest, struct slice bytes,
                      struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_JOURNAL_INSERT);
    db_bind_digest(q, 1, digest);
    db_bind_blob(q, 2, bytes);
    return db_run(q, err);
}

bool blob_journal_drop(struct db_tx *tx, const struct digest *digest, bool *dropped_out,
                       struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_JOURNAL_DROP);
    db_bind_digest(q, 1, digest);
    bool done = db_run(q, err);
    *dropped_out = done && db_changes(tx) > 0;
    return done;
}

/* --- reading ---------------------------------------------------------------------------------- */

static int memory_file(struct slice bytes, struct err *err)
{
    auto_fd int fd = memfd_create("blob", MFD_CLOEXEC);
    if (fd < 0) {
        err_sys(err, errno, "a file in memory for a blob");
        return -1;
    }
    if (!fsx_pwrite_all(fd, bytes.p, bytes.n, 0, err)) {
        return -1;
    }
    return take_fd(&fd);
}

bool blob_journal_open(struct db_tx *tx, const struct digest *digest, int *fd_out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_JOURNAL_GET);
    db_bind_digest(q, 1, digest);
    *fd_out = -1;
    switch (db_step(q, err)) {
    case DB_ROW:
        *fd_out = memory_file(db_col_blob(q, 0), err);
        return *fd_out >= 0;
    case DB_DONE:
        return true;
    case DB_FAILED:
        return false;
    }
    BUG("db_step has no fourth answer");
}

/* --- settling --------------------------------------------------------------------------------- */

/* The first that wait: what was settled is not in the way any more. */
static bool read_list(struct store *store, int max, struct entry *entries, int *count_out,
                      struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    if (!db_snapshot(store->db, &tx, err)) {
        return false;
    }
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_JOURNAL_LIST);
    db_bind_int(q, 1, max);

    int n = 0;
    enum db_result result = DB_DONE;
    while (n < max && (result = db_step(q, err)) == DB_ROW) {
        entries[n].id = db_col_int(q, 0);
        if (!db_col_digest(q, 1, &entries[n++].digest)) {
            return err_internal(err, "a row of the blob journal has no digest");
        }
    }
    *count_out = n;
    return result != DB_FAILED;
}

bool blob_journal_start(struct store *store, struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    if (!db_snapshot(store->db, &tx, err)) {
        return false;
    }
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_JOURNAL_SIZE);
    if (db_step(q, err) != DB_ROW) {
        return false;
    }
    atomic_store(&store->journal.rows, db_col_int(q, 0));
    atomic_store(&store->journal.bytes, db_col_int(q, 1));
    return true;
}

/* The folders become durable with everything else. */
static bool make_folders(const struct store *store, const char *path, struct err *err)
{
    struct slice whole = slice_str(path);
    for (size_t i = 0; i < whole.n; i++) {
        if (path[i] != '/') {
            continue;
        }
        auto_free char *folder = xstrndup(path, i);
        if (mkdirat(store->blobs_fd, folder, 0700) != 0 && errno != EEXIST) {
            return err_sys(err, errno, "mkdir blobs/%s", folder);
        }
    }
    return true;
}

static bool name_file(const struct store *store, const char *path, struct err *err)
{
    int result = renameat(store->blobs_fd, SETTLING, store->blobs_fd, path);
    if (result != 0 && errno == ENOENT) {
        if (!make_folders(store, path, err)) {
            return false;
        }
        result = renameat(store->blobs_fd, SETTLING, store->blobs_fd, path);
    }
    return result == 0 || err_sys(err, errno, "rename to blobs/%s", path);
}

/* Always a new file: a power cut in a rename may have left one file under both names, and what is
 * written to it would be written to a blob. */
static int create_file(const struct store *store, struct err *err)
{
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC;
    int fd = openat(store->blobs_fd, SETTLING, flags, 0600);
    if (fd < 0 && errno == EEXIST) {
        if (!fsx_unlink(store->blobs_fd, SETTLING, err)) {
            return -1;
        }
        fd = openat(store->blobs_fd, SETTLING, flags, 0600);
    }
    if (fd < 0) {
        err_sys(err, errno, "create blobs/%s", SETTLING);
    }
    return fd;
}

/* In the place of whatever has the name: a crash may have left anything there. */
static bool write_file(const struct store *store, const char *path, struct slice bytes,
                       struct err *err)
{
    auto_fd int fd = create_file(store, err);
    if (fd < 0) {
        return false;
    }
    return fsx_pwrite_all(fd, bytes.p, bytes.n, 0, err) && name_file(store, path, err);
}

/* The row is read with the digest's lock held: what the collector has taken out by now is not
 * written any more. */
static bool write_entry(struct store *store, struct entry *e, struct err *err)
{
    char path[BLOB_PATH_MAX];
    auto_snapshot struct db_tx *tx = NULL;
    if (!db_snapshot(store->db, &tx, err)) {
        return false;
    }
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_JOURNAL_CONTENT);
    db_bind_int(q, 1, e->id);
    switch (db_step(q, err)) {
    case DB_ROW:
        e->size = (int64_t)db_col_blob(q, 0).n;
        return write_file(store, blob_path(&e->digest, path), db_col_blob(q, 0), err);
    case DB_DONE:
        return true;
    case DB_FAILED:
        return false;
    }
    BUG("db_step has no fourth answer");
}

static bool write_all(struct store *store, struct entry *entries, int count, struct err *err)
{
    for (int i = 0; i < count; i++) {
        store_digest_lock(store, &entries[i].digest);
        bool done = write_entry(store, &entries[i], err);
        store_digest_unlock(store, &entries[i].digest);
        if (!done) {
            return false;
        }
    }
    return true;
}

struct delete_step {
    struct entry *entries;
    int count;
};

static bool delete_rows(struct db_tx *tx, void *arg, struct err *err)
{
    struct delete_step *step = arg;
    for (int i = 0; i < step->count; i++) {
        auto_stmt struct db_stmt *q = db_stmt(tx, SQL_JOURNAL_DELETE);
        db_bind_int(q, 1, step->entries[i].id);
        if (!db_run(q, err)) {
            return false;
        }
        step->entries[i].deleted = db_changes(tx) > 0;
    }
    return true;
}

/* Power loss may bring the rows back: their files are written once more then. */
static bool delete_all(struct store *store, struct entry *entries, int count, struct err *err)
{
    for (int at = 0; at < count; at += DELETE_MAX) {
        struct delete_step step = {entries + at, count - at < DELETE_MAX ? count - at : DELETE_MAX};
        if (!db_write_relaxed(store->db, delete_rows, &step, err)) {
            return false;
        }
        for (int i = 0; i < step.count; i++) {
            if (step.entries[i].deleted) {
                blob_journal_dropped(store, step.entries[i].size);
            }
        }
    }
    return true;
}

bool blob_journal_settle(struct store *store, int *settled_out, bool *more_out, struct err *err)
{
    auto_free struct entry *entries = xcalloc(BLOB_JOURNAL_STEP, sizeof(*entries));
    int count = 0;
    *more_out = false;
    if (!read_list(store, BLOB_JOURNAL_STEP, entries, &count, err) ||
        !write_all(store, entries, count, err)) {
        return false;
    }
    /* the files, their names and their folders in one; a fault is told to this descriptor once, and
     * the next call writes everything anew */
    if (count > 0 && syncfs(store->blobs_fd) != 0) {
        return err_sys(err, errno, "sync of the folder of blobs");
    }
    if (!delete_all(store, entries, count, err)) {
        return false;
    }
    if (settled_out) {
        *settled_out = count;
    }
    *more_out = count == BLOB_JOURNAL_STEP;
    return true;
}
