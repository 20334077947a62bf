/* Sizes as people write them. */
#include "base/size.h"
#include "tests/unit/base/check.h"

#define MiB (INT64_C(1) << 20)

static void what_people_write_is_read(void **state)
{
    static const struct {
        const char *text;
        int64_t bytes;
    } cases[] = {
        {"0B", 0},
        {"1B", 1},
        {"4KiB", 4096},
        {"64MiB", 64 * MiB},
        {"10GiB", 10240 * MiB},
        {"2TiB", 2048 * 1024 * MiB},
        {"10 GiB", 10240 * MiB},
        {"9223372036854775807B", INT64_MAX},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        int64_t bytes = -1;
        assert_true(size_parse(slice_str(cases[i].text), &bytes));
        assert_int_equal(bytes, cases[i].bytes);
    }
}

static void anything_else_is_refused(void **state)
{
    static const char *const texts[] = {
        "",     "10",   "GiB", "-1B",   "+1B", "1.5GiB",     "1gib",
        "10GB", "1 0B", "1BB", "0x10B", " 1B", "8388608TiB", "9223372036854775808B"};
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        int64_t bytes = -1;
        if (size_parse(slice_str(texts[i]), &bytes)) {
            fail_msg("\"%s\" was taken as %lld", texts[i], (long long)bytes);
        }
    }
}

static void sizes_are_shown_in_their_unit_and_never_too_large(void **state)
{
    static const struct {
        int64_t bytes;
        const char *text;
    } cases[] = {
        {0, "0B"},
        {1023, "1023B"},
        {1024, "1KiB"},
        {1025, "1.0KiB"},
        {1536, "1.5KiB"},
        {2047, "1.9KiB"},
        {10240 * MiB, "10GiB"},
        {10240 * MiB - 1, "9.9GiB"},
        {1024 * 1024 * MiB, "1TiB"},
        {INT64_MAX, "8388607.9TiB"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[SIZE_STR_MAX];
        assert_string_equal(size_format(cases[i].bytes, text), cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_people_write_is_read),
        cmocka_unit_test(anything_else_is_refused),
        cmocka_unit_test(sizes_are_shown_in_their_unit_and_never_too_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
