#include "tests/unit/trust/trust_check.h"

static void names(void **unused)
{
    static const struct {
        const char *name;
        enum role_kind kind;
    } cases[] = {
        {"root", ROLE_ROOT},
        {"targets", ROLE_TARGETS},
        {"snapshot", ROLE_SNAPSHOT},
        {"timestamp", ROLE_TIMESTAMP},
        {"targets/releases", ROLE_DELEGATION},
        {"targets/a-b_9/c", ROLE_DELEGATION},
        {"targets/1/2/3/4/5/6/7", ROLE_DELEGATION},
        {"targets/1/2/3/4/5/6/7/8", ROLE_NONE}, /* deeper than any client goes */
        {"Root", ROLE_NONE},
        {"", ROLE_NONE},
        {"root/a", ROLE_NONE},
        {"target", ROLE_NONE},
        {"targets/", ROLE_NONE},
        {"targets//a", ROLE_NONE},
        {"targets/a/", ROLE_NONE},
        {"targets/../root", ROLE_NONE},
        {"targets/.", ROLE_NONE},
        {"targets/a.b", ROLE_NONE},
        {"targets/A", ROLE_NONE},
        {"targets/a b", ROLE_NONE},
        {"targets/\xc3\xa9", ROLE_NONE},
        {"/targets/a", ROLE_NONE},
    };
    (void)unused;
    for (size_t i = 0; i < COUNT(cases); i++) {
        CHECK_CASE(role_parse(slice_str(cases[i].name)) == cases[i].kind, cases[i].name);
    }
    assert_int_equal(role_parse((struct slice){"targets/a\0b", 11}), ROLE_NONE);
}

static void length_is_bounded(void **unused)
{
    char name[300];
    (void)unused;
    memset(name, 'a', sizeof(name));
    memcpy(name, "targets/", 8);
    assert_int_equal(role_parse((struct slice){name, 255}), ROLE_DELEGATION);
    assert_int_equal(role_parse((struct slice){name, 256}), ROLE_NONE);
}

static void family(void **unused)
{
    static const struct {
        const char *parent, *child;
        bool direct;
    } cases[] = {
        {"targets", "targets/a", true},      {"targets/a", "targets/a/b", true},
        {"targets", "targets/a/b", false},   {"targets", "targets", false},
        {"targets", "targets/", false},      {"targets", "targetsx/a", false},
        {"targets/a", "targets/b/c", false}, {"targets/a", "targets/ab/c", false},
    };
    (void)unused;
    for (size_t i = 0; i < COUNT(cases); i++) {
        CHECK_CASE(role_is_direct_child(slice_str(cases[i].parent), slice_str(cases[i].child)) ==
                       cases[i].direct,
                   cases[i].child);
    }
    assert_int_equal(role_depth(SLICE_LIT("root")), 1);
    assert_int_equal(role_depth(SLICE_LIT("targets/a")), 2);
    assert_true(slice_is(role_parent(SLICE_LIT("targets/a/b")), "targets/a"));
    assert_int_equal(role_parent(SLICE_LIT("targets")).n, 0);
    assert_string_equal(role_type_name(ROLE_DELEGATION), "Targets");
    assert_string_equal(role_type_name(ROLE_ROOT), "Root");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(length_is_bounded),
        cmocka_unit_test(family),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
