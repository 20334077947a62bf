/* Every route is found by its path, names that look like routes included; and nothing else is. */
#include "server/router.h"
#include "tests/unit/base/check.h"

#define ROUTE(methods, pattern, access, body, thread, handler)                                     \
    {methods, pattern, access, body, thread, NULL, #handler, NULL},
#define STREAM(methods, pattern, access, handler, sink)                                            \
    {methods, pattern, access, BODY_STREAM, WORKER, NULL, #handler, NULL},
static const struct route table[] = {
#include "server/routes_table.h"
};

struct route_case {
    enum http_method method;
    const char *path;
    const char *pattern; /* of the route found; NULL: none */
    const char *name, *gun, *reference, *param;
    unsigned allow; /* when none is found */
};

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define D "sha256:" HEX64
#define M "/v2/{name}/manifests/{reference}"
#define B "/v2/{name}/blobs/{digest}"
#define U "/v2/{name}/blobs/uploads/"
#define S "/v2/{name}/blobs/uploads/{1}"
#define T "/v2/{gun}/_trust/tuf/"
#define F "/v2/{gun}/_trust/tuf/{file}"
#define K "/v2/{gun}/_trust/tuf/{key}"

static const struct route_case cases[] = {
    {METHOD_GET, "/v2/", "/v2/", NULL, NULL, NULL, NULL, 0},
    {METHOD_HEAD, "/v2/", "/v2/", NULL, NULL, NULL, NULL, 0},
    {METHOD_GET, "/v2/_catalog", "/v2/_catalog", NULL, NULL, NULL, NULL, 0},
    {METHOD_GET, "/v2/_oci/ext/discover", "/v2/_oci/ext/discover", NULL, NULL, NULL, NULL, 0},
    {METHOD_GET, "/v2/ns/app/_oci/ext/discover", "/v2/{name}/_oci/ext/discover", "ns/app", NULL,
     NULL, NULL, 0},
    {METHOD_GET, "/v2/ns/app/manifests/v1", M, "ns/app", NULL, "v1", NULL, 0},
    {METHOD_HEAD, "/v2/ns/app/manifests/" D, M, "ns/app", NULL, D, NULL, 0},
    {METHOD_PUT, "/v2/ns/app/manifests/v1", M, "ns/app", NULL, "v1", NULL, 0},
    {METHOD_DELETE, "/v2/ns/app/manifests/v1", M, "ns/app", NULL, "v1", NULL, 0},
    {METHOD_GET, "/v2/ns/app/tags/list", "/v2/{name}/tags/list", "ns/app", NULL, NULL, NULL, 0},
    {METHOD_GET, "/v2/ns/app/referrers/" D, "/v2/{name}/referrers/{digest}", "ns/app", NULL, D,
     NULL, 0},
    {METHOD_GET, "/v2/ns/app/blobs/" D, B, "ns/app", NULL, D, NULL, 0},
    {METHOD_POST, "/v2/ns/app/blobs/uploads/", U, "ns/app", NULL, NULL, NULL, 0},
    {METHOD_PATCH, "/v2/ns/app/blobs/uploads/u-1", S, "ns/app", NULL, NULL, "u-1", 0},
    {METHOD_PUT, "/v2/ns/app/blobs/uploads/u-1", S, "ns/app", NULL, NULL, "u-1", 0},
    /* names that look like routes */
    {METHOD_GET, "/v2/a/blobs/b/manifests/v1", M, "a/blobs/b", NULL, "v1", NULL, 0},
    {METHOD_GET, "/v2/x/manifests/y/blobs/" D, B, "x/manifests/y", NULL, D, NULL, 0},
    {METHOD_GET, "/v2/ns/tags/tags/list", "/v2/{name}/tags/list", "ns/tags", NULL, NULL, NULL, 0},
    {METHOD_GET, "/v2/tags/list/tags/list", "/v2/{name}/tags/list", "tags/list", NULL, NULL, NULL,
     0},
    {METHOD_POST, "/v2/ns/blobs/uploads/blobs/uploads/", U, "ns/blobs/uploads", NULL, NULL, NULL,
     0},
    {METHOD_GET, "/v2/ns/manifests/manifests/manifests", M, "ns/manifests", NULL, "manifests", NULL,
     0},
    {METHOD_GET, "/v2/app/manifests/v1", M, "app", NULL, "v1", NULL,
     0}, /* one component: the name parser's word */
    /* the Notary API */
    {METHOD_POST, "/v2/localhost:5443/ns/app/_trust/tuf/", T, NULL, "localhost:5443/ns/app", NULL,
     NULL, 0},
    {METHOD_DELETE, "/v2/localhost:5443/ns/app/_trust/tuf/", T, NULL, "localhost:5443/ns/app", NULL,
     NULL, 0},
    {METHOD_GET, "/v2/h/ns/app/_trust/tuf/root.json", F, NULL, "h/ns/app", NULL, "root.json", 0},
    {METHOD_GET, "/v2/h/ns/app/_trust/tuf/3.root.json", F, NULL, "h/ns/app", NULL, "3.root.json",
     0},
    {METHOD_GET, "/v2/h/ns/app/_trust/tuf/targets/releases.json", F, NULL, "h/ns/app", NULL,
     "targets/releases.json", 0},
    {METHOD_GET, "/v2/h/ns/app/_trust/tuf/targets/a/b." HEX64 ".json", F, NULL, "h/ns/app", NULL,
     "targets/a/b." HEX64 ".json", 0},
    {METHOD_GET, "/v2/h/ns/app/_trust/tuf/snapshot.key", K, NULL, "h/ns/app", NULL, "snapshot.key",
     0},
    {METHOD_POST, "/v2/h/ns/app/_trust/tuf/timestamp.key", K, NULL, "h/ns/app", NULL,
     "timestamp.key", 0},
    {METHOD_GET, "/v2/h/ns/app/_trust/changefeed", "/v2/{gun}/_trust/changefeed", NULL, "h/ns/app",
     NULL, NULL, 0},
    {METHOD_GET, "/v2/_trust/changefeed", "/v2/_trust/changefeed", NULL, NULL, NULL, NULL, 0},
    {METHOD_GET, "/_notary_server/health", "/_notary_server/health", NULL, NULL, NULL, NULL, 0},
    /* a GUN reaches to the last _trust that lets the rest match */
    {METHOD_GET, "/v2/h/_trust/tuf/x/_trust/tuf/root.json", F, NULL, "h/_trust/tuf/x", NULL,
     "root.json", 0},
    {METHOD_POST, "/v2/h/_trust/tuf/_trust/tuf/", T, NULL, "h/_trust/tuf", NULL, NULL, 0},
    /* nothing */
    {METHOD_HEAD, "/v2/h/ns/app/_trust/tuf/root.json", NULL, NULL, NULL, NULL, NULL, 0},
    {METHOD_GET, "/v2/h/ns/app/_trust/tuf/root.key", NULL, NULL, NULL, NULL, NULL, 0},
    {METHOD_GET, "/v2/h/ns/app/_trust/tuf/bogus.json", NULL, NULL, NULL, NULL, NULL, 0},
    {METHOD_GET, "/v2/h/ns/app/_trust/tuf/targets/.json", NULL, NULL, NULL, NULL, NULL, 0},
    {METHOD_GET, "/v2/h/ns/app/_trust/tuf/root.abc.json", NULL, NULL, NULL, NULL, NULL, 0},
    {METHOD_POST, "/v2/h/ns/app/_trust/tuf", NULL, NULL, NULL, NULL, NULL, 0},
    {METHOD_GET, "/v2/h/ns/_trust/manifests/v1", NULL, NULL, NULL, NULL, NULL, 0},
    {METHOD_GET, "/v2/h/ns/app/_trust/tuf/", NULL, NULL, NULL, NULL, NULL, 0},
    {METHOD_PUT, "/v2/h/ns/app/_trust/tuf/root.json", NULL, NULL, NULL, NULL, NULL, 0},
    {METHOD_DELETE, "/v2/h/ns/app/_trust/tuf/timestamp.key", NULL, NULL, NULL, NULL, NULL, 0},
    {METHOD_POST, "/_notary_server/health", NULL, NULL, NULL, NULL, NULL, 0},
    {METHOD_PATCH, "/v2/h/ns/app/_trust/tuf/", NULL, NULL, NULL, NULL, NULL,
     METHOD_POST | METHOD_DELETE},
    {METHOD_GET, "/v2/ns/app", NULL, NULL, NULL, NULL, NULL, 0},
    {METHOD_GET, "/v2/ns/app/tags/list/", NULL, NULL, NULL, NULL, NULL, 0},
    {METHOD_GET, "/v2/ns/app/_oci/ext/discover/", NULL, NULL, NULL, NULL, NULL, 0},
    {METHOD_GET, "/v2/_oci/ext", NULL, NULL, NULL, NULL, NULL, 0},
    {METHOD_POST, "/v2/_oci/ext/discover", NULL, NULL, NULL, NULL, NULL, METHOD_GET},
    {METHOD_GET, "/v2/manifests/v1", NULL, NULL, NULL, NULL, NULL, 0},
    {METHOD_GET, "/v2/ns/app/manifests/", NULL, NULL, NULL, NULL, NULL, 0},
    {METHOD_GET, "/", NULL, NULL, NULL, NULL, NULL, 0},
    {METHOD_GET, "/v3/", NULL, NULL, NULL, NULL, NULL, 0},
    {METHOD_POST, "/v2/_catalog", NULL, NULL, NULL, NULL, NULL, METHOD_GET},
    {METHOD_POST, "/v2/ns/app/manifests/v1", NULL, NULL, NULL, NULL, NULL,
     METHOD_GET_HEAD | METHOD_PUT | METHOD_DELETE},
};

static bool same(struct slice got, const char *want)
{
    return want == NULL ? got.p == NULL : slice_is(got, want);
}

static void finds_each_case(void **state)
{
    const struct router *router = *state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct route_case *c = &cases[i];
        struct route_match m;
        router_find(router, c->method, slice_str(c->path), &m);
        CHECK_CASE((m.index == ROUTE_NONE) == (c->pattern == NULL), c->path);
        if (c->pattern == NULL) {
            CHECK_CASE(m.allow == c->allow, c->path);
            continue;
        }
        CHECK_CASE(strcmp(table[m.index].pattern, c->pattern) == 0, c->path);
        CHECK_CASE((table[m.index].methods & (unsigned)c->method) != 0, c->path);
        CHECK_CASE(same(m.name, c->name), c->path);
        CHECK_CASE(same(m.gun, c->gun), c->path);
        CHECK_CASE(same(m.reference, c->reference), c->path);
        CHECK_CASE(same(m.params[0], c->param), c->path);
    }
}

static void a_path_of_many_segments_is_no_route(void **state)
{
    const struct router *router = *state;
    auto_buf struct buf path = {0};
    struct route_match m;
    buf_str(&path, "/v2");
    for (int i = 0; i < 500; i++) {
        buf_str(&path, "/a");
    }
    buf_str(&path, "/tags/list");
    router_find(router, METHOD_GET, buf_slice_of(&path), &m);
    assert_true(m.index == ROUTE_NONE && m.allow == 0);
}

static void decodes_parameters_strictly(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } decoded[] = {{"alice%40example.org", "alice@example.org"},
                   {"a", "a"},
                   {"%C3%A4", "\xc3\xa4"},
                   {"a%2Fb", NULL},
                   {"a%00b", NULL},
                   {"a%", NULL},
                   {"a%4", NULL},
                   {"a%zz", NULL},
                   {"%c3", NULL},
                   {"%0a", NULL},
                   {"+a", "+a"}};
    for (size_t i = 0; i < COUNT(decoded); i++) {
        auto_buf struct buf out = {0};
        bool ok = router_decode(slice_str(decoded[i].text), &out);
        CHECK_CASE(ok == (decoded[i].want != NULL), decoded[i].text);
        CHECK_CASE(!ok || slice_is(buf_slice_of(&out), decoded[i].want), decoded[i].text);
    }
}

static void names_the_methods_of_a_path(void **state)
{
    (void)state;
    auto_buf struct buf out = {0};
    router_allow_text(METHOD_GET_HEAD | METHOD_PUT | METHOD_DELETE, &out);
    assert_string_equal(out.p, "GET, HEAD, PUT, DELETE");
}

static int setup(void **state)
{
    *state = router_new(table, COUNT(table));
    return 0;
}

static int teardown(void **state)
{
    router_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_each_case),
        cmocka_unit_test(a_path_of_many_segments_is_no_route),
        cmocka_unit_test(decodes_parameters_strictly),
        cmocka_unit_test(names_the_methods_of_a_path),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
