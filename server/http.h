/* What a handler sees: a request that was authenticated, authorised, its names parsed and its body bounded, and a reply
 * to fill. Handlers are plain blocking functions; only server/http.c and server/defer.c know the HTTP library.
 * Owns: the two structs and the accessors. Refuses to know: what any route means. */
#ifndef SERVER_HTTP_H
#define SERVER_HTTP_H

#include "auth/identity.h"
#include "base/buf.h"
#include "base/db.h"
#include "base/err.h"
#include "base/json.h"
#include "base/name.h"

struct access_facts;
struct app; /* server/app.h: store, trust, auth, configuration */

enum http_method {
    METHOD_OTHER = 0, /* known to HTTP, taken by no route: OPTIONS, TRACE, CONNECT */
    METHOD_GET = 1,
    METHOD_HEAD = 2,
    METHOD_POST = 4,
    METHOD_PUT = 8,
    METHOD_PATCH = 16,
    METHOD_DELETE = 32,
    METHOD_GET_HEAD = METHOD_GET | METHOD_HEAD
};

enum reference_kind { REFERENCE_NONE, REFERENCE_TAG, REFERENCE_DIGEST };

#define REQUEST_PARAMS_MAX 4

struct request {
    struct app *app;
    enum http_method method;
    struct slice path;  /* raw, as sent, without query; no '%' below /v2 */
    struct slice query; /* raw, without '?' ; may be empty */
    char id[24];        /* for log lines and the X-Request-Id header */
    char address[64];   /* of the peer, text */
    bool tls;
    bool control;   /* came over the control socket from the server's own uid or root */
    int64_t now_us; /* the clock as the handler began: one value for every time question of one call of
                       it. The caller's admission and each call of a sink have readings of their own,
                       for a body may take minutes to come */

    const struct identity *identity; /* never NULL */

    /* set when the pattern of the route has the part */
    bool has_repo;
    struct repo_name repo;         /* {name}, or the repository of {gun} */
    struct slice gun;              /* {gun}: as sent, host included */
    enum reference_kind reference; /* {reference} */
    struct tag_name tag;
    struct digest digest; /* {reference} as digest, or {digest} */
    struct slice
        params[REQUEST_PARAMS_MAX]; /* {1} … other parts, percent-decoded below /api; {file} (see
                                                server/trust_path.h) and {key} are params[0], as sent */

    struct slice body;              /* buffered body; empty for BODY_NONE and BODY_STREAM */
    bool on_worker, wants_worker;   /* request_on_worker */
    bool wants_place;               /* request_on_worker_surely */
    void *stream;                   /* BODY_STREAM: what the route's `open` made */
    struct http_exchange *exchange; /* internal */
};

/* Value of a request header, NULL when absent. Borrowed. */
const char *request_header(const struct request *rq, const char *name);
/* All values of a header joined by ", " into b (Accept comes in several lines). */
void request_header_all(const struct request *rq, const char *name, struct buf *b);
/* Percent-decoded value of the nth (0…) query parameter `name` ('+' is a blank, no byte is NUL). False: there is none,
 * and nothing else, since every parameter of a request that comes to a handler decodes (request_query_check). */
bool request_query(const struct request *rq, const char *name, int nth, struct buf *out);
bool request_has_query(const struct request *rq, const char *name);
/* Do the names and values of the query decode? ERR_REQUEST_INVALID names the one that does not: it was given, and must
 * not count as absent. Asked once, before the handler (server/admit.c). */
bool request_query_check(const struct request *rq, struct err *err) MUST_USE;
/* The same two for an application/x-www-form-urlencoded body; the handler asks. */
bool request_form_check(const struct request *rq, struct err *err) MUST_USE;
bool request_form(const struct request *rq, const char *name, int nth, struct buf *out);
/* The body as JSON object: ERR_REQUEST_INVALID with a sentence when it is none. Owned by the caller. */
bool request_json(const struct request *rq, json_t **out, struct err *err) MUST_USE;
/* A snapshot for the handler, who ends it (auto_snapshot): the one that his right to pull was read in, when there is
 * one, so that right and content are of one moment; else a new one. INLINE handlers of ACCESS_PULL open theirs here and
 * nowhere else. */
bool request_snapshot(const struct request *rq, struct db_tx **out, struct err *err) MUST_USE;
/* What decides the caller's rights in the repository's namespace, of the snapshot that request_snapshot gave: as it was
 * read there already, or read now. */
bool request_facts(const struct request *rq, struct db_tx *tx, struct access_facts *out,
                   struct err *err) MUST_USE;
/* Asked in the transaction of a write: does the caller live as the account that he was admitted as, by
 * a sign-in that has not ended, and has he kept the right in the repository when his route asked for
 * one? A change that is recorded with its actor asks through him (registry_actor). Costs nothing when
 * no account, sign-in or role has changed and nothing was wiped since he was admitted. Expected
 * errors: ERR_DENIED, ERR_NAMESPACE_UNKNOWN. Writer. */
bool request_may_still(const struct request *rq, struct db_tx *tx, struct err *err) MUST_USE;
/* For INLINE handlers that must write or wait after all, before they have answered. True: this is a
 * worker thread, go on. False: return now without an answer; the handler is run again from its
 * beginning, on a worker. */
bool request_on_worker(struct request *rq) MUST_USE;
/* The same for what may come to many requests at once and is over soon, such as a wait for one thread that verifies for
 * all: a queue that is full does not refuse it. */
bool request_on_worker_surely(struct request *rq) MUST_USE;
/* Content-Length as sent; -1 when chunked or absent. */
int64_t request_content_length(const struct request *rq);

enum reply_kind { REPLY_EMPTY, REPLY_BYTES, REPLY_SHARED, REPLY_FILE };

struct reply {
    int status; /* 0 until a handler has answered: then the core sends 500 */
    enum reply_kind kind;
    struct buf body;
    struct slice shared;       /* REPLY_SHARED */
    void (*release)(void *of); /* called once for it; NULL: nobody waits for that */
    void *of;
    int fd; /* REPLY_FILE: owned */
    int64_t offset, length;
    struct buf headers;     /* "Name: value\n" lines */
    int64_t content_length; /* for HEAD replies without body; -1 = from the body */
    char phrase[164];       /* own reason phrase (gate refusals); "" = the standard one */
    bool close;             /* end the connection after this reply */
};

/* Adds a header. The value is cut at the first byte outside printable ASCII. */
void reply_header(struct reply *reply, const char *name, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* The same with a text as it is. */
void reply_header_text(struct reply *reply, const char *name, const char *value);
void reply_empty(struct reply *reply, int status);
/* Takes the buffer's memory; sets Content-Type. */
void reply_buf(struct reply *reply, int status, const char *content_type, struct buf *body);
void reply_bytes(struct reply *reply, int status, const char *content_type, struct slice body);
/* Bytes that nobody changes and that stay until release(of) was called, once, by any thread. */
void reply_shared(struct reply *reply, int status, const char *content_type, struct slice body,
                  void (*release)(void *of), void *of);
/* Ends what the reply holds. */
void reply_dispose(struct reply *reply);
/* HEAD of something whose body is not built: sets Content-Length only. */
void reply_head(struct reply *reply, int status, const char *content_type, int64_t content_length);
/* Takes fd. Bytes [offset, offset + length). For HEAD the core sends the headers alone. */
void reply_file(struct reply *reply, int status, const char *content_type, int fd, int64_t offset,
                int64_t length);
/* Compact JSON and a newline; steals `value`. */
void reply_json(struct reply *reply, int status, json_t *value);
/* The OCI envelope with one entry; status and code from the error's table row. ERR_INTERNAL is logged with its detail. */
void reply_error(struct reply *reply, const struct err *err);
/* The same for what decides whether and what may be read: a fault of ours (ERR_INTERNAL) is logged, and answered as
 * ERR_INDETERMINATE, which clients ask again and nobody takes for a verdict (gate.md 10.2). */
void reply_undecided(struct reply *reply, const struct err *err);
/* The same with a JSON detail (stolen; may be NULL). */
void reply_error_detail(struct reply *reply, const struct err *err, json_t *detail);
/* Retry-After, in the place of what reply_error said: it says 5 s of every error that passes by itself. */
void reply_retry_after(struct reply *reply, int seconds);
/* 401 with the Bearer challenge of this request (auth 1): scope as needed, error= when a bearer came. On routes of a
 * GUN the error has the detail of notary-api 5: the actions that the scope names.
 *   scope         "repository:ns/app:pull,push" or NULL
 *   description   printable ASCII sentence for error_description or NULL */
void reply_challenge(const struct request *rq, struct reply *reply, const char *scope,
                     const char *description);

typedef void (*handler_fn)(struct request *rq, struct reply *reply);

/* BODY_STREAM routes: the body goes to a sink in units of up to 256 KiB on worker threads, one at a time per request.
 *   open    before the first byte, for an empty body too; sets rq->stream; false = err is the answer, with the headers
 *           that it added to `refusal`, and the rest of the body is not read
 *   write   one unit
 *   abort   the client went away or write failed: release rq->stream (never called after the handler ran)
 * The handler runs after the last byte and owns rq->stream from then on. */
struct stream_sink {
    bool (*open)(struct request *rq, struct reply *refusal, struct err *err);
    bool (*write)(struct request *rq, struct slice bytes, struct err *err);
    void (*abort)(struct request *rq);
};

enum route_body { BODY_NONE, BODY_FORM, BODY_API, BODY_MANIFEST, BODY_TRUST, BODY_STREAM };
enum route_thread { INLINE, WORKER };

/* What the caller must be allowed before the handler runs. */
enum route_access {
    ACCESS_OPEN, /* no check, no identity needed */
    ACCESS_PING, /* /v2/: 401 without credentials */
    ACCESS_PULL, /* repository: pull */
    ACCESS_PUSH, /* repository: pull,push. A namespace that does not exist may be made (architecture 3) */
    ACCESS_DELETE,      /* repository: delete */
    ACCESS_CATALOG,     /* registry:catalog:*; any signed-in identity */
    ACCESS_TRUST_READ,  /* trust API: repository:GUN:pull; refusals are 401, never 403 */
    ACCESS_TRUST_WRITE, /* repository:GUN:push,pull */
    ACCESS_TRUST_ADMIN, /* repository:GUN:* (rotate server keys) */
    ACCESS_TRUST_WIPE,  /* repository:GUN:*; owner or administrator */
    ACCESS_SIGNED_IN,   /* /api: any identity but anonymous */
    ACCESS_ADMIN        /* /api: instance administrator */
};

struct route {
    unsigned methods;
    const char *pattern;
    enum route_access access;
    enum route_body body;
    enum route_thread thread;
    handler_fn handler;
    const char *label; /* handler's name: metrics and log */
    const struct stream_sink *sink;
};

#endif
