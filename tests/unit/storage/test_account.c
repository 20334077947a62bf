/* Accounts, secrets, sessions, policies and the audit log. */
#include "storage/account.h"
#include "storage/audit.h"
#include "storage/credential.h"
#include "storage/policy.h"
#include "storage/session.h"
#include "storage/statements.h"
#include "tests/unit/storage/world.h"

static void names_are_unique_over_all_kinds(void **state)
{
    struct world *w = *state;
    struct account_new robot = {.kind = ACCOUNT_ROBOT,
                                .name = SLICE_LIT("ns.ci"),
                                .namespace_id = w->ns.id,
                                .actions = ROBOT_PULL | ROBOT_PUSH};
    struct account_new same = {
        .kind = ACCOUNT_DEPLOYER, .name = SLICE_LIT("ns.ci"), .namespace_id = w->ns.id};
    struct account a;
    int64_t id = 0;
    WRITE(w)
    {
        OK(account_create(tx, &robot, T0, &id, err));
        FAILS(ERR_CONFLICT, account_create(tx, &same, T0, &id, err));
        OK(account_get_by_name(tx, SLICE_LIT("ns.ci"), &a, err));
    }
    assert_int_equal(a.kind, ACCOUNT_ROBOT);
    assert_int_equal(a.namespace_id, w->ns.id);
    assert_int_equal(a.actions, ROBOT_PULL | ROBOT_PUSH);
}

struct bad_account {
    const char *name;
    struct account_new new_account;
};

static void what_makes_no_sense_is_not_stored(void **state)
{
    struct world *w = *state;
    const struct bad_account cases[] = {
        {"a robot of no namespace", {.kind = ACCOUNT_ROBOT, .name = SLICE_LIT("x")}},
        {"a user of a namespace",
         {.kind = ACCOUNT_USER, .name = SLICE_LIT("x"), .namespace_id = w->ns.id}},
        {"a robot that is administrator",
         {.kind = ACCOUNT_ROBOT,
          .name = SLICE_LIT("x"),
          .namespace_id = w->ns.id,
          .administrator = true}},
        {"a deployer with a password",
         {.kind = ACCOUNT_DEPLOYER,
          .name = SLICE_LIT("x"),
          .namespace_id = w->ns.id,
          .password_hash = "h"}},
        {"an account of no name", {.kind = ACCOUNT_USER, .name = SLICE_LIT("")}},
        {"an account of a namespace that is not",
         {.kind = ACCOUNT_ROBOT, .name = SLICE_LIT("x"), .namespace_id = 4711}},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        int64_t id = 0;
        struct err err = {0};
        struct write write;
        struct db_tx *open = write_begin(&write, w->db);
        bool ok = account_create(open, &cases[i].new_account, T0, &id, &err);
        write_end(&write, false);
        CHECK_CASE(!ok && err.code == ERR_CONFLICT, cases[i].name);
    }
}

static void a_password_change_is_counted(void **state)
{
    struct world *w = *state;
    struct account before, after;
    WRITE(w)
    {
        OK(account_get(tx, w->alice.account_id, &before, err));
        OK(account_set_password(tx, w->alice.account_id, "$argon2id$x", err));
        OK(account_set_disabled(tx, w->alice.account_id, true, err));
        OK(account_set_administrator(tx, w->alice.account_id, true, err));
        OK(account_get(tx, w->alice.account_id, &after, err));
        FAILS(ERR_ACCOUNT_UNKNOWN, account_set_password(tx, 4711, "x", err));
        FAILS(ERR_ACCOUNT_UNKNOWN, account_get(tx, 4711, &before, err));
    }
    assert_string_equal(before.password_hash, "");
    assert_string_equal(after.password_hash, "$argon2id$x");
    assert_int_equal(after.password_version, before.password_version + 1);
    assert_true(after.disabled && after.administrator);
}

static void a_deleted_account_takes_its_secrets(void **state)
{
    struct world *w = *state;
    const uint8_t secret[32] = {1}, refresh[32] = {2};
    struct session s = {.account_id = w->alice.account_id, .idle_us = HOUR, .absolute_us = HOUR};
    struct credential c;
    struct membership m;
    struct account_new next = {.kind = ACCOUNT_USER, .name = SLICE_LIT("alice@example.org")};
    int64_t id = 0;
    WRITE(w)
    {
        OK(credential_create(tx, w->alice.account_id, CREDENTIAL_TOKEN, secret, T0, NULL, err));
        OK(session_create(tx, refresh, &s, T0, err));
        OK(account_delete(tx, w->alice.account_id, err));
        FAILS(ERR_ACCOUNT_UNKNOWN, account_delete(tx, w->alice.account_id, err));
        FAILS(ERR_NOT_FOUND, credential_find(tx, secret, &c, err));
        FAILS(ERR_NOT_FOUND, session_find(tx, refresh, &s, err));
        OK(membership_get(tx, w->ns.id, w->alice.account_id, &m, err));
        OK(account_create(tx, &next, T0, &id, err));
    }
    assert_int_equal(m.role, MEMBER_NONE);
    assert_true(id > w->alice.account_id); /* a number is not used twice */
}

static void accounts_are_listed_by_kind(void **state)
{
    struct world *w = *state;
    static const char *const names[] = {"ns.b", "ns.a", "ns.c"};
    int64_t id = 0;
    auto_account_list struct account_list users = {0};
    auto_account_list struct account_list robots = {0};
    auto_account_list struct account_list deployers = {0};
    WRITE(w)
    {
        for (size_t i = 0; i < COUNT(names); i++) {
            struct account_new robot = {
                .kind = ACCOUNT_ROBOT, .name = slice_str(names[i]), .namespace_id = w->ns.id};
            OK(account_create(tx, &robot, T0, &id, err));
        }
        OK(account_list(tx, ACCOUNT_USER, 0, SLICE_LIT(""), 10, &users, err));
        OK(account_list(tx, ACCOUNT_ROBOT, w->ns.id, SLICE_LIT("ns.a"), 1, &robots, err));
        OK(account_list(tx, ACCOUNT_DEPLOYER, w->ns.id, SLICE_LIT(""), 10, &deployers, err));
    }
    assert_int_equal(users.count, 1);
    assert_int_equal(robots.count, 1);
    assert_true(robots.more);
    assert_string_equal(robots.items[0].name, "ns.b");
    assert_int_equal(deployers.count, 0);
}

static void a_secret_is_found_by_its_hash(void **state)
{
    struct world *w = *state;
    const uint8_t secret[32] = {1}, other[32] = {2};
    struct credential c;
    int64_t id = 0;
    WRITE(w)
    {
        OK(credential_create(tx, w->alice.account_id, CREDENTIAL_TOKEN, secret, T0, &id, err));
        FAILS(ERR_CONFLICT,
              credential_create(tx, w->alice.account_id, CREDENTIAL_TOKEN, secret, T0, NULL, err));
        FAILS(ERR_NOT_FOUND, credential_find(tx, other, &c, err));
        OK(credential_touch(tx, id, T0 + 1, err));
        OK(credential_find(tx, secret, &c, err));
        assert_int_equal(c.last_used_us, T0 + 1);
        assert_int_equal(c.revoked_us, 0);
        OK(credential_revoke_account(tx, w->alice.account_id, T0 + 2, err));
        OK(credential_revoke_account(tx, w->alice.account_id, T0 + 3, err));
        OK(credential_get(tx, id, &c, err));
    }
    assert_int_equal(c.revoked_us, T0 + 2); /* the first time counts */
}

static void a_session_lives_and_dies(void **state)
{
    struct world *w = *state;
    const uint8_t hash[32] = {1};
    struct session s = {.account_id = w->alice.account_id,
                        .idle_us = 2 * HOUR,
                        .absolute_us = 5 * HOUR,
                        .client_id = "docker",
                        .address = "192.0.2.1",
                        .amr = "pwd"};
    struct session found;
    WRITE(w)
    {
        OK(session_create(tx, hash, &s, T0, err));
        OK(session_find(tx, hash, &found, err));
        assert_string_equal(found.client_id, "docker");
        assert_true(session_is_live(&found, T0 + 2 * HOUR - 1));
        assert_false(session_is_live(&found, T0 + 2 * HOUR));
        OK(session_touch(tx, s.id, "192.0.2.2", T0 + HOUR, err));
        OK(session_get(tx, s.id, &found, err));
        assert_true(session_is_live(&found, T0 + 3 * HOUR - 1));
        assert_string_equal(found.address, "192.0.2.2");
        OK(session_touch(tx, s.id, "192.0.2.2", T0 + 4 * HOUR, err));
        OK(session_get(tx, s.id, &found, err));
        assert_true(session_is_live(&found, T0 + 5 * HOUR - 1));
        assert_false(session_is_live(&found, T0 + 5 * HOUR)); /* the absolute limit */
        OK(session_revoke(tx, s.id, "logout", T0 + 4 * HOUR, err));
        OK(session_revoke(tx, s.id, "again", T0 + 5 * HOUR, err));
        FAILS(ERR_NOT_FOUND, session_revoke(tx, 4711, "x", T0, err));
        OK(session_get(tx, s.id, &found, err));
    }
    assert_false(session_is_live(&found, T0 + 4 * HOUR));
    assert_string_equal(found.revoked_why, "logout");
}

static void dead_sessions_are_purged(void **state)
{
    struct world *w = *state;
    auto_session_list struct session_list list = {0};
    WRITE(w)
    {
        for (uint8_t i = 0; i < 3; i++) {
            uint8_t hash[32] = {i};
            struct session s = {.account_id = w->alice.account_id,
                                .idle_us = (i + 1) * HOUR,
                                .absolute_us = 100 * HOUR};
            OK(session_create(tx, hash, &s, T0, err));
        }
        OK(session_purge(tx, T0 + 12 * HOUR, 10 * HOUR, 100, err)); /* dead before 2 h: the first */
        OK(session_list(tx, w->alice.account_id, 10, &list, err));
    }
    assert_int_equal(list.count, 2);
    WRITE(w)
    {
        OK(session_revoke_account(tx, w->alice.account_id, "password", T0 + HOUR, err));
        OK(session_purge(tx, T0 + 11 * HOUR + 1, 10 * HOUR, 1, err));
        session_list_dispose(&list);
        OK(session_list(tx, w->alice.account_id, 10, &list, err));
    }
    assert_int_equal(list.count, 1);
}

/* --- policies --------------------------------------------------------------------------------- */

static void put_policy(struct world *w, const char *scope)
{
    auto_buf struct buf json = {0};
    buf_printf(&json, "{\"for\":\"%s\"}", scope);
    WRITE(w)
    {
        OK(policy_row_put(tx, scope, buf_slice_of(&json), &w->alice, T0, err));
    }
}

struct policy_case {
    const char *repo, *want;
};

static void exactly_one_policy_applies(void **state)
{
    struct world *w = *state;
    struct namespace_name other = ns_of("other");
    WRITE(w)
    {
        OK(namespace_create(tx, &other, VISIBILITY_PRIVATE, 0, T0, NULL, err));
    }
    static const char *const scopes[] = {"ns",       "ns/app",       "ns/*",
                                         "ns/web-*", "ns/web-api/*", "ns/team/*"};
    for (size_t i = 0; i < COUNT(scopes); i++) {
        put_policy(w, scopes[i]);
    }
    static const struct policy_case cases[] = {
        {"ns/app", "ns/app"},
        {"ns/other", "ns/*"},
        {"ns/web-ui", "ns/web-*"},
        {"ns/web-api", "ns/web-*"},
        {"ns/web-api/x", "ns/web-api/*"},
        {"ns/team/a/b", "ns/team/*"},
        {"ns/app/sub", "ns/*"},
        {"other/app", "*"},
        {"nowhere/app", "*"},
        {"ns2/app", "*"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct repo_name repo = repo_of(cases[i].repo);
        auto_policy_row struct policy_row row = {0};
        READ(w)
        {
            OK(policy_row_find(tx, &repo, &row, err));
        }
        CHECK_CASE(strcmp(row.scope, cases[i].want) == 0, cases[i].repo);
    }
    static const struct {
        const char *scope, *applies, *wider;
    } around[] = {
        {"ns", "ns", "*"},
        {"other", "*", "*"},
        {"ns/app", "ns/app", "ns/*"},
        {"ns/web-api", "ns/web-*", "ns/web-*"},
        {"ns/web-*", "ns/web-*", "ns/*"},
        {"ns/web-a*", "ns/web-*", "ns/web-*"},
        {"ns/web-api/*", "ns/web-api/*", "ns/web-*"},
        {"ns/we*", "ns/*", "ns/*"},
        {"ns/*", "ns/*", "ns"},
        {"other/*", "*", "*"},
        {"nowhere/app", "*", "*"},
    };
    for (size_t i = 0; i < COUNT(around); i++) {
        auto_policy_row struct policy_row own = {0}, wider = {0};
        READ(w)
        {
            OK(policy_row_find_scope(tx, around[i].scope, &own, err));
            OK(policy_row_find_wider(tx, around[i].scope, &wider, err));
        }
        CHECK_CASE(strcmp(own.scope, around[i].applies) == 0, around[i].scope);
        CHECK_CASE(strcmp(wider.scope, around[i].wider) == 0, around[i].scope);
    }
    auto_policy_row struct policy_row of_other = {0};
    READ(w)
    {
        FAILS(ERR_INVALID, policy_row_find_wider(tx, "*", &of_other, err));
        FAILS(ERR_INVALID, policy_row_find_wider(tx, "NS", &of_other, err));
        OK(policy_row_find_scope(tx, "other", &of_other, err));
    }
    assert_string_equal(of_other.json, "{\"level\":\"deploy\"}"); /* from the first day */
}

static int64_t gate_of(struct world *w)
{
    struct repository r;
    READ(w)
    {
        OK(repository_get_by_id(tx, w->repo.id, &r, err));
    }
    return r.gate_generation;
}

static void a_policy_change_moves_the_views_it_concerns(void **state)
{
    struct world *w = *state;
    int64_t start = gate_of(w);
    put_policy(w, "ns");
    int64_t by_ns = gate_of(w);
    put_policy(w, "*");
    int64_t by_all = gate_of(w);
    WRITE(w)
    {
        OK(policy_row_delete(tx, "ns", err));
        FAILS(ERR_NOT_FOUND, policy_row_delete(tx, "ns", err));
        FAILS(ERR_INVALID, policy_row_delete(tx, "*", err));
    }
    assert_true(start < by_ns && by_ns < by_all && by_all < gate_of(w));
}

static void generations_of_policies_rise(void **state)
{
    struct world *w = *state;
    auto_policy_row struct policy_row first = {0};
    auto_policy_row struct policy_row second = {0};
    auto_policy_row_list struct policy_row_list list = {0};
    put_policy(w, "ns");
    READ(w)
    {
        OK(policy_row_get(tx, "ns", &first, err));
    }
    WRITE(w)
    {
        OK(policy_row_delete(tx, "ns", err));
    }
    put_policy(w, "ns");
    READ(w)
    {
        OK(policy_row_get(tx, "ns", &second, err));
        OK(policy_row_list(tx, SLICE_LIT(""), 1, &list, err));
    }
    assert_true(second.generation > first.generation);
    assert_string_equal(second.updated_by, "alice@example.org");
    assert_int_equal(list.count, 1);
    assert_true(list.more);
    assert_string_equal(list.items[0].scope, "*");
}

static void odd_scopes_are_refused(void **state)
{
    struct world *w = *state;
    static const char *const scopes[] = {"",       "**",    "*/app", "ns/**", "ns/a*b", "ns*",
                                         "Ns/app", "ns//a", "/",     "n*/a*", "ns/"};
    for (size_t i = 0; i < COUNT(scopes); i++) {
        struct err err = {0};
        struct write write;
        struct db_tx *open = write_begin(&write, w->db);
        bool ok = policy_row_put(open, scopes[i], SLICE_LIT("{}"), &w->alice, T0, &err);
        write_end(&write, false);
        CHECK_CASE(!ok && err.code == ERR_INVALID, scopes[i]);
    }
    WRITE(w)
    {
        FAILS(ERR_NAMESPACE_UNKNOWN,
              policy_row_put(tx, "nowhere", SLICE_LIT("{}"), &w->alice, T0, err));
    }
}

/* --- the audit log ---------------------------------------------------------------------------- */

static void add_entries(struct world *w, int count)
{
    WRITE(w)
    {
        for (int i = 0; i < count; i++) {
            struct audit_entry entry = {.action = "policy.put",
                                        .namespace_id = i % 2 ? w->ns.id : 0,
                                        .object = SLICE_LIT("ns"),
                                        .outcome = AUDIT_OK,
                                        .before = SLICE_LIT("{}"),
                                        .after = SLICE_LIT("{\"level\":\"off\"}")};
            OK(audit_append(tx, &w->alice, &entry, T0 + i, err));
        }
    }
}

static void entries_are_chained(void **state)
{
    struct world *w = *state;
    auto_audit_list struct audit_list all = {0};
    auto_audit_list struct audit_list of_ns = {0};
    int64_t bad = -1;
    add_entries(w, 5);
    READ(w)
    {
        OK(audit_list(tx, 0, 0, 10, &all, err));
        OK(audit_list(tx, w->ns.id, 0, 10, &of_ns, err));
        OK(audit_verify(tx, 0, 100, &bad, err));
    }
    assert_int_equal(bad, 0);
    assert_int_equal(all.count, 5);
    assert_int_equal(of_ns.count, 2);
    for (size_t i = 1; i < all.count; i++) {
        assert_memory_equal(all.items[i].prev, all.items[i - 1].sha256, 32);
    }
    assert_string_equal(all.items[0].actor.address, "192.0.2.7");
    assert_string_equal(all.items[0].after, "{\"level\":\"off\"}");
    READ(w)
    {
        OK(audit_verify(tx, all.items[1].id, 100, &bad, err));
    }
    assert_int_equal(bad, 0);
}

struct forgery {
    const char *name, *sql;
};

static void a_changed_entry_is_found(void **state)
{
    static const struct forgery cases[] = {
        {"another outcome", "UPDATE audit SET outcome = 0 WHERE id = 3"},
        {"another actor", "UPDATE audit SET actor = 'bob' WHERE id = 3"},
        {"text moved between fields",
         "UPDATE audit SET action = 'policy.putn', object = 's' WHERE id = 3"},
        {"an entry cut out", "DELETE FROM audit WHERE id = 3"},
        {"the end cut off", "DELETE FROM audit WHERE id = 5"},
        {"everything cut off", "DELETE FROM audit WHERE id > 0"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        void *inner = NULL;
        int64_t bad = 0;
        world_setup(&inner);
        struct world *w = inner;
        add_entries(w, 5);
        world_run_sql(w, cases[i].sql);
        READ(w)
        {
            OK(audit_verify(tx, 0, 100, &bad, err));
        }
        world_teardown(&inner);
        CHECK_CASE(bad != 0, cases[i].name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(names_are_unique_over_all_kinds),
        WORLD_TEST(what_makes_no_sense_is_not_stored),
        WORLD_TEST(a_password_change_is_counted),
        WORLD_TEST(a_deleted_account_takes_its_secrets),
        WORLD_TEST(accounts_are_listed_by_kind),
        WORLD_TEST(a_secret_is_found_by_its_hash),
        WORLD_TEST(a_session_lives_and_dies),
        WORLD_TEST(dead_sessions_are_purged),
        WORLD_TEST(exactly_one_policy_applies),
        WORLD_TEST(a_policy_change_moves_the_views_it_concerns),
        WORLD_TEST(generations_of_policies_rise),
        WORLD_TEST(odd_scopes_are_refused),
        WORLD_TEST(entries_are_chained),
        cmocka_unit_test(a_changed_entry_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
