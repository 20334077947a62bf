#include "auth/secret.h"
#include "tests/unit/base/check.h"

#include <sodium.h>

static void made_and_recognised(void **state)
{
    (void)state;
    static const struct {
        enum secret_kind kind;
        const char *prefix;
    } kinds[] = {{SECRET_ROBOT, "bst_rob_"},
                 {SECRET_DEPLOYER, "bst_dep_"},
                 {SECRET_SESSION, "bst_ses_"},
                 {SECRET_PAT, "bst_pat_"}};
    for (size_t i = 0; i < COUNT(kinds); i++) {
        struct secret_text a;
        struct secret_text b;
        secret_make(kinds[i].kind, &a);
        secret_make(kinds[i].kind, &b);
        assert_int_equal(strlen(a.text), 44);
        assert_true(slice_starts(slice_str(a.text), kinds[i].prefix));
        assert_int_equal(secret_kind_of(slice_str(a.text)), kinds[i].kind);
        assert_string_not_equal(a.text, b.text);
    }
}

/* Base62 digits of zlib's crc32 of the thirty characters, computed elsewhere. */
static void checksum(void **state)
{
    (void)state;
    assert_int_equal(secret_kind_of(SLICE_LIT("bst_rob_0000000000000000000000000000002C8GjS")),
                     SECRET_ROBOT);
    assert_int_equal(secret_kind_of(SLICE_LIT("bst_ses_zzzzzzzzzzzzzzzzzzzzzzzzzzzzzz4IlJEz")),
                     SECRET_SESSION);
    assert_int_equal(secret_kind_of(SLICE_LIT("bst_dep_0123456789ABCDEFGHIJKLMNOPQRST4PMbyp")),
                     SECRET_DEPLOYER);
    assert_int_equal(secret_kind_of(SLICE_LIT("bst_dep_0123456789ABCDEFGHIJKLMNOPQRST4PMbyq")),
                     SECRET_NONE);
}

static void not_ours(void **state)
{
    (void)state;
    struct secret_text made;
    secret_make(SECRET_ROBOT, &made);
    struct slice good = slice_str(made.text);
    assert_int_equal(secret_kind_of(slice_first(good, 43)), SECRET_NONE);
    assert_int_equal(secret_kind_of((struct slice){good.p, 45}), SECRET_NONE);
    for (size_t i = 8; i < 44; i++) {
        char was = made.text[i];
        made.text[i] = was == '0' ? '1' : '0';
        assert_int_equal(secret_kind_of(good), SECRET_NONE);
        made.text[i] = '-';
        assert_int_equal(secret_kind_of(good), SECRET_NONE);
        made.text[i] = was;
    }
    made.text[4] = 'x'; /* a kind that does not exist */
    assert_int_equal(secret_kind_of(good), SECRET_NONE);
    assert_int_equal(secret_kind_of((struct slice){NULL, 0}), SECRET_NONE);
    assert_int_equal(secret_kind_of(SLICE_LIT("a password of forty-four characters in total")),
                     SECRET_NONE);
}

static void passwords(void **state)
{
    (void)state;
    char a[SECRET_PASSWORD_CHARS + 1];
    char b[SECRET_PASSWORD_CHARS + 1];
    secret_make_password(a);
    secret_make_password(b);
    assert_int_equal(strlen(a), SECRET_PASSWORD_CHARS);
    assert_true(SECRET_PASSWORD_CHARS >= 24);
    assert_string_not_equal(a, b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(made_and_recognised),
        cmocka_unit_test(checksum),
        cmocka_unit_test(not_ours),
        cmocka_unit_test(passwords),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
