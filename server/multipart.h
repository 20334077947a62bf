/* multipart/form-data as Notary clients send it (RFC 7578, RFC 2046 section 5.1): a body in memory
 * becomes a list of parts that point into it. Pure; every bound is checked before anything is
 * believed.
 *
 * Owns: framing. Refuses to know: what the parts mean. */
#ifndef SERVER_MULTIPART_H
#define SERVER_MULTIPART_H

#include "base/buf.h"
#include "base/err.h"

#define MULTIPART_PARTS_MAX                                                                        \
    2048 /* roles of a repository 512, and room for a sentence of their own about it */
#define MULTIPART_HEAD_MAX 8192 /* bytes of one part's headers */
#define MULTIPART_NAME_MAX 1024 /* bytes of a file name */

struct multipart_part {
    struct slice name;     /* field name; may be empty */
    struct slice filename; /* without its quotes; slashes kept, backslash escapes left as sent (no
                              role has any) */
    bool has_filename;     /* false: the parameter is not there */
    struct slice content_type; /* may be empty */
    struct slice bytes;        /* points into the body */
};

struct multipart {
    struct multipart_part *parts; /* in body order */
    size_t count;
};

/* Takes a body apart.
 *   content_type   value of the request's Content-Type; NULL when absent. Any multipart type with a
 * boundary is taken body           whole body; must outlive out. Zero parts are legal, also in the
 * form CRLF--boundary--CRLF out            multipart_dispose; empty on false Expected errors:
 * ERR_TRUST_MALFORMED_UPLOAD with a sentence: not multipart, no boundary, truncated, malformed, or
 * over one of the bounds above. A part without a file name is no error here. */
bool multipart_parse(const char *content_type, struct slice body, struct multipart *out,
                     struct err *err) MUST_USE;
void multipart_dispose(struct multipart *m);

static inline void cleanup_multipart(struct multipart *m)
{
    multipart_dispose(m);
}
#define auto_multipart __attribute__((cleanup(cleanup_multipart)))

#endif
