#include "base/clock.h"
#include "base/fsx.h"
#include "base/log.h"
#include "storage/blob.h"
#include "storage/row.h"
#include "storage/statements.h"
#include "storage/upload_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#define READ_UNIT ((size_t)256 * 1024)
#define WRITE_BACK_UNIT (INT64_C(8) * 1024 * 1024)

/* --- the file --------------------------------------------------------------------------------- */

bool upload_file_need(struct upload *u, struct err *err)
{
    if (u->fd >= 0) {
        return true;
    }
    u->fd = openat(u->store->uploads_fd, u->id, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
                   0600);
    if (u->fd < 0) {
        return err_sys(err, errno, "create the upload %s", u->id);
    }
    if (!fsx_pwrite_all(u->fd, u->held.p, u->held.n, 0, err)) {
        upload_file_close(u);
        upload_file_unlink(u);
        return false;
    }
    buf_dispose(&u->held);
    return true;
}

bool upload_file_open(struct upload *u, struct err *err)
{
    struct stat st;
    if (u->sha256 && upload_received(u) == 0) {
        return true;
    }
    u->fd = openat(u->store->uploads_fd, u->id, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (u->fd < 0 && errno == ENOENT) {
        return upload_received(u) == 0 || upload_unknown(err);
    }
    if (u->fd < 0) {
        return err_sys(err, errno, "open the upload %s", u->id);
    }
    if (fstat(u->fd, &st) != 0) {
        return err_sys(err, errno, "stat of the upload %s", u->id);
    }
    u->sealed = st.st_nlink > 1;
    return true;
}

void upload_file_close(struct upload *u)
{
    cleanup_fd(&u->fd);
    u->fd = -1;
}

void upload_file_unlink(const struct upload *u)
{
    struct err err = {0};
    if (!fsx_unlink(u->store->uploads_fd, u->id, &err)) {
        log_err(LOG_WARN, "upload_unlink", &err);
    }
}

int64_t upload_file_written_us(const struct store *store, const char *id)
{
    struct stat st;
    if (fstatat(store->uploads_fd, id, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        return 0;
    }
    return (int64_t)st.st_mtim.tv_sec * US_PER_SECOND + st.st_mtim.tv_nsec / 1000;
}

bool upload_file_write(struct upload *u, struct slice bytes, int64_t at, struct err *err)
{
    if (!fsx_pwrite_all(u->fd, bytes.p, bytes.n, at, err)) {
        if (ftruncate(u->fd, at) != 0) {
            log_event(LOG_WARN, "upload_truncate", "id=%s errno=%d", u->id, errno);
        }
        return false;
    }
    int64_t end = at + (int64_t)bytes.n;
    if (end - u->written_back >= WRITE_BACK_UNIT) { /* the fsync at the end finds little left */
        (void)sync_file_range(u->fd, u->written_back, end - u->written_back, SYNC_FILE_RANGE_WRITE);
        u->written_back = end;
    }
    return true;
}

/* --- hashes ----------------------------------------------------------------------------------- */

static bool hash_file(int fd, int64_t size, struct hash *h, struct err *err)
{
    auto_free char *unit = xmalloc(READ_UNIT);
    int64_t at = 0;
    while (at < size) {
        size_t want = size - at < (int64_t)READ_UNIT ? (size_t)(size - at) : READ_UNIT;
        ssize_t n = pread(fd, unit, want, at);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return err_sys(err, n == 0 ? EIO : errno, "read of an upload");
        }
        hash_update(h, unit, (size_t)n);
        at += n;
    }
    return true;
}

static bool digest_file(int fd, int64_t size, enum digest_algorithm algorithm, struct digest *out,
                        struct err *err)
{
    auto_hash struct hash *h = hash_new(algorithm);
    if (!hash_file(fd, size, h, err)) {
        return false;
    }
    hash_peek(h, out);
    return true;
}

bool upload_file_digest(const struct upload *u, enum digest_algorithm algorithm, struct digest *out,
                        struct err *err)
{
    if (algorithm == DIGEST_SHA256) {
        hash_peek(u->sha256, out);
        return true;
    }
    if (u->fd < 0) {
        hash_bytes(algorithm, buf_slice_of(&u->held), out);
        return true;
    }
    return digest_file(u->fd, upload_received(u), algorithm, out, err);
}

bool upload_file_read_back(struct upload *u, struct err *err)
{
    struct stat st = {0};
    if (u->sha256) {
        return true;
    }
    if (u->fd >= 0 && fstat(u->fd, &st) != 0) {
        return err_sys(err, errno, "stat of the upload %s", u->id);
    }
    auto_hash struct hash *h = hash_new(DIGEST_SHA256);
    if (!hash_file(u->fd, st.st_size, h, err)) {
        return false;
    }
    u->sha256 = take(h);
    atomic_store(&u->received, st.st_size);
    return true;
}

bool upload_file_bytes(const struct upload *u, struct buf *room, struct slice *out, struct err *err)
{
    size_t size = (size_t)upload_received(u);
    if (u->fd < 0) {
        *out = buf_slice_of(&u->held);
        return true;
    }
    buf_reserve(room, size);
    while (room->n < size) {
        ssize_t n = pread(u->fd, room->p + room->n, size - room->n, (off_t)room->n);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return err_sys(err, n == 0 ? EIO : errno, "read of the upload %s", u->id);
        }
        room->n += (size_t)n;
    }
    *out = buf_slice_of(room);
    return true;
}

/* --- to blobs/ and back ----------------------------------------------------------------------- */

bool upload_file_is_believed(const struct upload *u, const struct digest *digest, bool *out,
                             struct err *err)
{
    char path[BLOB_PATH_MAX];
    struct stat st;
    struct blob_state state;
    auto_snapshot struct db_tx *tx = NULL;
    if (fstatat(u->store->blobs_fd, blob_path(digest, path), &st, AT_SYMLINK_NOFOLLOW) != 0) {
        return err_sys(err, errno, "stat of blobs/%s", path);
    }
    if (!db_snapshot(u->store->db, &tx, err) || !blob_state(tx, digest, &state, err)) {
        return false;
    }
    *out = st.st_size == upload_received(u) && (!state.known || state.missing_us == 0);
    return true;
}

static bool is_unheld(struct db_tx *tx, void *arg, struct err *err)
{
    const struct digest *digest = arg;
    bool held = false;
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_BLOB_SIZE);
    db_bind_digest(q, 1, digest);
    if (!row_exists(q, &held, err)) {
        return false;
    }
    return !held || err_set(err, ERR_CONFLICT, "");
}

/* Removes a file under blobs/ that was published but has no row: its commit failed, or a crash came
 * before it. Asked on the writer, so that no commit is still on its way. The lock is held. */
static bool remove_orphan(struct store *store, const struct digest *digest)
{
    char path[BLOB_PATH_MAX];
    struct err err = {0};
    struct digest asked = *digest;
    if (!db_write(store->db, is_unheld, &asked, &err)) {
        return err.code == ERR_CONFLICT; /* it is a blob now, and stays */
    }
    if (!fsx_unlink(store->blobs_fd, blob_path(digest, path), &err)) {
        log_err(LOG_WARN, "orphan_remove", &err);
        return false;
    }
    return true;
}

/* Somebody's file that has the name, if there is one. */
static bool make_way(struct store *store, const struct digest *digest, const char *path,
                     bool *existed_out, struct err *err)
{
    *existed_out = false;
    if (faccessat(store->blobs_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) != 0) {
        return errno == ENOENT || err_sys(err, errno, "look for blobs/%s", path);
    }
    if (!remove_orphan(store, digest)) {
        return err_internal(err, "a file without a row is in the way of blobs/%s", path);
    }
    *existed_out = faccessat(store->blobs_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
    return true;
}

bool upload_file_publish(struct upload *u, const struct digest *digest, bool *existed_out,
                         struct err *err)
{
    char path[BLOB_PATH_MAX];
    struct stat st;
    if (fstat(u->fd, &st) != 0) {
        return err_sys(err, errno, "stat of the upload %s", u->id);
    }
    if (st.st_size != upload_received(u)) {
        return err_internal(err, "upload %s: %lld bytes in the file, %lld received", u->id,
                            (long long)st.st_size, (long long)upload_received(u));
    }
    if (!store_blob_folder(u->store, digest, err) ||
        !make_way(u->store, digest, blob_path(digest, path), existed_out, err)) {
        return false;
    }
    return *existed_out ||
           fsx_publish(u->fd, u->store->uploads_fd, u->id, u->store->blobs_fd, path, NULL, err);
}

void upload_file_take_back(struct upload *u, const struct digest *digest)
{
    struct stat st;
    (void)remove_orphan(u->store, digest);
    u->sealed = fstat(u->fd, &st) != 0 || st.st_nlink > 1;
}

static bool is_same_file(const struct store *store, const struct digest *digest,
                         const struct stat *file)
{
    char path[BLOB_PATH_MAX];
    struct stat st;
    return fstatat(store->blobs_fd, blob_path(digest, path), &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           st.st_ino == file->st_ino && st.st_dev == file->st_dev;
}

bool upload_file_remove_published(struct store *store, int fd, struct err *err)
{
    static const enum digest_algorithm algorithms[] = {DIGEST_SHA256, DIGEST_SHA512};
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return err_sys(err, errno, "stat of an upload");
    }
    for (size_t i = 0; st.st_nlink > 1 && i < sizeof(algorithms) / sizeof(algorithms[0]); i++) {
        struct digest digest;
        if (!digest_file(fd, st.st_size, algorithms[i], &digest, err)) {
            return false;
        }
        store_digest_lock(store, &digest);
        bool found = is_same_file(store, &digest, &st);
        bool done = !found || remove_orphan(store, &digest);
        store_digest_unlock(store, &digest);
        if (found) {
            return done || err_internal(err, "a published file without a row could not be removed");
        }
    }
    return true;
}
