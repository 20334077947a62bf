#include "auth/grant.h"
#include "base/json.h"
#include "tests/unit/base/check.h"

static const char *const host_names[] = {"reg.example.org:5443"};
static const struct scope_hosts hosts = {host_names, 1};
#define HOST "reg.example.org:5443"

enum { R = SCOPE_PULL, W = SCOPE_PUSH, D = SCOPE_DELETE, A = SCOPE_ADMIN, ALL = SCOPE_ALL };

struct intersection {
    unsigned wished, permitted, granted;
};

/* requested ∩ permitted; the literal "*" for whoever has everything (auth.md 4) */
static const struct intersection intersections[] = {
    {R, R | W, R},
    {R | W, R, R},
    {R | W, 0, 0},
    {W, R, 0},
    {D, R | W | D, D},
    {ALL, R | W | D | ALL, ALL},
    {ALL | R, R | W | D | ALL, ALL | R},
    {ALL, R | W, R | W},         /* a developer */
    {ALL, R | W | A, R | W | A}, /* trust administration without the wipe */
    {ALL, R, R},                 /* a deployer */
    {ALL, 0, 0},
    {R, R | W | D | ALL, R}, /* everything permitted, little wished: never more than asked */
};

static void intersect(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(intersections); i++) {
        const struct intersection *c = &intersections[i];
        assert_int_equal(grant_intersect(c->wished, c->permitted), c->granted);
    }
}

static unsigned permit(void *arg, const struct scope *wish)
{
    (void)arg;
    if (wish->kind == SCOPE_CATALOG) {
        return ALL;
    }
    if (wish->kind == SCOPE_TRUST) {
        return R;
    }
    return slice_starts(repo_name_slice(&wish->repo), "mine/") ? R | W | D | ALL : 0;
}

static struct grant_set *granted_or_cut(const char *scopes, bool *cut)
{
    auto_scope_list struct scope_list list = {0};
    scope_list_add(&list, slice_str(scopes), &hosts);
    assert_false(list.cut);
    return grant_new(&list, strlen(HOST), permit, NULL, cut);
}

static struct grant_set *granted_for(const char *scopes)
{
    bool cut = true;
    struct grant_set *set = granted_or_cut(scopes, &cut);
    assert_false(cut);
    return set;
}

static struct repo_name repo(const char *text)
{
    struct repo_name name;
    assert_true(repo_name_parse(slice_str(text), &name, NULL));
    return name;
}

static void granted_and_looked_up(void **state)
{
    (void)state;
    struct grant_set *set =
        granted_for("repository:mine/app:pull,push repository:other/app:pull registry:catalog:* "
                    "repository:" HOST "/mine/app:pull,push");
    const struct repo_name mine = repo("mine/app");
    const struct repo_name longer = repo("mine/app2");
    const struct repo_name other = repo("other/app");
    assert_int_equal(grant_count(set), 3);
    assert_int_equal(grant_bits(set, SCOPE_IMAGE, &mine), R | W);
    assert_int_equal(grant_bits(set, SCOPE_TRUST, &mine), R); /* pushing images is not signing */
    assert_int_equal(grant_bits(set, SCOPE_IMAGE, &longer), 0);
    assert_int_equal(grant_bits(set, SCOPE_IMAGE, &other), 0);
    assert_true(grant_has_catalog(set));
    grant_unref(set);

    set = granted_for("repository:mine/app:*");
    assert_int_equal(grant_bits(set, SCOPE_IMAGE, &mine), ALL | R | W | D);
    assert_int_equal(grant_bits(set, SCOPE_TRUST, &mine), 0);
    assert_false(grant_has_catalog(set));
    grant_unref(set);

    set = granted_for("");
    assert_int_equal(grant_count(set), 0);
    assert_int_equal(grant_bits(set, SCOPE_IMAGE, &mine), 0);
    grant_unref(set);
    grant_unref(NULL);
}

static void claim_there_and_back(void **state)
{
    (void)state;
    struct grant_set *set =
        granted_for("repository:mine/app:pull,push registry:catalog:* repository:" HOST
                    "/mine/app:pull repository:mine/b:*");
    auto_buf struct buf claim = {0};
    auto_buf struct buf scope = {0};
    auto_json json_t *parsed = NULL;
    grant_write_claim(set, HOST, &claim);
    grant_write_scope(set, HOST, &scope);
    grant_unref(set);
    assert_string_equal(
        claim.p, "[{\"type\":\"repository\",\"name\":\"mine/app\",\"actions\":[\"pull\",\"push\"]},"
                 "{\"type\":\"registry\",\"name\":\"catalog\",\"actions\":[\"*\"]},"
                 "{\"type\":\"repository\",\"name\":\"" HOST "/mine/app\",\"actions\":[\"pull\"]},"
                 "{\"type\":\"repository\",\"name\":\"mine/b\",\"actions\":[\"*\"]}]");
    assert_string_equal(scope.p, "repository:mine/app:pull,push registry:catalog:* repository:" HOST
                                 "/mine/app:pull "
                                 "repository:mine/b:*");

    struct grant_set *back = NULL;
    auto_buf struct buf again = {0};
    assert_true(json_read(buf_slice_of(&claim), 8, &parsed, NULL));
    assert_true(grant_from_claim(parsed, &hosts, &back, NULL));
    grant_write_claim(back, HOST, &again);
    assert_string_equal(again.p, claim.p);
    grant_unref(back);
}

/* Nobody but us signs claims, so what is not of our shape is refused whole. */
static const char *const bad_claims[] = {
    "{}",
    "\"*\"",
    "[1]",
    "[{}]",
    "[{\"type\":\"repository\",\"name\":\"ns/app\"}]",
    "[{\"type\":\"repository\",\"name\":\"ns/app\",\"actions\":[]}]",
    "[{\"type\":\"repository\",\"name\":\"ns/app\",\"actions\":[\"fly\"]}]",
    "[{\"type\":\"repository\",\"name\":\"ns/app\",\"actions\":[1]}]",
    "[{\"type\":\"repository\",\"name\":\"app\",\"actions\":[\"pull\"]}]",
    "[{\"type\":\"repository\",\"name\":\"ns/app:x\",\"actions\":[\"pull\"]}]",
    "[{\"type\":\"repository:ns/app\",\"name\":\"ns/b\",\"actions\":[\"pull\"]}]",
};

static void bad_claim(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad_claims); i++) {
        auto_json json_t *parsed = NULL;
        struct grant_set *set = NULL;
        struct err err = {0};
        CHECK_CASE(json_read(slice_str(bad_claims[i]), 8, &parsed, NULL), bad_claims[i]);
        CHECK_CASE(!grant_from_claim(parsed, &hosts, &set, &err), bad_claims[i]);
        CHECK_CASE(set == NULL && err.code == ERR_UNAUTHORIZED, bad_claims[i]);
    }
    struct grant_set *set = NULL;
    assert_false(grant_from_claim(NULL, &hosts, &set, NULL));
}

static void claim_is_bounded(void **state)
{
    (void)state;
    auto_buf struct buf scopes = {0};
    auto_buf struct buf claim = {0};
    for (int i = 0; i < SCOPE_LIST_MAX; i++) {
        buf_printf(&scopes, "repository:mine/%0200d:pull ", i);
    }
    bool cut = false;
    struct grant_set *set = granted_or_cut(scopes.p, &cut);
    grant_write_claim(set, HOST, &claim);
    assert_true(cut);
    assert_true(claim.n <= GRANT_CLAIM_MAX);
    assert_true(grant_count(set) > 10);
    grant_unref(set);
}

/* As many names of usual length as one may ask for; what is not permitted takes no room. */
static void claim_holds_what_may_be_asked_for(void **state)
{
    (void)state;
    auto_buf struct buf trust = {0};
    auto_buf struct buf foreign = {0};
    auto_buf struct buf claim = {0};
    for (int i = 0; i < SCOPE_LIST_MAX; i++) {
        buf_printf(&trust, "repository:" HOST "/team/app-%02d:push,pull ", i);
        buf_printf(&foreign, "repository:other/%0200d:pull ", i);
    }
    struct grant_set *set = granted_for(trust.p);
    assert_int_equal(grant_count(set), SCOPE_LIST_MAX);
    grant_write_claim(set, HOST, &claim);
    assert_true(claim.n <= GRANT_CLAIM_MAX);
    grant_unref(set);
    set = granted_for(foreign.p);
    assert_int_equal(grant_count(set), 0);
    grant_unref(set);
}

static void shared(void **state)
{
    (void)state;
    struct grant_set *set = granted_for("repository:mine/app:pull");
    const struct grant_set *second = grant_ref(set);
    grant_unref(set);
    assert_int_equal(grant_count(second), 1);
    grant_unref(second);
    assert_null(grant_ref(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(intersect),
        cmocka_unit_test(granted_and_looked_up),
        cmocka_unit_test(claim_there_and_back),
        cmocka_unit_test(bad_claim),
        cmocka_unit_test(claim_is_bounded),
        cmocka_unit_test(claim_holds_what_may_be_asked_for),
        cmocka_unit_test(shared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
