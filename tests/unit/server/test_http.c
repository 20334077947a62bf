/* The HTTP core over real sockets, with handlers of its own: framing, bodies, streams, refusals in
 * the middle of a body, answers written by hand, files, stopping. */
#include "base/hash.h"
#include "base/log.h"
#include "server/certificate.h"
#include "server/defer.h"
#include "server/http_server.h"
#include "server/listener.h"
#include "server/metrics.h"
#include "server/response.h"
#include "server/router.h"
#include "server/sweeper.h"
#include "server/tls.h"
#include "tests/unit/base/check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <poll.h>
#include <sodium.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

/* ---- handlers ---- */

static const char *file_path;
static atomic_int streams_open, streams_aborted;

static void echo(struct request *rq, struct reply *reply)
{
    reply_bytes(reply, 200, "text/plain", rq->body);
}

static void quick(struct request *rq, struct reply *reply)
{
    auto_buf struct buf text = {0};
    (void)request_query(rq, "q", 0, &text);
    buf_printf(&text, "|%.*s|%s|%d", SLICE_FMT(rq->path), rq->address, rq->control);
    reply_buf(reply, 200, "text/plain", &text);
}

static void silent(struct request *rq, struct reply *reply)
{
    (void)rq;
    (void)reply;
}

static void refused(struct request *rq, struct reply *reply)
{
    struct err err = {0};
    (void)rq;
    (void)err_set(&err, ERR_DENIED, "content trust: no");
    reply_error(reply, &err);
    snprintf(reply->phrase, sizeof(reply->phrase), "Forbidden: content trust: no");
}

static void file(struct request *rq, struct reply *reply)
{
    struct stat st;
    auto_buf struct buf first = {0};
    int fd = open(file_path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(fstat(fd, &st), 0);
    int64_t offset = 0;
    if (request_query(rq, "from", 0, &first)) {
        (void)slice_to_int64(buf_slice_of(&first), &offset);
    }
    reply_file(reply, 200, "application/octet-stream", fd, offset, st.st_size - offset);
}

struct stream {
    struct hash *hash;
    int64_t n;
};

static bool stream_open(struct request *rq, struct reply *refusal, struct err *err)
{
    (void)refusal;
    if (request_has_query(rq, "closed")) {
        return err_set(err, ERR_UPLOAD_UNKNOWN, "");
    }
    struct stream *s = xcalloc(1, sizeof(*s));
    s->hash = hash_new(DIGEST_SHA256);
    rq->stream = s;
    atomic_fetch_add(&streams_open, 1);
    return true;
}

static void stream_free(struct request *rq)
{
    struct stream *s = rq->stream;
    rq->stream = NULL;
    hash_free(s->hash);
    free(s);
    atomic_fetch_sub(&streams_open, 1);
}

static bool stream_write(struct request *rq, struct slice bytes, struct err *err)
{
    struct stream *s = rq->stream;
    hash_update(s->hash, bytes.p, bytes.n);
    s->n += (int64_t)bytes.n;
    if (request_has_query(rq, "full") && s->n > 300000) {
        return err_set(err, ERR_NO_SPACE, "");
    }
    return true;
}

static void stream_abort(struct request *rq)
{
    atomic_fetch_add(&streams_aborted, 1);
    stream_free(rq);
}

static void stream_end(struct request *rq, struct reply *reply)
{
    struct stream *s = rq->stream;
    struct digest digest;
    char text[DIGEST_STR_MAX];
    hash_peek(s->hash, &digest);
    reply_bytes(reply, 201, "text/plain", slice_str(digest_format(&digest, text)));
    stream_free(rq);
}

static void slow(struct request *rq, struct reply *reply)
{
    const struct timespec pause = {.tv_nsec = 300000000};
    (void)rq;
    (void)nanosleep(&pause, NULL);
    reply_empty(reply, 204);
}

static const struct stream_sink sink = {stream_open, stream_write, stream_abort};

static const struct route table[] = {
    {METHOD_GET_HEAD, "/quick", ACCESS_OPEN, BODY_NONE, INLINE, quick, "quick", NULL},
    {METHOD_GET, "/v2/{name}/tags/list", ACCESS_OPEN, BODY_NONE, INLINE, quick, "tags", NULL},
    {METHOD_PUT, "/v2/{name}/manifests/{reference}", ACCESS_OPEN, BODY_MANIFEST, WORKER, echo,
     "put", NULL},
    {METHOD_POST, "/echo", ACCESS_OPEN, BODY_FORM, WORKER, echo, "echo", NULL},
    {METHOD_POST, "/trust", ACCESS_OPEN, BODY_TRUST, WORKER, echo, "trust", NULL},
    {METHOD_GET, "/silent", ACCESS_OPEN, BODY_NONE, INLINE, silent, "silent", NULL},
    {METHOD_GET_HEAD, "/refused", ACCESS_OPEN, BODY_NONE, INLINE, refused, "refused", NULL},
    {METHOD_GET_HEAD, "/file", ACCESS_OPEN, BODY_NONE, INLINE, file, "file", NULL},
    {METHOD_GET, "/slow", ACCESS_OPEN, BODY_NONE, WORKER, slow, "slow", NULL},
    {METHOD_PATCH | METHOD_POST, "/stream", ACCESS_OPEN, BODY_STREAM, WORKER, stream_end, "stream",
     &sink},
};
static const char *const labels[] = {"quick",  "tags",    "put",  "echo", "trust",
                                     "silent", "refused", "file", "slow", "stream"};

/* ---- the server ---- */

struct house {
    struct folder folder;
    struct config *config;
    struct app app;
    struct http_server server;
    struct tls *tls;
    struct listener *plain, *secure, *control;
    int port, tls_port;
};

static int free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(a);
    auto_fd int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
    return ntohs(a.sin_port);
}

static void write_file(const char *path, struct slice text)
{
    auto_fd int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, text.p, text.n), text.n);
}

static void make_tls(struct house *h, struct err *err)
{
    struct certificate_set set;
    char certificate[128];
    char key[128];
    snprintf(certificate, sizeof(certificate), "%s/server.crt", h->folder.path);
    snprintf(key, sizeof(key), "%s/server.key", h->folder.path);
    assert_true(certificate_make("localhost", INT64_C(1700000000000000), &set, err));
    write_file(certificate, buf_slice_of(&set.server_certificate));
    write_file(key, buf_slice_of(&set.server_key));
    certificate_set_dispose(&set);
    assert_true(tls_new(certificate, key, &h->tls, err));
}

static int setup(void **state)
{
    static char big[128];
    struct house *h = xcalloc(1, sizeof(*h));
    struct err err = {0};
    char text[400];
    assert_true(sodium_init() >= 0);
    log_set_level(LOG_ERROR);
    folder_make(&h->folder);
    h->port = free_port();
    h->tls_port = free_port();
    snprintf(text, sizeof(text),
             "public_url: http://127.0.0.1:%d\nlisten: [{address: \"127.0.0.1:%d\"}]\nlimits: "
             "{manifest: 64KiB, "
             "token_form: 4KiB, trust_upload: 1MiB, workers: 2, queue: 8}\n",
             h->port, h->port);
    assert_true(config_parse("f", slice_str(text), &h->config, &err));
    h->app.config = h->config;
    h->app.metrics = metrics_new(labels, COUNT(labels));
    h->server = (struct http_server){.app = &h->app, .routes = table, .connections = 1000};
    h->server.router = router_new(table, COUNT(table));
    const struct sweeper_limits limits = {
        .slow_after_us = 2000000, .slow_rate = 1024, .connections = 1000};
    h->server.sweeper = sweeper_new(&limits, h->app.metrics);
    h->server.defer = defer_new(2, 8, 200, h->app.metrics);
    make_tls(h, &err);
    struct config_listen where = h->config->listen[0];
    assert_true(listener_bind_tcp(&h->server, &where, NULL, &h->plain, &err));
    where.port = h->tls_port;
    assert_true(listener_bind_tcp(&h->server, &where, h->tls, &h->secure, &err));
    assert_true(listener_bind_control(&h->server, h->folder.path, &h->control, &err));
    assert_true(listener_start(h->plain, &err) && listener_start(h->secure, &err) &&
                listener_start(h->control, &err));

    snprintf(big, sizeof(big), "%s/big", h->folder.path);
    auto_buf struct buf bytes = {0};
    for (int i = 0; i < 300000; i++) {
        buf_printf(&bytes, "%07d\n", i);
    }
    write_file(big, buf_slice_of(&bytes));
    file_path = big;
    *state = h;
    return 0;
}

static int teardown(void **state)
{
    struct house *h = *state;
    atomic_store(&h->server.stopping, true);
    listener_quiesce(h->plain);
    listener_quiesce(h->secure);
    listener_quiesce(h->control);
    defer_stop(h->server.defer);
    listener_stop(h->plain);
    listener_stop(h->secure);
    listener_stop(h->control);
    sweeper_free(h->server.sweeper);
    defer_free(h->server.defer);
    router_free(h->server.router);
    tls_free(h->tls);
    metrics_free(h->app.metrics);
    config_free(h->config);
    folder_remove(&h->folder);
    assert_int_equal(atomic_load(&streams_open), 0);
    assert_int_equal(atomic_load(&h->server.active), 0);
    free(h);
    return 0;
}

/* ---- a client ---- */

static int dial(int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                            .sin_port = htons((uint16_t)port)};
    const struct timeval wait = {.tv_sec = 20};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    return fd;
}

/* Sends as much as the other side takes. */
static void say(int fd, struct slice text)
{
    while (text.n > 0) {
        ssize_t n = send(fd, text.p, text.n, MSG_NOSIGNAL);
        if (n <= 0) {
            return;
        }
        text = slice_from(text, (size_t)n);
    }
}

static void hear_all(int fd, struct buf *out)
{
    char chunk[65536];
    ssize_t n;
    while ((n = recv(fd, chunk, sizeof(chunk), 0)) > 0) {
        buf_put(out, chunk, (size_t)n);
    }
    buf_put(out, "", 0);
    buf_str(out, "");
}

/* Sends a request that ends the connection, gives the whole answer. */
static void ask(int port, struct slice text, struct buf *out)
{
    auto_fd int fd = dial(port);
    buf_clear(out);
    say(fd, text);
    (void)shutdown(fd, SHUT_WR);
    hear_all(fd, out);
}

static int status_of(const struct buf *answer)
{
    return answer->n > 12 && strncmp(answer->p, "HTTP/1.1 ", 9) == 0
               ? (int)strtol(answer->p + 9, NULL, 10)
               : 0;
}

static const char *body_of(const struct buf *answer)
{
    const char *end = answer->n > 0 ? strstr(answer->p, "\r\n\r\n") : NULL;
    return end != NULL ? end + 4 : "";
}

#define TAIL " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"

/* ---- cases ---- */

static const struct {
    const char *name, *request;
    int status;
    const char *holds; /* in the answer */
} cases[] = {
    {"a plain GET", "GET /quick?q=a%20b+c" TAIL "\r\n", 200, "a b c|/quick|127.0.0.1|0"},
    {"HEAD has a length and no body", "HEAD /quick" TAIL "\r\n", 200, "Content-Length: 19"},
    {"each answer has an id", "GET /quick" TAIL "\r\n", 200, "X-Request-Id: "},
    {"registry answers say so", "GET /v2/ns/app/tags/list" TAIL "\r\n", 200,
     "Docker-Distribution-Api-Version: registry/2.0"},
    {"a body to a worker", "POST /echo" TAIL "Content-Length: 5\r\n\r\nhello", 200,
     "\r\n\r\nhello"},
    {"a body in chunks",
     "POST /echo" TAIL "Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", 200,
     "\r\n\r\nhello"},
    {"an empty body in chunks", "POST /echo" TAIL "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     200, "Content-Length: 0"},
    {"no route", "GET /nowhere" TAIL "\r\n", 404, "\"code\":\"NOT_FOUND\""},
    {"no trust route", "GET /v2/h/ns/app/_trust/nowhere" TAIL "\r\n", 404, "METADATA_NOT_FOUND"},
    {"another method", "PUT /quick" TAIL "Content-Length: 0\r\n\r\n", 405, "Allow: GET, HEAD\r\n"},
    {"a method that no route takes", "OPTIONS /quick" TAIL "\r\n", 405, "Allow: GET, HEAD\r\n"},
    {"a method that no route takes, nowhere", "OPTIONS /nowhere" TAIL "\r\n", 404, "NOT_FOUND"},
    {"a method that is none", "BREW /quick" TAIL "\r\n", 501, "UNSUPPORTED"},
    {"a refused form of a registry request", "GET /v2/" TAIL "Host: i\r\n\r\n", 400,
     "Docker-Distribution-Api-Version: registry/2.0"},
    {"a refused method of a registry request", "BREW /v2?x" TAIL "\r\n", 501,
     "Docker-Distribution-Api-Version: registry/2.0"},
    {"a name of one component", "GET /v2/app/tags/list" TAIL "\r\n", 400, "NAME_INVALID"},
    {"a name in capitals", "GET /v2/ns/App/tags/list" TAIL "\r\n", 400, "NAME_INVALID"},
    {"a tag that is none", "PUT /v2/ns/app/manifests/.x" TAIL "Content-Length: 0\r\n\r\n", 400,
     "TAG_INVALID"},
    {"a digest that is none", "PUT /v2/ns/app/manifests/sha256:12" TAIL "Content-Length: 0\r\n\r\n",
     400, "DIGEST_INVALID"},
    {"an encoded slash", "GET /v2/ns%2Fapp/tags/list" TAIL "\r\n", 404, "NOT_FOUND"},
    {"a handler that says nothing", "GET /silent" TAIL "\r\n", 500, "\"code\":\"UNKNOWN\""},
    {"a phrase of our own", "GET /refused" TAIL "\r\n", 403,
     "HTTP/1.1 403 Forbidden: content trust: no\r\n"},
    {"a phrase of our own for HEAD", "HEAD /refused" TAIL "\r\n", 403,
     "403 Forbidden: content trust: no\r\n"},
    {"length and chunks",
     "POST /echo" TAIL
     "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /quick" TAIL "\r\n",
     400, "INVALID_REQUEST"},
    {"two lengths", "POST /echo" TAIL "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc", 400,
     "INVALID_REQUEST"},
    {"another coding", "POST /echo" TAIL "Transfer-Encoding: gzip\r\n\r\nabc", 400,
     "INVALID_REQUEST"},
    {"a coding that only looks like chunked",
     "POST /echo" TAIL "Transfer-Encoding: chunked \r\n\r\n0\r\n\r\n", 400, "INVALID_REQUEST"},
    {"two hosts", "GET /quick" TAIL "Host: i\r\n\r\n", 400, "INVALID_REQUEST"},
    {"a form that is too large", "POST /echo" TAIL "Content-Length: 5000000\r\n\r\n", 413,
     "SIZE_INVALID"},
};

static void answers_each_case(void **state)
{
    const struct house *h = *state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        auto_buf struct buf answer = {0};
        ask(h->port, slice_str(cases[i].request), &answer);
        if (status_of(&answer) != cases[i].status || strstr(answer.p, cases[i].holds) == NULL) {
            fail_msg("%s: %s", cases[i].name, answer.p);
        }
    }
}

static void a_hidden_second_request_is_not_answered(void **state)
{
    const struct house *h = *state;
    auto_buf struct buf answer = {0};
    ask(h->port,
        SLICE_LIT("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\nTransfer-Encoding: "
                  "chunked\r\n\r\n0\r\n\r\n"
                  "GET /quick?q=smuggled HTTP/1.1\r\nHost: h\r\n\r\n"),
        &answer);
    assert_int_equal(status_of(&answer), 400);
    assert_null(strstr(answer.p, "smuggled"));
    assert_null(strstr(answer.p + 9, "HTTP/1.1 "));
}

static void requests_share_a_connection(void **state)
{
    const struct house *h = *state;
    auto_buf struct buf answer = {0};
    ask(h->port,
        SLICE_LIT("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nabGET /nowhere "
                  "HTTP/1.1\r\nHost: h\r\n\r\n"
                  "PUT /v2/ns/app/manifests/.x HTTP/1.1\r\nHost: h\r\nContent-Length: "
                  "3\r\n\r\nabcGET /quick?q=last" TAIL "\r\n"),
        &answer);
    const char *second = strstr(answer.p + 9, "HTTP/1.1 404");
    assert_non_null(second);
    assert_non_null(strstr(second, "HTTP/1.1 400"));
    assert_non_null(strstr(second, "last|/quick"));
}

static void bodies_are_bounded_by_their_kind(void **state)
{
    const struct house *h = *state;
    static const struct {
        const char *target;
        size_t max;
        int status;
        const char *code;
    } kinds[] = {{"PUT /v2/ns/app/manifests/v1", 65536, 413, "SIZE_INVALID"},
                 {"POST /echo", 4096, 413, "SIZE_INVALID"},
                 {"POST /trust", 1 << 20, 400, "\"Name\":\"ErrValidation\""}};
    for (size_t i = 0; i < COUNT(kinds); i++) {
        for (int form = 0; form < 4; form++) {
            size_t n = kinds[i].max + (size_t)(form & 1);
            auto_buf struct buf request = {0};
            auto_buf struct buf answer = {0};
            buf_printf(&request, "%s" TAIL, kinds[i].target);
            if (form < 2) {
                buf_printf(&request, "Content-Length: %zu\r\n\r\n", n);
            } else {
                buf_printf(&request, "Transfer-Encoding: chunked\r\n\r\n%zx\r\n", n);
            }
            for (size_t k = 0; k < n; k++) {
                buf_char(&request, 'x');
            }
            buf_str(&request, form < 2 ? "" : "\r\n0\r\n\r\n");
            ask(h->port, buf_slice_of(&request), &answer);
            if ((form & 1) == 0) {
                CHECK_CASE(status_of(&answer) == 200 && strlen(body_of(&answer)) == n,
                           kinds[i].target);
            } else {
                CHECK_CASE(status_of(&answer) == kinds[i].status &&
                               strstr(answer.p, kinds[i].code) != NULL,
                           kinds[i].target);
            }
        }
    }
}

static void stream_of(size_t n, struct buf *out, char digest_text[DIGEST_STR_MAX])
{
    struct digest digest;
    size_t begin = out->n;
    buf_reserve(out, n + 1);
    for (size_t i = 0; i < n; i++) {
        buf_char(out, (char)(i * 2654435761U >> 13));
    }
    hash_bytes(DIGEST_SHA256, slice_from(buf_slice_of(out), begin), &digest);
    (void)digest_format(&digest, digest_text);
}

static void streams_arrive_whole(void **state)
{
    const struct house *h = *state;
    static const size_t sizes[] = {0, 1, 262143, 262144, 262145, 1000000, 3 << 20};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        auto_buf struct buf request = {0};
        auto_buf struct buf answer = {0};
        char want[DIGEST_STR_MAX];
        buf_printf(&request, "PATCH /stream" TAIL "Content-Length: %zu\r\n\r\n", sizes[i]);
        stream_of(sizes[i], &request, want);
        ask(h->port, buf_slice_of(&request), &answer);
        assert_int_equal(status_of(&answer), 201);
        assert_string_equal(body_of(&answer), want);
    }
}

static void streams_in_chunks_arrive_whole(void **state)
{
    const struct house *h = *state;
    static const size_t chunks[] = {1000, 65536, 262144, 700000};
    for (size_t i = 0; i < COUNT(chunks); i++) {
        auto_buf struct buf body = {0};
        auto_buf struct buf request = {0};
        auto_buf struct buf answer = {0};
        char want[DIGEST_STR_MAX];
        stream_of(1500000, &body, want);
        buf_str(&request, "PATCH /stream" TAIL "Transfer-Encoding: chunked\r\n\r\n");
        for (size_t at = 0; at < body.n; at += chunks[i]) {
            struct slice chunk = slice_first(slice_from(buf_slice_of(&body), at), chunks[i]);
            buf_printf(&request, "%zx\r\n", chunk.n);
            buf_slice(&request, chunk);
            buf_str(&request, "\r\n");
        }
        buf_str(&request, "0\r\n\r\n");
        ask(h->port, buf_slice_of(&request), &answer);
        assert_int_equal(status_of(&answer), 201);
        assert_string_equal(body_of(&answer), want);
    }
}

static void a_sink_that_does_not_open_is_the_answer(void **state)
{
    const struct house *h = *state;
    static const size_t sizes[] = {0, 10, 900000, 4 << 20};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        auto_buf struct buf request = {0};
        auto_buf struct buf answer = {0};
        char digest[DIGEST_STR_MAX];
        buf_printf(&request, "PATCH /stream?closed" TAIL "Content-Length: %zu\r\n\r\n", sizes[i]);
        stream_of(sizes[i], &request, digest);
        ask(h->port, buf_slice_of(&request), &answer);
        assert_int_equal(status_of(&answer), 404);
        assert_non_null(strstr(answer.p, "BLOB_UPLOAD_UNKNOWN"));
    }
}

static void a_sink_that_fails_ends_the_upload_with_its_error(void **state)
{
    const struct house *h = *state;
    static const size_t sizes[] = {600000, 20 << 20};
    int before = atomic_load(&streams_aborted);
    for (size_t i = 0; i < COUNT(sizes); i++) {
        auto_buf struct buf request = {0};
        auto_buf struct buf answer = {0};
        char digest[DIGEST_STR_MAX];
        buf_printf(&request, "PATCH /stream?full" TAIL "Content-Length: %zu\r\n\r\n", sizes[i]);
        stream_of(sizes[i], &request, digest);
        ask(h->port, buf_slice_of(&request), &answer);
        assert_int_equal(status_of(&answer), 507);
    }
    assert_int_equal(atomic_load(&streams_aborted), before + 2);
}

static void eventually_aborted(int want)
{
    for (int i = 0; i < 500 && atomic_load(&streams_aborted) < want; i++) {
        const struct timespec pause = {.tv_nsec = 10000000};
        (void)nanosleep(&pause, NULL);
    }
    assert_int_equal(atomic_load(&streams_aborted), want);
}

static void a_client_that_goes_away_ends_its_stream(void **state)
{
    const struct house *h = *state;
    int before = atomic_load(&streams_aborted);
    for (int i = 0; i < 8; i++) {
        auto_buf struct buf request = {0};
        char digest[DIGEST_STR_MAX];
        int fd = dial(h->port);
        buf_str(&request, "PATCH /stream HTTP/1.1\r\nHost: h\r\nContent-Length: 5000000\r\n\r\n");
        stream_of((size_t)(1 + i * 100000), &request, digest);
        say(fd, buf_slice_of(&request));
        (void)close(fd);
    }
    eventually_aborted(before + 8);
}

static void who_waits_for_100_is_answered_before_the_body(void **state)
{
    const struct house *h = *state;
    static const struct {
        const char *target;
        int status;
    } targets[] = {{"PATCH /stream?closed", 404},
                   {"PUT /v2/ns/app/manifests/.x", 400},
                   {"PATCH /stream", 100}};
    int before = atomic_load(&streams_aborted);
    for (size_t i = 0; i < COUNT(targets); i++) {
        auto_buf struct buf request = {0};
        auto_buf struct buf answer = {0};
        auto_fd int fd = dial(h->port);
        char text[2000];
        buf_printf(&request, "%s" TAIL "Content-Length: 5000000\r\nExpect: 100-continue\r\n\r\n",
                   targets[i].target);
        say(fd, buf_slice_of(&request));
        ssize_t n = recv(fd, text, sizeof(text), 0);
        assert_true(n > 0);
        buf_put(&answer, text, (size_t)n);
        assert_int_equal(status_of(&answer), targets[i].status);
    }
    eventually_aborted(before + 1); /* the one that was let go on */
}

static void too_many_jobs_are_told_to_come_back(void **state)
{
    const struct house *h = *state;
    int fds[24];
    int busy = 0;
    int done = 0;
    for (size_t i = 0; i < COUNT(fds); i++) {
        fds[i] = dial(h->port);
        say(fds[i], SLICE_LIT("GET /slow" TAIL "\r\n"));
    }
    for (size_t i = 0; i < COUNT(fds); i++) {
        auto_buf struct buf answer = {0};
        hear_all(fds[i], &answer);
        busy += status_of(&answer) == 503 && strstr(answer.p, "Retry-After: ") != NULL;
        done += status_of(&answer) == 204;
        (void)close(fds[i]);
    }
    assert_int_equal(busy + done, COUNT(fds));
    assert_true(busy > 0 && done > 0);
}

static void files_are_sent_whole_and_in_part(void **state)
{
    const struct house *h = *state;
    auto_buf struct buf answer = {0};
    ask(h->port, SLICE_LIT("GET /file" TAIL "\r\n"), &answer);
    assert_int_equal(strlen(body_of(&answer)), 2400000);
    assert_memory_equal(body_of(&answer) + 2399992, "0299999\n", 8);
    ask(h->port, SLICE_LIT("GET /file?from=2399992" TAIL "\r\n"), &answer);
    assert_string_equal(body_of(&answer), "0299999\n");
    ask(h->port, SLICE_LIT("GET /file?from=2400000" TAIL "\r\n"), &answer);
    assert_int_equal(status_of(&answer), 200);
    assert_string_equal(body_of(&answer), "");
    ask(h->port, SLICE_LIT("HEAD /file" TAIL "\r\n"), &answer);
    assert_non_null(strstr(answer.p, "Content-Length: 2400000\r\n"));
    assert_string_equal(body_of(&answer), "");
}

static void a_slow_drip_is_ended(void **state)
{
    const struct house *h = *state;
    auto_fd int fd = dial(h->port);
    const struct timespec pause = {.tv_nsec = 200000000};
    say(fd, SLICE_LIT("PATCH /stream HTTP/1.1\r\nHost: h\r\nContent-Length: 5000000\r\n\r\n"));
    int before = atomic_load(&streams_aborted);
    for (int i = 0; i < 60; i++) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, 0) > 0) {
            eventually_aborted(before + 1);
            return; /* the end was seen */
        }
        say(fd, SLICE_LIT("x"));
        (void)nanosleep(&pause, NULL);
    }
    fail_msg("the drip was let go on");
}

/* ---- TLS ---- */

static gnutls_session_t tls_dial(const struct house *h,
                                 gnutls_certificate_credentials_t credentials, int *fd)
{
    gnutls_session_t session;
    assert_int_equal(gnutls_init(&session, GNUTLS_CLIENT), 0);
    assert_int_equal(gnutls_set_default_priority(session), 0);
    assert_int_equal(gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials), 0);
    *fd = dial(h->tls_port);
    gnutls_transport_set_int(session, *fd);
    int result;
    do {
        result = gnutls_handshake(session);
    } while (result < 0 && gnutls_error_is_fatal(result) == 0);
    assert_int_equal(result, 0);
    return session;
}

static void tls_ask(const struct house *h, struct slice text, struct buf *out)
{
    gnutls_certificate_credentials_t credentials;
    int fd = -1;
    char chunk[16384];
    ssize_t n = 0;
    assert_int_equal(gnutls_certificate_allocate_credentials(&credentials), 0);
    gnutls_session_t session = tls_dial(h, credentials, &fd);
    buf_clear(out);
    while (text.n > 0) {
        n = gnutls_record_send(session, text.p, text.n);
        assert_true(n > 0);
        text = slice_from(text, (size_t)n);
    }
    while ((n = gnutls_record_recv(session, chunk, sizeof(chunk))) > 0 || n == GNUTLS_E_AGAIN ||
           n == GNUTLS_E_INTERRUPTED) {
        buf_put(out, chunk, n > 0 ? (size_t)n : 0);
    }
    buf_str(out, "");
    gnutls_deinit(session);
    (void)close(fd);
    gnutls_certificate_free_credentials(credentials);
}

static void tls_serves_the_same(void **state)
{
    struct house *h = *state;
    auto_buf struct buf answer = {0};
    auto_buf struct buf request = {0};
    char want[DIGEST_STR_MAX];
    tls_ask(h, SLICE_LIT("GET /quick?q=x" TAIL "\r\n"), &answer);
    assert_int_equal(status_of(&answer), 200);
    tls_ask(h, SLICE_LIT("GET /file?from=8" TAIL "\r\n"), &answer);
    assert_int_equal(strlen(body_of(&answer)), 2399992);
    assert_memory_equal(body_of(&answer), "0000001\n", 8);
    tls_ask(h, SLICE_LIT("GET /refused" TAIL "\r\n"), &answer);
    assert_non_null(strstr(answer.p, "403 Forbidden: content trust: no\r\n"));
    assert_non_null(strstr(answer.p, "content trust: no\"}]}"));
    buf_str(&request, "PATCH /stream" TAIL "Content-Length: 1500000\r\n\r\n");
    stream_of(1500000, &request, want);
    tls_ask(h, buf_slice_of(&request), &answer);
    assert_string_equal(body_of(&answer), want);
}

static void certificates_are_read_again(void **state)
{
    struct house *h = *state;
    struct err err = {0};
    auto_buf struct buf answer = {0};
    char path[128];
    assert_true(tls_reload(h->tls, &err));
    tls_ask(h, SLICE_LIT("GET /quick" TAIL "\r\n"), &answer);
    assert_int_equal(status_of(&answer), 200);
    snprintf(path, sizeof(path), "%s/server.crt", h->folder.path);
    write_file(path, SLICE_LIT("nonsense"));
    assert_false(tls_reload(h->tls, &err));
    assert_non_null(strstr(err.msg, "server.crt"));
    tls_ask(h, SLICE_LIT("GET /quick" TAIL "\r\n"), &answer);
    assert_int_equal(status_of(&answer), 200);
}

/* ---- control socket ---- */

static void the_control_socket_knows_its_peer(void **state)
{
    const struct house *h = *state;
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    struct stat st;
    auto_buf struct buf answer = {0};
    snprintf(a.sun_path, sizeof(a.sun_path), "%s/run/control.sock", h->folder.path);
    assert_int_equal(stat(a.sun_path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    auto_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    say(fd, SLICE_LIT("GET /quick" TAIL "\r\n"));
    hear_all(fd, &answer);
    assert_non_null(strstr(answer.p, "|/quick|local|1"));
}

static void a_taken_port_is_said(void **state)
{
    const struct house *h = *state;
    struct listener *l = NULL;
    struct err err = {0};
    assert_false(listener_bind_tcp(NULL, &h->config->listen[0], NULL, &l, &err));
    assert_non_null(strstr(err.msg, "in use"));
}

/* The last case: nobody comes to this listener afterwards. Who is connected may go on, who comes is not left waiting. */
static void who_comes_to_a_quiesced_listener_is_cut_off(void **state)
{
    const struct house *h = *state;
    auto_buf struct buf answer = {0};
    char text[2000];
    auto_fd int before = dial(h->port);
    say(before, SLICE_LIT("GET /quick?q=first HTTP/1.1\r\nHost: h\r\n\r\n"));
    assert_true(recv(before, text, sizeof(text), 0) > 0);

    listener_quiesce(h->plain);
    auto_fd int late = dial(h->port);
    say(late, SLICE_LIT("GET /quick?q=late" TAIL "\r\n"));
    ssize_t n = recv(late, text, sizeof(text), 0);
    assert_true(n == 0 || (n < 0 && errno == ECONNRESET));

    say(before, SLICE_LIT("GET /quick?q=last" TAIL "\r\n"));
    hear_all(before, &answer);
    assert_non_null(strstr(answer.p, "last|/quick"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_each_case),
        cmocka_unit_test(a_hidden_second_request_is_not_answered),
        cmocka_unit_test(requests_share_a_connection),
        cmocka_unit_test(bodies_are_bounded_by_their_kind),
        cmocka_unit_test(streams_arrive_whole),
        cmocka_unit_test(streams_in_chunks_arrive_whole),
        cmocka_unit_test(a_sink_that_does_not_open_is_the_answer),
        cmocka_unit_test(a_sink_that_fails_ends_the_upload_with_its_error),
        cmocka_unit_test(a_client_that_goes_away_ends_its_stream),
        cmocka_unit_test(who_waits_for_100_is_answered_before_the_body),
        cmocka_unit_test(too_many_jobs_are_told_to_come_back),
        cmocka_unit_test(files_are_sent_whole_and_in_part),
        cmocka_unit_test(a_slow_drip_is_ended),
        cmocka_unit_test(tls_serves_the_same),
        cmocka_unit_test(certificates_are_read_again),
        cmocka_unit_test(the_control_socket_knows_its_peer),
        cmocka_unit_test(a_taken_port_is_said),
        cmocka_unit_test(who_comes_to_a_quiesced_listener_is_cut_off),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
