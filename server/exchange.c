#include "server/exchange.h"

#include "auth/auth.h"
#include "base/clock.h"
#include "base/hex.h"

#include <sodium.h>

struct http_exchange *exchange_new(struct http_server *server, const struct listener *listener,
                                   const char *target, struct MHD_Connection *connection)
{
    struct http_exchange *ex = xcalloc(1, sizeof(*ex));
    uint8_t id[8];
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
    ex->rq.now_us = clock_now_us();
    randombytes_buf(id, sizeof(id));
    (void)hex_encode(id, sizeof(id), ex->rq.id);
    return ex;
}

static void reply_dispose(struct reply *reply)
{
    buf_dispose(&reply->body);
    buf_dispose(&reply->headers);
    if (reply->fd >= 0) {
        (void)close(reply->fd);
    }
}

void exchange_free(struct http_exchange *ex)
{
    if (ex == NULL) {
        return;
    }
    reply_dispose(&ex->reply);
    identity_release(&ex->identity);
    buf_wipe(&ex->body); /* may hold a password */
    for (size_t i = 0; i < REQUEST_PARAMS_MAX; i++) {
        buf_dispose(&ex->params[i]);
    }
    sodium_memzero(ex->target, strlen(ex->target));
    free(ex->target);
    free(ex);
}
