#include "storage/gc.h"

#include "base/fsx.h"
#include "base/log.h"
#include "storage/blob.h"
#include "storage/blob_journal.h"
#include "storage/row.h"
#include "storage/statements.h"
#include "storage/store_private.h"

#include <sys/stat.h>

struct entry {
    enum condemned_kind kind;
    int64_t repository_id;
    struct digest digest;
    bool put_off;
};

static void bind_key(struct db_stmt *q, enum condemned_kind kind, int64_t repository_id,
                     const struct digest *digest)
{
    db_bind_int(q, 1, kind);
    db_bind_int(q, 2, repository_id);
    db_bind_digest(q, 3, digest);
}

bool gc_condemn(struct db_tx *tx, enum condemned_kind kind, int64_t repository_id,
                const struct digest *digest, int64_t not_before_us, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_CONDEMN);
    bind_key(q, kind, repository_id, digest);
    db_bind_int(q, 4, not_before_us);
    return db_run(q, err);
}

bool gc_postpone(struct db_tx *tx, enum condemned_kind kind, int64_t repository_id,
                 const struct digest *digest, int64_t not_before_us, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_CONDEMNED_POSTPONE);
    bind_key(q, kind, repository_id, digest);
    db_bind_int(q, 4, not_before_us);
    return db_run(q, err);
}

bool gc_spare(struct db_tx *tx, enum condemned_kind kind, int64_t repository_id,
              const struct digest *digest, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_SPARE);
    bind_key(q, kind, repository_id, digest);
    return db_run(q, err);
}

/* --- one step --------------------------------------------------------------------------------- */

static bool read_due(struct db *db, int64_t now_us, int max, struct entry *entries, int *count_out,
                     struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    if (!db_snapshot(db, &tx, err)) {
        return false;
    }
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_CONDEMNED_DUE);
    db_bind_int(q, 1, now_us);
    db_bind_int(q, 2, max);

    int n = 0;
    enum db_result result = DB_DONE;
    while (n < max && (result = db_step(q, err)) == DB_ROW) {
        struct entry *e = &entries[n++];
        e->kind = (enum condemned_kind)db_col_int(q, 0);
        e->repository_id = db_col_int(q, 1);
        (void)db_col_digest(q, 2, &e->digest);
    }
    *count_out = n;
    return result != DB_FAILED;
}

static bool still_due(struct db_tx *tx, const struct entry *e, int64_t now_us, bool *out,
                      struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_CONDEMNED_IS_DUE);
    bind_key(q, e->kind, e->repository_id, &e->digest);
    db_bind_int(q, 4, now_us);
    return row_exists(q, out, err);
}

struct memberships_step {
    struct entry *entries;
    int count;
    int64_t now_us;
    int removed; /* out */
};

static bool is_named(struct db_tx *tx, const struct entry *e, bool *out, struct err *err)
{
    int64_t named = 0;
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_BLOB_NAMED);
    db_bind_int(q, 1, e->repository_id);
    db_bind_digest(q, 2, &e->digest);
    bool done = row_int(q, &named, err);
    *out = named != 0;
    return done;
}

static bool remove_membership(struct db_tx *tx, const struct entry *e, int64_t now_us,
                              bool *removed_out, struct err *err)
{
    bool due = false;
    bool named = false;
    struct err why = {0};

    *removed_out = false;
    if (!still_due(tx, e, now_us, &due, err) || !is_named(tx, e, &named, err)) {
        return false;
    }
    if (!due) {
        return true;
    }
    if (!named) {
        *removed_out = blob_unlink(tx, e->repository_id, &e->digest, now_us, &why);
        if (*removed_out) {
            return true;
        }
        if (why.code != ERR_BLOB_UNKNOWN) {
            *err = why;
            return false;
        }
    }
    return gc_spare(tx, e->kind, e->repository_id, &e->digest, err);
}

static bool remove_memberships(struct db_tx *tx, void *arg, struct err *err)
{
    struct memberships_step *step = arg;
    step->removed = 0;
    for (int i = 0; i < step->count; i++) {
        bool removed = false;
        if (step->entries[i].kind == CONDEMNED_MEMBERSHIP &&
            !remove_membership(tx, &step->entries[i], step->now_us, &removed, err)) {
            return false;
        }
        step->removed += removed;
    }
    return true;
}

struct delay {
    struct entry *entry;
    int64_t until_us;
};

static bool write_delay(struct db_tx *tx, void *arg, struct err *err)
{
    const struct delay *delay = arg;
    const struct entry *e = delay->entry;
    return gc_postpone(tx, e->kind, e->repository_id, &e->digest, delay->until_us, err);
}

/* False when even that cannot be written. */
static bool put_off(struct store *store, struct entry *e, int64_t now_us, const struct err *why,
                    struct gc_result *out, struct err *err)
{
    struct delay delay = {.entry = e, .until_us = now_us + GC_RETRY_US};
    log_err(LOG_WARN, "gc_put_off", why);
    e->put_off = true;
    out->failures++;
    return db_write(store->db, write_delay, &delay, err);
}

/* All in one transaction; if one of them fails, each in its own. */
static bool remove_all_memberships(struct store *store, struct memberships_step *step,
                                   struct gc_result *out, struct err *err)
{
    struct err why = {0};
    if (db_write(store->db, remove_memberships, step, &why)) {
        out->memberships = step->removed;
        return true;
    }
    for (int i = 0; i < step->count; i++) {
        struct memberships_step one = {
            .entries = &step->entries[i], .count = 1, .now_us = step->now_us};
        if (db_write(store->db, remove_memberships, &one, &why)) {
            out->memberships += one.removed;
        } else if (!put_off(store, &step->entries[i], step->now_us, &why, out, err)) {
            return false;
        }
    }
    return true;
}

/* Which folders of blobs/ one step has synced. */
struct synced_folders {
    bool by_first_byte[DIGEST_SHA512 + 1][256];
};

struct blob_step {
    const struct entry *entry;
    int64_t now_us;
    bool gone;       /* out: no row holds the file any more */
    int64_t size;    /* out: of the row that went; -1: there was none any more */
    bool journalled; /* out: its bytes went with it */
};

/* -1 when there is no row. */
static bool blob_size(struct db_tx *tx, const struct digest *digest, int64_t *out, struct err *err)
{
    bool found = false;
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_BLOB_SIZE);
    db_bind_digest(q, 1, digest);
    bool done = row_exists(q, &found, err);
    *out = found ? db_col_int(q, 0) : -1;
    return done;
}

static bool delete_blob_row(struct db_tx *tx, const struct digest *digest, bool *held_out,
                            struct err *err)
{
    int64_t left = -1;
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_BLOB_DELETE);
    db_bind_digest(q, 1, digest);
    bool done = db_run(q, err) && blob_size(tx, digest, &left, err);
    *held_out = left >= 0;
    return done;
}

/* The row goes, the entry stays until the file is gone too: a crash between leaves the entry to
 * finish the work. */
static bool remove_blob_row(struct db_tx *tx, void *arg, struct err *err)
{
    struct blob_step *step = arg;
    const struct entry *e = step->entry;
    bool due = false;
    bool held = false;

    step->gone = step->journalled = false;
    step->size = -1;
    if (!still_due(tx, e, step->now_us, &due, err)) {
        return false;
    }
    if (!due) {
        return true;
    }
    if (!blob_size(tx, &e->digest, &step->size, err) ||
        !blob_journal_drop(tx, &e->digest, &step->journalled, err) ||
        !delete_blob_row(tx, &e->digest, &held, err)) {
        return false;
    }
    step->gone = !held;
    return !held || gc_spare(tx, e->kind, e->repository_id, &e->digest, err);
}

static bool forget_blobs(struct db_tx *tx, void *arg, struct err *err)
{
    const struct memberships_step *step = arg;
    for (int i = 0; i < step->count; i++) {
        if (step->entries[i].kind != CONDEMNED_BLOB || step->entries[i].put_off) {
            continue;
        }
        auto_stmt struct db_stmt *q = db_stmt(tx, SQL_CONDEMNED_FORGET_BLOB);
        db_bind_digest(q, 1, &step->entries[i].digest);
        if (!db_run(q, err)) {
            return false;
        }
    }
    return true;
}

/* A blob that was in the journal may have no file yet. */
static bool remove_blob_file(struct store *store, const struct blob_step *step,
                             struct gc_result *out, struct err *err)
{
    char path[BLOB_PATH_MAX];
    struct stat st;
    blob_path(&step->entry->digest, path);
    int64_t size = fstatat(store->blobs_fd, path, &st, 0) == 0 ? st.st_size : step->size;
    if (!fsx_unlink(store->blobs_fd, path, err)) {
        return false;
    }
    out->blobs += size >= 0;
    out->bytes += size > 0 ? size : 0;
    return true;
}

static bool remove_blob(struct store *store, struct entry *e, int64_t now_us, struct gc_result *out,
                        struct err *err)
{
    struct blob_step step = {.entry = e, .now_us = now_us};
    struct err why = {0};
    store_digest_lock(store, &e->digest);
    bool written = db_write(store->db, remove_blob_row, &step, &why);
    if (written && step.journalled) {
        blob_journal_dropped(store, step.size);
    }
    bool done = (written && (!step.gone || remove_blob_file(store, &step, out, &why))) ||
                put_off(store, e, now_us, &why, out, err);
    store_digest_unlock(store, &e->digest);
    return done;
}

static bool sync_folder_once(struct store *store, const struct digest *digest,
                             struct synced_folders *synced, struct err *err)
{
    bool *done = &synced->by_first_byte[digest->algorithm][digest->bytes[0]];
    char path[BLOB_PATH_MAX];
    if (!*done) {
        *done = fsx_sync_folder(store->blobs_fd, blob_path(digest, path), err);
    }
    return *done;
}

/* Before the entries are forgotten: a file whose removal a power cut undoes must still be queued. */
static bool sync_folders(struct store *store, const struct memberships_step *step, struct err *err)
{
    struct synced_folders synced = {0};
    for (int i = 0; i < step->count; i++) {
        const struct entry *e = &step->entries[i];
        if (e->kind == CONDEMNED_BLOB && !e->put_off &&
            !sync_folder_once(store, &e->digest, &synced, err)) {
            return false;
        }
    }
    return true;
}

static bool remove_blobs(struct store *store, const struct memberships_step *step,
                         struct gc_result *out, struct err *err)
{
    bool any = false;
    for (int i = 0; i < step->count; i++) {
        if (step->entries[i].kind != CONDEMNED_BLOB) {
            continue;
        }
        any = true;
        if (!remove_blob(store, &step->entries[i], step->now_us, out, err)) {
            return false;
        }
    }
    return !any ||
           (sync_folders(store, step, err) && db_write(store->db, forget_blobs, (void *)step, err));
}

bool gc_run(struct store *store, int64_t now_us, int max, struct gc_result *out, struct err *err)
{
    *out = (struct gc_result){0};
    auto_free struct entry *entries = xcalloc((size_t)max, sizeof(*entries));
    struct memberships_step step = {.entries = entries, .now_us = now_us};

    if (!read_due(store->db, now_us, max, entries, &step.count, err)) {
        return false;
    }
    out->examined = step.count;
    if (step.count == 0) {
        return true;
    }
    return remove_all_memberships(store, &step, out, err) && remove_blobs(store, &step, out, err);
}
