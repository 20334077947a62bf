#include "base/slice.h"
#include "tests/unit/base/check.h"

static void equality_and_order(void **state)
{
    (void)state;
    struct slice empty = {NULL, 0};
    assert_true(slice_equal(empty, SLICE_LIT("")));
    assert_true(slice_is(SLICE_LIT("abc"), "abc"));
    assert_false(slice_is(SLICE_LIT("abc"), "abd"));
    assert_false(slice_is(SLICE_LIT("ab"), "abc"));
    assert_false(slice_is(SLICE_LIT("ab\0c"), "ab"));
    assert_true(slice_is_nocase(SLICE_LIT("BeaRer"), "bearer"));
    assert_false(slice_is_nocase(SLICE_LIT("bearer\xC3"), "bearer\xE3"));
    assert_false(slice_is_nocase(SLICE_LIT("@"), "`"));
    assert_true(slice_compare(SLICE_LIT("a"), SLICE_LIT("b")) < 0);
    assert_true(slice_compare(SLICE_LIT("ab"), SLICE_LIT("a")) > 0);
    assert_true(slice_compare(SLICE_LIT("\xFF"), SLICE_LIT("a")) > 0);
    assert_int_equal(slice_compare(empty, SLICE_LIT("")), 0);
}

static void prefixes_and_cuts(void **state)
{
    (void)state;
    struct slice s = SLICE_LIT("sha256:ab");
    assert_true(slice_starts(s, "sha256:"));
    assert_true(slice_starts(s, ""));
    assert_false(slice_starts(SLICE_LIT("sha"), "sha256"));
    assert_true(slice_ends(s, ":ab"));
    assert_false(slice_ends(SLICE_LIT("b"), ":ab"));
    assert_true(slice_is(slice_from(s, 7), "ab"));
    assert_int_equal(slice_from(s, 100).n, 0);
    assert_int_equal(slice_from((struct slice){NULL, 0}, 3).n, 0);
    assert_true(slice_is(slice_first(s, 3), "sha"));
    assert_true(slice_is(slice_first(s, 100), "sha256:ab"));
    assert_int_equal(slice_index(SLICE_LIT("a/b/c"), '/'), 1);
    assert_int_equal(slice_rindex(SLICE_LIT("a/b/c"), '/'), 3);
    assert_int_equal(slice_index(SLICE_LIT("abc"), '/'), -1);
    assert_int_equal(slice_rindex((struct slice){NULL, 0}, '/'), -1);
    assert_true(slice_is(slice_trim(SLICE_LIT(" \t x y\t ")), "x y"));
    assert_true(slice_is(slice_trim(SLICE_LIT("\nx")), "\nx"));
    assert_int_equal(slice_trim(SLICE_LIT(" \t ")).n, 0);
}

static void next_gives_every_field(void **state)
{
    static const struct {
        const char *text;
        const char *fields[4];
        size_t count;
    } cases[] = {
        {"a,,b", {"a", "", "b"}, 3}, {"a", {"a"}, 1},      {"", {""}, 1},
        {",", {"", ""}, 2},          {"a,", {"a", ""}, 2}, {",a", {"", "a"}, 2},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct slice rest = slice_str(cases[i].text);
        struct slice field;
        size_t n = 0;
        while (slice_next(&rest, ',', &field)) {
            CHECK_CASE(n < cases[i].count, cases[i].text);
            CHECK_CASE(slice_is(field, cases[i].fields[n]), cases[i].text);
            n++;
        }
        CHECK_CASE(n == cases[i].count, cases[i].text);
        CHECK_CASE(!slice_next(&rest, ',', &field), cases[i].text);
    }
}

static void decimal_numbers(void **state)
{
    static const struct {
        const char *text;
        bool good;
        int64_t value;
    } cases[] = {
        {"0", true, 0},
        {"007", true, 7},
        {"9223372036854775807", true, INT64_MAX},
        {"9223372036854775808", false, 0},
        {"9999999999999999999", false, 0},
        {"00000000000000000001", false, 0}, /* 20 digits */
        {"", false, 0},
        {"-1", false, 0},
        {"+1", false, 0},
        {" 1", false, 0},
        {"1 ", false, 0},
        {"0x1", false, 0},
        {"1.0", false, 0},
        {"\xD9\xA1", false, 0}, /* ARABIC-INDIC DIGIT ONE */
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        int64_t value = 0;
        CHECK_CASE(slice_to_int64(slice_str(cases[i].text), &value) == cases[i].good,
                   cases[i].text);
        CHECK_CASE(!cases[i].good || value == cases[i].value, cases[i].text);
    }
    int64_t value = 0;
    assert_false(slice_to_int64(SLICE_LIT("1\0"), &value));
}

static void a_cut_leaves_whole_characters(void **state)
{
    static const struct {
        const char *text;
        size_t max;
        const char *cut;
    } cases[] = {
        {"plain", 9, "plain"}, {"plain", 5, "plain"}, {"plain", 4, "plai"},
        {"", 3, ""},           {"abc", 0, ""},        {"a\xc3\xa9", 3, "a\xc3\xa9"},
        {"a\xc3\xa9", 2, "a"}, {"\xc3\xa9", 1, ""},   {"\xf0\x9f\x98\x80x", 4, "\xf0\x9f\x98\x80"},
        {"\xf0\x9f\x98\x80x", 3, ""}};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        CHECK_CASE(slice_is(slice_cut(slice_str(cases[i].text), cases[i].max), cases[i].cut),
                   cases[i].text);
    }
}

static void utf8(void **state)
{
    static const struct {
        const char *name;
        struct slice text;
        bool good;
    } cases[] = {
        {"empty", {NULL, 0}, true},
        {"ascii", {"a~\x7F", 3}, true},
        {"NUL is a character", {"a\0b", 3}, true},
        {"U+0080", {"\xC2\x80", 2}, true},
        {"U+07FF", {"\xDF\xBF", 2}, true},
        {"U+0800", {"\xE0\xA0\x80", 3}, true},
        {"U+D7FF", {"\xED\x9F\xBF", 3}, true},
        {"U+E000", {"\xEE\x80\x80", 3}, true},
        {"U+10000", {"\xF0\x90\x80\x80", 4}, true},
        {"U+10FFFF", {"\xF4\x8F\xBF\xBF", 4}, true},
        {"overlong slash in two", {"\xC0\xAF", 2}, false},
        {"overlong C1", {"\xC1\xBF", 2}, false},
        {"overlong in three", {"\xE0\x9F\xBF", 3}, false},
        {"overlong in four", {"\xF0\x8F\xBF\xBF", 4}, false},
        {"surrogate D800", {"\xED\xA0\x80", 3}, false},
        {"surrogate DFFF", {"\xED\xBF\xBF", 3}, false},
        {"above U+10FFFF", {"\xF4\x90\x80\x80", 4}, false},
        {"F5", {"\xF5\x80\x80\x80", 4}, false},
        {"FF", {"\xFF", 1}, false},
        {"lone continuation", {"\x80", 1}, false},
        {"cut in two", {"\xC2", 1}, false},
        {"cut in three", {"\xE2\x82", 2}, false},
        {"cut in four", {"a\xF0\x90\x80", 4}, false},
        {"bad third byte", {"\xE2\x82\x28", 3}, false},
        {"bad fourth byte", {"\xF0\x90\x80\xC0", 4}, false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        CHECK_CASE(slice_is_utf8(cases[i].text) == cases[i].good, cases[i].name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equality_and_order),
        cmocka_unit_test(prefixes_and_cuts),
        cmocka_unit_test(next_gives_every_field),
        cmocka_unit_test(decimal_numbers),
        cmocka_unit_test(utf8),
        cmocka_unit_test(a_cut_leaves_whole_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
