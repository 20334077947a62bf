#include "server/request_gate.h"

/* Which bytes may be where, as a set of bits by byte: every byte of every head is looked up here. */
enum place {
    PLACE_TOKEN = 1, /* RFC 9110 section 5.6.2 */
    PLACE_TARGET = 2 /* RFC 3986: a path or a query, '%' included */
};
#define BOTH (PLACE_TOKEN | PLACE_TARGET)
static const unsigned char places[256] = {
    ['0' ... '9'] = BOTH, ['A' ... 'Z'] = BOTH, ['a' ... 'z'] = BOTH,
    ['!'] = BOTH,         ['$'] = BOTH,         ['%'] = BOTH,
    ['&'] = BOTH,         ['\''] = BOTH,        ['*'] = BOTH,
    ['+'] = BOTH,         ['-'] = BOTH,         ['.'] = BOTH,
    ['_'] = BOTH,         ['~'] = BOTH,         ['#'] = PLACE_TOKEN,
    ['^'] = PLACE_TOKEN,  ['`'] = PLACE_TOKEN,  ['|'] = PLACE_TOKEN,
    ['('] = PLACE_TARGET, [')'] = PLACE_TARGET, [','] = PLACE_TARGET,
    [';'] = PLACE_TARGET, ['='] = PLACE_TARGET, [':'] = PLACE_TARGET,
    ['@'] = PLACE_TARGET, ['/'] = PLACE_TARGET, ['?'] = PLACE_TARGET};

static bool is_all(struct slice text, enum place place)
{
    unsigned all = (unsigned)place;
    for (size_t i = 0; i < text.n; i++) {
        all &= places[(unsigned char)text.p[i]];
    }
    return all != 0;
}

static bool is_token(struct slice text)
{
    return text.n > 0 && is_all(text, PLACE_TOKEN);
}

static bool has_controls(struct slice text)
{
    unsigned found = 0;
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        found |= (unsigned)(c < 0x20) & (unsigned)(c != '\t');
        found |= (unsigned)(c == 0x7f);
    }
    return found != 0;
}

void request_head_add(struct request_head *head, struct slice name, struct slice value)
{
    head->headers++;
    head->bytes += name.n + value.n;
    if (!is_token(name) || has_controls(value)) {
        head->malformed = true;
    }
    if (slice_is_nocase(name, "host")) {
        head->hosts++;
        head->host = value;
    } else if (slice_is_nocase(name, "content-length")) {
        head->lengths++;
        head->length = value;
    } else if (slice_is_nocase(name, "transfer-encoding")) {
        head->encodings++;
        head->encoding = value;
    } else if (slice_is_nocase(name, "expect")) {
        head->expect = value;
    }
}

static bool method_parse(struct slice text, enum http_method *out)
{
    static const struct {
        const char *name;
        enum http_method method;
    } methods[] = {{"GET", METHOD_GET},       {"HEAD", METHOD_HEAD},   {"POST", METHOD_POST},
                   {"PUT", METHOD_PUT},       {"PATCH", METHOD_PATCH}, {"DELETE", METHOD_DELETE},
                   {"OPTIONS", METHOD_OTHER}, {"TRACE", METHOD_OTHER}, {"CONNECT", METHOD_OTHER}};
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (slice_is(text, methods[i].name)) {
            *out = methods[i].method;
            return true;
        }
    }
    return false;
}

static bool is_target(struct slice text)
{
    return text.n > 0 && text.p[0] == '/' && is_all(text, PLACE_TARGET);
}

static bool is_host(struct slice host)
{
    for (size_t i = 0; i < host.n; i++) {
        char c = host.p[i];
        bool alnum = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!alnum && (c == '\0' || strchr(".-_:[]", c) == NULL)) {
            return false;
        }
    }
    return host.n > 0;
}

/* One way only to say where the body ends: a front proxy that reads another one would let a second,
 * hidden request through (RFC 9112 section 6.3, request smuggling). */
static bool framing(const struct request_head *head, struct request_line *out, struct err *err)
{
    out->content_length = -1;
    if (head->lengths + head->encodings > 1) {
        return err_set(err, ERR_REQUEST_INVALID,
                       "the request says more than once how long its body is (Content-Length, "
                       "Transfer-Encoding)");
    }
    if (head->encodings == 1) {
        /* without trimming: to the library "chunked " is another coding, a body until the end of the
         * connection */
        if (!slice_is_nocase(head->encoding, "chunked") || !slice_is(head->version, "HTTP/1.1")) {
            return err_set(err, ERR_REQUEST_INVALID,
                           "the only Transfer-Encoding understood here is chunked");
        }
        out->has_body = true;
    }
    if (head->lengths == 1) {
        if (!slice_to_int64(head->length, &out->content_length)) {
            return err_set(err, ERR_REQUEST_INVALID, "Content-Length is not a number");
        }
        out->has_body = out->content_length > 0;
    }
    out->expects_continue = out->has_body && slice_is_nocase(head->expect, "100-continue");
    return true;
}

static bool well_formed(const struct request_head *head, struct request_line *out, struct err *err)
{
    if (!slice_is(head->version, "HTTP/1.1") && !slice_is(head->version, "HTTP/1.0")) {
        return err_set(err, ERR_REQUEST_INVALID, "this server speaks HTTP/1.1");
    }
    if (head->malformed || !is_token(head->method)) {
        return err_set(err, ERR_REQUEST_INVALID, "a header of the request is malformed");
    }
    bool needs_host = slice_is(head->version, "HTTP/1.1");
    if (head->hosts > 1 || (needs_host && head->hosts == 0) ||
        (head->hosts == 1 && !is_host(head->host))) {
        return err_set(err, ERR_REQUEST_INVALID, "the request must name exactly one host");
    }
    if (!is_target(head->target)) {
        return err_set(err, ERR_REQUEST_INVALID, "the request target is malformed");
    }
    return framing(head, out, err);
}

/* No client sends these; another reading of them ("/a/../b" as "/b", "%2e" as ".") must not reach a
 * route. */
static bool is_plain_path(struct slice path)
{
    if (slice_starts(path, "/v2/") || slice_starts(path, "/_notary_server/")) {
        if (slice_index(path, '%') >= 0) {
            return false;
        }
    }
    struct slice rest = slice_from(path, 1);
    struct slice segment;
    while (slice_next(&rest, '/', &segment)) {
        bool last = rest.p == NULL;
        if (slice_is(segment, ".") || slice_is(segment, "..") || (segment.n == 0 && !last)) {
            return false;
        }
    }
    return true;
}

static void split(struct slice target, struct request_line *out)
{
    ptrdiff_t mark = slice_index(target, '?');
    out->path = mark < 0 ? target : slice_first(target, (size_t)mark);
    out->query = mark < 0 ? (struct slice){0} : slice_from(target, (size_t)mark + 1);
}

enum gate_verdict request_gate_check(const struct request_head *head, size_t head_max,
                                     struct request_line *out, struct err *err)
{
    *out = (struct request_line){.content_length = -1};
    if (head->target.n > REQUEST_TARGET_MAX || head->headers > REQUEST_HEADERS_MAX ||
        head->bytes + head->target.n > head_max) {
        (void)err_set(err, ERR_REQUEST_TOO_LARGE,
                      "the head of the request is larger than this server accepts");
        return GATE_TOO_LARGE;
    }
    if (!well_formed(head, out, err)) {
        return GATE_MALFORMED;
    }
    split(head->target, out);
    if (!method_parse(head->method, &out->method)) {
        (void)err_set(err, ERR_METHOD_UNKNOWN, "");
        return GATE_METHOD;
    }
    if (!is_plain_path(out->path)) {
        (void)err_set(err, ERR_NOT_FOUND,
                      "the path has an empty or dot segment, or a percent sign where none belongs");
        return GATE_NO_SUCH_PATH;
    }
    return GATE_PASS;
}
