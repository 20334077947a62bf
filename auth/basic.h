/* The Authorization header's own forms: which scheme, and the two halves of Basic (RFC 7617).
 * Owns: their parsing. Refuses to know: what a secret is good for. */
#ifndef AUTH_BASIC_H
#define AUTH_BASIC_H

#include "base/buf.h"
#include "base/err.h"

/* "Scheme value": the scheme in any case, one blank, the rest trimmed. */
bool basic_scheme_is(struct slice header, const char *scheme, struct slice *value_out);

struct basic {
    struct slice user;   /* may be empty (BuildKit) */
    struct slice secret; /* everything after the first colon */
    struct buf plain;    /* owned: what both point into */
};
/* Expected errors: ERR_UNAUTHORIZED: another scheme, no base64, no colon, a control character. */
bool basic_parse(struct slice header, struct basic *out, struct err *err) MUST_USE;
void basic_dispose(struct basic *b); /* wipes */

static inline void cleanup_basic(struct basic *b)
{
    basic_dispose(b);
}
#define auto_basic __attribute__((cleanup(cleanup_basic)))

#endif
