/* The server's JSON API over HTTPS, or over its control socket.
 * Owns: which server, whose credential, how a request is made and how its failure is told.
 * Refuses to know: what the answers mean.
 * Security: certificates are always checked (BOND_INSECURE=1 turns that off and says so), redirects
 * are never followed, plain HTTP is used for loopback addresses only, BOND_DEBUG never prints a
 * credential or a body. */
#ifndef CLI_CLIENT_H
#define CLI_CLIENT_H

#include "base/buf.h"
#include "cli/cli.h"

#include <jansson.h>

struct client; /* one server, one credential; one thread */

/* Picks server and credential: --socket, else --host, BOND_HOST, the server signed in to first;
 * BOND_TOKEN, else the session of that server. Makes no request. NULL after a sentence on stderr
 * (wrong use). The caller frees. host_or_null   overrides where the server is looked up: `bond
 * login HOST` */
struct client *client_open(const struct call *call, const char *host_or_null);
void client_close(struct client *c); /* accepts NULL */
static inline void cleanup_client(struct client **c)
{
    client_close(*c);
}
#define auto_client __attribute__((cleanup(cleanup_client)))

/* host[:port] in lower case; NULL on a control socket. Borrowed. */
const char *client_host(const struct client *c);
/* What the server is called in messages: its URL or the socket's path. Borrowed. */
const char *client_name(const struct client *c);
/* Absolute path of the CA file in use, or NULL. Borrowed. */
const char *client_ca_file(const struct client *c);
/* True when BOND_TOKEN takes the place of a session. */
bool client_has_own_token(const struct client *c);
/* Sends no credential from now on. */
void client_be_anonymous(struct client *c);

struct answer {
    int status;    /* HTTP status; 0: the server was not reached, `message` says why */
    json_t *json;  /* NULL when the body is empty or no JSON */
    char *message; /* the server's sentence for a status of 400 and above; never NULL then */
};
void answer_dispose(struct answer *a);
#define auto_answer __attribute__((cleanup(answer_dispose)))

/* One request; says nothing.
 *   path         begins with '/', made with client_segment() and client_query()
 *   body         JSON or NULL; borrowed */
void client_request(struct client *c, const char *method, const char *path, const json_t *body,
                    struct answer *out);

/* The exit status of an answer, by its HTTP status. */
enum outcome answer_outcome(const struct answer *a);
/* Says on stderr what went wrong and what to do next; returns answer_outcome(). */
enum outcome answer_report(const struct client *c, const struct answer *a);

/* client_open + client_request + answer_report for the common case.
 *   out   the answer's JSON, owned by the caller; NULL when the answer had no body; may be NULL
 * when not wanted */
enum outcome api(const struct call *call, const char *method, const char *path, const json_t *body,
                 json_t **out);

/* Appends `text` to a path as one segment, or as several with its slashes kept; everything that RFC
 * 3986 does not allow in a segment is percent-encoded. */
void client_segment(struct buf *path, const char *text);
void client_segments(struct buf *path, const char *text);
/* Appends "?name=value" or "&name=value". */
void client_query(struct buf *path, const char *name, const char *value);

#endif
