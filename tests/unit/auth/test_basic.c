#include "auth/basic.h"
#include "base/hex.h"
#include "tests/unit/base/check.h"

static void halves(void **state)
{
    (void)state;
    static const struct {
        const char *plain, *user, *secret;
        bool good;
    } cases[] = {
        {"alice@example.org:secret", "alice@example.org", "secret", true},
        {":bst_ses_x", "", "bst_ses_x", true}, /* BuildKit */
        {"a:b:c", "a", "b:c", true},
        {"a:", "a", "", true},
        {":", "", "", true},
        {"a:\xC3\xA4", "a", "\xC3\xA4", true},
        {"nocolon", "", "", false},
        {"a:b\n", "", "", false},
        {"a:b\x7F", "", "", false},
        {"", "", "", false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        auto_buf struct buf header = {0};
        auto_basic struct basic basic = {0};
        struct err err = {0};
        buf_str(&header, "Basic ");
        base64_encode(&header, slice_str(cases[i].plain));
        CHECK_CASE(basic_parse(buf_slice_of(&header), &basic, &err) == cases[i].good,
                   cases[i].plain);
        CHECK_CASE(cases[i].good || err.code == ERR_UNAUTHORIZED, cases[i].plain);
        CHECK_CASE(!cases[i].good || slice_is(basic.user, cases[i].user), cases[i].plain);
        CHECK_CASE(!cases[i].good || slice_is(basic.secret, cases[i].secret), cases[i].plain);
    }
}

static void malformed(void **state)
{
    (void)state;
    static const char *const headers[] = {
        "",          "Basic",    "Basic ",    "Basic !!!!",      "Basic YTpi=",
        "BasicYTpi", "Bearer x", "Basic YTp", "Basic YTpi YTpi", "Negotiate YTpi"};
    for (size_t i = 0; i < COUNT(headers); i++) {
        auto_basic struct basic basic = {0};
        struct err err = {0};
        CHECK_CASE(!basic_parse(slice_str(headers[i]), &basic, &err), headers[i]);
        CHECK_CASE(err.code == ERR_UNAUTHORIZED, headers[i]);
    }
}

static void schemes(void **state)
{
    (void)state;
    struct slice value;
    assert_true(basic_scheme_is(SLICE_LIT("bearer  x "), "Bearer", &value));
    assert_true(slice_is(value, "x"));
    assert_false(basic_scheme_is(SLICE_LIT("Bearer"), "Bearer", &value));
    assert_false(basic_scheme_is(SLICE_LIT("Bearerx y"), "Bearer", &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(halves), cmocka_unit_test(malformed),
                                       cmocka_unit_test(schemes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
