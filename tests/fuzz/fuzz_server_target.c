/* The head of a request: what passes the gate has one reading, and a route's pattern filled with what
 * it captured is the path again. The input is lines: method, target, version, then headers. */
#include "server/request_gate.h"
#include "server/router.h"
#include "server/trust_path.h"
#include "tests/fuzz/fuzz.h"

#define ROUTE(methods, pattern, access, body, thread, handler)                                     \
    {methods, pattern, access, body, thread, NULL, #handler, NULL},
#define STREAM(methods, pattern, access, handler, sink)                                            \
    {methods, pattern, access, BODY_STREAM, WORKER, NULL, #handler, NULL},
static const struct route table[] = {
#include "server/routes_table.h"
};

static void inside(struct slice part, struct slice whole)
{
    HOLDS(part.p == NULL || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n));
}

/* The pattern with the captured texts in their places. */
static void check_whole(const char *pattern, const struct route_match *m, struct slice path)
{
    auto_buf struct buf again = {0};
    struct slice rest = slice_from(slice_str(pattern), 1);
    struct slice part;
    while (slice_next(&rest, '/', &part)) {
        buf_char(&again, '/');
        if (slice_is(part, "{name}")) {
            buf_slice(&again, m->name);
        } else if (slice_is(part, "{gun}")) {
            buf_slice(&again, m->gun);
        } else if (slice_is(part, "{reference}") || slice_is(part, "{digest}")) {
            buf_slice(&again, m->reference);
        } else if (slice_is(part, "{file}") || slice_is(part, "{key}")) {
            buf_slice(&again, m->params[0]);
        } else if (slice_starts(part, "{")) {
            buf_slice(&again, m->params[part.p[1] - '1']);
        } else {
            buf_slice(&again, part);
        }
    }
    HOLDS(slice_equal(buf_slice_of(&again), path));
}

static void check_captures(const struct route_match *m, struct slice path)
{
    inside(m->name, path);
    inside(m->gun, path);
    inside(m->reference, path);
    for (size_t i = 0; i < REQUEST_PARAMS_MAX; i++) {
        auto_buf struct buf decoded = {0};
        inside(m->params[i], path);
        if (router_decode(m->params[i], &decoded)) {
            HOLDS(slice_index(buf_slice_of(&decoded), '/') < 0 &&
                  slice_index(buf_slice_of(&decoded), '\0') < 0);
        }
    }
}

static void check_route(const struct request_line *line)
{
    struct route_match m;
    struct router *router = router_new(table, sizeof(table) / sizeof(table[0]));
    router_find(router, line->method, line->path, &m);
    HOLDS(m.index == ROUTE_NONE || m.index < sizeof(table) / sizeof(table[0]));
    check_captures(&m, line->path);
    if (m.index != ROUTE_NONE) {
        HOLDS((table[m.index].methods & (unsigned)line->method) != 0);
        check_whole(table[m.index].pattern, &m, line->path);
    }
    router_free(router);
}

/* Another reader of the path, one that resolves dots, folds slashes or decodes, finds nothing to do
 * below /v2. */
static void check_path(struct slice path)
{
    bool decodes = !slice_starts(path, "/v2/") && !slice_starts(path, "/_notary_server/");
    for (size_t i = 0; i < path.n; i++) {
        struct slice here = slice_from(path, i);
        unsigned char c = (unsigned char)path.p[i];
        HOLDS(c > 0x20 && c < 0x7f && c != '\\' && c != '#' && c != '?');
        HOLDS(decodes || c != '%');
        HOLDS(!slice_starts(here, "//") && !slice_starts(here, "/./") &&
              !slice_starts(here, "/../"));
    }
    HOLDS(path.n > 0 && path.p[0] == '/' && !slice_ends(path, "/.") && !slice_ends(path, "/.."));
}

/* Nothing is lost between target, path and query. */
static void check_target(const struct request_line *line, struct slice target)
{
    size_t mark = line->query.p != NULL ? 1 : 0;
    HOLDS(slice_starts(target, "/") && slice_equal(slice_first(target, line->path.n), line->path));
    HOLDS(line->path.n + mark + line->query.n == target.n);
    HOLDS(mark == 0 || target.p[line->path.n] == '?');
    HOLDS(slice_equal(slice_from(target, line->path.n + mark), line->query));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_of_bytes(data, size);
    struct slice line;
    struct request_head head = {0};
    struct request_line out;
    struct err err = {0};
    if (!slice_next(&rest, '\n', &head.method) || !slice_next(&rest, '\n', &head.target) ||
        !slice_next(&rest, '\n', &head.version)) {
        return 0;
    }
    while (slice_next(&rest, '\n', &line)) {
        ptrdiff_t colon = slice_index(line, ':');
        size_t n = colon < 0 ? line.n : (size_t)colon;
        request_head_add(&head, slice_first(line, n), slice_trim(slice_from(line, n + 1)));
    }
    if (request_gate_check(&head, 16384, &out, &err) != GATE_PASS) {
        return 0;
    }
    HOLDS(head.lengths + head.encodings <= 1 && head.hosts <= 1);
    check_target(&out, head.target);
    check_path(out.path);
    HOLDS(!out.has_body || out.content_length > 0 || head.encodings == 1);
    check_route(&out);
    return 0;
}
