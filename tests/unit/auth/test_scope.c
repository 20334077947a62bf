#include "auth/scope.h"
#include "tests/unit/base/check.h"

static const char *const host_names[] = {"reg.example.org:5443", "reg.example.org"};
static const struct scope_hosts hosts = {host_names, 2};

struct scope_case {
    const char *text;
    bool good;
    enum scope_kind kind;
    const char *repo;
    unsigned actions;
};

#define NOTHING false, SCOPE_IMAGE, "", 0

static const struct scope_case cases[] = {
    {"repository:ns/app:pull", true, SCOPE_IMAGE, "ns/app", SCOPE_PULL},
    {"repository:ns/app:pull,push", true, SCOPE_IMAGE, "ns/app", SCOPE_PULL | SCOPE_PUSH},
    {"repository:ns/app:push,pull", true, SCOPE_IMAGE, "ns/app", SCOPE_PULL | SCOPE_PUSH},
    {"repository:ns/app:push,pull,delete", true, SCOPE_IMAGE, "ns/app",
     SCOPE_PULL | SCOPE_PUSH | SCOPE_DELETE},
    {"repository:ns/app:delete", true, SCOPE_IMAGE, "ns/app", SCOPE_DELETE},
    {"repository:ns/app:*", true, SCOPE_IMAGE, "ns/app", SCOPE_ALL},
    {"repository:ns/a/b/c:pull", true, SCOPE_IMAGE, "ns/a/b/c", SCOPE_PULL},
    {"repository(plugin):ns/p:pull", true, SCOPE_IMAGE, "ns/p", SCOPE_PULL},
    {"repository:ns/app:pull,fly", true, SCOPE_IMAGE, "ns/app", SCOPE_PULL},
    {"repository:ns/app:pull,pull,pull", true, SCOPE_IMAGE, "ns/app", SCOPE_PULL},
    /* our own host in front: a right of its own, the port's colon notwithstanding */
    {"repository:reg.example.org:5443/ns/app:pull,push", true, SCOPE_TRUST, "ns/app",
     SCOPE_PULL | SCOPE_PUSH},
    {"repository:reg.example.org/ns/app:*", true, SCOPE_TRUST, "ns/app", SCOPE_ALL},
    {"repository:reg.example.org:5443/ns/app:admin", true, SCOPE_TRUST, "ns/app", SCOPE_ADMIN},
    {"repository:ns/app:admin", NOTHING},
    /* another host's collections are not ours */
    {"repository:other.example.org:5443/ns/app:pull", NOTHING},
    {"repository:reg.example.org:5444/ns/app:pull", NOTHING},
    {"repository:reg.example.org:5443.evil/ns/app:pull", NOTHING},
    {"repository:reg.example.org:5443/ns:pull", NOTHING},
    {"repository:reg.example.org:5443//ns/app:pull", NOTHING},
    {"registry:catalog:*", true, SCOPE_CATALOG, "", SCOPE_ALL},
    {"registry:catalog:search", true, SCOPE_CATALOG, "", SCOPE_ALL},
    {"registry:catalog:pull", NOTHING},
    {"registry:other:*", NOTHING},
    {"repository:ns/app:", NOTHING},
    {"repository:ns/app:fly", NOTHING},
    {"repository:ns/app", NOTHING},
    {"repository:app:pull", NOTHING}, /* no namespace */
    {"repository:NS/app:pull", NOTHING},
    {"repository:ns/../app:pull", NOTHING},
    {"repository:ns/app/:pull", NOTHING},
    {"repository::pull", NOTHING},
    {"repository", NOTHING},
    {":::", NOTHING},
    {"", NOTHING},
    {"repository(plugin:ns/app:pull", NOTHING},
    {"artifact:ns/app:pull", NOTHING},
    {"REPOSITORY:ns/app:pull", NOTHING},
    {"repository:ns/app:Pull", NOTHING},
};

static void one_scope(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct scope_case *c = &cases[i];
        struct scope scope;
        CHECK_CASE(scope_parse(slice_str(c->text), &hosts, &scope) == c->good, c->text);
        if (!c->good) {
            continue;
        }
        CHECK_CASE(scope.kind == c->kind, c->text);
        CHECK_CASE(scope.actions == c->actions, c->text);
        CHECK_CASE(strcmp(scope.repo.text, c->repo) == 0, c->text);
    }
}

struct list_case {
    const char *name;
    const char *values[4]; /* the parameter, repeated */
    size_t n;              /* wishes in the end */
    unsigned first;        /* actions of the first */
};

static const struct list_case lists[] = {
    {"nothing asked (docker login)", {NULL}, 0, 0},
    {"repeated parameters (docker)", {"repository:a/x:pull", "repository:b/x:pull"}, 2, SCOPE_PULL},
    {"one value with blanks (OAuth)", {"repository:a/x:pull repository:b/x:pull"}, 2, SCOPE_PULL},
    {"both at once",
     {"repository:a/x:pull repository:b/x:pull", "repository:c/x:push"},
     3,
     SCOPE_PULL},
    {"overlapping (containerd push)",
     {"repository:a/x:pull", "repository:a/x:pull,push"},
     1,
     SCOPE_PULL | SCOPE_PUSH},
    {"the same twice (podman)", {"repository:a/x:pull repository:a/x:pull"}, 1, SCOPE_PULL},
    {"a plugin and its repository",
     {"repository(plugin):a/p:pull repository:a/p:pull"},
     1,
     SCOPE_PULL},
    {"image and trust are two things",
     {"repository:a/x:pull", "repository:reg.example.org:5443/a/x:push"},
     2,
     SCOPE_PULL},
    {"the alias and the host are one thing",
     {"repository:reg.example.org/a/x:pull", "repository:reg.example.org:5443/a/x:push"},
     1,
     SCOPE_PULL | SCOPE_PUSH},
    {"what is not understood is left out",
     {"  nonsense  repository:a/x:pull   a:b:c "},
     1,
     SCOPE_PULL},
};

static void list_of_scopes(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(lists); i++) {
        auto_scope_list struct scope_list list = {0};
        for (size_t k = 0; k < COUNT(lists[i].values) && lists[i].values[k]; k++) {
            scope_list_add(&list, slice_str(lists[i].values[k]), &hosts);
        }
        CHECK_CASE(list.n == lists[i].n, lists[i].name);
        CHECK_CASE(list.n == 0 || list.items[0].actions == lists[i].first, lists[i].name);
    }
}

static void list_is_bounded(void **state)
{
    (void)state;
    auto_scope_list struct scope_list list = {0};
    for (int i = 0; i < SCOPE_LIST_MAX + 10; i++) {
        auto_buf struct buf text = {0};
        buf_printf(&text, "repository:ns/app%d:pull", i);
        scope_list_add(&list, buf_slice_of(&text), &hosts);
        assert_int_equal(list.cut, i >= SCOPE_LIST_MAX);
    }
    assert_int_equal(list.n, SCOPE_LIST_MAX);
}

static void bytes_of_any_kind(void **state)
{
    (void)state;
    struct scope scope;
    assert_false(scope_parse(SLICE_LIT("repository:ns/a\0pp:pull"), &hosts, &scope));
    assert_false(scope_parse(SLICE_LIT("repository:ns/app:pull\0"), &hosts, &scope));
    assert_false(scope_parse(SLICE_LIT("repository:ns/\xFF\xFE:pull"), &hosts, &scope));
    assert_false(scope_parse((struct slice){NULL, 0}, &hosts, &scope));
}

static void actions_in_words(void **state)
{
    (void)state;
    auto_buf struct buf text = {0};
    scope_actions_text(&text, SCOPE_ALL | SCOPE_DELETE | SCOPE_PULL | SCOPE_PUSH);
    assert_string_equal(text.p, "pull,push,delete,*");
}

static void host_of_a_gun(void **state)
{
    (void)state;
    struct slice rest;
    assert_true(scope_strip_host(SLICE_LIT("reg.example.org:5443/ns/app"), &hosts, &rest));
    assert_true(slice_is(rest, "ns/app"));
    assert_true(scope_strip_host(SLICE_LIT("reg.example.org/ns/app"), &hosts, &rest));
    assert_true(slice_is(rest, "ns/app"));
    assert_false(scope_strip_host(SLICE_LIT("reg.example.org"), &hosts, &rest));
    assert_false(scope_strip_host(SLICE_LIT("reg.example.orgx/ns/app"), &hosts, &rest));
    assert_false(scope_strip_host(SLICE_LIT("ns/app"), &hosts, &rest));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_scope),        cmocka_unit_test(list_of_scopes),
        cmocka_unit_test(list_is_bounded),  cmocka_unit_test(bytes_of_any_kind),
        cmocka_unit_test(actions_in_words), cmocka_unit_test(host_of_a_gun),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
