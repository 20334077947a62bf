/* The functions of libc that stand in for the real ones. Those with 64 in their name are the same functions here. */
#include "fault.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define ALSO(result, name, of, ...) EXPORT result name(__VA_ARGS__) __attribute__((alias(#of)))

/* --- opening ---------------------------------------------------------------------------------- */

static bool exists(int dir, const char *path)
{
    struct stat st;
    int kept = errno;
    bool found = fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
    errno = kept;
    return found;
}

static int open_file(int dir, const char *path, int flags, mode_t mode)
{
    struct fault_call call;
    bool changes = (flags & (O_CREAT | O_TRUNC)) != 0;
    if (!fault_on_path(&call, changes ? OP_CREATE : OP_OPEN, dir, path)) {
        return (int)syscall(SYS_openat, dir, path, flags, mode);
    }
    fault_begin(&call);
    bool existed = exists(dir, path);
    int fd = call.action == DO_FAIL ? -1 : (int)syscall(SYS_openat, dir, path, flags, mode);
    if (fd >= 0 && (flags & O_CREAT) && !existed) {
        fault_record_made(&call, dir, path, false);
    }
    if (fd >= 0 && (flags & O_TRUNC)) {
        fault_record_size(&call, fd);
    }
    fault_end(&call);
    return fd;
}

static mode_t mode_of(int flags, va_list args)
{
    return (flags & (O_CREAT | __O_TMPFILE)) != 0 ? va_arg(args, mode_t) : 0;
}

EXPORT int open(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = mode_of(flags, args);
    va_end(args);
    return open_file(AT_FDCWD, path, flags, mode);
}

EXPORT int openat(int dir, const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = mode_of(flags, args);
    va_end(args);
    return open_file(dir, path, flags, mode);
}

ALSO(int, open64, open, const char *path, int flags, ...);
ALSO(int, openat64, openat, int dir, const char *path, int flags, ...);

/* What _FORTIFY_SOURCE makes of an open without a mode. */
EXPORT int __open_2(const char *path, int flags);
EXPORT int __open_2(const char *path, int flags)
{
    return open_file(AT_FDCWD, path, flags, 0);
}

EXPORT int __openat_2(int dir, const char *path, int flags);
EXPORT int __openat_2(int dir, const char *path, int flags)
{
    return open_file(dir, path, flags, 0);
}

ALSO(int, __open64_2, __open_2, const char *path, int flags);
ALSO(int, __openat64_2, __openat_2, int dir, const char *path, int flags);

/* --- writing ---------------------------------------------------------------------------------- */

static size_t shortened(const struct fault_call *call, size_t n)
{
    return call->action == DO_SHORTEN && n > 1 ? n / 2 : n;
}

EXPORT ssize_t write(int fd, const void *p, size_t n)
{
    struct fault_call call;
    if (!fault_on_fd(&call, OP_WRITE, fd)) {
        return syscall(SYS_write, fd, p, n);
    }
    fault_begin(&call);
    ssize_t done = call.action == DO_FAIL ? -1 : syscall(SYS_write, fd, p, shortened(&call, n));
    if (done > 0) {
        fault_record_bytes(&call, fd, p, (size_t)done, lseek(fd, 0, SEEK_CUR) - done);
    }
    fault_end(&call);
    return done;
}

EXPORT ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
    struct fault_call call;
    if (!fault_on_fd(&call, OP_WRITE, fd)) {
        return syscall(SYS_pwrite64, fd, p, n, at);
    }
    fault_begin(&call);
    ssize_t done =
        call.action == DO_FAIL ? -1 : syscall(SYS_pwrite64, fd, p, shortened(&call, n), at);
    if (done > 0) {
        fault_record_bytes(&call, fd, p, (size_t)done, at);
    }
    fault_end(&call);
    return done;
}

ALSO(ssize_t, pwrite64, pwrite, int fd, const void *p, size_t n, off_t at);

/* Several pieces may be written as one: the first is a legal short write. */
EXPORT ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at)
{
    struct fault_call call;
    if (count < 1 || !fault_on_fd(&call, OP_WRITE, fd)) {
        return syscall(SYS_pwritev, fd, parts, count, at, 0);
    }
    return pwrite(fd, parts[0].iov_base, parts[0].iov_len, at);
}

ALSO(ssize_t, pwritev64, pwritev, int fd, const struct iovec *parts, int count, off_t at);

EXPORT ssize_t writev(int fd, const struct iovec *parts, int count)
{
    struct fault_call call;
    if (count < 1 || !fault_on_fd(&call, OP_WRITE, fd)) {
        return syscall(SYS_writev, fd, parts, count);
    }
    return write(fd, parts[0].iov_base, parts[0].iov_len);
}

EXPORT int ftruncate(int fd, off_t size)
{
    struct fault_call call;
    if (!fault_on_fd(&call, OP_TRUNCATE, fd)) {
        return (int)syscall(SYS_ftruncate, fd, size);
    }
    fault_begin(&call);
    int done = call.action == DO_FAIL ? -1 : (int)syscall(SYS_ftruncate, fd, size);
    if (done == 0) {
        fault_record_size(&call, fd);
    }
    fault_end(&call);
    return done;
}

ALSO(int, ftruncate64, ftruncate, int fd, off_t size);

EXPORT int fallocate(int fd, int mode, off_t at, off_t n)
{
    struct fault_call call;
    if (!fault_on_fd(&call, OP_ALLOCATE, fd)) {
        return (int)syscall(SYS_fallocate, fd, mode, at, n);
    }
    fault_begin(&call);
    int done = call.action == DO_FAIL ? -1 : (int)syscall(SYS_fallocate, fd, mode, at, n);
    if (done == 0) {
        fault_record_size(&call, fd);
    }
    fault_end(&call);
    return done;
}

EXPORT int posix_fallocate(int fd, off_t at, off_t n)
{
    int kept = errno;
    int said = fallocate(fd, 0, at, n) == 0 ? 0 : errno;
    errno = kept;
    return said;
}

ALSO(int, fallocate64, fallocate, int fd, int mode, off_t at, off_t n);
ALSO(int, posix_fallocate64, posix_fallocate, int fd, off_t at, off_t n);

/* --- syncing ---------------------------------------------------------------------------------- */

/* The disk is not waited for: what a sync is good for is known from the record, and what ends a process leaves the
 * kernel's cache as it is. */
static int sync_by(long call_number, int fd)
{
    struct fault_call call;
    if (!fault_on_fd(&call, OP_SYNC, fd)) {
        return (int)syscall(call_number, fd);
    }
    fault_begin(&call);
    int done = call.action == DO_FAIL ? -1 : 0;
    fault_record_sync(&call, fd, done == 0);
    fault_end(&call);
    return done;
}

EXPORT int fsync(int fd)
{
    return sync_by(SYS_fsync, fd);
}

EXPORT int fdatasync(int fd)
{
    return sync_by(SYS_fdatasync, fd);
}

EXPORT int syncfs(int fd)
{
    struct fault_call call;
    if (!fault_on_fd(&call, OP_SYNC_ALL, fd)) {
        return (int)syscall(SYS_syncfs, fd);
    }
    fault_begin(&call);
    int done = call.action == DO_FAIL ? -1 : 0;
    if (done == 0) {
        fault_record_sync_all(&call);
    }
    fault_end(&call);
    return done;
}

/* Promises nothing, so nothing is recorded. */
EXPORT int sync_file_range(int fd, off_t at, off_t n, unsigned flags)
{
    struct fault_call call;
    if (!fault_on_fd(&call, OP_WRITE_BACK, fd)) {
        return (int)syscall(SYS_sync_file_range, fd, at, n, flags);
    }
    fault_begin(&call);
    int done = call.action == DO_FAIL ? -1 : (int)syscall(SYS_sync_file_range, fd, at, n, flags);
    fault_end(&call);
    return done;
}

/* --- names ------------------------------------------------------------------------------------ */

EXPORT int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
    struct fault_call call;
    if (!fault_on_path(&call, OP_LINK, to_dir, to)) {
        return (int)syscall(SYS_linkat, from_dir, from, to_dir, to, flags);
    }
    fault_begin(&call);
    int done =
        call.action == DO_FAIL ? -1 : (int)syscall(SYS_linkat, from_dir, from, to_dir, to, flags);
    if (done == 0) {
        fault_record_made(&call, to_dir, to, false);
    }
    fault_end(&call);
    return done;
}

EXPORT int link(const char *from, const char *to)
{
    return linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
}

EXPORT int unlinkat(int dir, const char *path, int flags)
{
    struct fault_call call;
    if (!fault_on_path(&call, (flags & AT_REMOVEDIR) ? OP_RMDIR : OP_UNLINK, dir, path)) {
        return (int)syscall(SYS_unlinkat, dir, path, flags);
    }
    fault_begin(&call);
    int done = call.action == DO_FAIL ? -1 : (int)syscall(SYS_unlinkat, dir, path, flags);
    if (done == 0) {
        fault_record_unlinked(&call, dir, path);
    }
    fault_end(&call);
    return done;
}

EXPORT int unlink(const char *path)
{
    return unlinkat(AT_FDCWD, path, 0);
}

EXPORT int rmdir(const char *path)
{
    return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

EXPORT int remove(const char *path)
{
    int kept = errno;
    if (unlink(path) == 0) {
        return 0;
    }
    if (errno != EISDIR) {
        return -1;
    }
    errno = kept;
    return rmdir(path);
}

EXPORT int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
    struct fault_call call;
    if (!fault_on_path(&call, OP_RENAME, to_dir, to)) {
        return (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);
    }
    fault_begin(&call);
    int done = call.action == DO_FAIL
                   ? -1
                   : (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);
    if (done == 0) {
        fault_record_renamed(&call, from_dir, from, to_dir, to);
    }
    fault_end(&call);
    return done;
}

EXPORT int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    return renameat2(from_dir, from, to_dir, to, 0);
}

EXPORT int rename(const char *from, const char *to)
{
    return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0);
}

EXPORT int mkdirat(int dir, const char *path, mode_t mode)
{
    struct fault_call call;
    if (!fault_on_path(&call, OP_MKDIR, dir, path)) {
        return (int)syscall(SYS_mkdirat, dir, path, mode);
    }
    fault_begin(&call);
    int done = call.action == DO_FAIL ? -1 : (int)syscall(SYS_mkdirat, dir, path, mode);
    if (done == 0) {
        fault_record_made(&call, dir, path, true);
    }
    fault_end(&call);
    return done;
}

EXPORT int mkdir(const char *path, mode_t mode)
{
    return mkdirat(AT_FDCWD, path, mode);
}

/* --- reading ---------------------------------------------------------------------------------- */

EXPORT ssize_t read(int fd, void *p, size_t n)
{
    struct fault_call call;
    if (!fault_on_fd(&call, OP_READ, fd)) {
        return syscall(SYS_read, fd, p, n);
    }
    fault_begin(&call);
    ssize_t done = call.action == DO_FAIL ? -1 : syscall(SYS_read, fd, p, shortened(&call, n));
    fault_end(&call);
    return done;
}

EXPORT ssize_t pread(int fd, void *p, size_t n, off_t at)
{
    struct fault_call call;
    if (!fault_on_fd(&call, OP_READ, fd)) {
        return syscall(SYS_pread64, fd, p, n, at);
    }
    fault_begin(&call);
    ssize_t done =
        call.action == DO_FAIL ? -1 : syscall(SYS_pread64, fd, p, shortened(&call, n), at);
    fault_end(&call);
    return done;
}

ALSO(ssize_t, pread64, pread, int fd, void *p, size_t n, off_t at);

EXPORT ssize_t __read_chk(int fd, void *p, size_t n, size_t room);
EXPORT ssize_t __read_chk(int fd, void *p, size_t n, size_t room)
{
    return read(fd, p, n < room ? n : room);
}

EXPORT ssize_t __pread_chk(int fd, void *p, size_t n, off_t at, size_t room);
EXPORT ssize_t __pread_chk(int fd, void *p, size_t n, off_t at, size_t room)
{
    return pread(fd, p, n < room ? n : room, at);
}

ALSO(ssize_t, __pread64_chk, __pread_chk, int fd, void *p, size_t n, off_t at, size_t room);

EXPORT ssize_t sendfile(int out, int in, off_t *at, size_t n)
{
    struct fault_call call;
    if (!fault_on_fd(&call, OP_SEND, in)) {
        return syscall(SYS_sendfile, out, in, at, n);
    }
    fault_begin(&call);
    ssize_t done =
        call.action == DO_FAIL ? -1 : syscall(SYS_sendfile, out, in, at, shortened(&call, n));
    fault_end(&call);
    return done;
}

ALSO(ssize_t, sendfile64, sendfile, int out, int in, off_t *at, size_t n);
