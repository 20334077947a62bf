#include "base/fsx.h"
#include "base/log.h"
#include "storage/row.h"
#include "storage/statements.h"
#include "storage/upload_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#define EXPIRE_PAGE 100

/* --- sessions that nobody uses ---------------------------------------------------------------- */

/* Sessions begun before `before_us`, after the cursor (start, id). */
struct expire_page {
    char ids[EXPIRE_PAGE][UPLOAD_ID_MAX];
    int64_t started[EXPIRE_PAGE];
    int count;
};

static bool read_expire_page(struct store *store, int64_t before_us, int64_t after_us,
                             const char *after_id, struct expire_page *page, struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    page->count = 0;
    if (!db_snapshot(store->db, &tx, err)) {
        return false;
    }
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_UPLOAD_LIST_BEFORE);
    db_bind_int(q, 1, before_us);
    db_bind_int(q, 2, after_us);
    db_bind_str(q, 3, after_id);
    db_bind_int(q, 4, EXPIRE_PAGE);

    enum db_result result = DB_DONE;
    while (page->count < EXPIRE_PAGE && (result = db_step(q, err)) == DB_ROW) {
        row_text(q, 0, page->ids[page->count], UPLOAD_ID_MAX);
        page->started[page->count++] = db_col_int(q, 1);
    }
    return result != DB_FAILED;
}

/* A session that only a row knows was last used when its file was last written. */
static bool is_idle(struct store *store, const char *id, int64_t started_us, int64_t before_us)
{
    int64_t used = started_us;
    if (!upload_table_last_used(store->uploads, id, &used)) {
        int64_t written = upload_file_written_us(store, id);
        used = written > used ? written : used;
    }
    return used < before_us;
}

static bool expire_page(struct store *store, const struct expire_page *page, int64_t before_us,
                        int max, int *ended, struct err *err)
{
    for (int i = 0; i < page->count && *ended < max; i++) {
        bool done = false;
        if (is_idle(store, page->ids[i], page->started[i], before_us) &&
            !upload_end_by_id(store, page->ids[i], &done, err)) {
            return false;
        }
        *ended += done;
    }
    return true;
}

static bool expire_sessions(struct store *store, int64_t before_us, int max, int *ended,
                            struct err *err)
{
    auto_free struct expire_page *page = xcalloc(1, sizeof(*page));
    int64_t after_us = 0;
    char after_id[UPLOAD_ID_MAX] = "";
    do {
        if (!read_expire_page(store, before_us, after_us, after_id, page, err) ||
            !expire_page(store, page, before_us, max, ended, err)) {
            return false;
        }
        if (page->count > 0) {
            after_us = page->started[page->count - 1];
            memcpy(after_id, page->ids[page->count - 1], sizeof(after_id));
        }
    } while (page->count == EXPIRE_PAGE && *ended < max);
    return true;
}

/* --- files of uploads that a crash cut short -------------------------------------------------- */

/* In the order of upload_end. */
static bool remove_file(struct store *store, char *id, struct err *err)
{
    auto_fd int fd = openat(store->uploads_fd, id, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno != ENOENT) { /* it may have been ended, to make room for another one */
        return err_sys(err, errno, "open the left-over upload %s", id);
    }
    return (fd < 0 || upload_file_remove_published(store, fd, err)) &&
           db_write(store->db, upload_row_delete, id, err) &&
           fsx_unlink(store->uploads_fd, id, err);
}

/* In nobody's way: what cannot be removed is tried again after the next start. */
static void remove_left(struct store *store)
{
    char id[UPLOAD_ID_MAX];
    while (upload_table_next_left(store->uploads, id)) {
        struct err err = {0};
        if (!remove_file(store, id, &err)) {
            log_err(LOG_WARN, "upload_left_over", &err);
        }
    }
}

bool upload_expire(struct store *store, int64_t now_us, int max, int *ended_out, struct err *err)
{
    int ended = 0;
    remove_left(store);
    if (!expire_sessions(store, now_us - store->limits.upload_idle_us, max, &ended, err)) {
        return false;
    }
    if (ended_out) {
        *ended_out = ended;
    }
    return true;
}

/* --- at the start ----------------------------------------------------------------------------- */

/* More bytes than its row has reserved: power loss took the reservation, or the last version made
 * none. What finds no room now was never promised to survive that. */
static bool reserve_again(struct upload *u, int64_t size, struct err *err)
{
    struct err why = {0};
    u->announced = size;
    if (size <= u->reserved || upload_reserve(u, size, size, &why)) {
        return true;
    }
    log_err(LOG_WARN, "upload_cut", &why);
    auto_fd int fd = openat(u->store->uploads_fd, u->id, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || ftruncate(fd, u->reserved) != 0) {
        return err_sys(err, errno, "cut the upload %s", u->id);
    }
    atomic_store(&u->received, u->reserved);
    return true;
}

/* Its bytes are read when somebody goes on with it. */
static bool remember(struct store *store, const char *id, const struct upload_row *row,
                     const struct stat *st, struct err *err)
{
    struct repo_name repo;
    if (!repo_name_parse(slice_str(row->repo), &repo, err)) {
        return false;
    }
    struct upload *u = upload_row_session(store, id, &repo, row);
    int64_t written = upload_file_written_us(store, id);
    atomic_store(&u->received, st->st_size);
    atomic_store(&u->last_used_us, written > row->started_us ? written : row->started_us);
    if (!upload_table_add(u)) {
        BUG("a folder has each name once");
    }
    /* a second name: it may be a blob by now, and is not cut */
    bool done = st->st_nlink > 1 || reserve_again(u, st->st_size, err);
    u->announced = -1;
    upload_table_unclaim(u);
    upload_table_give_back(u);
    return done;
}

static bool sweep_file(struct store *store, const char *id, struct err *err)
{
    struct upload_row row;
    struct stat st;
    struct err why = {0};
    if (fstatat(store->uploads_fd, id, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        return err_sys(err, errno, "stat of the upload %s", id);
    }
    bool known = upload_row_get(store->db, id, &row, &why);
    if (known && !row.single) {
        return remember(store, id, &row, &st, err);
    }
    if (!known && why.code != ERR_UPLOAD_UNKNOWN) {
        *err = why;
        return false;
    }
    if (known ||
        st.st_nlink > 1) { /* to find its other name it has to be read: not before the doors open */
        upload_table_leave(store->uploads, id);
        return true;
    }
    return fsx_unlink(store->uploads_fd, id, err);
}

/* A session that has no file has received nothing; what it has reserved must be known all the same.
 * A single one is over. */
static bool remember_row(struct store *store, char *id, struct err *err)
{
    struct upload_row row;
    struct repo_name repo;
    struct err why = {0};
    if (!upload_row_get(store->db, id, &row, &why)) {
        if (why.code != ERR_UPLOAD_UNKNOWN) {
            *err = why;
        }
        return why.code == ERR_UPLOAD_UNKNOWN;
    }
    if (upload_file_written_us(store, id) != 0) {
        return true; /* known by its file */
    }
    if (row.single) {
        return db_write(store->db, upload_row_delete, id, err);
    }
    if (!repo_name_parse(slice_str(row.repo), &repo, err)) {
        return false;
    }
    struct upload *u = upload_row_session(store, id, &repo, &row);
    if (!upload_table_add(u)) {
        BUG("a table has each key once");
    }
    upload_table_give_back(u);
    return true;
}

static bool remember_rows(struct store *store, struct err *err)
{
    auto_free struct expire_page *page = xcalloc(1, sizeof(*page));
    int64_t after_us = 0;
    char after_id[UPLOAD_ID_MAX] = "";
    do {
        if (!read_expire_page(store, INT64_MAX, after_us, after_id, page, err)) {
            return false;
        }
        for (int i = 0; i < page->count; i++) {
            if (!remember_row(store, page->ids[i], err)) {
                return false;
            }
            after_us = page->started[i];
            memcpy(after_id, page->ids[i], sizeof(after_id));
        }
    } while (page->count == EXPIRE_PAGE);
    return true;
}

static void close_dir(DIR **dir)
{
    if (*dir) {
        closedir(*dir);
    }
}

bool uploads_sweep(struct store *store, struct err *err)
{
    int fd = openat(store->uploads_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir __attribute__((cleanup(close_dir))) = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        cleanup_fd(&fd);
        return err_sys(err, errno, "read the folder of uploads");
    }
    const struct dirent *entry = NULL;
    while ((entry = readdir(dir)) != NULL) {
        char id[UPLOAD_ID_MAX];
        struct err why = {0};
        if (upload_row_id(slice_str(entry->d_name), id) && !sweep_file(store, id, &why)) {
            log_err(LOG_WARN, "upload_sweep", &why); /* the next start tries again */
        }
    }
    return remember_rows(store, err);
}
