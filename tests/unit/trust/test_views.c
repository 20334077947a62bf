/* Which views are kept: by room, by number, the newest in any case. */
#include "tests/unit/base/check.h"
#include "trust/view_internal.h"

static struct gate_view *view_of(int64_t repository_id, size_t bytes)
{
    struct gate_view *v = xcalloc(1, sizeof *v);
    v->references = 1;
    v->repository_id = repository_id;
    v->generation = 1;
    v->bytes = bytes;
    v->valid_until_us = INT64_MAX;
    return v;
}

static void keep(struct gate_views *views, int64_t repository_id, size_t bytes)
{
    struct gate_view *v = view_of(repository_id, bytes);
    gate_views_keep(views, v);
    gate_view_unref(v);
}

static bool is_kept(struct gate_views *views, int64_t repository_id)
{
    struct gate_view *v = gate_views_find(views, repository_id, 1, 1);
    gate_view_unref(v);
    return v != NULL;
}

static void the_least_used_give_way(void **state)
{
    (void)state;
    struct gate_views *views = gate_views_new(100, 3);
    keep(views, 1, 40);
    keep(views, 2, 40);
    assert_true(is_kept(views, 1)); /* used: 2 is the oldest now */
    keep(views, 3, 40);
    assert_true(is_kept(views, 1) && !is_kept(views, 2) && is_kept(views, 3));
    keep(views, 4, 1);
    keep(views, 5, 1); /* the fourth */
    assert_true(!is_kept(views, 1) && is_kept(views, 3) && is_kept(views, 4) && is_kept(views, 5));
    gate_views_free(views);
}

/* It is what costs most to make: not each of its requests may pay for that. */
static void one_that_is_larger_than_the_room_is_kept_alone(void **state)
{
    (void)state;
    struct gate_views *views = gate_views_new(100, 3);
    keep(views, 1, 40);
    keep(views, 2, 1000);
    assert_true(is_kept(views, 2) && !is_kept(views, 1));
    keep(views, 3, 10);
    assert_true(is_kept(views, 3) && !is_kept(views, 2));
    gate_views_free(views);
}

static void a_view_of_another_generation_or_time_is_not_found(void **state)
{
    (void)state;
    struct gate_views *views = gate_views_new(100, 3);
    struct gate_view *v = view_of(1, 10);
    v->valid_from_us = 5;
    v->valid_until_us = 9;
    gate_views_keep(views, v);
    gate_view_unref(v);
    assert_null(gate_views_find(views, 1, 2, 6));
    assert_null(gate_views_find(views, 1, 1, 4));
    assert_null(gate_views_find(views, 1, 1, 9));
    v = gate_views_find(views, 1, 1, 8);
    assert_non_null(v);
    gate_view_unref(v);
    gate_views_free(views);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_least_used_give_way),
        cmocka_unit_test(one_that_is_larger_than_the_room_is_kept_alone),
        cmocka_unit_test(a_view_of_another_generation_or_time_is_not_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
