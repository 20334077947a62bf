/* One request on its way through the server: what http.c, admit.c and response.c share. Handlers
 * see only the request and the reply inside.
 *
 * Invariants
 *   1. The loop thread owns the exchange, but between defer_run and the resume the worker does.
 *   2. The library lets no answer be queued between the first call of its handler and the last: a
 *      refusal in between is kept while the rest of the body is passed over, or written to the
 *      connection directly (response_send_raw). */
#ifndef SERVER_EXCHANGE_H
#define SERVER_EXCHANGE_H

#include "auth/access.h"
#include "server/app.h"
#include "server/http.h"
#include "server/request_gate.h"
#include "server/router.h"

#include <microhttpd.h>

struct http_server;
struct listener;
struct peer;

enum exchange_state {
    EXCHANGE_NEW,     /* nothing but the target is known */
    EXCHANGE_OPENED,  /* a worker ran the sink's open; the library repeats its first call */
    EXCHANGE_BODY,    /* taking the body in */
    EXCHANGE_REFUSED, /* the reply is a refusal; the rest of the body is passed over */
    EXCHANGE_ANSWERED /* the handler has run */
};

struct http_exchange {
    struct request rq;
    struct reply reply;
    struct identity identity;
    struct http_server *server;
    const struct listener *listener;
    struct peer *peer; /* of the connection; NULL on the control socket */
    struct MHD_Connection *connection;
    enum exchange_state state;

    char *target; /* raw, owned */
    struct request_line line;
    struct route_match match;
    const struct route *route; /* NULL: none */
    int64_t admitted_us;       /* the clock when the caller was identified first; 0: he was not */
    uint64_t generation;       /* auth_generation before his rights were read last */
    bool creates_namespace;    /* the handler's push may make the namespace (admit.c) */
    struct db_tx *snapshot;    /* the rights were read in it and the handler goes on with it;
                                  never open beyond one call of the library */
    bool has_facts;            /* `facts` were read in the snapshot that the handler has */
    struct access_facts facts; /* of the caller in the repository's namespace */

    struct buf body; /* buffered body, or the unit of a stream */
    size_t body_max;
    bool sink_open;   /* sink->open succeeded and the handler has not run */
    int64_t received; /* bytes of the body, passed over ones too */
    bool sent_raw;    /* the refusal is on its way already */

    int64_t began_us;                      /* monotonic */
    int64_t sent_bytes;                    /* of the answer's body */
    struct buf params[REQUEST_PARAMS_MAX]; /* decoded parameters */
};

/* Blocks on nothing, waits for no body: rights and handler are one step, in one snapshot. */
static inline bool exchange_is_immediate(const struct http_exchange *ex)
{
    return ex->route->thread == INLINE && !ex->line.has_body;
}

struct http_exchange *exchange_new(struct http_server *server, const struct listener *listener,
                                   const char *target, struct MHD_Connection *connection);
/* Releases identity, body, reply and what they hold. Runs no sink. */
void exchange_free(struct http_exchange *ex);

#endif
