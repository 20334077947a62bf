/* Stands in for libFuzzer: runs a target over every file of the folders named, whole and cut after
 * each byte. */
#include "base/buf.h"
#include "base/fsx.h"
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>

#define INPUT_MAX ((size_t)32 << 20)
#define CUT_MAX 4096 /* larger files are run whole only */

/* A copy of its own size, so that a sanitizer sees a read one byte beyond it. */
static void run(const char *p, size_t n)
{
    uint8_t *copy = xmalloc(n);
    if (n) {
        memcpy(copy, p, n);
    }
    (void)LLVMFuzzerTestOneInput(copy, n);
    free(copy);
}

static bool run_file(int folder, const char *name)
{
    struct err err = {0};
    auto_buf struct buf bytes = {0};
    if (!fsx_read(folder, name, INPUT_MAX, &bytes, &err)) {
        fprintf(stderr, "%s: %s (%s)\n", name, err.msg, err.detail);
        return false;
    }
    for (size_t n = 0; bytes.n <= CUT_MAX && n < bytes.n; n++) {
        run(bytes.p, n);
    }
    run(bytes.p, bytes.n);
    return true;
}

/* Number of files run, or -1. */
static int run_folder(const char *path)
{
    int files = 0;
    DIR *folder = opendir(path);
    if (!folder) {
        fprintf(stderr, "%s: no such folder\n", path);
        return -1;
    }
    for (struct dirent *entry = readdir(folder); entry && files >= 0; entry = readdir(folder)) {
        if (entry->d_name[0] != '.') {
            files = run_file(dirfd(folder), entry->d_name) ? files + 1 : -1;
        }
    }
    (void)closedir(folder);
    return files;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        int files = run_folder(argv[i]);
        if (files <= 0) {
            fprintf(stderr, "%s: nothing was replayed\n", argv[i]);
            return 1;
        }
        printf("%s: %d files\n", argv[i], files);
    }
    return argc > 1 ? 0 : 1;
}
