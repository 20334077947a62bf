/* What is deleted is invisible at once, goes in bounded steps, gives its space back, and leaves
 * nothing that a new life of the same name could stumble over. */
#include "storage/check.h"
#include "storage/gc.h"
#include "storage/policy.h"
#include "storage/removal.h"
#include "storage/repository_idle.h"
#include "storage/tag.h"
#include "storage/trust_pin.h"
#include "tests/unit/storage/image.h"

#define DAY (24 * HOUR)

static void fail_on_finding(const struct check_finding *finding, void *arg)
{
    (void)arg;
    fail_msg("%s: %s", finding->where, finding->what);
}

static void is_well(struct world *w)
{
    struct check_report report;
    const struct check_listener listener = {.finding = fail_on_finding};
    OK(store_check(w->store, CHECK_BYTES, &listener, &report, err));
}

static void remove_repository(struct world *w)
{
    WRITE(w)
    {
        OK(repository_remove(tx, w->repo.id, &w->alice, T0, err));
    }
}

static void remove_namespace(struct world *w)
{
    WRITE(w)
    {
        OK(namespace_remove(tx, w->ns.id, true, &w->alice, T0, err));
    }
}

/* What the trust folder does between: marks the repositories of a namespace. */
static void mark_repositories(struct world *w)
{
    WRITE(w)
    {
        struct namespace_removal r = {0};
        struct repository repo;
        int64_t id = 0;
        bool found = false, marked = false;
        OK(namespace_removal_next(tx, 0, &r, &found, err));
        assert_true(found);
        OK(namespace_removal_repository(tx, &r, &id, &found, err));
        while (found) {
            OK(repository_get_hidden(tx, id, &repo, &marked, err));
            if (!marked) {
                OK(repository_remove(tx, id, &r.actor, T0, err));
            }
            OK(namespace_removal_advance(tx, &r, &repo.name, err));
            OK(namespace_removal_repository(tx, &r, &id, &found, err));
        }
    }
}

/* Runs the steps to their end; returns how many there were. */
static int run_steps(struct world *w, int max)
{
    bool more = true;
    int steps = 0;
    while (more) {
        OK(removal_step(w->store, T0, max, &more, err));
        steps++;
    }
    return steps;
}

static int64_t used(struct world *w)
{
    struct namespace ns;
    READ(w)
    {
        OK(namespace_get_by_id(tx, w->ns.id, &ns, err));
    }
    return ns.used_bytes;
}

static struct digest push_tagged(struct world *w, const char *layer, const char *tag)
{
    struct digest image = push_image(w, "{}", layer);
    struct tag_name name = tag_of(tag);
    WRITE(w)
    {
        OK(tag_put(tx, w->repo.id, &name, &image, &w->alice, T0, NULL, err));
    }
    return image;
}

static void a_deleted_repository_is_found_by_nothing(void **state)
{
    struct world *w = *state;
    struct repository r;
    struct repo_name name = repo_of("ns/app");
    struct reader all = {.all = true},
                  alice = {.account_id = w->alice.account_id, .signed_in = true};
    auto_repository_list struct repository_list one = {0}, two = {0}, three = {0};
    push_tagged(w, "abc", "v1");
    struct digest layer = digest_of(SLICE_LIT("abc"));
    int64_t source = 0;
    remove_repository(w);
    READ(w)
    {
        FAILS(ERR_NAME_UNKNOWN, repository_get(tx, &name, &r, err));
        FAILS(ERR_NAME_UNKNOWN, repository_get_by_id(tx, w->repo.id, &r, err));
        OK(repository_list(tx, &all, SLICE_LIT(""), 10, &one, err));
        OK(repository_list(tx, &alice, SLICE_LIT(""), 10, &two, err));
        OK(repository_list_namespace(tx, w->ns.id, true, SLICE_LIT(""), 10, &three, err));
        FAILS(ERR_BLOB_UNKNOWN, blob_find_source(tx, &layer, &all, INT64_MAX, &source, err));
    }
    assert_int_equal(one.count + two.count + three.count, 0);
    WRITE(w)
    {
        FAILS(ERR_NAME_UNKNOWN, repository_remove(tx, w->repo.id, &w->alice, T0, err));
        FAILS(ERR_BUSY, repository_ensure(tx, &name, T0, &r, NULL, err));
    }
    is_well(w);
}

static void its_rows_go_in_bounded_steps_and_its_space_comes_back(void **state)
{
    struct world *w = *state;
    struct gc_result gc;
    struct repository again;
    struct repo_name name = repo_of("ns/app");
    char layer[16], tag[16];
    for (int i = 0; i < 7; i++) {
        snprintf(layer, sizeof(layer), "l%02d", i);
        snprintf(tag, sizeof(tag), "v%d", i);
        push_tagged(w, layer, tag);
    }
    remove_repository(w);
    /* 7 tags, 7 manifests, 8 blobs, 7 lines of history, three a step, and the end */
    for (int step = 0; step < 12; step++) {
        bool more = false;
        OK(removal_step(w->store, T0, 3, &more, err));
        assert_true(more);
        is_well(w);
        if (step == 5) {
            world_reopen(w);
        }
    }
    assert_int_equal(used(w), 0);
    assert_int_equal(run_steps(w, 3), 1);
    for (int i = 0; i < 3; i++) {
        OK(gc_run(w->store, T0 + DAY, 100, &gc, err));
    }
    struct check_report report;
    const struct check_listener listener = {.finding = fail_on_finding};
    OK(store_check(w->store, CHECK_INDEX, &listener, &report, err));
    assert_int_equal(report.blobs + report.files + report.manifests + report.repositories, 0);
    WRITE(w)
    {
        OK(repository_ensure(tx, &name, T0, &again, NULL, err));
    }
    assert_true(again.id > w->repo.id);
    w->repo = again;
    push_tagged(w, "abc", "v1");
}

/* The blob is another repository's too. */
static void what_others_hold_stays(void **state)
{
    struct world *w = *state;
    struct repo_name name = repo_of("ns/other");
    struct repository other;
    struct blob blob;
    struct gc_result gc;
    push_tagged(w, "abc", "v1");
    struct digest layer = digest_of(SLICE_LIT("abc"));
    WRITE(w)
    {
        OK(repository_ensure(tx, &name, T0, &other, NULL, err));
        OK(blob_mount(tx, other.id, w->repo.id, &layer, 100 * DAY, T0, &blob, err));
    }
    remove_repository(w);
    run_steps(w, 100);
    OK(gc_run(w->store, T0 + DAY, 100, &gc, err));
    READ(w)
    {
        OK(blob_get(tx, other.id, &layer, &blob, err));
    }
    assert_int_equal(used(w), 3);
    is_well(w);
}

static struct upload *start(struct world *w, const struct repo_name *repo)
{
    struct upload *u = NULL;
    OK(upload_start(w->store, repo, UPLOAD_SESSION, &w->alice, T0, &u, err));
    OK(upload_append(u, SLICE_LIT("abc"), T0, err));
    return u;
}

static void an_upload_of_the_former_life_cannot_be_finished_and_is_waited_for(void **state)
{
    struct world *w = *state;
    struct repo_name repo = repo_of("ns/app");
    struct digest d = digest_of(SLICE_LIT("abc"));
    struct upload *in_use = start(w, &repo);
    struct upload *idle = start(w, &repo);
    char id[UPLOAD_ID_MAX];
    int64_t received = 0;
    snprintf(id, sizeof(id), "%s", upload_id(idle));
    upload_close(idle);
    remove_repository(w);
    run_steps(w, 100);
    FAILS(ERR_UPLOAD_UNKNOWN,
          upload_status(w->store, &repo, slice_str(id), w->alice.account_id, &received, err));
    struct repository r;
    WRITE(w) /* one is still in use */
    {
        FAILS(ERR_BUSY, repository_ensure(tx, &repo, T0, &r, NULL, err));
    }
    FAILS(ERR_UPLOAD_UNKNOWN, upload_finish(in_use, &d, T0, NULL, err));
    upload_close(in_use);
    run_steps(w, 100);
    WRITE(w)
    {
        OK(repository_ensure(tx, &repo, T0, &r, NULL, err));
    }
    is_well(w);
}

static void trust_history_keeps_the_row_for_the_next_life(void **state)
{
    struct world *w = *state;
    static const uint8_t key[1][32] = {{7}};
    struct repo_name name = repo_of("ns/app");
    struct repository again;
    auto_pin_list struct pin_list pins = {0};
    push_tagged(w, "abc", "v1");
    WRITE(w)
    {
        OK(trust_pin_set(tx, w->repo.id, key, 1, &w->alice, T0, err));
    }
    int64_t gate = gate_of(w);
    remove_repository(w);
    run_steps(w, 100);
    WRITE(w)
    {
        OK(repository_ensure(tx, &name, T0, &again, NULL, err));
        OK(trust_pin_get(tx, again.id, &pins, err));
    }
    assert_int_equal(again.id, w->repo.id);
    assert_int_equal(again.manifest_count, 0);
    assert_true(again.gate_generation > gate);
    assert_int_equal(pins.count, 1);
}

static void
a_deleted_namespace_is_found_by_nothing_and_can_be_made_again_when_it_is_gone(void **state)
{
    struct world *w = *state;
    struct namespace_name name = ns_of("ns");
    struct repo_name repo = repo_of("ns/app");
    struct namespace again;
    struct repository r;
    struct membership m;
    auto_namespace_list struct namespace_list all = {0}, mine = {0};
    push_tagged(w, "abc", "v1");
    struct account_new robot = {
        .kind = ACCOUNT_ROBOT, .name = SLICE_LIT("ns.ci"), .namespace_id = w->ns.id};
    int64_t robot_id = 0;
    WRITE(w)
    {
        OK(account_create(tx, &robot, T0, &robot_id, err));
    }
    remove_namespace(w);
    READ(w)
    {
        FAILS(ERR_NAMESPACE_UNKNOWN, namespace_get(tx, &name, &again, err));
        FAILS(ERR_NAMESPACE_UNKNOWN, namespace_get_by_id(tx, w->ns.id, &again, err));
        FAILS(ERR_NAME_UNKNOWN, repository_get(tx, &repo, &r, err));
        OK(namespace_list(tx, w->alice.account_id, true, SLICE_LIT(""), 10, &all, err));
        OK(namespace_list(tx, w->alice.account_id, false, SLICE_LIT(""), 10, &mine, err));
    }
    assert_int_equal(all.count + mine.count, 0);
    WRITE(w)
    {
        FAILS(ERR_BUSY, namespace_create(tx, &name, VISIBILITY_PUBLIC, 0, T0, &again, err));
        FAILS(ERR_NAMESPACE_UNKNOWN, repository_ensure(tx, &repo, T0, &r, NULL, err));
    }
    run_steps(w, 2); /* its repositories are not marked yet: it waits */
    WRITE(w)
    {
        FAILS(ERR_BUSY, namespace_create(tx, &name, VISIBILITY_PUBLIC, 0, T0, &again, err));
    }
    mark_repositories(w);
    world_reopen(w);
    run_steps(w, 2);
    is_well(w);
    WRITE(w)
    {
        OK(namespace_create(tx, &name, VISIBILITY_PUBLIC, 0, T0, &again, err));
        OK(membership_get(tx, again.id, w->alice.account_id, &m, err));
        struct account account;
        FAILS(ERR_ACCOUNT_UNKNOWN, account_get(tx, robot_id, &account, err));
    }
    assert_true(again.incarnation > w->ns.incarnation);
    assert_int_equal(again.used_bytes, 0);
    assert_int_equal(m.role, MEMBER_NONE);
}

static void a_namespace_with_trust_history_keeps_its_name_and_its_pins(void **state)
{
    struct world *w = *state;
    static const uint8_t key[1][32] = {{7}};
    struct namespace_name name = ns_of("ns");
    struct namespace again;
    struct repo_name repo = repo_of("ns/app");
    struct repository r;
    auto_pin_list struct pin_list pins = {0}, roots = {0};
    WRITE(w)
    {
        OK(trust_pin_set(tx, w->repo.id, key, 1, &w->alice, T0, err));
        OK(namespace_root_add(tx, w->ns.id, key[0], &w->alice, T0, err));
    }
    remove_namespace(w);
    mark_repositories(w);
    run_steps(w, 100);
    WRITE(w)
    {
        FAILS(ERR_NAMESPACE_UNKNOWN, namespace_get(tx, &name, &again, err));
        OK(namespace_create(tx, &name, VISIBILITY_PRIVATE, w->alice.account_id, T0, &again, err));
        OK(repository_ensure(tx, &repo, T0, &r, NULL, err));
        OK(trust_pin_get(tx, r.id, &pins, err));
        OK(namespace_root_list(tx, again.id, &roots, err));
    }
    assert_int_equal(again.id, w->ns.id);
    assert_true(again.incarnation > w->ns.incarnation);
    assert_int_equal(pins.count, 1);
    assert_int_equal(roots.count, 1);
}

/* --- rows that hold nothing ------------------------------------------------------------------- */

static bool is_there(struct world *w, const char *text)
{
    struct repo_name name = repo_of(text);
    struct repository r;
    struct err err = {0};
    bool there = false;
    READ(w)
    {
        there = repository_get(tx, &name, &r, &err);
    }
    return there;
}

static void collect_idle(struct world *w, int64_t now_us)
{
    int examined = 2;
    while (examined == 2) {
        OK(repository_collect_idle(w->store, now_us, 2, &examined, err));
    }
}

static void a_row_that_holds_nothing_is_collected_after_a_day(void **state)
{
    struct world *w = *state;
    collect_idle(w, T0 + DAY - 1);
    assert_true(is_there(w, "ns/app"));
    collect_idle(w, T0 + DAY);
    assert_false(is_there(w, "ns/app"));
    push_blob(w, "abc"); /* and made again by the next push */
    assert_true(is_there(w, "ns/app"));
}

static void a_row_that_holds_something_stays(void **state)
{
    struct world *w = *state;
    struct repo_name held = repo_of("ns/held"), open = repo_of("ns/open"),
                     keyed = repo_of("ns/key");
    static const uint8_t key[1][32] = {{7}};
    struct repository r;
    struct blob blob;
    struct gc_result gc;
    push_tagged(w, "abc", "v1");
    struct digest layer = digest_of(SLICE_LIT("abc"));
    struct upload *u = start(w, &open);
    upload_close(u);
    WRITE(w)
    {
        OK(repository_ensure(tx, &held, T0, &r, NULL, err));
        OK(blob_mount(tx, r.id, w->repo.id, &layer, 2 * DAY, T0, &blob, err));
        OK(repository_ensure(tx, &keyed, T0, &r, NULL, err));
        OK(trust_pin_set(tx, r.id, key, 1, &w->alice, T0, err));
    }
    collect_idle(w, T0 + DAY);
    assert_true(is_there(w, "ns/app") && is_there(w, "ns/held") && is_there(w, "ns/open") &&
                is_there(w, "ns/key"));
    /* what held two of them goes by itself, then they go */
    OK(gc_run(w->store, T0 + 2 * DAY, 100, &gc, err));
    OK(upload_expire(w->store, T0 + 400 * DAY, 100, NULL, err));
    collect_idle(w, T0 + 3 * DAY);
    assert_true(is_there(w, "ns/app") && is_there(w, "ns/key"));
    assert_false(is_there(w, "ns/held") || is_there(w, "ns/open"));
}

static void an_image_deleted_by_digest_leaves_a_row_that_is_collected(void **state)
{
    struct world *w = *state;
    struct gc_result gc;
    struct digest image = push_image(w, "{}", "abc");
    collect_idle(w, T0 + DAY); /* it holds something: nobody waits for it any more */
    WRITE(w)
    {
        OK(manifest_delete(tx, w->repo.id, &image, &w->alice, DAY, T0 + 2 * DAY, err));
    }
    collect_idle(w, T0 + 3 * DAY);
    assert_true(is_there(w, "ns/app")); /* its blobs are not collected yet */
    OK(gc_run(w->store, T0 + 4 * DAY, 100, &gc, err));
    collect_idle(w, T0 + 5 * DAY);
    assert_false(is_there(w, "ns/app"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(a_deleted_repository_is_found_by_nothing),
        WORLD_TEST(its_rows_go_in_bounded_steps_and_its_space_comes_back),
        WORLD_TEST(what_others_hold_stays),
        WORLD_TEST(an_upload_of_the_former_life_cannot_be_finished_and_is_waited_for),
        WORLD_TEST(trust_history_keeps_the_row_for_the_next_life),
        WORLD_TEST(a_deleted_namespace_is_found_by_nothing_and_can_be_made_again_when_it_is_gone),
        WORLD_TEST(a_namespace_with_trust_history_keeps_its_name_and_its_pins),
        WORLD_TEST(a_row_that_holds_nothing_is_collected_after_a_day),
        WORLD_TEST(a_row_that_holds_something_stays),
        WORLD_TEST(an_image_deleted_by_digest_leaves_a_row_that_is_collected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
