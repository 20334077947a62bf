/* The rate is kept over any run of grants, and idle time is not saved up. */
#include "server/pace.h"
#include "tests/unit/base/check.h"

#define S INT64_C(1000000)

static void no_rate_is_no_wait(void **state)
{
    (void)state;
    struct pace p = {0};
    assert_int_equal(pace_wait_us(&p, INT64_MAX, 5), 0);
    assert_int_equal(pace_wait_us(&p, INT64_MAX, 5), 0);
}

static void what_was_granted_is_waited_for_by_the_next(void **state)
{
    (void)state;
    struct pace p = {.rate = 1000};
    assert_int_equal(pace_wait_us(&p, 500, 10 * S), 0);
    assert_int_equal(pace_wait_us(&p, 1000, 10 * S), S / 2);
    assert_int_equal(pace_wait_us(&p, 1, 10 * S), S / 2 + S);
    assert_int_equal(pace_wait_us(&p, 0, 11 * S + S / 2), 1000);
}

static void idle_time_is_not_saved_up(void **state)
{
    (void)state;
    struct pace p = {.rate = 1000};
    assert_int_equal(pace_wait_us(&p, 1000, S), 0);
    assert_int_equal(pace_wait_us(&p, 1000, 100 * S), 0);
    assert_int_equal(pace_wait_us(&p, 1000, 100 * S), S);
}

static void many_units_do_not_overflow(void **state)
{
    (void)state;
    struct pace p = {.rate = INT64_C(16) << 20};
    assert_int_equal(pace_wait_us(&p, INT64_C(1) << 50, S), 0); /* a pebibyte: two years */
    assert_int_equal(pace_wait_us(&p, 1, S), (INT64_C(1) << 26) * S);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_rate_is_no_wait),
        cmocka_unit_test(what_was_granted_is_waited_for_by_the_next),
        cmocka_unit_test(idle_time_is_not_saved_up),
        cmocka_unit_test(many_units_do_not_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
