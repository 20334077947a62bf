#include "auth/recent.h"
#include "auth/throttle.h"
#include "base/clock.h"
#include "tests/unit/base/check.h"

#include <sodium.h>

#define ALICE "alice@example.org"
#define HERE "192.0.2.10"
#define NEIGHBOUR "192.0.2.99" /* the same /24 */
#define ELSEWHERE "198.51.100.7"
#define START (INT64_C(1000) * US_PER_SECOND)
#define AFTER(seconds) (START + (int64_t)(seconds)*US_PER_SECOND)

/* A different wrong secret each time. */
static void fail_once(struct throttle *t, const char *address, const char *account, unsigned number,
                      int64_t now)
{
    uint8_t mac[16] = {0};
    memcpy(mac, &number, sizeof(number));
    throttle_failed(t, address, account, mac, now);
}

static void prefixes(void **state)
{
    (void)state;
    static const struct {
        const char *address, *prefix;
    } cases[] = {
        {"192.0.2.10", "192.0.2.0/24"},
        {"::ffff:192.0.2.10", "192.0.2.0/24"},
        {"2001:db8:1:2ff:3::4", "2001:db8:1:200::/56"},
        {"2001:db8:1:200::1", "2001:db8:1:200::/56"},
        {"2001:db8:1:300::1", "2001:db8:1:300::/56"},
        {"::1", "0:0:0:0::/56"},
        {"unix", "unix"},
        {"", ""},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char out[THROTTLE_PREFIX_MAX];
        CHECK_CASE(strcmp(throttle_prefix(cases[i].address, out), cases[i].prefix) == 0,
                   cases[i].address);
    }
    char out[THROTTLE_PREFIX_MAX];
    assert_string_equal(throttle_prefix(NULL, out), "");
}

/* 0, 0, 0, 1, 2, 4 … 60 s */
static void growing_delays(void **state)
{
    (void)state;
    static const int delays[] = {0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60};
    struct throttle *t = throttle_new(0);
    int64_t now = START;
    for (unsigned i = 0; i < COUNT(delays); i++) {
        fail_once(t, HERE, ALICE, i, now);
        assert_int_equal(throttle_wait_s(t, HERE, ALICE, now), delays[i]);
        now += INT64_C(61) * US_PER_SECOND;
        assert_int_equal(throttle_wait_s(t, HERE, ALICE, now), 0);
    }
    throttle_free(t);
}

static void a_success_forgives(void **state)
{
    (void)state;
    struct throttle *t = throttle_new(0);
    for (unsigned i = 0; i < 6; i++) {
        fail_once(t, HERE, ALICE, i, START);
    }
    assert_int_equal(throttle_wait_s(t, HERE, ALICE, START), 4);
    assert_int_equal(throttle_wait_s(t, HERE, ALICE, AFTER(3)), 1);
    assert_int_equal(throttle_wait_s(t, HERE, ALICE, AFTER(4)), 0);
    throttle_succeeded(t, HERE, ALICE, AFTER(4));
    fail_once(t, HERE, ALICE, 100, AFTER(5));
    assert_int_equal(throttle_wait_s(t, HERE, ALICE, AFTER(5)), 0);
    throttle_free(t);
}

/* A client that sends its stored, wrong secret for ever (kubelet), or twice (containerd), fails
 * once a minute. */
static void the_same_secret_counts_once(void **state)
{
    (void)state;
    struct throttle *t = throttle_new(0);
    for (int second = 0; second < 59; second++) {
        fail_once(t, HERE, ALICE, 1, AFTER(second));
    }
    assert_int_equal(throttle_wait_s(t, HERE, ALICE, AFTER(59)), 0);
    fail_once(t, HERE, ALICE, 2, AFTER(59));
    fail_once(t, HERE, ALICE, 3, AFTER(59));
    fail_once(t, HERE, ALICE, 4, AFTER(59));
    assert_int_equal(throttle_wait_s(t, HERE, ALICE, AFTER(59)), 1); /* the fourth */
    throttle_free(t);
}

/* Strangers elsewhere do not keep her out: only they wait. */
static void nobody_is_locked_out(void **state)
{
    (void)state;
    struct throttle *t = throttle_new(0);
    for (unsigned i = 0; i < 15; i++) {
        fail_once(t, ELSEWHERE, ALICE, i, START);
    }
    assert_int_equal(throttle_wait_s(t, ELSEWHERE, ALICE, START), 60);
    assert_int_equal(throttle_wait_s(t, HERE, ALICE, START), 0);
    assert_int_equal(throttle_wait_s(t, HERE, "bob@example.org", START), 0);
    throttle_free(t);
}

/* 20 failures of a prefix over any accounts; one comes back every 2 s. */
static void bucket_of_a_prefix(void **state)
{
    (void)state;
    struct throttle *t = throttle_new(0);
    for (unsigned i = 0; i < 20; i++) {
        char account[32];
        (void)snprintf(account, sizeof(account), "user%u@example.org", i);
        assert_int_equal(throttle_wait_s(t, HERE, account, START), 0);
        fail_once(t, HERE, account, i, START);
    }
    assert_int_equal(throttle_wait_s(t, HERE, ALICE, START), 2);
    assert_int_equal(throttle_wait_s(t, NEIGHBOUR, ALICE, START), 2);
    assert_int_equal(throttle_wait_s(t, ELSEWHERE, ALICE, START), 0);
    assert_int_equal(throttle_wait_s(t, HERE, ALICE, AFTER(2)), 0);
    fail_once(t, HERE, ALICE, 1, AFTER(2));
    assert_int_equal(throttle_wait_s(t, HERE, "bob@example.org", AFTER(3)), 1);
    assert_int_equal(throttle_wait_s(t, HERE, "bob@example.org", AFTER(60)), 0);
    throttle_free(t);
}

/* Tries that were let through together fail together: who is told to wait waits long enough. */
static void more_failures_than_the_bucket_holds(void **state)
{
    (void)state;
    struct throttle *t = throttle_new(0);
    for (unsigned i = 0; i < 32; i++) {
        char account[32];
        (void)snprintf(account, sizeof(account), "user%u@example.org", i);
        fail_once(t, HERE, account, i, START);
    }
    assert_int_equal(throttle_wait_s(t, HERE, ALICE, START), 26); /* 13 of them */
    assert_int_equal(throttle_wait_s(t, HERE, ALICE, AFTER(25)), 1);
    assert_int_equal(throttle_wait_s(t, HERE, ALICE, AFTER(26)), 0);
    throttle_free(t);
}

/* Failures that drip in slower than they are forgiven never fill the bucket. */
static void bucket_drips(void **state)
{
    (void)state;
    struct throttle *t = throttle_new(0);
    for (int i = 0; i < 100; i++) {
        char account[32];
        (void)snprintf(account, sizeof(account), "user%d@example.org", i);
        int64_t now = START + (int64_t)i * 2100000;
        assert_int_equal(throttle_wait_s(t, HERE, account, now), 0);
        fail_once(t, HERE, account, (unsigned)i, now);
    }
    throttle_free(t);
}

/* An account attacked from many networks: prefixes that it never signed in from get one try per 30
 * s, the others go on. */
static void account_under_attack(void **state)
{
    (void)state;
    struct throttle *t = throttle_new(0);
    throttle_succeeded(t, HERE, ALICE, START);
    for (unsigned i = 0; i < 20; i++) {
        char address[32];
        (void)snprintf(address, sizeof(address), "203.0.%u.1", i);
        fail_once(t, address, ALICE, i, START);
    }
    assert_int_equal(throttle_wait_s(t, HERE, ALICE, START), 0);
    assert_int_equal(throttle_wait_s(t, ELSEWHERE, ALICE, START), 0); /* its first try */
    fail_once(t, ELSEWHERE, ALICE, 99, START);
    assert_int_equal(throttle_wait_s(t, ELSEWHERE, ALICE, AFTER(1)), 29);
    assert_int_equal(throttle_wait_s(t, "203.0.3.77", ALICE, AFTER(1)), 29);
    fail_once(t, HERE, ALICE, 98, AFTER(1));
    assert_int_equal(throttle_wait_s(t, HERE, ALICE, AFTER(1)), 0); /* known here */
    assert_int_equal(throttle_wait_s(t, ELSEWHERE, ALICE, AFTER(30)), 0);
    assert_int_equal(throttle_wait_s(t, ELSEWHERE, ALICE, AFTER(700)), 0);
    throttle_free(t);
}

/* Many names from many places: memory stays what it is, and a counter in use is not pushed out by
 * chance alone. */
static void bounded(void **state)
{
    (void)state;
    struct throttle *t = throttle_new(64);
    for (unsigned i = 0; i < 5000; i++) {
        char address[32];
        (void)snprintf(address, sizeof(address), "10.%u.%u.1", i / 250, i % 250);
        fail_once(t, address, ALICE, i, AFTER(i));
    }
    throttle_free(t);
    throttle_free(NULL);
}

static void recent_keys(void **state)
{
    (void)state;
    struct recent *r = recent_new(64, 60 * US_PER_SECOND);
    uint8_t key[RECENT_KEY_BYTES] = {1};
    uint8_t other[RECENT_KEY_BYTES] = {1, 2};
    assert_false(recent_has(r, key, START));
    recent_put(r, key, START);
    assert_true(recent_has(r, key, AFTER(59)));
    assert_false(recent_has(r, other, AFTER(59)));
    assert_false(recent_has(r, key, AFTER(60)));
    recent_put(r, other, AFTER(60));
    assert_true(recent_has(r, other, AFTER(61)));
    for (unsigned i = 0; i < 10000; i++) {
        uint8_t many[RECENT_KEY_BYTES];
        memset(many, 7, sizeof(many));
        memcpy(many, &i, sizeof(i));
        recent_put(r, many, AFTER(62));
        assert_true(recent_has(r, many, AFTER(62)));
    }
    recent_free(r);
    recent_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prefixes),
        cmocka_unit_test(growing_delays),
        cmocka_unit_test(a_success_forgives),
        cmocka_unit_test(the_same_secret_counts_once),
        cmocka_unit_test(nobody_is_locked_out),
        cmocka_unit_test(bucket_of_a_prefix),
        cmocka_unit_test(more_failures_than_the_bucket_holds),
        cmocka_unit_test(bucket_drips),
        cmocka_unit_test(account_under_attack),
        cmocka_unit_test(bounded),
        cmocka_unit_test(recent_keys),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
