/* Hex and base64 (libsodium underneath), always strict: exact length, no white space, canonical padding. */
#ifndef BASE_HEX_H
#define BASE_HEX_H

#include "base/buf.h"

/* Lower-case hex of n bytes and a NUL: `out` holds 2n + 1. Returns out. */
const char *hex_encode(const void *p, size_t n, char *out);
/* Lower-case hex of exactly n bytes; false otherwise. */
bool hex_decode(struct slice text, void *out, size_t n);
/* Standard alphabet with padding (RFC 4648 section 4). */
void base64_encode(struct buf *b, struct slice bytes);
bool base64_decode(struct slice text, struct buf *out);
/* The same into exactly n bytes, at most 64, that are no secret; false otherwise, and nothing is written. */
bool base64_decode_fixed(struct slice text, uint8_t *out, size_t n);
/* URL-safe alphabet without padding (RFC 4648 section 5), as JWS uses it. */
void base64url_encode(struct buf *b, struct slice bytes);
bool base64url_decode(struct slice text, struct buf *out);

#endif
