#include "base/fsx.h"
#include "tests/unit/base/check.h"

#include <sys/time.h>

static int setup(void **state)
{
    struct folder *f = xcalloc(1, sizeof(*f));
    folder_make(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    folder_remove(*state);
    free(*state);
    return 0;
}

static mode_t mode_of(int at, const char *path)
{
    struct stat st;
    assert_int_equal(fstatat(at, path, &st, AT_SYMLINK_NOFOLLOW), 0);
    return st.st_mode & 07777;
}

static bool exists(int at, const char *path)
{
    return faccessat(at, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void folders(void **state)
{
    const struct folder *f = *state;
    struct err err = {0};
    assert_int_equal(fsx_open_dir(f->fd, "absent", false, 0700, &err), -1);
    assert_int_equal(err.code, ERR_INTERNAL);
    auto_fd int fd = fsx_open_dir(f->fd, "made", true, 0700, &err);
    assert_true(fd >= 0);
    assert_int_equal(mode_of(f->fd, "made"), 0700);
    auto_fd int again = fsx_open_dir(f->fd, "made", true, 0755, &err);
    assert_true(again >= 0);
    assert_int_equal(mode_of(f->fd, "made"), 0700);
    assert_true(fsx_mkdir(f->fd, "made", 0700, &err));
    assert_true(fsx_mkdir(f->fd, "made/inner", 0700, &err));
    assert_true(fsx_mkdir(fd, "inner/deep/", 0700, &err));
    assert_true(exists(f->fd, "made/inner/deep"));
    assert_false(fsx_mkdir(f->fd, "absent/inner", 0700, &err));
    assert_int_equal(fsx_open_dir(f->fd, "a/b", true, 0700, &err), -1);

    assert_true(fsx_replace(f->fd, "file", SLICE_LIT("x"), 0600, &err));
    assert_int_equal(fsx_open_dir(f->fd, "file", true, 0700, &err), -1);
}

static int blob(int at, const char *name, const char *text)
{
    int fd = openat(at, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_true(fsx_write_all(fd, text, strlen(text), NULL));
    return fd;
}

static void assert_content(int at, const char *path, const char *want)
{
    auto_buf struct buf b = {0};
    struct err err = {0};
    assert_true(fsx_read(at, path, 1000, &b, &err));
    assert_string_equal(b.p, want);
}

static void publishing(void **state)
{
    const struct folder *f = *state;
    struct err err = {0};
    bool existed = true;
    auto_fd int uploads = fsx_open_dir(f->fd, "uploads", true, 0700, &err);
    auto_fd int blobs = fsx_open_dir(f->fd, "blobs", true, 0700, &err);
    assert_true(fsx_mkdir(blobs, "ab", 0700, &err));
    auto_fd int first = blob(uploads, "1", "content");
    auto_fd int second = blob(uploads, "2", "content");

    assert_true(fsx_publish(first, uploads, "1", blobs, "ab/abcd", &existed, &err));
    assert_false(existed);
    assert_content(blobs, "ab/abcd", "content");
    assert_true(exists(uploads, "1")); /* the caller's, until his own commit */
    assert_true(fsx_publish(second, uploads, "2", blobs, "ab/abcd", &existed, &err));
    assert_true(existed);
    assert_true(fsx_publish(first, uploads, "1", blobs, "ab/abcd", NULL, &err));
    assert_content(blobs, "ab/abcd", "content");

    assert_false(fsx_publish(first, uploads, "1", blobs, "zz/abcd", &existed, &err));
    assert_int_equal(err.code, ERR_INTERNAL);
    assert_false(fsx_publish(first, uploads, "absent", blobs, "ab/other", &existed, &err));
    assert_false(exists(blobs, "ab/other"));
    assert_false(fsx_publish(-1, uploads, "1", blobs, "ab/other", &existed, &err));
    assert_false(exists(blobs, "ab/other")); /* what is not synced is not published */
}

static void replacing(void **state)
{
    const struct folder *f = *state;
    struct err err = {0};
    mode_t old = umask(0277);
    assert_true(fsx_replace(f->fd, "key", SLICE_LIT("one"), 0600, &err));
    (void)umask(old);
    assert_int_equal(mode_of(f->fd, "key"), 0600);
    assert_content(f->fd, "key", "one");
    assert_true(fsx_replace(f->fd, "key", SLICE_LIT("second"), 0644, &err));
    assert_int_equal(mode_of(f->fd, "key"), 0644);
    assert_content(f->fd, "key", "second");
    assert_true(fsx_replace(f->fd, "empty", (struct slice){NULL, 0}, 0600, &err));
    assert_content(f->fd, "empty", "");

    /* a link is replaced, not followed */
    assert_int_equal(symlinkat("key", f->fd, "link"), 0);
    assert_true(fsx_replace(f->fd, "link", SLICE_LIT("third"), 0600, &err));
    assert_content(f->fd, "key", "second");
    assert_content(f->fd, "link", "third");

    assert_true(fsx_mkdir(f->fd, "folder", 0700, &err));
    assert_true(fsx_replace(f->fd, "folder/file", SLICE_LIT("x"), 0600, &err));
    assert_content(f->fd, "folder/file", "x");
    assert_false(fsx_replace(f->fd, "folder", SLICE_LIT("x"), 0600, &err));
    assert_false(fsx_replace(f->fd, "absent/file", SLICE_LIT("x"), 0600, &err));

    auto_free char *absolute = NULL;
    assert_true(asprintf(&absolute, "%s/absolute", f->path) > 0);
    assert_true(fsx_replace(AT_FDCWD, absolute, SLICE_LIT("x"), 0600, &err));
    assert_content(f->fd, "absolute", "x");
}

/* A failed replacement leaves no temporary file. */
static void nothing_is_left_over(void **state)
{
    const struct folder *f = *state;
    struct err err = {0};
    assert_true(fsx_mkdir(f->fd, "target", 0700, &err));
    assert_false(fsx_replace(f->fd, "target", SLICE_LIT("x"), 0600, &err));
    assert_int_equal(unlinkat(f->fd, "target", AT_REMOVEDIR), 0);
    assert_int_equal(rmdir(f->path), 0); /* so it is empty */
    assert_int_equal(mkdir(f->path, 0700), 0);
}

static void reading(void **state)
{
    const struct folder *f = *state;
    struct err err = {0};
    auto_buf struct buf b = {0};
    auto_buf struct buf small = {.max = 3};
    assert_false(fsx_read(f->fd, "absent", 10, &b, &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_true(fsx_replace(f->fd, "ten", SLICE_LIT("0123456789"), 0600, &err));
    assert_true(fsx_read(f->fd, "ten", 10, &b, &err));
    assert_int_equal(b.n, 10);
    buf_clear(&b);
    assert_false(fsx_read(f->fd, "ten", 9, &b, &err));
    assert_int_equal(err.code, ERR_INTERNAL);
    assert_false(fsx_read(f->fd, "ten", 10, &small, &err));
    assert_true(fsx_mkdir(f->fd, "folder", 0700, &err));
    assert_false(fsx_read(f->fd, "folder", 10, &b, &err));
    assert_int_equal(err.code, ERR_INTERNAL);
}

static void unlinking(void **state)
{
    const struct folder *f = *state;
    struct err err = {0};
    assert_true(fsx_replace(f->fd, "file", SLICE_LIT("x"), 0600, &err));
    assert_true(fsx_unlink(f->fd, "file", &err));
    assert_false(exists(f->fd, "file"));
    assert_true(fsx_unlink(f->fd, "file", &err));
    assert_true(fsx_mkdir(f->fd, "folder", 0700, &err));
    assert_false(fsx_unlink(f->fd, "folder", &err));
}

static void writing(void **state)
{
    const struct folder *f = *state;
    struct err err = {0};
    auto_fd int fd = blob(f->fd, "file", "0123456789");
    assert_true(fsx_pwrite_all(fd, "ab", 2, 4, &err));
    assert_content(f->fd, "file", "0123ab6789");
    assert_true(fsx_pwrite_all(fd, "zz", 2, 12, &err));
    assert_true(fsx_write_all(fd, NULL, 0, &err));
    auto_fd int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_true(full >= 0);
    assert_false(fsx_write_all(full, "x", 1, &err));
    assert_int_equal(err.code, ERR_NO_SPACE);
    assert_false(fsx_write_all(-1, "x", 1, &err));
    assert_int_equal(err.code, ERR_INTERNAL);
    assert_false(fsx_pwrite_all(-1, "x", 1, 0, &err));
}

static void on_alarm(int number)
{
    (void)number;
}

static void stop_alarms(void)
{
    const struct itimerval never = {{0, 0}, {0, 0}};
    (void)setitimer(ITIMER_REAL, &never, NULL);
}

/* A pipe takes what it has room for, and signals interrupt the write. */
static void short_writes_go_on(void **state)
{
    enum { TOTAL = 1 << 20 };
    const struct itimerval often = {{0, 2000}, {0, 2000}};
    struct sigaction action = {.sa_handler = on_alarm}; /* without SA_RESTART */
    int ends[2];
    (void)state;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        char *bytes = xcalloc(1, TOTAL);
        (void)close(ends[0]);
        (void)sigaction(SIGALRM, &action, NULL);
        (void)setitimer(ITIMER_REAL, &often, NULL);
        bool good = fsx_write_all(ends[1], bytes, TOTAL, NULL);
        stop_alarms();
        free(bytes);
        _exit(good ? 0 : 1);
    }
    (void)close(ends[1]);
    char chunk[5000];
    size_t total = 0;
    ssize_t n = 0;
    while ((n = read(ends[0], chunk, sizeof(chunk))) > 0) {
        total += (size_t)n;
        usleep(200);
    }
    (void)close(ends[0]);
    int status = 1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(total, TOTAL);
}

static void locking(void **state)
{
    const struct folder *f = *state;
    struct err err = {0};
    int fd = fsx_lock(f->fd, "lock", &err);
    assert_true(fd >= 0);
    assert_int_equal(mode_of(f->fd, "lock"), 0600);
    assert_int_equal(fsx_lock(f->fd, "lock", &err), -1);
    assert_int_equal(err.code, ERR_CONFLICT);
    (void)close(fd);
    fd = fsx_lock(f->fd, "lock", &err);
    assert_true(fd >= 0);
    (void)close(fd);
    assert_int_equal(fsx_lock(f->fd, "absent/lock", &err), -1);
    assert_int_equal(err.code, ERR_INTERNAL);
}

/* Larger than one unit of the copying, and not a multiple of it. */
static void writing_over_keeps_the_bytes(void **state)
{
    const struct folder *f = *state;
    struct err err = {0};
    auto_buf struct buf before = {0};
    auto_buf struct buf after = {0};
    for (int i = 0; i < 80000; i++) {
        buf_printf(&before, "%08d", i);
    }
    struct slice bytes = {before.p, before.n};
    assert_true(fsx_replace(f->fd, "log", bytes, 0600, &err));
    assert_true(fsx_rewrite(f->fd, "log", &err));
    assert_true(fsx_read(f->fd, "log", before.n, &after, &err));
    assert_true(slice_equal(bytes, (struct slice){after.p, after.n}));
    assert_true(fsx_rewrite(f->fd, "absent", &err));
    assert_false(exists(f->fd, "absent"));
    assert_false(fsx_rewrite(f->fd, "log/below", &err));
    assert_int_equal(err.code, ERR_INTERNAL);
}

static void syncing_a_folder_needs_no_file(void **state)
{
    const struct folder *f = *state;
    struct err err = {0};
    assert_true(fsx_sync_folder(f->fd, "absent", &err));
    assert_true(fsx_sync_folder(f->fd, "nowhere/absent", &err));
    assert_true(fsx_replace(f->fd, "file", slice_str("x"), 0600, &err));
    assert_false(fsx_sync_folder(f->fd, "file/below", &err));
    assert_int_equal(err.code, ERR_INTERNAL);
    assert_false(fsx_sync_folder(f->fd, "file/below", NULL));
}

#define IN_FOLDER(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(folders),
        IN_FOLDER(publishing),
        IN_FOLDER(replacing),
        IN_FOLDER(nothing_is_left_over),
        IN_FOLDER(reading),
        IN_FOLDER(unlinking),
        IN_FOLDER(writing),
        cmocka_unit_test(short_writes_go_on),
        IN_FOLDER(locking),
        IN_FOLDER(writing_over_keeps_the_bytes),
        IN_FOLDER(syncing_a_folder_needs_no_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
