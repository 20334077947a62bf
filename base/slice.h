/* Borrowed bytes: a pointer and a length. Owns nothing; lives as long as what it points into. */
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const char *p; /* not NUL-terminated; may be NULL when n is 0 */
    size_t n;      /* bytes */
};

#define SLICE_LIT(text) ((struct slice){(text), sizeof(text) - 1})
/* printf("%.*s", SLICE_FMT(s)) */
#define SLICE_FMT(s) (int)(s).n, (s).p

static inline struct slice slice_str(const char *s)
{
    return (struct slice){s, s ? strlen(s) : 0};
}
static inline struct slice slice_of_bytes(const void *p, size_t n)
{
    return (struct slice){(const char *)p, n};
}

/* Byte-wise equality. */
bool slice_equal(struct slice a, struct slice b);
bool slice_is(struct slice a, const char *text);
/* ASCII case-insensitive equality. */
bool slice_is_nocase(struct slice a, const char *text);
bool slice_starts(struct slice a, const char *prefix);
bool slice_starts_nocase(struct slice a, const char *prefix); /* ASCII */
bool slice_ends(struct slice a, const char *suffix);
/* Byte-wise order as memcmp, the shorter first when one is a prefix. */
int slice_compare(struct slice a, struct slice b);
/* The bytes from `from` to the end; `from` beyond the end gives an empty slice. */
struct slice slice_from(struct slice a, size_t from);
struct slice slice_first(struct slice a, size_t n);
/* Index of the first / last `c`, or -1. */
ptrdiff_t slice_index(struct slice a, char c);
ptrdiff_t slice_rindex(struct slice a, char c);
/* Cuts `rest` at the next `sep`: returns what is before it, leaves what is after it in `rest`; false when `rest` is
 * used up (rest->p == NULL). "a,,b" gives "a", "", "b". */
bool slice_next(struct slice *rest, char sep, struct slice *out);
/* Strips ASCII blanks and tabs at both ends. */
struct slice slice_trim(struct slice a);
/* Strict unsigned decimal, 1 to 19 digits, no sign, no blank; false otherwise or above INT64_MAX. */
bool slice_to_int64(struct slice a, int64_t *out);
/* True when the bytes are well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms). */
bool slice_is_utf8(struct slice a);
/* The first `max` bytes at most, without the beginning of a UTF-8 character that does not fit whole. */
struct slice slice_cut(struct slice a, size_t max);

#endif
