#include "base/err.h"

#include "base/slice.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct err_info table[ERR_COUNT] = {
    [ERR_NONE] = {"ERR_NONE", "UNKNOWN", 500, ERR_CLASS_INTERNAL, "internal error"},
#define ERR(symbol, code, status, class, sentence)                                                 \
    [symbol] = {#symbol, code, status, ERR_CLASS_##class, sentence},
#include "base/err_table.h"
#undef ERR
};

const struct err_info *err_info(enum err_code code)
{
    if ((unsigned)code >= ERR_COUNT) {
        BUG("an error code outside the table");
    }
    return &table[code];
}

/* A cut in the middle of a character would make the reply's JSON ill-formed: step back to its
 * start. */
static void trim_cut_utf8(char *text, size_t n)
{
    size_t at = n;
    while (at > 0 && ((unsigned char)text[at - 1] & 0xC0) == 0x80) {
        at--;
    }
    if (at > 0 && (unsigned char)text[at - 1] >= 0xC0) {
        text[at - 1] = '\0';
    }
}

static void fill_text(char *out, size_t size, const char *fmt, va_list args)
    __attribute__((format(printf, 3, 0)));

/* A message may quote what a client sent, and goes into headers, JSON and terminals: no control
 * characters, and no half characters. */
static void make_plain(char *text)
{
    bool utf8 = slice_is_utf8(slice_str(text));
    for (char *p = text; *p; p++) {
        unsigned char c = (unsigned char)*p;
        if (c < 0x20 || c == 0x7F || (c >= 0x80 && !utf8)) {
            *p = '?';
        }
    }
}

static void fill_text(char *out, size_t size, const char *fmt, va_list args)
{
    int n = vsnprintf(out, size, fmt, args);
    if (n < 0) {
        out[0] = '\0';
        return;
    }
    if ((size_t)n >= size) {
        trim_cut_utf8(out, size - 1);
    }
    make_plain(out);
}

static void use_sentence(struct err *err)
{
    snprintf(err->msg, sizeof(err->msg), "%s", err_info(err->code)->sentence);
}

bool err_set_at(struct err *err, enum err_code code, const char *where, const char *fmt, ...)
{
    if (!err) {
        return false;
    }
    err->code = code;
    err->sys = 0;
    err->detail[0] = '\0';
    err->where = where;
    va_list args;
    va_start(args, fmt);
    fill_text(err->msg, sizeof(err->msg), fmt, args);
    va_end(args);
    if (err->msg[0] == '\0') {
        use_sentence(err);
    }
    return false;
}

static enum err_code code_of(int sys)
{
    switch (sys) {
    case ENOSPC:
    case EDQUOT:
        return ERR_NO_SPACE;
    case EMFILE: /* descriptors come free when others are done */
    case ENFILE:
        return ERR_BUSY;
    default:
        return ERR_INTERNAL;
    }
}

bool err_sys_at(struct err *err, int sys, const char *where, const char *fmt, ...)
{
    if (!err) {
        return false;
    }
    char what[sizeof(err->detail)];
    char reason[128];
    va_list args;
    va_start(args, fmt);
    fill_text(what, sizeof(what), fmt, args);
    va_end(args);

    err->code = code_of(sys);
    err->sys = sys;
    err->where = where;
    int n = snprintf(err->detail, sizeof(err->detail), "%s: %s", what,
                     strerror_r(sys, reason, sizeof(reason)));
    if (n >= (int)sizeof(err->detail)) {
        trim_cut_utf8(err->detail, sizeof(err->detail) - 1);
    }
    use_sentence(err);
    return false;
}

bool err_internal_at(struct err *err, const char *where, const char *fmt, ...)
{
    if (!err) {
        return false;
    }
    err->code = ERR_INTERNAL;
    err->sys = 0;
    err->where = where;
    va_list args;
    va_start(args, fmt);
    fill_text(err->detail, sizeof(err->detail), fmt, args);
    va_end(args);
    use_sentence(err);
    return false;
}

bool err_prefix(struct err *err, const char *fmt, ...)
{
    if (!err) {
        return false;
    }
    char old[sizeof(err->msg)];
    char context[sizeof(err->msg)];
    memcpy(old, err->msg, sizeof(old));
    va_list args;
    va_start(args, fmt);
    fill_text(context, sizeof(context), fmt, args);
    va_end(args);
    int n = snprintf(err->msg, sizeof(err->msg), "%s: %s", context, old);
    if (n >= (int)sizeof(err->msg)) {
        trim_cut_utf8(err->msg, sizeof(err->msg) - 1);
    }
    return false;
}
