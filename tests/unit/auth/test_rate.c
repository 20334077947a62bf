/* Turns of an account: a minute's worth at once, then as they come back. */
#include "auth/rate.h"
#include "base/clock.h"
#include "tests/unit/base/check.h"

static int take_many(struct rate *rate, int64_t account, int64_t at_us, int times)
{
    int taken = 0;
    for (int i = 0; i < times; i++) {
        taken += rate_take(rate, account, at_us) == 0 ? 1 : 0;
    }
    return taken;
}

static void a_minutes_worth_then_one_at_a_time(void **unused)
{
    (void)unused;
    struct rate *rate = rate_new(60, 64);
    int64_t now = 5 * US_PER_SECOND;
    assert_int_equal(take_many(rate, 7, now, 1000), 60);
    assert_int_equal(rate_take(rate, 7, now), 1);
    assert_int_equal(rate_take(rate, 7, now + US_PER_SECOND / 2), 1);
    assert_int_equal(rate_take(rate, 7, now + US_PER_SECOND), 0); /* one came back */
    assert_int_equal(rate_take(rate, 7, now + US_PER_SECOND), 1);
    assert_int_equal(take_many(rate, 7, now + 11 * US_PER_SECOND, 1000), 10);
    assert_int_equal(take_many(rate, 7, now + 3600 * US_PER_SECOND, 1000), 60); /* and no more */
    rate_free(rate);
}

static void the_wait_is_told_in_whole_seconds_and_is_enough(void **unused)
{
    (void)unused;
    struct rate *rate = rate_new(6, 64);
    assert_int_equal(take_many(rate, 7, 0, 10), 6);
    assert_int_equal(rate_take(rate, 7, 0), 10);
    assert_int_equal(rate_take(rate, 7, US_PER_SECOND / 2), 10);
    assert_int_equal(rate_take(rate, 7, 9 * US_PER_SECOND), 1);
    assert_int_equal(rate_take(rate, 7, 10 * US_PER_SECOND), 0);
    rate_free(rate);
}

static void accounts_do_not_take_from_each_other(void **unused)
{
    (void)unused;
    struct rate *rate = rate_new(10, 64);
    assert_int_equal(take_many(rate, 1, 0, 50), 10);
    assert_int_equal(take_many(rate, 2, 0, 50), 10);
    assert_int_equal(rate_take(rate, 1, 0), 6);
    rate_free(rate);
}

/* More accounts than are remembered: those that used little go first, the busy one stays. */
static void many_accounts_do_not_free_a_busy_one(void **unused)
{
    (void)unused;
    struct rate *rate = rate_new(10, 8);
    assert_int_equal(take_many(rate, 1, 0, 50), 10);
    for (int64_t account = 2; account < 500; account++) {
        assert_int_equal(rate_take(rate, account, 0), 0);
    }
    assert_int_not_equal(rate_take(rate, 1, 0), 0);
    rate_free(rate);
}

static void without_a_limit_there_is_always_a_turn(void **unused)
{
    (void)unused;
    struct rate *rate = rate_new(0, 8);
    assert_int_equal(take_many(rate, 1, 0, 100000), 100000);
    rate_free(rate);
    rate_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_minutes_worth_then_one_at_a_time),
        cmocka_unit_test(the_wait_is_told_in_whole_seconds_and_is_enough),
        cmocka_unit_test(accounts_do_not_take_from_each_other),
        cmocka_unit_test(many_accounts_do_not_free_a_busy_one),
        cmocka_unit_test(without_a_limit_there_is_always_a_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
