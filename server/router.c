#include "server/router.h"

#include "server/percent.h"
#include "server/trust_path.h"

#define PATTERN_SEGMENTS_MAX 12

enum part_kind {
    PART_LITERAL,
    PART_NAME,
    PART_GUN,
    PART_FILE,
    PART_KEY,
    PART_REFERENCE,
    PART_DIGEST,
    PART_PARAM
};

struct part {
    enum part_kind kind;
    struct slice text; /* PART_LITERAL; may be empty: the pattern ends in '/' */
    size_t param;      /* PART_PARAM: index into params */
};

struct pattern {
    const struct route *route;
    struct part parts[PATTERN_SEGMENTS_MAX];
    size_t n;
    size_t wide; /* index of {name} or {gun}; n when there is none */
    bool trust;
};

struct router {
    struct pattern *patterns;
    size_t count;
};

struct path {
    struct slice whole;
    struct slice segments[ROUTE_SEGMENTS_MAX];
    size_t n;
};

static enum part_kind part_kind_of(struct slice text, size_t *param_out)
{
    static const struct {
        const char *text;
        enum part_kind kind;
    } names[] = {{"{name}", PART_NAME},           {"{gun}", PART_GUN},
                 {"{file}", PART_FILE},           {"{key}", PART_KEY},
                 {"{reference}", PART_REFERENCE}, {"{digest}", PART_DIGEST}};
    if (text.n == 0 || text.p[0] != '{') {
        return PART_LITERAL;
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (slice_is(text, names[i].text)) {
            return names[i].kind;
        }
    }
    if (text.n == 3 && text.p[1] >= '1' && text.p[1] < '1' + REQUEST_PARAMS_MAX) {
        *param_out = (size_t)(text.p[1] - '1');
        return PART_PARAM;
    }
    BUG("a route pattern has an unknown part");
}

static void pattern_compile(struct pattern *p, const struct route *route)
{
    p->route = route;
    struct slice rest = slice_from(slice_str(route->pattern), 1);
    struct slice segment;
    size_t wide = PATTERN_SEGMENTS_MAX;
    while (slice_next(&rest, '/', &segment)) {
        if (p->n == PATTERN_SEGMENTS_MAX) {
            BUG("a route pattern has too many parts");
        }
        struct part *part = &p->parts[p->n];
        part->kind = part_kind_of(segment, &part->param);
        part->text = segment;
        if (part->kind == PART_NAME || part->kind == PART_GUN) {
            wide = p->n;
        }
        if (part->kind == PART_LITERAL &&
            (slice_is(segment, "_trust") || slice_is(segment, "_notary_server"))) {
            p->trust = true;
        }
        p->n++;
    }
    p->wide = wide < p->n ? wide : p->n;
}

struct router *router_new(const struct route *routes, size_t count)
{
    struct router *r = xcalloc(1, sizeof(*r));
    r->patterns = xcalloc(count ? count : 1, sizeof(*r->patterns));
    r->count = count;
    for (size_t i = 0; i < count; i++) {
        pattern_compile(&r->patterns[i], &routes[i]);
    }
    return r;
}

void router_free(struct router *r)
{
    if (r != NULL) {
        free(r->patterns);
        free(r);
    }
}

static bool path_split(struct slice text, struct path *out)
{
    out->whole = text;
    out->n = 0;
    struct slice rest = slice_from(text, 1);
    struct slice segment;
    while (slice_next(&rest, '/', &segment)) {
        if (out->n == ROUTE_SEGMENTS_MAX) {
            return false;
        }
        out->segments[out->n++] = segment;
    }
    return true;
}

/* The bytes from segment `first` to segment `last`, with the slashes between. */
static struct slice path_range(const struct path *path, size_t first, size_t last)
{
    const char *begin = path->segments[first].p;
    const char *end = path->segments[last].p + path->segments[last].n;
    return (struct slice){begin, (size_t)(end - begin)};
}

static bool match_part(const struct part *part, struct slice segment, struct route_match *m)
{
    if (part->kind == PART_LITERAL) {
        return slice_equal(part->text, segment);
    }
    if (segment.n == 0) {
        return false;
    }
    switch (part->kind) {
    case PART_KEY:
        m->params[0] = segment;
        return slice_is(segment, "snapshot.key") || slice_is(segment, "timestamp.key");
    case PART_REFERENCE:
    case PART_DIGEST:
        m->reference = segment;
        m->reference_is_digest = part->kind == PART_DIGEST;
        return true;
    case PART_PARAM:
        m->params[part->param] = segment;
        return true;
    case PART_LITERAL:
    case PART_NAME:
    case PART_GUN:
    case PART_FILE:
        break;
    }
    BUG("a wide part is not matched segment by segment");
}

/* parts[from, p->n) against segments[at, path->n), one to one, but {file} takes all that is left.
 */
static bool match_tail(const struct pattern *p, size_t from, const struct path *path, size_t at,
                       struct route_match *m)
{
    for (size_t i = from; i < p->n; i++, at++) {
        if (at >= path->n) {
            return false;
        }
        if (p->parts[i].kind == PART_FILE) {
            struct trust_path file;
            m->params[0] = path_range(path, at, path->n - 1);
            return trust_path_parse(m->params[0], &file);
        }
        if (!match_part(&p->parts[i], path->segments[at], m)) {
            return false;
        }
    }
    return at == path->n;
}

static bool all_filled(const struct path *path, size_t first, size_t last)
{
    for (size_t i = first; i <= last; i++) {
        if (path->segments[i].n == 0) {
            return false;
        }
    }
    return true;
}

/* {name}: what is left between the head and a tail of fixed length. */
static bool match_name(const struct pattern *p, const struct path *path, struct route_match *m)
{
    size_t tail = p->n - p->wide - 1;
    if (path->n < p->n) {
        return false;
    }
    size_t last = path->n - tail - 1;
    if (!match_tail(p, p->wide + 1, path, last + 1, m) || !all_filled(path, p->wide, last)) {
        return false;
    }
    m->name = path_range(path, p->wide, last);
    return true;
}

/* {gun}: tries each `_trust` from the end. */
static bool match_gun(const struct pattern *p, const struct path *path, struct route_match *m)
{
    for (size_t at = path->n; at-- > p->wide + 1;) {
        if (match_tail(p, p->wide + 1, path, at, m) && all_filled(path, p->wide, at - 1)) {
            m->gun = path_range(path, p->wide, at - 1);
            return true;
        }
    }
    return false;
}

static bool match(const struct pattern *p, const struct path *path, struct route_match *m)
{
    for (size_t i = 0; i < p->wide; i++) {
        if (i >= path->n || !match_part(&p->parts[i], path->segments[i], m)) {
            return false;
        }
    }
    if (p->wide == p->n) {
        return path->n == p->n;
    }
    return p->parts[p->wide].kind == PART_GUN ? match_gun(p, path, m) : match_name(p, path, m);
}

/* Notary v1, "Routes": with one of these methods a path of the trust API that has no row does not exist,
 * whatever else it takes. */
static void hide_trust_methods(enum http_method method, struct route_match *m)
{
    const unsigned hidden = METHOD_GET | METHOD_HEAD | METHOD_POST | METHOD_PUT | METHOD_DELETE;
    if (m->trust && ((unsigned)method & hidden) != 0 && m->index == ROUTE_NONE) {
        m->allow = 0;
    }
}

void router_find(const struct router *r, enum http_method method, struct slice path_text,
                 struct route_match *out)
{
    struct path path;
    *out = (struct route_match){.index = ROUTE_NONE};
    if (!path_split(path_text, &path)) {
        return;
    }
    for (size_t i = 0; i < path.n; i++) {
        out->trust = out->trust || slice_is(path.segments[i], "_trust") ||
                     (i == 0 && slice_is(path.segments[i], "_notary_server"));
    }
    for (size_t i = 0; i < r->count; i++) {
        const struct pattern *p = &r->patterns[i];
        struct route_match m = {.index = i, .trust = out->trust};
        /* an OCI name cannot hold `_trust`: those paths belong to the Notary API alone */
        if (p->trust != out->trust || !match(p, &path, &m)) {
            continue;
        }
        m.allow = out->allow | p->route->methods;
        if ((p->route->methods & (unsigned)method) != 0) {
            *out = m;
            return;
        }
        out->allow = m.allow;
    }
    hide_trust_methods(method, out);
}

void router_allow_text(unsigned methods, struct buf *out)
{
    static const struct {
        enum http_method method;
        const char *name;
    } names[] = {{METHOD_GET, "GET"}, {METHOD_HEAD, "HEAD"},   {METHOD_POST, "POST"},
                 {METHOD_PUT, "PUT"}, {METHOD_PATCH, "PATCH"}, {METHOD_DELETE, "DELETE"}};
    const char *separator = "";
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if ((methods & (unsigned)names[i].method) != 0) {
            buf_str(out, separator);
            buf_str(out, names[i].name);
            separator = ", ";
        }
    }
}

bool router_decode(struct slice text, struct buf *out)
{
    char c;
    buf_clear(out);
    while (text.n > 0) {
        if (!percent_next(&text, &c) || c == '/' || (unsigned char)c < 0x20 || c == 0x7f) {
            return false;
        }
        buf_char(out, c);
    }
    return slice_is_utf8(buf_slice_of(out));
}
