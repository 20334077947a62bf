/* What the files dump.c (statements) and dump_lex.c (characters and values) share. Not for others.
 * Functions that return false have filled d->err. */
#ifndef TRUST_DUMP_INTERNAL_H
#define TRUST_DUMP_INTERNAL_H

#include "base/buf.h"
#include "trust/dump.h"

#define DUMP_NAME_SIZE 128
#define DUMP_BLOCK ((size_t)64 * 1024)

enum dialect { DIALECT_UNKNOWN = 0, DIALECT_MYSQL, DIALECT_POSTGRESQL };

struct layout { /* of each column of a table: its place among the wanted ones, -1 not wanted */
    int wanted[DUMP_COLUMNS_MAX];
    size_t count;
};

struct dump {
    const struct dump_source *source;
    const struct dump_sink *sink;
    const struct dump_table *tables;
    size_t table_count;
    struct layout layouts[DUMP_TABLES_MAX]; /* by CREATE TABLE; count 0 = not seen */
    enum dialect dialect;
    bool backslashes; /* escape in plain quotes */
    int64_t line;
    unsigned char *block;
    size_t at, n;
    bool ended;
    struct buf values[DUMP_WANTED_MAX];
    bool present[DUMP_WANTED_MAX];
    struct err *err;
};

enum dump_name { NAME_NONE = 0, NAME_BARE, NAME_QUOTED };

/* The character `ahead` places on (0 = the next one); -1 at the end of the dump or after a failed
 * read (then d->err is filled). */
int dump_peek(struct dump *d, size_t ahead);
int dump_next(struct dump *d);
bool dump_fail(struct dump *d, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* At the end of the file inside of something: fills the error. */
bool dump_cut_off(struct dump *d);

/* White space and comments; notes what they tell of the dialect. */
bool dump_skip_blank(struct dump *d);
void dump_skip_line(struct dump *d);
/* To behind the next ';' outside of quotes, comments and dollar quotes. */
bool dump_skip_statement(struct dump *d);
/* One quoted text, or one character. */
bool dump_skip_token(struct dump *d);
/* A name, bare or in ` or ". NAME_NONE: none is there. False: too long. */
bool dump_read_name(struct dump *d, char out[DUMP_NAME_SIZE], enum dump_name *kind);
/* A name with its schema or database, of which only the last part is kept. */
bool dump_read_table_name(struct dump *d, char out[DUMP_NAME_SIZE]);
/* Reads the next bare word when it is `word` (without regard to case). */
bool dump_take_word(struct dump *d, const char *word);

/* A value of INSERT into the wanted column `slot` (-1: dropped). */
bool dump_read_value(struct dump *d, int slot);
/* A field of COPY, to before the tab or the end of the line. */
bool dump_read_field(struct dump *d, int slot);
/* bytea as written into the bytes that it means. */
bool dump_decode_bytea(struct dump *d, struct buf *value);

#endif
