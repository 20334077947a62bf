/* Canonical JSON of the Notary v1 dialect (notary-api 14): the bytes that are signed and that key
 * ids hash. Pure. */
#ifndef TRUST_VERIFY_CANON_H
#define TRUST_VERIFY_CANON_H

#include "base/buf.h"
#include "base/err.h"

#include <jansson.h>

/* Members sorted by raw bytes, only `"` and `\` escaped, integers only.
 * Expected errors: ERR_INVALID (a fraction that is no integer, an integer beyond 2^53). */
bool canon_encode(const json_t *value, struct buf *out, struct err *err) MUST_USE;
/* Wire form of what the Go client sends: canonical, with < > & U+2028 U+2029 escaped as \u003c …
 * inside strings. */
bool canon_encode_wire(const json_t *value, struct buf *out, struct err *err) MUST_USE;

#endif
