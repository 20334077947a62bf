/* Quotas: used and reserved bytes together stay within them, whoever comes between. */
#include "storage/blob.h"
#include "storage/check.h"
#include "storage/upload.h"
#include "tests/unit/storage/image.h"

#include <stdatomic.h>

#define KiB INT64_C(1024)
#define MiB (1024 * KiB)
#define GiB (1024 * MiB)
#define FIRST_STEP MiB
#define STEP (64 * MiB)

static struct slice zeros(size_t n)
{
    static const char bytes[2 * 1024 * 1024];
    assert_true(n <= sizeof(bytes));
    return (struct slice){bytes, n};
}

static void set_quota(struct world *w, int64_t bytes)
{
    WRITE(w)
    {
        OK(namespace_set_quota(tx, w->ns.id, bytes, err));
    }
}

static struct namespace space(struct world *w)
{
    struct namespace ns;
    READ(w)
    {
        OK(namespace_get_by_id(tx, w->ns.id, &ns, err));
    }
    return ns;
}

#define SPACE_IS(w, used, reserved)                                                                \
    do {                                                                                           \
        struct namespace ns_ = space(w);                                                           \
        assert_int_equal(ns_.used_bytes, used);                                                    \
        assert_int_equal(ns_.reserved_bytes, reserved);                                            \
    } while (0)

static void tell(const struct check_finding *finding, void *arg)
{
    (void)arg;
    print_error("%s: %s\n", finding->where, finding->what);
}

static void index_agrees(struct world *w)
{
    const struct check_listener listener = {.finding = tell};
    struct check_report report;
    OK(store_check(w->store, CHECK_INDEX, &listener, &report, err));
    assert_int_equal(report.findings, 0);
}

static struct upload *start_at(struct world *w, enum upload_kind kind, int64_t now_us)
{
    struct repo_name repo = repo_of("ns/app");
    struct upload *u = NULL;
    OK(upload_start(w->store, &repo, kind, &w->alice, now_us, &u, err));
    return u;
}

static struct upload *start(struct world *w, enum upload_kind kind)
{
    return start_at(w, kind, T0);
}

static struct upload *take_again(struct world *w, const char *id)
{
    struct repo_name repo = repo_of("ns/app");
    struct upload *u = NULL;
    OK(upload_open(w->store, &repo, slice_str(id), w->alice.account_id, T0, &u, err));
    return u;
}

static void finish(struct upload *u, struct slice content)
{
    struct digest digest = digest_of(content);
    OK(upload_finish(u, &digest, T0, NULL, err));
    upload_close(u);
}

/* A session with n bytes in it; nobody is using it. */
static void begin(struct world *w, size_t n, char id[UPLOAD_ID_MAX])
{
    struct upload *u = start(w, UPLOAD_SESSION);
    memcpy(id, upload_id(u), UPLOAD_ID_MAX);
    OK(upload_append(u, zeros(n), T0, err));
    upload_close(u);
}

/* --- steps ------------------------------------------------------------------------------------ */

static void a_session_reserves_in_steps_and_settles_at_its_end(void **state)
{
    struct world *w = *state;
    struct upload *u = start(w, UPLOAD_SESSION);
    SPACE_IS(w, 0, FIRST_STEP);
    OK(upload_append(u, zeros(MiB), T0, err));
    SPACE_IS(w, 0, FIRST_STEP);
    OK(upload_append(u, zeros(1), T0, err));
    SPACE_IS(w, 0, FIRST_STEP + 1 + STEP);
    index_agrees(w);
    finish(u, zeros(MiB + 1));
    SPACE_IS(w, MiB + 1, 0);
    index_agrees(w);
}

static void a_known_length_is_reserved_and_no_more(void **state)
{
    struct world *w = *state;
    struct upload *u = start(w, UPLOAD_SESSION);
    OK(upload_announce(u, 3 * MiB, err));
    SPACE_IS(w, 0, 3 * MiB);
    OK(upload_append(u, zeros(MiB), T0, err));
    OK(upload_append(u, zeros(2 * MiB), T0, err));
    SPACE_IS(w, 0, 3 * MiB);
    OK(upload_announce(u, GiB, err)); /* a large one is not reserved whole before it comes */
    SPACE_IS(w, 0, 3 * MiB + STEP);
    upload_close(u);
    index_agrees(w);
}

static void every_end_gives_back_what_was_reserved(void **state)
{
    struct world *w = *state;
    struct repo_name repo = repo_of("ns/app");
    char id[UPLOAD_ID_MAX];
    struct digest wrong = digest_of(SLICE_LIT("else"));
    int ended = 0;

    begin(w, 100, id);
    SPACE_IS(w, 0, FIRST_STEP);
    OK(upload_cancel(w->store, &repo, slice_str(id), w->alice.account_id, T0, err));
    SPACE_IS(w, 0, 0);

    begin(w, 100, id);
    OK(upload_expire(w->store, T0 + 24 * HOUR + 1, 10, &ended, err));
    assert_int_equal(ended, 1);
    SPACE_IS(w, 0, 0);

    begin(w, 100, id);
    struct upload *u = take_again(w, id);
    FAILS(ERR_DIGEST_INVALID, upload_finish(u, &wrong, T0, NULL, err));
    upload_close(u);
    SPACE_IS(w, 0, 0);

    u = start(w, UPLOAD_SINGLE);
    OK(upload_announce(u, 10 * MiB, err));
    OK(upload_append(u, zeros(MiB), T0, err));
    upload_close(u);
    SPACE_IS(w, 0, 0);

    begin(w, 100, id); /* the blob is there already: it costs nothing */
    finish(take_again(w, id), zeros(100));
    begin(w, 100, id);
    finish(take_again(w, id), zeros(100));
    SPACE_IS(w, 100, 0);
    index_agrees(w);
}

static void a_single_upload_reserves_only_when_it_is_large(void **state)
{
    struct world *w = *state;
    struct upload *u = start(w, UPLOAD_SINGLE);
    OK(upload_announce(u, MiB, err));
    OK(upload_append(u, zeros(MiB), T0, err));
    SPACE_IS(w, 0, 0);
    FAILS(ERR_SIZE_INVALID, upload_append(u, zeros(1), T0, err)); /* more than it said */
    SPACE_IS(w, 0, 0);
    finish(u, zeros(MiB));
    SPACE_IS(w, MiB, 0);

    struct upload *unknown = start(w, UPLOAD_SINGLE);
    OK(upload_append(unknown, zeros(MiB), T0, err));
    OK(upload_append(unknown, zeros(1), T0, err)); /* it does not say how much will come */
    SPACE_IS(w, MiB, MiB + 1 + STEP);
    index_agrees(w);
    finish(unknown, zeros(MiB + 1));
    SPACE_IS(w, 2 * MiB + 1, 0);
}

/* --- the quota -------------------------------------------------------------------------------- */

static void what_is_known_to_be_too_much_is_refused_before_it_comes(void **state)
{
    struct world *w = *state;
    static const enum upload_kind kinds[] = {UPLOAD_SESSION, UPLOAD_SINGLE};
    static const int64_t quotas[] = {1000, 5 * MiB, 100 * MiB};
    for (size_t k = 0; k < COUNT(kinds); k++) {
        for (size_t i = 0; i < COUNT(quotas); i++) {
            set_quota(w, quotas[i]);
            struct upload *u = start(w, kinds[k]);
            FAILS(ERR_QUOTA, upload_announce(u, quotas[i] + 1, err));
            FAILS(ERR_SIZE_INVALID,
                  upload_append(u, zeros(10), T0, err) && upload_announce(u, INT64_MAX, err));
            OK(upload_announce(u, quotas[i] - 10, err));
            FAILS(ERR_QUOTA, upload_announce(u, quotas[i] - 9, err));
            struct repo_name repo = repo_of("ns/app");
            struct slice id = slice_str(upload_id(u));
            char text[UPLOAD_ID_MAX];
            memcpy(text, id.p, sizeof(text));
            upload_close(u);
            if (kinds[k] == UPLOAD_SESSION) {
                OK(upload_cancel(w->store, &repo, slice_str(text), w->alice.account_id, T0, err));
            }
            SPACE_IS(w, 0, 0);
        }
    }
}

static void the_refusal_says_what_the_quota_is_and_what_holds_it(void **state)
{
    struct world *w = *state;
    char id[UPLOAD_ID_MAX];
    push_blob(w, "abc");
    set_quota(w, KiB);
    begin(w, 600, id);
    struct upload *u = start(w, UPLOAD_SESSION);
    struct err err = {0};
    assert_false(upload_announce(u, 2 * MiB, &err));
    upload_close(u);
    assert_int_equal(err.code, ERR_QUOTA);
    assert_string_equal(err.msg, "2MiB more do not fit in the quota of namespace ns, 1KiB: 3B are "
                                 "used, 600B held by unfinished uploads; delete images or ask an "
                                 "administrator to raise it");
}

static void what_others_reserved_and_did_not_fill_makes_room(void **state)
{
    struct world *w = *state;
    char ids[3][UPLOAD_ID_MAX];
    set_quota(w, 1000);
    begin(w, 300, ids[0]); /* holds all of it */
    SPACE_IS(w, 0, 1000);
    begin(w, 400, ids[1]);
    begin(w, 300, ids[2]);
    SPACE_IS(w, 0, 1000);
    struct upload *u = take_again(w, ids[0]);
    FAILS(ERR_QUOTA, upload_append(u, zeros(1), T0, err));
    finish(u, zeros(300));
    SPACE_IS(w, 300, 700);
    finish(take_again(w, ids[1]), zeros(400));
    finish(take_again(w, ids[2]), zeros(300)); /* the same bytes as the first */
    SPACE_IS(w, 700, 0);
    index_agrees(w);
}

static bool charge_200(struct db_tx *tx, void *arg, struct err *err)
{
    const struct world *w = arg;
    return repository_charge(tx, w->repo.id, 200, err);
}

static void manifests_and_mounts_find_that_room_too(void **state)
{
    struct world *w = *state;
    struct repo_name repo = repo_of("ns/app");
    char id[UPLOAD_ID_MAX];
    set_quota(w, 1000);
    begin(w, 800, id);
    FAILS(ERR_QUOTA, db_write(w->db, charge_200, w, err));
    OK(upload_make_room(w->store, &repo, charge_200, w, err));
    SPACE_IS(w, 200, 800);
    FAILS(ERR_QUOTA, upload_make_room(w->store, &repo, charge_200, w, err));
    SPACE_IS(w, 200, 800);
}

static void a_small_single_upload_finds_that_room_too(void **state)
{
    struct world *w = *state;
    char id[UPLOAD_ID_MAX];
    set_quota(w, 1000);
    struct upload *u = start(w, UPLOAD_SINGLE);
    OK(upload_append(u, zeros(100), T0, err));
    begin(w, 800, id);
    finish(u, zeros(100));
    SPACE_IS(w, 100, 800);
    u = start(w, UPLOAD_SINGLE);
    FAILS(ERR_QUOTA, upload_announce(u, 101, err));
    upload_close(u);
}

static void a_lower_quota_stops_growth_and_nothing_else(void **state)
{
    struct world *w = *state;
    char id[UPLOAD_ID_MAX];
    begin(w, 800, id);
    set_quota(w, 500);
    struct upload *u = take_again(w, id);
    struct digest digest = digest_of(zeros(800));
    FAILS(ERR_QUOTA, upload_finish(u, &digest, T0, NULL, err));
    upload_close(u);
    set_quota(w, 800); /* the session went on as it was */
    finish(take_again(w, id), zeros(800));
    SPACE_IS(w, 800, 0);
    set_quota(w, 1);
    WRITE(w)
    {
        OK(blob_unlink(tx, w->repo.id, &digest, T0, err));
    }
    SPACE_IS(w, 0, 0);
}

/* --- restarts --------------------------------------------------------------------------------- */

static void a_restart_forgets_no_reservation(void **state)
{
    struct world *w = *state;
    char id[UPLOAD_ID_MAX];
    set_quota(w, 3 * MiB);
    begin(w, 2 * MiB, id);
    SPACE_IS(w, 0, 3 * MiB);
    world_reopen(w);
    SPACE_IS(w, 0, 3 * MiB);
    struct upload *u = start(w, UPLOAD_SESSION); /* nobody has touched the other one yet */
    FAILS(ERR_QUOTA, upload_announce(u, MiB + 1, err));
    OK(upload_append(u, zeros(MiB), T0, err));
    upload_close(u);
    u = take_again(w, id);
    FAILS(ERR_QUOTA, upload_append(u, zeros(1), T0, err));
    finish(u, zeros(2 * MiB));
    SPACE_IS(w, 2 * MiB, MiB);
    index_agrees(w);
}

/* Its request died with the process, and nobody else knows its name. */
static void a_single_upload_of_the_last_run_ends_at_once(void **state)
{
    struct world *w = *state;
    struct upload *u = start(w, UPLOAD_SINGLE);
    OK(upload_announce(u, 10 * MiB, err));
    OK(upload_append(u, zeros(MiB), T0, err));
    world_reopen(w); /* and u is gone with its store */
    SPACE_IS(w, 0, 10 * MiB);
    OK(upload_expire(w->store, T0, 10, NULL, err));
    SPACE_IS(w, 0, 0);
    index_agrees(w);
}

/* What power loss can leave: a session and its bytes, and the index as it was before them. */
static void lose_reservations(struct world *w)
{
    world_run_sql(w, "UPDATE namespace SET reserved_bytes = 0");
    world_run_sql(w, "UPDATE upload SET reserved_bytes = 0");
}

static void bytes_without_a_reservation_get_one_at_the_start_or_are_cut(void **state)
{
    struct world *w = *state;
    char id[UPLOAD_ID_MAX];
    int64_t received = -1;
    struct repo_name repo = repo_of("ns/app");
    begin(w, 900, id);
    lose_reservations(w); /* and now there is room */
    SPACE_IS(w, 0, 900);
    index_agrees(w);

    set_quota(w, 899);
    lose_reservations(w);
    SPACE_IS(w, 0, 0);
    index_agrees(w);
    OK(upload_status(w->store, &repo, slice_str(id), w->alice.account_id, &received, err));
    assert_int_equal(received, 0);
    struct upload *u = take_again(w, id);
    OK(upload_append(u, zeros(899), T0, err));
    finish(u, zeros(899));
    SPACE_IS(w, 899, 0);
}

/* --- threads ---------------------------------------------------------------------------------- */

#define QUOTA (3 * MiB)

struct crowd {
    struct world *w;
    atomic_bool stop;
    atomic_int stored, refused, beyond, failed;
};

struct member {
    struct crowd *crowd;
    int n;
};

static void count_failure(struct crowd *crowd, const struct err *err)
{
    if (err->code == ERR_QUOTA) {
        crowd->refused++;
    } else {
        crowd->failed++;
        print_error("%s %s\n", err->msg, err->detail);
    }
}

/* Sessions and single uploads that grow, end, are given up or deleted again, of sizes that need
 * several steps. */
static void *upload_main(void *arg)
{
    const struct member *m = arg;
    struct crowd *crowd = m->crowd;
    struct repo_name repo = repo_of("ns/app");
    for (int i = 0; i < 12; i++) {
        struct err err = {0};
        struct upload *u = NULL;
        auto_buf struct buf content = {0};
        size_t n = (size_t)(100 * KiB) * (size_t)(1 + (i + m->n) % 14);
        buf_printf(&content, "%d %d", m->n, i);
        buf_put(&content, zeros(n - content.n).p, n - content.n);
        struct slice half = slice_first(buf_slice_of(&content), n / 2);
        struct slice rest = slice_from(buf_slice_of(&content), n / 2);
        struct digest digest = digest_of(buf_slice_of(&content));
        bool ok = upload_start(crowd->w->store, &repo, i % 3 ? UPLOAD_SESSION : UPLOAD_SINGLE,
                               &crowd->w->alice, T0, &u, &err) &&
                  (i % 2 || upload_announce(u, (int64_t)n, &err)) &&
                  upload_append(u, half, T0, &err) && upload_append(u, rest, T0, &err) &&
                  upload_finish(u, &digest, T0, NULL, &err);
        crowd->stored += ok;
        if (!ok) {
            count_failure(crowd, &err);
        }
        char id[UPLOAD_ID_MAX] = "";
        if (u && !ok && i % 3) {
            memcpy(id, upload_id(u), sizeof(id));
        }
        upload_close(u);
        if (id[0]) {
            crowd->failed += !upload_cancel(crowd->w->store, &repo, slice_str(id),
                                            crowd->w->alice.account_id, T0, NULL);
        }
    }
    return NULL;
}

static void *watch_main(void *arg)
{
    struct crowd *crowd = arg;
    while (!crowd->stop) {
        struct namespace ns = {0};
        struct err err = {0};
        auto_snapshot struct db_tx *tx = NULL;
        if (!db_snapshot(crowd->w->db, &tx, &err) ||
            !namespace_get_by_id(tx, crowd->w->ns.id, &ns, &err)) {
            crowd->failed++;
        }
        crowd->beyond += ns.used_bytes + ns.reserved_bytes > QUOTA;
    }
    return NULL;
}

static void many_uploads_together_never_go_beyond_the_quota(void **state)
{
    struct crowd crowd = {.w = *state};
    struct member members[4];
    pthread_t threads[4], watcher;
    set_quota(crowd.w, QUOTA);
    assert_int_equal(pthread_create(&watcher, NULL, watch_main, &crowd), 0);
    for (int i = 0; i < 4; i++) {
        members[i] = (struct member){&crowd, i};
        assert_int_equal(pthread_create(&threads[i], NULL, upload_main, &members[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    crowd.stop = true;
    pthread_join(watcher, NULL);
    assert_int_equal(crowd.failed, 0);
    assert_int_equal(crowd.beyond, 0);
    assert_true(crowd.stored > 0);
    assert_true(crowd.refused > 0);
    assert_int_equal(space(crowd.w).reserved_bytes, 0);
    index_agrees(crowd.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(a_session_reserves_in_steps_and_settles_at_its_end),
        WORLD_TEST(a_known_length_is_reserved_and_no_more),
        WORLD_TEST(every_end_gives_back_what_was_reserved),
        WORLD_TEST(a_single_upload_reserves_only_when_it_is_large),
        WORLD_TEST(what_is_known_to_be_too_much_is_refused_before_it_comes),
        WORLD_TEST(the_refusal_says_what_the_quota_is_and_what_holds_it),
        WORLD_TEST(what_others_reserved_and_did_not_fill_makes_room),
        WORLD_TEST(manifests_and_mounts_find_that_room_too),
        WORLD_TEST(a_small_single_upload_finds_that_room_too),
        WORLD_TEST(a_lower_quota_stops_growth_and_nothing_else),
        WORLD_TEST(a_restart_forgets_no_reservation),
        WORLD_TEST(a_single_upload_of_the_last_run_ends_at_once),
        WORLD_TEST(bytes_without_a_reservation_get_one_at_the_start_or_are_cut),
        WORLD_TEST(many_uploads_together_never_go_beyond_the_quota),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
