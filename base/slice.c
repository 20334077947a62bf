#include "base/slice.h"

#include <limits.h>

static char lower(char c)
{
    return (c >= 'A' && c <= 'Z') ? (char)(c - 'A' + 'a') : c;
}

bool slice_equal(struct slice a, struct slice b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool slice_is(struct slice a, const char *text)
{
    return slice_equal(a, slice_str(text));
}

bool slice_is_nocase(struct slice a, const char *text)
{
    struct slice b = slice_str(text);
    if (a.n != b.n) {
        return false;
    }
    for (size_t i = 0; i < a.n; i++) {
        if (lower(a.p[i]) != lower(b.p[i])) {
            return false;
        }
    }
    return true;
}

bool slice_starts(struct slice a, const char *prefix)
{
    struct slice b = slice_str(prefix);
    return a.n >= b.n && slice_equal(slice_first(a, b.n), b);
}

bool slice_starts_nocase(struct slice a, const char *prefix)
{
    size_t n = strlen(prefix);
    return a.n >= n && slice_is_nocase(slice_first(a, n), prefix);
}

bool slice_ends(struct slice a, const char *suffix)
{
    struct slice b = slice_str(suffix);
    return a.n >= b.n && slice_equal(slice_from(a, a.n - b.n), b);
}

int slice_compare(struct slice a, struct slice b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int order = n ? memcmp(a.p, b.p, n) : 0;
    if (order != 0) {
        return order;
    }
    return (a.n > b.n) - (a.n < b.n);
}

struct slice slice_from(struct slice a, size_t from)
{
    if (from == 0) {
        return a;
    }
    if (from > a.n) {
        from = a.n;
    }
    return (struct slice){a.p ? a.p + from : NULL, a.n - from};
}

struct slice slice_first(struct slice a, size_t n)
{
    return (struct slice){a.p, n < a.n ? n : a.n};
}

ptrdiff_t slice_index(struct slice a, char c)
{
    const char *hit = a.n ? memchr(a.p, c, a.n) : NULL;
    return hit ? hit - a.p : -1;
}

ptrdiff_t slice_rindex(struct slice a, char c)
{
    const char *hit = a.n ? memrchr(a.p, c, a.n) : NULL;
    return hit ? hit - a.p : -1;
}

bool slice_next(struct slice *rest, char sep, struct slice *out)
{
    if (!rest->p) {
        *out = (struct slice){NULL, 0};
        return false;
    }
    ptrdiff_t at = slice_index(*rest, sep);
    if (at < 0) {
        *out = *rest;
        *rest = (struct slice){NULL, 0};
        return true;
    }
    *out = slice_first(*rest, (size_t)at);
    *rest = slice_from(*rest, (size_t)at + 1);
    return true;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

struct slice slice_trim(struct slice a)
{
    while (a.n && is_blank(a.p[0])) {
        a = slice_from(a, 1);
    }
    while (a.n && is_blank(a.p[a.n - 1])) {
        a.n--;
    }
    return a;
}

bool slice_to_int64(struct slice a, int64_t *out)
{
    int64_t value = 0;
    if (a.n < 1 || a.n > 19) {
        return false;
    }
    for (size_t i = 0; i < a.n; i++) {
        if (a.p[i] < '0' || a.p[i] > '9') {
            return false;
        }
        int digit = a.p[i] - '0';
        if (value > (INT64_MAX - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    *out = value;
    return true;
}

/* Length of the well-formed sequence at p (RFC 3629 section 4, the table of Unicode 3.9), or 0. */
static size_t utf8_sequence(const unsigned char *p, size_t left)
{
    unsigned char low = 0x80;
    unsigned char high = 0xBF;
    size_t n = 0;

    if (p[0] < 0x80) {
        return 1;
    }
    if (p[0] >= 0xC2 && p[0] <= 0xDF) {
        n = 2;
    } else if (p[0] >= 0xE0 && p[0] <= 0xEF) {
        n = 3;
        low = p[0] == 0xE0 ? 0xA0 : low;   /* overlong */
        high = p[0] == 0xED ? 0x9F : high; /* surrogates */
    } else if (p[0] >= 0xF0 && p[0] <= 0xF4) {
        n = 4;
        low = p[0] == 0xF0 ? 0x90 : low;   /* overlong */
        high = p[0] == 0xF4 ? 0x8F : high; /* above U+10FFFF */
    }
    if (n == 0 || left < n || p[1] < low || p[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < n; i++) {
        if ((p[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    return n;
}

struct slice slice_cut(struct slice a, size_t max)
{
    size_t n = a.n < max ? a.n : max;
    while (n > 0 && n < a.n && ((unsigned char)a.p[n] & 0xC0) == 0x80) {
        n--;
    }
    return slice_first(a, n);
}

bool slice_is_utf8(struct slice a)
{
    const unsigned char *p = (const unsigned char *)a.p;
    for (size_t i = 0; i < a.n;) {
        size_t n = utf8_sequence(p + i, a.n - i);
        if (n == 0) {
            return false;
        }
        i += n;
    }
    return true;
}
