/* Rows out of the SQL text that mysqldump (MariaDB's too) and pg_dump write. Bytes come from a
 * source and rows go to a function, so a dump of any size takes the memory of one row.
 * Owns: the grammar of dumps: CREATE TABLE for the order of columns, INSERT and REPLACE in all their
 * forms, COPY … FROM stdin, comments, both kinds of quoting, hex and bytea. Refuses to know: what
 * the tables mean. Everything else in a dump is skipped. */
#ifndef TRUST_DUMP_H
#define TRUST_DUMP_H

#include "base/err.h"
#include "base/slice.h"

#include <stddef.h>

#define DUMP_VALUE_MAX ((size_t)32 * 1024 * 1024) /* bytes of one value, as written and as read */
#define DUMP_COLUMNS_MAX 64                       /* of a table */
#define DUMP_WANTED_MAX 16                        /* columns that a caller may ask for */
#define DUMP_TABLES_MAX 4

struct dump_column {
    const char *name;
    bool bytes; /* PostgreSQL writes it as bytea */
};
struct dump_table {
    const char *name; /* without schema or database */
    const struct dump_column *columns;
    size_t column_count; /* at most DUMP_WANTED_MAX */
};
struct dump_value {
    bool present; /* false: NULL, or the dump has no such column */
    struct slice bytes;
};

struct dump_source {
    /* Up to n bytes into `out`: how many, 0 at the end, -1 with errno. */
    ptrdiff_t (*read)(void *arg, void *out, size_t n);
    void *arg;
};
struct dump_sink {
    /* One row; `values` are in the order of table->columns and borrowed for the call. False ends the
     * reading with the function's error. */
    bool (*row)(void *arg, const struct dump_table *table, const struct dump_value *values,
                struct err *err);
    void *arg;
};

/* Reads a whole dump and hands out the rows of the wanted tables.
 *   tables   at most DUMP_TABLES_MAX
 * Expected errors: ERR_INVALID with the line: not the text of a dump (compressed, custom format), cut
 * off, a value or a name beyond the bounds, a wanted table without the names of its columns, or
 * nothing that tells whose dump it is where that matters. Any thread. */
bool dump_read(const struct dump_source *source, const struct dump_table *tables,
               size_t table_count, const struct dump_sink *sink, struct err *err) MUST_USE;

#endif
