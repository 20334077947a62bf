#include "base/buf.h"

#include <malloc.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>

static NORETURN void out_of_memory(void)
{
    BUG("out of memory");
}

void *xmalloc(size_t n)
{
    void *p = malloc(n ? n : 1);
    if (!p) {
        out_of_memory();
    }
    return p;
}

void *xcalloc(size_t count, size_t size)
{
    void *p = calloc(count ? count : 1, size ? size : 1);
    if (!p) {
        out_of_memory();
    }
    return p;
}

void *xrealloc(void *p, size_t n)
{
    void *grown = realloc(p, n ? n : 1);
    if (!grown) {
        out_of_memory();
    }
    return grown;
}

char *xstrdup(const char *s)
{
    return xstrndup(s, strlen(s));
}

char *xstrndup(const char *s, size_t n)
{
    size_t length = strnlen(s, n);
    char *copy = xmalloc(length + 1);
    memcpy(copy, s, length);
    copy[length] = '\0';
    return copy;
}

void xtrim(void)
{
    (void)malloc_trim(0);
}

/* False, and failed set, when `more` bytes would pass the bound. */
static bool fits(struct buf *b, size_t more)
{
    if (b->failed) {
        return false;
    }
    if (more > SIZE_MAX / 2 - b->n || (b->max && more > b->max - b->n)) {
        b->failed = true;
        return false;
    }
    return true;
}

/* Memory for `more` bytes and the NUL. */
static void grow(struct buf *b, size_t more)
{
    size_t need = b->n + more + 1;
    if (need <= b->cap) {
        return;
    }
    size_t cap = b->cap ? b->cap : 64;
    while (cap < need) {
        cap *= 2;
    }
    b->p = xrealloc(b->p, cap);
    b->cap = cap;
    b->p[b->n] = '\0';
}

void buf_reserve(struct buf *b, size_t more)
{
    if (fits(b, more)) {
        grow(b, more);
    }
}

void buf_put(struct buf *b, const void *p, size_t n)
{
    if (!fits(b, n)) {
        return;
    }
    grow(b, n);
    if (n) {
        memcpy(b->p + b->n, p, n);
    }
    b->n += n;
    b->p[b->n] = '\0';
}

void buf_str(struct buf *b, const char *s)
{
    buf_put(b, s, strlen(s));
}

void buf_slice(struct buf *b, struct slice s)
{
    buf_put(b, s.p, s.n);
}

void buf_char(struct buf *b, char c)
{
    buf_put(b, &c, 1);
}

void buf_int(struct buf *b, int64_t n)
{
    char digits[20]; /* of the longest, with its sign */
    size_t at = sizeof digits;
    uint64_t rest = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;

    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (n < 0) {
        digits[--at] = '-';
    }
    buf_put(b, digits + at, sizeof digits - at);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (n < 0) {
        b->failed = true;
    } else if (fits(b, (size_t)n)) {
        grow(b, (size_t)n);
        (void)vsnprintf(b->p + b->n, (size_t)n + 1, fmt, again);
        b->n += (size_t)n;
    }
    va_end(again);
}

/* Bytes of the longest well-formed UTF-8 prefix unit at s, or 0 when the first byte starts none. */
static size_t utf8_unit(struct slice s)
{
    for (size_t n = 1; n <= 4 && n <= s.n; n++) {
        if (slice_is_utf8(slice_first(s, n))) {
            return n;
        }
    }
    return 0;
}

static void json_ascii(struct buf *b, char c)
{
    static const char escapes[][3] = {
        ['\b'] = "\\b", ['\t'] = "\\t", ['\n'] = "\\n", ['\f'] = "\\f", ['\r'] = "\\r"};
    unsigned char u = (unsigned char)c;
    if (c == '"' || c == '\\') {
        buf_char(b, '\\');
        buf_char(b, c);
    } else if (u < sizeof(escapes) / sizeof(escapes[0]) && escapes[u][0]) {
        buf_str(b, escapes[u]);
    } else if (u < 0x20 || u == 0x7F) {
        buf_printf(b, "\\u%04x", u);
    } else {
        buf_char(b, c);
    }
}

/* How many bytes from the first on stand for themselves. */
static size_t json_plain(struct slice s)
{
    size_t n = 0;
    while (n < s.n && s.p[n] >= 0x20 && s.p[n] < 0x7F && s.p[n] != '"' && s.p[n] != '\\') {
        n++;
    }
    return n;
}

void buf_json_string(struct buf *b, struct slice s)
{
    buf_char(b, '"');
    while (s.n) {
        size_t plain = json_plain(s);
        if (plain > 0) {
            buf_put(b, s.p, plain);
            s = slice_from(s, plain);
            continue;
        }
        size_t n = utf8_unit(s);
        if (n == 0) {
            buf_str(b, "\xEF\xBF\xBD"); /* U+FFFD, one per ill-formed byte */
            n = 1;
        } else if (n == 1) {
            json_ascii(b, s.p[0]);
        } else {
            buf_put(b, s.p, n);
        }
        s = slice_from(s, n);
    }
    buf_char(b, '"');
}

static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

void buf_url(struct buf *b, struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (is_unreserved(s.p[i])) {
            buf_char(b, s.p[i]);
        } else {
            buf_printf(b, "%%%02X", (unsigned char)s.p[i]);
        }
    }
}

void buf_clear(struct buf *b)
{
    b->n = 0;
    b->failed = false;
    if (b->p) {
        b->p[0] = '\0';
    }
}

void buf_dispose(struct buf *b)
{
    free(b->p);
    *b = (struct buf){.max = b->max};
}

void buf_wipe(struct buf *b)
{
    if (b->p) {
        sodium_memzero(b->p, b->cap);
    }
    buf_dispose(b);
}

char *buf_steal(struct buf *b, size_t *n_out)
{
    grow(b, 0);
    char *p = b->p;
    p[b->n] = '\0';
    if (n_out) {
        *n_out = b->n;
    }
    *b = (struct buf){.max = b->max};
    return p;
}
