/* The journal of small blobs: read from the index, settled into files, whatever a crash or a
 * collection does between. The calls that make files durable are taken by this program, so that a
 * test can do something at that moment, let them fail, or die. */
#include "storage/blob_journal.h"
#include "storage/check.h"
#include "storage/gc.h"
#include "storage/scrub.h"
#include "storage/statements.h"
#include "tests/unit/storage/image.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>

#define DAY (24 * HOUR)

typedef void (*hook_fn)(struct world *w);

static hook_fn at_sync; /* once, when the files are written and not yet durable */
static struct world *at_sync_world;
static bool sync_fails;
static atomic_int syncs;

int syncfs(int fd)
{
    hook_fn hook = at_sync;
    at_sync = NULL;
    if (hook) {
        hook(at_sync_world);
    }
    if (sync_fails) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_syncfs, fd);
}

int fsync(int fd)
{
    atomic_fetch_add(&syncs, 1);
    return (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    atomic_fetch_add(&syncs, 1);
    return (int)syscall(SYS_fdatasync, fd);
}

static void when_syncing(struct world *w, hook_fn hook)
{
    at_sync_world = w;
    at_sync = hook;
}

/* --- what there is ---------------------------------------------------------------------------- */

static const char *file_of(const struct digest *digest, char out[BLOB_PATH_MAX + 8])
{
    char path[BLOB_PATH_MAX];
    snprintf(out, BLOB_PATH_MAX + 8, "blobs/%s", blob_path(digest, path));
    return out;
}

static bool has_file(const struct world *w, const struct digest *digest)
{
    char path[BLOB_PATH_MAX + 8];
    return faccessat(w->folder.fd, file_of(digest, path), F_OK, 0) == 0;
}

static bool is_journalled(struct world *w, const struct digest *digest)
{
    bool found = false;
    READ(w)
    {
        auto_stmt struct db_stmt *q = db_stmt(tx, SQL_JOURNAL_GET);
        db_bind_digest(q, 1, digest);
        found = db_step(q, NULL) == DB_ROW;
    }
    return found;
}

static bool is_blob(struct world *w, const struct digest *digest)
{
    struct blob blob;
    bool found = false;
    READ(w)
    {
        found = blob_get(tx, w->repo.id, digest, &blob, NULL);
    }
    return found;
}

static bool holds(int fd, struct slice want)
{
    auto_free char *bytes = xmalloc(want.n + 1);
    ssize_t n = pread(fd, bytes, want.n + 1, 0);
    return n == (ssize_t)want.n && slice_equal(slice_of_bytes(bytes, want.n), want);
}

static bool reads_as(struct world *w, const struct digest *digest, struct slice want)
{
    auto_fd int fd = -1;
    READ(w)
    {
        fd = blob_open(w->store, tx, digest, NULL);
    }
    return fd >= 0 && holds(fd, want);
}

static bool file_is(const struct world *w, const struct digest *digest, struct slice want)
{
    char path[BLOB_PATH_MAX + 8];
    auto_fd int fd = openat(w->folder.fd, file_of(digest, path), O_RDONLY | O_CLOEXEC);
    return fd >= 0 && holds(fd, want);
}

static void ignore_finding(const struct check_finding *finding, void *arg)
{
    (void)arg;
    print_message("%s: %s\n", finding->where, finding->what);
}

static int64_t findings(struct world *w)
{
    const struct check_listener listener = {.finding = ignore_finding};
    struct check_report report;
    OK(store_check(w->store, CHECK_BYTES, &listener, &report, err));
    return report.findings;
}

static int settle_all(struct world *w)
{
    int sum = 0;
    bool more = true;
    while (more) {
        int settled = 0;
        OK(blob_journal_settle(w->store, &settled, &more, err));
        sum += settled;
    }
    return sum;
}

static void collect(struct world *w, int64_t now_us)
{
    struct gc_result result;
    do {
        OK(gc_run(w->store, now_us, 100, &result, err));
        assert_int_equal(result.failures, 0);
    } while (result.examined > 0);
}

/* Writes the file of a digest by hand, with its folders. */
static void put_file(const struct world *w, const struct digest *digest, struct slice bytes)
{
    char path[BLOB_PATH_MAX + 8];
    char folder[BLOB_PATH_MAX + 8];
    file_of(digest, path);
    (void)mkdirat(w->folder.fd, "blobs/sha256", 0700);
    snprintf(folder, sizeof(folder), "%.*s", (int)(strrchr(path, '/') - path), path);
    (void)mkdirat(w->folder.fd, folder, 0700);
    auto_fd int fd = openat(w->folder.fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes.p, bytes.n), bytes.n);
}

/* --- the ordinary life ------------------------------------------------------------------------ */

static void a_small_blob_is_read_before_and_after_it_has_a_file(void **state)
{
    struct world *w = *state;
    struct digest d = push_blob(w, "abc");
    assert_false(has_file(w, &d));
    assert_true(is_journalled(w, &d));
    assert_true(blob_journal_waiting(w->store));
    assert_true(reads_as(w, &d, SLICE_LIT("abc")));
    assert_int_equal(findings(w), 0);

    assert_int_equal(settle_all(w), 1);
    assert_false(is_journalled(w, &d));
    assert_false(blob_journal_waiting(w->store));
    assert_true(file_is(w, &d, SLICE_LIT("abc")));
    assert_true(reads_as(w, &d, SLICE_LIT("abc")));
    assert_int_equal(findings(w), 0);
    assert_int_equal(settle_all(w), 0);
}

static void the_empty_blob_is_a_small_one(void **state)
{
    struct world *w = *state;
    struct digest d = push_blob(w, "");
    assert_true(is_journalled(w, &d));
    assert_true(reads_as(w, &d, SLICE_LIT("")));
    assert_int_equal(settle_all(w), 1);
    assert_true(file_is(w, &d, SLICE_LIT("")));
}

/* The promise of a push, and its price: the log of the index, and nothing else. */
static void a_small_push_waits_for_one_sync(void **state)
{
    struct world *w = *state;
    push_blob(w, "the log has its header now");
    int before = atomic_load(&syncs);
    push_blob(w, "abc");
    assert_int_equal(atomic_load(&syncs) - before, 1);
}

static void the_same_bytes_again_wait_once(void **state)
{
    struct world *w = *state;
    struct digest d = push_blob(w, "abc");
    push_blob(w, "abc");
    assert_int_equal(settle_all(w), 1);
    push_blob(w, "abc");
    assert_false(is_journalled(w, &d));
    assert_int_equal(settle_all(w), 0);
    assert_true(file_is(w, &d, SLICE_LIT("abc")));
}

static void chunks_that_came_into_a_file_wait_too(void **state)
{
    struct world *w = *state;
    struct repo_name repo = repo_of("ns/app");
    struct digest d = digest_of(SLICE_LIT("first, second"));
    struct upload *u = NULL;
    OK(upload_start(w->store, &repo, UPLOAD_SESSION, &w->alice, T0, &u, err));
    OK(upload_append(u, SLICE_LIT("first, "), T0, err));
    upload_bring_rest(u);
    OK(upload_append(u, SLICE_LIT("second"), T0, err));
    OK(upload_finish(u, &d, T0, NULL, err));
    upload_close(u);
    assert_true(is_journalled(w, &d));
    assert_true(reads_as(w, &d, SLICE_LIT("first, second")));
}

/* A request that was to bring the rest and failed leaves a session that a restart keeps. */
static void what_waited_in_memory_is_kept_with_its_session(void **state)
{
    struct world *w = *state;
    struct repo_name repo = repo_of("ns/app");
    struct digest wrong_time = digest_of(SLICE_LIT("abc"));
    struct upload *u = NULL;
    char id[UPLOAD_ID_MAX];
    OK(upload_start(w->store, &repo, UPLOAD_SESSION, &w->alice, T0, &u, err));
    memcpy(id, upload_id(u), sizeof(id));
    upload_bring_rest(u);
    OK(upload_append(u, SLICE_LIT("abc"), T0, err));
    WRITE(w)
    {
        OK(namespace_set_quota(tx, w->ns.id, 1, err));
    }
    FAILS(ERR_QUOTA, upload_finish(u, &wrong_time, T0, NULL, err));
    upload_close(u);
    assert_false(is_blob(w, &wrong_time));
    assert_false(is_journalled(w, &wrong_time));
    WRITE(w)
    {
        OK(namespace_set_quota(tx, w->ns.id, 0, err));
    }
    world_reopen(w);
    OK(upload_open(w->store, &repo, slice_str(id), w->alice.account_id, T0, &u, err));
    assert_int_equal(upload_received(u), 3);
    OK(upload_finish(u, &wrong_time, T0, NULL, err));
    upload_close(u);
    assert_true(reads_as(w, &wrong_time, SLICE_LIT("abc")));
}

/* --- bounds ----------------------------------------------------------------------------------- */

static struct digest push_bytes(struct world *w, struct slice bytes)
{
    struct repo_name repo = repo_of("ns/app");
    struct upload *u = NULL;
    struct digest digest = digest_of(bytes);
    OK(upload_start(w->store, &repo, UPLOAD_SINGLE, &w->alice, T0, &u, err));
    upload_bring_rest(u);
    OK(upload_append(u, bytes, T0, err));
    OK(upload_finish(u, &digest, T0, NULL, err));
    upload_close(u);
    return digest;
}

static void only_small_blobs_wait(void **state)
{
    struct world *w = *state;
    auto_free char *bytes = xcalloc(1, BLOB_JOURNAL_BLOB_MAX + 1);
    struct slice largest = slice_of_bytes(bytes, BLOB_JOURNAL_BLOB_MAX);
    struct slice larger = slice_of_bytes(bytes, BLOB_JOURNAL_BLOB_MAX + 1);
    struct digest small = push_bytes(w, largest);
    struct digest large = push_bytes(w, larger);
    assert_true(is_journalled(w, &small));
    assert_false(is_journalled(w, &large));
    assert_true(file_is(w, &large, larger));
    assert_true(reads_as(w, &small, largest));
    settle_all(w);
    assert_true(file_is(w, &small, largest));
}

static void a_full_journal_sends_them_the_ordinary_way(void **state)
{
    struct world *w = *state;
    struct store_limits limits = *store_get_limits(w->store);
    limits.journal_bytes = 10;
    store_set_limits(w->store, &limits);
    struct digest one = push_blob(w, "12345678");
    struct digest two = push_blob(w, "abc");
    assert_true(is_journalled(w, &one));
    assert_false(is_journalled(w, &two));
    assert_true(file_is(w, &two, SLICE_LIT("abc")));
    settle_all(w);
    struct digest three = push_blob(w, "xyz12345");
    assert_true(is_journalled(w, &three)); /* there is room again */
    collect(w, T0 + DAY);
    struct digest four = push_blob(w, "four5678");
    assert_true(is_journalled(w, &four)); /* also for what was collected */
}

/* What an earlier run left was not counted: it goes first. */
static void what_the_last_run_left_takes_its_room(void **state)
{
    struct world *w = *state;
    struct store_limits limits = *store_get_limits(w->store);
    push_blob(w, "one");
    push_blob(w, "two");
    world_reopen(w);
    assert_true(blob_journal_waiting(w->store));
    limits.journal_bytes = 9;
    store_set_limits(w->store, &limits);
    struct digest fits = push_blob(w, "abc");
    struct digest beyond = push_blob(w, "def");
    assert_true(is_journalled(w, &fits));
    assert_false(is_journalled(w, &beyond));
    assert_true(file_is(w, &beyond, SLICE_LIT("def")));
    assert_int_equal(settle_all(w), 3);
    assert_false(blob_journal_waiting(w->store));
    beyond = push_blob(w, "ghi");
    assert_true(is_journalled(w, &beyond));
}

/* As many as came go, whoever takes them out. */
static void what_the_last_run_left_is_collected(void **state)
{
    struct world *w = *state;
    struct digest d = push_blob(w, "abc");
    world_reopen(w);
    collect(w, T0 + DAY);
    assert_false(is_blob(w, &d));
    assert_false(blob_journal_waiting(w->store));
    push_blob(w, "def");
    assert_true(blob_journal_waiting(w->store));
    assert_int_equal(settle_all(w), 1);
}

/* --- power loss and crashes ------------------------------------------------------------------- */

static void what_a_crash_left_under_the_name_is_not_believed(void **state)
{
    static const char *const left[] = {"", "ab", "xyz", "abcd"};
    (void)state;
    for (size_t i = 0; i < COUNT(left); i++) {
        void *inner = NULL;
        world_setup(&inner);
        struct world *w = inner;
        struct digest d = push_blob(w, "abc");
        put_file(w, &d, slice_str(left[i]));
        world_reopen(w);
        CHECK_CASE(reads_as(w, &d, SLICE_LIT("abc")), left[i]);
        CHECK_CASE(findings(w) == 0, left[i]);
        settle_all(w);
        CHECK_CASE(file_is(w, &d, SLICE_LIT("abc")), left[i]);
        world_teardown(&inner);
    }
}

static void one_is_still_there(struct world *w)
{
    struct digest d = digest_of(SLICE_LIT("abc"));
    assert_true(file_is(w, &d, SLICE_LIT("abc")));
    assert_true(is_journalled(w, &d));
}

static void a_row_goes_only_after_its_file_is_durable(void **state)
{
    struct world *w = *state;
    struct digest d = push_blob(w, "abc");
    when_syncing(w, one_is_still_there);
    assert_int_equal(settle_all(w), 1);
    assert_null(at_sync); /* it was asked */
    assert_false(is_journalled(w, &d));
}

static void what_could_not_be_made_durable_is_written_again(void **state)
{
    struct world *w = *state;
    bool more = false;
    struct digest d = push_blob(w, "abc");
    sync_fails = true;
    FAILS(ERR_INTERNAL, blob_journal_settle(w->store, NULL, &more, err));
    sync_fails = false;
    assert_false(more);
    assert_true(is_journalled(w, &d));
    put_file(w, &d, SLICE_LIT("")); /* what the disk made of it */
    assert_true(reads_as(w, &d, SLICE_LIT("abc")));
    assert_int_equal(settle_all(w), 1);
    assert_true(file_is(w, &d, SLICE_LIT("abc")));
}

static void a_file_that_cannot_be_made_costs_nothing_but_time(void **state)
{
    struct world *w = *state;
    bool more = false;
    struct digest d = push_blob(w, "abc");
    auto_fd int fd = openat(w->folder.fd, "blobs/sha256", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0); /* where a folder should be */
    FAILS(ERR_INTERNAL, blob_journal_settle(w->store, NULL, &more, err));
    assert_true(reads_as(w, &d, SLICE_LIT("abc")));
    assert_int_equal(unlinkat(w->folder.fd, "blobs/sha256", 0), 0);
    assert_int_equal(settle_all(w), 1);
    assert_true(file_is(w, &d, SLICE_LIT("abc")));
}

static void die(struct world *w)
{
    (void)w;
    (void)kill(getpid(), SIGKILL);
}

/* The child dies with its files written and not synced; then the disk loses them. */
static void a_death_while_settling(void **state)
{
    struct world *w = *state;
    static const char *const texts[] = {"one", "two", "three"};
    store_close(w->store);
    w->store = NULL;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        bool more = false;
        world_open(w);
        for (size_t i = 0; i < COUNT(texts); i++) {
            push_blob(w, texts[i]);
        }
        when_syncing(w, die);
        _exit((int)blob_journal_settle(w->store, NULL, &more, NULL));
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct digest d = digest_of(slice_str(texts[i]));
        assert_true(has_file(w, &d));
        put_file(w, &d, SLICE_LIT(""));
    }
    world_open(w);
    for (int settled = 0; settled < 2; settled++) {
        for (size_t i = 0; i < COUNT(texts); i++) {
            struct digest d = digest_of(slice_str(texts[i]));
            CHECK_CASE(reads_as(w, &d, slice_str(texts[i])), texts[i]);
        }
        assert_int_equal(findings(w), 0);
        settle_all(w);
    }
}

/* A power cut in a rename, where names of different folders keep no order: the file that was being
 * written is there under both names. */
static void a_file_that_a_power_cut_left_under_two_names(void **state)
{
    struct world *w = *state;
    struct digest one = push_blob(w, "one");
    struct digest two = push_blob(w, "two");
    char path[BLOB_PATH_MAX];
    put_file(w, &one, SLICE_LIT(""));
    assert_int_equal(linkat(store_blobs_dir(w->store), blob_path(&one, path),
                            store_blobs_dir(w->store), "settling", 0),
                     0);
    assert_int_equal(settle_all(w), 2);
    assert_true(file_is(w, &one, SLICE_LIT("one")));
    assert_true(file_is(w, &two, SLICE_LIT("two")));
}

/* --- collection ------------------------------------------------------------------------------- */

static void a_blob_is_collected_before_it_has_a_file(void **state)
{
    struct world *w = *state;
    struct digest d = push_blob(w, "abc");
    collect(w, T0 + DAY);
    assert_false(is_blob(w, &d));
    assert_false(is_journalled(w, &d));
    assert_false(blob_journal_waiting(w->store));
    assert_int_equal(settle_all(w), 0);
    assert_false(has_file(w, &d));
    assert_int_equal(findings(w), 0);
}

static void a_blob_that_somebody_holds_keeps_its_bytes(void **state)
{
    struct world *w = *state;
    push_image(w, "{}", "abc");
    struct digest d = digest_of(SLICE_LIT("abc"));
    collect(w, T0 + 100 * DAY);
    assert_true(is_journalled(w, &d));
    assert_true(reads_as(w, &d, SLICE_LIT("abc")));
}

static void collect_everything(struct world *w)
{
    collect(w, T0 + DAY);
}

static void a_blob_is_collected_while_it_settles(void **state)
{
    struct world *w = *state;
    struct digest d = push_blob(w, "abc");
    when_syncing(w, collect_everything);
    settle_all(w);
    assert_false(is_blob(w, &d));
    assert_false(has_file(w, &d));
    assert_false(blob_journal_waiting(w->store));
    assert_int_equal(findings(w), 0);
}

static void collect_and_push_again(struct world *w)
{
    collect(w, T0 + DAY);
    push_blob(w, "abc");
}

static void a_blob_is_collected_and_pushed_again_while_it_settles(void **state)
{
    struct world *w = *state;
    bool more = false;
    struct digest d = push_blob(w, "abc");
    when_syncing(w, collect_and_push_again);
    OK(blob_journal_settle(w->store, NULL, &more, err));
    assert_false(has_file(w, &d)); /* the collector took it, so the new bytes must still wait */
    assert_true(is_journalled(w, &d));
    assert_true(reads_as(w, &d, SLICE_LIT("abc")));
    assert_true(blob_journal_waiting(w->store));
    assert_int_equal(settle_all(w), 1);
    assert_true(file_is(w, &d, SLICE_LIT("abc")));
    assert_false(blob_journal_waiting(w->store));
}

/* --- files that are not what they should be --------------------------------------------------- */

static void a_file_that_was_lost_comes_back_with_the_next_push(void **state)
{
    struct world *w = *state;
    char path[BLOB_PATH_MAX + 8];
    struct digest d = push_blob(w, "abc");
    settle_all(w);
    assert_int_equal(unlinkat(w->folder.fd, file_of(&d, path), 0), 0);
    assert_false(reads_as(w, &d, SLICE_LIT("abc")));
    push_blob(w, "abc");
    assert_true(reads_as(w, &d, SLICE_LIT("abc")));
    assert_int_equal(findings(w), 0);
}

static bool at_any_pace(int64_t bytes, void *arg)
{
    (void)bytes;
    (void)arg;
    return true;
}

static void count_finding(const struct scrub_finding *finding, void *arg)
{
    int *count = arg;
    (void)finding;
    ++*count;
}

static void scrub_leaves_alone_what_waits_for_its_file(void **state)
{
    struct world *w = *state;
    int found = 0;
    enum scrub_verdict verdict;
    const struct scrub_listener listener = {at_any_pace, at_any_pace, count_finding, &found};
    struct digest d = push_blob(w, "abc");
    put_file(w, &d, SLICE_LIT("x")); /* what a crash left */
    OK(scrub_blob(w->store, &d, &listener, T0, &verdict, err));
    assert_int_equal(verdict, SCRUB_SOUND);
    assert_int_equal(found, 0);
    assert_true(is_blob(w, &d));
    assert_true(reads_as(w, &d, SLICE_LIT("abc")));
    settle_all(w);
    put_file(w, &d, SLICE_LIT("x"));
    OK(scrub_blob(w->store, &d, &listener, T0, &verdict, err));
    assert_int_equal(verdict, SCRUB_OTHER_SIZE); /* and from then on it does not */
    assert_int_equal(found, 1);
    assert_false(is_blob(w, &d));
}

static void a_blob_marked_missing_comes_back_with_the_next_push(void **state)
{
    struct world *w = *state;
    bool marked = false;
    struct digest d = push_blob(w, "abc");
    settle_all(w);
    put_file(w, &d, SLICE_LIT("abd")); /* it could not be moved away */
    WRITE(w)
    {
        OK(blob_mark_missing(tx, &d, T0, &marked, err));
    }
    assert_true(marked);
    assert_false(is_blob(w, &d));
    push_blob(w, "abc");
    assert_true(is_blob(w, &d));
    assert_true(reads_as(w, &d, SLICE_LIT("abc")));
    settle_all(w);
    assert_true(file_is(w, &d, SLICE_LIT("abc")));
    assert_int_equal(findings(w), 0);
}

/* Not even marked yet, but not of the size that the index says. */
static void a_file_that_was_cut_makes_way_for_the_next_push(void **state)
{
    struct world *w = *state;
    struct digest d = push_blob(w, "abc");
    settle_all(w);
    put_file(w, &d, SLICE_LIT("a"));
    push_blob(w, "abc");
    assert_true(reads_as(w, &d, SLICE_LIT("abc")));
    assert_true(file_is(w, &d, SLICE_LIT("abc")));
}

/* Its name leads in a circle: it cannot be opened, and that is not because there is none. */
static void a_file_that_cannot_be_read_is_not_taken_for_lost(void **state)
{
    struct world *w = *state;
    struct repo_name repo = repo_of("ns/app");
    char path[BLOB_PATH_MAX + 8];
    struct stat st;
    struct upload *u = NULL;
    struct digest d = push_blob(w, "abc");
    settle_all(w);
    assert_int_equal(unlinkat(w->folder.fd, file_of(&d, path), 0), 0);
    assert_int_equal(symlinkat(strrchr(path, '/') + 1, w->folder.fd, path), 0);

    OK(upload_start(w->store, &repo, UPLOAD_SINGLE, &w->alice, T0, &u, err));
    upload_bring_rest(u);
    OK(upload_append(u, SLICE_LIT("abc"), T0, err));
    FAILS(ERR_INTERNAL, upload_finish(u, &d, T0, NULL, err));
    upload_close(u);
    assert_int_equal(fstatat(w->folder.fd, path, &st, AT_SYMLINK_NOFOLLOW), 0);
    assert_true(S_ISLNK(st.st_mode)); /* what is there was left alone */
}

/* Without a row nobody has said that it is whole. */
static void a_file_without_a_row_is_not_taken_for_the_blob(void **state)
{
    struct world *w = *state;
    struct digest d = digest_of(SLICE_LIT("abc"));
    put_file(w, &d, SLICE_LIT("a"));
    push_blob(w, "abc");
    assert_true(reads_as(w, &d, SLICE_LIT("abc")));
    settle_all(w);
    assert_true(file_is(w, &d, SLICE_LIT("abc")));
    assert_true(reads_as(w, &d, SLICE_LIT("abc")));
}

/* --- threads ---------------------------------------------------------------------------------- */

#define PUSHERS 3
#define PUSHES 60

struct crowd {
    struct world *w;
    int number;
    atomic_bool *over;
    bool ok;
    pthread_t thread;
};

static bool push_text(struct world *w, const char *text)
{
    struct repo_name repo = repo_of("ns/app");
    struct digest digest = digest_of(slice_str(text));
    struct upload *u = NULL;
    bool ok = upload_start(w->store, &repo, UPLOAD_SINGLE, &w->alice, T0, &u, NULL);
    if (ok) {
        upload_bring_rest(u);
    }
    ok = ok && upload_append(u, slice_str(text), T0, NULL) &&
         upload_finish(u, &digest, T0, NULL, NULL);
    upload_close(u);
    return ok;
}

/* Half of the texts are everybody's: pushed again and again while they settle and are collected. */
static void *push_many(void *arg)
{
    struct crowd *c = arg;
    char text[32];
    c->ok = true;
    for (int i = 0; c->ok && i < PUSHES; i++) {
        snprintf(text, sizeof(text), "%d-%d", i % 2 ? -1 : c->number, i % 2 ? i % 8 : i);
        struct digest digest = digest_of(slice_str(text));
        c->ok = push_text(c->w, text) && (i % 2 || reads_as(c->w, &digest, slice_str(text)));
    }
    return NULL;
}

static void *settle_many(void *arg)
{
    struct crowd *c = arg;
    bool more = false;
    c->ok = true;
    while (c->ok && !atomic_load(c->over)) {
        c->ok = blob_journal_settle(c->w->store, NULL, &more, NULL);
    }
    return NULL;
}

/* Takes the common ones out whenever it finds them. */
static bool take_out(struct db_tx *tx, void *arg, struct err *err)
{
    struct world *w = arg;
    char text[32];
    for (int i = 1; i < 8; i += 2) {
        struct err ignored = {0};
        snprintf(text, sizeof(text), "-1-%d", i);
        struct digest digest = digest_of(slice_str(text));
        if (!blob_unlink(tx, w->repo.id, &digest, T0, &ignored) &&
            ignored.code != ERR_BLOB_UNKNOWN) {
            *err = ignored;
            return false;
        }
    }
    return true;
}

static void *collect_many(void *arg)
{
    struct crowd *c = arg;
    struct gc_result result;
    c->ok = true;
    while (c->ok && !atomic_load(c->over)) {
        c->ok = db_write(c->w->db, take_out, c->w, NULL) &&
                gc_run(c->w->store, T0 + 1, 100, &result, NULL) && result.failures == 0;
    }
    return NULL;
}

static void pushes_settling_and_collection_at_once(void **state)
{
    struct world *w = *state;
    atomic_bool over = false;
    struct crowd crowd[PUSHERS + 2];
    for (int i = 0; i < PUSHERS + 2; i++) {
        crowd[i] = (struct crowd){.w = w, .number = i, .over = &over};
        void *(*fn)(void *) = i < PUSHERS ? push_many : i == PUSHERS ? settle_many : collect_many;
        assert_int_equal(pthread_create(&crowd[i].thread, NULL, fn, &crowd[i]), 0);
    }
    for (int i = 0; i < PUSHERS + 2; i++) {
        if (i == PUSHERS) {
            atomic_store(&over, true);
        }
        pthread_join(crowd[i].thread, NULL);
        assert_true(crowd[i].ok);
    }
    for (int settled = 0; settled < 2; settled++) {
        for (int i = 0; i < PUSHERS * PUSHES; i++) {
            char text[32];
            snprintf(text, sizeof(text), "%d-%d", i / PUSHES, i % PUSHES);
            struct digest digest = digest_of(slice_str(text));
            CHECK_CASE(i % 2 || reads_as(w, &digest, slice_str(text)), text);
        }
        assert_int_equal(findings(w), 0);
        settle_all(w);
    }
    assert_false(blob_journal_waiting(w->store));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(a_small_blob_is_read_before_and_after_it_has_a_file),
        WORLD_TEST(the_empty_blob_is_a_small_one),
        WORLD_TEST(a_small_push_waits_for_one_sync),
        WORLD_TEST(the_same_bytes_again_wait_once),
        WORLD_TEST(chunks_that_came_into_a_file_wait_too),
        WORLD_TEST(what_waited_in_memory_is_kept_with_its_session),
        WORLD_TEST(only_small_blobs_wait),
        WORLD_TEST(a_full_journal_sends_them_the_ordinary_way),
        WORLD_TEST(what_the_last_run_left_takes_its_room),
        WORLD_TEST(what_the_last_run_left_is_collected),
        cmocka_unit_test(what_a_crash_left_under_the_name_is_not_believed),
        WORLD_TEST(a_row_goes_only_after_its_file_is_durable),
        WORLD_TEST(what_could_not_be_made_durable_is_written_again),
        WORLD_TEST(a_file_that_cannot_be_made_costs_nothing_but_time),
        WORLD_TEST(a_death_while_settling),
        WORLD_TEST(a_file_that_a_power_cut_left_under_two_names),
        WORLD_TEST(a_blob_is_collected_before_it_has_a_file),
        WORLD_TEST(a_blob_that_somebody_holds_keeps_its_bytes),
        WORLD_TEST(a_blob_is_collected_while_it_settles),
        WORLD_TEST(a_blob_is_collected_and_pushed_again_while_it_settles),
        BOTH_TESTS(a_file_that_was_lost_comes_back_with_the_next_push),
        WORLD_TEST(scrub_leaves_alone_what_waits_for_its_file),
        BOTH_TESTS(a_blob_marked_missing_comes_back_with_the_next_push),
        BOTH_TESTS(a_file_that_was_cut_makes_way_for_the_next_push),
        WORLD_TEST(a_file_that_cannot_be_read_is_not_taken_for_lost),
        BOTH_TESTS(a_file_without_a_row_is_not_taken_for_the_blob),
        BOTH_TESTS(pushes_settling_and_collection_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
