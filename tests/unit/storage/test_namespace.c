/* Namespaces, members, repositories, and what a list shows to whom. */
#include "storage/blob.h"
#include "storage/membership.h"
#include "tests/unit/storage/world.h"

static void names_of_visibility(void **state)
{
    (void)state;
    enum visibility v = VISIBILITY_PRIVATE;
    assert_true(visibility_parse(SLICE_LIT("public"), &v));
    assert_int_equal(v, VISIBILITY_PUBLIC);
    assert_string_equal(visibility_name(VISIBILITY_INTERNAL), "internal");
    assert_false(visibility_parse(SLICE_LIT("Public"), &v));
    assert_false(visibility_parse(SLICE_LIT(""), &v));
}

static void names_of_roles(void **state)
{
    (void)state;
    enum member_role role = MEMBER_NONE;
    assert_true(member_role_parse(SLICE_LIT("maintainer"), &role));
    assert_int_equal(role, MEMBER_MAINTAINER);
    assert_false(member_role_parse(SLICE_LIT("none"), &role));
    assert_false(member_role_parse(SLICE_LIT("deployer"), &role));
    assert_string_equal(member_role_name(MEMBER_OWNER), "owner");
}

static void a_name_is_taken_once(void **state)
{
    struct world *w = *state;
    struct namespace_name name = ns_of("ns");
    WRITE(w)
    {
        FAILS(ERR_CONFLICT, namespace_create(tx, &name, VISIBILITY_PUBLIC, 0, T0, NULL, err));
    }
}

static void incarnations_do_not_repeat(void **state)
{
    struct world *w = *state;
    struct namespace_name name = ns_of("other");
    struct namespace other;
    WRITE(w)
    {
        OK(namespace_create(tx, &name, VISIBILITY_PUBLIC, 0, T0, &other, err));
    }
    assert_true(other.incarnation > w->ns.incarnation);
}

static void unknown_names_are_told(void **state)
{
    struct world *w = *state;
    struct namespace_name ns = ns_of("nobody");
    struct repo_name repo = repo_of("nobody/app");
    struct namespace out;
    struct repository r;
    READ(w)
    {
        FAILS(ERR_NAMESPACE_UNKNOWN, namespace_get(tx, &ns, &out, err));
        FAILS(ERR_NAMESPACE_UNKNOWN, namespace_get_by_id(tx, 4711, &out, err));
        FAILS(ERR_NAME_UNKNOWN, repository_get(tx, &repo, &r, err));
    }
    WRITE(w)
    {
        FAILS(ERR_NAMESPACE_UNKNOWN, repository_ensure(tx, &repo, T0, &r, NULL, err));
        FAILS(ERR_NAMESPACE_UNKNOWN, namespace_set_quota(tx, 4711, 1, err));
    }
}

static void a_repository_is_made_once(void **state)
{
    struct world *w = *state;
    struct repo_name name = repo_of("ns/app");
    struct repository again;
    bool created = true;
    WRITE(w)
    {
        OK(repository_ensure(tx, &name, T0, &again, &created, err));
    }
    assert_false(created);
    assert_int_equal(again.id, w->repo.id);
    assert_int_equal(again.namespace_id, w->ns.id);
    assert_int_equal(again.name.namespace_n, 2);
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

static void every_bump_moves_the_generation(void **state)
{
    struct world *w = *state;
    int64_t before = gate_of(w);
    WRITE(w)
    {
        OK(repository_gate_bump(tx, w->repo.id, err));
    }
    int64_t own = gate_of(w);
    WRITE(w)
    {
        OK(repository_gate_bump_namespace(tx, w->ns.id, err));
    }
    int64_t of_ns = gate_of(w);
    WRITE(w)
    {
        OK(repository_gate_bump_all(tx, err));
        OK(repository_gate_bump_namespace(tx, w->ns.id + 1, err)); /* somebody else's */
    }
    assert_true(before < own && own < of_ns && of_ns < gate_of(w));
    assert_int_equal(gate_of(w), before + 3);
}

static void quota_is_kept_to_the_byte(void **state)
{
    struct world *w = *state;
    struct namespace ns;
    WRITE(w)
    {
        OK(namespace_set_quota(tx, w->ns.id, 100, err));
        OK(repository_charge(tx, w->repo.id, 100, err));
        FAILS(ERR_QUOTA, repository_charge(tx, w->repo.id, 1, err));
        OK(repository_charge(tx, w->repo.id, 0, err));
        OK(repository_charge(tx, w->repo.id, -100, err));
        OK(namespace_get_by_id(tx, w->ns.id, &ns, err));
    }
    assert_int_equal(ns.used_bytes, 0);
    assert_int_equal(ns.quota_bytes, 100);
}

static void a_rolled_back_write_leaves_nothing(void **state)
{
    struct world *w = *state;
    struct write write;
    struct namespace_name name = ns_of("gone");
    struct namespace out;
    struct db_tx *open = write_begin(&write, w->db);
    OK(namespace_create(open, &name, VISIBILITY_PUBLIC, 0, T0, &out, err));
    write_end(&write, false);
    READ(w)
    {
        FAILS(ERR_NAMESPACE_UNKNOWN, namespace_get(tx, &name, &out, err));
    }
}

static void membership_has_one_role(void **state)
{
    struct world *w = *state;
    struct membership m = {.role = MEMBER_DEVELOPER, .signer = true};
    struct account_new bob = {.kind = ACCOUNT_USER, .name = SLICE_LIT("bob@example.org")};
    int64_t bob_id = 0;
    int64_t owners = 0;
    auto_membership_list struct membership_list list = {0};
    WRITE(w)
    {
        OK(account_create(tx, &bob, T0, &bob_id, err));
        OK(membership_get(tx, w->ns.id, bob_id, &m, err));
        assert_int_equal(m.role, MEMBER_NONE);
        m = (struct membership){.role = MEMBER_DEVELOPER, .signer = true};
        OK(membership_put(tx, w->ns.id, bob_id, &m, T0, err));
        m = (struct membership){.role = MEMBER_READER};
        OK(membership_put(tx, w->ns.id, bob_id, &m, T0 + 1, err));
        OK(membership_list(tx, w->ns.id, &list, err));
        OK(membership_owners(tx, w->ns.id, &owners, err));
        OK(membership_delete(tx, w->ns.id, bob_id, err));
        FAILS(ERR_NOT_FOUND, membership_delete(tx, w->ns.id, bob_id, err));
    }
    assert_int_equal(owners, 1);
    assert_int_equal(list.count, 2);
    assert_string_equal(list.items[0].name, "alice@example.org");
    assert_int_equal(list.items[1].m.role, MEMBER_READER);
    assert_false(list.items[1].m.signer);
}

/* --- lists ------------------------------------------------------------------------------------ */

/* A repository that holds something. */
static void add_repository(struct db_tx *tx, const char *text)
{
    struct repo_name name = repo_of(text);
    struct repository r;
    struct actor actor = {.name = "x"};
    auto_manifest_doc struct manifest_doc *doc = NULL;
    struct slice bytes = SLICE_LIT("{\"schemaVersion\":2,\"manifests\":[]}");
    OK(manifest_parse(bytes, SLICE_LIT("application/vnd.oci.image.index.v1+json"), &doc, err));
    struct manifest_put put = {.doc = doc, .digest = digest_of(bytes), .bytes = bytes};
    OK(repository_ensure(tx, &name, T0, &r, NULL, err));
    OK(manifest_put(tx, r.id, &put, &actor, T0, NULL, err));
}

static void add_namespaces(struct world *w)
{
    struct namespace_name in = ns_of("ns-a"), pub = ns_of("ns.b"), other = ns_of("nsz");
    WRITE(w)
    {
        OK(namespace_create(tx, &in, VISIBILITY_INTERNAL, 0, T0, NULL, err));
        OK(namespace_create(tx, &pub, VISIBILITY_PUBLIC, 0, T0, NULL, err));
        OK(namespace_create(tx, &other, VISIBILITY_PRIVATE, 0, T0, NULL, err));
        add_repository(tx, "ns/app");
        add_repository(tx, "ns/zoo");
        add_repository(tx, "ns-a/one");
        add_repository(tx, "ns.b/two");
        add_repository(tx, "nsz/three");
    }
}

struct list_case {
    const char *name;
    struct reader reader;
    const char *last;
    int max;
    const char *want; /* names joined by a blank; a '+' at the end: more */
};

static void join(const struct repository_list *list, struct buf *out)
{
    for (size_t i = 0; i < list->count; i++) {
        buf_printf(out, "%s%s", i ? " " : "", list->items[i].name.text);
    }
    buf_str(out, list->more ? "+" : "");
}

static void a_list_shows_what_the_reader_may_read(void **state)
{
    struct world *w = *state;
    add_namespaces(w);
    struct repo_name empty = repo_of("ns/empty");
    struct repository r;
    WRITE(w)
    {
        OK(repository_ensure(tx, &empty, T0, &r, NULL, err));
    }
    const struct reader admin = {.all = true}, nobody = {0}, user = {.signed_in = true},
                        alice = {.account_id = w->alice.account_id, .signed_in = true},
                        robot = {.namespace_id = w->ns.id};
    /* by bytes: '-' and '.' come before '/' */
    const struct list_case cases[] = {
        {"administrator", admin, "", 10, "ns-a/one ns.b/two ns/app ns/zoo nsz/three"},
        {"member and signed in", alice, "", 10, "ns-a/one ns.b/two ns/app ns/zoo"},
        {"signed in", user, "", 10, "ns-a/one ns.b/two"},
        {"anonymous", nobody, "", 10, "ns.b/two"},
        {"robot", robot, "", 10, "ns.b/two ns/app ns/zoo"},
        {"first page", alice, "", 2, "ns-a/one ns.b/two+"},
        {"second page", alice, "ns.b/two", 2, "ns/app ns/zoo"},
        {"from inside a namespace", alice, "ns/app", 5, "ns/zoo"},
        {"from a name that is no repository", alice, "ns", 1, "ns-a/one+"},
        {"from a prefix", alice, "ns.z", 5, "ns/app ns/zoo"},
        {"from the end", alice, "zz", 5, ""},
        {"administrator's page", admin, "ns/app", 1, "ns/zoo+"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        auto_repository_list struct repository_list list = {0};
        auto_buf struct buf got = {0};
        READ(w)
        {
            OK(repository_list(tx, &cases[i].reader, slice_str(cases[i].last), cases[i].max, &list,
                               err));
        }
        buf_str(&got, "");
        join(&list, &got);
        CHECK_CASE(strcmp(got.p ? got.p : "", cases[i].want) == 0, cases[i].name);
    }
}

static void a_namespace_lists_its_repositories(void **state)
{
    struct world *w = *state;
    auto_repository_list struct repository_list shown = {0};
    auto_repository_list struct repository_list all = {0};
    READ(w)
    {
        OK(repository_list_namespace(tx, w->ns.id, false, SLICE_LIT(""), 10, &shown, err));
        OK(repository_list_namespace(tx, w->ns.id, true, SLICE_LIT(""), 10, &all, err));
    }
    assert_int_equal(shown.count, 0); /* nothing was pushed yet */
    assert_int_equal(all.count, 1);
}

static void namespaces_are_listed_with_the_role(void **state)
{
    struct world *w = *state;
    add_namespaces(w);
    auto_namespace_list struct namespace_list own = {0};
    auto_namespace_list struct namespace_list all = {0};
    READ(w)
    {
        OK(namespace_list(tx, w->alice.account_id, false, SLICE_LIT(""), 10, &own, err));
        OK(namespace_list(tx, w->alice.account_id, true, SLICE_LIT("ns"), 2, &all, err));
    }
    assert_int_equal(own.count, 1);
    assert_int_equal(own.items[0].role, MEMBER_OWNER);
    assert_int_equal(own.items[0].repositories, 2);
    assert_int_equal(all.count, 2);
    assert_true(all.more);
    assert_string_equal(all.items[0].ns.name.text, "ns-a");
    assert_int_equal(all.items[0].role, MEMBER_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_visibility),
        cmocka_unit_test(names_of_roles),
        WORLD_TEST(a_name_is_taken_once),
        WORLD_TEST(incarnations_do_not_repeat),
        WORLD_TEST(unknown_names_are_told),
        WORLD_TEST(a_repository_is_made_once),
        WORLD_TEST(every_bump_moves_the_generation),
        WORLD_TEST(quota_is_kept_to_the_byte),
        WORLD_TEST(a_rolled_back_write_leaves_nothing),
        WORLD_TEST(membership_has_one_role),
        WORLD_TEST(a_list_shows_what_the_reader_may_read),
        WORLD_TEST(a_namespace_lists_its_repositories),
        WORLD_TEST(namespaces_are_listed_with_the_role),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
