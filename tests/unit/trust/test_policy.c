/* Policies: defaults, grammar, the member at fault, patterns, scopes. */
#include "tests/unit/trust/issued.h"
#include "trust/policy.h"

static bool read_text(const char *text, struct policy *out, struct err *err)
{
    auto_json json_t *object = NULL;
    *out = (struct policy){0};
    return json_read(slice_str(text), JSON_DEPTH_DEFAULT, &object, err) && policy_read(object, out, err);
}

static void an_empty_policy_is_the_default(void **unused)
{
    static const char want[] =
        "{\"level\":\"deploy\",\"sources\":\"tuf\",\"on_mismatch\":\"refuse\",\"fallback\":\"not_"
        "after_revoke\","
        "\"grace\":\"30d\",\"signers\":{\"threshold\":0,\"of\":[]},\"tags\":[\"*\"],\"tags_list\":"
        "\"released\","
        "\"digest_tags\":[\"*\"],\"accept_sha512_only\":false,\"expiring_within\":\"14d\",\"base\":"
        "null,"
        "\"allow_roots\":[],\"allow_root_ca\":[],\"override\":{\"max\":\"24h\",\"two_person\":false}}";
    auto_policy struct policy p = {0};
    auto_buf struct buf text = {0};
    (void)unused;
    assert_true(read_text("{}", &p, NULL));
    auto_json json_t *full = policy_write(&p);
    json_write(&text, full);
    assert_string_equal(text.p, want);
    auto_policy struct policy again = {0};
    assert_true(policy_read(full, &again, NULL)); /* what is written reads */
}

static void a_zeroed_policy_enforces(void **unused)
{
    struct policy p = {0};
    (void)unused;
    assert_int_equal(p.level, LEVEL_DEPLOY);
    assert_int_equal(p.on_mismatch, MISMATCH_REFUSE);
    assert_int_equal(p.fallback, FALLBACK_NOT_AFTER_REVOKE);
    assert_int_equal(p.tags_list, TAGS_LIST_RELEASED);
    assert_int_equal(p.grace_us, 0);
    assert_false(policy_list_matches(&p.tags, SLICE_LIT("v1")));
}

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void good_policies(void **unused)
{
    static const char *const good[] = {
        "{\"level\":\"off\"}",
        "{\"level\":\"lock\",\"on_mismatch\":\"hold\",\"fallback\":\"never\",\"grace\":\"forever\","
        "\"tags_list\":\"all\"}",
        "{\"grace\":\"0\",\"expiring_within\":\"90m\"}",
        "{\"signers\":{\"threshold\":2,\"of\":[\"alice\",\"bob\",\"key:" HEX64 "\"]}}",
        "{\"tags\":[\"prod-*\",\"v1.*\"],\"digest_tags\":[]}",
        "{\"allow_roots\":[\"sha256:" HEX64 "\"]}",
        "{\"override\":{\"max\":\"7d\",\"two_person\":true}}",
        "{\"sources\":\"tuf\",\"base\":null,\"accept_sha512_only\":true}",
    };
    (void)unused;
    for (size_t i = 0; i < COUNT(good); i++) {
        auto_policy struct policy p = {0};
        struct err err = {0};
        if (!read_text(good[i], &p, &err)) {
            fail_msg("%s: %s", good[i], err.msg);
        }
    }
}

static void bad_policies_name_the_member(void **unused)
{
    static const struct {
        const char *text, *names;
    } bad[] = {
        {"[]", "JSON object"},
        {"{\"level\":\"none\"}", "\"level\""},
        {"{\"level\":1}", "\"level\""},
        {"{\"levels\":\"off\"}", "levels"},
        {"{\"on_mismatch\":\"serve\"}", "\"on_mismatch\""},
        {"{\"fallback\":\"\"}", "\"fallback\""},
        {"{\"grace\":30}", "\"grace\""},
        {"{\"grace\":\"-1d\"}", "\"grace\""},
        {"{\"grace\":\"30\"}", "\"grace\""},
        {"{\"grace\":\"99999999999999d\"}", "\"grace\""},
        {"{\"signers\":[]}", "\"signers\""},
        {"{\"signers\":{\"threshold\":1}}", "signers.threshold"},
        {"{\"signers\":{\"threshold\":-1,\"of\":[\"a\"]}}", "signers.threshold"},
        {"{\"signers\":{\"threshold\":1.5,\"of\":[\"a\",\"b\"]}}", "signers.threshold"},
        {"{\"signers\":{\"threshold\":1,\"of\":[\"../root\"]}}", "\"of\""},
        {"{\"signers\":{\"threshold\":1,\"of\":[\"key:abc\"]}}", "\"of\""},
        {"{\"signers\":{\"threshold\":1,\"of\":[\"Alice\"]}}", "\"of\""},
        {"{\"signers\":{\"n\":1,\"of\":[]}}", "signers"},
        {"{\"tags\":\"*\"}", "\"tags\""},
        {"{\"tags\":[\"\"]}", "\"tags\""},
        {"{\"tags\":[\"a b\"]}", "\"tags\""},
        {"{\"tags\":[1]}", "\"tags\""},
        {"{\"accept_sha512_only\":\"yes\"}", "\"accept_sha512_only\""},
        {"{\"allow_roots\":[\"" HEX64 "\"]}", "\"allow_roots\""},
        {"{\"allow_roots\":[\"sha256:zz\"]}", "\"allow_roots\""},
        {"{\"allow_root_ca\":\"CA\"}", "\"allow_root_ca\""},
        {"{\"allow_root_ca\":[\"CA\"]}", "\"allow_root_ca\""},
        {"{\"allow_root_ca\":[1]}", "\"allow_root_ca\""},
        {"{\"override\":{\"max\":\"8d\"}}", "override.max"},
        {"{\"override\":true}", "\"override\""},
        {"{\"sources\":\"cosign\"}", "\"sources\""},
        {"{\"base\":{\"image\":\"x\"}}", "\"base\""},
        {"{\"level\":\"off\",\"level\":\"deploy\"}", ""},
        {"{} {}", ""},
    };
    (void)unused;
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct policy p;
        struct err err = {0};
        CHECK_CASE(!read_text(bad[i].text, &p, &err), bad[i].text);
        CHECK_CASE(strstr(err.msg, bad[i].names) != NULL, bad[i].text);
        CHECK_CASE(p.tags.items == NULL && p.level == LEVEL_DEPLOY,
                   bad[i].text); /* nothing half read */
    }
}

static bool names_cas(const struct issued *c, size_t n, struct policy *out, struct err *err)
{
    auto_json json_t *list = json_array();
    for (size_t i = 0; i < n; i++) {
        issued_list(list, c);
    }
    auto_json json_t *policy = json_pack("{s:O}", "allow_root_ca", list);
    return policy_read(policy, out, err);
}

static void cas_of_root_keys_are_ca_certificates_and_few(void **unused)
{
    struct issued ca, leaf;
    auto_policy struct policy p = {0}, again = {0}, none = {0};
    struct err err = {0};
    (void)unused;
    issue(&ca, &(struct issuing){.name = "CA", .basic = BASIC_CA});
    issue(&leaf, &(struct issuing){.name = "leaf", .by = &ca, .basic = BASIC_LEAF});
    assert_true(names_cas(&ca, 8, &p, &err));
    auto_json json_t *full = policy_write(&p);
    assert_true(policy_read(full, &again, &err));
    auto_json json_t *once_more = policy_write(&again);
    assert_true(json_equal(full, once_more));
    assert_int_equal(json_array_size(json_object_get(full, "allow_root_ca")), 8);
    assert_false(names_cas(&ca, 9, &none, &err));
    assert_non_null(strstr(err.msg, "\"allow_root_ca\""));
    assert_false(names_cas(&leaf, 1, &none, &err));
    assert_non_null(strstr(err.msg, "\"allow_root_ca\""));
    issued_free(&ca);
    issued_free(&leaf);
}

/* What is stored is read at every push, under the writer's lock: no certificate is parsed for that. */
static void cas_are_looked_at_where_a_policy_comes_in(void **unused)
{
    auto_policy struct policy p = {0}, none = {0};
    struct err err = {0};
    const char text[] = "{\"allow_root_ca\":[\"CA\"]}";
    (void)unused;
    assert_false(read_text(text, &none, &err));
    assert_true(policy_read_text(slice_str(text), &p, &err));
    assert_int_equal(p.allow_root_ca.count, 1);
    assert_string_equal(p.allow_root_ca.items[0], "CA");
}

static void lists_are_bounded(void **unused)
{
    (void)unused;
    for (int n = POLICY_LIST_MAX; n <= POLICY_LIST_MAX + 1; n++) {
        auto_buf struct buf text = {0};
        auto_policy struct policy p = {0};
        buf_str(&text, "{\"tags\":[");
        for (int i = 0; i < n; i++) {
            buf_str(&text, i ? ",\"x\"" : "\"x\"");
        }
        buf_str(&text, "]}");
        assert_int_equal(policy_read_text(buf_slice_of(&text), &p, NULL), n <= POLICY_LIST_MAX);
    }
}

static void the_smallest_duration_is_not_lost_when_written(void **unused)
{
    (void)unused;
    auto_policy struct policy p = {0};
    policy_defaults(&p);
    p.grace_us = US_PER_SECOND;
    auto_json json_t *full = policy_write(&p);
    assert_string_equal(json_get_string(full, "grace"), "1s");
}

static void scopes(void **unused)
{
    static const struct {
        const char *text;
        enum policy_scope_kind kind;
    } table[] = {
        {"*", SCOPE_GLOBAL},          {"ns", SCOPE_NAMESPACE},
        {"ns/app", SCOPE_REPOSITORY}, {"ns/a/b/c", SCOPE_REPOSITORY},
        {"ns/*", SCOPE_PATTERN},      {"ns/web-*", SCOPE_PATTERN},
        {"ns/web/*", SCOPE_PATTERN},  {"", SCOPE_NONE},
        {"n*", SCOPE_NONE},           {"**", SCOPE_NONE},
        {"ns/", SCOPE_NONE},          {"NS", SCOPE_NONE},
        {"ns/*x", SCOPE_NONE},        {"ns/a*b*", SCOPE_NONE},
        {"*/app", SCOPE_NONE},        {"/app", SCOPE_NONE},
        {"ns/App*", SCOPE_NONE},      {"ns/a b*", SCOPE_NONE},
    };
    struct namespace_name ns;
    (void)unused;
    for (size_t i = 0; i < COUNT(table); i++) {
        CHECK_CASE(policy_scope_parse(slice_str(table[i].text), &ns) == table[i].kind,
                   table[i].text);
        if (table[i].kind == SCOPE_PATTERN || table[i].kind == SCOPE_REPOSITORY ||
            table[i].kind == SCOPE_NAMESPACE) {
            CHECK_CASE(strcmp(ns.text, "ns") == 0, table[i].text);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_policy_is_the_default),
        cmocka_unit_test(a_zeroed_policy_enforces),
        cmocka_unit_test(good_policies),
        cmocka_unit_test(bad_policies_name_the_member),
        cmocka_unit_test(cas_of_root_keys_are_ca_certificates_and_few),
        cmocka_unit_test(cas_are_looked_at_where_a_policy_comes_in),
        cmocka_unit_test(lists_are_bounded),
        cmocka_unit_test(the_smallest_duration_is_not_lost_when_written),
        cmocka_unit_test(scopes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
