#include "trust/dump.h"

#include "trust/dump_internal.h"

#include <strings.h>

/* ---- tables and columns ---- */

static const struct dump_table *wanted_table(const struct dump *d, const char *name)
{
    for (size_t i = 0; i < d->table_count; i++) {
        if (strcasecmp(d->tables[i].name, name) == 0) {
            return &d->tables[i];
        }
    }
    return NULL;
}

static bool add_column(struct dump *d, const struct dump_table *table, struct layout *layout,
                       const char *name)
{
    if (layout->count == DUMP_COLUMNS_MAX) {
        return dump_fail(d, "%s has more than %d columns", table->name, DUMP_COLUMNS_MAX);
    }
    int wanted = -1;
    for (size_t i = 0; i < table->column_count; i++) {
        if (strcasecmp(table->columns[i].name, name) == 0) {
            wanted = (int)i;
        }
    }
    for (size_t i = 0; wanted >= 0 && i < layout->count; i++) {
        if (layout->wanted[i] == wanted) {
            return dump_fail(d, "%s has two columns %s", table->name, name);
        }
    }
    layout->wanted[layout->count++] = wanted;
    return true;
}

/* (a, b, c) */
static bool read_column_list(struct dump *d, const struct dump_table *table, struct layout *layout)
{
    char name[DUMP_NAME_SIZE];
    enum dump_name kind;
    int c;
    *layout = (struct layout){0};
    do {
        (void)dump_next(d);
        if (!dump_skip_blank(d) || !dump_read_name(d, name, &kind) ||
            !add_column(d, table, layout, name) || !dump_skip_blank(d)) {
            return false;
        }
        c = dump_peek(d, 0);
    } while (c == ',');
    return dump_next(d) == ')' || dump_fail(d, "a list of columns that does not close");
}

static bool is_constraint(const char *word)
{
    static const char *const words[] = {"PRIMARY", "UNIQUE",   "KEY",   "INDEX",   "CONSTRAINT",
                                        "FOREIGN", "FULLTEXT", "CHECK", "SPATIAL", "EXCLUDE"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcasecmp(words[i], word) == 0) {
            return true;
        }
    }
    return false;
}

/* To the ',' or ')' that ends a definition, or a value with its cast; leaves it. */
static bool skip_definition(struct dump *d)
{
    int depth = 0;
    for (;;) {
        if (!dump_skip_blank(d)) {
            return false;
        }
        int c = dump_peek(d, 0);
        if (depth == 0 && (c == ',' || c == ')')) {
            return true;
        }
        if (!dump_skip_token(d)) {
            return false;
        }
        depth += (c == '(') - (c == ')');
    }
}

static bool read_definitions(struct dump *d, const struct dump_table *table, struct layout *layout)
{
    char name[DUMP_NAME_SIZE];
    enum dump_name kind;
    *layout = (struct layout){0};
    do {
        (void)dump_next(d);
        if (!dump_skip_blank(d) || !dump_read_name(d, name, &kind)) {
            return false;
        }
        bool column = kind == NAME_QUOTED || (kind == NAME_BARE && !is_constraint(name));
        if ((column && !add_column(d, table, layout, name)) || !skip_definition(d)) {
            return false;
        }
    } while (dump_peek(d, 0) == ',');
    return true;
}

/* CREATE [UNLOGGED …] TABLE [IF NOT EXISTS] name (…) */
static bool read_create(struct dump *d)
{
    char name[DUMP_NAME_SIZE];
    bool more = true;
    for (int i = 0; i < 3 && more && !dump_take_word(d, "TABLE"); i++) {
        enum dump_name kind;
        if (!dump_read_name(d, name, &kind) || !dump_skip_blank(d)) {
            return false;
        }
        more = kind == NAME_BARE;
    }
    if (!dump_skip_blank(d)) {
        return false;
    }
    if (dump_take_word(d, "IF") && (!dump_skip_blank(d) || !dump_take_word(d, "NOT") ||
                                    !dump_skip_blank(d) || !dump_take_word(d, "EXISTS"))) {
        return dump_skip_statement(d);
    }
    if (!dump_read_table_name(d, name) || !dump_skip_blank(d)) {
        return false;
    }
    const struct dump_table *table = wanted_table(d, name);
    if (table && dump_peek(d, 0) == '(' &&
        !read_definitions(d, table, &d->layouts[table - d->tables])) {
        return false;
    }
    return dump_skip_statement(d);
}

/* ---- rows ---- */

static void begin_row(struct dump *d)
{
    for (size_t i = 0; i < DUMP_WANTED_MAX; i++) {
        buf_clear(&d->values[i]);
        d->present[i] = false;
    }
}

static bool end_row(struct dump *d, const struct dump_table *table)
{
    struct dump_value values[DUMP_WANTED_MAX] = {0};
    for (size_t i = 0; i < table->column_count; i++) {
        if (d->present[i] && table->columns[i].bytes && d->dialect == DIALECT_POSTGRESQL &&
            !dump_decode_bytea(d, &d->values[i])) {
            return false;
        }
        values[i] = (struct dump_value){d->present[i], buf_slice_of(&d->values[i])};
    }
    return d->sink->row(d->sink->arg, table, values, d->err);
}

static bool read_tuple(struct dump *d, const struct dump_table *table, const struct layout *layout)
{
    size_t n = 0;
    begin_row(d);
    do {
        (void)dump_next(d);
        if (n == layout->count) {
            return dump_fail(d, "a row of %s has more than %zu values", table->name, layout->count);
        }
        if (!dump_read_value(d, layout->wanted[n++]) || !skip_definition(d)) {
            return false;
        }
    } while (dump_peek(d, 0) == ',');
    (void)dump_next(d);
    if (n != layout->count) {
        return dump_fail(d, "a row of %s has %zu values instead of %zu", table->name, n,
                         layout->count);
    }
    return end_row(d, table);
}

static bool read_tuples(struct dump *d, const struct dump_table *table, const struct layout *layout)
{
    do {
        if (!dump_skip_blank(d)) {
            return false;
        }
        if (dump_peek(d, 0) != '(') {
            break;
        }
        if (!read_tuple(d, table, layout) || !dump_skip_blank(d)) {
            return false;
        }
    } while (dump_peek(d, 0) == ',' && dump_next(d) == ',');
    return dump_skip_statement(d);
}

/* The columns that a statement names, else those of CREATE TABLE. */
static bool columns_of(struct dump *d, const struct dump_table *table, struct layout *out)
{
    if (!dump_skip_blank(d)) {
        return false;
    }
    if (dump_peek(d, 0) == '(') {
        return read_column_list(d, table, out);
    }
    *out = d->layouts[table - d->tables];
    return out->count > 0 ||
           dump_fail(d,
                     "the columns of %s are not named; dump with its CREATE TABLE, or with "
                     "--complete-insert (MySQL) or --column-inserts (PostgreSQL)",
                     table->name);
}

/* INSERT [IGNORE …] INTO name [(columns)] [OVERRIDING … VALUE] VALUES (…),(…); also REPLACE */
static bool read_insert(struct dump *d)
{
    char name[DUMP_NAME_SIZE];
    struct layout layout = {0};
    for (int i = 0; i < 3 && !dump_take_word(d, "INTO"); i++) {
        enum dump_name kind;
        if (!dump_read_name(d, name, &kind) || !dump_skip_blank(d)) {
            return false;
        }
    }
    if (!dump_read_table_name(d, name)) {
        return false;
    }
    const struct dump_table *table = wanted_table(d, name);
    if (!table) {
        return dump_skip_statement(d);
    }
    if (!columns_of(d, table, &layout) || !dump_skip_blank(d)) {
        return false;
    }
    for (int i = 0; i < 4; i++) {
        if (dump_take_word(d, "VALUES")) {
            return read_tuples(d, table, &layout);
        }
        enum dump_name kind;
        if (!dump_read_name(d, name, &kind) || !dump_skip_blank(d)) {
            return false;
        }
    }
    return dump_fail(d, "an INSERT into %s without VALUES", table->name);
}

/* ---- COPY ---- */

static bool at_copy_end(struct dump *d)
{
    int c = dump_peek(d, 2);
    return dump_peek(d, 0) == '\\' && dump_peek(d, 1) == '.' && (c == '\n' || c == '\r' || c < 0);
}

static bool read_copy_line(struct dump *d, const struct dump_table *table,
                           const struct layout *layout)
{
    size_t n = 0;
    int c;
    begin_row(d);
    do {
        if (n == layout->count) {
            return dump_fail(d, "a row of %s has more than %zu values", table->name, layout->count);
        }
        if (!dump_read_field(d, layout->wanted[n++])) {
            return false;
        }
        c = dump_next(d);
    } while (c == '\t');
    if (c < 0) {
        return dump_cut_off(d);
    }
    if (n != layout->count) {
        return dump_fail(d, "a row of %s has %zu values instead of %zu", table->name, n,
                         layout->count);
    }
    return end_row(d, table);
}

static bool read_copy_data(struct dump *d, const struct dump_table *table,
                           const struct layout *layout)
{
    while (!at_copy_end(d)) {
        if (dump_peek(d, 0) < 0) {
            return dump_cut_off(d);
        }
        if (!table) {
            dump_skip_line(d);
        } else if (!read_copy_line(d, table, layout)) {
            return false;
        }
    }
    dump_skip_line(d);
    return true;
}

/* A list in brackets, when there is one. */
static bool skip_list(struct dump *d)
{
    int depth = 0;
    do {
        int c = dump_peek(d, 0);
        if (depth == 0 && c != '(') {
            return true;
        }
        if (!dump_skip_token(d)) {
            return false;
        }
        depth += (c == '(') - (c == ')');
    } while (depth > 0);
    return true;
}

/* COPY name (columns) FROM stdin; rows; \. */
static bool read_copy(struct dump *d)
{
    char name[DUMP_NAME_SIZE];
    struct layout layout = {0};
    d->dialect = DIALECT_POSTGRESQL;
    if (!dump_read_table_name(d, name) || !dump_skip_blank(d)) {
        return false;
    }
    const struct dump_table *table = wanted_table(d, name);
    if (table && !columns_of(d, table, &layout)) {
        return false;
    }
    if ((!table && !skip_list(d)) || !dump_skip_blank(d)) {
        return false;
    }
    bool from_stdin = dump_take_word(d, "FROM") && dump_skip_blank(d) && dump_take_word(d, "STDIN");
    if (!dump_skip_statement(d)) {
        return false;
    }
    if (!from_stdin) {
        return true;
    }
    dump_skip_line(d);
    return read_copy_data(d, table, &layout);
}

/* ---- statements ---- */

/* SET standard_conforming_strings = on; is PostgreSQL's; off: backslashes escape. */
static bool read_set(struct dump *d)
{
    if (dump_take_word(d, "STANDARD_CONFORMING_STRINGS")) {
        d->dialect = DIALECT_POSTGRESQL;
        if (!dump_skip_blank(d)) {
            return false;
        }
        if (dump_peek(d, 0) == '=') {
            (void)dump_next(d);
        }
        if (!dump_skip_blank(d)) {
            return false;
        }
        d->backslashes = dump_take_word(d, "OFF");
    }
    return dump_skip_statement(d);
}

static bool read_delimiter(struct dump *d)
{
    dump_skip_line(d); /* a command of the mysql client, not a statement */
    return true;
}

static bool read_statement(struct dump *d)
{
    static const struct {
        const char *word;
        bool (*read)(struct dump *d);
    } statements[] = {{"CREATE", read_create},  {"INSERT", read_insert},
                      {"REPLACE", read_insert}, {"COPY", read_copy},
                      {"SET", read_set},        {"DELIMITER", read_delimiter}};
    if (dump_peek(d, 0) == '\\') {
        dump_skip_line(d); /* a command of psql */
        return true;
    }
    for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++) {
        if (dump_take_word(d, statements[i].word)) {
            return dump_skip_blank(d) && statements[i].read(d);
        }
    }
    return dump_skip_statement(d);
}

static bool check_format(struct dump *d)
{
    static const struct {
        const char *magic;
        size_t n;
        const char *sentence;
    } formats[] = {
        {"PGDMP", 5, "it is in pg_dump's custom format; dump with --format=plain"},
        {"\x1f\x8b", 2, "it is compressed by gzip; decompress it first"},
        {"\x28\xb5\x2f\xfd", 4, "it is compressed by zstd; decompress it first"},
        {"\xfd"
         "7zXZ",
         5, "it is compressed by xz; decompress it first"},
        {"BZh", 3, "it is compressed by bzip2; decompress it first"},
        {"<?xml", 5, "it is XML; dump without --xml"},
    };
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        size_t same = 0;
        while (same < formats[i].n && dump_peek(d, same) == (unsigned char)formats[i].magic[same]) {
            same++;
        }
        if (same == formats[i].n) {
            return dump_fail(d, "%s", formats[i].sentence);
        }
    }
    return d->err->code == ERR_NONE;
}

static bool read_all(struct dump *d)
{
    if (!check_format(d)) {
        return false;
    }
    for (;;) {
        if (!dump_skip_blank(d)) {
            return false;
        }
        if (dump_peek(d, 0) < 0) {
            return d->err->code == ERR_NONE;
        }
        if (!read_statement(d)) {
            return false;
        }
    }
}

bool dump_read(const struct dump_source *source, const struct dump_table *tables,
               size_t table_count, const struct dump_sink *sink, struct err *err)
{
    struct err own = {0};
    struct dump *d = xcalloc(1, sizeof(*d));
    *d = (struct dump){.source = source,
                       .sink = sink,
                       .tables = tables,
                       .table_count = table_count,
                       .line = 1,
                       .err = &own};
    d->block = xmalloc(DUMP_BLOCK);
    for (size_t i = 0; i < DUMP_WANTED_MAX; i++) {
        d->values[i].max = DUMP_VALUE_MAX;
    }
    bool done = read_all(d);
    for (size_t i = 0; i < DUMP_WANTED_MAX; i++) {
        buf_wipe(&d->values[i]); /* keys, though sealed */
    }
    free(d->block);
    free(d);
    if (!done && err) {
        *err = own;
    }
    return done;
}
