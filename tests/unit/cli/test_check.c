/* Names as they are typed at the command line: every form that is documented, and its hostile twin.
 */
#include "cli/check.h"
#include "cli/client.h"
#include "cli/output.h"
#include "tests/unit/base/check.h"

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void images_in_every_form(void **state)
{
    static const struct {
        const char *typed, *ns, *want; /* want NULL: refused */
    } cases[] = {
        {"demo/app:v1", NULL, "demo/app:v1"},
        {"demo/app", NULL, "demo/app:latest"},
        {"demo/team/app:v1", NULL, "demo/team/app:v1"},
        {"localhost:5443/demo/app:v1", NULL, "localhost:5443/demo/app:v1"},
        {"localhost/demo/app", NULL, "localhost/demo/app:latest"},
        {"registry.example/demo/app", NULL, "registry.example/demo/app:latest"},
        {"demo/app@sha256:" HEX64, NULL, "demo/app@sha256:" HEX64},
        {"demo/app:v1@sha256:" HEX64, NULL, "demo/app:v1@sha256:" HEX64},
        {"localhost:5443/demo/app@sha256:" HEX64, NULL, "localhost:5443/demo/app@sha256:" HEX64},
        {"app:v1", "demo", "demo/app:v1"},
        {"other/app:v1", "demo", "other/app:v1"},
        {"app", NULL, NULL},
        {"", NULL, NULL},
        {"", "demo", NULL},
        {"demo/app:", NULL, NULL},
        {"demo/app:-x", NULL, NULL},
        {"demo/app:v1:v2", NULL, NULL},
        {"demo/app@", NULL, NULL},
        {"demo/app@sha256:0123", NULL, NULL},
        {"demo/app@sha256:0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef", NULL,
         NULL},
        {"demo/app@md5:" HEX64, NULL, NULL},
        {"demo/app@sha256:" HEX64 "@sha256:" HEX64, NULL, NULL},
        {"Demo/app:v1", NULL, NULL},
        {"demo//app:v1", NULL, NULL},
        {"demo/../app:v1", NULL, NULL},
        {"/demo/app", NULL, NULL},
        {"localhost:5443/app:v1", NULL, NULL},
        {"localhost:5443/app:v1", "demo", NULL},
        {"local_host:5443/demo/app", NULL, NULL},
        {"app:v1", "Demo", NULL},
        {"app:v1", "a/../b", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct call call = {.value[OPTION_NAMESPACE] = cases[i].ns};
        auto_buf struct buf out = {0};
        bool good = check_image(&call, cases[i].typed, &out);
        assert_int_equal(good, cases[i].want != NULL);
        if (good) {
            assert_string_equal(out.p, cases[i].want);
        }
    }
}

static void the_host_of_an_image(void **state)
{
    static const struct {
        const char *typed, *want;
    } cases[] = {
        {"localhost:5443/demo/app:v1", "localhost:5443"},
        {"registry.example/demo/app@sha256:" HEX64, "registry.example"},
        {"localhost/demo/app", "localhost"},
        {"demo/app:v1", ""},
        {"demo/app.b:v1", ""},
        {"app:v1", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_true(slice_is(check_image_host(cases[i].typed), cases[i].want));
    }
}

static void whether_an_image_says_which(void **state)
{
    static const struct {
        const char *image;
        bool says;
    } cases[] = {
        {"ns/app", false},
        {"localhost:5000/ns/app", false},
        {"ns/app:v1", true},
        {"localhost:5000/ns/app:v1", true},
        {"ns/app@sha256:aa", true},
        {"ns/app:", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(check_image_says_which(cases[i].image), cases[i].says);
    }
}

static void scopes_of_policies(void **state)
{
    static const struct {
        const char *typed;
        bool good;
    } cases[] = {
        {"*", true},        {"demo", true},     {"demo/app", true},   {"demo/*", true},
        {"demo/ap*", true}, {"demo/a/*", true}, {"**", false},        {"*/app", false},
        {"de*/app", false}, {"Demo/*", false},  {"demo//*", false},   {"", false},
        {"demo/", false},   {"d*", false},      {"demo/a b*", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(check_policy_scope(cases[i].typed), cases[i].good);
    }
}

static void text_of_a_server_cannot_steer_the_terminal(void **state)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"plain text", "plain text"},
        {"caf\xc3\xa9 …", "caf\xc3\xa9 …"},
        {"\x1b[31mred", "?[31mred"},
        {"a\tb\nc\rd", "a?b?c?d"},
        {"\x7f", "?"},
        {"\xc2\x9b"
         "31m",
         "??31m"},
        {"\xc2\xa0", "\xc2\xa0"},
        {"", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        auto_free char *copy = xstrdup(cases[i].text);
        assert_string_equal(printable(copy), cases[i].want);
    }
}

/* bond deploy --exec sh -- -c "… {}" and docker pull get what the server answered. */
static void a_server_answers_with_a_name_and_nothing_else(void **state)
{
    static const struct {
        const char *asked, *pinned, *image;
        bool want;
    } cases[] = {
        {"demo/app:v1", "host:5443/demo/app@sha256:" HEX64, "host:5443/demo/app:v1", true},
        {"demo/app:v1", "registry.example/demo/app@sha256:" HEX64, NULL, true},
        {"demo/app:v1", "plainhost/demo/app@sha256:" HEX64, "plainhost/demo/app:v1", true},
        {"host:5443/demo/app:v1", "host:5443/demo/app@sha256:" HEX64, NULL, true},
        {"demo/app@sha256:" HEX64, "demo/app@sha256:" HEX64, NULL, true},
        {NULL, "demo/app@sha256:" HEX64, "demo/app:v1", true},
        {NULL, "-v/demo/app@sha256:" HEX64, NULL, false},
        {NULL, "--privileged", NULL, false},
        {NULL, "", NULL, false},
        {NULL, "demo/app", NULL, false},
        {NULL, "demo/app:v1", NULL, false},
        {NULL, "demo/app:v1@sha256:" HEX64, NULL, false},
        {NULL, "demo/app@sha256:" HEX64 ";id", NULL, false},
        {NULL, "demo/app$(id)@sha256:" HEX64, NULL, false},
        {NULL, "h.example`id`/demo/app@sha256:" HEX64, NULL, false},
        {NULL, "demo/app@sha256:" HEX64 " other", NULL, false},
        {NULL, "demo/app@sha256:" HEX64 "\n", NULL, false},
        {NULL, "demo/app@sha256:" HEX64, "demo/app:v1;id", false},
        {NULL, "demo/app@sha256:" HEX64, "demo/other:v1", false},
        {NULL, "demo/app@sha256:" HEX64, "--force", false},
        {"demo/app:v1", "host:5443/demo/other@sha256:" HEX64, NULL, false},
        {"demo/app:v1", "host:5443/demo/myapp@sha256:" HEX64, NULL, false},
        {"demo/app@sha256:" HEX64, "demo/app@sha256:1" HEX64, NULL, false},
        {"demo/app@sha256:" HEX64,
         "demo/app@sha256:1123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", NULL,
         false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (check_released(cases[i].asked, cases[i].pinned, cases[i].image) != cases[i].want) {
            fail_msg("%s", cases[i].pinned);
        }
    }
}

static void addresses_are_encoded(void **state)
{
    auto_buf struct buf path = {0};

    (void)state;
    buf_str(&path, "/x/");
    client_segment(&path, "a@b+c.example/../%2f?#");
    assert_string_equal(path.p, "/x/a@b+c.example%2F..%2F%252f%3F%23");
    client_query(&path, "scope", "demo/*");
    client_query(&path, "as", "a&b=c");
    assert_string_equal(path.p,
                        "/x/a@b+c.example%2F..%2F%252f%3F%23?scope=demo%2F%2A&as=a%26b%3Dc");
}

static void every_status_has_its_exit(void **state)
{
    static const struct {
        int status;
        enum outcome want;
    } cases[] = {
        {0, OUTCOME_FAILED},      {200, OUTCOME_OK},       {201, OUTCOME_OK},
        {204, OUTCOME_OK},        {301, OUTCOME_FAILED},   {302, OUTCOME_FAILED},
        {400, OUTCOME_USAGE},     {401, OUTCOME_SIGN_IN},  {403, OUTCOME_NOT_PERMITTED},
        {404, OUTCOME_NOT_FOUND}, {409, OUTCOME_CONFLICT}, {429, OUTCOME_FAILED},
        {500, OUTCOME_FAILED},    {503, OUTCOME_FAILED},   {199, OUTCOME_FAILED},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct answer answer = {.status = cases[i].status};
        assert_int_equal(answer_outcome(&answer), cases[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(images_in_every_form),
        cmocka_unit_test(the_host_of_an_image),
        cmocka_unit_test(whether_an_image_says_which),
        cmocka_unit_test(scopes_of_policies),
        cmocka_unit_test(text_of_a_server_cannot_steer_the_terminal),
        cmocka_unit_test(a_server_answers_with_a_name_and_nothing_else),
        cmocka_unit_test(addresses_are_encoded),
        cmocka_unit_test(every_status_has_its_exit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
