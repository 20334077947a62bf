/* Closed-loop load on one HTTP/1.1 server: every connection sends its next request when the answer
 * to the last one is whole. One thread, epoll, keep-alive, plain or TLS.
 *
 *   load [--connections N] [--seconds S] [--requests N] [--method M] [--header LINE]…
 *        [--status CODE] [--length BYTES] URL TARGET…
 *
 * Targets are asked for in turn. The run ends after S seconds (default 3), or after N requests. An
 * answer is bad when it has not the status (default 200), or not that many bytes of body, or breaks
 * off. Prints one JSON object. The certificate of a TLS server is not checked: this measures.
 * Exit status 0, also with bad answers; 1 when it could not connect or nothing was answered; 2 on
 * usage. */
#include "base/buf.h"
#include "base/clock.h"
#include "tests/perf/client.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD_MAX 16384
#define CHUNK_LINE_MAX 32
#define ROOM ((size_t)1 << 18) /* one read */
#define CONNECTIONS_MAX 4096
#define EVENTS 64

struct options {
    int64_t connections, seconds, requests, status, length;
    const char *method;
    struct buf headers;
    struct client_server server;
    char **targets;
    size_t target_count;
};

/* What an answer's next byte belongs to. */
enum part { PART_HEAD, PART_BODY, PART_CHUNK_SIZE, PART_CHUNK, PART_CHUNK_END };

struct connection {
    int fd;
    SSL *ssl;
    bool writing; /* the request is not sent yet as a whole */
    size_t sent;
    const struct buf *request;
    int64_t began_us;
    enum part part;
    char head[HEAD_MAX];
    size_t head_n;
    char line[CHUNK_LINE_MAX];
    size_t line_n;
    int status;
    int64_t left; /* of the body, or of the chunk */
    int64_t body; /* bytes so far */
    bool ends;    /* the server closes behind this answer */
};

struct run {
    const struct options *options;
    struct buf *requests; /* by target */
    SSL_CTX *tls;
    int epoll;
    struct connection *connections;
    size_t next;
    int64_t answers, bad, again, bytes;
    uint32_t *delays_us;
    size_t delay_room;
    int64_t until_us;
    char *room;
};

/* ---- requests ---- */

static void make_requests(struct run *run)
{
    const struct options *o = run->options;
    run->requests = xcalloc(o->target_count, sizeof(*run->requests));
    for (size_t i = 0; i < o->target_count; i++) {
        buf_printf(&run->requests[i], "%s %s HTTP/1.1\r\nHost: %.*s\r\n", o->method, o->targets[i],
                   SLICE_FMT(o->server.host));
        buf_slice(&run->requests[i], buf_slice_of(&o->headers));
        buf_str(&run->requests[i], "\r\n");
    }
}

static void next_request(struct run *run, struct connection *c)
{
    c->request = &run->requests[run->next++ % run->options->target_count];
    c->sent = 0;
    c->writing = true;
    c->began_us = clock_mono_us();
    c->part = PART_HEAD;
    c->head_n = c->line_n = 0;
    c->body = 0;
}

/* ---- connections ---- */

static void watch(struct run *run, struct connection *c, int how)
{
    struct epoll_event event = {.events = EPOLLIN | (c->writing ? EPOLLOUT : 0), .data.ptr = c};
    if (epoll_ctl(run->epoll, how, c->fd, &event) != 0) {
        client_die("epoll_ctl");
    }
}

static void dial(struct run *run, struct connection *c)
{
    c->fd = client_connect(&run->options->server);
    c->ends = false;
    if (run->tls != NULL) {
        c->ssl = SSL_new(run->tls);
        (void)SSL_set_fd(c->ssl, c->fd);
        if (SSL_connect(c->ssl) != 1) {
            client_die("TLS handshake");
        }
    }
    if (fcntl(c->fd, F_SETFL, O_NONBLOCK) != 0) {
        client_die("fcntl");
    }
    next_request(run, c);
    watch(run, c, EPOLL_CTL_ADD);
}

static void hang_up(struct connection *c)
{
    SSL_free(c->ssl);
    c->ssl = NULL;
    (void)close(c->fd);
}

static void dial_again(struct run *run, struct connection *c)
{
    run->again++;
    hang_up(c);
    dial(run, c);
}

/* Bytes moved; 0: nothing now; -1: the connection is over. */
static ssize_t result_of(const struct connection *c, ssize_t n)
{
    if (n > 0) {
        return n;
    }
    if (c->ssl != NULL) {
        int why = SSL_get_error(c->ssl, (int)n);
        return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? 0 : -1;
    }
    return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

static ssize_t write_some(struct connection *c)
{
    const char *p = c->request->p + c->sent;
    size_t n = c->request->n - c->sent;
    if (c->ssl != NULL) {
        return result_of(c, SSL_write(c->ssl, p, (int)n));
    }
    return result_of(c, send(c->fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT));
}

/* A plain body is thrown away in the kernel. */
static ssize_t read_some(struct run *run, struct connection *c, bool *dropped)
{
    *dropped = c->ssl == NULL && c->part == PART_BODY && !c->writing;
    if (c->ssl != NULL) {
        return result_of(c, SSL_read(c->ssl, run->room, (int)ROOM));
    }
    size_t n = *dropped && c->left < (int64_t)ROOM ? (size_t)c->left : ROOM;
    return result_of(c, recv(c->fd, run->room, n, MSG_DONTWAIT | (*dropped ? MSG_TRUNC : 0)));
}

/* ---- answers ---- */

static struct slice header(struct slice head, const char *name)
{
    struct slice line;
    while (slice_next(&head, '\n', &line)) {
        ptrdiff_t colon = slice_index(line, ':');
        line = slice_first(line, line.n > 0 ? line.n - 1 : 0); /* its CR */
        if (colon > 0 && slice_is_nocase(slice_first(line, (size_t)colon), name)) {
            return slice_trim(slice_from(line, (size_t)colon + 1));
        }
    }
    return (struct slice){"", 0};
}

static void add_delay(struct run *run, int64_t us)
{
    if ((size_t)run->answers == run->delay_room) {
        run->delay_room = run->delay_room * 2 + 1024;
        run->delays_us = xrealloc(run->delays_us, run->delay_room * sizeof(*run->delays_us));
    }
    run->delays_us[run->answers] = (uint32_t)us;
}

/* The answer is whole. */
static void answered(struct run *run, struct connection *c)
{
    const struct options *o = run->options;
    bool right = c->status == o->status && (o->length < 0 || c->body == o->length);
    add_delay(run, clock_mono_us() - c->began_us);
    run->answers++;
    run->bad += !right;
    next_request(run, c);
}

/* False: the server speaks something that this does not. */
static bool read_head(struct run *run, struct connection *c)
{
    struct slice head = {c->head, c->head_n};
    int64_t length = 0;
    int64_t status = 0;
    struct slice text = header(head, "Content-Length");
    /* HTTP/1.1 200 … */
    bool ok = c->head_n > 12 && slice_to_int64((struct slice){c->head + 9, 3}, &status);
    c->status = ok ? (int)status : 0;
    c->ends = slice_is_nocase(header(head, "Connection"), "close");
    bool bodyless = strcmp(run->options->method, "HEAD") == 0 || c->status == 204 || c->status == 304;
    if (!bodyless && slice_is_nocase(header(head, "Transfer-Encoding"), "chunked")) {
        c->part = PART_CHUNK_SIZE;
        return true;
    }
    if (text.n > 0 && !slice_to_int64(text, &length)) {
        return false;
    }
    c->left = bodyless ? 0 : length;
    c->part = PART_BODY;
    if (c->left == 0) {
        answered(run, c);
    }
    return true;
}

static bool take_head(struct run *run, struct connection *c, struct slice *bytes)
{
    while (bytes->n > 0 && c->part == PART_HEAD) {
        if (c->head_n == sizeof(c->head) - 1) {
            return false;
        }
        c->head[c->head_n++] = bytes->p[0];
        c->head[c->head_n] = '\0';
        *bytes = slice_from(*bytes, 1);
        bool whole = c->head_n >= 4 && memcmp(c->head + c->head_n - 4, "\r\n\r\n", 4) == 0;
        if (whole) {
            return read_head(run, c);
        }
    }
    return true;
}

static void take_body(struct run *run, struct connection *c, struct slice *bytes)
{
    size_t n = (int64_t)bytes->n < c->left ? bytes->n : (size_t)c->left;
    *bytes = slice_from(*bytes, n);
    c->left -= (int64_t)n;
    c->body += (int64_t)n;
    run->bytes += (int64_t)n;
    if (c->left > 0) {
        return;
    }
    if (c->part == PART_CHUNK) {
        c->part = PART_CHUNK_END;
        c->line_n = 0;
        return;
    }
    answered(run, c);
}

/* A line of a chunked body: the size of the next chunk, or the empty one behind it. */
static bool take_line(struct run *run, struct connection *c, struct slice *bytes)
{
    char byte = bytes->p[0];
    *bytes = slice_from(*bytes, 1);
    if (byte != '\n') {
        c->line[c->line_n] = byte;
        c->line[++c->line_n] = '\0';
        return c->line_n < sizeof(c->line) - 1;
    }
    if (c->part == PART_CHUNK_END) {
        c->part = PART_CHUNK_SIZE;
        c->line_n = 0;
        if (c->left < 0) {
            answered(run, c);
        }
        return true;
    }
    c->left = strtoll(c->line, NULL, 16);
    c->part = c->left > 0 ? PART_CHUNK : PART_CHUNK_END;
    c->left = c->left > 0 ? c->left : -1; /* the last one */
    c->line_n = 0;
    return true;
}

static bool consume(struct run *run, struct connection *c, struct slice bytes)
{
    bool ok = true;
    while (ok && bytes.n > 0) {
        switch (c->part) {
        case PART_HEAD:
            ok = !c->writing && take_head(run, c, &bytes);
            break;
        case PART_BODY:
        case PART_CHUNK:
            take_body(run, c, &bytes);
            break;
        case PART_CHUNK_SIZE:
        case PART_CHUNK_END:
            ok = take_line(run, c, &bytes);
            break;
        }
    }
    return ok;
}

/* ---- the loop ---- */

static void broke_off(struct run *run, struct connection *c)
{
    bool idle = c->part == PART_HEAD && c->head_n == 0; /* closed between two requests */
    run->bad += !idle;
    dial_again(run, c);
}

/* False when the connection was made anew. */
static bool send_request(struct run *run, struct connection *c)
{
    ssize_t n = write_some(c);
    if (n < 0) {
        broke_off(run, c);
        return false;
    }
    c->sent += (size_t)n;
    c->writing = c->sent < c->request->n;
    return true;
}

/* Reads what is there. False when the connection was made anew. */
static bool receive(struct run *run, struct connection *c)
{
    bool dropped = false;
    ssize_t n = read_some(run, c, &dropped);
    if (n == 0) {
        return true;
    }
    if (n < 0 || !consume(run, c, (struct slice){run->room, (size_t)n})) {
        broke_off(run, c);
        return false;
    }
    if (c->writing && c->ends) {
        dial_again(run, c);
        return false;
    }
    return true;
}

static void serve(struct run *run, struct connection *c, uint32_t events)
{
    bool wrote = c->writing;
    bool readable = (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0;
    if (readable && !c->writing && !receive(run, c)) {
        return;
    }
    if (c->writing && !send_request(run, c)) {
        return;
    }
    if (wrote != c->writing) {
        watch(run, c, EPOLL_CTL_MOD);
    }
}

static bool goes_on(const struct run *run)
{
    const struct options *o = run->options;
    return o->requests > 0 ? run->answers < o->requests : clock_mono_us() < run->until_us;
}

static void drive(struct run *run)
{
    struct epoll_event events[EVENTS];
    while (goes_on(run)) {
        int n = epoll_wait(run->epoll, events, EVENTS, 100);
        for (int i = 0; i < n; i++) {
            serve(run, events[i].data.ptr, events[i].events);
        }
    }
}

/* ---- the result ---- */

static int by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void print_result(struct run *run, double seconds)
{
    size_t n = (size_t)run->answers;
    if (n > 0) {
        qsort(run->delays_us, n, sizeof(*run->delays_us), by_size);
    }
    (void)printf("{\"requests\":%zu,\"bad\":%lld,\"again\":%lld,\"seconds\":%.6f,\"bytes\":%lld,"
                 "\"p50_us\":%u,\"p99_us\":%u,\"load_cpu_s\":%.2f}\n",
                 n, (long long)run->bad, (long long)run->again, seconds, (long long)run->bytes,
                 n > 0 ? run->delays_us[n / 2] : 0, n > 0 ? run->delays_us[n * 99 / 100] : 0,
                 client_cpu_s());
}

static int measure(const struct options *o)
{
    struct run run = {.options = o, .epoll = epoll_create1(EPOLL_CLOEXEC)};
    run.room = xmalloc(ROOM);
    run.connections = xcalloc((size_t)o->connections, sizeof(*run.connections));
    if (o->server.tls) {
        run.tls = SSL_CTX_new(TLS_client_method());
        (void)SSL_CTX_set_mode(run.tls, SSL_MODE_ENABLE_PARTIAL_WRITE);
    }
    make_requests(&run);
    for (int64_t i = 0; i < o->connections; i++) {
        dial(&run, &run.connections[i]);
    }
    int64_t began_us = clock_mono_us();
    run.until_us = began_us + o->seconds * US_PER_SECOND;
    drive(&run);
    print_result(&run, (double)(clock_mono_us() - began_us) / 1e6);
    bool any = run.answers > 0 || run.bytes > 0;

    for (int64_t i = 0; i < o->connections; i++) {
        hang_up(&run.connections[i]);
    }
    for (size_t i = 0; i < o->target_count; i++) {
        buf_dispose(&run.requests[i]);
    }
    SSL_CTX_free(run.tls);
    (void)close(run.epoll);
    free(run.requests);
    free(run.connections);
    free(run.delays_us);
    free(run.room);
    return any ? 0 : 1;
}

/* ---- arguments ---- */

static bool take_option(void *arg, const char *name, const char *value)
{
    struct options *o = arg;
    const struct client_number numbers[] = {{"--connections", &o->connections},
                                            {"--seconds", &o->seconds},
                                            {"--requests", &o->requests},
                                            {"--status", &o->status},
                                            {"--length", &o->length}};
    if (strcmp(name, "--method") == 0) {
        o->method = value;
        return true;
    }
    if (strcmp(name, "--header") == 0) {
        buf_printf(&o->headers, "%s\r\n", value);
        return true;
    }
    return client_take_number(numbers, sizeof(numbers) / sizeof(numbers[0]), name, value);
}

static bool read_arguments(struct options *o, int argc, char **argv)
{
    int i = client_take_options(argc, argv, take_option, o);
    if (i == 0 || argc - i < 2 || !client_take_url(argv[i], &o->server)) {
        return false;
    }
    o->targets = &argv[i + 1];
    o->target_count = (size_t)(argc - i - 1);
    return o->connections >= 1 && o->connections <= CONNECTIONS_MAX && o->seconds >= 0;
}

int main(int argc, char **argv)
{
    struct options options = {
        .connections = 1, .seconds = 3, .status = 200, .length = -1, .method = "GET"};
    int status = 2;
    if (read_arguments(&options, argc, argv)) {
        status = measure(&options);
    } else {
        (void)fprintf(stderr, "usage: load [--connections N] [--seconds S] [--requests N] "
                              "[--method M] [--header LINE]… [--status CODE] [--length BYTES] "
                              "http[s]://127.0.0.1:PORT TARGET…\n");
    }
    buf_dispose(&options.headers);
    return status;
}
