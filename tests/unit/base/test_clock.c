#include "base/clock.h"
#include "tests/unit/base/check.h"

#include <time.h>

static const struct {
    const char *text;
    const char *same; /* the instant in our own form; NULL: refused */
} cases[] = {
    {"1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"},
    {"2026-11-24T00:12:03Z", "2026-11-24T00:12:03Z"},
    {"2026-11-24T00:12:03.5Z", "2026-11-24T00:12:03.5Z"},
    {"2026-11-24T00:12:03.500000Z", "2026-11-24T00:12:03.5Z"},
    {"2026-11-24T00:12:03.000001Z", "2026-11-24T00:12:03.000001Z"},
    {"2026-11-24T00:12:03.123456789Z", "2026-11-24T00:12:03.123456Z"},
    {"2026-11-24T00:12:03.9999999Z", "2026-11-24T00:12:03.999999Z"},
    {"2026-11-24T00:12:03.00000000000000000000001Z", "2026-11-24T00:12:03Z"},
    {"2026-11-24T01:12:03+01:00", "2026-11-24T00:12:03Z"},
    {"2026-11-23T18:42:03-05:30", "2026-11-24T00:12:03Z"},
    {"2026-11-24T00:12:03+00:00", "2026-11-24T00:12:03Z"},
    {"2026-11-24T00:12:03-00:00", "2026-11-24T00:12:03Z"},
    {"2026-11-24T23:59:59.25+23:59", "2026-11-24T00:00:59.25Z"},
    {"2024-02-29T12:00:00Z", "2024-02-29T12:00:00Z"},
    {"2000-02-29T12:00:00Z", "2000-02-29T12:00:00Z"},
    {"1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999Z"},
    {"0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"},
    {"9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"},
    {"2023-02-29T12:00:00Z", NULL},
    {"1900-02-29T12:00:00Z", NULL},
    {"2100-02-29T12:00:00Z", NULL},
    {"2026-02-30T12:00:00Z", NULL},
    {"2026-04-31T12:00:00Z", NULL},
    {"2026-00-01T12:00:00Z", NULL},
    {"2026-13-01T12:00:00Z", NULL},
    {"2026-01-00T12:00:00Z", NULL},
    {"2026-01-32T12:00:00Z", NULL},
    {"0000-01-01T00:00:00Z", NULL},
    {"10000-01-01T00:00:00Z", NULL},
    {"2026-11-24T24:00:00Z", NULL},
    {"2026-11-24T00:60:00Z", NULL},
    {"2016-12-31T23:59:60Z", NULL}, /* a leap second that was real */
    {"2026-11-24t00:12:03Z", NULL},
    {"2026-11-24T00:12:03z", NULL},
    {"2026-11-24 00:12:03Z", NULL},
    {"2026-11-24T00:12:03", NULL},
    {"2026-11-24T00:12Z", NULL},
    {"2026-11-24", NULL},
    {"2026-11-24T00:12:03.Z", NULL},
    {"2026-11-24T00:12:03,5Z", NULL},
    {"2026-11-24T00:12:03+0100", NULL},
    {"2026-11-24T00:12:03+01", NULL},
    {"2026-11-24T00:12:03+1:00", NULL},
    {"2026-11-24T00:12:03+24:00", NULL},
    {"2026-11-24T00:12:03+01:60", NULL},
    {"2026-11-24T00:12:03+01:00Z", NULL},
    {"2026-11-24T00:12:03Z ", NULL},
    {" 2026-11-24T00:12:03Z", NULL},
    {"2026-11-24T00:12:03ZZ", NULL},
    {"2026-1-24T00:12:03Z", NULL},
    {"+026-11-24T00:12:03Z", NULL},
    {"-026-11-24T00:12:03Z", NULL},
    {"2026-11-24T0 :12:03Z", NULL},
    {"2026-11-24T+1:12:03Z", NULL},
    {"2026/11/24T00:12:03Z", NULL},
    {"", NULL},
    {"Z", NULL},
};

static void parse_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        int64_t us = 0;
        char text[TIME_STR_MAX];
        bool good = time_parse(slice_str(cases[i].text), &us);
        CHECK_CASE(good == (cases[i].same != NULL), cases[i].text);
        CHECK_CASE(!good || strcmp(time_format(us, text), cases[i].same) == 0, cases[i].text);
    }
    int64_t us = 0;
    assert_false(time_parse(SLICE_LIT("2026-11-24T00:12:03Z\0"), &us));
    assert_false(time_parse((struct slice){NULL, 0}, &us));
}

static void known_instants(void **state)
{
    int64_t us = 0;
    char text[TIME_STR_MAX];
    (void)state;
    assert_true(time_parse(SLICE_LIT("2001-09-09T01:46:40Z"), &us));
    assert_int_equal(us, INT64_C(1000000000) * US_PER_SECOND);
    assert_true(time_parse(SLICE_LIT("2038-01-19T03:14:08.000001Z"), &us));
    assert_int_equal(us, INT64_C(2147483648) * US_PER_SECOND + 1);
    /* RFC 9110 section 5.6.7 */
    assert_true(time_parse(SLICE_LIT("1994-11-06T08:49:37Z"), &us));
    assert_string_equal(time_format_http(us, text), "Sun, 06 Nov 1994 08:49:37 GMT");
    assert_true(time_parse(SLICE_LIT("2026-11-23T23:53:37.9Z"), &us));
    assert_string_equal(time_format_http(us, text), "Mon, 23 Nov 2026 23:53:37 GMT");
    assert_string_equal(time_format_http(0, text), "Thu, 01 Jan 1970 00:00:00 GMT");
    assert_string_equal(time_format_http(-1, text), "Wed, 31 Dec 1969 23:59:59 GMT");
}

/* Every day of four centuries against the C library. */
static void agrees_with_the_c_library(void **state)
{
    (void)state;
    for (time_t day = -200 * 366; day < 400 * 366; day++) {
        time_t at = day * 86400 + (day * 7919) % 86400;
        struct tm tm;
        char want[64];
        char got[TIME_STR_MAX];
        int64_t us = 0;
        assert_non_null(gmtime_r(&at, &tm));
        assert_true(strftime(want, sizeof(want), "%Y-%m-%dT%H:%M:%SZ", &tm) > 0);
        assert_string_equal(time_format((int64_t)at * US_PER_SECOND, got), want);
        assert_true(time_parse(slice_str(want), &us));
        assert_true(us == (int64_t)at * US_PER_SECOND);
        assert_true(strftime(want, sizeof(want), "%a, %d %b %Y %H:%M:%S GMT", &tm) > 0);
        assert_string_equal(time_format_http(us, got), want);
    }
}

static void formats_fit_whatever_the_value(void **state)
{
    static const int64_t values[] = {INT64_MIN, INT64_MIN + 1, -1, 0, INT64_MAX - 1, INT64_MAX};
    char text[TIME_STR_MAX];
    (void)state;
    for (size_t i = 0; i < COUNT(values); i++) {
        assert_true(strlen(time_format(values[i], text)) < TIME_STR_MAX);
        assert_true(strlen(time_format_http(values[i], text)) < TIME_STR_MAX);
    }
}

static void clocks_run(void **state)
{
    (void)state;
    int64_t mono = clock_mono_us();
    assert_true(clock_now_us() > INT64_C(1600000000) * US_PER_SECOND);
    assert_true(clock_mono_us() >= mono);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse_table),
        cmocka_unit_test(known_instants),
        cmocka_unit_test(agrees_with_the_c_library),
        cmocka_unit_test(formats_fit_whatever_the_value),
        cmocka_unit_test(clocks_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
