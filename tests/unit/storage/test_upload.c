/* Uploads: sessions, their end as a blob, and what is left when they do not end well. */
#include "storage/blob.h"
#include "storage/gc.h"
#include "storage/statements.h"
#include "storage/upload.h"
#include "tests/unit/storage/world.h"

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

#define FIRST SLICE_LIT("first half, ")
#define SECOND SLICE_LIT("second half")
#define HASHES_KEPT 1024 /* of idle sessions */
#define WHOLE SLICE_LIT("first half, second half")

static int files_in(const struct world *w, const char *folder)
{
    char path[200];
    snprintf(path, sizeof(path), "%s/%s", w->folder.path, folder);
    DIR *dir = opendir(path);
    int n = 0;
    for (struct dirent *e = dir ? readdir(dir) : NULL; e; e = readdir(dir)) {
        n += e->d_name[0] != '.';
    }
    if (dir) {
        closedir(dir);
    }
    return n;
}

static bool has_file(const struct world *w, const struct digest *digest)
{
    char path[BLOB_PATH_MAX];
    char whole[BLOB_PATH_MAX + 8];
    snprintf(whole, sizeof(whole), "blobs/%s", blob_path(digest, path));
    return faccessat(w->folder.fd, whole, F_OK, 0) == 0;
}

static void blob_is(struct world *w, int64_t repository_id, const struct digest *digest,
                    struct slice want)
{
    struct blob blob;
    char bytes[256] = "";
    auto_fd int fd = -1;
    READ(w)
    {
        OK(blob_get(tx, repository_id, digest, &blob, err));
        OK((fd = blob_open(w->store, tx, digest, err)) >= 0);
    }
    assert_int_equal(blob.size, want.n);
    assert_int_equal(read(fd, bytes, sizeof(bytes)), want.n);
    assert_memory_equal(bytes, want.p, want.n);
}

static void blob_is_unknown(struct world *w, const struct digest *digest)
{
    struct blob blob;
    READ(w)
    {
        FAILS(ERR_BLOB_UNKNOWN, blob_get(tx, w->repo.id, digest, &blob, err));
    }
}

static struct upload *start(struct world *w, enum upload_kind kind)
{
    struct repo_name repo = repo_of("ns/app");
    struct upload *u = NULL;
    OK(upload_start(w->store, &repo, kind, &w->alice, T0, &u, err));
    return u;
}

static struct upload *take_again(struct world *w, const char *id, int64_t now_us)
{
    struct repo_name repo = repo_of("ns/app");
    struct upload *u = NULL;
    OK(upload_open(w->store, &repo, slice_str(id), w->alice.account_id, now_us, &u, err));
    return u;
}

/* A session with the first half in it; nobody is using it. */
static void begin(struct world *w, char id[UPLOAD_ID_MAX])
{
    struct upload *u = start(w, UPLOAD_SESSION);
    memcpy(id, upload_id(u), UPLOAD_ID_MAX);
    OK(upload_append(u, FIRST, T0, err));
    upload_close(u);
}

static void used_is(struct world *w, int64_t want)
{
    struct namespace ns;
    READ(w)
    {
        OK(namespace_get_by_id(tx, w->ns.id, &ns, err));
    }
    assert_int_equal(ns.used_bytes, want);
}

static int64_t count_condemned(struct world *w, int64_t now_us)
{
    int64_t n = 0;
    READ(w)
    {
        auto_stmt struct db_stmt *q = db_stmt(tx, SQL_CONDEMNED_DUE);
        db_bind_int(q, 1, now_us);
        db_bind_int(q, 2, 100);
        while (db_step(q, NULL) == DB_ROW) {
            n++;
        }
    }
    return n;
}

static void a_chunked_upload_becomes_a_blob(void **state)
{
    struct world *w = *state;
    char id[UPLOAD_ID_MAX];
    int64_t size = 0;
    struct digest digest = digest_of(WHOLE);
    begin(w, id);

    struct upload *u = take_again(w, id, T0);
    OK(upload_expect(u, (int64_t)FIRST.n, err));
    OK(upload_append(u, SECOND, T0, err));
    blob_is_unknown(w, &digest);
    OK(upload_finish(u, &digest, T0, &size, err));
    upload_close(u);

    assert_int_equal(size, WHOLE.n);
    blob_is(w, w->repo.id, &digest, WHOLE);
    assert_int_equal(files_in(w, "uploads"), 0);
    used_is(w, (int64_t)WHOLE.n);
    assert_int_equal(count_condemned(w, T0 + 24 * HOUR - 1), 0);
    assert_int_equal(count_condemned(w, T0 + 24 * HOUR), 1); /* no manifest names it yet */
}

struct right {
    bool held;
    int *asked;
};

static bool is_held(struct db_tx *tx, const void *arg, struct err *err)
{
    const struct right *right = arg;
    (void)tx;
    ++*right->asked;
    return right->held || err_set(err, ERR_DENIED, "not any more");
}

static void whoever_has_lost_his_right_makes_no_blob_and_the_session_goes_on(void **state)
{
    struct world *w = *state;
    char id[UPLOAD_ID_MAX];
    int asked = 0;
    const struct right lost = {.held = false, .asked = &asked};
    struct digest digest = digest_of(WHOLE);
    begin(w, id);

    struct upload *u = take_again(w, id, T0);
    OK(upload_append(u, SECOND, T0, err));
    upload_ask(u, is_held, &lost);
    FAILS(ERR_DENIED, upload_finish(u, &digest, T0, NULL, err));
    upload_close(u);
    assert_true(asked > 0);
    blob_is_unknown(w, &digest);
    used_is(w, 0);

    u = take_again(w, id, T0); /* by somebody who is not asked: the question went with its request */
    OK(upload_expect(u, (int64_t)WHOLE.n, err));
    OK(upload_finish(u, &digest, T0, NULL, err));
    upload_close(u);
    blob_is(w, w->repo.id, &digest, WHOLE);
}

static void whoever_has_kept_his_right_makes_a_blob(void **state)
{
    struct world *w = *state;
    int asked = 0;
    const struct right kept = {.held = true, .asked = &asked};
    struct digest digest = digest_of(SLICE_LIT("kept"));
    struct upload *u = start(w, UPLOAD_SINGLE);
    OK(upload_append(u, SLICE_LIT("kept"), T0, err));
    upload_ask(u, is_held, &kept);
    OK(upload_finish(u, &digest, T0, NULL, err));
    upload_close(u);
    assert_true(asked > 0);
    blob_is(w, w->repo.id, &digest, SLICE_LIT("kept"));
}

static void an_empty_blob_is_a_blob(void **state)
{
    struct world *w = *state;
    struct digest digest = digest_of(SLICE_LIT(""));
    struct upload *u = start(w, UPLOAD_SINGLE);
    OK(upload_finish(u, &digest, T0, NULL, err));
    upload_close(u);
    blob_is(w, w->repo.id, &digest, SLICE_LIT(""));
}

static void sha512_is_asked_for_at_the_end(void **state)
{
    struct world *w = *state;
    struct digest digest;
    hash_bytes(DIGEST_SHA512, WHOLE, &digest);
    struct upload *u = start(w, UPLOAD_SESSION);
    OK(upload_append(u, WHOLE, T0, err));
    OK(upload_finish(u, &digest, T0, NULL, err));
    upload_close(u);
    blob_is(w, w->repo.id, &digest, WHOLE);
    struct digest other = digest_of(WHOLE);
    blob_is_unknown(w, &other); /* a name that was not given */
}

static void a_wrong_digest_keeps_nothing(void **state)
{
    struct world *w = *state;
    char id[UPLOAD_ID_MAX];
    struct repo_name repo = repo_of("ns/app");
    struct digest wrong[2] = {digest_of(SLICE_LIT("else"))};
    hash_bytes(DIGEST_SHA512, SLICE_LIT("else"), &wrong[1]);
    for (size_t i = 0; i < COUNT(wrong); i++) {
        begin(w, id);
        struct upload *u = take_again(w, id, T0);
        FAILS(ERR_DIGEST_INVALID, upload_finish(u, &wrong[i], T0, NULL, err));
        upload_close(u);
        u = NULL;
        FAILS(ERR_UPLOAD_UNKNOWN,
              upload_open(w->store, &repo, slice_str(id), w->alice.account_id, T0, &u, err));
        assert_null(u);
        assert_int_equal(files_in(w, "uploads"), 0);
        assert_false(has_file(w, &wrong[i]));
    }
    used_is(w, 0);
}

static void a_chunk_out_of_order_leaves_the_session(void **state)
{
    struct world *w = *state;
    char id[UPLOAD_ID_MAX];
    begin(w, id);
    struct upload *u = take_again(w, id, T0);
    static const int64_t wrong[] = {0, 11, 13, 4096, -1};
    for (size_t i = 0; i < COUNT(wrong); i++) {
        FAILS(ERR_UPLOAD_RANGE, upload_expect(u, wrong[i], err));
    }
    OK(upload_expect(u, 12, err));
    OK(upload_append(u, SECOND, T0, err));
    struct digest digest = digest_of(WHOLE);
    OK(upload_finish(u, &digest, T0, NULL, err));
    upload_close(u);
}

static void two_requests_cannot_use_one_session(void **state)
{
    struct world *w = *state;
    struct repo_name repo = repo_of("ns/app");
    struct upload *u = start(w, UPLOAD_SESSION);
    struct upload *second = NULL;
    int64_t received = -1;
    OK(upload_append(u, FIRST, T0, err));
    struct slice id = slice_str(upload_id(u));
    FAILS(ERR_UPLOAD_BUSY,
          upload_open(w->store, &repo, id, w->alice.account_id, T0, &second, err));
    FAILS(ERR_UPLOAD_BUSY, upload_cancel(w->store, &repo, id, w->alice.account_id, T0, err));
    OK(upload_status(w->store, &repo, id, w->alice.account_id, &received, err));
    assert_int_equal(received, FIRST.n);
    upload_close(u);
}

struct stranger {
    const char *name, *repo;
    int account; /* added to alice's */
};

static void a_session_is_there_for_its_own_only(void **state)
{
    struct world *w = *state;
    char id[UPLOAD_ID_MAX];
    begin(w, id);
    const struct stranger cases[] = {
        {"another repository", "ns/other", 0},
        {"another namespace", "else/app", 0},
        {"another account", "ns/app", 1},
    };
    for (int reopened = 0; reopened < 2; reopened++) { /* in memory, and from the row */
        for (size_t i = 0; i < COUNT(cases); i++) {
            struct repo_name repo = repo_of(cases[i].repo);
            int64_t who = w->alice.account_id + cases[i].account;
            struct upload *u = NULL;
            int64_t received = 0;
            FAILS(ERR_UPLOAD_UNKNOWN,
                  upload_open(w->store, &repo, slice_str(id), who, T0, &u, err));
            FAILS(ERR_UPLOAD_UNKNOWN,
                  upload_status(w->store, &repo, slice_str(id), who, &received, err));
            FAILS(ERR_UPLOAD_UNKNOWN, upload_cancel(w->store, &repo, slice_str(id), who, T0, err));
        }
        world_reopen(w);
    }
    upload_close(take_again(w, id, T0)); /* its own still has it */
}

static void odd_ids_are_unknown(void **state)
{
    struct world *w = *state;
    struct repo_name repo = repo_of("ns/app");
    static const char *const ids[] = {"",
                                      "x",
                                      "../../index.db",
                                      "0b8e4d0e-7c1b-4a53-9b0b-6ad8a1a3e2f1",
                                      "0B8E4D0E-7C1B-4A53-9B0B-6AD8A1A3E2F1",
                                      "0b8e4d0e-7c1b-4a53-9b0b-6ad8a1a3e2f11",
                                      "..../.../....../../../../../../../.."};
    for (size_t i = 0; i < COUNT(ids); i++) {
        struct upload *u = NULL;
        FAILS(ERR_UPLOAD_UNKNOWN,
              upload_open(w->store, &repo, slice_str(ids[i]), w->alice.account_id, T0, &u, err));
    }
}

static void a_restart_does_not_lose_a_session(void **state)
{
    struct world *w = *state;
    char id[UPLOAD_ID_MAX];
    struct repo_name repo = repo_of("ns/app");
    int64_t received = 0;
    struct digest digest = digest_of(WHOLE);
    begin(w, id);
    world_reopen(w);

    OK(upload_status(w->store, &repo, slice_str(id), w->alice.account_id, &received, err));
    assert_int_equal(received, FIRST.n);
    struct upload *u = take_again(w, id, T0);
    assert_int_equal(upload_received(u), FIRST.n);
    OK(upload_append(u, SECOND, T0, err));
    OK(upload_finish(u, &digest, T0, NULL, err));
    upload_close(u);
    blob_is(w, w->repo.id, &digest, WHOLE);
}

static void cancelling_removes_everything(void **state)
{
    struct world *w = *state;
    char id[UPLOAD_ID_MAX];
    struct repo_name repo = repo_of("ns/app");
    for (int reopened = 0; reopened < 2; reopened++) {
        begin(w, id);
        if (reopened) {
            world_reopen(w);
        }
        OK(upload_cancel(w->store, &repo, slice_str(id), w->alice.account_id, T0, err));
        FAILS(ERR_UPLOAD_UNKNOWN,
              upload_cancel(w->store, &repo, slice_str(id), w->alice.account_id, T0, err));
        assert_int_equal(files_in(w, "uploads"), 0);
    }
}

static void a_single_upload_makes_its_repository(void **state)
{
    struct world *w = *state;
    struct repo_name name = repo_of("ns/fresh");
    struct repository r;
    struct upload *u = NULL;
    struct digest digest = digest_of(WHOLE);
    OK(upload_start(w->store, &name, UPLOAD_SINGLE, &w->alice, T0, &u, err));
    OK(upload_append(u, WHOLE, T0, err));
    READ(w)
    {
        FAILS(ERR_NAME_UNKNOWN, repository_get(tx, &name, &r, err));
    }
    OK(upload_finish(u, &digest, T0, NULL, err));
    upload_close(u);
    READ(w)
    {
        OK(repository_get(tx, &name, &r, err));
    }
    blob_is(w, r.id, &digest, WHOLE);
}

static void a_single_upload_given_up_leaves_nothing(void **state)
{
    struct world *w = *state;
    struct repo_name repo = repo_of("ns/app");
    struct upload *u = start(w, UPLOAD_SINGLE);
    struct upload *other = NULL;
    char id[UPLOAD_ID_MAX];
    memcpy(id, upload_id(u), sizeof(id));
    OK(upload_append(u, FIRST, T0, err));
    FAILS(ERR_UPLOAD_UNKNOWN, /* it is nobody's session */
          upload_open(w->store, &repo, slice_str(id), w->alice.account_id, T0, &other, err));
    upload_close(u);
    assert_int_equal(files_in(w, "uploads"), 0);
}

static void a_namespace_must_exist(void **state)
{
    struct world *w = *state;
    struct repo_name repo = repo_of("nobody/app");
    struct upload *u = NULL;
    FAILS(ERR_NAMESPACE_UNKNOWN,
          upload_start(w->store, &repo, UPLOAD_SESSION, &w->alice, T0, &u, err));
    FAILS(ERR_NAMESPACE_UNKNOWN,
          upload_start(w->store, &repo, UPLOAD_SINGLE, &w->alice, T0, &u, err));
    assert_int_equal(files_in(w, "uploads"), 0);
}

static void the_same_blob_twice_is_one_file(void **state)
{
    struct world *w = *state;
    struct digest digest = digest_of(WHOLE);
    for (int i = 0; i < 2; i++) {
        struct upload *u = start(w, UPLOAD_SESSION);
        OK(upload_append(u, WHOLE, T0, err));
        OK(upload_finish(u, &digest, T0, NULL, err));
        upload_close(u);
    }
    blob_is(w, w->repo.id, &digest, WHOLE);
    used_is(w, (int64_t)WHOLE.n);
}

/* --- quota and limits ------------------------------------------------------------------------- */

static void set_quota(struct world *w, int64_t bytes)
{
    WRITE(w)
    {
        OK(namespace_set_quota(tx, w->ns.id, bytes, err));
    }
}

static void quota_counts_unfinished_uploads(void **state)
{
    struct world *w = *state;
    char id[UPLOAD_ID_MAX];
    set_quota(w, (int64_t)WHOLE.n);
    begin(w, id); /* 12 of 23 bytes */
    struct upload *u = start(w, UPLOAD_SESSION);
    FAILS(ERR_QUOTA, upload_append(u, FIRST, T0, err));
    OK(upload_append(u, SECOND, T0, err));
    FAILS(ERR_QUOTA, upload_append(u, SLICE_LIT("x"), T0, err));
    upload_close(u);
}

static void a_blob_beyond_the_quota_is_not_kept(void **state)
{
    struct world *w = *state;
    struct digest digest = digest_of(WHOLE);
    struct upload *u = start(w, UPLOAD_SINGLE);
    OK(upload_append(u, WHOLE, T0, err));
    set_quota(w, 5); /* the quota came after the bytes */
    FAILS(ERR_QUOTA, upload_finish(u, &digest, T0, NULL, err));
    upload_close(u);
    blob_is_unknown(w, &digest);
    assert_false(has_file(w, &digest));
    assert_int_equal(files_in(w, "uploads"), 0);
    used_is(w, 0);
}

/* The session goes on after that, so what it sends must not end up in anybody's blob. */
static void a_refused_commit_leaves_no_file_behind(void **state)
{
    struct world *w = *state;
    char id[UPLOAD_ID_MAX];
    struct repo_name repo = repo_of("ns/app");
    struct digest digest = digest_of(FIRST);
    begin(w, id);
    struct upload *u = take_again(w, id, T0);
    set_quota(w, 5);
    FAILS(ERR_QUOTA, upload_finish(u, &digest, T0, NULL, err));
    assert_false(has_file(w, &digest));
    upload_close(u);

    set_quota(w, 0);
    struct upload *other = start(w, UPLOAD_SINGLE);
    OK(upload_append(other, FIRST, T0, err));
    OK(upload_finish(other, &digest, T0, NULL, err));
    upload_close(other);
    u = take_again(w, id, T0);
    OK(upload_append(u, SECOND, T0, err));
    blob_is(w, w->repo.id, &digest, FIRST);
    upload_close(u);
    OK(upload_cancel(w->store, &repo, slice_str(id), w->alice.account_id, T0, err));
    blob_is(w, w->repo.id, &digest, FIRST);
    assert_int_equal(files_in(w, "uploads"), 0);
}

static void quota_counts_the_uploads_of_the_last_run(void **state)
{
    struct world *w = *state;
    char id[UPLOAD_ID_MAX];
    set_quota(w, (int64_t)WHOLE.n);
    begin(w, id);
    world_reopen(w);
    struct upload *u = start(w, UPLOAD_SESSION);
    FAILS(ERR_QUOTA, upload_append(u, FIRST, T0, err));
    struct upload *again = take_again(w, id, T0); /* counted once */
    OK(upload_append(again, SECOND, T0, err));
    FAILS(ERR_QUOTA, upload_append(u, SLICE_LIT("x"), T0, err));
    upload_close(again);
    struct repo_name repo = repo_of("ns/app");
    OK(upload_cancel(w->store, &repo, slice_str(id), w->alice.account_id, T0, err));
    OK(upload_append(u, WHOLE, T0, err)); /* what ended holds nothing */
    upload_close(u);
}

/* It has a row and no file, and what its row holds is known all the same. */
static void an_empty_session_of_the_last_run_gives_its_room_and_goes_on(void **state)
{
    struct world *w = *state;
    char id[UPLOAD_ID_MAX];
    struct repo_name repo = repo_of("ns/app");
    int64_t received = -1;
    set_quota(w, (int64_t)WHOLE.n);
    struct upload *empty = start(w, UPLOAD_SESSION);
    memcpy(id, upload_id(empty), sizeof(id));
    upload_close(empty);
    world_reopen(w);
    OK(upload_status(w->store, &repo, slice_str(id), w->alice.account_id, &received, err));
    assert_int_equal(received, 0);
    struct upload *u = start(w, UPLOAD_SESSION);
    OK(upload_append(u, WHOLE, T0, err));
    struct upload *again = take_again(w, id, T0);
    FAILS(ERR_QUOTA, upload_append(again, FIRST, T0, err));
    char other[UPLOAD_ID_MAX];
    memcpy(other, upload_id(u), sizeof(other));
    upload_close(u);
    OK(upload_cancel(w->store, &repo, slice_str(other), w->alice.account_id, T0, err));
    OK(upload_append(again, FIRST, T0, err));
    struct digest digest = digest_of(FIRST);
    OK(upload_finish(again, &digest, T0, NULL, err));
    upload_close(again);
    blob_is(w, w->repo.id, &digest, FIRST);
}

static void what_became_a_blob_still_counts(void **state)
{
    struct world *w = *state;
    struct digest digest = digest_of(WHOLE);
    set_quota(w, (int64_t)WHOLE.n);
    struct upload *late = start(w, UPLOAD_SESSION); /* knows an empty namespace */
    struct upload *u = start(w, UPLOAD_SESSION);
    OK(upload_append(u, WHOLE, T0, err));
    OK(upload_finish(u, &digest, T0, NULL, err));
    upload_close(u);
    FAILS(ERR_QUOTA, upload_append(late, SLICE_LIT("x"), T0, err));
    upload_close(late);
}

static void limit_sessions(struct world *w, int max)
{
    struct store_limits limits = *store_get_limits(w->store);
    limits.uploads_per_account = max;
    store_set_limits(w->store, &limits);
}

static void one_more_than_the_limit_ends_the_longest_idle(void **state)
{
    struct world *w = *state;
    struct repo_name repo = repo_of("ns/app");
    limit_sessions(w, 3);

    char ids[4][UPLOAD_ID_MAX];
    for (int i = 0; i < 4; i++) {
        struct upload *u = NULL;
        OK(upload_start(w->store, &repo, UPLOAD_SESSION, &w->alice, T0 + i, &u, err));
        memcpy(ids[i], upload_id(u), UPLOAD_ID_MAX);
        OK(upload_append(u, FIRST, T0 + i, err));
        upload_close(u);
        if (i == 2) {
            upload_close(take_again(w, ids[0], T0 + 3)); /* so the second is the idlest */
        }
    }
    int64_t received = 0;
    static const bool alive[] = {true, false, true, true};
    for (int i = 0; i < 4; i++) {
        struct err err = {0};
        assert_int_equal(
            upload_status(w->store, &repo, slice_str(ids[i]), w->alice.account_id, &received, &err),
            alive[i]);
    }
    assert_int_equal(files_in(w, "uploads"), 3);
}

static int64_t open_sessions(struct world *w)
{
    int64_t open = 0;
    READ(w)
    {
        auto_stmt struct db_stmt *q = db_stmt(tx, SQL_UPLOAD_COUNT_ACCOUNT);
        db_bind_int(q, 1, w->alice.account_id);
        OK(db_step(q, err) == DB_ROW);
        open = db_col_int(q, 0);
    }
    return open;
}

static void a_limit_that_was_lowered_is_kept_from_the_next_session_on(void **state)
{
    struct world *w = *state;
    for (int i = 0; i < 6; i++) {
        upload_close(start(w, UPLOAD_SESSION));
    }
    assert_int_equal(open_sessions(w), 6);
    limit_sessions(w, 3);
    upload_close(start(w, UPLOAD_SESSION));
    assert_int_equal(open_sessions(w), 3);
}

#define STARTERS 16
#define STARTS_EACH 10
#define PLACES 20

struct starter {
    struct world *w;
    int refused;
};

static void *start_many(void *arg)
{
    struct starter *s = arg;
    struct repo_name repo = repo_of("ns/app");
    for (int i = 0; i < STARTS_EACH; i++) {
        struct err err = {0};
        struct upload *u = NULL;
        s->refused += !upload_start(s->w->store, &repo, UPLOAD_SESSION, &s->w->alice, T0, &u, &err);
        upload_close(u);
    }
    return NULL;
}

/* One place for each that is in use at once, and a few more: nobody is refused. */
static void many_who_begin_at_once_stay_within_the_limit(void **state)
{
    struct world *w = *state;
    pthread_t threads[STARTERS];
    struct starter starters[STARTERS];
    limit_sessions(w, PLACES);
    for (int i = 0; i < PLACES; i++) {
        upload_close(start(w, UPLOAD_SESSION));
    }
    for (int i = 0; i < STARTERS; i++) {
        starters[i] = (struct starter){.w = w};
        assert_int_equal(pthread_create(&threads[i], NULL, start_many, &starters[i]), 0);
    }
    for (int i = 0; i < STARTERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(starters[i].refused, 0);
    }
    assert_int_equal(open_sessions(w), PLACES); /* not one too many, and not one ended for nobody */
}

/* --- what a request says that it brings ------------------------------------------------------- */

static void more_bytes_than_were_announced_are_refused(void **state)
{
    struct world *w = *state;
    struct digest digest = digest_of(WHOLE);
    struct upload *u = start(w, UPLOAD_SESSION);
    OK(upload_announce(u, (int64_t)FIRST.n, err));
    OK(upload_append(u, FIRST, T0, err));
    OK(upload_expect_end(u, err));
    FAILS(ERR_SIZE_INVALID, upload_append(u, SLICE_LIT("x"), T0, err));
    assert_int_equal(upload_received(u), FIRST.n);
    OK(upload_announce(u, (int64_t)SECOND.n, err)); /* the next request */
    OK(upload_append(u, SECOND, T0, err));
    OK(upload_finish(u, &digest, T0, NULL, err));
    upload_close(u);
}

static void fewer_bytes_than_were_announced_are_told(void **state)
{
    struct world *w = *state;
    struct upload *u = start(w, UPLOAD_SESSION);
    OK(upload_expect_end(u, err)); /* nothing was said */
    OK(upload_announce(u, (int64_t)WHOLE.n, err));
    OK(upload_append(u, FIRST, T0, err));
    FAILS(ERR_SIZE_INVALID, upload_expect_end(u, err));
    OK(upload_append(u, SECOND, T0, err));
    OK(upload_expect_end(u, err));
    upload_close(u);
}

static int open_descriptors(void)
{
    int n = 0;
    DIR *dir = opendir("/proc/self/fd");
    assert_non_null(dir);
    while (readdir(dir)) {
        n++;
    }
    closedir(dir);
    return n;
}

static void an_idle_session_holds_no_descriptor(void **state)
{
    struct world *w = *state;
    char id[UPLOAD_ID_MAX];
    begin(w, id); /* whatever is opened once is open now */
    int before = open_descriptors();
    for (int i = 0; i < 20; i++) {
        begin(w, id);
    }
    assert_int_equal(open_descriptors(), before);
    struct upload *u = take_again(w, id, T0);
    assert_int_equal(open_descriptors(), before + 1);
    upload_close(u);
}

/* Whether a session's hash is still in memory: bytes that are changed behind its back are noticed
 * only when they are read again. */
static bool is_read_again(struct world *w, const char *id)
{
    char path[64];
    struct err err = {0};
    struct digest digest = digest_of(FIRST);
    snprintf(path, sizeof(path), "uploads/%s", id);
    auto_fd int fd = openat(w->folder.fd, path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "F", 1, 0), 1);
    struct upload *u = take_again(w, id, T0);
    bool finished = upload_finish(u, &digest, T0, NULL, &err);
    upload_close(u);
    assert_true(finished || err.code == ERR_DIGEST_INVALID);
    return !finished;
}

static void only_so_many_idle_sessions_keep_their_hash(void **state)
{
    struct world *w = *state;
    struct store_limits limits = *store_get_limits(w->store);
    limits.uploads_per_account = HASHES_KEPT + 10;
    store_set_limits(w->store, &limits);
    char coldest[UPLOAD_ID_MAX], next[UPLOAD_ID_MAX], used[UPLOAD_ID_MAX], other[UPLOAD_ID_MAX];
    begin(w, used);
    begin(w, coldest);
    begin(w, next);
    for (int i = 3; i < HASHES_KEPT; i++) {
        begin(w, other);
    }
    upload_close(take_again(w, used, T0)); /* so it is the last to cool */
    begin(w, other);                       /* one more than are kept */
    assert_true(is_read_again(w, coldest));
    assert_false(is_read_again(w, next));
    assert_false(is_read_again(w, used));
}

static void idle_sessions_end(void **state)
{
    struct world *w = *state;
    char old[UPLOAD_ID_MAX], fresh[UPLOAD_ID_MAX];
    struct repo_name repo = repo_of("ns/app");
    int ended = -1;
    begin(w, old);
    begin(w, fresh);
    upload_close(take_again(w, fresh, T0 + HOUR));
    OK(upload_expire(w->store, T0 + 24 * HOUR, 10, &ended, err));
    assert_int_equal(ended, 0);
    OK(upload_expire(w->store, T0 + 24 * HOUR + 1, 10, &ended, err));
    assert_int_equal(ended, 1);
    struct upload *u = NULL;
    FAILS(ERR_UPLOAD_UNKNOWN,
          upload_open(w->store, &repo, slice_str(old), w->alice.account_id, T0, &u, err));
    upload_close(take_again(w, fresh, T0 + 25 * HOUR));
    assert_int_equal(files_in(w, "uploads"), 1);
}

/* --- crashes ---------------------------------------------------------------------------------- */

/* What a crash between the link and the commit leaves: the file under both names, no row of the
 * blob. */
static void link_by_hand(struct world *w, const char *id, const struct digest *digest)
{
    char path[BLOB_PATH_MAX];
    char to[BLOB_PATH_MAX + 8];
    char from[64];
    char hex[DIGEST_STR_MAX];
    digest_hex(digest, hex);
    (void)mkdirat(w->folder.fd, "blobs/sha256", 0700);
    snprintf(to, sizeof(to), "blobs/sha256/%.2s", hex);
    (void)mkdirat(w->folder.fd, to, 0700);
    snprintf(to, sizeof(to), "blobs/%s", blob_path(digest, path));
    snprintf(from, sizeof(from), "uploads/%s", id);
    assert_int_equal(linkat(w->folder.fd, from, w->folder.fd, to, 0), 0);
}

static void a_published_file_without_a_row_goes_with_its_session(void **state)
{
    struct world *w = *state;
    char id[UPLOAD_ID_MAX];
    struct repo_name repo = repo_of("ns/app");
    struct digest digest = digest_of(FIRST);
    begin(w, id);
    link_by_hand(w, id, &digest);
    world_reopen(w);
    assert_true(has_file(w, &digest));
    OK(upload_cancel(w->store, &repo, slice_str(id), w->alice.account_id, T0, err));
    assert_false(has_file(w, &digest));
}

static void a_published_file_is_taken_by_a_second_put(void **state)
{
    struct world *w = *state;
    char id[UPLOAD_ID_MAX];
    struct digest digest = digest_of(FIRST);
    begin(w, id);
    link_by_hand(w, id, &digest);
    world_reopen(w);
    struct upload *u = take_again(w, id, T0);
    OK(upload_finish(u, &digest, T0, NULL, err));
    upload_close(u);
    blob_is(w, w->repo.id, &digest, FIRST);
}

/* As long as its file has a name among the blobs nothing is written to it any more. A file that is
 * pushed the ordinary way takes that name for itself. */
static void a_session_that_was_being_finished_cannot_grow(void **state)
{
    struct world *w = *state;
    char id[UPLOAD_ID_MAX];
    struct digest digest = digest_of(FIRST);
    begin(w, id);
    link_by_hand(w, id, &digest);
    world_reopen(w);
    struct upload *other = start(w, UPLOAD_SINGLE);
    OK(upload_append(other, FIRST, T0, err));
    OK(upload_finish(other, &digest, T0, NULL, err));
    upload_close(other);

    struct upload *u = take_again(w, id, T0);
    if (w->files) {
        OK(upload_append(u, SECOND, T0, err));
        blob_is(w, w->repo.id, &digest, FIRST);
        upload_close(u);
        return;
    }
    FAILS(ERR_UPLOAD_INVALID, upload_append(u, SECOND, T0, err));
    OK(upload_append(u, SLICE_LIT(""), T0, err));
    blob_is(w, w->repo.id, &digest, FIRST);
    OK(upload_finish(u, &digest, T0, NULL, err));
    upload_close(u);
    blob_is(w, w->repo.id, &digest, FIRST);
}

static void a_session_that_ends_does_not_take_a_held_blob_with_it(void **state)
{
    struct world *w = *state;
    char id[UPLOAD_ID_MAX];
    struct repo_name repo = repo_of("ns/app");
    struct digest digest = digest_of(FIRST);
    begin(w, id);
    link_by_hand(w, id, &digest);
    struct upload *u = start(w, UPLOAD_SINGLE);
    OK(upload_append(u, FIRST, T0, err));
    OK(upload_finish(u, &digest, T0, NULL, err));
    upload_close(u);
    OK(upload_cancel(w->store, &repo, slice_str(id), w->alice.account_id, T0, err));
    blob_is(w, w->repo.id, &digest, FIRST);
}

static void left_over_files_are_swept(void **state)
{
    struct world *w = *state;
    struct digest digest = digest_of(FIRST);
    static const char id[] = "0b8e4d0e-7c1b-4a53-9b0b-6ad8a1a3e2f1";
    char path[64];
    snprintf(path, sizeof(path), "uploads/%s", id);
    auto_fd int fd = openat(w->folder.fd, path, O_CREAT | O_WRONLY, 0600);
    assert_int_equal(write(fd, FIRST.p, FIRST.n), FIRST.n);
    link_by_hand(w, id, &digest);
    char own[UPLOAD_ID_MAX];
    begin(w, own);
    world_reopen(w);
    OK(upload_expire(w->store, T0, 10, NULL, err)); /* to find its digest it has to be read */
    assert_false(has_file(w, &digest));
    assert_int_equal(files_in(w, "uploads"), 1); /* the session's */
    upload_close(take_again(w, own, T0));
}

static void a_session_whose_file_is_gone_can_still_end(void **state)
{
    struct world *w = *state;
    char id[UPLOAD_ID_MAX];
    char path[64];
    int ended = 0;
    struct repo_name repo = repo_of("ns/app");
    struct upload *u = NULL;
    begin(w, id);
    world_reopen(w);
    snprintf(path, sizeof(path), "uploads/%s", id);
    assert_int_equal(unlinkat(w->folder.fd, path, 0), 0);
    FAILS(ERR_UPLOAD_UNKNOWN,
          upload_open(w->store, &repo, slice_str(id), w->alice.account_id, T0, &u, err));
    OK(upload_expire(w->store, T0 + 30 * 24 * HOUR, 10, &ended, err));
    assert_int_equal(ended, 1);
}

/* --- disks that do not do what they should ---------------------------------------------------- */

/* The file stops growing in the middle of a chunk, as on a full disk. */
static void a_chunk_written_in_part_counts_for_nothing(void **state)
{
    struct world *w = *state;
    struct rlimit old, small;
    struct digest digest = digest_of(WHOLE);
    struct upload *u = start(w, UPLOAD_SESSION);
    char id[UPLOAD_ID_MAX];
    memcpy(id, upload_id(u), sizeof(id));
    OK(upload_append(u, FIRST, T0, err));

    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = (struct rlimit){.rlim_cur = FIRST.n + 3, .rlim_max = old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    bool appended = upload_append(u, SECOND, T0, NULL);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    (void)signal(SIGXFSZ, handler);

    assert_false(appended);
    assert_int_equal(upload_received(u), FIRST.n);
    upload_close(u);
    world_reopen(w); /* nor after a restart */
    u = take_again(w, id, T0);
    assert_int_equal(upload_received(u), FIRST.n);
    OK(upload_append(u, SECOND, T0, err));
    OK(upload_finish(u, &digest, T0, NULL, err));
    upload_close(u);
    blob_is(w, w->repo.id, &digest, WHOLE);
}

static void bytes_that_did_not_reach_the_disk_are_not_asked_for_again(void **state)
{
    struct world *w = *state;
    char id[UPLOAD_ID_MAX];
    struct repo_name repo = repo_of("ns/app");
    struct digest digest = digest_of(FIRST);
    begin(w, id);
    auto_fd int fd = openat(w->folder.fd, "blobs/sha256", O_CREAT | O_WRONLY, 0600);
    assert_true(fd >= 0); /* where a folder should be */
    struct upload *u = take_again(w, id, T0);
    FAILS(ERR_INTERNAL, upload_finish(u, &digest, T0, NULL, err));
    upload_close(u);
    FAILS(ERR_UPLOAD_UNKNOWN,
          upload_open(w->store, &repo, slice_str(id), w->alice.account_id, T0, &u, err));
    assert_int_equal(files_in(w, "uploads"), 0);
    blob_is_unknown(w, &digest);
}

/* --- threads ---------------------------------------------------------------------------------- */

struct pusher {
    struct world *w;
    struct err err;
    bool ok;
};

static void *push_same(void *arg)
{
    struct pusher *p = arg;
    struct repo_name repo = repo_of("ns/app");
    struct digest digest = digest_of(WHOLE);
    p->ok = true;
    for (int i = 0; p->ok && i < 5; i++) {
        struct upload *u = NULL;
        p->ok = upload_start(p->w->store, &repo, i % 2 ? UPLOAD_SINGLE : UPLOAD_SESSION,
                             &p->w->alice, T0, &u, &p->err) &&
                upload_append(u, WHOLE, T0, &p->err) &&
                upload_finish(u, &digest, T0, NULL, &p->err);
        upload_close(u);
    }
    return NULL;
}

static void many_pushers_of_one_blob(void **state)
{
    struct world *w = *state;
    struct pusher pushers[4];
    pthread_t threads[4];
    struct digest digest = digest_of(WHOLE);
    for (int i = 0; i < 4; i++) {
        pushers[i] = (struct pusher){.w = w};
        assert_int_equal(pthread_create(&threads[i], NULL, push_same, &pushers[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        if (!pushers[i].ok) {
            fail_msg("%s", pushers[i].err.msg);
        }
    }
    blob_is(w, w->repo.id, &digest, WHOLE);
    used_is(w, (int64_t)WHOLE.n);
    assert_int_equal(files_in(w, "uploads"), 0);
}

struct filler {
    struct world *w;
    int appended;
};

static void *fill(void *arg)
{
    struct filler *f = arg;
    struct repo_name repo = repo_of("ns/app");
    struct upload *u = NULL;
    struct err err = {0};
    if (!upload_start(f->w->store, &repo, UPLOAD_SESSION, &f->w->alice, T0, &u, &err)) {
        return NULL;
    }
    for (int i = 0; i < 100; i++) {
        f->appended += upload_append(u, SLICE_LIT("1234567"), T0, &err);
    }
    upload_close(u);
    return NULL;
}

static void many_uploads_together_stay_within_the_quota(void **state)
{
    struct world *w = *state;
    struct filler fillers[4];
    pthread_t threads[4];
    int appended = 0;
    set_quota(w, 7 * 150 + 6);
    for (int i = 0; i < 4; i++) {
        fillers[i] = (struct filler){.w = w};
        assert_int_equal(pthread_create(&threads[i], NULL, fill, &fillers[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        appended += fillers[i].appended;
    }
    assert_int_equal(appended, 150);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH_TESTS(a_chunked_upload_becomes_a_blob),
        BOTH_TESTS(whoever_has_lost_his_right_makes_no_blob_and_the_session_goes_on),
        BOTH_TESTS(whoever_has_kept_his_right_makes_a_blob),
        BOTH_TESTS(an_empty_blob_is_a_blob),
        BOTH_TESTS(sha512_is_asked_for_at_the_end),
        BOTH_TESTS(a_wrong_digest_keeps_nothing),
        BOTH_TESTS(a_chunk_out_of_order_leaves_the_session),
        BOTH_TESTS(two_requests_cannot_use_one_session),
        BOTH_TESTS(a_session_is_there_for_its_own_only),
        BOTH_TESTS(odd_ids_are_unknown),
        BOTH_TESTS(a_restart_does_not_lose_a_session),
        BOTH_TESTS(cancelling_removes_everything),
        BOTH_TESTS(a_single_upload_makes_its_repository),
        BOTH_TESTS(a_single_upload_given_up_leaves_nothing),
        BOTH_TESTS(a_namespace_must_exist),
        BOTH_TESTS(the_same_blob_twice_is_one_file),
        BOTH_TESTS(quota_counts_unfinished_uploads),
        BOTH_TESTS(a_blob_beyond_the_quota_is_not_kept),
        BOTH_TESTS(a_refused_commit_leaves_no_file_behind),
        BOTH_TESTS(quota_counts_the_uploads_of_the_last_run),
        BOTH_TESTS(an_empty_session_of_the_last_run_gives_its_room_and_goes_on),
        BOTH_TESTS(what_became_a_blob_still_counts),
        BOTH_TESTS(one_more_than_the_limit_ends_the_longest_idle),
        BOTH_TESTS(a_limit_that_was_lowered_is_kept_from_the_next_session_on),
        BOTH_TESTS(many_who_begin_at_once_stay_within_the_limit),
        BOTH_TESTS(more_bytes_than_were_announced_are_refused),
        BOTH_TESTS(fewer_bytes_than_were_announced_are_told),
        BOTH_TESTS(an_idle_session_holds_no_descriptor),
        BOTH_TESTS(only_so_many_idle_sessions_keep_their_hash),
        BOTH_TESTS(idle_sessions_end),
        BOTH_TESTS(a_published_file_without_a_row_goes_with_its_session),
        BOTH_TESTS(a_published_file_is_taken_by_a_second_put),
        BOTH_TESTS(a_session_that_was_being_finished_cannot_grow),
        BOTH_TESTS(a_session_that_ends_does_not_take_a_held_blob_with_it),
        BOTH_TESTS(left_over_files_are_swept),
        BOTH_TESTS(a_session_whose_file_is_gone_can_still_end),
        BOTH_TESTS(a_chunk_written_in_part_counts_for_nothing),
        FILES_TEST(bytes_that_did_not_reach_the_disk_are_not_asked_for_again),
        BOTH_TESTS(many_pushers_of_one_blob),
        BOTH_TESTS(many_uploads_together_stay_within_the_quota),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
