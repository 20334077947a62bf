/* Bodies as Notary clients send them, and bodies as nobody should. */
#include "server/multipart.h"
#include "tests/unit/base/check.h"

#define TYPE "multipart/form-data; boundary=XyZ"
#define PART(name, content)                                                                        \
    "--XyZ\r\nContent-Disposition: form-data; name=\"files\"; filename=\"" name                    \
    "\"\r\nContent-Type: application/octet-stream\r\n\r\n" content "\r\n"

struct multipart_case {
    const char *name, *type, *body;
    int parts;            /* -1: refused */
    const char *filename; /* of the last part; NULL: it has none */
    const char *content;  /* of the last part */
};

static const struct multipart_case cases[] = {
    {"one part", TYPE, PART("root", "{}") "--XyZ--\r\n", 1, "root", "{}"},
    {"slashes in the file name stay", TYPE, PART("targets/releases", "{\"a\":1}") "--XyZ--\r\n", 1,
     "targets/releases", "{\"a\":1}"},
    {"two parts", TYPE, PART("root", "1") PART("targets", "2") "--XyZ--\r\n", 2, "targets", "2"},
    {"no CRLF at the very end", TYPE, PART("root", "1") "--XyZ--", 1, "root", "1"},
    {"nothing published", TYPE, "\r\n--XyZ--\r\n", 0, NULL, NULL},
    {"nothing published, without the first CRLF", TYPE, "--XyZ--\r\n", 0, NULL, NULL},
    {"an empty part", TYPE, PART("root", "") "--XyZ--\r\n", 1, "root", ""},
    {"line breaks in the content", TYPE, PART("root", "a\r\nb\r\n") "--XyZ--\r\n", 1, "root",
     "a\r\nb\r\n"},
    {"a boundary's beginning in the content", TYPE,
     PART("root", "a\r\n--XyZabc\r\n--XyQ") "--XyZ--\r\n", 1, "root", "a\r\n--XyZabc\r\n--XyQ"},
    {"a quoted boundary with blanks", "multipart/form-data; x=1; boundary=\"a b\" ",
     "--a b\r\n\r\nz\r\n--a b--\r\n", 1, NULL, "z"},
    {"another multipart type", "Multipart/Mixed;boundary=XyZ", PART("root", "1") "--XyZ--\r\n", 1,
     "root", "1"},
    {"no file name", TYPE,
     "--XyZ\r\nContent-Disposition: form-data; name=\"files\"\r\n\r\nx\r\n--XyZ--\r\n", 1, NULL,
     "x"},
    {"an empty file name is one", TYPE, PART("", "x") "--XyZ--\r\n", 1, "", "x"},
    {"the first file name counts", TYPE,
     "--XyZ\r\nContent-Disposition: form-data; filename=a; filename=b\r\n\r\nx\r\n--XyZ--\r\n", 1,
     "a", "x"},
    {"no headers at all", TYPE, "--XyZ\r\n\r\nx\r\n--XyZ--\r\n", 1, NULL, "x"},
    {"a preamble and an epilogue", TYPE, "hello\r\n" PART("root", "1") "--XyZ--\r\nbye", 1, "root",
     "1"},
    {"blanks behind the boundary", TYPE, "--XyZ \t\r\n\r\nx\r\n--XyZ--\r\n", 1, NULL, "x"},

    {"no type", NULL, PART("root", "1") "--XyZ--\r\n", -1, NULL, NULL},
    {"not multipart", "application/json", "{}", -1, NULL, NULL},
    {"no boundary", "multipart/form-data", PART("root", "1") "--XyZ--\r\n", -1, NULL, NULL},
    {"an empty boundary", "multipart/form-data; boundary=\"\"", "----\r\n", -1, NULL, NULL},
    {"an unfinished quote", "multipart/form-data; boundary=\"XyZ", PART("root", "1") "--XyZ--\r\n",
     -1, NULL, NULL},
    {"a boundary of 71 characters",
     "multipart/form-data; "
     "boundary=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
     "", -1, NULL, NULL},
    {"an empty body", TYPE, "", -1, NULL, NULL},
    {"cut off in a part", TYPE, PART("root", "1"), -1, NULL, NULL},
    {"cut off in headers", TYPE, "--XyZ\r\nContent-Disposition: form-da", -1, NULL, NULL},
    {"headers that do not end", TYPE, "--XyZ\r\nContent-Type: x\r\n--XyZ--\r\n", -1, NULL, NULL},
    {"a header without a colon", TYPE, "--XyZ\r\nnonsense\r\n\r\nx\r\n--XyZ--\r\n", -1, NULL, NULL},
    {"a disposition that is none", TYPE,
     "--XyZ\r\nContent-Disposition: form-data; filename=\"a\r\n\r\nx\r\n--XyZ--\r\n", -1, NULL,
     NULL},
    {"bare line feeds", TYPE, "--XyZ\nContent-Type: x\n\nx\n--XyZ--\n", -1, NULL, NULL},
};

static void takes_apart_each_case(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct multipart_case *c = &cases[i];
        auto_multipart struct multipart m = {0};
        struct err err = {0};
        bool ok = multipart_parse(c->type, slice_str(c->body), &m, &err);
        CHECK_CASE(ok == (c->parts >= 0), c->name);
        CHECK_CASE(ok || err.code == ERR_TRUST_MALFORMED_UPLOAD, c->name);
        CHECK_CASE(!ok || (int)m.count == c->parts, c->name);
        if (c->parts > 0) {
            const struct multipart_part *last = &m.parts[m.count - 1];
            CHECK_CASE(last->has_filename == (c->filename != NULL), c->name);
            CHECK_CASE(c->filename == NULL || slice_is(last->filename, c->filename), c->name);
            CHECK_CASE(slice_is(last->bytes, c->content), c->name);
        }
    }
}

static void every_cut_is_refused_or_whole(void **state)
{
    (void)state;
    static const char body[] =
        PART("targets/releases", "{\"signed\":{}}") PART("snapshot", "2") "--XyZ--\r\n";
    for (size_t n = 0; n < sizeof(body) - 3; n++) {
        auto_multipart struct multipart m = {0};
        struct err err = {0};
        assert_false(multipart_parse(TYPE, (struct slice){body, n}, &m, &err));
    }
}

static void bounds_parts_headers_and_names(void **state)
{
    (void)state;
    for (int parts = MULTIPART_PARTS_MAX; parts <= MULTIPART_PARTS_MAX + 1; parts++) {
        auto_buf struct buf body = {0};
        auto_multipart struct multipart m = {0};
        struct err err = {0};
        for (int i = 0; i < parts; i++) {
            buf_str(&body, PART("root", "1"));
        }
        buf_str(&body, "--XyZ--\r\n");
        assert_int_equal(multipart_parse(TYPE, buf_slice_of(&body), &m, &err),
                         parts == MULTIPART_PARTS_MAX);
    }
    for (size_t n = MULTIPART_NAME_MAX; n <= MULTIPART_NAME_MAX + 1; n++) {
        auto_buf struct buf body = {0};
        auto_multipart struct multipart m = {0};
        struct err err = {0};
        buf_str(&body, "--XyZ\r\nContent-Disposition: form-data; filename=\"");
        for (size_t i = 0; i < n; i++) {
            buf_char(&body, 'a');
        }
        buf_str(&body, "\"\r\n\r\nx\r\n--XyZ--\r\n");
        assert_int_equal(multipart_parse(TYPE, buf_slice_of(&body), &m, &err),
                         n == MULTIPART_NAME_MAX);
    }
    auto_buf struct buf body = {0};
    auto_multipart struct multipart m = {0};
    struct err err = {0};
    buf_str(&body, "--XyZ\r\n");
    for (size_t i = 0; i < MULTIPART_HEAD_MAX / 4 + 2; i++) {
        buf_str(&body, "a:\r\n");
    }
    buf_str(&body, "\r\nx\r\n--XyZ--\r\n");
    assert_false(multipart_parse(TYPE, buf_slice_of(&body), &m, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_apart_each_case),
        cmocka_unit_test(every_cut_is_refused_or_whole),
        cmocka_unit_test(bounds_parts_headers_and_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
