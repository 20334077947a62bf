/* The registry's handlers behind the real routes, over a real store: asked through the control
 * socket, where the caller is the administrator. */
#include "auth/auth.h"
#include "base/hash.h"
#include "base/log.h"
#include "server/app.h"
#include "server/defer.h"
#include "server/http_server.h"
#include "server/listener.h"
#include "server/metrics.h"
#include "server/route.h"
#include "server/router.h"
#include "server/sweeper.h"
#include "tests/unit/base/check.h"
#include "trust/trust_internal.h"
#include "trust/view_internal.h"

#include <semaphore.h>
#include <sodium.h>
#include <sys/socket.h>
#include <sys/un.h>

#define MANIFEST_TYPE "application/vnd.oci.image.manifest.v1+json"
#define EMPTY_DIGEST "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"

struct house {
    struct folder folder;
    struct config *config;
    struct app *app;
    struct http_server server;
    struct listener *control;
};

static void make_data(struct house *h)
{
    struct err err = {0};
    char secrets[100];
    char text[400];
    folder_make(&h->folder);
    (void)snprintf(secrets, sizeof(secrets), "%s/secrets", h->folder.path);
    assert_int_equal(mkdir(secrets, 0700), 0);
    assert_true(trust_sealing_key_create(h->folder.fd, "secrets/sealing.key", &err) &&
                auth_make_keys(secrets, &err));
    (void)snprintf(text, sizeof(text),
                   "public_url: http://127.0.0.1:5080\ndata: %s\nlisten: [{address: "
                   "\"127.0.0.1:5080\"}]\nsparse_manifests: true\nlimits: {queue: 8}\n",
                   h->folder.path);
    if (!config_parse("f", slice_str(text), &h->config, &err)) {
        fail_msg("%s", err.msg);
    }
}

static int setup(void **state)
{
    struct house *h = xcalloc(1, sizeof(*h));
    struct err err = {0};
    assert_true(sodium_init() >= 0);
    log_set_level(LOG_ERROR);
    make_data(h);
    if (!app_open(h->config, &h->app, &err)) {
        fail_msg("%s (%s)", err.msg, err.detail);
    }
    const struct sweeper_limits limits = {
        .slow_after_us = 60000000, .slow_rate = 1024, .connections = 1000};
    h->server.app = h->app;
    h->server.routes = route_table();
    h->server.router = router_new(route_table(), route_count());
    h->server.sweeper = sweeper_new(&limits, h->app->metrics);
    h->server.defer = defer_new(2, 8, 200, h->app->metrics);
    assert_true(listener_bind_control(&h->server, h->folder.path, &h->control, &err) &&
                listener_start(h->control, &err));
    *state = h;
    return 0;
}

static int teardown(void **state)
{
    struct house *h = *state;
    atomic_store(&h->server.stopping, true);
    listener_quiesce(h->control);
    defer_stop(h->server.defer);
    listener_stop(h->control);
    sweeper_free(h->server.sweeper);
    defer_free(h->server.defer);
    router_free(h->server.router);
    app_close(h->app);
    config_free(h->config);
    folder_remove(&h->folder);
    free(h);
    return 0;
}

/* ---- a client ---- */

/* Returns the connection. */
static int send_request(const struct house *h, struct slice request)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    ssize_t n;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)snprintf(a.sun_path, sizeof(a.sun_path), "%s/run/control.sock", h->folder.path);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    while (request.n > 0 && (n = send(fd, request.p, request.n, MSG_NOSIGNAL)) > 0) {
        request = slice_from(request, (size_t)n);
    }
    return fd;
}

static void receive_answer(int fd, struct buf *out)
{
    char chunk[65536];
    ssize_t n;
    buf_clear(out);
    while ((n = recv(fd, chunk, sizeof(chunk), 0)) > 0) {
        buf_put(out, chunk, (size_t)n);
    }
    buf_str(out, "");
}

static void converse(const struct house *h, struct slice request, struct buf *out)
{
    auto_fd int fd = send_request(h, request);
    receive_answer(fd, out);
}

/* `headers`: whole lines. Gives the status. */
static int ask(const struct house *h, const char *line, const char *headers, struct slice body,
               struct buf *out)
{
    auto_buf struct buf request = {0};
    buf_printf(&request, "%s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n%s", line, headers);
    if (body.p != NULL) {
        buf_printf(&request, "Content-Length: %zu\r\n", body.n);
    }
    buf_str(&request, "\r\n");
    buf_slice(&request, body);
    converse(h, buf_slice_of(&request), out);
    return out->n > 12 ? (int)strtol(out->p + 9, NULL, 10) : 0;
}

static int get(const struct house *h, const char *path, const char *headers, struct buf *out)
{
    auto_buf struct buf line = {0};
    buf_printf(&line, "GET %s", path);
    return ask(h, line.p, headers, (struct slice){0}, out);
}

static const char *body_of(const struct buf *answer)
{
    const char *end = strstr(answer->p, "\r\n\r\n");
    assert_non_null(end);
    return end + 4;
}

/* The address in the answer's Link header; false when there is none. */
static bool next_of(const struct buf *answer, struct buf *out)
{
    const char *link = strstr(answer->p, "\r\nLink: <");
    buf_clear(out);
    if (link == NULL || link > body_of(answer)) {
        return false;
    }
    link += strlen("\r\nLink: <");
    buf_put(out, link, strcspn(link, ">"));
    return true;
}

static void push_blob(const struct house *h, const char *repo)
{
    auto_buf struct buf answer = {0};
    char line[300];
    (void)snprintf(line, sizeof(line), "POST /v2/%s/blobs/uploads/?digest=" EMPTY_DIGEST, repo);
    assert_int_equal(ask(h, line, "", SLICE_LIT("{}"), &answer), 201);
}

/* An image that is made different by its `note`; with a subject when that is not NULL. */
static void push_image(const struct house *h, const char *repo, const char *tag,
                       const char *subject, struct slice note, char digest_out[DIGEST_STR_MAX])
{
    auto_buf struct buf text = {0};
    auto_buf struct buf answer = {0};
    struct digest digest;
    char line[1024];
    buf_str(&text, "{\"schemaVersion\":2,\"mediaType\":\"" MANIFEST_TYPE
                   "\",\"config\":{\"mediaType\":\"application/vnd.oci.image.config.v1+json\","
                   "\"digest\":\"" EMPTY_DIGEST "\",\"size\":2},\"layers\":[]");
    if (subject != NULL) {
        buf_printf(&text,
                   ",\"subject\":{\"mediaType\":\"" MANIFEST_TYPE
                   "\",\"digest\":\"%s\",\"size\":2}",
                   subject);
    }
    buf_str(&text, ",\"annotations\":{\"note\":\"");
    buf_slice(&text, note);
    buf_str(&text, "\"}}");
    hash_bytes(DIGEST_SHA256, buf_slice_of(&text), &digest);
    (void)digest_format(&digest, digest_out);
    (void)snprintf(line, sizeof(line), "PUT /v2/%s/manifests/%s", repo, tag ? tag : digest_out);
    if (ask(h, line, "Content-Type: " MANIFEST_TYPE "\r\n", buf_slice_of(&text), &answer) != 201) {
        fail_msg("%s", answer.p);
    }
}

/* ---- cases ---- */

static void a_first_push_makes_its_namespace(void **state)
{
    const struct house *h = *state;
    auto_buf struct buf answer = {0};
    const struct slice nothing = SLICE_LIT("");
    assert_int_equal(ask(h, "POST /v2/fresh/app/blobs/uploads/", "", nothing, &answer), 202);
    assert_int_equal(ask(h, "POST /v2/fresh/other/blobs/uploads/", "", nothing, &answer), 202);
    assert_int_equal(get(h, "/api/v1/namespaces", "", &answer), 200);
    assert_non_null(strstr(answer.p, "\"name\":\"fresh\",\"visibility\":\"private\""));
    assert_int_equal(ask(h, "POST /v2/127.0.0.1/app/blobs/uploads/", "", nothing, &answer), 400);
    assert_non_null(strstr(answer.p, "NAME_INVALID"));
    assert_int_equal(ask(h, "DELETE /v2/gone/app/manifests/x", "", nothing, &answer), 404);
    assert_int_equal(get(h, "/api/v1/namespaces", "", &answer), 200);
    assert_null(strstr(answer.p, "127.0.0.1"));
    assert_null(strstr(answer.p, "gone"));
}

static void tags_come_in_pages(void **state)
{
    static const struct {
        const char *query;
        const char *pages[6]; /* one after another, by their links */
    } rows[] = {
        {"", {"\"t1\",\"t2\",\"t3\",\"t4\",\"t5\""}},
        {"?n=5", {"\"t1\",\"t2\",\"t3\",\"t4\",\"t5\""}},
        {"?n=6", {"\"t1\",\"t2\",\"t3\",\"t4\",\"t5\""}},
        {"?n=0", {""}},
        {"?n=4", {"\"t1\",\"t2\",\"t3\",\"t4\"", "\"t5\""}},
        {"?n=2", {"\"t1\",\"t2\"", "\"t3\",\"t4\"", "\"t5\""}},
        {"?n=1", {"\"t1\"", "\"t2\"", "\"t3\"", "\"t4\"", "\"t5\""}},
        {"?last=t4", {"\"t5\""}},
        {"?last=t5", {""}},
        {"?n=2&last=t30", {"\"t4\",\"t5\""}},
    };
    const struct house *h = *state;
    char digest[DIGEST_STR_MAX];
    push_blob(h, "pages/app");
    for (char tag[] = "t1"; tag[1] <= '5'; tag[1]++) {
        push_image(h, "pages/app", tag, NULL, slice_str(tag), digest);
    }
    for (size_t i = 0; i < COUNT(rows); i++) {
        auto_buf struct buf answer = {0};
        auto_buf struct buf path = {0};
        buf_printf(&path, "/v2/pages/app/tags/list%s", rows[i].query);
        bool more = true;
        for (size_t k = 0; rows[i].pages[k] != NULL; k++) {
            char want[200];
            CHECK_CASE(more && get(h, path.p, "", &answer) == 200, rows[i].query);
            (void)snprintf(want, sizeof(want), "{\"name\":\"pages/app\",\"tags\":[%s]}\n",
                           rows[i].pages[k]);
            CHECK_CASE(strcmp(body_of(&answer), want) == 0, rows[i].query);
            more = next_of(&answer, &path);
        }
        CHECK_CASE(!more, rows[i].query);
    }
}

static size_t occurrences(const char *text, const char *what)
{
    size_t n = 0;
    for (; (text = strstr(text, what)) != NULL; text += strlen(what)) {
        n++;
    }
    return n;
}

/* Follows the links; counts how often each of the referrers was listed. Gives the number of pages,
 * and the largest. */
static size_t list_referrers(const struct house *h, const char *first_path,
                             char digests[][DIGEST_STR_MAX], size_t n, size_t *seen,
                             size_t *largest)
{
    auto_buf struct buf path = {0};
    size_t pages = 0;
    *largest = 0;
    buf_str(&path, first_path);
    for (bool more = true; more; pages++) {
        auto_buf struct buf answer = {0};
        assert_true(pages < 10);
        assert_int_equal(get(h, path.p, "", &answer), 200);
        for (size_t i = 0; i < n; i++) {
            seen[i] += occurrences(body_of(&answer), digests[i]);
        }
        *largest = answer.n > *largest ? answer.n : *largest;
        more = next_of(&answer, &path);
    }
    return pages;
}

static void referrers_come_in_pages_of_bounded_size(void **state)
{
    enum { MANY = 5, NOTE = 2 << 20 };
    const struct house *h = *state;
    char subject[DIGEST_STR_MAX];
    char digests[MANY][DIGEST_STR_MAX];
    char path[300];
    size_t largest = 0;
    auto_buf struct buf note = {0};
    push_blob(h, "refs/app");
    push_image(h, "refs/app", "v1", NULL, SLICE_LIT("subject"), subject);
    for (int i = 0; i < NOTE; i++) {
        buf_char(&note, 'n');
    }
    for (int i = 0; i < MANY; i++) {
        note.p[0] = (char)('0' + i);
        push_image(h, "refs/app", NULL, subject, buf_slice_of(&note), digests[i]);
    }

    size_t seen[MANY] = {0};
    (void)snprintf(path, sizeof(path), "/v2/refs/app/referrers/%s", subject);
    size_t pages = list_referrers(h, path, digests, MANY, seen, &largest);
    assert_int_equal(pages, 3);
    assert_true(largest < (size_t)7 << 20);

    (void)snprintf(path, sizeof(path), "/v2/refs/app/referrers/%s?n=1&artifactType=%s", subject,
                   "application%2Fvnd.oci.image.config.v1%2Bjson");
    assert_int_equal(list_referrers(h, path, digests, MANY, seen, &largest), MANY);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(seen[i], 2);
    }

    auto_buf struct buf answer = {0};
    (void)snprintf(path, sizeof(path), "/v2/refs/app/referrers/%s?last=x", subject);
    assert_int_equal(get(h, path, "", &answer), 400);
    (void)snprintf(path, sizeof(path), "/v2/refs/app/referrers/%s?n=0", subject);
    assert_int_equal(get(h, path, "", &answer), 200);
    assert_non_null(strstr(answer.p, "\"manifests\":[]}"));
}

/* RFC 9110 sections 8.6 and 15.4.5: what 304 says of the content is what 200 would have said. */
static void unchanged_is_said_of_what_is_there_only(void **state)
{
    const struct house *h = *state;
    auto_buf struct buf answer = {0};
    char digest[DIGEST_STR_MAX];
    char path[300];
    push_blob(h, "same/app");
    push_image(h, "same/app", "v1", NULL, SLICE_LIT("x"), digest);
    assert_int_equal(get(h, "/v2/same/app/manifests/v1", "", &answer), 200);
    const char *length = strstr(answer.p, "Content-Length: ");
    assert_non_null(length);
    char line[60];
    (void)snprintf(line, sizeof(line), "%.*s\r\n", (int)strcspn(length, "\r"), length);
    assert_int_equal(get(h, "/v2/same/app/manifests/v1", "If-None-Match: *\r\n", &answer), 304);
    assert_non_null(strstr(answer.p, line));
    assert_string_equal(body_of(&answer), "");

    (void)snprintf(path, sizeof(path), "/v2/same/app/blobs/%s", EMPTY_DIGEST);
    assert_int_equal(get(h, path, "If-None-Match: *\r\n", &answer), 304);
    assert_non_null(strstr(answer.p, "Content-Length: 2\r\n"));

    digest[10] = digest[10] == 'a' ? 'b' : 'a';
    (void)snprintf(path, sizeof(path), "/v2/same/app/manifests/%s", digest);
    assert_int_equal(get(h, path, "If-None-Match: *\r\n", &answer), 404);
}

/* ---- a view that is being built ---- */

enum { BLOCKERS = 10 }; /* two workers, and all eight places of the queue */

static void wait_for_go(void *arg)
{
    sem_t *go = arg;
    (void)sem_wait(go);
}

static void read_repository(const struct house *h, const char *name, struct repository *out)
{
    auto_snapshot struct db_tx *tx = NULL;
    struct repo_name repo;
    struct err err = {0};
    assert_true(repo_name_parse(slice_str(name), &repo, &err) && db_snapshot(h->app->db, &tx, &err) &&
                repository_get(tx, &repo, out, &err));
}

/* Sends a GET without waiting for its answer. Returns the connection. */
static int begin_get(const struct house *h, const char *path)
{
    auto_buf struct buf request = {0};
    buf_printf(&request, "GET %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", path);
    return send_request(h, buf_slice_of(&request));
}

/* The loop thread answers others while somebody builds a view, however much the workers have to do; and who waits for
 * it is not refused. There is one loop thread here: if it waited, nobody would answer. */
static void a_view_that_is_built_holds_up_no_loop_thread(void **state)
{
    static const char *const doors[] = {"manifests/v1", "tags/list", "blobs/" EMPTY_DIGEST};
    const struct house *h = *state;
    auto_buf struct buf answer = {0};
    struct repository repo;
    struct view_claim claim;
    char digest[DIGEST_STR_MAX];
    int waiting[COUNT(doors)];
    sem_t go;
    push_blob(h, "view/app");
    push_image(h, "view/app", "v1", NULL, SLICE_LIT("a"), digest);
    read_repository(h, "view/app", &repo);
    assert_true(gate_views_claim(h->app->trust->views, repo.id, repo.gate_generation, &claim));
    assert_int_equal(sem_init(&go, 0, 0), 0);
    for (int i = 0; i < BLOCKERS; i++) {
        assert_true(defer_detached(h->server.defer, wait_for_go, &go));
    }
    for (size_t i = 0; i < COUNT(doors); i++) {
        char path[200];
        (void)snprintf(path, sizeof(path), "/v2/view/app/%s", doors[i]);
        waiting[i] = begin_get(h, path);
    }
    int64_t all = BLOCKERS + (int64_t)COUNT(doors);
    while (metrics_value(h->app->metrics, METRIC_WORKERS_BUSY) < all) {
        assert_int_equal(get(h, "/healthz", "", &answer), 200);
    }
    assert_int_equal(get(h, "/healthz", "", &answer), 200);
    assert_int_equal(ask(h, "POST /v2/view/app/blobs/uploads/", "", SLICE_LIT(""), &answer), 503);
    for (int i = 0; i < BLOCKERS; i++) {
        (void)sem_post(&go);
    }
    view_claim_end(&claim);
    for (size_t i = 0; i < COUNT(doors); i++) {
        receive_answer(waiting[i], &answer);
        (void)close(waiting[i]);
        CHECK_CASE(strncmp(answer.p, "HTTP/1.1 200 ", 13) == 0, doors[i]);
    }
}

/* What anybody may post is kept in memory until it is whole. */
static void strangers_are_given_little_memory(void **state)
{
    const struct route *table = route_table();
    (void)state;
    for (size_t i = 0; i < route_count(); i++) {
        bool small = table[i].body == BODY_NONE || table[i].body == BODY_FORM;
        CHECK_CASE(table[i].access != ACCESS_OPEN || small, table[i].label);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_first_push_makes_its_namespace),
        cmocka_unit_test(tags_come_in_pages),
        cmocka_unit_test(referrers_come_in_pages_of_bounded_size),
        cmocka_unit_test(unchanged_is_said_of_what_is_there_only),
        cmocka_unit_test(a_view_that_is_built_holds_up_no_loop_thread),
        cmocka_unit_test(strangers_are_given_little_memory),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
