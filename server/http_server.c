#include "server/http_server.h"

#include "base/clock.h"
#include "base/log.h"
#include "server/admit.h"
#include "server/defer.h"
#include "server/listener.h"
#include "server/metrics.h"
#include "server/raw_head.h"
#include "server/response.h"
#include "server/scrubber.h"
#include "server/sweeper.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

#define STREAM_UNIT ((size_t)256 << 10)
#define NONE_BODY_MAX 65536   /* bodies that nobody reads */
#define PASS_OVER_MAX 65536   /* of a refused body, before the answer is written in its middle */
#define LINGER_MAX (32 << 20) /* and after it, so that the answer is not lost in a reset */
#define LINGER_US (10 * US_PER_SECOND)

/* ---- the clock ---- */

/* A head or a body may take minutes to come: each piece of work sees the time at which it runs. */
static void read_clock(struct http_exchange *ex)
{
    ex->rq.now_us = clock_now_us();
}

/* ---- facts of the connection ---- */

static void read_address(struct http_exchange *ex)
{
    char *out = ex->rq.address;
    size_t n = sizeof(ex->rq.address);
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(ex->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *address = info != NULL ? info->client_addr : NULL;
    (void)snprintf(out, n, "local");
    if (address != NULL && address->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const void *)address;
        (void)inet_ntop(AF_INET, &v4->sin_addr, out, (socklen_t)n);
    } else if (address != NULL && address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const void *)address;
        bool mapped = IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr);
        (void)inet_ntop(mapped ? AF_INET : AF_INET6,
                        mapped ? &v6->sin6_addr.s6_addr[12] : v6->sin6_addr.s6_addr, out,
                        (socklen_t)n);
    }
}

/* Behind a proxy the last entry of X-Forwarded-For is the one that the proxy itself added. */
static void read_forwarded(struct http_exchange *ex)
{
    auto_buf struct buf all = {0};
    request_header_all(&ex->rq, "X-Forwarded-For", &all);
    struct slice text = buf_slice_of(&all);
    ptrdiff_t comma = slice_rindex(text, ',');
    text = slice_trim(slice_from(text, comma < 0 ? 0 : (size_t)comma + 1));
    char address[INET6_ADDRSTRLEN + 1];
    struct in6_addr parsed;
    if (text.n == 0 || text.n >= sizeof(address)) {
        return;
    }
    (void)snprintf(address, sizeof(address), "%.*s", SLICE_FMT(text));
    if (inet_pton(AF_INET, address, &parsed) == 1 || inet_pton(AF_INET6, address, &parsed) == 1) {
        (void)snprintf(ex->rq.address, sizeof(ex->rq.address), "%s", address);
    }
}

/* The control socket is for root and for whoever runs the server. */
static bool peer_is_operator(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct ucred peer = {.uid = (uid_t)-1};
    socklen_t n = sizeof(peer);
    if (info == NULL || getsockopt(info->connect_fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) != 0) {
        return false;
    }
    return peer.uid == 0 || peer.uid == geteuid();
}

void *http_on_target(void *arg, const char *target, struct MHD_Connection *connection)
{
    const struct listener *listener = arg;
    struct http_server *server = listener_server(listener);
    struct http_exchange *ex =
        exchange_new(server, listener, target != NULL ? target : "", connection);
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    ex->peer = info != NULL ? info->socket_context : NULL;
    ex->rq.app = server->app;
    ex->rq.tls = listener_is_tls(listener);
    peer_set(ex->peer, PEER_HEAD);
    atomic_fetch_add(&server->active, 1);
    return ex;
}

/* ---- answers ---- */

static enum MHD_Result answer(struct http_exchange *ex)
{
    if (ex->reply.status == 0) {
        struct err err = {0};
        (void)err_internal(&err, "%s gave no answer",
                           ex->route != NULL ? ex->route->label : "nobody");
        reply_error(&ex->reply, &err);
    }
    peer_set(ex->peer, PEER_MOVING);
    if (response_wants_phrase(ex) && response_send_raw(ex)) {
        ex->sent_raw = true;
        return MHD_NO; /* the library closes the connection behind it */
    }
    return response_queue(ex);
}

static bool much_to_come(const struct http_exchange *ex)
{
    return ex->received > PASS_OVER_MAX || ex->line.content_length - ex->received > PASS_OVER_MAX;
}

/* The reply is a refusal, and a body may still be on its way. A client that waits for "100
 * Continue" is answered at once. Others may finish a short body first; the answer to a long one is
 * written before its end, and what comes then is passed over, because a connection that is closed
 * on unread bytes takes the answer with it. */
static enum MHD_Result refuse(struct http_exchange *ex)
{
    if (ex->line.expects_continue || ex->reply.close) {
        return answer(ex);
    }
    ex->state = EXCHANGE_REFUSED;
    ex->sent_raw = much_to_come(ex) && response_send_raw(ex);
    return MHD_YES;
}

static enum MHD_Result pass_over(struct http_exchange *ex, size_t *size)
{
    ex->received += (int64_t)*size;
    *size = 0;
    if (!ex->sent_raw && much_to_come(ex)) {
        ex->sent_raw = response_send_raw(ex);
    }
    bool enough = ex->received > LINGER_MAX || clock_mono_us() - ex->began_us > LINGER_US;
    return much_to_come(ex) && enough ? MHD_NO : MHD_YES;
}

static enum MHD_Result refused_end(struct http_exchange *ex)
{
    return ex->sent_raw ? MHD_NO : answer(ex);
}

/* ---- first call: gate, route, caller, limits ---- */

static bool pass_gate(struct http_exchange *ex, const char *method, const char *version)
{
    struct request_head head = {.method = slice_str(method), .target = slice_str(ex->target)};
    struct err err = {0};
    raw_head_read(ex->connection, version, &head);
    size_t max = (size_t)ex->rq.app->config->limits_request_head;
    enum gate_verdict verdict = request_gate_check(&head, max, &ex->line, &err);
    ex->rq.method = ex->line.method;
    ex->rq.path = ex->line.path;
    ex->rq.query = ex->line.query;
    if (verdict == GATE_PASS) {
        return true;
    }
    bool trust = verdict == GATE_NO_SUCH_PATH &&
                 memmem(ex->target, strlen(ex->target), "/_trust/", 8) != NULL;
    if (trust) {
        (void)err_set(&err, ERR_TRUST_NOT_FOUND, "");
    }
    reply_error(&ex->reply, &err);
    if (verdict == GATE_TOO_LARGE) {
        ex->reply.status = 431;
    }
    ex->reply.close = verdict != GATE_NO_SUCH_PATH;
    metrics_add(ex->rq.app->metrics, METRIC_REFUSED_REQUESTS, 1);
    return false;
}

static bool find_route(struct http_exchange *ex)
{
    struct err err = {0};
    router_find(ex->server->router, ex->rq.method, ex->rq.path, &ex->match);
    if (ex->match.index != ROUTE_NONE) {
        ex->route = &ex->server->routes[ex->match.index];
        return true;
    }
    ex->reply.close = ex->rq.method == METHOD_OTHER; /* another server may see no body there */
    if (ex->match.allow == 0) {
        (void)err_set(&err, ex->match.trust ? ERR_TRUST_NOT_FOUND : ERR_NOT_FOUND, "");
        reply_error(&ex->reply, &err);
        return false;
    }
    auto_buf struct buf allow = {0};
    (void)err_set(&err, ERR_METHOD, "");
    reply_error(&ex->reply, &err);
    router_allow_text(ex->match.allow, &allow);
    reply_header_text(&ex->reply, "Allow", allow.p);
    return false;
}

static size_t body_limit(const struct http_exchange *ex)
{
    const struct config *c = ex->rq.app->config;
    switch (ex->route->body) {
    case BODY_NONE:
        return NONE_BODY_MAX;
    case BODY_FORM:
        return (size_t)c->limits_token_form;
    case BODY_API:
        return (size_t)c->limits_api_body;
    case BODY_MANIFEST:
        return (size_t)c->limits_manifest;
    case BODY_TRUST:
        return (size_t)c->limits_trust_upload;
    case BODY_STREAM:
        return SIZE_MAX;
    }
    BUG("a route has a body of no known kind");
}

static void reply_too_large(struct http_exchange *ex)
{
    struct err err = {0};
    switch (ex->route->body) {
    case BODY_TRUST: {
        /* clients of the Notary API know 400 with this detail, no 413 */
        (void)err_set(&err, ERR_TRUST_INVALID_UPDATE, "");
        char sentence[100];
        (void)snprintf(sentence, sizeof(sentence), "the upload is larger than %zu bytes",
                       ex->body_max);
        reply_error_detail(
            &ex->reply, &err,
            json_pack("{s:s, s:{s:s}}", "Name", "ErrValidation", "Error", "Msg", sentence));
        return;
    }
    case BODY_MANIFEST:
        (void)err_set(&err, ERR_MANIFEST_TOO_LARGE, "the manifest is larger than %zu bytes",
                      ex->body_max);
        break;
    case BODY_NONE:
    case BODY_FORM:
    case BODY_API:
    case BODY_STREAM:
        (void)err_set(&err, ERR_REQUEST_TOO_LARGE, "the body is larger than %zu bytes",
                      ex->body_max);
        break;
    }
    reply_error(&ex->reply, &err);
}

static bool check_length(struct http_exchange *ex)
{
    ex->body_max = body_limit(ex);
    if (ex->line.content_length > 0 && (uint64_t)ex->line.content_length > ex->body_max) {
        reply_too_large(ex);
        return false;
    }
    return true;
}

static void reply_busy(struct http_exchange *ex)
{
    struct err err = {0};
    (void)err_set(&err, ERR_BUSY, "");
    reply_error(&ex->reply, &err);
}

/* ---- jobs: these run on workers ---- */

static bool sink_open(struct http_exchange *ex)
{
    struct err err = {0};
    if (ex->sink_open) {
        return true;
    }
    if (!admit_namespace(ex, &err) || !ex->route->sink->open(&ex->rq, &ex->reply, &err)) {
        reply_error(&ex->reply, &err);
        return false;
    }
    ex->sink_open = true;
    return true;
}

static void sink_abort(struct http_exchange *ex)
{
    if (ex->sink_open) {
        ex->sink_open = false;
        ex->route->sink->abort(&ex->rq);
    }
}

static bool sink_write(struct http_exchange *ex)
{
    struct err err = {0};
    bool ok = ex->body.n == 0 || ex->route->sink->write(&ex->rq, buf_slice_of(&ex->body), &err);
    buf_clear(&ex->body);
    if (!ok) {
        sink_abort(ex);
        reply_error(&ex->reply, &err);
    }
    return ok;
}

static void job_open(void *arg)
{
    struct http_exchange *ex = arg;
    read_clock(ex);
    (void)sink_open(ex); /* a reply that is filled says that it failed */
    ex->state = EXCHANGE_OPENED;
}

static void job_write(void *arg)
{
    struct http_exchange *ex = arg;
    read_clock(ex);
    ex->state = sink_write(ex) ? EXCHANGE_BODY : EXCHANGE_REFUSED;
    peer_set(ex->peer, PEER_MOVING);
}

static void job_handle(void *arg)
{
    struct http_exchange *ex = arg;
    struct err err = {0};
    read_clock(ex);
    ex->state = EXCHANGE_ANSWERED;
    ex->rq.on_worker = true;
    if (ex->route->body == BODY_STREAM) {
        if (!sink_open(ex) || !sink_write(ex)) {
            return;
        }
        ex->sink_open = false; /* the handler owns the stream now */
    } else if (!admit_namespace(ex, &err)) {
        reply_error(&ex->reply, &err);
        return;
    }
    ex->route->handler(&ex->rq, &ex->reply);
}

static void job_abandon(void *arg)
{
    struct http_exchange *ex = arg;
    sink_abort(ex);
    exchange_free(ex);
}

static bool hand_over(struct http_exchange *ex, enum defer_priority priority, defer_fn job)
{
    peer_set(ex->peer, PEER_WORKING);
    return defer_run(ex->server->defer, priority, ex->connection, job, ex);
}

static enum MHD_Result handle_on_worker(struct http_exchange *ex)
{
    bool goes_on = ex->sink_open || ex->rq.wants_place;
    if (hand_over(ex, goes_on ? DEFER_GOING_ON : DEFER_NEW, job_handle)) {
        return MHD_YES;
    }
    reply_busy(ex);
    return answer(ex);
}

static enum MHD_Result handle_here(struct http_exchange *ex)
{
    read_clock(ex);
    ex->state = EXCHANGE_ANSWERED;
    if (!exchange_is_immediate(ex) || admit_caller(ex)) {
        ex->route->handler(&ex->rq, &ex->reply);
    }
    db_snapshot_end(ex->snapshot); /* a handler that read nothing left it */
    ex->snapshot = NULL;
    return ex->rq.wants_worker ? handle_on_worker(ex) : answer(ex);
}

/* The whole body fits one unit: it is collected first, and one job does everything. */
static bool is_short(const struct http_exchange *ex)
{
    return ex->line.content_length >= 0 && ex->line.content_length <= (int64_t)STREAM_UNIT &&
           !ex->line.expects_continue;
}

/* ---- the calls ---- */

static enum MHD_Result first_call(struct http_exchange *ex, const char *method, const char *version)
{
    peer_set(ex->peer, PEER_MOVING);
    if (!pass_gate(ex, method, version)) {
        return refuse(ex);
    }
    read_address(ex);
    if (ex->rq.app->config->behind_proxy) {
        read_forwarded(ex);
    }
    ex->rq.control = listener_is_control(ex->listener) && peer_is_operator(ex->connection);
    if (!find_route(ex) || !admit_names(ex)) {
        return refuse(ex);
    }
    ex->state = EXCHANGE_BODY;
    if (exchange_is_immediate(ex)) {
        return MHD_YES; /* the last call follows at once and does the rest in one go */
    }
    read_clock(ex);
    if (!admit_caller(ex) || !check_length(ex)) {
        return refuse(ex);
    }
    if (ex->route->body == BODY_STREAM && ex->line.has_body && !is_short(ex) &&
        !hand_over(ex, DEFER_NEW, job_open)) {
        reply_busy(ex);
        return refuse(ex);
    }
    return MHD_YES;
}

/* The library repeats its first call after a suspension in it. */
static enum MHD_Result opened(struct http_exchange *ex)
{
    peer_set(ex->peer, PEER_MOVING);
    if (ex->reply.status != 0) {
        return refuse(ex);
    }
    ex->state = EXCHANGE_BODY;
    return MHD_YES;
}

static enum MHD_Result refuse_in_body(struct http_exchange *ex, size_t *size)
{
    ex->state = EXCHANGE_REFUSED;
    return pass_over(ex, size);
}

static enum MHD_Result take_buffered(struct http_exchange *ex, const char *data, size_t *size)
{
    ex->received += (int64_t)*size;
    if ((uint64_t)ex->received > ex->body_max) {
        reply_too_large(ex);
        ex->received -= (int64_t)*size;
        return refuse_in_body(ex, size);
    }
    if (ex->route->body != BODY_NONE) {
        buf_put(&ex->body, data, *size);
    }
    *size = 0;
    return MHD_YES;
}

/* Bytes are left with the library only when the unit is full, and the connection is suspended only
 * when bytes are left: with none left the library goes straight on to the next chunk, suspended or
 * not. */
static enum MHD_Result take_stream(struct http_exchange *ex, const char *data, size_t *size)
{
    size_t unit = is_short(ex) ? (size_t)ex->line.content_length : STREAM_UNIT;
    if (ex->body.cap < unit) {
        buf_reserve(&ex->body, unit);
    }
    size_t room = unit - ex->body.n;
    size_t n = *size < room ? *size : room;
    buf_put(&ex->body, data, n);
    ex->received += (int64_t)n;
    *size -= n;
    if (*size == 0 || hand_over(ex, DEFER_GOING_ON, job_write)) {
        return MHD_YES;
    }
    reply_busy(ex);
    return refuse_in_body(ex, size);
}

static enum MHD_Result last_call(struct http_exchange *ex)
{
    bool stream = ex->route->body == BODY_STREAM;
    if (!stream && ex->line.has_body && !admit_again(ex)) {
        ex->state = EXCHANGE_ANSWERED;
        return answer(ex);
    }
    if (!stream) {
        ex->rq.body = buf_slice_of(&ex->body);
    }
    return ex->route->thread == INLINE ? handle_here(ex) : handle_on_worker(ex);
}

enum MHD_Result http_on_call(void *arg, struct MHD_Connection *connection, const char *url,
                             const char *method, const char *version, const char *data,
                             size_t *size, void **context)
{
    struct http_exchange *ex = *context;
    (void)arg;
    (void)connection;
    (void)url; /* decoded and cut by the library: never looked at */
    switch (ex->state) {
    case EXCHANGE_NEW:
        return first_call(ex, method, version);
    case EXCHANGE_OPENED:
        return opened(ex);
    case EXCHANGE_BODY:
        if (*size == 0) {
            return last_call(ex);
        }
        return ex->route->body == BODY_STREAM ? take_stream(ex, data, size)
                                              : take_buffered(ex, data, size);
    case EXCHANGE_REFUSED:
        return *size > 0 ? pass_over(ex, size) : refused_end(ex);
    case EXCHANGE_ANSWERED:
        return answer(ex);
    }
    BUG("an exchange is in no known state");
}

/* ---- the end ---- */

static const char *method_name(enum http_method method)
{
    switch (method) {
    case METHOD_GET:
        return "GET";
    case METHOD_HEAD:
        return "HEAD";
    case METHOD_POST:
        return "POST";
    case METHOD_PUT:
        return "PUT";
    case METHOD_PATCH:
        return "PATCH";
    case METHOD_DELETE:
        return "DELETE";
    case METHOD_OTHER:
    case METHOD_GET_HEAD:
        break;
    }
    return "-";
}

/* No query: the one of /token names accounts and scopes. */
static void log_request(const struct http_exchange *ex, int64_t took_us,
                        enum MHD_RequestTerminationCode why)
{
    char path[300];
    char user[IDENTITY_NAME_MAX + 8];
    struct slice shown = ex->line.path.p != NULL ? ex->line.path : SLICE_LIT("-");
    bool whole = why == MHD_REQUEST_TERMINATED_COMPLETED_OK || ex->sent_raw;
    log_event(LOG_INFO, "request",
              "id=%s method=%s handler=%s path=%s status=%d in=%lld out=%lld ms=%lld.%03lld "
              "user=%s address=%s%s",
              ex->rq.id, method_name(ex->rq.method), ex->route != NULL ? ex->route->label : "none",
              log_quote(slice_first(shown, 256), path, sizeof(path)), ex->reply.status,
              (long long)ex->received, (long long)ex->sent_bytes, (long long)(took_us / 1000),
              (long long)(took_us % 1000),
              log_quote(slice_str(ex->identity.name), user, sizeof(user)), ex->rq.address,
              whole ? "" : " ended=early");
}

/* Was it this request's file that could not be read? With two failures in one moment the blobs may
 * be told in the other order. */
static bool take_unread(struct http_exchange *ex, enum MHD_RequestTerminationCode why)
{
    atomic_int *unread = &ex->server->files_unread;
    int n = atomic_load(unread);
    if (why != MHD_REQUEST_TERMINATED_WITH_ERROR || ex->reply.kind != REPLY_FILE || ex->rq.tls) {
        return false;
    }
    while (n > 0 && !atomic_compare_exchange_weak(unread, &n, n - 1)) {
    }
    return n > 0;
}

void http_on_completed(void *arg, struct MHD_Connection *connection, void **context,
                       enum MHD_RequestTerminationCode why)
{
    struct http_exchange *ex = *context;
    (void)arg;
    (void)connection;
    if (ex == NULL) {
        return;
    }
    *context = NULL;
    int64_t took_us = clock_mono_us() - ex->began_us;
    if (ex->reply.status != 0 || ex->route != NULL) {
        metrics_request(ex->rq.app->metrics, ex->match.index, ex->reply.status, took_us,
                        ex->received, ex->sent_bytes);
        log_request(ex, took_us, why);
    }
    if (take_unread(ex, why)) {
        scrubber_read_failed(ex->rq.app, &ex->rq.digest, EIO);
    }
    peer_set(ex->peer, PEER_IDLE);
    ex->connection = NULL;
    ex->peer = NULL;
    struct http_server *server = ex->server;
    if (!ex->sink_open) {
        exchange_free(ex);
    } else if (!defer_detached(server->defer, job_abandon, ex)) {
        job_abandon(ex);
    }
    atomic_fetch_sub(&server->active, 1);
}
