/* Finds the route of a path in a table of patterns. Works on the raw path; pure.
 *
 * Owns: the pattern language. Refuses to know: what names mean, who may go there.
 *
 * A pattern is '/'-separated segments, literal or one of these:
 *
 * - {name}: one or more segments, found from the path's end, so `a/blobs/b` is a fine name
 * - {gun}: one or more segments, reaching to the last `_trust` that lets the rest match
 * - {file}: the rest of the path, a trust file name (server/trust_path.h)
 * - {key}: `snapshot.key` or `timestamp.key`
 * - {reference}, {digest}: one segment, not empty
 * - {1}, {2} …: one segment, not empty; below /api percent-decoded, but never to a '/', a control
 *   character or ill-formed UTF-8 */
#ifndef SERVER_ROUTER_H
#define SERVER_ROUTER_H

#include "base/slice.h"
#include "server/http.h"

struct router;

/*   routes   borrowed, must outlive. A pattern that is not understood is a bug. */
struct router *router_new(const struct route *routes, size_t count);
void router_free(struct router *r); /* accepts NULL */

#define ROUTE_SEGMENTS_MAX 140 /* of a path: a repository name of 255 bytes has at most 128 */
#define ROUTE_NONE ((size_t)-1)

struct route_match {
    size_t index;   /* of the route, ROUTE_NONE when no route takes this path by this method */
    unsigned allow; /* methods that the path's routes take; 0: the path belongs to no route */
    bool trust;     /* the path is one of the Notary API's */
    struct slice
        name; /* {name}; p == NULL when the pattern has none. As for all: points into path */
    struct slice gun;
    struct slice reference;                  /* {reference} or {digest} */
    bool reference_is_digest;                /* the pattern said {digest} */
    struct slice params[REQUEST_PARAMS_MAX]; /* {1} … as sent; {file} and {key} are params[0] */
};

void router_find(const struct router *r, enum http_method method, struct slice path,
                 struct route_match *out);

/* "GET, HEAD, PUT" for an Allow header. */
void router_allow_text(unsigned methods, struct buf *out);

/* Percent-decodes one parameter. False: bad escape, or decodes to '/', a control character or
 * ill-formed UTF-8. */
bool router_decode(struct slice text, struct buf *out);

#endif
