#include "server/exchange.h"

#include "auth/auth.h"
#include "base/clock.h"
#include "base/hex.h"
#include "server/http_server.h"

#include <sodium.h>

/* One after another, spread by a function that has an inverse (splitmix64): no two requests of a
 * process share one. Names a request in the log, keeps no secret. */
static void make_id(struct http_server *server, char out[17])
{
    uint64_t n = atomic_fetch_add_explicit(&server->serial, 1, memory_order_relaxed);
    uint8_t bytes[8];
    n *= UINT64_C(0x9E3779B97F4A7C15);
    n = (n ^ (n >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    n = (n ^ (n >> 27)) * UINT64_C(0x94D049BB133111EB);
    n ^= n >> 31;
    memcpy(bytes, &n, sizeof(bytes));
    (void)hex_encode(bytes, sizeof(bytes), out);
}

struct http_exchange *exchange_new(struct http_server *server, const struct listener *listener,
                                   const char *target, struct MHD_Connection *connection)
{
    struct http_exchange *ex = xcalloc(1, sizeof(*ex));
    ex->server = server;
    ex->listener = listener;
    ex->connection = connection;
    ex->target = xstrndup(target, REQUEST_TARGET_MAX + 1);
    ex->began_us = clock_mono_us();
    ex->match.index = ROUTE_NONE;
    ex->reply.fd = -1;
    ex->reply.content_length = -1;
    ex->rq.exchange = ex;
    ex->rq.identity = &ex->identity;
    make_id(server, ex->rq.id);
    return ex;
}

void exchange_free(struct http_exchange *ex)
{
    if (ex == NULL) {
        return;
    }
    reply_dispose(&ex->reply);
    identity_release(&ex->identity);
    if (ex->route != NULL && ex->route->body == BODY_STREAM) {
        buf_dispose(&ex->body);
    } else {
        buf_wipe(&ex->body); /* may hold a password */
    }
    for (size_t i = 0; i < REQUEST_PARAMS_MAX; i++) {
        buf_dispose(&ex->params[i]);
    }
    sodium_memzero(ex->target, strlen(ex->target));
    free(ex->target);
    free(ex);
}
