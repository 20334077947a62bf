/* How often the database asks the disk to be safe. Counted by taking the place of the two calls:
 * the engine is a shared library, and finds those of the program first. */
#include "base/db.h"
#include "tests/unit/base/check.h"
#include "tests/unit/base/gate.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static atomic_int syncs;
static atomic_int failing; /* the next so many say EIO */

/* A disk under one file, for one thread: what a sync that failed was asked for is lost to it, even if a later one
 * succeeds, and reads as something else from then on: the system has given up its memory of it. */
enum { DISK_PAGE = 4096, DISK_PAGES = 512 };
static struct {
    bool watched, fails;
    ino_t file;
    bool dirty[DISK_PAGES], lost[DISK_PAGES];
} disk;

static bool is_watched(int fd)
{
    struct stat st;
    return disk.watched && fstat(fd, &st) == 0 && st.st_ino == disk.file;
}

static bool disk_syncs(int fd)
{
    if (!is_watched(fd)) {
        return true;
    }
    char other[DISK_PAGE];
    memset(other, 0xA5, sizeof(other));
    for (int i = 0; i < DISK_PAGES; i++) {
        if (disk.fails && disk.dirty[i]) {
            disk.lost[i] = true;
            assert_int_equal(syscall(SYS_pwrite64, fd, other, DISK_PAGE, (off_t)i * DISK_PAGE), DISK_PAGE);
        }
        disk.dirty[i] = false;
    }
    bool ok = !disk.fails;
    disk.fails = false;
    return ok;
}

static ssize_t disk_writes(int fd, const void *p, size_t n, off_t at)
{
    if (is_watched(fd) && n > 0) {
        assert_true((size_t)at + n <= (size_t)DISK_PAGES * DISK_PAGE);
        for (size_t i = (size_t)at / DISK_PAGE; i <= ((size_t)at + n - 1) / DISK_PAGE; i++) {
            disk.dirty[i] = true;
            disk.lost[i] = false;
        }
    }
    return syscall(SYS_pwrite64, fd, p, n, at);
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
    return disk_writes(fd, p, n, at);
}

ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at)
{
    return disk_writes(fd, p, n, at);
}

static int sync_by(long number, int fd)
{
    atomic_fetch_add(&syncs, 1);
    if (!disk_syncs(fd)) {
        errno = EIO;
        return -1;
    }
    if (atomic_load(&failing) > 0) {
        atomic_fetch_sub(&failing, 1);
        errno = EIO;
        return -1;
    }
    return (int)syscall(number, fd);
}

int fsync(int fd)
{
    return sync_by(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    return sync_by(SYS_fdatasync, fd);
}

enum { SQL_INSERT, SQL_GET, SQL_STATEMENTS };

static const char *const statements[SQL_STATEMENTS] = {
    [SQL_INSERT] = "INSERT INTO item(name) VALUES(?1)",
    [SQL_GET] = "SELECT 1 FROM item WHERE name = ?1",
};
static const char *const migrations[] = {
    "CREATE TABLE item(name TEXT NOT NULL PRIMARY KEY) STRICT, WITHOUT ROWID;"};

struct world {
    struct folder folder;
    char path[128];
    struct db *db;
};

static bool write_name(struct db_tx *tx, void *arg, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_INSERT);
    db_bind_str(q, 1, arg);
    return db_run(q, err);
}

static bool write_nothing(struct db_tx *tx, void *arg, struct err *err)
{
    (void)tx;
    (void)arg;
    (void)err;
    return true;
}

typedef bool (*write_call)(struct db *db, db_write_fn fn, void *arg, struct err *err);

static bool store(struct world *w, write_call call, const char *name)
{
    char copy[32];
    struct err err = {0};
    snprintf(copy, sizeof(copy), "%s", name);
    return call(w->db, write_name, copy, &err);
}

static bool has(struct db *db, const char *name)
{
    auto_snapshot struct db_tx *tx = NULL;
    assert_true(db_snapshot(db, &tx, NULL));
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_GET);
    db_bind_str(q, 1, name);
    return db_step(q, NULL) == DB_ROW;
}

static bool world_open(struct world *w)
{
    const struct db_options options = {w->path, statements, SQL_STATEMENTS, migrations, 1};
    return db_open(&options, &w->db, NULL);
}

static int setup(void **state)
{
    struct world *w = xcalloc(1, sizeof(*w));
    folder_make(&w->folder);
    snprintf(w->path, sizeof(w->path), "%s/index.db", w->folder.path);
    assert_true(world_open(w));
    assert_true(store(w, db_write, "first")); /* the log has its header from here on */
    atomic_store(&failing, 0);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    db_close(w->db);
    folder_remove(&w->folder);
    free(w);
    return 0;
}

static int syncs_of(struct world *w, write_call call, const char *name)
{
    int before = atomic_load(&syncs);
    assert_true(store(w, call, name));
    assert_true(has(w->db, name));
    return atomic_load(&syncs) - before;
}

static void a_relaxed_write_asks_for_no_sync(void **state)
{
    struct world *w = *state;
    char name[16];
    for (int i = 0; i < 50; i++) {
        snprintf(name, sizeof(name), "r%d", i);
        assert_int_equal(syncs_of(w, db_write_relaxed, name), 0);
    }
}

static void a_durable_write_syncs_also_after_relaxed_ones(void **state)
{
    struct world *w = *state;
    assert_true(syncs_of(w, db_write, "a") >= 1);
    assert_int_equal(syncs_of(w, db_write_relaxed, "b"), 0);
    assert_true(syncs_of(w, db_write, "c") >= 1); /* the log to its end: "b" too */
    assert_int_equal(syncs_of(w, db_write_relaxed, "d"), 0);
    assert_true(syncs_of(w, db_write, "e") >= 1);
}

static void a_question_on_the_writer_syncs_nothing(void **state)
{
    struct world *w = *state;
    int before = atomic_load(&syncs);
    assert_true(db_write(w->db, write_nothing, NULL, NULL));
    assert_int_equal(atomic_load(&syncs), before);
}

static void a_durable_write_fails_with_its_sync(void **state)
{
    struct world *w = *state;
    assert_true(store(w, db_write_relaxed, "before"));
    atomic_store(&failing, 1);
    assert_false(store(w, db_write, "lost"));
    assert_int_equal(atomic_load(&failing), 0); /* it was asked */
    assert_false(has(w->db, "lost"));
    assert_true(has(w->db, "before"));
    assert_true(store(w, db_write, "after"));
}

/* A relaxed write that succeeds proves nothing of a disk that fails to sync. */
static void a_failed_sync_is_trouble_until_one_succeeds(void **state)
{
    struct world *w = *state;
    assert_null(db_trouble(w->db));
    atomic_store(&failing, 1);
    assert_false(store(w, db_write, "lost"));
    const char *trouble = db_trouble(w->db);
    assert_non_null(strstr(trouble, "the disk fails"));
    assert_true(store(w, db_write_relaxed, "relaxed"));
    assert_ptr_equal(db_trouble(w->db), trouble);
    assert_true(store(w, db_write, "durable"));
    assert_null(db_trouble(w->db));
}

static void trying_ends_the_trouble_when_the_disk_is_well(void **state)
{
    struct world *w = *state;
    struct err err = {0};
    atomic_store(&failing, 2);
    assert_false(store(w, db_write, "lost"));
    assert_false(db_try(w->db, &err));
    assert_int_equal(err.code, ERR_INTERNAL);
    assert_int_equal(atomic_load(&failing), 0); /* both were asked */
    assert_non_null(db_trouble(w->db));
    int before = atomic_load(&syncs);
    assert_true(db_try(w->db, &err));
    assert_true(atomic_load(&syncs) > before);
    assert_null(db_trouble(w->db));
}

/* --- a group of both kinds --- */

struct writer {
    struct world *world;
    write_call call;
    db_write_fn fn;
    void *arg;
    bool ok;
    int syncs_after; /* as seen by the one that was told */
    pthread_t thread;
};

static void *writer_main(void *arg)
{
    struct writer *w = arg;
    struct err err = {0};
    w->ok = w->call(w->world->db, w->fn, w->arg, &err);
    w->syncs_after = atomic_load(&syncs);
    return NULL;
}

static void start(struct writer *w)
{
    assert_int_equal(pthread_create(&w->thread, NULL, writer_main, w), 0);
}

/* Behind a writer that is held, a relaxed and a durable write wait; whether they come into one
 * group or into two, the durable one is told after a sync. */
static void a_durable_write_among_relaxed_ones_is_synced(void **state)
{
    struct world *w = *state;
    struct gate gate = GATE;
    struct writer holder = {
        .world = w, .call = db_write_relaxed, .fn = write_at_gate, .arg = &gate};
    char names[2][8] = {"soft", "hard"};
    struct writer soft = {.world = w, .call = db_write_relaxed, .fn = write_name, .arg = names[0]};
    struct writer hard = {.world = w, .call = db_write, .fn = write_name, .arg = names[1]};
    int before = atomic_load(&syncs);
    start(&holder);
    gate_await(&gate);
    start(&soft);
    start(&hard);
    gate_open(&gate);
    pthread_join(holder.thread, NULL);
    pthread_join(soft.thread, NULL);
    pthread_join(hard.thread, NULL);
    assert_true(holder.ok && soft.ok && hard.ok);
    assert_true(hard.syncs_after > before);
}

/* The death of the process takes nothing, whatever was or was not synced. */
static void a_relaxed_write_survives_a_kill(void **state)
{
    struct world *w = *state;
    db_close(w->db);
    w->db = NULL;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (world_open(w) && store(w, db_write_relaxed, "kept")) {
            (void)kill(getpid(), SIGKILL);
        }
        _exit(1);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_true(world_open(w));
    assert_true(has(w->db, "kept"));
}

/* --- what a failed sync loses ------------------------------------------------------------------ */

struct held_reader {
    struct world *w;
    struct gate gate;
};

static void *read_at_gate(void *arg)
{
    struct held_reader *held = arg;
    struct db_tx *tx = NULL;
    struct err err = {0};
    assert_true(db_snapshot(held->w->db, &tx, &err));
    struct db_stmt *q = db_stmt(tx, SQL_GET);
    db_bind_str(q, 1, "first");
    assert_int_equal(db_step(q, &err), DB_ROW);
    (void)write_at_gate(tx, &held->gate, &err);
    db_stmt_done(q);
    db_snapshot_end(tx);
    return NULL;
}

static int lost_pages(void)
{
    int lost = 0;
    for (int i = 0; i < DISK_PAGES; i++) {
        lost += disk.lost[i] || disk.dirty[i] ? 1 : 0;
    }
    return lost;
}

/* Some pages of names that begin with the letter. */
static bool write_many(struct db_tx *tx, void *arg, struct err *err)
{
    const char *letter = arg;
    for (int i = 0; i < 1000; i++) {
        char name[32];
        snprintf(name, sizeof(name), "%c%028d", *letter, i);
        if (!write_name(tx, name, err)) {
            return false;
        }
    }
    return true;
}

static void store_many(struct world *w, char letter)
{
    assert_true(db_write_relaxed(w->db, write_many, &letter, NULL));
}

/* A reader cuts a checkpoint short: its pages are moved and not synced. The next one's sync fails, and the one after
 * that succeeds: then the log is given up, and the database alone has to have all. */
static void what_a_failed_checkpoint_lost_is_moved_again(void **state)
{
    struct world *w = *state;
    static const char *const among[] = {"first", "a0000000000000000000000000000", "a0000000000000000000000000999",
                                        "b0000000000000000000000000000", "b0000000000000000000000000999"};
    struct held_reader held = {w, GATE};
    struct stat st;
    pthread_t reader;
    struct err err = {0};
    assert_true(db_checkpoint(w->db, &err));
    assert_int_equal(stat(w->path, &st), 0);
    store_many(w, 'a');
    assert_int_equal(pthread_create(&reader, NULL, read_at_gate, &held), 0);
    gate_await(&held.gate);
    store_many(w, 'b');
    disk.file = st.st_ino;
    disk.watched = true;
    assert_true(db_checkpoint(w->db, &err));
    assert_true(lost_pages() > 0); /* moved as far as the reader lets it, not synced */
    gate_open(&held.gate);
    pthread_join(reader, NULL);
    disk.fails = true;
    assert_false(db_checkpoint(w->db, &err));
    assert_false(disk.fails); /* it was asked */
    assert_true(lost_pages() > 0);
    for (size_t i = 0; i < sizeof(among) / sizeof(among[0]); i++) {
        assert_true(has(w->db, among[i])); /* by the log */
    }
    assert_true(db_checkpoint(w->db, &err));
    assert_int_equal(lost_pages(), 0);
    disk.watched = false;
    db_close(w->db);
    assert_true(world_open(w));
    for (size_t i = 0; i < sizeof(among) / sizeof(among[0]); i++) {
        assert_true(has(w->db, among[i])); /* by the database alone */
    }
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_relaxed_write_asks_for_no_sync),
        TEST(a_durable_write_syncs_also_after_relaxed_ones),
        TEST(a_question_on_the_writer_syncs_nothing),
        TEST(a_durable_write_fails_with_its_sync),
        TEST(a_failed_sync_is_trouble_until_one_succeeds),
        TEST(trying_ends_the_trouble_when_the_disk_is_well),
        TEST(a_durable_write_among_relaxed_ones_is_synced),
        TEST(a_relaxed_write_survives_a_kill),
        TEST(what_a_failed_checkpoint_lost_is_moved_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
