/* The judge of every request before anything else looks at it: the HTTP library's parser is
 * lenient (it takes requests that another server on the way would read differently), so what is
 * not plainly one HTTP/1.1 request is refused here. RFC 9110, RFC 9112. Pure: facts in, verdict
 * out.
 *
 * Owns: framing, methods, the shape of targets. Refuses to know: routes, identities. */
#ifndef SERVER_REQUEST_GATE_H
#define SERVER_REQUEST_GATE_H

#include "base/err.h"
#include "base/slice.h"
#include "server/http.h"

#define REQUEST_TARGET_MAX 8192 /* bytes, query included */
#define REQUEST_HEADERS_MAX 100 /* header lines */

/* What was seen of the head. Fill `method`, `target` and `version`, then feed each header line. */
struct request_head {
    struct slice method;
    struct slice target; /* raw, as sent */
    struct slice version;
    unsigned headers, hosts, lengths, encodings;
    size_t bytes; /* names and values */
    struct slice host, length, encoding, expect;
    bool malformed; /* a name that is no token, or a control character in a value */
};

void request_head_add(struct request_head *head, struct slice name, struct slice value);

struct request_line {
    enum http_method method;
    struct slice path;      /* within the target: up to '?' */
    struct slice query;     /* after '?'; may be empty */
    bool has_body;          /* a length above 0, or chunked */
    bool expects_continue;  /* the client waits for 100 before it sends the body */
    int64_t content_length; /* -1: chunked or not given */
};

enum gate_verdict {
    GATE_MALFORMED = 0, /* 400: the connection cannot be trusted any more, close it */
    GATE_TOO_LARGE,     /* 431, close */
    GATE_METHOD,        /* 501, close: no method of HTTP's (RFC 9110 section 15.6.2) */
    GATE_NO_SUCH_PATH,  /* 404: '%' below /v2, empty or dot segments */
    GATE_PASS
};

/* Judges the head.
 *   head_max   bytes of target and headers together
 *   out        filled on GATE_PASS and GATE_NO_SUCH_PATH; points into head
 *   err        filled otherwise and on GATE_NO_SUCH_PATH: code and sentence of the answer */
enum gate_verdict request_gate_check(const struct request_head *head, size_t head_max,
                                     struct request_line *out, struct err *err);

#endif
