/* Replies as values: what a handler says last counts, nothing of a client's gets into a header's
 * shape. */
#include "server/exchange.h"
#include "tests/unit/base/check.h"

struct fixture {
    struct config config;
    struct app app;
    struct http_exchange ex;
};

static void begin(struct fixture *f)
{
    *f = (struct fixture){0};
    snprintf(f->config.realm, sizeof(f->config.realm), "https://reg:5443/token");
    snprintf(f->config.service, sizeof(f->config.service), "reg:5443");
    f->app.config = &f->config;
    f->ex.rq.app = &f->app;
    f->ex.rq.exchange = &f->ex;
    f->ex.rq.identity = &f->ex.identity;
    f->ex.reply.fd = -1;
}

static void end(struct fixture *f)
{
    reply_dispose(&f->ex.reply);
}

static int lines_of(const struct reply *reply, const char *name)
{
    struct slice rest = buf_slice_of(&reply->headers);
    struct slice line;
    int n = 0;
    while (slice_next(&rest, '\n', &line)) {
        ptrdiff_t colon = slice_index(line, ':');
        n += colon > 0 && slice_is_nocase(slice_first(line, (size_t)colon), name);
    }
    return n;
}

static void the_last_answer_counts(void **state)
{
    (void)state;
    struct fixture f;
    struct err err = {0};
    begin(&f);
    reply_header(&f.ex.reply, "X-Kept", "%d", 1);
    reply_bytes(&f.ex.reply, 200, "text/plain", SLICE_LIT("hello"));
    reply_file(&f.ex.reply, 200, "application/octet-stream", open("/dev/null", O_RDONLY), 0, 1);
    (void)err_set(&err, ERR_BLOB_UNKNOWN, "a \"quote\" and a line\nbreak");
    reply_error(&f.ex.reply, &err);
    assert_int_equal(f.ex.reply.status, 404);
    assert_int_equal(f.ex.reply.fd, -1);
    assert_int_equal(lines_of(&f.ex.reply, "Content-Type"), 1);
    assert_int_equal(lines_of(&f.ex.reply, "X-Kept"), 1);
    assert_string_equal(f.ex.reply.body.p,
                        "{\"errors\":[{\"code\":\"BLOB_UNKNOWN\",\"message\":\"a \\\"quote\\\" and "
                        "a line?break\"}]}\n");
    end(&f);
}

static void count_release(void *of)
{
    ++*(int *)of;
}

static void shared_bytes_are_let_go_once(void **state)
{
    (void)state;
    struct fixture f;
    int first = 0, second = 0;
    begin(&f);
    reply_shared(&f.ex.reply, 200, "application/json", SLICE_LIT("{}"), count_release, &first);
    assert_true(slice_is(f.ex.reply.shared, "{}"));
    assert_int_equal(first, 0);
    reply_shared(&f.ex.reply, 200, "application/json", SLICE_LIT("[]"), count_release, &second);
    assert_int_equal(first, 1);
    reply_empty(&f.ex.reply, 204);
    assert_int_equal(second, 1);
    end(&f);
    assert_int_equal(first + second, 2);
    begin(&f);
    reply_shared(&f.ex.reply, 200, "application/json", SLICE_LIT("{}"), count_release, &first);
    end(&f); /* of an answer that was not sent */
    assert_int_equal(first, 2);
}

static void header_values_are_cut_at_the_first_odd_byte(void **state)
{
    (void)state;
    static const struct {
        const char *value, *want;
    } values[] = {{"plain", "X: plain\n"},
                  {"a\r\nSet-Cookie: b", "X: a\n"},
                  {"a\nb", "X: a\n"},
                  {"\x7f", "X: \n"},
                  {"caf\xc3\xa9", "X: caf\n"}};
    for (size_t i = 0; i < COUNT(values); i++) {
        struct fixture f;
        begin(&f);
        reply_header(&f.ex.reply, "X", "%s", values[i].value);
        CHECK_CASE(strcmp(f.ex.reply.headers.p, values[i].want) == 0, values[i].want);
        end(&f);
    }
}

static void errors_carry_their_row(void **state)
{
    (void)state;
    static const struct {
        enum err_code code;
        int status;
        const char *body;
        int retry;
    } rows[] = {{ERR_BUSY, 503, "UNAVAILABLE", 1},
                {ERR_TOO_MANY_REQUESTS, 429, "TOOMANYREQUESTS", 1},
                {ERR_NO_SPACE, 507, "disk is full", 0},
                {ERR_DENIED, 403, "DENIED", 0},
                {ERR_NONE, 500, "internal error", 0}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fixture f;
        struct err err = {0};
        begin(&f);
        if (rows[i].code != ERR_NONE) {
            (void)err_set(&err, rows[i].code, "");
        }
        reply_error_detail(&f.ex.reply, &err, json_pack("{s:i}", "n", 1));
        CHECK_CASE(f.ex.reply.status == rows[i].status, rows[i].body);
        CHECK_CASE(strstr(f.ex.reply.body.p, rows[i].body) != NULL, rows[i].body);
        CHECK_CASE(strstr(f.ex.reply.body.p, ",\"detail\":{\"n\":1}}]}") != NULL, rows[i].body);
        CHECK_CASE(lines_of(&f.ex.reply, "Retry-After") == rows[i].retry, rows[i].body);
        reply_retry_after(&f.ex.reply, 61);
        CHECK_CASE(lines_of(&f.ex.reply, "Retry-After") == 1, rows[i].body);
        CHECK_CASE(strstr(f.ex.reply.headers.p, "Retry-After: 61\n") != NULL, rows[i].body);
        end(&f);
    }
}

static void a_challenge_names_realm_service_and_scope(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    reply_challenge(&f.ex.rq, &f.ex.reply, "repository:ns/app:pull", NULL);
    assert_int_equal(f.ex.reply.status, 401);
    assert_non_null(
        strstr(f.ex.reply.headers.p,
               "WWW-Authenticate: Bearer realm=\"https://reg:5443/token\",service=\"reg:5443\","
               "scope=\"repository:ns/app:pull\"\n"));
    end(&f);
    begin(&f);
    reply_challenge(&f.ex.rq, &f.ex.reply, "repository:a\",error=\"x:pull", "it \\ has \"quotes\"");
    assert_non_null(strstr(f.ex.reply.headers.p, "scope=\"repository:a,error=x:pull\"\n"));
    assert_non_null(strstr(f.ex.reply.body.p, "it \\\\ has \\\"quotes\\\""));
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_answer_counts),
        cmocka_unit_test(shared_bytes_are_let_go_once),
        cmocka_unit_test(header_values_are_cut_at_the_first_odd_byte),
        cmocka_unit_test(errors_carry_their_row),
        cmocka_unit_test(a_challenge_names_realm_service_and_scope),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
