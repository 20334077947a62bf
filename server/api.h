/* The handlers of all routes, declared from the table. */
#ifndef SERVER_API_H
#define SERVER_API_H

#include "server/http.h"

#define ROUTE(methods, pattern, access, body, thread, handler)                                     \
    void handler(struct request *rq, struct reply *reply);
#define STREAM(methods, pattern, access, handler, sink)                                            \
    void handler(struct request *rq, struct reply *reply);
#include "server/routes_table.h"
#undef ROUTE
#undef STREAM

extern const struct stream_sink api_upload_post_sink;
extern const struct stream_sink api_upload_append_sink;

#endif
