/* Tag rules: what is accepted as rules, which one applies, and that an immutable tag stays whole by
 * every door. */
#include "storage/gc.h"
#include "storage/tag.h"
#include "storage/tag_rule_doc.h"
#include "tests/unit/storage/rules.h"

/* --- the document ----------------------------------------------------------------------------- */

static void what_is_accepted_reads_back(void **state)
{
    static const char *const good[] = {
        "[]",
        "[{\"name\":\"a\",\"repository\":\"*\",\"tag\":\"v*\",\"immutable\":true}]",
        "[{\"name\":\"a\",\"repository\":\"ns/app\",\"tag\":\"*\",\"keep\":{\"newest\":1}}]",
        "[{\"name\":\"a.b_c-1\",\"repository\":\"ns/*\",\"tag\":\"*-rc*\",\"keep\":{\"newest\":1000,"
        "\"younger_than\":\"30d\",\"pulled_within\":\"90m\"}}]",
        "[{\"name\":\"a\",\"repository\":\"ns/x*/y\",\"tag\":\"V1\",\"immutable\":true},"
        "{\"name\":\"b\",\"repository\":\"*\",\"tag\":\"*\",\"keep\":{\"younger_than\":\"1s\"}}]",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        auto_tag_rule_list struct tag_rule_list rules = {0};
        auto_buf struct buf text = {0};
        rules_read(good[i], &rules);
        auto_json json_t *array = tag_rule_doc_write(&rules);
        json_write(&text, array);
        assert_string_equal(text.p, good[i]);
    }
}

static void what_is_refused_names_the_rule_and_the_member(void **state)
{
#define RULE(more) "[{\"name\":\"a\",\"tag\":\"*\"," more "}]"
    static const struct {
        const char *rules, *said;
    } bad[] = {
        {"{}", "{\"rules\""},
        {"[1]", "rule 1"},
        {"[{\"tag\":\"*\",\"immutable\":true}]", "\"name\""},
        {"[{\"name\":\"\",\"tag\":\"*\",\"immutable\":true}]", "\"name\""},
        {"[{\"name\":\"A\",\"tag\":\"*\",\"immutable\":true}]", "\"name\""},
        {"[{\"name\":\"a b\",\"tag\":\"*\",\"immutable\":true}]", "\"name\""},
        {"[{\"name\":\"a\\\"\",\"tag\":\"*\",\"immutable\":true}]", "\"name\""},
        {"[{\"name\":\"a\",\"immutable\":true}]", "\"tag\""},
        {"[{\"name\":\"a\",\"tag\":\"\",\"immutable\":true}]", "\"tag\""},
        {"[{\"name\":\"a\",\"tag\":\"v 1\",\"immutable\":true}]", "\"tag\""},
        {"[{\"name\":\"a\",\"tag\":\"v[0-9]\",\"immutable\":true}]", "\"tag\""},
        {"[{\"name\":\"a\",\"tag\":[\"v*\"],\"immutable\":true}]", "\"tag\""},
        {RULE("\"repository\":\"app\",\"immutable\":true"), "\"repository\""},
        {RULE("\"repository\":\"ns\",\"immutable\":true"), "\"repository\""},
        {RULE("\"repository\":\"n*\",\"immutable\":true"), "\"repository\""},
        {RULE("\"repository\":\"other/*\",\"immutable\":true"), "\"repository\""},
        {RULE("\"repository\":\"nsx/app\",\"immutable\":true"), "\"repository\""},
        {RULE("\"repository\":\"ns/App\",\"immutable\":true"), "\"repository\""},
        {RULE("\"repository\":1,\"immutable\":true"), "\"repository\""},
        {RULE("\"immutable\":false"), "either"},
        {RULE("\"immutable\":1"), "either"},
        {RULE("\"immutable\":true,\"keep\":{\"newest\":1}"), "either"},
        {"[{\"name\":\"a\",\"tag\":\"*\"}]", "either"},
        {RULE("\"keep\":{}"), "\"keep\""},
        {RULE("\"keep\":[]"), "\"keep\""},
        {RULE("\"keep\":{\"newest\":0}"), "newest"},
        {RULE("\"keep\":{\"newest\":-1}"), "newest"},
        {RULE("\"keep\":{\"newest\":1001}"), "newest"},
        {RULE("\"keep\":{\"newest\":1.5}"), "newest"},
        {RULE("\"keep\":{\"newest\":\"5\"}"), "newest"},
        {RULE("\"keep\":{\"younger_than\":\"0\"}"), "younger_than"},
        {RULE("\"keep\":{\"younger_than\":\"forever\"}"), "younger_than"},
        {RULE("\"keep\":{\"younger_than\":\"soon\"}"), "younger_than"},
        {RULE("\"keep\":{\"younger_than\":30}"), "younger_than"},
        {RULE("\"keep\":{\"pulled_within\":\"-1d\"}"), "pulled_within"},
        {RULE("\"keep\":{\"newst\":5}"), "newst"},
        {RULE("\"immutable\":true,\"until\":\"30d\""), "until"},
        {"[{\"name\":\"a\",\"tag\":\"*\",\"immutable\":true},"
         "{\"name\":\"a\",\"tag\":\"*\",\"immutable\":true}]",
         "rule 2"},
    };
    struct namespace_name ns = ns_of("ns");
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        auto_tag_rule_list struct tag_rule_list rules = {0};
        auto_json json_t *object = rules_object(bad[i].rules);
        struct err err = {0};
        CHECK_CASE(!tag_rule_doc_read(object, &ns, &rules, &err), bad[i].rules);
        CHECK_CASE(err.code == ERR_INVALID && rules.count == 0, bad[i].rules);
        if (strstr(err.msg, bad[i].said) == NULL) {
            fail_msg("%s: %s", bad[i].rules, err.msg);
        }
    }
}

static void there_may_be_64_rules_and_not_65(void **state)
{
    struct namespace_name ns = ns_of("ns");
    (void)state;
    for (int n = 64; n <= 65; n++) {
        auto_buf struct buf text = {0};
        buf_str(&text, "[");
        for (int i = 0; i < n; i++) {
            buf_printf(&text, "%s{\"name\":\"r%d\",\"tag\":\"*\",\"immutable\":true}", i ? "," : "",
                       i);
        }
        buf_str(&text, "]");
        auto_json json_t *object = rules_object(text.p);
        auto_tag_rule_list struct tag_rule_list rules = {0};
        assert_int_equal(tag_rule_doc_read(object, &ns, &rules, NULL), n == 64);
    }
}

/* --- storing ---------------------------------------------------------------------------------- */

static void a_set_replaces_the_one_before(void **state)
{
    struct world *w = *state;
    auto_tag_rule_set struct tag_rule_set set = {0};
    set_rules(w, "[{\"name\":\"a\",\"tag\":\"v*\",\"immutable\":true},"
                 "{\"name\":\"b\",\"tag\":\"*\",\"keep\":{\"newest\":2}}]");
    set_rules(w, "[{\"name\":\"b\",\"repository\":\"ns/app\",\"tag\":\"x*\",\"keep\":"
                 "{\"younger_than\":\"30d\"}}]");
    READ(w)
    {
        OK(tag_rule_set_get(tx, w->ns.id, &set, err));
    }
    assert_int_equal(set.generation, 2);
    assert_string_equal(set.updated_by, w->alice.name);
    assert_int_equal(set.rules.count, 1);
    assert_string_equal(set.rules.items[0].name, "b");
    assert_string_equal(set.rules.items[0].tag, "x*");
    assert_int_equal(set.rules.items[0].younger_us, 30 * 24 * HOUR);
    assert_int_equal(set.rules.items[0].newest, 0);
}

static void the_first_rule_that_matches_decides(void **state)
{
    auto_tag_rule_list struct tag_rule_list rules = {0};
    (void)state;
    rules_read(
        "[{\"name\":\"nightly\",\"tag\":\"nightly-*\",\"keep\":{\"newest\":1}},"
        "{\"name\":\"web\",\"repository\":\"ns/web-*\",\"tag\":\"*\",\"keep\":{\"newest\":2}},"
        "{\"name\":\"fixed\",\"tag\":\"v*\",\"immutable\":true},"
        "{\"name\":\"rest\",\"tag\":\"v*\",\"keep\":{\"newest\":3}}]",
        &rules);
    static const struct {
        const char *repo, *tag, *retention, *immutable;
    } cases[] = {
        {"ns/app", "nightly-1", "nightly", NULL},
        {"ns/web-a", "nightly-1", "nightly", NULL},
        {"ns/web-a", "x", "web", NULL},
        {"ns/web-a/b", "x", "web", NULL},
        {"ns/web-a", "v1", "web", "fixed"},
        {"ns/app", "v1", "rest", "fixed"},
        {"ns/app", "latest", NULL, NULL},
        {"ns/webx", "x", NULL, NULL},
        {"ns/app", "V1", NULL, NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct tag_rule *retention =
            tag_rule_retention(&rules, slice_str(cases[i].repo), slice_str(cases[i].tag));
        const struct tag_rule *immutable =
            tag_rule_immutable(&rules, slice_str(cases[i].repo), slice_str(cases[i].tag));
        CHECK_CASE(is_rule(retention, cases[i].retention), cases[i].tag);
        CHECK_CASE(is_rule(immutable, cases[i].immutable), cases[i].tag);
    }
}

/* --- immutable tags --------------------------------------------------------------------------- */

#define FIXED                                                                                      \
    "[{\"name\":\"releases\",\"repository\":\"ns/app\",\"tag\":\"v*\",\"immutable\":true}]"

static bool put(struct world *w, const char *tag, const struct digest *digest, struct err *err)
{
    struct tag_name name = tag_of(tag);
    struct tag_write t = {.w = w, .tag = &name, .digest = digest};
    return db_write(w->db, write_tag, &t, err);
}

static void an_immutable_tag_is_made_and_put_again_but_not_moved(void **state)
{
    struct world *w = *state;
    struct err why = {0};
    struct digest one = push_image(w, "{}", "one"), two = push_image(w, "{}", "two");
    set_rules(w, FIXED);
    assert_true(put(w, "v1", &one, &why));
    assert_true(put(w, "v1", &one, &why));
    assert_false(put(w, "v1", &two, &why));
    assert_int_equal(why.code, ERR_DENIED);
    assert_non_null(strstr(why.msg, "\"releases\""));
    assert_non_null(strstr(why.msg, "v1"));
    assert_true(tag_is(w, "v1", &one));
    /* what the pattern does not match moves as ever */
    assert_true(put(w, "latest", &one, &why) && put(w, "latest", &two, &why));
    assert_true(put(w, "V1", &one, &why) && put(w, "V1", &two, &why));
    assert_true(put(w, "xv1", &one, &why) && put(w, "xv1", &two, &why));
}

static void a_rule_holds_for_tags_that_were_there_before_it(void **state)
{
    struct world *w = *state;
    struct err why = {0};
    struct digest one = push_image(w, "{}", "one"), two = push_image(w, "{}", "two");
    assert_true(put(w, "v1", &one, &why));
    set_rules(w, FIXED);
    assert_false(put(w, "v1", &two, &why));
    set_rules(w, "[]");
    assert_true(put(w, "v1", &two, &why));
}

static void an_immutable_tag_is_not_deleted_and_an_absent_one_is_unknown(void **state)
{
    struct world *w = *state;
    struct err why = {0};
    struct digest one = push_image(w, "{}", "one");
    struct tag_name v1 = tag_of("v1"), v2 = tag_of("v2"), latest = tag_of("latest");
    set_rules(w, FIXED);
    assert_true(put(w, "v1", &one, &why) && put(w, "latest", &one, &why));
    struct tag_write t = {.w = w, .tag = &v1};
    assert_false(db_write(w->db, remove_tag, &t, &why));
    assert_int_equal(why.code, ERR_DENIED);
    t.tag = &v2;
    assert_false(db_write(w->db, remove_tag, &t, &why));
    assert_int_equal(why.code, ERR_TAG_UNKNOWN);
    t.tag = &latest;
    assert_true(db_write(w->db, remove_tag, &t, &why));
    assert_true(tag_is(w, "v1", &one));
}

/* index (v1) -> index -> image -> blobs; each of them is asked for by deletion */
static void nothing_of_an_immutable_image_is_deleted_at_any_depth(void **state)
{
    struct world *w = *state;
    struct err why = {0};
    struct digest image = push_image(w, "{}", "abc"), other = push_image(w, "{}", "oth");
    struct digest inner = push_index(w, &image, IMAGE_TEXT_SIZE, TYPE_IMAGE);
    struct digest outer = push_index(w, &inner, size_of_manifest(w, &inner), TYPE_INDEX);
    struct digest layer = digest_of(SLICE_LIT("abc")), config = digest_of(SLICE_LIT("{}")),
                  spare = digest_of(SLICE_LIT("oth"));
    set_rules(w, FIXED);
    assert_true(put(w, "v1", &outer, &why) && put(w, "latest", &other, &why));

    const struct digest *kept[] = {&outer, &inner, &image};
    for (size_t i = 0; i < COUNT(kept); i++) {
        assert_false(delete_manifest(w, kept[i], &why));
        assert_int_equal(why.code, ERR_DENIED);
        assert_non_null(strstr(why.msg, "v1"));
        assert_non_null(strstr(why.msg, "\"releases\""));
    }
    const struct digest *blobs[] = {&layer, &config};
    for (size_t i = 0; i < COUNT(blobs); i++) {
        assert_false(delete_blob(w, blobs[i], &why));
        assert_int_equal(why.code, ERR_DENIED);
    }
    /* what only a tag that may move needs goes */
    assert_true(delete_blob(w, &spare, &why));
    assert_true(delete_manifest(w, &other, &why));
    /* and all of it once the rule is gone */
    set_rules(w, "[]");
    assert_true(delete_blob(w, &layer, &why));
    assert_true(delete_manifest(w, &image, &why));
}

static void a_referrer_of_an_immutable_image_may_be_deleted(void **state)
{
    struct world *w = *state;
    struct err why = {0};
    struct digest image = push_image(w, "{}", "abc");
    struct digest referrer = push_referrer(w, &image, "sig");
    set_rules(w, FIXED);
    assert_true(put(w, "v1", &image, &why));
    assert_true(delete_manifest(w, &referrer, &why));
    assert_false(delete_manifest(w, &image, &why));
}

static void what_an_immutable_artifact_is_about_may_be_deleted(void **state)
{
    struct world *w = *state;
    struct err why = {0};
    struct digest image = push_image(w, "{}", "abc");
    struct digest referrer = push_referrer(w, &image, "sig");
    set_rules(w, FIXED);
    assert_true(put(w, "v1-sbom", &referrer, &why));
    assert_true(delete_manifest(w, &image, &why));
    assert_false(delete_manifest(w, &referrer, &why));
}

static void a_repository_with_an_immutable_tag_is_protected(void **state)
{
    struct world *w = *state;
    struct err why = {0};
    struct tag_protection p;
    struct digest image = push_image(w, "{}", "abc");
    set_rules(w, FIXED);
    assert_true(put(w, "latest", &image, &why));
    READ(w)
    {
        OK(tag_rule_protects_repository(tx, w->repo.id, &p, err));
    }
    assert_false(p.holds);
    assert_true(put(w, "v1", &image, &why));
    READ(w)
    {
        OK(tag_rule_protects_repository(tx, w->repo.id, &p, err));
    }
    assert_true(p.holds);
    assert_string_equal(p.tag.text, "v1");
    assert_string_equal(p.rule, "releases");
}

static void a_rule_of_another_repository_protects_nothing_here(void **state)
{
    struct world *w = *state;
    struct err why = {0};
    struct digest one = push_image(w, "{}", "one"), two = push_image(w, "{}", "two");
    set_rules(w, "[{\"name\":\"r\",\"repository\":\"ns/app2\",\"tag\":\"*\",\"immutable\":true},"
                 "{\"name\":\"s\",\"repository\":\"ns/ap\",\"tag\":\"*\",\"immutable\":true},"
                 "{\"name\":\"t\",\"repository\":\"ns/app/*\",\"tag\":\"*\",\"immutable\":true}]");
    assert_true(put(w, "v1", &one, &why) && put(w, "v1", &two, &why));
    assert_true(delete_manifest(w, &two, &why));
}

static void the_collector_takes_what_nothing_names_beside_immutable_tags(void **state)
{
    struct world *w = *state;
    struct err why = {0};
    struct gc_result result;
    struct digest image = push_image(w, "{}", "abc"), lone = push_blob(w, "lone");
    set_rules(w, FIXED);
    assert_true(put(w, "v1", &image, &why));
    OK(gc_run(w->store, T0 + 1000 * HOUR, 100, &result, err));
    assert_int_equal(result.failures, 0);
    assert_int_equal(result.memberships, 1);
    assert_false(has_blob(w, &lone));
    struct digest layer = digest_of(SLICE_LIT("abc"));
    assert_true(has_blob(w, &layer));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_accepted_reads_back),
        cmocka_unit_test(what_is_refused_names_the_rule_and_the_member),
        cmocka_unit_test(there_may_be_64_rules_and_not_65),
        WORLD_TEST(a_set_replaces_the_one_before),
        cmocka_unit_test(the_first_rule_that_matches_decides),
        WORLD_TEST(an_immutable_tag_is_made_and_put_again_but_not_moved),
        WORLD_TEST(a_rule_holds_for_tags_that_were_there_before_it),
        WORLD_TEST(an_immutable_tag_is_not_deleted_and_an_absent_one_is_unknown),
        WORLD_TEST(nothing_of_an_immutable_image_is_deleted_at_any_depth),
        WORLD_TEST(a_referrer_of_an_immutable_image_may_be_deleted),
        WORLD_TEST(what_an_immutable_artifact_is_about_may_be_deleted),
        WORLD_TEST(a_repository_with_an_immutable_tag_is_protected),
        WORLD_TEST(a_rule_of_another_repository_protects_nothing_here),
        WORLD_TEST(the_collector_takes_what_nothing_names_beside_immutable_tags),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
