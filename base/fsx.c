#include "base/fsx.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#define TEMP_NAME_MAX 64
#define REWRITE_UNIT ((size_t)256 * 1024)

static bool sync_dir(int fd, const char *what, struct err *err)
{
    if (fsync(fd) != 0) {
        return err_sys(err, errno, "fsync of the folder of %s", what);
    }
    return true;
}

/* Opens the folder that holds the name `path` (everything before its last slash). */
static int open_parent(int at, const char *path, struct err *err)
{
    struct slice whole = slice_str(path);
    while (whole.n > 1 && whole.p[whole.n - 1] == '/') {
        whole.n--;
    }
    ptrdiff_t slash = slice_rindex(whole, '/');
    auto_free char *parent = slash < 0    ? xstrdup(".")
                             : slash == 0 ? xstrdup("/")
                                          : xstrndup(path, (size_t)slash);
    int fd = openat(at, parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        err_sys(err, errno, "open the folder %s", parent);
    }
    return fd;
}

bool fsx_mkdir(int at, const char *path, mode_t mode, struct err *err)
{
    if (mkdirat(at, path, mode) != 0) {
        if (errno == EEXIST) {
            return true; /* whoever made it has synced it, or is about to before he uses it */
        }
        return err_sys(err, errno, "mkdir %s", path);
    }
    auto_fd int parent = open_parent(at, path, err);
    return parent >= 0 && sync_dir(parent, path, err);
}

int fsx_open_dir(int at, const char *path, bool create, mode_t mode, struct err *err)
{
    int fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT && create) {
        if (!fsx_mkdir(at, path, mode, err)) {
            return -1;
        }
        fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    if (fd < 0) {
        err_sys(err, errno, "open the folder %s", path);
    }
    return fd;
}

bool fsx_write_all(int fd, const void *p, size_t n, struct err *err)
{
    const char *at = p;
    while (n > 0) {
        ssize_t done = write(fd, at, n);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done <= 0) {
            return err_sys(err, done == 0 ? EIO : errno, "write of %zu bytes", n);
        }
        at += done;
        n -= (size_t)done;
    }
    return true;
}

bool fsx_pwrite_all(int fd, const void *p, size_t n, off_t at, struct err *err)
{
    const char *from = p;
    while (n > 0) {
        ssize_t done = pwrite(fd, from, n, at);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done <= 0) {
            return err_sys(err, done == 0 ? EIO : errno, "pwrite of %zu bytes", n);
        }
        from += done;
        at += done;
        n -= (size_t)done;
    }
    return true;
}

bool fsx_publish(int file_fd, int from_dir, const char *from, int to_dir, const char *to,
                 bool *existed_out, struct err *err)
{
    bool existed = false;
    if (fsync(file_fd) != 0) {
        return err_sys(err, errno, "fsync of %s", from);
    }
    if (linkat(from_dir, from, to_dir, to, 0) != 0) {
        if (errno != EEXIST) {
            return err_sys(err, errno, "link %s to %s", from, to);
        }
        existed = true;
    }
    /* also when it existed: the other one may not have synced the folder yet */
    auto_fd int parent = open_parent(to_dir, to, err);
    if (parent < 0 || !sync_dir(parent, to, err)) {
        return false;
    }
    if (existed_out) {
        *existed_out = existed;
    }
    return true;
}

bool fsx_move(int from_dir, const char *from, int to_dir, const char *to, struct err *err)
{
    if (renameat(from_dir, from, to_dir, to) != 0) {
        return errno == ENOENT ? err_set(err, ERR_NOT_FOUND, "the file %s does not exist", from)
                               : err_sys(err, errno, "rename %s to %s", from, to);
    }
    auto_fd int new_parent = open_parent(to_dir, to, err);
    if (new_parent < 0 || !sync_dir(new_parent, to, err)) {
        return false;
    }
    auto_fd int old_parent = open_parent(from_dir, from, err);
    return old_parent >= 0 && sync_dir(old_parent, from, err);
}

/* A temporary name in the folder of `path`, not guessable and never reused. */
static void temp_name(char out[TEMP_NAME_MAX])
{
    unsigned char random[12];
    char hex[2 * sizeof(random) + 1];
    randombytes_buf(random, sizeof(random));
    sodium_bin2hex(hex, sizeof(hex), random, sizeof(random));
    snprintf(out, TEMP_NAME_MAX, ".new-%s", hex);
}

static bool write_new(int dir, const char *name, struct slice bytes, mode_t mode, struct err *err)
{
    auto_fd int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0) {
        return err_sys(err, errno, "create %s", name);
    }
    if (fchmod(fd, mode) != 0) { /* the umask must not decide */
        return err_sys(err, errno, "chmod of %s", name);
    }
    if (!fsx_write_all(fd, bytes.p, bytes.n, err)) {
        return false;
    }
    if (fsync(fd) != 0) {
        return err_sys(err, errno, "fsync of %s", name);
    }
    return true;
}

bool fsx_replace(int at, const char *path, struct slice bytes, mode_t mode, struct err *err)
{
    char name[TEMP_NAME_MAX];
    auto_fd int parent = open_parent(at, path, err);
    if (parent < 0) {
        return false;
    }
    temp_name(name);
    bool done = write_new(parent, name, bytes, mode, err);
    if (done && renameat(parent, name, at, path) != 0) {
        done = err_sys(err, errno, "rename to %s", path);
    }
    if (!done) {
        (void)unlinkat(parent, name, 0);
        return false;
    }
    return sync_dir(parent, path, err);
}

static bool write_over(int fd, const char *path, char *unit, struct err *err)
{
    off_t at = 0;
    for (;;) {
        ssize_t n = pread(fd, unit, REWRITE_UNIT, at);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return err_sys(err, errno, "read of %s", path);
        }
        if (n == 0) {
            return fsync(fd) == 0 || err_sys(err, errno, "fsync of %s", path);
        }
        if (!fsx_pwrite_all(fd, unit, (size_t)n, at, err)) {
            return false;
        }
        at += n;
    }
}

bool fsx_rewrite(int at, const char *path, struct err *err)
{
    auto_fd int fd = openat(at, path, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT || err_sys(err, errno, "open %s", path);
    }
    auto_free char *unit = xmalloc(REWRITE_UNIT);
    return write_over(fd, path, unit, err);
}

bool fsx_read_open(int fd, const char *what, size_t max, struct buf *out, struct err *err)
{
    char chunk[16384];
    size_t total = 0;
    buf_put(out, "", 0); /* an empty file is an empty string, not NULL */
    for (;;) {
        ssize_t n = read(fd, chunk, sizeof(chunk));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            sodium_memzero(chunk, sizeof(chunk));
            return err_sys(err, errno, "read of %s", what);
        }
        if (n == 0) {
            break;
        }
        total += (size_t)n;
        if (total > max) {
            sodium_memzero(chunk, sizeof(chunk));
            return err_internal(err, "%s is larger than %zu bytes", what, max);
        }
        buf_put(out, chunk, (size_t)n);
    }
    sodium_memzero(chunk, sizeof(chunk)); /* keys are read this way too */
    return out->failed ? err_internal(err, "%s does not fit the buffer", what) : true;
}

bool fsx_read(int at, const char *path, size_t max, struct buf *out, struct err *err)
{
    auto_fd int fd = openat(at, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        return err_set(err, ERR_NOT_FOUND, "the file %s does not exist", path);
    }
    if (fd < 0) {
        return err_sys(err, errno, "open %s", path);
    }
    return fsx_read_open(fd, path, max, out, err);
}

bool fsx_sync_folder(int at, const char *path, struct err *err)
{
    struct err why = {0};
    auto_fd int parent = open_parent(at, path, &why);
    if (parent < 0) {
        if (why.sys != ENOENT && err) {
            *err = why;
        }
        return why.sys == ENOENT;
    }
    return sync_dir(parent, path, err);
}

bool fsx_unlink(int at, const char *path, struct err *err)
{
    if (unlinkat(at, path, 0) != 0 && errno != ENOENT) {
        return err_sys(err, errno, "unlink %s", path);
    }
    return true;
}

int fsx_lock(int at, const char *path, struct err *err)
{
    auto_fd int fd = openat(at, path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        err_sys(err, errno, "open the lock file %s", path);
        return -1;
    }
    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EINTR) {
            continue;
        }
        if (errno == EWOULDBLOCK) {
            err_set(err, ERR_CONFLICT, "%s is held by another process", path);
        } else {
            err_sys(err, errno, "lock %s", path);
        }
        return -1;
    }
    return take_fd(&fd);
}
