/* Pushes to one registry over plain HTTP/1.1, as many clients at once as it is told: each has a
 * connection of its own that it keeps, and sends a request when the answer to the last one is whole.
 *
 *   push [--clients N] [--images N] [--blobs N] [--size BYTES] [--header LINE]… URL REPOSITORY
 *
 * An image is a config and two layers of about a kilobyte and a manifest; a blob is --size random
 * bytes. Both are new with each run, and all of it is made before the clock starts. Each blob is
 * POST and PUT. Prints one JSON object. Exit status 0; 1 when an answer was not the one that says
 * "created", or the connection broke; 2 on usage. */
#include "base/buf.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/hex.h"
#include "tests/perf/client.h"

#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>

#define ANSWER_MAX 16384
#define CLIENTS_MAX 256
#define IMAGE_BLOBS 3
#define OCI "application/vnd.oci.image."

struct options {
    int64_t clients, images, blobs, size;
    struct buf headers;
    struct client_server server;
    const char *repository;
};

struct blob {
    struct buf bytes;
    char digest[DIGEST_STR_MAX];
};

struct image {
    struct blob blobs[IMAGE_BLOBS];
    struct buf manifest;
    char tag[33];
};

struct work {
    const struct options *options;
    struct image *images;
    struct blob *blobs;
    pthread_barrier_t begin;
    atomic_llong next_image, next_blob;
    atomic_llong bad;
};

/* ---- what is pushed ---- */

static void name_blob(struct blob *b)
{
    struct digest digest;
    hash_bytes(DIGEST_SHA256, buf_slice_of(&b->bytes), &digest);
    (void)digest_format(&digest, b->digest);
}

static void make_blob(struct blob *b, size_t n)
{
    buf_reserve(&b->bytes, n);
    randombytes_buf(b->bytes.p, n);
    b->bytes.n = n;
    name_blob(b);
}

static void describe(struct buf *out, const char *type, const struct blob *b)
{
    buf_printf(out, "{\"mediaType\":\"" OCI "%s\",\"digest\":\"%s\",\"size\":%zu}", type, b->digest,
               b->bytes.n);
}

static void make_image(struct image *image)
{
    uint8_t seed[16];
    randombytes_buf(seed, sizeof(seed));
    (void)hex_encode(seed, sizeof(seed), image->tag);
    buf_printf(&image->blobs[0].bytes,
               "{\"architecture\":\"amd64\",\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\","
               "\"diff_ids\":[]},\"seed\":\"%s\"}",
               image->tag);
    for (int i = 1; i < IMAGE_BLOBS; i++) {
        for (int line = 0; line < 25; line++) {
            buf_printf(&image->blobs[i].bytes, "layer %d of %s\n", i, image->tag);
        }
    }
    for (int i = 0; i < IMAGE_BLOBS; i++) {
        name_blob(&image->blobs[i]);
    }
    buf_str(&image->manifest,
            "{\"schemaVersion\":2,\"mediaType\":\"" OCI "manifest.v1+json\",\"config\":");
    describe(&image->manifest, "config.v1+json", &image->blobs[0]);
    buf_str(&image->manifest, ",\"layers\":[");
    describe(&image->manifest, "layer.v1.tar", &image->blobs[1]);
    buf_char(&image->manifest, ',');
    describe(&image->manifest, "layer.v1.tar", &image->blobs[2]);
    buf_str(&image->manifest, "]}");
}

/* ---- one client ---- */

static void send_all(int fd, struct slice bytes)
{
    while (bytes.n > 0) {
        ssize_t n = send(fd, bytes.p, bytes.n, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR) {
            client_die("send");
        }
        bytes = slice_from(bytes, n > 0 ? (size_t)n : 0);
    }
}

/* The head of the answer is in `answer`, NUL-terminated; its body is read and forgotten. */
static void receive(int fd, char answer[ANSWER_MAX])
{
    size_t have = 0;
    const char *end = NULL;
    int64_t length = 0;
    while (end == NULL) {
        ssize_t n = recv(fd, answer + have, ANSWER_MAX - 1 - have, 0);
        if (n <= 0) {
            client_die("recv");
        }
        have += (size_t)n;
        answer[have] = '\0';
        end = strstr(answer, "\r\n\r\n");
    }
    const char *text = strcasestr(answer, "\r\nContent-Length: ");
    if (text != NULL && text < end) {
        length = strtoll(text + strlen("\r\nContent-Length: "), NULL, 10);
    }
    char rest[ANSWER_MAX];
    for (int64_t left = length - (int64_t)(answer + have - (end + 4)); left > 0;) {
        ssize_t n = recv(fd, rest, left < (int64_t)sizeof(rest) ? (size_t)left : sizeof(rest), 0);
        if (n <= 0) {
            client_die("recv");
        }
        left -= n;
    }
}

/* True when the answer has the status. */
static bool ask(int fd, const struct options *o, const char *method, const char *target,
                const char *type, struct slice body, const char *status, char answer[ANSWER_MAX])
{
    auto_buf struct buf head = {0};
    buf_printf(&head,
               "%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nContent-Length: %zu\r\n",
               method, target, type, body.n);
    buf_slice(&head, buf_slice_of(&o->headers));
    buf_str(&head, "\r\n");
    if (body.n < ANSWER_MAX) {
        buf_slice(&head, body);
        body.n = 0;
    }
    send_all(fd, buf_slice_of(&head));
    send_all(fd, body);
    receive(fd, answer);
    return strncmp(answer + strlen("HTTP/1.1 "), status, strlen(status)) == 0;
}

/* The target of the PUT: Location may be a path or a whole URL, with parameters or without. */
static bool put_target(char *answer, const char *digest, struct buf *out)
{
    char *at = strcasestr(answer, "\r\nLocation: ");
    char *end = at != NULL ? strstr(at + 2, "\r\n") : NULL;
    if (end == NULL) {
        return false;
    }
    *end = '\0';
    at += strlen("\r\nLocation: ");
    char *scheme = strstr(at, "://");
    at = scheme != NULL ? strchr(scheme + 3, '/') : at;
    if (at == NULL) {
        return false;
    }
    buf_printf(out, "%s%cdigest=%s", at, strchr(at, '?') != NULL ? '&' : '?', digest);
    return true;
}

static bool push_blob(int fd, const struct options *o, const struct blob *b)
{
    static const char type[] = "application/octet-stream";
    char answer[ANSWER_MAX];
    auto_buf struct buf target = {0};
    buf_printf(&target, "/v2/%s/blobs/uploads/", o->repository);
    if (!ask(fd, o, "POST", target.p, type, SLICE_LIT(""), "202", answer)) {
        return false;
    }
    buf_clear(&target);
    return put_target(answer, b->digest, &target) &&
           ask(fd, o, "PUT", target.p, type, buf_slice_of(&b->bytes), "201", answer);
}

static bool push_image(int fd, const struct options *o, const struct image *image)
{
    char answer[ANSWER_MAX];
    auto_buf struct buf target = {0};
    for (int i = 0; i < IMAGE_BLOBS; i++) {
        if (!push_blob(fd, o, &image->blobs[i])) {
            return false;
        }
    }
    buf_printf(&target, "/v2/%s/manifests/%s", o->repository, image->tag);
    return ask(fd, o, "PUT", target.p, OCI "manifest.v1+json", buf_slice_of(&image->manifest),
               "201", answer);
}

static void *client(void *arg)
{
    struct work *w = arg;
    const struct options *o = w->options;
    auto_fd int fd = client_connect(&o->server);
    long long i = 0;
    (void)pthread_barrier_wait(&w->begin);
    while ((i = atomic_fetch_add(&w->next_image, 1)) < o->images) {
        atomic_fetch_add(&w->bad, !push_image(fd, o, &w->images[i]));
    }
    while ((i = atomic_fetch_add(&w->next_blob, 1)) < o->blobs) {
        atomic_fetch_add(&w->bad, !push_blob(fd, o, &w->blobs[i]));
    }
    return NULL;
}

/* ---- all of them ---- */

static void make(struct work *w)
{
    w->images = xcalloc((size_t)w->options->images + 1, sizeof(*w->images));
    w->blobs = xcalloc((size_t)w->options->blobs + 1, sizeof(*w->blobs));
    for (int64_t i = 0; i < w->options->images; i++) {
        make_image(&w->images[i]);
    }
    for (int64_t i = 0; i < w->options->blobs; i++) {
        make_blob(&w->blobs[i], (size_t)w->options->size);
    }
}

static void dispose(struct work *w)
{
    for (int64_t i = 0; i < w->options->images; i++) {
        for (int j = 0; j < IMAGE_BLOBS; j++) {
            buf_dispose(&w->images[i].blobs[j].bytes);
        }
        buf_dispose(&w->images[i].manifest);
    }
    for (int64_t i = 0; i < w->options->blobs; i++) {
        buf_dispose(&w->blobs[i].bytes);
    }
    free(w->images);
    free(w->blobs);
}

static int measure(const struct options *o)
{
    struct work w = {.options = o};
    pthread_t threads[CLIENTS_MAX];
    make(&w);
    (void)pthread_barrier_init(&w.begin, NULL, (unsigned)o->clients + 1);
    for (int64_t i = 0; i < o->clients; i++) {
        if (pthread_create(&threads[i], NULL, client, &w) != 0) {
            client_die("pthread_create");
        }
    }
    double cpu = client_cpu_s();
    int64_t began_us = clock_mono_us();
    (void)pthread_barrier_wait(&w.begin);
    for (int64_t i = 0; i < o->clients; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    double seconds = (double)(clock_mono_us() - began_us) / 1e6;
    (void)printf("{\"seconds\":%.6f,\"bad\":%lld,\"load_cpu_s\":%.2f}\n", seconds,
                 atomic_load(&w.bad), client_cpu_s() - cpu);
    (void)pthread_barrier_destroy(&w.begin);
    dispose(&w);
    return atomic_load(&w.bad) > 0;
}

/* ---- arguments ---- */

static bool take_option(void *arg, const char *name, const char *value)
{
    struct options *o = arg;
    const struct client_number numbers[] = {{"--clients", &o->clients},
                                            {"--images", &o->images},
                                            {"--blobs", &o->blobs},
                                            {"--size", &o->size}};
    if (strcmp(name, "--header") == 0) {
        buf_printf(&o->headers, "%s\r\n", value);
        return true;
    }
    return client_take_number(numbers, sizeof(numbers) / sizeof(numbers[0]), name, value);
}

static bool read_arguments(struct options *o, int argc, char **argv)
{
    int i = client_take_options(argc, argv, take_option, o);
    if (i == 0 || argc - i != 2 || !client_take_url(argv[i], &o->server) || o->server.tls) {
        return false;
    }
    o->repository = argv[i + 1];
    return o->clients >= 1 && o->clients <= CLIENTS_MAX && o->size >= 1;
}

int main(int argc, char **argv)
{
    struct options options = {.clients = 8, .size = 1024};
    int status = 2;
    if (sodium_init() >= 0 && read_arguments(&options, argc, argv)) {
        status = measure(&options);
    } else {
        (void)fprintf(stderr, "usage: push [--clients N] [--images N] [--blobs N] [--size BYTES] "
                              "[--header LINE]… http://127.0.0.1:PORT REPOSITORY\n");
    }
    buf_dispose(&options.headers);
    return status;
}
