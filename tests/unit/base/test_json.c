#include "base/json.h"
#include "tests/unit/base/check.h"

#define TEXT(literal)                                                                              \
    {                                                                                              \
        (literal), sizeof(literal) - 1                                                             \
    }

static void reading(void **state)
{
    static const struct {
        const char *name;
        struct slice text;
        bool good;
    } cases[] = {
        {"object", TEXT("{\"a\":[1,true,null,\"x\"]}"), true},
        {"white space around", TEXT(" \t\r\n{} \n"), true},
        {"a bare string", TEXT("\"x\""), true},
        {"a bare number", TEXT("12"), true},
        {"64-bit number", TEXT("9223372036854775807"), true},
        {"surrogate pair", TEXT("\"\\ud83d\\udd12\""), true},
        {"nothing", TEXT(""), false},
        {"NULL", {NULL, 0}, false},
        {"only blanks", TEXT("  "), false},
        {"duplicate member", TEXT("{\"a\":1,\"a\":2}"), false},
        {"duplicate by escape", TEXT("{\"a\":1,\"\\u0061\":2}"), false},
        {"duplicate deeper", TEXT("[{\"a\":{\"b\":1,\"b\":1}}]"), false},
        {"two values", TEXT("{} {}"), false},
        {"bytes after it", TEXT("{}x"), false},
        {"NUL after it", TEXT("{}\0"), false},
        {"escaped NUL", TEXT("\"a\\u0000b\""), false},
        {"escaped NUL in a name", TEXT("{\"a\\u0000\":1}"), false},
        {"raw NUL in a string", TEXT("\"a\0b\""), false},
        {"raw newline in a string", TEXT("\"a\nb\""), false},
        {"ill-formed UTF-8", TEXT("\"\xFF\""), false},
        {"overlong UTF-8", TEXT("\"\xC0\xAF\""), false},
        {"raw surrogate", TEXT("\"\xED\xA0\x80\""), false},
        {"lone high surrogate", TEXT("\"\\ud83d\""), false},
        {"lone low surrogate", TEXT("\"\\udd12\""), false},
        {"number beyond 64 bit", TEXT("9223372036854775808"), false},
        {"number beyond double", TEXT("1e999"), false},
        {"leading zero", TEXT("01"), false},
        {"plus sign", TEXT("+1"), false},
        {"NaN", TEXT("NaN"), false},
        {"trailing comma", TEXT("[1,]"), false},
        {"comment", TEXT("/**/{}"), false},
        {"single quotes", TEXT("{'a':1}"), false},
        {"byte order mark", TEXT("\xEF\xBB\xBF{}"), false},
        {"cut", TEXT("{\"a\":"), false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        auto_json json_t *value = NULL;
        struct err err = {0};
        bool good = json_read(cases[i].text, JSON_DEPTH_DEFAULT, &value, &err);
        CHECK_CASE(good == cases[i].good, cases[i].name);
        CHECK_CASE(good == (value != NULL), cases[i].name);
        CHECK_CASE(good || err.code == ERR_REQUEST_INVALID, cases[i].name);
        CHECK_CASE(good || strlen(err.msg) > 10, cases[i].name);
    }
}

/* What a sentence says is for who wrote the document, not for who calls a parser. */
static void bounds_are_told_in_plain_words(void **state)
{
    static const struct {
        struct slice text;
        const char *says;
    } cases[] = {
        {TEXT("{\"a\":18446744073709551616}"), "a number does not fit"},
        {TEXT("[-9223372036854775809]"), "a number does not fit"},
        {TEXT("[1e400]"), "a number does not fit"},
        {TEXT("[\"\\u0000\"]"), "a text holds the character U+0000"},
        {TEXT("{\"\\u0000\":1}"), "a text holds the character U+0000"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        auto_json json_t *value = NULL;
        struct err err = {0};
        assert_false(json_read(cases[i].text, JSON_DEPTH_DEFAULT, &value, &err));
        CHECK_CASE(strstr(err.msg, cases[i].says) != NULL, err.msg);
        CHECK_CASE(strstr(err.msg, "JSON_") == NULL, err.msg);
    }
}

static void nest(struct buf *b, char open, char close, int depth)
{
    for (int i = 0; i < depth; i++) {
        buf_char(b, open);
    }
    for (int i = 0; i < depth; i++) {
        buf_char(b, close);
    }
}

static void depth(void **state)
{
    static const struct {
        const char *text;
        int depth;
    } cases[] = {
        {"", 0},
        {"1", 0},
        {"[]", 1},
        {"[{}]", 2},
        {"[[],[]]", 2},
        {"[\"[[[[[[\"]", 1},
        {"[\"\\\"[[[\"]", 1}, /* the quote is escaped: the brackets are in the string */
        {"[\"\\\\\",[]]", 2}, /* the backslash is: the string ends */
        {"[\"\\\\\\\"[[[\"]", 1},
        {"\"[", 0},
        {"\"\\", 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        CHECK_CASE(json_depth(slice_str(cases[i].text), 3) == cases[i].depth, cases[i].text);
    }
    for (int limit = 1; limit <= 64; limit += 21) {
        auto_buf struct buf good = {0};
        auto_buf struct buf bad = {0};
        auto_json json_t *value = NULL;
        auto_json json_t *nothing = NULL;
        nest(&good, '[', ']', limit);
        nest(&bad, '[', ']', limit + 1);
        assert_int_equal(json_depth(buf_slice_of(&good), limit), limit);
        assert_int_equal(json_depth(buf_slice_of(&bad), limit), -1);
        assert_true(json_read(buf_slice_of(&good), limit, &value, NULL));
        assert_false(json_read(buf_slice_of(&bad), limit, &nothing, NULL));
    }
    auto_buf struct buf flood = {0};
    auto_json json_t *nothing = NULL;
    nest(&flood, '[', ']', 1000000);
    assert_false(json_read(buf_slice_of(&flood), JSON_DEPTH_DEFAULT, &nothing, NULL));
}

static void members(void **state)
{
    static const char text[] = "{\"s\":\"text\",\"i\":-7,\"b\":true,\"f\":false,\"r\":1.0,\"a\":[],"
                               "\"o\":{},\"n\":null}";
    auto_json json_t *o = NULL;
    int64_t number = 99;
    bool flag = false;
    (void)state;
    assert_true(json_read(slice_str(text), 8, &o, NULL));
    assert_string_equal(json_get_string(o, "s"), "text");
    assert_true(slice_is(json_get_slice(o, "s"), "text"));
    assert_true(json_get_int(o, "i", &number));
    assert_int_equal(number, -7);
    assert_true(json_get_bool(o, "b", &flag) && flag);
    assert_true(json_get_bool(o, "f", &flag) && !flag);
    assert_non_null(json_get_array(o, "a"));
    assert_non_null(json_get_object(o, "o"));

    static const char *const wrong[] = {"n", "absent", "r"};
    for (size_t i = 0; i < COUNT(wrong); i++) {
        number = 99;
        flag = true;
        assert_null(json_get_string(o, wrong[i]));
        assert_null(json_get_slice(o, wrong[i]).p);
        assert_false(json_get_int(o, wrong[i], &number));
        assert_int_equal(number, 99);
        assert_false(json_get_bool(o, wrong[i], &flag));
        assert_true(flag);
        assert_null(json_get_array(o, wrong[i]));
        assert_null(json_get_object(o, wrong[i]));
    }
    assert_null(json_get_object(o, "a"));
    assert_null(json_get_array(o, "o"));
    assert_false(json_get_int(o, "b", &number));
    assert_false(json_get_bool(o, "i", &flag));
    assert_null(json_get_string(NULL, "s"));
    assert_null(json_get_string(json_get_array(o, "a"), "s"));
}

static void unknown_members(void **state)
{
    static const char *const known[] = {"name", "email", NULL};
    struct err err = {0};
    auto_json json_t *good = NULL;
    auto_json json_t *bad = NULL;
    (void)state;
    assert_true(json_read(SLICE_LIT("{\"email\":1}"), 8, &good, NULL));
    assert_true(json_read(SLICE_LIT("{\"email\":1,\"Name\":2}"), 8, &bad, NULL));
    assert_true(json_only_members(good, known, &err));
    assert_false(json_only_members(bad, known, &err));
    assert_int_equal(err.code, ERR_INVALID);
    assert_non_null(strstr(err.msg, "\"Name\""));
}

static void writing(void **state)
{
    static const char text[] = "{\"z\":[1,\"\xC3\xA9\"],\"a\":null}";
    auto_json json_t *o = NULL;
    auto_buf struct buf b = {0};
    auto_buf struct buf small = {.max = 5};
    (void)state;
    assert_true(json_read(slice_str(text), 8, &o, NULL));
    buf_str(&b, "x=");
    json_write(&b, o);
    assert_true(slice_is(slice_from(buf_slice_of(&b), 2), text));
    json_write(&small, o);
    assert_true(small.failed);
}

static void values_are_counted_before_they_are_parsed(void **state)
{
    static const struct {
        const char *text;
        size_t count;
    } cases[] = {
        {"", 0},
        {"1", 0},
        {"[]", 1},
        {"[[],[],[]]", 6},
        {"{\"a\":1,\"b\":{}}", 3},
        {"\"[,{\"", 0},
        {"\"\\\"[,{\"", 0},
        {"[\"\\\\\",[]]", 3},
        {"\"[[[", 0},
        {"\"\\", 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct slice text = slice_str(cases[i].text);
        CHECK_CASE(json_is_within(text, cases[i].count), cases[i].text);
        CHECK_CASE(cases[i].count == 0 || !json_is_within(text, cases[i].count - 1), cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_counted_before_they_are_parsed),
        cmocka_unit_test(bounds_are_told_in_plain_words),
        cmocka_unit_test(reading),         cmocka_unit_test(depth),   cmocka_unit_test(members),
        cmocka_unit_test(unknown_members), cmocka_unit_test(writing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
