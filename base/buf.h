/* A growing byte buffer with a sticky failure flag: append as much as needed, check `failed` once.
 * Always NUL-terminated after the first append. Owner: the caller (`auto_buf`). One thread at a time. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/cleanup.h"
#include "base/slice.h"

struct buf {
    char *p;
    size_t n, cap;
    size_t max;  /* 0 = no bound; beyond it `failed` is set and nothing is appended */
    bool failed; /* out of bounds; memory exhaustion aborts */
};

void buf_put(struct buf *b, const void *p, size_t n);
void buf_str(struct buf *b, const char *s);
void buf_slice(struct buf *b, struct slice s);
void buf_char(struct buf *b, char c);
void buf_int(struct buf *b, int64_t n); /* in decimal digits */
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* A JSON string with its quotes: escapes quotation mark, backslash and control characters (RFC 8259 section 7). The bytes must be UTF-8;
 * ill-formed bytes become U+FFFD. */
void buf_json_string(struct buf *b, struct slice s);
/* Percent-encodes everything outside RFC 3986 unreserved. */
void buf_url(struct buf *b, struct slice s);
void buf_reserve(struct buf *b, size_t more);
/* Empties it, keeps the memory. */
void buf_clear(struct buf *b);
/* Frees what is inside; the struct may be used again. Accepts an empty one. */
void buf_dispose(struct buf *b);
/* Wipes (sodium_memzero) and frees: for secrets. */
void buf_wipe(struct buf *b);
/* Hands out the memory (free() by the caller); never NULL; the buffer is empty afterwards. */
char *buf_steal(struct buf *b, size_t *n_out);
static inline struct slice buf_slice_of(const struct buf *b)
{
    return (struct slice){b->p, b->n};
}

static inline void cleanup_buf(struct buf *b)
{
    buf_dispose(b);
}
#define auto_buf __attribute__((cleanup(cleanup_buf)))
static inline void cleanup_wiped(struct buf *b)
{
    buf_wipe(b);
}
#define auto_wiped __attribute__((cleanup(cleanup_wiped))) /* for secrets */

/* malloc wrappers that log and abort when memory is exhausted: only for sizes that were bounded before. */
void *xmalloc(size_t n);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *p, size_t n);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t n);
/* Gives memory that is free back to the system: for after work that took much of it in small pieces. The C
 * library keeps it otherwise, for each thread that did such work by itself. Takes milliseconds; any thread. */
void xtrim(void);

#endif
