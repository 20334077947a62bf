/* Durations: what is read, and that what is written reads back. */
#include "base/clock.h"
#include "base/duration.h"
#include "tests/unit/base/check.h"

static void durations(void **state)
{
    static const struct {
        const char *text;
        int64_t us;
    } good[] = {{"0", 0},
                {"forever", DURATION_FOREVER},
                {"30d", 30 * US_PER_DAY},
                {"24h", US_PER_DAY},
                {"90m", 5400 * US_PER_SECOND},
                {"1s", US_PER_SECOND}};
    static const char *const bad[] = {
        "", "d", "1", "1w", "-1d", "1.5d", " 1d", "1d ", "+1d", "9223372036854775807d", "0x1d"};
    int64_t us = 0;
    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        CHECK_CASE(duration_read(slice_str(good[i].text), &us) && us == good[i].us,
                   good[i].text);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        CHECK_CASE(!duration_read(slice_str(bad[i]), &us), bad[i]);
    }
}

static void what_is_written_reads_back(void **state)
{
    static const struct {
        int64_t us;
        const char *text;
    } cases[] = {{0, "0"},
                 {DURATION_FOREVER, "forever"},
                 {30 * US_PER_DAY, "30d"},
                 {US_PER_DAY, "24h"},
                 {5400 * US_PER_SECOND, "90m"},
                 {61 * US_PER_SECOND, "61s"}};
    char text[DURATION_STR_MAX];
    int64_t us = -1;
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_string_equal(duration_format(cases[i].us, text), cases[i].text);
        CHECK_CASE(duration_read(slice_str(text), &us) && us == cases[i].us, text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(durations),
                                       cmocka_unit_test(what_is_written_reads_back)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
