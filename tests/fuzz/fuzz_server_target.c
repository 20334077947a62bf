/* The head of a request: what passes the gate has one reading, and the router's captures lie inside
 * the path. The input is lines: method, target, version, then headers. */
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

static void check_route(const struct request_line *line)
{
    struct route_match m;
    struct router *router = router_new(table, sizeof(table) / sizeof(table[0]));
    router_find(router, line->method, line->path, &m);
    HOLDS(m.index == ROUTE_NONE || m.index < sizeof(table) / sizeof(table[0]));
    inside(m.name, line->path);
    inside(m.gun, line->path);
    inside(m.reference, line->path);
    for (size_t i = 0; i < REQUEST_PARAMS_MAX; i++) {
        auto_buf struct buf decoded = {0};
        inside(m.params[i], line->path);
        if (router_decode(m.params[i], &decoded)) {
            HOLDS(slice_index(buf_slice_of(&decoded), '/') < 0 &&
                  slice_index(buf_slice_of(&decoded), '\0') < 0);
        }
    }
    router_free(router);
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
    HOLDS(out.path.n > 0 && out.path.p[0] == '/');
    HOLDS(!out.has_body || out.content_length > 0 || head.encodings == 1);
    check_route(&out);
    return 0;
}
