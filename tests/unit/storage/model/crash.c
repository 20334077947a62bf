#include "tests/unit/storage/model/crash.h"

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static enum crash_call wanted = CRASH_NEVER;
static bool end_after;
static atomic_int_fast64_t left; /* calls of that kind until the end */

void crash_arm(enum crash_call call, int64_t n, bool after)
{
    wanted = call;
    end_after = after;
    atomic_store(&left, n);
}

static void die(void)
{
    (void)kill(getpid(), SIGKILL);
    for (;;) {
        (void)pause();
    }
}

/* True: this call is the last one, and is carried out. */
static bool begin(enum crash_call call)
{
    bool counts = wanted == CRASH_ANY || (wanted != CRASH_NEVER && wanted == call);
    bool last = counts && atomic_fetch_sub(&left, 1) == 1;
    if (last && !end_after) {
        die();
    }
    return last;
}

static void finish(bool last)
{
    if (last) {
        die();
    }
}

#define CARRY_OUT(call, type, ...)                                                                 \
    do {                                                                                           \
        bool last_ = begin(call);                                                                  \
        long answer_ = syscall(__VA_ARGS__);                                                       \
        finish(last_);                                                                             \
        return (type)answer_;                                                                      \
    } while (0)

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
    CARRY_OUT(CRASH_ANY, ssize_t, SYS_pwrite64, fd, p, n, at);
}

ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at)
{
    CARRY_OUT(CRASH_ANY, ssize_t, SYS_pwrite64, fd, p, n, at);
}

int ftruncate(int fd, off_t n)
{
    CARRY_OUT(CRASH_ANY, int, SYS_ftruncate, fd, n);
}

int ftruncate64(int fd, off64_t n)
{
    CARRY_OUT(CRASH_ANY, int, SYS_ftruncate, fd, n);
}

int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
    CARRY_OUT(CRASH_LINK, int, SYS_linkat, from_dir, from, to_dir, to, flags);
}

int unlinkat(int dir, const char *path, int flags)
{
    CARRY_OUT(CRASH_UNLINK, int, SYS_unlinkat, dir, path, flags);
}

int unlink(const char *path)
{
    CARRY_OUT(CRASH_UNLINK, int, SYS_unlinkat, AT_FDCWD, path, 0);
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    CARRY_OUT(CRASH_ANY, int, SYS_renameat, from_dir, from, to_dir, to);
}

int mkdirat(int dir, const char *path, mode_t mode)
{
    CARRY_OUT(CRASH_ANY, int, SYS_mkdirat, dir, path, mode);
}

static int sync_nothing(void)
{
    finish(begin(CRASH_ANY));
    return 0;
}

int fsync(int fd)
{
    (void)fd;
    return sync_nothing();
}

int fdatasync(int fd)
{
    (void)fd;
    return sync_nothing();
}
