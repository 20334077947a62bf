#include "base/clock.h"
#include "base/hash.h"
#include "storage/blob.h"
#include "storage/check_internal.h"
#include "storage/gc.h"
#include "storage/row.h"
#include "storage/statements.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#define READ_UNIT ((size_t)256 * 1024)

/* --- the collector's queue -------------------------------------------------------------------- */

/* What SQL_CHECK_QUEUE finds. An entry for a blob that is gone is none: a crash leaves it to the
 * next collection. */
static const char *const queue_faults[] = {
    NULL,
    "the collector's queue lists it for a repository that does not hold it",
    "the collector's queue lists it, although a manifest of the repository names it",
    "the collector's queue lists it, although a repository holds it",
};

bool check_queue_page(struct check *c, struct db_tx *tx, bool *more_out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_CHECK_QUEUE);
    db_bind_int(q, 1, c->after_kind);
    db_bind_int(q, 2, c->after);
    row_bind_after(q, 3, &c->after_digest);
    db_bind_int(q, 4, CHECK_PAGE);
    struct digest last = c->after_digest; /* q borrows the bytes it was bound with */
    enum db_result result;
    while ((result = db_step(q, err)) == DB_ROW) {
        char text[DIGEST_STR_MAX];
        char where[REPO_NAME_MAX + DIGEST_STR_MAX + 2];
        const char *fault = queue_faults[db_col_int(q, 4)];
        *more_out = true;
        c->report->queue++;
        c->after_kind = db_col_int(q, 0);
        c->after = db_col_int(q, 1);
        if (!db_col_digest(q, 2, &last)) {
            return err_internal(err, "an entry of the collector's queue has no digest");
        }
        struct slice repository = db_col_text(q, 3);
        snprintf(where, sizeof(where), "%.*s%s%s", SLICE_FMT(repository),
                 repository.n > 0 ? "@" : "", digest_format(&last, text));
        if (fault != NULL) {
            check_tell(c, CHECK_QUEUE, "blob", where, "%s", fault);
        }
    }
    c->after_digest = last;
    return result != DB_FAILED;
}

/* --- memberships ------------------------------------------------------------------------------ */

static bool memberships_page(struct check *c, struct db_tx *tx, bool *more_out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_CHECK_MEMBERSHIPS);
    db_bind_int(q, 1, c->repository_id);
    check_bind_page(c, q, 2);

    enum db_result result;
    while ((result = db_step(q, err)) == DB_ROW) {
        char text[DIGEST_STR_MAX];
        *more_out = true;
        if (!db_col_digest(q, 0, &c->after_digest)) {
            return err_internal(err, "a membership row has no digest");
        }
        if (db_col_int(q, 1) == 0) {
            check_tell(c, CHECK_BLOB_FORGOTTEN, "repository", c->repository,
                       "nothing names its blob %s, and it will never be collected",
                       digest_format(&c->after_digest, text));
        }
    }
    return result != DB_FAILED;
}

/* The next repository after `after`; 0 when there is none. */
static bool next_repository(struct check *c, int64_t after, int64_t *out,
                            char name_out[REPO_NAME_MAX + 1], struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    if (!db_snapshot(store_db(c->store), &tx, err)) {
        return false;
    }
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_CHECK_REPOSITORIES);
    db_bind_int(q, 1, after);
    db_bind_int(q, 2, 1);
    bool found = false;
    if (!row_exists(q, &found, err)) {
        return false;
    }
    *out = 0;
    if (found) {
        *out = db_col_int(q, 0);
        row_text(q, 1, name_out, REPO_NAME_MAX + 1);
    }
    return true;
}

bool check_contents(struct check *c, struct err *err)
{
    char name[REPO_NAME_MAX + 1];
    int64_t id = 0;
    bool ok = true;
    do {
        ok = next_repository(c, id, &id, name, err);
        c->repository_id = id;
        c->repository = name;
        ok = ok && (id == 0 || (check_pages(c, check_tags_page, err) &&
                                check_pages(c, memberships_page, err)));
    } while (ok && id != 0);
    c->repository = NULL;
    return ok;
}

/* --- blobs and their files -------------------------------------------------------------------- */

struct blob_row {
    struct digest digest;
    int64_t size;
    bool kept; /* a repository holds it, or the collector knows it */
    int64_t missing_us; /* since when it is marked missing; 0: it is there */
};

struct blob_page {
    struct blob_row rows[CHECK_PAGE];
    size_t count;
};

static bool read_blobs(struct check *c, struct blob_page *page, struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    page->count = 0;
    if (!db_snapshot(store_db(c->store), &tx, err)) {
        return false;
    }
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_BLOB_LIST);
    check_bind_page(c, q, 1);

    enum db_result result = DB_DONE;
    while (page->count < CHECK_PAGE && (result = db_step(q, err)) == DB_ROW) {
        struct blob_row *row = &page->rows[page->count++];
        if (!db_col_digest(q, 0, &row->digest)) {
            return err_internal(err, "a blob row has no digest");
        }
        row->size = db_col_int(q, 1);
        row->kept = db_col_int(q, 2) != 0;
        row->missing_us = db_col_int(q, 3);
        c->after_digest = row->digest;
    }
    return result != DB_FAILED;
}

/* Does a row, or a line in the collector's queue, still answer for this digest? */
static bool is_known(struct store *store, const struct digest *digest, bool queue_too, bool *out,
                     struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    if (!db_snapshot(store_db(store), &tx, err)) {
        return false;
    }
    auto_stmt struct db_stmt *row = db_stmt(tx, SQL_BLOB_SIZE);
    db_bind_digest(row, 1, digest);
    if (!row_exists(row, out, err)) {
        return false;
    }
    if (*out || !queue_too) {
        return true;
    }
    auto_stmt struct db_stmt *queued = db_stmt(tx, SQL_CONDEMNED_IS_DUE);
    db_bind_int(queued, 1, CONDEMNED_BLOB);
    db_bind_int(queued, 2, 0);
    db_bind_digest(queued, 3, digest);
    db_bind_int(queued, 4, INT64_MAX);
    return row_exists(queued, out, err);
}

static bool tell_missing(struct check *c, const struct blob_row *row, const char *text,
                         struct err *err)
{
    bool known = false; /* it may have been collected since its row was read */
    if (!is_known(c->store, &row->digest, false, &known, err)) {
        return false;
    }
    if (known) {
        char path[BLOB_PATH_MAX];
        check_tell(c, CHECK_BLOB_MISSING, "blob", text, "its file blobs/%s is missing",
                   blob_path(&row->digest, path));
    }
    return true;
}

static void tell_marked(struct check *c, const struct blob_row *row, const char *text)
{
    char since[TIME_STR_MAX];
    check_tell(c, CHECK_BLOB_MARKED, "blob", text, "it is marked missing since %s",
               time_format(row->missing_us - row->missing_us % US_PER_SECOND, since));
}

/* False when the file cannot be read to its end; errno says why. */
static bool read_digest(struct check *c, int fd, enum digest_algorithm algorithm,
                        struct digest *out)
{
    auto_hash struct hash *h = hash_new(algorithm);
    auto_free char *unit = xmalloc(READ_UNIT);
    ssize_t n;
    while ((n = read(fd, unit, READ_UNIT)) != 0) {
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return false;
        }
        hash_update(h, unit, (size_t)n);
        c->report->bytes += n;
        check_progress(c);
    }
    hash_peek(h, out);
    return true;
}

static void check_bytes(struct check *c, const struct blob_row *row, const char *text, int fd)
{
    char path[BLOB_PATH_MAX];
    struct digest real;
    blob_path(&row->digest, path);
    if (!read_digest(c, fd, row->digest.algorithm, &real)) {
        check_tell(c, CHECK_BLOB_DAMAGED, "blob", text,
                   "its file blobs/%s cannot be read (errno %d)", path, errno);
    } else if (!digest_equal(&real, &row->digest)) {
        check_tell(c, CHECK_BLOB_DAMAGED, "blob", text, "its file blobs/%s has other bytes", path);
    }
}

/* The file, or the bytes of a blob that still waits for its file. */
static int open_blob(struct check *c, const struct digest *digest, struct err *why)
{
    auto_snapshot struct db_tx *tx = NULL;
    return db_snapshot(store_db(c->store), &tx, why) ? blob_open(c->store, tx, digest, why) : -1;
}

static bool check_blob(struct check *c, const struct blob_row *row, struct err *err)
{
    char text[DIGEST_STR_MAX];
    char path[BLOB_PATH_MAX];
    struct stat st;
    struct err why = {0};
    digest_format(&row->digest, text);
    if (!row->kept) {
        check_tell(c, CHECK_BLOB_FORGOTTEN, "blob", text,
                   "it is in no repository and will never be collected");
    }
    if (row->missing_us != 0) {
        tell_marked(c, row, text);
        return true;
    }
    auto_fd int fd = open_blob(c, &row->digest, &why);
    if (fd < 0) {
        return why.code == ERR_BLOB_UNKNOWN ? tell_missing(c, row, text, err)
                                            : err_internal(err, "%s: %s", text, why.detail);
    }
    if (fstat(fd, &st) != 0 || st.st_size != row->size) {
        check_tell(c, CHECK_BLOB_DAMAGED, "blob", text,
                   "its file blobs/%s does not have %lld bytes", blob_path(&row->digest, path),
                   (long long)row->size);
    } else if (c->depth == CHECK_BYTES) {
        check_bytes(c, row, text, fd);
    }
    return true;
}

bool check_blobs(struct check *c, struct err *err)
{
    auto_free struct blob_page *page = xcalloc(1, sizeof(*page));
    bool more = true;
    c->after_digest = (struct digest){0};
    while (more) {
        const struct check before = *c;
        if (!read_blobs(c, page, err)) {
            return false;
        }
        for (size_t i = 0; i < page->count; i++) {
            c->report->blobs++;
            if (!check_blob(c, &page->rows[i], err)) {
                return false;
            }
        }
        check_progress(c);
        more = page->count == CHECK_PAGE && check_goes_on(c, &before);
    }
    return true;
}

/* --- files that nothing names ----------------------------------------------------------------- */

static void cleanup_dir(DIR **dir)
{
    if (*dir) {
        closedir(*dir);
    }
}
#define auto_dir __attribute__((cleanup(cleanup_dir)))

/* NULL without an error: there is no such folder. */
static bool open_dir(int at, const char *path, DIR **out, struct err *err)
{
    *out = NULL;
    int fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
        return true;
    }
    *out = fd < 0 ? NULL : fdopendir(fd);
    if (!*out) {
        int why = errno;
        cleanup_fd(&fd);
        return err_sys(err, why, "read the folder blobs/%s", path);
    }
    return true;
}

/* The digest whose file this is; false when no blob's file has that path. */
static bool digest_of_path(enum digest_algorithm algorithm, const char *path, const char *hex,
                           struct digest *out)
{
    char text[sizeof("sha256:") + NAME_MAX];
    char own[BLOB_PATH_MAX];
    snprintf(text, sizeof(text), "%s:%s", digest_algorithm_name(algorithm), hex);
    return digest_parse(slice_str(text), out, NULL) && strcmp(blob_path(out, own), path) == 0;
}

/* A file with a second name belongs to an upload that still knows it; one that is gone by now was
 * collected meanwhile. */
static bool is_stray(const struct store *store, const char *path)
{
    struct stat st;
    return fstatat(store->blobs_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_nlink == 1;
}

static bool check_file(struct check *c, enum digest_algorithm algorithm, const char *folder,
                       const char *name, struct err *err)
{
    static const char blobs[] = "blobs/";
    char shown[sizeof(blobs) + 2 * NAME_MAX];
    const char *path = shown + sizeof(blobs) - 1;
    struct digest digest;
    bool known = false;
    snprintf(shown, sizeof(shown), "%s%s/%s", blobs, folder, name);
    c->report->files++;
    if (!digest_of_path(algorithm, path, name, &digest)) {
        check_tell(c, CHECK_STRAY_FILE, "file", shown, "its name is not that of a blob");
        return true;
    }
    if (!is_known(c->store, &digest, true, &known, err)) {
        return false;
    }
    if (!known && is_stray(c->store, path)) {
        check_tell(c, CHECK_STRAY_FILE, "file", shown, "no blob of the index has this file");
    }
    return true;
}

static bool check_folder(struct check *c, enum digest_algorithm algorithm, unsigned first,
                         struct err *err)
{
    char folder[32];
    auto_dir DIR *dir = NULL;
    snprintf(folder, sizeof(folder), "%s/%02x", digest_algorithm_name(algorithm), first);
    if (!open_dir(c->store->blobs_fd, folder, &dir, err)) {
        return false;
    }
    const struct dirent *entry = NULL;
    while (dir && (entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            !check_file(c, algorithm, folder, entry->d_name, err)) {
            return false;
        }
    }
    check_progress(c);
    return true;
}

bool check_files(struct check *c, struct err *err)
{
    static const enum digest_algorithm algorithms[] = {DIGEST_SHA256, DIGEST_SHA512};
    for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++) {
        for (unsigned first = 0; first < 256; first++) {
            if (!check_folder(c, algorithms[i], first, err)) {
                return false;
            }
        }
    }
    return true;
}
