#include "cli/output.h"

#include "base/buf.h"
#include "base/json.h"
#include "cli/say.h"

#include <stdio.h>
#include <unistd.h>

/* A table is a list of cells, row after row, the header first. */
struct table {
    size_t columns, cells, room;
    char **cell;
};

static void table_put(struct table *t, char *text)
{
    if (t->cells == t->room) {
        t->room = t->room ? 2 * t->room : 64;
        t->cell = xrealloc(t->cell, t->room * sizeof(*t->cell));
    }
    t->cell[t->cells++] = printable(text);
}

static void cleanup_table(struct table *t)
{
    for (size_t i = 0; i < t->cells; i++) {
        free(t->cell[i]);
    }
    free(t->cell);
}
#define auto_table __attribute__((cleanup(cleanup_table)))

char *printable(char *text)
{
    for (unsigned char *p = (unsigned char *)text; *p; p++) {
        bool c1 = p[0] == 0xc2 && p[1] >= 0x80 &&
                  p[1] < 0xa0; /* U+0080 to U+009F: some terminals obey them */
        if (*p < 0x20 || *p == 0x7f || c1) {
            *p = '?';
            p[1] = c1 ? '?' : p[1];
        }
    }
    return text;
}

static void strings_join(struct buf *out, const json_t *array)
{
    size_t i;
    json_t *item;

    json_array_foreach(array, i, item)
    {
        buf_str(out, i ? "," : "");
        buf_put(out, json_string_value(item), json_string_length(item));
    }
}

static void value_text(struct buf *out, const json_t *value)
{
    if (json_is_string(value)) {
        buf_put(out, json_string_value(value), json_string_length(value));
    } else if (json_is_integer(value)) {
        buf_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    } else if (json_is_boolean(value)) {
        buf_str(out, json_is_true(value) ? "yes" : "no");
    } else if (json_is_array(value)) {
        strings_join(out, value); /* items that are no strings read as nothing */
    }
    if (out->n == 0) {
        buf_str(out, "-");
    }
}

static void table_put_row(struct table *t, const json_t *object, const struct column columns[])
{
    for (size_t i = 0; i < t->columns; i++) {
        struct buf text = {0};
        /* an array of plain strings is a table of one column */
        value_text(&text,
                   json_is_string(object) ? object : json_object_get(object, columns[i].member));
        table_put(t, buf_steal(&text, NULL));
    }
}

/* Characters, not bytes: UTF-8 continuation bytes take no room. */
static size_t width(const char *text)
{
    size_t n = 0;

    for (; *text; text++) {
        n += ((unsigned char)*text & 0xc0) != 0x80;
    }
    return n;
}

static void table_print_aligned(const struct table *t)
{
    size_t widest[COLUMNS_MAX] = {0};

    for (size_t i = 0; i < t->cells; i++) {
        size_t w = width(t->cell[i]);
        size_t *room = &widest[i % t->columns];
        *room = w > *room ? w : *room;
    }
    for (size_t i = 0; i < t->cells; i++) {
        bool last = i % t->columns == t->columns - 1;
        int pad = last ? 0 : (int)(widest[i % t->columns] - width(t->cell[i])) + 2;
        printf("%s%*s%s", t->cell[i], pad, "", last ? "\n" : "");
    }
}

static void table_print_plain(const struct table *t, bool only_first)
{
    for (size_t i = t->columns; i < t->cells; i++) {
        if (only_first && i % t->columns != 0) {
            continue;
        }
        bool last = only_first || i % t->columns == t->columns - 1;
        printf("%s%c", t->cell[i], last ? '\n' : '\t');
    }
}

static void table_begin(struct table *t, const struct column columns[])
{
    for (size_t i = 0; columns[i].header; i++) {
        t->columns++;
        table_put(t, xstrdup(columns[i].header));
    }
}

static void table_print(const struct table *t, const struct call *call)
{
    if (call_has(call, OPTION_QUIET) || !isatty(STDOUT_FILENO)) {
        table_print_plain(t, call_has(call, OPTION_QUIET));
    } else {
        table_print_aligned(t);
    }
}

void output_list(const struct call *call, const json_t *answer, const char *rows,
                 const struct column columns[])
{
    auto_table struct table t = {0};
    size_t i;
    json_t *row;

    if (call_has(call, OPTION_JSON)) {
        output_json(answer);
        return;
    }
    table_begin(&t, columns);
    json_array_foreach(json_object_get(answer, rows), i, row)
    {
        table_put_row(&t, row, columns);
    }
    table_print(&t, call);
}

void output_object(const struct call *call, const json_t *object, const struct column columns[])
{
    auto_table struct table t = {0};

    if (call_has(call, OPTION_JSON)) {
        output_json(object);
        return;
    }
    table_begin(&t, columns);
    table_put_row(&t, object, columns);
    table_print(&t, call);
}

void output_text(const char *line)
{
    auto_free char *copy = xstrdup(line);
    printf("%s\n", printable(copy));
}

void output_json(const json_t *value)
{
    (void)json_dumpf(value, stdout,
                     JSON_INDENT(2) | JSON_ENCODE_ANY); /* main looks at ferror(stdout) */
    printf("\n");
}

void output_secret(const struct call *call, const json_t *answer)
{
    const char *user = json_get_string(answer, "user");
    const char *secret = json_get_string(answer, "secret");

    if (call_has(call, OPTION_JSON)) {
        output_json(answer);
    } else {
        printf("%s%s%s\n", user ? user : "-", secret ? " " : "", secret ? secret : "");
    }
}

void output_warning(const json_t *answer)
{
    const char *warning = json_get_string(answer, "warning");
    if (warning) {
        auto_free char *copy = xstrdup(warning);
        say("warning: %s", printable(copy));
    }
}
