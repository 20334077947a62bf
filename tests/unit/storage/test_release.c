/* Releases of services: numbers, which one is current, and that its image stays whole by every
 * door. */
#include "storage/release.h"
#include "storage/removal.h"
#include "tests/unit/storage/rules.h"

static struct service_name service_of(const char *text)
{
    struct service_name name;
    OK(service_name_parse(slice_str(text), &name, err));
    return name;
}

static struct release release_of(struct world *w, const char *service, const struct digest *digest)
{
    struct release r = {.namespace_id = w->ns.id,
                        .service = service_of(service),
                        .repository_id = w->repo.id,
                        .repository = "ns/app",
                        .tag = "v1",
                        .digest = *digest,
                        .decision = "01JDE5AAAAAAAAAAAAAAAAAAAA",
                        .reason = "allowed",
                        .notes = "a note"};
    return r;
}

static int64_t add(struct world *w, const char *service, const struct digest *digest)
{
    struct release r = release_of(w, service, digest);
    WRITE(w)
    {
        OK(release_add(tx, &r, &w->alice, T0, err));
    }
    return r.number;
}

/* --- names ------------------------------------------------------------------------------------ */

static void names_of_services(void **state)
{
    static const char *const good[] = {
        "web",        "a",      "0",
        "api-v2_x.y", "checks", "a23456789012345678901234567890123456789012345678901234567890123"};
    static const char *const bad[] = {
        "",
        "Web",
        "-web",
        ".web",
        "_web",
        "a/b",
        "a b",
        "a\n",
        "\xc3",
        "check",
        "why",
        "list",
        "a234567890123456789012345678901234567890123456789012345678901234"};
    struct service_name name;
    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        CHECK_CASE(service_name_parse(slice_str(good[i]), &name, NULL), good[i]);
        assert_string_equal(name.text, good[i]);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct err err = {0};
        CHECK_CASE(!service_name_parse(slice_str(bad[i]), &name, &err), bad[i]);
        CHECK_CASE(err.code == ERR_INVALID && err.msg[0], bad[i]);
    }
    assert_false(service_name_parse((struct slice){"a\0b", 3}, &name, NULL));
}

/* --- rows ------------------------------------------------------------------------------------- */

static void what_is_added_reads_back(void **state)
{
    struct world *w = *state;
    struct digest digest = push_image(w, "{}", "aaa");
    struct service_name web = service_of("web");
    struct release r;
    assert_int_equal(add(w, "web", &digest), 1);
    READ(w)
    {
        OK(release_get(tx, w->ns.id, &web, 1, &r, err));
        FAILS(ERR_NOT_FOUND, release_get(tx, w->ns.id, &web, 2, &r, err));
        OK(release_get(tx, w->ns.id, &web, 1, &r, err));
        FAILS(ERR_NOT_FOUND, release_get(tx, w->ns.id + 1, &web, 1, &(struct release){0}, err));
    }
    assert_int_equal(r.number, 1);
    assert_true(r.is_current && digest_equal(&r.digest, &digest) && r.created_us == T0);
    assert_string_equal(r.service.text, "web");
    assert_string_equal(r.repository, "ns/app");
    assert_string_equal(r.tag, "v1");
    assert_string_equal(r.decision, "01JDE5AAAAAAAAAAAAAAAAAAAA");
    assert_string_equal(r.reason, "allowed");
    assert_string_equal(r.created_by, "alice@example.org");
    assert_string_equal(r.notes, "a note");
}

static void the_newest_is_current_and_numbers_do_not_come_twice(void **state)
{
    struct world *w = *state;
    struct digest digest = push_image(w, "{}", "aaa");
    struct service_name web = service_of("web");
    assert_int_equal(add(w, "web", &digest), 1);
    assert_int_equal(add(w, "web", &digest), 2);
    assert_int_equal(add(w, "api", &digest), 1); /* each service counts for itself */
    WRITE(w)
    {
        FAILS(ERR_DENIED, release_remove(tx, w->ns.id, &web, 2, err));
        OK(release_remove(tx, w->ns.id, &web, 1, err));
        FAILS(ERR_NOT_FOUND, release_remove(tx, w->ns.id, &web, 1, err));
    }
    assert_int_equal(add(w, "web", &digest), 3);
    READ(w)
    {
        auto_release_list struct release_list list = {0}, services = {0};
        OK(release_list(tx, w->ns.id, &web, 0, 10, &list, err));
        assert_int_equal(list.count, 2);
        assert_true(list.items[0].number == 3 && list.items[0].is_current);
        assert_true(list.items[1].number == 2 && !list.items[1].is_current);
        OK(service_list(tx, w->ns.id, (struct slice){0}, 10, &services, err));
        assert_int_equal(services.count, 2);
        assert_string_equal(services.items[0].service.text, "api");
        assert_true(services.items[1].number == 3);
    }
    WRITE(w)
    {
        OK(service_remove(tx, w->ns.id, &web, err));
        FAILS(ERR_NOT_FOUND, service_remove(tx, w->ns.id, &web, err));
    }
}

static void lists_come_in_pages(void **state)
{
    struct world *w = *state;
    struct digest digest = push_image(w, "{}", "aaa");
    struct service_name web = service_of("web");
    for (int i = 0; i < 5; i++) {
        add(w, "web", &digest);
    }
    READ(w)
    {
        auto_release_list struct release_list page = {0}, rest = {0}, last = {0};
        OK(release_list(tx, w->ns.id, &web, 0, 3, &page, err));
        assert_true(page.count == 3 && page.more && page.items[2].number == 3);
        OK(release_list(tx, w->ns.id, &web, 3, 3, &rest, err));
        assert_true(rest.count == 2 && !rest.more && rest.items[1].number == 1);
        OK(release_list(tx, w->ns.id, &web, 1, 3, &last, err));
        assert_int_equal(last.count, 0);
    }
}

static void notes_change_and_nothing_else(void **state)
{
    struct world *w = *state;
    struct digest digest = push_image(w, "{}", "aaa");
    struct service_name web = service_of("web");
    struct release r;
    add(w, "web", &digest);
    WRITE(w)
    {
        OK(release_set_notes(tx, w->ns.id, &web, 1, SLICE_LIT("another"), err));
        FAILS(ERR_NOT_FOUND, release_set_notes(tx, w->ns.id, &web, 2, SLICE_LIT("x"), err));
    }
    READ(w)
    {
        OK(release_get(tx, w->ns.id, &web, 1, &r, err));
    }
    assert_string_equal(r.notes, "another");
    assert_true(r.is_current && digest_equal(&r.digest, &digest));
}

/* The service is removed between the look at the release that is gone back to and the write. */
static void a_rollback_of_what_was_removed_meanwhile_is_refused(void **state)
{
    struct world *w = *state;
    struct digest first = push_image(w, "{}", "aaa"), second = push_image(w, "{}", "bbb");
    struct service_name web = service_of("web");
    struct release back = release_of(w, "web", &first);
    add(w, "web", &first);
    add(w, "web", &second);
    back.rollback_of = 1;
    WRITE(w)
    {
        OK(service_remove(tx, w->ns.id, &web, err));
        FAILS(ERR_NOT_FOUND, release_add(tx, &back, &w->alice, T0, err));
    }
    add(w, "web", &second); /* made again: 1 is another image now */
    WRITE(w)
    {
        FAILS(ERR_CONFLICT, release_add(tx, &back, &w->alice, T0, err));
    }
    READ(w)
    {
        auto_release_list struct release_list list = {0};
        OK(release_list(tx, w->ns.id, &web, 0, 10, &list, err));
        assert_true(list.count == 1 && list.items[0].is_current); /* nothing of it was stored */
    }
    add(w, "web", &first);
    back.rollback_of = 2;
    WRITE(w)
    {
        OK(release_add(tx, &back, &w->alice, T0, err));
    }
    assert_int_equal(back.number, 3);
}

/* --- what is in use --------------------------------------------------------------------------- */

static void nothing_of_a_current_release_is_deleted(void **state)
{
    struct world *w = *state;
    struct digest image = push_image(w, "{}", "aaa");
    struct digest index = push_index(w, &image, IMAGE_TEXT_SIZE, TYPE_IMAGE);
    struct digest other = push_image(w, "{}", "bbb");
    struct digest layer = digest_of(SLICE_LIT("aaa"));
    struct tag_write blob = {.w = w, .digest = &layer};
    struct err why = {0};
    add(w, "web", &index);
    FAILS(ERR_DENIED, delete_manifest(w, &index, err));
    FAILS(ERR_DENIED, delete_manifest(w, &image, err));
    FAILS(ERR_DENIED, db_write(w->db, delete_blob_in, &blob, err));
    assert_false(delete_manifest(w, &index, &why));
    assert_non_null(strstr(why.msg, "web"));
    OK(delete_manifest(w, &other, err)); /* of the same repository, and no release */
    READ(w)
    {
        FAILS(ERR_DENIED, release_may_delete_repository(tx, w->repo.id, err));
        OK(release_may_delete_repository(tx, w->repo.id + 1, err));
    }
}

static void what_runs_is_listed_once_and_with_its_services(void **state)
{
    struct world *w = *state;
    struct digest a = push_image(w, "{}", "aaa"), b = push_image(w, "{}", "bbb");
    struct digest first = digest_compare(&a, &b) < 0 ? a : b;
    struct digest second = digest_compare(&a, &b) < 0 ? b : a;
    add(w, "old", &second);
    add(w, "old", &first); /* its earlier release runs no more */
    add(w, "web", &first);
    add(w, "api", &second);
    READ(w)
    {
        auto_running_list struct running_list all = {0}, page = {0}, rest = {0}, other = {0};
        auto_release_use_list struct release_use_list two = {0}, one = {0}, none = {0};
        struct digest start = {0}, unknown = digest_of(SLICE_LIT("never"));
        OK(release_list_running(tx, w->repo.id, &start, 10, &all, err));
        assert_true(all.count == 2 && !all.more);
        assert_true(digest_equal(&all.items[0], &first) && digest_equal(&all.items[1], &second));
        OK(release_list_running(tx, w->repo.id, &start, 1, &page, err));
        assert_true(page.count == 1 && page.more);
        OK(release_list_running(tx, w->repo.id, &first, 1, &rest, err));
        assert_true(rest.count == 1 && !rest.more && digest_equal(&rest.items[0], &second));
        OK(release_list_running(tx, w->repo.id + 1, &start, 10, &other, err));
        assert_int_equal(other.count, 0);
        OK(release_running_as(tx, w->repo.id, &first, 10, &two, err));
        assert_int_equal(two.count, 2);
        assert_string_equal(two.items[0].service.text, "old");
        assert_string_equal(two.items[1].service.text, "web");
        assert_true(two.items[0].number == 2 && two.items[1].number == 1);
        OK(release_running_as(tx, w->repo.id, &first, 1, &one, err));
        assert_true(one.count == 1 && one.more);
        OK(release_running_as(tx, w->repo.id, &unknown, 10, &none, err));
        assert_int_equal(none.count, 0);
    }
}

static void an_earlier_release_holds_nothing(void **state)
{
    struct world *w = *state;
    struct digest first = push_image(w, "{}", "aaa");
    struct digest second = push_image(w, "{}", "bbb");
    struct service_name web = service_of("web"), api = service_of("api");
    add(w, "web", &first);
    add(w, "api", &first);
    add(w, "web", &second);
    FAILS(ERR_DENIED, delete_manifest(w, &first, err)); /* of the other service */
    WRITE(w)
    {
        OK(service_remove(tx, w->ns.id, &api, err));
    }
    OK(delete_manifest(w, &first, err));
    FAILS(ERR_DENIED, delete_manifest(w, &second, err));
    READ(w)
    {
        struct release r;
        OK(release_get(tx, w->ns.id, &web, 1, &r, err)); /* the record stays */
    }
}

static void a_deleted_namespace_takes_its_services_with_it(void **state)
{
    struct world *w = *state;
    struct digest digest = push_image(w, "{}", "aaa");
    struct service_name web = service_of("web");
    bool more = true;
    add(w, "web", &digest);
    add(w, "web", &digest);
    WRITE(w)
    {
        struct namespace_removal r = {0};
        bool found = false;
        OK(namespace_remove(tx, w->ns.id, true, &w->alice, T0, err));
        OK(namespace_removal_next(tx, 0, &r, &found, err));
        OK(repository_remove(tx, w->repo.id, &w->alice, T0, err));
        OK(namespace_removal_advance(tx, &r, &w->repo.name, err));
    }
    for (int i = 0; more && i < 100; i++) {
        OK(removal_step(w->store, T0, 1, &more, err));
    }
    assert_false(more);
    READ(w)
    {
        auto_release_list struct release_list list = {0};
        OK(release_list(tx, w->ns.id, &web, 0, 10, &list, err));
        assert_int_equal(list.count, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_services),
        WORLD_TEST(what_is_added_reads_back),
        WORLD_TEST(the_newest_is_current_and_numbers_do_not_come_twice),
        WORLD_TEST(lists_come_in_pages),
        WORLD_TEST(notes_change_and_nothing_else),
        WORLD_TEST(a_rollback_of_what_was_removed_meanwhile_is_refused),
        WORLD_TEST(nothing_of_a_current_release_is_deleted),
        WORLD_TEST(what_runs_is_listed_once_and_with_its_services),
        WORLD_TEST(an_earlier_release_holds_nothing),
        WORLD_TEST(a_deleted_namespace_takes_its_services_with_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
