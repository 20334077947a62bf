#include "trust/dump_internal.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

/* ---- characters ---- */

/* Moves what is left to the front and reads on. */
static void refill(struct dump *d)
{
    memmove(d->block, d->block + d->at, d->n - d->at);
    d->n -= d->at;
    d->at = 0;
    ptrdiff_t got = d->source->read(d->source->arg, d->block + d->n, DUMP_BLOCK - d->n);
    if (got < 0) {
        err_sys(d->err, errno, "reading a dump");
    }
    d->ended = got <= 0;
    d->n += got > 0 ? (size_t)got : 0;
}

int dump_peek(struct dump *d, size_t ahead)
{
    while (d->at + ahead >= d->n && !d->ended) {
        refill(d);
    }
    return d->at + ahead < d->n ? d->block[d->at + ahead] : -1;
}

int dump_next(struct dump *d)
{
    int c = dump_peek(d, 0);
    if (c >= 0) {
        d->at++;
        d->line += c == '\n';
    }
    return c;
}

bool dump_fail(struct dump *d, const char *fmt, ...)
{
    char what[400];
    va_list args;
    if (d->err->code != ERR_NONE) {
        return false; /* a failed read comes first */
    }
    va_start(args, fmt);
    (void)vsnprintf(what, sizeof(what), fmt, args);
    va_end(args);
    return err_set(d->err, ERR_INVALID, "line %lld of the dump: %s", (long long)d->line, what);
}

bool dump_cut_off(struct dump *d)
{
    return dump_fail(d, "it ends in the middle of a statement; it was cut off: dump again");
}

/* ---- what is skipped ---- */

static void note_comment(struct dump *d, struct slice text)
{
    if (slice_starts(text, "-- MySQL dump") || slice_starts(text, "-- MariaDB dump")) {
        d->dialect = DIALECT_MYSQL;
        d->backslashes = true;
    } else if (slice_starts(text, "-- PostgreSQL database")) {
        d->dialect = DIALECT_POSTGRESQL;
    }
}

void dump_skip_line(struct dump *d)
{
    int c;
    do {
        c = dump_next(d);
    } while (c >= 0 && c != '\n');
}

static void skip_line_comment(struct dump *d)
{
    char text[32];
    size_t n = 0;
    while (n < sizeof(text) && dump_peek(d, n) >= 0) {
        text[n] = (char)dump_peek(d, n);
        n++;
    }
    note_comment(d, slice_of_bytes(text, n));
    dump_skip_line(d);
}

static bool skip_block_comment(struct dump *d)
{
    if (dump_peek(d, 2) == '!' || (dump_peek(d, 2) == 'M' && dump_peek(d, 3) == '!')) {
        d->dialect = DIALECT_MYSQL;
        d->backslashes = true;
    }
    d->at += 2;
    while (dump_peek(d, 0) >= 0) {
        if (dump_next(d) == '*' && dump_peek(d, 0) == '/') {
            d->at++;
            return true;
        }
    }
    return dump_cut_off(d);
}

bool dump_skip_blank(struct dump *d)
{
    for (;;) {
        int c = dump_peek(d, 0);
        if (c == ' ' || (c >= '\t' && c <= '\r')) {
            (void)dump_next(d);
        } else if (c == '-' && dump_peek(d, 1) == '-') {
            skip_line_comment(d);
        } else if (c == '/' && dump_peek(d, 1) == '*') {
            if (!skip_block_comment(d)) {
                return false;
            }
        } else {
            return d->err->code == ERR_NONE;
        }
    }
}

static bool skip_quoted(struct dump *d)
{
    int quote = dump_next(d);
    bool escapes = d->backslashes && quote != '`';
    for (;;) {
        int c = dump_next(d);
        if (c < 0) {
            return dump_cut_off(d);
        }
        if (c == quote) {
            return true; /* a doubled quote begins the next quoted text: the same to who skips */
        }
        if (c == '\\' && escapes) {
            (void)dump_next(d);
        }
    }
}

/* $tag$ … $tag$ of PostgreSQL; a '$' that begins none is a character. */
static bool skip_dollar_quoted(struct dump *d)
{
    char tag[DUMP_NAME_SIZE];
    size_t n = 1;
    tag[0] = '$';
    while (n < sizeof(tag) - 1 && (isalnum(dump_peek(d, n)) || dump_peek(d, n) == '_')) {
        tag[n] = (char)dump_peek(d, n);
        n++;
    }
    if (dump_peek(d, n) != '$' || d->dialect == DIALECT_MYSQL) {
        (void)dump_next(d);
        return true;
    }
    tag[n++] = '$';
    d->at += n;
    for (size_t same = 0; same < n;) {
        int c = dump_next(d);
        if (c < 0) {
            return dump_cut_off(d);
        }
        if (c == tag[same]) {
            same++;
        } else {
            same = c == '$';
        }
    }
    return true;
}

bool dump_skip_token(struct dump *d)
{
    switch (dump_peek(d, 0)) {
    case '\'':
    case '"':
    case '`':
        return skip_quoted(d);
    case '$':
        return skip_dollar_quoted(d);
    case -1:
        return dump_cut_off(d);
    default:
        (void)dump_next(d);
        return true;
    }
}

bool dump_skip_statement(struct dump *d)
{
    for (;;) {
        if (!dump_skip_blank(d)) {
            return false;
        }
        int c = dump_peek(d, 0);
        if (!dump_skip_token(d)) {
            return false;
        }
        if (c == ';') {
            return true;
        }
    }
}

/* ---- names ---- */

static bool in_bare_name(int c)
{
    return c >= 0x80 || c == '_' || c == '$' || (c >= 0 && isalnum(c));
}

static bool read_quoted_name(struct dump *d, char out[DUMP_NAME_SIZE])
{
    int quote = dump_next(d);
    size_t n = 0;
    if (quote == '`') {
        d->dialect = DIALECT_MYSQL;
        d->backslashes = true;
    }
    for (;;) {
        int c = dump_next(d);
        if (c < 0) {
            return dump_cut_off(d);
        }
        if (c == quote && dump_peek(d, 0) != quote) {
            out[n] = '\0';
            return true;
        }
        if (c == quote) {
            (void)dump_next(d);
        }
        if (n == DUMP_NAME_SIZE - 1) {
            return dump_fail(d, "a name has more than %d bytes", DUMP_NAME_SIZE - 1);
        }
        out[n++] = (char)c;
    }
}

bool dump_read_name(struct dump *d, char out[DUMP_NAME_SIZE], enum dump_name *kind)
{
    size_t n = 0;
    int c = dump_peek(d, 0);
    *kind = NAME_NONE;
    out[0] = '\0';
    if (c == '`' || c == '"') {
        *kind = NAME_QUOTED;
        return read_quoted_name(d, out);
    }
    while (in_bare_name(dump_peek(d, 0))) {
        if (n == DUMP_NAME_SIZE - 1) {
            return dump_fail(d, "a name has more than %d bytes", DUMP_NAME_SIZE - 1);
        }
        out[n++] = (char)dump_next(d);
        *kind = NAME_BARE;
    }
    out[n] = '\0';
    return d->err->code == ERR_NONE;
}

bool dump_read_table_name(struct dump *d, char out[DUMP_NAME_SIZE])
{
    enum dump_name kind;
    for (;;) {
        if (!dump_skip_blank(d) || !dump_read_name(d, out, &kind)) {
            return false;
        }
        if (dump_peek(d, 0) != '.') {
            return true;
        }
        (void)dump_next(d);
    }
}

bool dump_take_word(struct dump *d, const char *word)
{
    size_t n = strlen(word);
    for (size_t i = 0; i < n; i++) {
        int c = dump_peek(d, i);
        if (c < 0 || toupper(c) != word[i]) {
            return false;
        }
    }
    if (in_bare_name(dump_peek(d, n))) {
        return false;
    }
    d->at += n;
    return true;
}

/* ---- values ---- */

static bool put(struct dump *d, int slot, const void *p, size_t n)
{
    if (slot < 0) {
        return true;
    }
    buf_put(&d->values[slot], p, n);
    return !d->values[slot].failed ||
           dump_fail(d, "a value has more than %zu bytes", DUMP_VALUE_MAX);
}

static bool put_char(struct dump *d, int slot, int c)
{
    char byte = (char)c;
    return put(d, slot, &byte, 1);
}

/* The bytes up to the next quote or backslash, as they lie in the block. */
static bool put_plain(struct dump *d, int slot)
{
    size_t from = d->at;
    while (d->at < d->n && d->block[d->at] != '\'' && d->block[d->at] != '\\') {
        d->line += d->block[d->at] == '\n';
        d->at++;
    }
    return put(d, slot, d->block + from, d->at - from);
}

static int mysql_escape(int c)
{
    static const char from[] = "0nrtbZ";
    static const char to[] = "\0\n\r\t\b\x1a";
    const char *at = c > 0 ? strchr(from, c) : NULL;
    return at ? to[at - from] : c;
}

static bool read_quoted_value(struct dump *d, int slot, bool escapes)
{
    (void)dump_next(d);
    for (;;) {
        if (dump_peek(d, 0) < 0) {
            return dump_cut_off(d);
        }
        if (!put_plain(d, slot)) {
            return false;
        }
        int c = dump_next(d);
        if (c == '\'' && dump_peek(d, 0) != '\'') {
            return true;
        }
        if (c < 0) {
            continue; /* the end of the dump, which is told above */
        }
        if (c == '\'' || (c == '\\' && escapes)) {
            int next = dump_next(d);
            c = c == '\'' || next < 0 ? next : mysql_escape(next);
        }
        if (!put_char(d, slot, c)) {
            return false;
        }
    }
}

static int hex_value(int c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_hex(struct dump *d, int slot)
{
    while (hex_value(dump_peek(d, 0)) >= 0) {
        int high = hex_value(dump_next(d));
        int low = hex_value(dump_peek(d, 0));
        if (low < 0) {
            return dump_fail(d, "an odd number of hex digits");
        }
        (void)dump_next(d);
        if (!put_char(d, slot, high * 16 + low)) {
            return false;
        }
    }
    return true;
}

static bool read_quoted_hex(struct dump *d, int slot)
{
    d->at++;
    return read_hex(d, slot) &&
           (dump_next(d) == '\'' || dump_fail(d, "a hex value does not end with a quote"));
}

/* NULL, a number, or what stands before a quoted text: X, E, N, _binary. */
static bool read_bare_value(struct dump *d, int slot, bool *present)
{
    char word[DUMP_NAME_SIZE];
    size_t n = 0;
    int c = dump_peek(d, 0);
    while (in_bare_name(c) || c == '.' || c == '+' || c == '-') {
        if (n == sizeof(word) - 1) {
            return dump_fail(d, "a number has more than %zu characters", sizeof(word) - 1);
        }
        word[n++] = (char)dump_next(d);
        c = dump_peek(d, 0);
    }
    word[n] = '\0';
    if (n == 0) {
        return c < 0 ? dump_cut_off(d) : dump_fail(d, "no value where one is expected");
    }
    if (c == '\'' && strcasecmp(word, "X") == 0) {
        return read_quoted_hex(d, slot);
    }
    if (c == '\'' && (strcasecmp(word, "E") == 0 || strcasecmp(word, "N") == 0)) {
        return read_quoted_value(d, slot, d->backslashes || toupper(word[0]) == 'E');
    }
    *present = strcasecmp(word, "NULL") != 0 && strcasecmp(word, "DEFAULT") != 0;
    return !*present || put(d, slot, word, n);
}

static bool skip_charset(struct dump *d)
{
    char word[DUMP_NAME_SIZE];
    enum dump_name kind;
    return dump_peek(d, 0) != '_' || (dump_read_name(d, word, &kind) && dump_skip_blank(d));
}

static bool read_plain_quoted(struct dump *d, int slot)
{
    if (d->dialect == DIALECT_UNKNOWN) {
        return dump_fail(d,
                         "nothing tells whether MySQL or PostgreSQL wrote it; dump with comments "
                         "(without --compact, --skip-comments)");
    }
    return read_quoted_value(d, slot, d->backslashes);
}

bool dump_read_value(struct dump *d, int slot)
{
    bool present = true;
    bool done;
    if (!dump_skip_blank(d) || !skip_charset(d)) {
        return false;
    }
    if (dump_peek(d, 0) == '\'') {
        done = read_plain_quoted(d, slot);
    } else if (dump_peek(d, 0) == '0' && dump_peek(d, 1) == 'x') {
        d->at += 2;
        done = read_hex(d, slot);
    } else {
        done = read_bare_value(d, slot, &present);
    }
    if (slot >= 0) {
        d->present[slot] = present;
    }
    return done;
}

/* ---- COPY ---- */

static int octal(struct dump *d, int first)
{
    int value = first - '0';
    for (int i = 0; i < 2 && dump_peek(d, 0) >= '0' && dump_peek(d, 0) <= '7'; i++) {
        value = value * 8 + dump_next(d) - '0';
    }
    return value & 0xff;
}

static int short_hex(struct dump *d)
{
    int value = 0;
    if (hex_value(dump_peek(d, 0)) < 0) {
        return 'x';
    }
    for (int i = 0; i < 2 && hex_value(dump_peek(d, 0)) >= 0; i++) {
        value = value * 16 + hex_value(dump_next(d));
    }
    return value;
}

static int copy_escape(struct dump *d, int c)
{
    static const char from[] = "bfnrtv";
    static const char to[] = "\b\f\n\r\t\v";
    const char *at = c > 0 ? strchr(from, c) : NULL;
    if (at) {
        return to[at - from];
    }
    if (c == 'x') {
        return short_hex(d);
    }
    return c >= '0' && c <= '7' ? octal(d, c) : c;
}

static bool ends_field(int c)
{
    return c == '\t' || c == '\n' || c < 0;
}

static bool put_plain_field(struct dump *d, int slot)
{
    size_t from = d->at;
    while (d->at < d->n && d->block[d->at] != '\t' && d->block[d->at] != '\n' &&
           d->block[d->at] != '\\') {
        d->at++;
    }
    return put(d, slot, d->block + from, d->at - from);
}

bool dump_read_field(struct dump *d, int slot)
{
    bool present = true;
    if (dump_peek(d, 0) == '\\' && dump_peek(d, 1) == 'N' && ends_field(dump_peek(d, 2))) {
        d->at += 2;
        present = false;
    }
    while (!ends_field(dump_peek(d, 0))) {
        if (!put_plain_field(d, slot)) {
            return false;
        }
        if (dump_peek(d, 0) != '\\') {
            continue;
        }
        (void)dump_next(d);
        int c = dump_next(d);
        if (c < 0) {
            return dump_cut_off(d);
        }
        if (!put_char(d, slot, copy_escape(d, c))) {
            return false;
        }
    }
    if (slot >= 0) {
        d->present[slot] = present;
    }
    return d->err->code == ERR_NONE;
}

/* ---- bytea ---- */

static bool decode_hex(struct dump *d, struct buf *value)
{
    size_t n = value->n - 2;
    if (n % 2 != 0) {
        return dump_fail(d, "a bytea with an odd number of hex digits");
    }
    for (size_t i = 0; i < n / 2; i++) {
        int high = hex_value((unsigned char)value->p[2 + 2 * i]);
        int low = hex_value((unsigned char)value->p[3 + 2 * i]);
        if (high < 0 || low < 0) {
            return dump_fail(d, "a bytea that is not hex");
        }
        value->p[i] = (char)(high * 16 + low);
    }
    value->n = n / 2;
    return true;
}

/* The older form: \\ and \ooo. */
static bool decode_escapes(struct dump *d, struct buf *value)
{
    size_t out = 0;
    for (size_t i = 0; i < value->n; i++) {
        int c = (unsigned char)value->p[i];
        if (c == '\\' && i + 1 < value->n && value->p[i + 1] == '\\') {
            i++;
        } else if (c == '\\') {
            int byte = 0;
            size_t digits = 0;
            while (digits < 3 && i + 1 < value->n && value->p[i + 1] >= '0' &&
                   value->p[i + 1] <= '7') {
                byte = byte * 8 + value->p[++i] - '0';
                digits++;
            }
            if (digits != 3 || byte > 255) {
                return dump_fail(d, "a bytea with a broken escape");
            }
            c = byte;
        }
        value->p[out++] = (char)c;
    }
    value->n = out;
    return true;
}

bool dump_decode_bytea(struct dump *d, struct buf *value)
{
    if (value->n >= 2 && value->p[0] == '\\' && value->p[1] == 'x') {
        return decode_hex(d, value);
    }
    return decode_escapes(d, value);
}
