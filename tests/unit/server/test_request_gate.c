/* The gate's table: what is plainly one request passes, what another server could read differently
 * does not. */
#include "server/request_gate.h"
#include "tests/unit/base/check.h"

struct header {
    const char *name, *value;
};

struct gate_case {
    const char *name;
    const char *method, *target, *version;
    struct header headers[6];
    enum gate_verdict want;
};

#define HOST                                                                                       \
    {                                                                                              \
        "Host", "localhost:5443"                                                                   \
    }

static const struct gate_case cases[] = {
    {"a plain GET", "GET", "/v2/", "HTTP/1.1", {HOST}, GATE_PASS},
    {"a GET with a query",
     "GET",
     "/token?scope=repository%3Aa%2Fb%3Apull",
     "HTTP/1.1",
     {HOST},
     GATE_PASS},
    {"a length",
     "PUT",
     "/v2/a/b/manifests/x",
     "HTTP/1.1",
     {HOST, {"Content-Length", "5"}},
     GATE_PASS},
    {"chunks",
     "PUT",
     "/v2/a/b/manifests/x",
     "HTTP/1.1",
     {HOST, {"Transfer-Encoding", "Chunked"}},
     GATE_PASS},
    {"HTTP/1.0 without Host", "GET", "/v2/", "HTTP/1.0", {{0}}, GATE_PASS},
    {"an IPv6 host", "GET", "/v2/", "HTTP/1.1", {{"Host", "[::1]:5443"}}, GATE_PASS},
    {"a percent sign below /api",
     "GET",
     "/api/v1/namespaces/a/members/a%40b",
     "HTTP/1.1",
     {HOST},
     GATE_PASS},

    {"length and chunks",
     "POST",
     "/v2/a/b/blobs/uploads/",
     "HTTP/1.1",
     {HOST, {"Content-Length", "5"}, {"Transfer-Encoding", "chunked"}},
     GATE_MALFORMED},
    {"two lengths",
     "POST",
     "/x",
     "HTTP/1.1",
     {HOST, {"Content-Length", "5"}, {"content-length", "6"}},
     GATE_MALFORMED},
    {"two equal lengths",
     "POST",
     "/x",
     "HTTP/1.1",
     {HOST, {"Content-Length", "5"}, {"Content-Length", "5"}},
     GATE_MALFORMED},
    {"a list of lengths",
     "POST",
     "/x",
     "HTTP/1.1",
     {HOST, {"Content-Length", "5, 5"}},
     GATE_MALFORMED},
    {"a signed length", "POST", "/x", "HTTP/1.1", {HOST, {"Content-Length", "+5"}}, GATE_MALFORMED},
    {"a negative length",
     "POST",
     "/x",
     "HTTP/1.1",
     {HOST, {"Content-Length", "-1"}},
     GATE_MALFORMED},
    {"a length beyond 63 bits",
     "POST",
     "/x",
     "HTTP/1.1",
     {HOST, {"Content-Length", "9223372036854775808"}},
     GATE_MALFORMED},
    {"an empty length", "POST", "/x", "HTTP/1.1", {HOST, {"Content-Length", ""}}, GATE_MALFORMED},
    {"gzip as transfer coding",
     "POST",
     "/x",
     "HTTP/1.1",
     {HOST, {"Transfer-Encoding", "gzip, chunked"}},
     GATE_MALFORMED},
    {"identity as transfer coding",
     "POST",
     "/x",
     "HTTP/1.1",
     {HOST, {"Transfer-Encoding", "identity"}},
     GATE_MALFORMED},
    {"chunked and a blank",
     "POST",
     "/x",
     "HTTP/1.1",
     {HOST, {"Transfer-Encoding", "chunked "}},
     GATE_MALFORMED},
    {"a folded chunked",
     "POST",
     "/x",
     "HTTP/1.1",
     {HOST, {"Transfer-Encoding", " chunked"}},
     GATE_MALFORMED},
    {"chunked twice",
     "POST",
     "/x",
     "HTTP/1.1",
     {HOST, {"Transfer-Encoding", "chunked"}, {"Transfer-Encoding", "chunked"}},
     GATE_MALFORMED},
    {"chunks in HTTP/1.0",
     "POST",
     "/x",
     "HTTP/1.0",
     {HOST, {"Transfer-Encoding", "chunked"}},
     GATE_MALFORMED},
    {"a blank before the colon",
     "POST",
     "/x",
     "HTTP/1.1",
     {HOST, {"Transfer-Encoding ", "chunked"}},
     GATE_MALFORMED},
    {"an empty header name", "GET", "/x", "HTTP/1.1", {HOST, {"", "x"}}, GATE_MALFORMED},
    {"a control character in a value",
     "GET",
     "/x",
     "HTTP/1.1",
     {HOST, {"X-A", "a\rb"}},
     GATE_MALFORMED},
    {"no host", "GET", "/x", "HTTP/1.1", {{0}}, GATE_MALFORMED},
    {"two hosts", "GET", "/x", "HTTP/1.1", {HOST, HOST}, GATE_MALFORMED},
    {"a host that is none", "GET", "/x", "HTTP/1.1", {{"Host", "a b"}}, GATE_MALFORMED},
    {"an empty host", "GET", "/x", "HTTP/1.1", {{"Host", ""}}, GATE_MALFORMED},
    {"another version", "GET", "/x", "HTTP/2.0", {HOST}, GATE_MALFORMED},
    {"a method of odd bytes", "GE\xff", "/x", "HTTP/1.1", {HOST}, GATE_MALFORMED},
    {"an absolute target", "GET", "http://localhost/v2/", "HTTP/1.1", {HOST}, GATE_MALFORMED},
    {"an empty target", "GET", "", "HTTP/1.1", {HOST}, GATE_MALFORMED},
    {"a fragment", "GET", "/v2/#x", "HTTP/1.1", {HOST}, GATE_MALFORMED},
    {"a byte above ASCII in the target",
     "GET",
     "/v2/\xc3\xa4/b/tags/list",
     "HTTP/1.1",
     {HOST},
     GATE_MALFORMED},
    {"a backslash in the target", "GET", "/v2\\x", "HTTP/1.1", {HOST}, GATE_MALFORMED},

    {"OPTIONS", "OPTIONS", "/v2/", "HTTP/1.1", {HOST}, GATE_PASS},
    {"TRACE", "TRACE", "/v2/", "HTTP/1.1", {HOST}, GATE_PASS},
    {"CONNECT to a path", "CONNECT", "/v2/", "HTTP/1.1", {HOST}, GATE_PASS},
    {"CONNECT as it is meant", "CONNECT", "localhost:443", "HTTP/1.1", {HOST}, GATE_MALFORMED},
    {"OPTIONS of the whole server", "OPTIONS", "*", "HTTP/1.1", {HOST}, GATE_MALFORMED},
    {"a method of another protocol", "BREW", "/v2/", "HTTP/1.1", {HOST}, GATE_METHOD},
    {"a method that begins like one", "GETS", "/v2/", "HTTP/1.1", {HOST}, GATE_METHOD},
    {"a method in lower case", "get", "/v2/", "HTTP/1.1", {HOST}, GATE_METHOD},

    {"a percent sign below /v2",
     "GET",
     "/v2/a%2Fb/tags/list",
     "HTTP/1.1",
     {HOST},
     GATE_NO_SUCH_PATH},
    {"an encoded NUL", "GET", "/v2/a/b%00/tags/list", "HTTP/1.1", {HOST}, GATE_NO_SUCH_PATH},
    {"an empty segment", "GET", "/v2//a/tags/list", "HTTP/1.1", {HOST}, GATE_NO_SUCH_PATH},
    {"two slashes at the start", "GET", "//v2/", "HTTP/1.1", {HOST}, GATE_NO_SUCH_PATH},
    {"a dot segment", "GET", "/v2/./a/tags/list", "HTTP/1.1", {HOST}, GATE_NO_SUCH_PATH},
    {"a dot segment at the end", "GET", "/v2/a/..", "HTTP/1.1", {HOST}, GATE_NO_SUCH_PATH},
    {"dot dot", "GET", "/v2/a/../b/tags/list", "HTTP/1.1", {HOST}, GATE_NO_SUCH_PATH},
};

static struct request_head head_of(const struct gate_case *c)
{
    struct request_head head = {.method = slice_str(c->method),
                                .target = slice_str(c->target),
                                .version = slice_str(c->version)};
    for (size_t i = 0; i < COUNT(c->headers) && c->headers[i].name != NULL; i++) {
        request_head_add(&head, slice_str(c->headers[i].name), slice_str(c->headers[i].value));
    }
    return head;
}

static void judges_each_case(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct request_line line;
        struct err err = {0};
        struct request_head head = head_of(&cases[i]);
        enum gate_verdict got = request_gate_check(&head, 16384, &line, &err);
        CHECK_CASE(got == cases[i].want, cases[i].name);
        CHECK_CASE((got == GATE_PASS) == (err.code == ERR_NONE), cases[i].name);
    }
}

static void splits_target_and_tells_the_body(void **state)
{
    (void)state;
    const struct gate_case c = {"",
                                "PATCH",
                                "/v2/a/b?x=1?y",
                                "HTTP/1.1",
                                {HOST, {"Content-Length", "7"}, {"Expect", "100-Continue"}},
                                GATE_PASS};
    struct request_head head = head_of(&c);
    struct request_line line;
    struct err err = {0};
    assert_int_equal(request_gate_check(&head, 16384, &line, &err), GATE_PASS);
    assert_true(slice_is(line.path, "/v2/a/b"));
    assert_true(slice_is(line.query, "x=1?y"));
    assert_int_equal(line.method, METHOD_PATCH);
    assert_true(line.has_body && line.expects_continue);
    assert_int_equal(line.content_length, 7);

    const struct gate_case none = {
        "", "GET", "/", "HTTP/1.1", {HOST, {"Content-Length", "0"}}, GATE_PASS};
    head = head_of(&none);
    assert_int_equal(request_gate_check(&head, 16384, &line, &err), GATE_PASS);
    assert_false(line.has_body);
    assert_int_equal(line.content_length, 0);
}

static void bounds_the_head(void **state)
{
    (void)state;
    static char big[REQUEST_TARGET_MAX + 2];
    memset(big, 'a', sizeof(big) - 1);
    big[0] = '/';
    struct request_line line;
    struct err err = {0};
    struct request_head head = {
        .method = SLICE_LIT("GET"), .target = slice_str(big), .version = SLICE_LIT("HTTP/1.1")};
    request_head_add(&head, SLICE_LIT("Host"), SLICE_LIT("h"));
    assert_int_equal(request_gate_check(&head, 16384, &line, &err), GATE_TOO_LARGE);
    head.target.n = REQUEST_TARGET_MAX;
    assert_int_equal(request_gate_check(&head, 16384, &line, &err), GATE_PASS);

    head.target = SLICE_LIT("/");
    request_head_add(&head, SLICE_LIT("X"), slice_first(slice_str(big + 1), 8000));
    request_head_add(&head, SLICE_LIT("Y"), slice_first(slice_str(big + 1), 8192));
    assert_int_equal(head.bytes + 1, 4 + 1 + 8001 + 8193 + 1);
    assert_int_equal(request_gate_check(&head, head.bytes + 1, &line, &err), GATE_PASS);
    assert_int_equal(request_gate_check(&head, head.bytes, &line, &err), GATE_TOO_LARGE);

    head = (struct request_head){
        .method = SLICE_LIT("GET"), .target = SLICE_LIT("/"), .version = SLICE_LIT("HTTP/1.1")};
    request_head_add(&head, SLICE_LIT("Host"), SLICE_LIT("h"));
    while (head.headers < REQUEST_HEADERS_MAX) {
        request_head_add(&head, SLICE_LIT("A"), SLICE_LIT("b"));
    }
    assert_int_equal(request_gate_check(&head, 16384, &line, &err), GATE_PASS);
    request_head_add(&head, SLICE_LIT("A"), SLICE_LIT("b"));
    assert_int_equal(request_gate_check(&head, 16384, &line, &err), GATE_TOO_LARGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(judges_each_case),
        cmocka_unit_test(splits_target_and_tells_the_body),
        cmocka_unit_test(bounds_the_head),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
