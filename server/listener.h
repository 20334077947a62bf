/* Listening sockets and the library's daemons: one pool of loop threads per TCP listener, one
 * thread for the control socket.
 *
 * Owns: sockets, daemons, per-connection records. Refuses to know: what a request is (http.h's
 * core). */
#ifndef SERVER_LISTENER_H
#define SERVER_LISTENER_H

#include "base/err.h"
#include "server/config.h"

struct http_server;
struct listener;
struct tls;

/* Binds and listens; no connection is served yet.
 *   tls   NULL: plain; borrowed
 * Expected errors: ERR_CONFLICT (the address is taken), ERR_INVALID, one sentence each. */
bool listener_bind_tcp(struct http_server *server, const struct config_listen *where,
                       struct tls *tls, struct listener **out, struct err *err) MUST_USE;
/* DIR/run/control.sock, mode 0600. A stale socket file is replaced: the caller holds the folder's
 * lock. */
bool listener_bind_control(struct http_server *server, const char *data_dir, struct listener **out,
                           struct err *err) MUST_USE;
/* Starts serving. */
bool listener_start(struct listener *l, struct err *err) MUST_USE;
/* Accepts nobody any more: who comes is cut off at once, and not left waiting. */
void listener_quiesce(struct listener *l);
/* Ends the daemon: no connection may be suspended any more. Then frees. Accepts NULL. */
void listener_stop(struct listener *l);

/* Whom the connections are served by. */
struct http_server *listener_server(const struct listener *l);
bool listener_is_tls(const struct listener *l);
bool listener_is_control(const struct listener *l);
/* The server is stopping: connections end after their answer. */
bool listener_is_stopping(const struct listener *l);
/* "0.0.0.0:5443 (https)", for a log line. Borrowed. */
const char *listener_text(const struct listener *l);

#endif
