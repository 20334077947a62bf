#include "auth/access.h"
#include "auth/grant.h"
#include "storage/account.h"
#include "tests/unit/base/check.h"

#include <sodium.h>

#define NS 5
#define OTHER_NS 6

static const char *const host_names[] = {"reg.example.org"};
static const struct scope_hosts hosts = {host_names, 1};

static const struct repo_name *app(void)
{
    static struct repo_name name;
    assert_true(repo_name_parse(SLICE_LIT("ns/app"), &name, NULL));
    return &name;
}

/* One letter per action, '.' = refused. The columns of rbac.md, in the order of enum access_action.
 */
static const char letters[] = "pPoDRsTkwmMBlLaNvdeu";
#define EVERYTHING letters
_Static_assert(sizeof(letters) == ACTION_COUNT + 1, "one letter per action");

struct matrix_row {
    const char *who;
    struct identity identity;
    struct access_facts facts;
    const char *permitted;
};

#define PERSON                                                                                     \
    {                                                                                              \
        .kind = IDENTITY_USER, .account_id = 3, .name = "alice@example.org"                        \
    }
#define ADMIN                                                                                      \
    {                                                                                              \
        .kind = IDENTITY_USER, .account_id = 4, .name = "root@example.org", .administrator = true  \
    }
#define ROBOT(actions)                                                                             \
    {                                                                                              \
        .kind = IDENTITY_ROBOT, .account_id = 7, .namespace_id = NS, .robot_actions = (actions),   \
        .name = "ns.ci"                                                                            \
    }
#define DEPLOYER                                                                                   \
    {                                                                                              \
        .kind = IDENTITY_DEPLOYER, .account_id = 8, .namespace_id = NS, .gated = true,             \
        .name = "ns.k8s"                                                                           \
    }
#define SPACE(visible, has_role, may_sign)                                                         \
    {                                                                                              \
        .found = true, .namespace_id = NS, .visibility = (visible), .role = (has_role),            \
        .signer = (may_sign)                                                                       \
    }
#define PRIVATE(role) SPACE(VISIBILITY_PRIVATE, role, false)
#define ELSEWHERE(visible)                                                                         \
    {                                                                                              \
        .found = true, .namespace_id = OTHER_NS, .visibility = (visible)                           \
    }

static const struct matrix_row matrix[] = {
    {"nobody, private", {0}, PRIVATE(MEMBER_NONE), "...................."},
    {"nobody, internal", {0}, SPACE(VISIBILITY_INTERNAL, MEMBER_NONE, false), "...................."},
    {"nobody, public", {0}, SPACE(VISIBILITY_PUBLIC, MEMBER_NONE, false), "p..................."},
    {"a user without role, private", PERSON, PRIVATE(MEMBER_NONE), "...................."},
    {"a user without role, internal", PERSON, SPACE(VISIBILITY_INTERNAL, MEMBER_NONE, false),
     "p..................."},
    {"a user without role, public", PERSON, SPACE(VISIBILITY_PUBLIC, MEMBER_NONE, false),
     "p..................."},
    {"reader", PERSON, PRIVATE(MEMBER_READER), "p........m.........."},
    {"reader with a signer flag", PERSON, SPACE(VISIBILITY_PRIVATE, MEMBER_READER, true),
     "p........m.........."},
    {"developer", PERSON, PRIVATE(MEMBER_DEVELOPER), "pPo......m........eu"},
    {"developer who signs", PERSON, SPACE(VISIBILITY_PRIVATE, MEMBER_DEVELOPER, true),
     "pPo..s...m........eu"},
    {"developer, public", PERSON, SPACE(VISIBILITY_PUBLIC, MEMBER_DEVELOPER, false),
     "pPo......m........eu"},
    {"maintainer", PERSON, PRIVATE(MEMBER_MAINTAINER), "pPoDRsTk.mMBl.a...eu"},
    {"owner", PERSON, PRIVATE(MEMBER_OWNER), EVERYTHING},
    {"instance administrator", ADMIN, PRIVATE(MEMBER_NONE), EVERYTHING},
    {"instance administrator, no such namespace", ADMIN, {0}, EVERYTHING},
    {"control socket",
     {.kind = IDENTITY_CONTROL, .administrator = true, .name = "control"},
     PRIVATE(MEMBER_NONE),
     EVERYTHING},
    {"a user, no such namespace", PERSON, {0}, "...................."},
    {"robot that pulls", ROBOT(ROBOT_PULL), PRIVATE(MEMBER_NONE), "p..................."},
    {"robot that pushes", ROBOT(ROBOT_PULL | ROBOT_PUSH), PRIVATE(MEMBER_NONE), "pPo...............e."},
    {"robot that deletes", ROBOT(ROBOT_PULL | ROBOT_DELETE), PRIVATE(MEMBER_NONE),
     "p..D................"},
    {"robot that signs", ROBOT(ROBOT_PULL | ROBOT_SIGN), PRIVATE(MEMBER_NONE), "p....s.............."},
    {"robot that scans", ROBOT(ROBOT_PULL | ROBOT_READ_UNSIGNED), PRIVATE(MEMBER_NONE),
     "p..................u"},
    {"robot that scans, elsewhere", ROBOT(ROBOT_PULL | ROBOT_READ_UNSIGNED),
     ELSEWHERE(VISIBILITY_PUBLIC), "p..................."},
    {"robot with all", ROBOT(15), PRIVATE(MEMBER_NONE), "pPoD.s............e."},
    {"robot of another namespace", ROBOT(15), ELSEWHERE(VISIBILITY_PRIVATE), "...................."},
    {"robot of another namespace, internal", ROBOT(15), ELSEWHERE(VISIBILITY_INTERNAL),
     "...................."},
    {"robot of another namespace, public", ROBOT(15), ELSEWHERE(VISIBILITY_PUBLIC),
     "p..................."},
    {"deployer", DEPLOYER, PRIVATE(MEMBER_NONE), "p.................e."},
    {"deployer of another namespace", DEPLOYER, ELSEWHERE(VISIBILITY_PRIVATE), "...................."},
    {"deployer with a row that says more",
     {.kind = IDENTITY_DEPLOYER,
      .namespace_id = NS,
      .gated = true,
      .robot_actions = 15,
      .administrator = true},
     SPACE(VISIBILITY_PRIVATE, MEMBER_OWNER, true),
     "p.................e."},
};

static void roles_and_actions(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(matrix); i++) {
        const struct matrix_row *row = &matrix[i];
        unsigned permitted = access_permitted(&row->identity, &row->facts);
        for (int action = 0; action < ACTION_COUNT; action++) {
            bool want = row->permitted[action] == letters[action];
            if (((permitted & ACTION_BIT(action)) != 0) != want) {
                fail_msg("%s: action %c", row->who, letters[action]);
            }
            bool allowed = access_decide(&row->identity, &row->facts, app(),
                                         (enum access_action)action, false) == ACCESS_ALLOWED;
            CHECK_CASE(allowed == want, row->who);
        }
    }
}

struct answer_case {
    const char *name;
    struct identity identity;
    struct access_facts facts;
    enum access_action action;
    enum access_result want;
};

static const struct answer_case answers[] = {
    {"a stranger is told nothing", PERSON, PRIVATE(MEMBER_NONE), ACTION_PULL, ACCESS_INVISIBLE},
    {"nor when it is not there", PERSON, {0}, ACTION_PULL, ACCESS_INVISIBLE},
    {"nor for a push", PERSON, PRIVATE(MEMBER_NONE), ACTION_PUSH, ACCESS_INVISIBLE},
    {"nor for a push to nowhere", PERSON, {0}, ACTION_PUSH, ACCESS_INVISIBLE},
    {"a reader is told what is missing", PERSON, PRIVATE(MEMBER_READER), ACTION_PUSH,
     ACCESS_INSUFFICIENT},
    {"a deployer pulls", DEPLOYER, PRIVATE(MEMBER_NONE), ACTION_PULL, ACCESS_ALLOWED},
    {"a deployer never writes", DEPLOYER, PRIVATE(MEMBER_NONE), ACTION_PUSH, ACCESS_NOT_WRITABLE},
    {"nor elsewhere", DEPLOYER, ELSEWHERE(VISIBILITY_PRIVATE), ACTION_DELETE, ACCESS_NOT_WRITABLE},
    {"nor signs", DEPLOYER, PRIVATE(MEMBER_NONE), ACTION_SIGN, ACCESS_NOT_WRITABLE},
    {"but records what it deployed", DEPLOYER, PRIVATE(MEMBER_NONE), ACTION_DEPLOY, ACCESS_ALLOWED},
    {"in its own namespace", DEPLOYER, ELSEWHERE(VISIBILITY_PUBLIC), ACTION_DEPLOY,
     ACCESS_INSUFFICIENT},
    {"and a reader does not", PERSON, PRIVATE(MEMBER_READER), ACTION_DEPLOY, ACCESS_INSUFFICIENT},
    {"nor wipes", DEPLOYER, PRIVATE(MEMBER_NONE), ACTION_WIPE, ACCESS_NOT_WRITABLE},
    {"a deployer elsewhere sees nothing", DEPLOYER, ELSEWHERE(VISIBILITY_PRIVATE), ACTION_PULL,
     ACCESS_INVISIBLE},
};

static void what_is_answered(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(answers); i++) {
        const struct answer_case *c = &answers[i];
        CHECK_CASE(access_decide(&c->identity, &c->facts, app(), c->action, false) == c->want,
                   c->name);
    }
}

static struct grant_set *grants_of(const char *claim_text)
{
    auto_json json_t *claim = json_loads(claim_text, 0, NULL);
    struct grant_set *set = NULL;
    assert_true(grant_from_claim(claim, &hosts, &set, NULL));
    return set;
}

#define ENTRY(name, actions)                                                                       \
    "[{\"type\":\"repository\",\"name\":\"" name "\",\"actions\":[" actions "]}]"

struct token_case {
    const char *name, *claim;
    enum access_action action;
    bool trust;
    bool allowed; /* for an owner, who may do everything without the token's limit */
};

static const struct token_case tokens[] = {
    {"pull for pull", ENTRY("ns/app", "\"pull\""), ACTION_PULL, false, true},
    {"pull is not push", ENTRY("ns/app", "\"pull\""), ACTION_PUSH, false, false},
    {"push is not pull", ENTRY("ns/app", "\"push\""), ACTION_PULL, false, false},
    {"push moves tags", ENTRY("ns/app", "\"pull\",\"push\""), ACTION_OVERWRITE, false, true},
    {"push does not delete", ENTRY("ns/app", "\"pull\",\"push\""), ACTION_DELETE, false, false},
    {"star deletes", ENTRY("ns/app", "\"*\""), ACTION_DELETE, false, true},
    {"another repository", ENTRY("ns/other", "\"*\""), ACTION_PULL, false, false},
    {"a repository below", ENTRY("ns/app/sub", "\"*\""), ACTION_PULL, false, false},
    {"nothing granted", "[]", ACTION_PULL, false, false},
    {"an image scope does not read trust", ENTRY("ns/app", "\"*\""), ACTION_PULL, true, false},
    {"an image scope does not sign", ENTRY("ns/app", "\"*\""), ACTION_SIGN, true, false},
    {"an image scope does not wipe", ENTRY("ns/app", "\"*\""), ACTION_WIPE, true, false},
    {"a trust scope does not pull images", ENTRY("reg.example.org/ns/app", "\"*\""), ACTION_PULL,
     false, false},
    {"a trust scope does not push images", ENTRY("reg.example.org/ns/app", "\"pull\",\"push\""),
     ACTION_PUSH, false, false},
    {"a trust scope reads trust", ENTRY("reg.example.org/ns/app", "\"pull\""), ACTION_PULL, true,
     true},
    {"push signs", ENTRY("reg.example.org/ns/app", "\"push\",\"pull\""), ACTION_SIGN, true, true},
    {"push publishes roots", ENTRY("reg.example.org/ns/app", "\"push\",\"pull\""),
     ACTION_TRUST_ADMIN, true, true},
    {"push does not rotate server keys", ENTRY("reg.example.org/ns/app", "\"push\",\"pull\""),
     ACTION_ROTATE_KEYS, true, false},
    {"admin rotates server keys", ENTRY("reg.example.org/ns/app", "\"admin\""), ACTION_ROTATE_KEYS,
     true, true},
    {"admin does not wipe", ENTRY("reg.example.org/ns/app", "\"pull\",\"push\",\"admin\""),
     ACTION_WIPE, true, false},
    {"star wipes", ENTRY("reg.example.org/ns/app", "\"*\""), ACTION_WIPE, true, true},
    {"star rotates", ENTRY("reg.example.org/ns/app", "\"*\""), ACTION_ROTATE_KEYS, true, true},
    {"no token administers", ENTRY("ns/app", "\"*\""), ACTION_MEMBERS_SET, false, false},
    {"no token makes robots", ENTRY("ns/app", "\"*\""), ACTION_ROBOTS, false, false},
    {"no token changes policies", ENTRY("ns/app", "\"*\""), ACTION_POLICY_SET, false, false},
};

static void a_token_of_before_a_wipe(void **state)
{
    static const int64_t second = 1000000;
    static const struct {
        const char *name;
        int64_t issued_us, wiped_us, now_us;
        bool want;
    } cases[] = {
        {"never wiped", 100 * second, 0, 200 * second, false},
        {"wiped before it", 100 * second, 99 * second, 200 * second, false},
        {"wiped in its second", 100 * second, 101 * second - 1, 200 * second, false},
        {"wiped after it", 100 * second, 101 * second, 200 * second, true},
        {"wiped after it, at this very moment", 100 * second, 150 * second, 150 * second, true},
        {"the clock was put back behind the wipe", 100 * second, 150 * second, 150 * second - 1, false},
    };
    (void)state;
    struct grant_set *grants = grants_of("[]");
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct identity who = PERSON;
        who.token_issued_us = cases[i].issued_us;
        CHECK_CASE(!access_token_is_of_before(&who, cases[i].wiped_us, cases[i].now_us), "no token");
        who.grants = grants;
        CHECK_CASE(access_token_is_of_before(&who, cases[i].wiped_us, cases[i].now_us) == cases[i].want, cases[i].name);
    }
    grant_unref(grants);
}

static void a_token_only_narrows(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(tokens); i++) {
        const struct token_case *c = &tokens[i];
        struct grant_set *grants = grants_of(c->claim);
        const struct access_facts facts = PRIVATE(MEMBER_OWNER);
        struct identity owner = PERSON;
        owner.proof = PROOF_BEARER;
        owner.registry_only = true;
        owner.grants = grants;
        enum access_result result = access_decide(&owner, &facts, app(), c->action, c->trust);
        CHECK_CASE(result == (c->allowed ? ACCESS_ALLOWED : ACCESS_INSUFFICIENT), c->name);

        /* granted once, the role lost since: the token is worth nothing more than the role */
        const struct access_facts lost = PRIVATE(MEMBER_NONE);
        CHECK_CASE(access_decide(&owner, &lost, app(), c->action, c->trust) == ACCESS_INVISIBLE,
                   c->name);
        grant_unref(grants);
    }
}

static void scopes_of_rights(void **state)
{
    (void)state;
    static const struct {
        const char *who;
        enum member_role role;
        bool signer;
        unsigned image, trust;
    } cases[] = {
        {"none", MEMBER_NONE, false, 0, 0},
        {"reader", MEMBER_READER, false, SCOPE_PULL, SCOPE_PULL},
        {"developer", MEMBER_DEVELOPER, false, SCOPE_PULL | SCOPE_PUSH, SCOPE_PULL},
        {"signer", MEMBER_DEVELOPER, true, SCOPE_PULL | SCOPE_PUSH, SCOPE_PULL | SCOPE_PUSH},
        {"maintainer", MEMBER_MAINTAINER, false, SCOPE_PULL | SCOPE_PUSH | SCOPE_DELETE | SCOPE_ALL,
         SCOPE_PULL | SCOPE_PUSH | SCOPE_ADMIN},
        {"owner", MEMBER_OWNER, false, SCOPE_PULL | SCOPE_PUSH | SCOPE_DELETE | SCOPE_ALL,
         SCOPE_PULL | SCOPE_PUSH | SCOPE_ADMIN | SCOPE_ALL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct identity person = PERSON;
        const struct access_facts facts = SPACE(VISIBILITY_PRIVATE, cases[i].role, cases[i].signer);
        unsigned permitted = access_permitted(&person, &facts);
        CHECK_CASE(access_scope_bits(permitted, SCOPE_IMAGE) == cases[i].image, cases[i].who);
        CHECK_CASE(access_scope_bits(permitted, SCOPE_TRUST) == cases[i].trust, cases[i].who);
    }
}

static void who_gives_which_role(void **state)
{
    (void)state;
    static const struct {
        enum member_role own, from, to;
        bool may;
    } cases[] = {
        {MEMBER_MAINTAINER, MEMBER_NONE, MEMBER_READER, true},
        {MEMBER_MAINTAINER, MEMBER_READER, MEMBER_DEVELOPER, true},
        {MEMBER_MAINTAINER, MEMBER_DEVELOPER, MEMBER_NONE, true},
        {MEMBER_MAINTAINER, MEMBER_NONE, MEMBER_MAINTAINER, false},
        {MEMBER_MAINTAINER, MEMBER_DEVELOPER, MEMBER_OWNER, false},
        {MEMBER_MAINTAINER, MEMBER_OWNER, MEMBER_READER, false},
        {MEMBER_MAINTAINER, MEMBER_MAINTAINER, MEMBER_NONE, false},
        {MEMBER_OWNER, MEMBER_NONE, MEMBER_OWNER, true},
        {MEMBER_OWNER, MEMBER_OWNER, MEMBER_NONE, true},
        {MEMBER_DEVELOPER, MEMBER_NONE, MEMBER_READER, false},
        {MEMBER_NONE, MEMBER_NONE, MEMBER_READER, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct identity person = PERSON;
        const struct access_facts facts = PRIVATE(cases[i].own);
        assert_int_equal(access_may_set_role(&person, &facts, cases[i].from, cases[i].to),
                         cases[i].may);
    }
    const struct identity admin = ADMIN;
    const struct access_facts facts = PRIVATE(MEMBER_NONE);
    assert_true(access_may_set_role(&admin, &facts, MEMBER_OWNER, MEMBER_NONE));
}

static void administrators(void **state)
{
    (void)state;
    struct identity who = ADMIN;
    assert_true(access_is_admin(&who));
    who.registry_only = true;
    assert_false(access_is_admin(&who)); /* an access token of an administrator */
    who.registry_only = false;
    who.gated = true;
    assert_false(access_is_admin(&who));
    const struct identity person = PERSON;
    assert_false(access_is_admin(&person));
}

static void catalog(void **state)
{
    (void)state;
    struct identity who = {0};
    assert_false(access_may_catalog(&who));
    who = (struct identity)PERSON;
    assert_true(access_may_catalog(&who));
    struct grant_set *grants =
        grants_of("[{\"type\":\"registry\",\"name\":\"catalog\",\"actions\":[\"*\"]}]");
    who.grants = grants;
    assert_true(access_may_catalog(&who));
    grant_unref(grants);
    grants = grants_of("[]");
    who.grants = grants;
    assert_false(access_may_catalog(&who));
    grant_unref(grants);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(roles_and_actions),
        cmocka_unit_test(what_is_answered),
        cmocka_unit_test(a_token_of_before_a_wipe),
        cmocka_unit_test(a_token_only_narrows),
        cmocka_unit_test(scopes_of_rights),
        cmocka_unit_test(who_gives_which_role),
        cmocka_unit_test(administrators),
        cmocka_unit_test(catalog),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
