#include "base/buf.h"
#include "base/name.h"
#include "tests/unit/base/check.h"

#include <ctype.h>

struct name_case {
    const char *text;
    bool good;
};

/* Components of OCI distribution 1.1: [a-z0-9]+((\.|_|__|-+)[a-z0-9]+)* */
static const struct name_case components[] = {
    {"a", true},         {"0", true},      {"app", true},   {"a.b", true},        {"a_b", true},
    {"a__b", true},      {"a-b", true},    {"a---b", true}, {"a.b_c__d-e", true}, {"", false},
    {"A", false},        {"aB", false},    {".a", false},   {"a.", false},        {"_a", false},
    {"a_", false},       {"-a", false},    {"a-", false},   {"a..b", false},      {"a___b", false},
    {"a._b", false},     {"a.-b", false},  {"a-_b", false}, {"a_-b", false},      {"a b", false},
    {"a\n", false},      {"a%2fb", false}, {"a@b", false},  {"a:b", false},       {"..", false},
    {"\xC3\xA9", false}, {"a\x7F", false}, {"a\\b", false}, {"a+b", false},
};

static void namespaces(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(components); i++) {
        struct namespace_name name;
        struct err err = {0};
        bool good = namespace_name_parse(slice_str(components[i].text), &name, &err);
        CHECK_CASE(good == components[i].good, components[i].text);
        CHECK_CASE(good || err.code == ERR_NAME_INVALID, components[i].text);
        CHECK_CASE(!good || strcmp(name.text, components[i].text) == 0, components[i].text);
        CHECK_CASE(good || name.n == 0, components[i].text);
    }
    struct namespace_name name;
    assert_false(namespace_name_parse(SLICE_LIT("a/b"), &name, NULL));
    assert_false(namespace_name_parse(SLICE_LIT("a\0b"), &name, NULL));
    assert_false(namespace_name_parse((struct slice){NULL, 0}, &name, NULL));
}

static void repositories(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(components); i++) {
        static const char *const shapes[] = {"%s/app", "ns/%s", "ns/%s/app", "a/b/%s"};
        for (size_t k = 0; k < COUNT(shapes); k++) {
            auto_buf struct buf text = {0};
            const char *component = components[i].text;
            struct slice shape = slice_str(shapes[k]);
            ptrdiff_t at = slice_index(shape, '%');
            buf_slice(&text, slice_first(shape, (size_t)at));
            buf_str(&text, component);
            buf_slice(&text, slice_from(shape, (size_t)at + 2));
            struct repo_name name;
            CHECK_CASE(repo_name_parse(buf_slice_of(&text), &name, NULL) == components[i].good,
                       text.p);
        }
    }
}

static void repository_shapes(void **state)
{
    static const struct name_case cases[] = {
        {"ns/app", true},     {"a/b/c/d/e", true}, {"app", false}, {"ns//app", false},
        {"/ns/app", false},   {"ns/app/", false},  {"ns/", false}, {"/", false},
        {"ns/../app", false}, {"ns/./app", false}, {"", false},
    };
    struct repo_name name;
    struct namespace_name ns;
    struct err err = {0};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        CHECK_CASE(repo_name_parse(slice_str(cases[i].text), &name, &err) == cases[i].good,
                   cases[i].text);
    }
    assert_true(repo_name_parse(SLICE_LIT("ns/app/web"), &name, NULL));
    assert_int_equal(name.n, 10);
    assert_int_equal(name.namespace_n, 2);
    repo_name_namespace(&name, &ns);
    assert_string_equal(ns.text, "ns");
    assert_int_equal(ns.n, 2);

    assert_false(repo_name_parse(SLICE_LIT("app"), &name, &err));
    assert_int_equal(err.code, ERR_NAME_INVALID);
    assert_non_null(strstr(err.msg, "namespace"));
}

/* n bytes of 'a' with a slash after `slash` of them (0: none). */
static struct slice long_name(char *out, size_t n, size_t slash)
{
    memset(out, 'a', n);
    if (slash) {
        out[slash] = '/';
    }
    return slice_of_bytes(out, n);
}

static void lengths(void **state)
{
    char text[300];
    struct repo_name name;
    struct namespace_name ns;
    struct tag_name tag;
    (void)state;
    assert_true(repo_name_parse(long_name(text, 255, 10), &name, NULL));
    assert_int_equal(name.text[255], 0);
    assert_false(repo_name_parse(long_name(text, 256, 10), &name, NULL));
    assert_true(repo_name_parse(long_name(text, 200, 128), &name, NULL));
    assert_false(repo_name_parse(long_name(text, 200, 129), &name, NULL));
    assert_true(namespace_name_parse(long_name(text, 128, 0), &ns, NULL));
    assert_false(namespace_name_parse(long_name(text, 129, 0), &ns, NULL));
    assert_true(tag_name_parse(long_name(text, 128, 0), &tag, NULL));
    assert_int_equal(tag.n, 128);
    assert_false(tag_name_parse(long_name(text, 129, 0), &tag, NULL));
}

static void tags(void **state)
{
    static const struct name_case cases[] = {
        {"latest", true},    {"v1.2.3-rc_1", true}, {"_", true},    {"A", true},
        {"0", true},         {"a--..__", true},     {"", false},    {".a", false},
        {"-a", false},       {"a b", false},        {"a/b", false}, {"a:b", false},
        {"a+b", false},      {"a@b", false},        {"a\n", false}, {"a%", false},
        {"\xC3\xA9", false}, {"sha256:ab", false},
    };
    struct tag_name tag;
    struct err err = {0};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        bool good = tag_name_parse(slice_str(cases[i].text), &tag, &err);
        CHECK_CASE(good == cases[i].good, cases[i].text);
        CHECK_CASE(good || err.code == ERR_TAG_INVALID, cases[i].text);
        CHECK_CASE(!good || strcmp(tag.text, cases[i].text) == 0, cases[i].text);
    }
    assert_false(tag_name_parse(SLICE_LIT("a\0"), &tag, NULL));
}

/* The matchers against the specification's alphabet, byte by byte. */
static void every_byte(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        char text[] = {'a', (char)c, 'a'};
        struct namespace_name ns;
        struct tag_name tag;
        bool plain = c < 128 && (islower(c) || isdigit(c));
        bool in_name = plain || (c && strchr("._-", c));
        bool in_tag = in_name || (c < 128 && isupper(c));
        assert_int_equal(namespace_name_parse(slice_of_bytes(text, 3), &ns, NULL), in_name);
        assert_int_equal(tag_name_parse(slice_of_bytes(text, 3), &tag, NULL), in_tag);
    }
}

static void hosts(void **state)
{
    static const struct name_case cases[] = {
        {"localhost", true},
        {"localhost:5443", true},
        {"registry.example.com", true},
        {"registry.example.com:443", true},
        {"127.0.0.1:5443", true},
        {"a-b.c", true},
        {"x:1", true},
        {"x:65535", true},
        {"", false},
        {":5443", false},
        {"x:", false},
        {"x:0", false},
        {"x:080", false},
        {"x:65536", false},
        {"x:+1", false},
        {"x:1:2", false},
        {"X.example", false},
        {"a..b", false},
        {".a", false},
        {"a.", false},
        {"-a", false},
        {"a-", false},
        {"a_b", false},
        {"a b", false},
        {"a/b", false},
        {"a@b", false},
        {"[::1]", false},
    };
    char text[260];
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        CHECK_CASE(host_is_valid(slice_str(cases[i].text)) == cases[i].good, cases[i].text);
    }
    assert_true(host_is_valid(long_name(text, 63, 0)));
    assert_false(host_is_valid(long_name(text, 64, 0)));
    for (size_t i = 0; i < sizeof(text); i++) {
        text[i] = i % 2 ? '.' : 'a';
    }
    assert_true(host_is_valid(slice_of_bytes(text, 253)));
    assert_false(host_is_valid(slice_of_bytes(text, 255)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(namespaces),
        cmocka_unit_test(repositories),
        cmocka_unit_test(repository_shapes),
        cmocka_unit_test(lengths),
        cmocka_unit_test(tags),
        cmocka_unit_test(every_byte),
        cmocka_unit_test(hosts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
