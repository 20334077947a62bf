#include "base/err.h"
#include "base/slice.h"
#include "tests/unit/base/check.h"

#include <errno.h>

static void every_row_is_whole(void **state)
{
    (void)state;
    for (enum err_code code = ERR_NONE; code < ERR_COUNT; code++) {
        const struct err_info *info = err_info(code);
        assert_non_null(info->symbol);
        assert_true(strncmp(info->symbol, "ERR_", 4) == 0);
        assert_true(info->status >= 400 && info->status <= 599);
        assert_true(strlen(info->wire) > 0);
        assert_true(strlen(info->sentence) > 0);
        assert_true((info->class_ == ERR_CLASS_INTERNAL) == (info->status == 500));
    }
    assert_string_equal(err_info(ERR_TAG_UNKNOWN)->wire, "MANIFEST_UNKNOWN");
    assert_string_equal(err_info(ERR_TAG_UNKNOWN)->symbol, "ERR_TAG_UNKNOWN");
}

static void set_fills_once(void **state)
{
    struct err err = {.sys = 5, .detail = "old"};
    (void)state;
    assert_false(err_set(&err, ERR_TAG_UNKNOWN, "no tag %s here", "v1"));
    assert_int_equal(err.code, ERR_TAG_UNKNOWN);
    assert_string_equal(err.msg, "no tag v1 here");
    assert_string_equal(err.detail, "");
    assert_int_equal(err.sys, 0);
    assert_string_equal(err.where, __func__);
    assert_false(err_set(&err, ERR_DENIED, ""));
    assert_string_equal(err.msg, "requested access to the resource is denied");
    assert_false(err_set(NULL, ERR_DENIED, "nobody cares"));
}

static void system_errors_tell_the_client_nothing(void **state)
{
    struct err err = {0};
    (void)state;
    assert_false(err_sys(&err, EACCES, "open %s", "/secret/path"));
    assert_int_equal(err.code, ERR_INTERNAL);
    assert_int_equal(err.sys, EACCES);
    assert_string_equal(err.msg, "internal error");
    assert_non_null(strstr(err.detail, "/secret/path"));
    assert_non_null(strstr(err.detail, "Permission denied"));

    assert_false(err_sys(&err, ENOSPC, "write"));
    assert_int_equal(err.code, ERR_NO_SPACE);
    assert_false(err_sys(&err, EDQUOT, "write"));
    assert_int_equal(err.code, ERR_NO_SPACE);
    assert_false(err_sys(&err, EMFILE, "open"));
    assert_int_equal(err.code, ERR_BUSY);
    assert_false(err_sys(&err, ENFILE, "open"));
    assert_int_equal(err.code, ERR_BUSY);
    assert_false(err_sys(NULL, EIO, "write"));

    assert_false(err_internal(&err, "key %d", 7));
    assert_int_equal(err.code, ERR_INTERNAL);
    assert_string_equal(err.detail, "key 7");
    assert_string_equal(err.msg, "internal error");
}

static void prefix_keeps_the_code(void **state)
{
    struct err err = {0};
    (void)state;
    (void)err_set(&err, ERR_MANIFEST_INVALID, "no layers");
    assert_false(err_prefix(&err, "manifest %d", 3));
    assert_string_equal(err.msg, "manifest 3: no layers");
    assert_int_equal(err.code, ERR_MANIFEST_INVALID);
    assert_false(err_prefix(NULL, "x"));
}

/* Whatever the client put into a message, what goes back is at most the buffer and well-formed
 * UTF-8. */
static void long_messages_are_cut_at_a_character(void **state)
{
    char text[2000];
    struct err err = {0};
    (void)state;
    for (size_t shift = 0; shift < 4; shift++) {
        memset(text, 'a', shift);
        for (size_t i = shift; i + 4 < sizeof(text); i += 3) {
            memcpy(text + i, "\xE2\x82\xAC", 4); /* EURO SIGN and the NUL */
        }
        (void)err_set(&err, ERR_INVALID, "%s", text);
        assert_true(strlen(err.msg) > sizeof(err.msg) - 5);
        assert_true(slice_is_utf8(slice_str(err.msg)));
        (void)err_prefix(&err, "%s", text);
        assert_true(slice_is_utf8(slice_str(err.msg)));
        (void)err_sys(&err, EIO, "%s", text);
        assert_true(slice_is_utf8(slice_str(err.detail)));
    }
}

/* What a client sent must not end a header line, move a terminal's cursor, or break the JSON. */
static void quoted_bytes_are_made_plain(void **state)
{
    struct err err = {0};
    (void)state;
    (void)err_set(&err, ERR_INVALID, "bad \"%s\"", "a\r\nX: y\x1B[2J\x7F");
    assert_string_equal(err.msg, "bad \"a??X: y?[2J?\"");
    (void)err_set(&err, ERR_INVALID, "bad %s", "\xC3\xA9\t");
    assert_string_equal(err.msg, "bad \xC3\xA9?");
    (void)err_set(&err, ERR_INVALID, "bad %s", "\xC3\xA9\xFF");
    assert_string_equal(err.msg, "bad ???");
    (void)err_prefix(&err, "%s", "\n");
    assert_string_equal(err.msg, "?: bad ???");
}

static void no_such_code(void *arg)
{
    (void)arg;
    (void)err_info(ERR_COUNT);
}

static void a_code_outside_the_table_is_a_bug(void **state)
{
    (void)state;
    assert_true(aborts(no_such_code, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_whole),
        cmocka_unit_test(set_fills_once),
        cmocka_unit_test(system_errors_tell_the_client_nothing),
        cmocka_unit_test(prefix_keeps_the_code),
        cmocka_unit_test(long_messages_are_cut_at_a_character),
        cmocka_unit_test(quoted_bytes_are_made_plain),
        cmocka_unit_test(a_code_outside_the_table_is_a_bug),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
