#include "base/buf.h"
#include "tests/unit/base/check.h"

static void appends_and_stays_terminated(void **state)
{
    auto_buf struct buf b = {0};
    (void)state;
    buf_str(&b, "a");
    buf_char(&b, 'b');
    buf_put(&b, "c\0d", 3);
    buf_slice(&b, SLICE_LIT("e"));
    buf_slice(&b, (struct slice){NULL, 0});
    buf_printf(&b, "%d-%s", 42, "x");
    assert_true(slice_equal(buf_slice_of(&b), SLICE_LIT("abc\0de42-x")));
    assert_int_equal(b.p[b.n], 0);
    assert_false(b.failed);
    for (int i = 0; i < 10000; i++) {
        buf_printf(&b, "%04d", i);
    }
    assert_int_equal(b.n, 10 + 40000);
    buf_clear(&b);
    assert_int_equal(b.n, 0);
    assert_string_equal(b.p, "");
    buf_dispose(&b);
    assert_null(b.p);
    buf_str(&b, "again");
    assert_string_equal(b.p, "again");
}

static void integers(void **state)
{
    static const struct {
        int64_t n;
        const char *text;
    } cases[] = {
        {0, "0"},
        {7, "7"},
        {-1, "-1"},
        {10, "10"},
        {-1000, "-1000"},
        {INT64_MAX, "9223372036854775807"},
        {INT64_MIN, "-9223372036854775808"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        auto_buf struct buf b = {0};
        buf_char(&b, '<');
        buf_int(&b, cases[i].n);
        CHECK_CASE(slice_is(slice_from(buf_slice_of(&b), 1), cases[i].text), cases[i].text);
    }
    auto_buf struct buf small = {.max = 2};
    buf_int(&small, -10);
    assert_true(small.failed);
}

static void the_bound_is_sticky(void **state)
{
    auto_buf struct buf b = {.max = 4};
    (void)state;
    buf_str(&b, "abcd");
    assert_false(b.failed);
    buf_char(&b, 'e');
    assert_true(b.failed);
    assert_string_equal(b.p, "abcd");
    buf_put(&b, "", 0);
    buf_printf(&b, "%s", "");
    assert_true(b.failed);
    buf_clear(&b);
    assert_false(b.failed);
    buf_printf(&b, "%s", "12345");
    assert_true(b.failed);
    assert_int_equal(b.n, 0);

    auto_buf struct buf huge = {0};
    buf_reserve(&huge, SIZE_MAX - 1);
    assert_true(huge.failed);
    assert_null(huge.p);
}

static void json_strings(void **state)
{
    static const struct {
        const char *name;
        struct slice in;
        const char *out;
    } cases[] = {
        {"empty", {NULL, 0}, "\"\""},
        {"quote and backslash", {"a\"\\/", 4}, "\"a\\\"\\\\/\""},
        {"short escapes", {"\b\t\n\f\r", 5}, "\"\\b\\t\\n\\f\\r\""},
        {"controls", {"\0\x01\x1F\x7F", 4}, "\"\\u0000\\u0001\\u001f\\u007f\""},
        {"utf-8 stays", {"\xC3\xA9\xF0\x9F\x94\x92", 6}, "\"\xC3\xA9\xF0\x9F\x94\x92\""},
        {"ill-formed bytes", {"a\xFF\xC3z", 4}, "\"a\xEF\xBF\xBD\xEF\xBF\xBDz\""},
        {"cut at the end", {"\xE2\x82", 2}, "\"\xEF\xBF\xBD\xEF\xBF\xBD\""},
        {"surrogate", {"\xED\xA0\x80", 3}, "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        auto_buf struct buf b = {0};
        buf_json_string(&b, cases[i].in);
        CHECK_CASE(slice_is(buf_slice_of(&b), cases[i].out), cases[i].name);
        CHECK_CASE(slice_is_utf8(buf_slice_of(&b)), cases[i].name);
        auto_json json_t *back = json_loadb(b.p, b.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        CHECK_CASE(json_is_string(back), cases[i].name);
    }
}

static void text_for_a_url(void **state)
{
    auto_buf struct buf b = {0};
    (void)state;
    buf_url(&b, SLICE_LIT("aZ09-._~/ %\xC3\n"));
    assert_string_equal(b.p, "aZ09-._~%2F%20%25%C3%0A");
}

static void steal_and_wipe(void **state)
{
    struct buf b = {0};
    size_t n = 7;
    (void)state;
    auto_free char *nothing = buf_steal(&b, &n);
    assert_string_equal(nothing, "");
    assert_int_equal(n, 0);
    buf_str(&b, "text");
    auto_free char *text = buf_steal(&b, NULL);
    assert_string_equal(text, "text");
    assert_null(b.p);
    buf_str(&b, "secret");
    buf_wipe(&b);
    assert_null(b.p);
    assert_int_equal(b.n + b.cap, 0);
    buf_wipe(&b);
    auto_free char *copy = xstrndup("abcdef", 3);
    assert_string_equal(copy, "abc");
    auto_free char *whole = xstrndup("ab", 9);
    assert_string_equal(whole, "ab");
}

/* The sanitizers end a program of their own accord when it asks for too much, unless they are told
 * not to. */
const char *__asan_default_options(void);
const char *__tsan_default_options(void);

const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

const char *__tsan_default_options(void)
{
    return "allocator_may_return_null=1";
}

static void exhaust(void *arg)
{
    (void)arg;
    free(xmalloc(SIZE_MAX / 2 - 1));
}

static void exhausted_memory_aborts(void **state)
{
    (void)state;
    assert_true(aborts(exhaust, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appends_and_stays_terminated),
        cmocka_unit_test(integers),
        cmocka_unit_test(the_bound_is_sticky),
        cmocka_unit_test(json_strings),
        cmocka_unit_test(text_for_a_url),
        cmocka_unit_test(steal_and_wipe),
        cmocka_unit_test(exhausted_memory_aborts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
