/* The HTTP core: the library's callbacks, and what they share. A request goes: gate, route, names,
 * identity and rights (first call), body, handler (inline or on a worker), answer.
 *
 * Owns: the order of these steps. Refuses to know: what any route means. */
#ifndef SERVER_HTTP_SERVER_H
#define SERVER_HTTP_SERVER_H

#include "server/app.h"
#include "server/http.h"

#include <microhttpd.h>
#include <stdatomic.h>

struct router;
struct defer;
struct sweeper;

struct http_server {
    struct app *app;
    struct router *router;
    const struct route *routes;
    struct defer *defer;
    struct sweeper *sweeper;
    size_t connections; /* limit of each TCP listener */
    atomic_bool stopping;
    atomic_uint_fast64_t serial; /* of requests; begins at random */
    /* files that the library itself could not read to their end, not yet told which: it logs that,
     * and ends the request next, on the same thread */
    atomic_int files_unread;
    atomic_size_t active;        /* requests between their first line and the end of their answer */
};

/* Callbacks for the library; `arg` is the struct listener. */
void *http_on_target(void *arg, const char *target, struct MHD_Connection *connection);
enum MHD_Result http_on_call(void *arg, struct MHD_Connection *connection, const char *url,
                             const char *method, const char *version, const char *data,
                             size_t *size, void **context);
void http_on_completed(void *arg, struct MHD_Connection *connection, void **context,
                       enum MHD_RequestTerminationCode why);

#endif
