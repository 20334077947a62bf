#include "server/response.h"

#include "base/clock.h"
#include "server/listener.h"
#include "server/scrubber.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <sys/socket.h>

#define FILE_BLOCK 65536 /* the library's own reads under TLS are of 4 KiB */
#define RAW_MAX 8192     /* what an empty socket buffer surely takes */
#define PHRASE_BODY_MAX 4096

/* ---- headers of every answer ---- */

typedef void (*header_fn)(void *out, const char *name, const char *value);

/* By the target as it was sent: of a request that is refused for its form no path is known. */
static bool is_registry(const struct http_exchange *ex)
{
    struct slice target = slice_str(ex->target);
    return slice_starts(target, "/v2") &&
           (target.n == 3 || target.p[3] == '/' || target.p[3] == '?');
}

static void each_header(struct http_exchange *ex, header_fn put, void *out)
{
    put(out, "X-Request-Id", ex->rq.id);
    put(out, "X-Content-Type-Options", "nosniff");
    if (is_registry(ex)) {
        put(out, "Docker-Distribution-Api-Version", "registry/2.0");
    }
    struct slice rest = buf_slice_of(&ex->reply.headers);
    struct slice line;
    while (slice_next(&rest, '\n', &line)) {
        ptrdiff_t colon = slice_index(line, ':');
        if (colon <= 0) {
            continue;
        }
        /* the lines are ours: cut them in place */
        char *text = ex->reply.headers.p + (line.p - ex->reply.headers.p);
        text[colon] = '\0';
        text[line.n] = '\0';
        put(out, text, text + colon + 2);
        text[colon] = ':';
        text[line.n] = '\n';
    }
}

/* ---- through the library ---- */

struct file_source {
    int fd;
    int64_t offset;
    struct app *app;
    struct digest digest; /* of the blob */
};

static ssize_t file_read(void *arg, uint64_t position, char *out, size_t max)
{
    const struct file_source *source = arg;
    ssize_t n = pread(source->fd, out, max, (off_t)((uint64_t)source->offset + position));
    if (n > 0) {
        return n;
    }
    scrubber_read_failed(source->app, &source->digest, n < 0 ? errno : 0);
    return MHD_CONTENT_READER_END_WITH_ERROR;
}

static void file_free(void *arg)
{
    struct file_source *source = arg;
    (void)close(source->fd);
    free(source);
}

/* Only told how long the body would be: for HEAD and 304 the library asks for no byte. */
static ssize_t nothing_read(void *arg, uint64_t position, char *out, size_t max)
{
    (void)arg;
    (void)position;
    (void)out;
    (void)max;
    return MHD_CONTENT_READER_END_WITH_ERROR;
}

static struct MHD_Response *from_file(struct http_exchange *ex)
{
    struct reply *reply = &ex->reply;
    if (reply->length == 0) {
        return MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    }
    if (!ex->rq.tls) {
        return MHD_create_response_from_fd_at_offset64((uint64_t)reply->length, take_fd(&reply->fd),
                                                       (uint64_t)reply->offset);
    }
    struct file_source *source = xmalloc(sizeof(*source));
    *source = (struct file_source){.fd = take_fd(&reply->fd),
                                   .offset = reply->offset,
                                   .app = ex->rq.app,
                                   .digest = ex->rq.digest};
    return MHD_create_response_from_callback((uint64_t)reply->length, FILE_BLOCK, file_read, source,
                                             file_free);
}

static bool is_bodyless(const struct http_exchange *ex)
{
    return ex->line.method == METHOD_HEAD || ex->reply.status == 204 || ex->reply.status == 304;
}

/* Of an answer that is no file. */
static struct slice body_bytes(const struct reply *reply)
{
    return reply->kind == REPLY_SHARED ? reply->shared : buf_slice_of(&reply->body);
}

static int64_t body_length(const struct reply *reply)
{
    if (reply->content_length >= 0) {
        return reply->content_length;
    }
    return reply->kind == REPLY_FILE ? reply->length : (int64_t)body_bytes(reply).n;
}

static struct MHD_Response *from_shared(struct reply *reply)
{
    /* the library takes what it does not change as what it might */
    void *bytes = (void *)(uintptr_t)reply->shared.p;
    struct MHD_Response *response = MHD_create_response_from_buffer_with_free_callback_cls(
        reply->shared.n, bytes, reply->release, reply->of);
    if (response != NULL) {
        reply->release = NULL; /* the response calls it */
    }
    return response;
}

static struct MHD_Response *make(struct http_exchange *ex)
{
    struct reply *reply = &ex->reply;
    if (is_bodyless(ex)) {
        return MHD_create_response_from_callback((uint64_t)body_length(reply), 1024, nothing_read,
                                                 NULL, NULL);
    }
    if (reply->kind == REPLY_FILE) {
        return from_file(ex);
    }
    if (reply->kind == REPLY_SHARED) {
        return from_shared(reply);
    }
    size_t n = 0;
    char *bytes = buf_steal(&reply->body, &n);
    return MHD_create_response_from_buffer(n, bytes, MHD_RESPMEM_MUST_FREE);
}

static void put_response(void *out, const char *name, const char *value)
{
    (void)MHD_add_response_header(out, name, value);
}

/* The library ends the lines between chunks at a bare LF too, where a proxy may read on: behind one
 * nothing follows a chunked body, so that nothing can be hidden in it. */
static bool is_last_of_connection(const struct http_exchange *ex)
{
    bool chunked = ex->line.has_body && ex->line.content_length < 0;
    return ex->reply.close || listener_is_stopping(ex->listener) ||
           (chunked && ex->rq.app->config->behind_proxy);
}

enum MHD_Result response_queue(struct http_exchange *ex)
{
    int64_t length = is_bodyless(ex) ? 0 : body_length(&ex->reply);
    struct MHD_Response *response = make(ex);
    if (response == NULL) {
        return MHD_NO;
    }
    each_header(ex, put_response, response);
    if (is_last_of_connection(ex)) {
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    }
    ex->sent_bytes = length;
    enum MHD_Result result =
        MHD_queue_response(ex->connection, (unsigned)ex->reply.status, response);
    MHD_destroy_response(response);
    return result;
}

/* ---- by hand ---- */

bool response_wants_phrase(const struct http_exchange *ex)
{
    return ex->reply.phrase[0] != '\0' && !ex->line.has_body &&
           ex->reply.kind != REPLY_FILE && body_bytes(&ex->reply).n < PHRASE_BODY_MAX;
}

static void put_text(void *out, const char *name, const char *value)
{
    buf_printf(out, "%s: %s\r\n", name, value);
}

static void build(struct http_exchange *ex, struct buf *b)
{
    char date[TIME_STR_MAX];
    const struct reply *reply = &ex->reply;
    const char *phrase = reply->phrase[0] != '\0'
                             ? reply->phrase
                             : MHD_get_reason_phrase_for((unsigned)reply->status);
    buf_printf(b, "HTTP/1.1 %d %s\r\nDate: %s\r\n", reply->status, phrase,
               time_format_http(ex->rq.now_us, date));
    each_header(ex, put_text, b);
    buf_printf(b, "Connection: close\r\nContent-Length: %lld\r\n\r\n",
               (long long)body_length(reply));
    if (!is_bodyless(ex)) {
        buf_slice(b, body_bytes(reply));
    }
}

static ssize_t write_connection(struct http_exchange *ex, struct slice text)
{
    const union MHD_ConnectionInfo *info =
        ex->rq.tls ? MHD_get_connection_info(ex->connection, MHD_CONNECTION_INFO_GNUTLS_SESSION)
                   : MHD_get_connection_info(ex->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (info == NULL) {
        return -1;
    }
    if (ex->rq.tls) {
        ssize_t n = gnutls_record_send((gnutls_session_t)info->tls_session, text.p, text.n);
        /* "again" keeps the record inside the session: nothing else may follow it */
        return n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED ? 1 : n;
    }
    return send(info->connect_fd, text.p, text.n, MSG_NOSIGNAL | MSG_DONTWAIT);
}

bool response_send_raw(struct http_exchange *ex)
{
    auto_buf struct buf text = {0};
    if (ex->reply.kind == REPLY_FILE) {
        return false;
    }
    build(ex, &text);
    if (text.n > RAW_MAX || write_connection(ex, buf_slice_of(&text)) <= 0) {
        return false;
    }
    ex->sent_bytes = is_bodyless(ex) ? 0 : body_length(&ex->reply);
    return true;
}
