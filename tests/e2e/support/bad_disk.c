/* Preloaded into a server: reading a file whose path ends in one of the names in the file that
 * BAD_DISK names fails with EIO, by read, pread and sendfile. Other files are read as ever. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <unistd.h>

static int is_bad(int fd)
{
    char link[64], path[4096], line[4096];
    const char *list = getenv("BAD_DISK");
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof(path) - 1);
    if (n < 0 || !list || !strstr((path[n] = '\0', path), "/blobs/")) {
        return 0;
    }
    FILE *f = fopen(list, "re");
    int bad = 0;
    while (f && !bad && fgets(line, sizeof(line), f)) {
        line[strcspn(line, "\n")] = '\0';
        bad = line[0] && strlen(path) >= strlen(line) && strcmp(path + strlen(path) - strlen(line), line) == 0;
    }
    if (f) {
        fclose(f);
    }
    return bad;
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define FAIL_IF_BAD(fd)                                                                            \
    do {                                                                                           \
        int kept = errno;                                                                          \
        if (is_bad(fd)) {                                                                          \
            errno = EIO;                                                                           \
            return -1;                                                                             \
        }                                                                                          \
        errno = kept;                                                                              \
    } while (0)

ssize_t read(int fd, void *p, size_t n)
{
    static __thread int inside; /* fgets reads too */
    if (!inside) {
        inside = 1;
        int kept = errno, bad = is_bad(fd);
        inside = 0;
        if (bad) {
            errno = EIO;
            return -1;
        }
        errno = kept;
    }
    return NEXT(read)(fd, p, n);
}

ssize_t pread(int fd, void *p, size_t n, off_t at)
{
    FAIL_IF_BAD(fd);
    return NEXT(pread)(fd, p, n, at);
}

ssize_t pread64(int fd, void *p, size_t n, off64_t at)
{
    FAIL_IF_BAD(fd);
    return NEXT(pread64)(fd, p, n, at);
}

ssize_t sendfile(int out, int fd, off_t *at, size_t n)
{
    FAIL_IF_BAD(fd);
    return NEXT(sendfile)(out, fd, at, n);
}

ssize_t sendfile64(int out, int fd, off64_t *at, size_t n)
{
    FAIL_IF_BAD(fd);
    return NEXT(sendfile64)(out, fd, at, n);
}
