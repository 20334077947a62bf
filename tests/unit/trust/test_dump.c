/* The SQL text of dumps: every form of a row, both dialects, what is skipped, what is refused; read
 * in one piece and byte by byte. */
#include "base/buf.h"
#include "tests/unit/base/check.h"
#include "trust/dump.h"

#include <errno.h>

static const struct dump_column columns[] = {{"id", false}, {"name", false}, {"data", true}};
static const struct dump_table tables[] = {{"things", columns, 3}};

struct feed {
    struct slice text;
    size_t at, step; /* bytes of one read */
};

static ptrdiff_t feed_read(void *arg, void *out, size_t n)
{
    struct feed *f = arg;
    size_t more = f->text.n - f->at;
    more = more < n ? more : n;
    more = more < f->step ? more : f->step;
    memcpy(out, f->text.p + f->at, more);
    f->at += more;
    return (ptrdiff_t)more;
}

/* "[id|name|data]" of each row; "~" for NULL, control characters and bytes above 126 as <hex>. */
static bool note_row(void *arg, const struct dump_table *table, const struct dump_value *values,
                     struct err *err)
{
    struct buf *out = arg;
    (void)err;
    for (size_t i = 0; i < table->column_count; i++) {
        buf_char(out, i ? '|' : '[');
        if (!values[i].present) {
            buf_char(out, '~');
        }
        for (size_t k = 0; values[i].present && k < values[i].bytes.n; k++) {
            unsigned char c = (unsigned char)values[i].bytes.p[k];
            if (c < ' ' || c > '~') {
                buf_printf(out, "<%02x>", c);
            } else {
                buf_char(out, (char)c);
            }
        }
    }
    buf_char(out, ']');
    return true;
}

static bool read_in_steps(const char *text, size_t n, size_t step, struct buf *out, struct err *err)
{
    struct feed feed = {.text = slice_of_bytes(text, n), .step = step};
    const struct dump_source source = {feed_read, &feed};
    const struct dump_sink sink = {note_row, out};
    return dump_read(&source, tables, 1, &sink, err);
}

#define MYSQL "-- MySQL dump 10.13\n"
#define MARIA "/*M!999999\\- enable the sandbox mode */ \n-- MariaDB dump 10.19\n"
#define PG                                                                                         \
    "--\n-- PostgreSQL database dump\n--\n\\restrict abc'\nSET standard_conforming_strings = on;\n"
#define CREATE                                                                                     \
    "CREATE TABLE `things` (\n  `id` int(11) NOT NULL AUTO_INCREMENT,\n"                           \
    "  `other` enum('a,b)','c') DEFAULT 'it''s',\n  `name` varchar(255) COMMENT 'x\\'y',\n"        \
    "  `data` longblob NOT NULL,\n  PRIMARY KEY (`id`),\n  KEY `name` (`name`(10))\n) ENGINE=InnoDB;\n"
#define PGCREATE                                                                                   \
    "CREATE TABLE public.things (\n    id integer NOT NULL,\n    name character varying(255) "     \
    "DEFAULT 'a,b'::character varying,\n    data bytea,\n    CONSTRAINT c CHECK ((id > 0))\n);\n"

static const struct {
    const char *name, *text, *rows;
} good[] = {
    {"nothing", "", ""},
    {"comments only", MYSQL "-- no rows\n/*!40101 SET NAMES utf8 */;\n", ""},
    {"extended insert, order of CREATE TABLE",
     MYSQL CREATE "INSERT INTO `things` VALUES (1,'a','n',0x4142),\n(2,NULL,'m',_binary 'xy');\n",
     "[1|n|AB][2|m|xy]"},
    {"a quote doubled and escapes",
     MARIA CREATE
     "INSERT INTO `things` VALUES (1,'a','it''s \\'q\\' \\\\ \\\" \\% ;--','\\0\\n\\r\\t\\Z\\b');",
     "[1|it's 'q' \\ \" % ;--|<00><0a><0d><09><1a><08>]"},
    {"columns named, in another order",
     MYSQL "INSERT INTO `db`.`things` (`data`, `id`) VALUES (X'00ff', -3);", "[-3|~|<00><ff>]"},
    {"replace, insert ignore",
     MYSQL CREATE "REPLACE INTO `things` VALUES (1,'','b','c');INSERT IGNORE INTO `things` VALUES "
                  "(2,'','b','');",
     "[1|b|c][2|b|]"},
    {"ANSI quotes", MYSQL "INSERT INTO \"things\" (\"id\") VALUES (1);", "[1|~|~]"},
    {"triggers, delimiters and other tables are skipped",
     MYSQL
     "CREATE TABLE `else` (`id` int);\nINSERT INTO `else` VALUES ('things'');INSERT INTO `things` "
     "VALUES (9)');\nDELIMITER ;;\n/*!50003 CREATE TRIGGER x BEGIN SET a='x;y'; END */;;\nDELIMITER "
     ";\nLOCK TABLES `things` WRITE;\n" CREATE "INSERT INTO `things` VALUES (1,'','b','c');",
     "[1|b|c]"},
    {"a backslash in the last place of a table that is not wanted",
     MYSQL "INSERT INTO `else` VALUES ('\\\\');" CREATE
           "INSERT INTO `things` VALUES (1,'','b','\\\\');",
     "[1|b|\\]"},
    {"COPY",
     PG PGCREATE "COPY public.things (id, name, data) FROM stdin;\n"
                 "1\ta\\tb\\\\c\\n\\x41\\101\t\\\\x00ff\n2\t\\N\t\\N\n3\t\t\\\\\\\\\\\\001a\n\\.\n",
     "[1|a<09>b\\c<0a>AA|<00><ff>][2|~|~][3||\\<01>a]"},
    {"COPY in another order, and one of another table",
     PG
     "COPY public.\"else (\" (\"id,)\", b) FROM stdin;\n1\t'\n\\.\nCOPY things (data, x, id) FROM stdin;\n\\\\x41\tx\t7\n"
     "\\.\n",
     "[7|~|A]"},
    {"COPY of nothing", PG "COPY things (id) FROM stdin;\n\\.\nSELECT 1;\n", ""},
    {"inserts: a backslash is a backslash",
     PG PGCREATE
     "INSERT INTO public.things VALUES (1, 'a\\', '\\x4142'), (2, E'a\\'b', '\\x'::bytea);",
     "[1|a\\|AB][2|a'b|]"},
    {"column inserts, identity, conflict",
     PG
     "INSERT INTO public.things (id, name) OVERRIDING SYSTEM VALUE VALUES (1, 'x') ON CONFLICT DO "
     "NOTHING;",
     "[1|x|~]"},
    {"functions in dollar quotes",
     PG "CREATE FUNCTION f() RETURNS void AS $_$ BEGIN; 'it $x$ ' $_$ LANGUAGE sql;\n" PGCREATE
        "INSERT INTO public.things VALUES (1, 'x', '');",
     "[1|x|]"},
    {"data that looks like statements",
     PG
     "COPY things (id, name) FROM stdin;\n1\tINSERT INTO things VALUES (9);\n2\t'\n3\t-- x\n\\.\n",
     "[1|INSERT INTO things VALUES (9);|~][2|'|~][3|-- x|~]"},
    {"names are compared without regard to case", MYSQL "INSERT INTO `Things` (`ID`) VALUES (1);",
     "[1|~|~]"},
};

static void rows_are_what_the_database_held(void **unused)
{
    static const size_t steps[] = {1, 2, 3, 7, 1 << 20};
    (void)unused;
    for (size_t i = 0; i < COUNT(good); i++) {
        for (size_t s = 0; s < COUNT(steps); s++) {
            auto_buf struct buf out = {0};
            struct err err = {0};
            if (!read_in_steps(good[i].text, strlen(good[i].text), steps[s], &out, &err)) {
                fail_msg("%s in steps of %zu: %s", good[i].name, steps[s], err.msg);
            }
            if (strcmp(out.p ? out.p : "", good[i].rows) != 0) {
                fail_msg("%s in steps of %zu: %s", good[i].name, steps[s], out.p);
            }
        }
    }
}

static const struct {
    const char *text, *why;
} bad[] = {
    {MYSQL CREATE "INSERT INTO `things` VALUES (1,'','b','c')", "cut off"},
    {MYSQL CREATE "INSERT INTO `things` VALUES (1,'','b','c", "cut off"},
    {MYSQL CREATE "INSERT INTO `things` VALUES (1,'','b',", "cut off"},
    {MYSQL "/* and then", "cut off"},
    {PG "COPY things (id) FROM stdin;\n1\n", "cut off"},
    {PG "COPY things (id) FROM stdin;\n1", "cut off"},
    {PG "CREATE FUNCTION f() AS $a$ x", "cut off"},
    {MYSQL CREATE "INSERT INTO `things` VALUES (1,'','b');", "3 values instead of 4"},
    {MYSQL CREATE "INSERT INTO `things` VALUES (1,'','b','c',5);", "more than 4 values"},
    {PG "COPY things (id, name) FROM stdin;\n1\n\\.\n", "1 values instead of 2"},
    {PG "COPY things (id) FROM stdin;\n1\t2\n\\.\n", "more than 1 values"},
    {MYSQL "INSERT INTO `things` VALUES (1,2,3);", "--complete-insert"},
    {"INSERT INTO things (id, name) VALUES (1,'a\\');", "whether MySQL or PostgreSQL"},
    {MYSQL "INSERT INTO `things` (`id`) VALUES (0x1);", "odd number of hex"},
    {MYSQL "INSERT INTO `things` (`id`) VALUES (X'1g');", "odd number of hex"},
    {MYSQL "INSERT INTO `things` (`id`) VALUES (?);", "no value"},
    {MYSQL "INSERT INTO `things` (`id`, `id`) VALUES (1,2);", "two columns id"},
    {PG "COPY things (data) FROM stdin;\n\\\\xabc\n\\.\n", "odd number of hex"},
    {PG "COPY things (data) FROM stdin;\n\\\\xzz\n\\.\n", "not hex"},
    {PG "COPY things (data) FROM stdin;\na\\\\9\n\\.\n", "broken escape"},
    {"PGDMP\x01\x0e", "--format=plain"},
    {"\x1f\x8b\x08", "gzip"},
    {"<?xml version=\"1.0\"?>", "XML"},
};

static void what_is_no_dump_is_refused_with_the_line(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < COUNT(bad); i++) {
        auto_buf struct buf out = {0};
        struct err err = {0};
        bool read = read_in_steps(bad[i].text, strlen(bad[i].text), 5, &out, &err);
        if (read || err.code != ERR_INVALID || !strstr(err.msg, bad[i].why) ||
            !strstr(err.msg, "line ")) {
            fail_msg("%s: %s", bad[i].text, read ? "was read" : err.msg);
        }
    }
}

static void names_values_and_columns_have_bounds(void **unused)
{
    auto_buf struct buf text = {0}, out = {0};
    struct err err = {0};
    (void)unused;
    buf_str(&text, MYSQL "INSERT INTO `things` (`id`) VALUES ('");
    for (size_t i = 0; i < DUMP_VALUE_MAX; i++) {
        buf_char(&text, 'x');
    }
    buf_str(&text, "');");
    assert_true(read_in_steps(text.p, text.n, SIZE_MAX, &out, &err)); /* as many as may be */
    text.n -= 3;
    buf_str(&text, "x');");
    assert_false(read_in_steps(text.p, text.n, SIZE_MAX, &out, &err));
    assert_non_null(strstr(err.msg, "a value has more than"));

    buf_clear(&text);
    buf_str(&text, MYSQL "INSERT INTO `things` (`id`");
    for (int i = 0; i < DUMP_COLUMNS_MAX; i++) {
        buf_printf(&text, ",`c%d`", i);
    }
    buf_str(&text, ") VALUES (1);");
    assert_false(read_in_steps(text.p, text.n, SIZE_MAX, &out, &err));
    assert_non_null(strstr(err.msg, "more than 64 columns"));

    buf_clear(&text);
    buf_str(&text, MYSQL "INSERT INTO `");
    for (int i = 0; i < 128; i++) {
        buf_char(&text, 'x');
    }
    buf_str(&text, "` VALUES (1);");
    assert_false(read_in_steps(text.p, text.n, SIZE_MAX, &out, &err));
    assert_non_null(strstr(err.msg, "a name has more than 127 bytes"));
}

static ptrdiff_t fail_read(void *arg, void *out, size_t n)
{
    (void)arg;
    (void)out;
    (void)n;
    errno = EIO;
    return -1;
}

static void a_failing_disk_is_no_end_of_the_dump(void **unused)
{
    auto_buf struct buf out = {0};
    const struct dump_source source = {fail_read, NULL};
    const struct dump_sink sink = {note_row, &out};
    struct err err = {0};
    (void)unused;
    assert_false(dump_read(&source, tables, 1, &sink, &err));
    assert_int_equal(err.code, ERR_INTERNAL);
    assert_int_equal(err.sys, EIO);
}

static bool refuse_row(void *arg, const struct dump_table *table, const struct dump_value *values,
                       struct err *err)
{
    int *rows = arg;
    (void)table;
    (void)values;
    return ++*rows < 2 || err_set(err, ERR_CONFLICT, "enough");
}

static void a_sink_that_says_no_ends_the_reading(void **unused)
{
    int rows = 0;
    static const char text[] = MYSQL "INSERT INTO `things` (`id`) VALUES (1),(2),(3);";
    struct feed feed = {.text = slice_str(text), .step = SIZE_MAX};
    const struct dump_source source = {feed_read, &feed};
    const struct dump_sink sink = {refuse_row, &rows};
    struct err err = {0};
    (void)unused;
    assert_false(dump_read(&source, tables, 1, &sink, &err));
    assert_int_equal(err.code, ERR_CONFLICT);
    assert_int_equal(rows, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_what_the_database_held),
        cmocka_unit_test(what_is_no_dump_is_refused_with_the_line),
        cmocka_unit_test(names_values_and_columns_have_bounds),
        cmocka_unit_test(a_failing_disk_is_no_end_of_the_dump),
        cmocka_unit_test(a_sink_that_says_no_ends_the_reading),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
