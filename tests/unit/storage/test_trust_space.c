/* Collection of superseded trust documents, what they take, and when those end that a person must
 * renew. */
#include "storage/check.h"
#include "storage/trust_doc.h"
#include "storage/trust_expiry.h"
#include "tests/unit/storage/world.h"

static void put(struct db_tx *tx, int64_t repository_id, const char *role, int64_t version,
                const char *bytes, int64_t now_us)
{
    struct trust_doc_new doc = {
        .role = slice_str(role), .version = version, .bytes = slice_str(bytes)};
    hash_sha256(doc.bytes, doc.sha256);
    hash_sha256(slice_str(bytes), doc.signed_sha256);
    OK(trust_doc_put(tx, repository_id, &doc, now_us, err));
}

static int64_t space(struct db_tx *tx, int64_t repository_id)
{
    int64_t bytes = -1;
    OK(trust_space_add(tx, repository_id, 0, &bytes, err));
    return bytes;
}

static void note(const struct check_finding *finding, void *arg)
{
    buf_printf(arg, "%s: %s\n", finding->where, finding->what);
}

static int64_t findings(struct world *w, struct buf *text)
{
    struct check_report report;
    const struct check_listener listener = {note, NULL, text};
    OK(store_check(w->store, CHECK_INDEX, &listener, &report, err));
    return report.findings;
}

/* Two versions of everything; the first ones were superseded at T0 + HOUR. */
static void two_versions(struct world *w)
{
    static const char *const roles[] = {"root", "targets", "targets/a", "snapshot", "timestamp"};
    WRITE(w)
    {
        for (size_t i = 0; i < COUNT(roles); i++) {
            char bytes[32];
            (void)snprintf(bytes, sizeof bytes, "%s-one", roles[i]);
            put(tx, w->repo.id, roles[i], 1, bytes, T0);
            (void)snprintf(bytes, sizeof bytes, "%s-two", roles[i]);
            put(tx, w->repo.id, roles[i], 2, bytes, T0 + HOUR);
        }
    }
}

static void superseded_documents_come_oldest_first_and_roots_never(void **state)
{
    struct world *w = *state;
    const struct trust_superseded start = {0};
    auto_trust_superseded_list struct trust_superseded_list all = {0}, early = {0}, rest = {0};
    two_versions(w);
    READ(w)
    {
        OK(trust_doc_superseded(tx, T0 + HOUR + 1, &start, 10, &all, err));
        OK(trust_doc_superseded(tx, T0 + HOUR, &start, 10, &early, err));
        OK(trust_doc_superseded(tx, T0 + HOUR + 1, &all.items[1], 10, &rest, err));
    }
    assert_int_equal(early.count, 0); /* not before it is old enough */
    assert_int_equal(all.count, 4);
    for (size_t i = 0; i < all.count; i++) {
        assert_string_not_equal(all.items[i].role, "root");
        assert_string_equal(all.items[i].repo.text, w->repo.name.text);
        assert_int_equal(all.items[i].superseded_us, T0 + HOUR);
    }
    assert_int_equal(rest.count, 2);
    assert_string_equal(rest.items[0].role, all.items[2].role);
}

static bool found_by_hash(struct db_tx *tx, int64_t id, const char *role, const char *bytes)
{
    auto_trust_doc struct trust_doc doc = {0};
    struct err why = {0};
    uint8_t sha256[32];
    hash_sha256(slice_str(bytes), sha256);
    bool found = trust_doc_by_sha256(tx, id, slice_str(role), sha256, &doc, &why);
    assert_true(found || why.code == ERR_TRUST_NOT_FOUND);
    return found;
}

static bool found_by_version(struct db_tx *tx, int64_t id, const char *role, int64_t version)
{
    auto_trust_doc struct trust_doc doc = {0};
    struct err why = {0};
    bool found = trust_doc_by_version(tx, id, slice_str(role), version, &doc, &why);
    assert_true(found || why.code == ERR_TRUST_NOT_FOUND);
    return found;
}

static void collect_all(struct world *w, int64_t *bytes)
{
    const struct trust_superseded start = {0};
    *bytes = 0;
    WRITE(w)
    {
        auto_trust_superseded_list struct trust_superseded_list all = {0};
        OK(trust_doc_superseded(tx, T0 + 2 * HOUR, &start, 10, &all, err));
        for (size_t i = 0; i < all.count; i++) {
            int64_t one = 0;
            OK(trust_doc_collect(tx, &all.items[i], T0 + 2 * HOUR, &one, err));
            *bytes += one;
            OK(trust_doc_collect(tx, &all.items[i], T0 + 2 * HOUR, &one,
                                 err)); /* twice is nothing */
            assert_int_equal(one, 0);
        }
    }
}

static void what_is_collected_is_found_no_more_and_known_when_it_comes_again(void **state)
{
    struct world *w = *state;
    auto_trust_doc struct trust_doc stub = {0}, gone = {0};
    auto_buf struct buf text = {0};
    int64_t bytes = 0;
    two_versions(w);
    collect_all(w, &bytes);
    assert_int_equal(bytes, strlen("targets-one"
                                   "targets/a-one"
                                   "snapshot-one"
                                   "timestamp-one"));
    READ(w)
    {
        assert_false(found_by_hash(tx, w->repo.id, "targets", "targets-one"));
        assert_false(found_by_version(tx, w->repo.id, "targets/a", 1));
        assert_false(found_by_version(tx, w->repo.id, "timestamp", 1));
        assert_true(found_by_version(tx, w->repo.id, "targets", 2)); /* the current one */
        assert_true(found_by_hash(tx, w->repo.id, "root", "root-one"));
        assert_true(found_by_version(tx, w->repo.id, "root", 1));
        OK(trust_doc_by_life(tx, w->repo.id, SLICE_LIT("targets/a"), 1, 1, &stub, err));
        FAILS(ERR_TRUST_NOT_FOUND,
              trust_doc_by_life(tx, w->repo.id, SLICE_LIT("timestamp"), 1, 1, &gone, err));
    }
    uint8_t sha256[32];
    hash_sha256(SLICE_LIT("targets/a-one"), sha256);
    assert_memory_equal(stub.sha256, sha256, 32);
    assert_int_equal(stub.bytes.n, 0);
    if (findings(w, &text) != 0) {
        fail_msg("%s", text.p);
    }
}

/* Whatever a caller believes: a root, or a current document, is not collected. */
static void roots_and_current_documents_cannot_be_collected(void **state)
{
    struct world *w = *state;
    static const char *const roles[] = {"root", "targets", "timestamp"};
    two_versions(w);
    WRITE(w)
    {
        for (int64_t id = 1; id <= 10; id++) {
            for (size_t i = 0; i < COUNT(roles); i++) {
                struct trust_superseded doc = {.id = id, .repository_id = w->repo.id, .bytes = 1};
                int64_t bytes = 0;
                (void)snprintf(doc.role, sizeof doc.role, "%s", roles[i]);
                OK(trust_doc_collect(tx, &doc, T0, &bytes, err));
            }
        }
        assert_true(found_by_version(tx, w->repo.id, "root", 1));
        assert_true(found_by_version(tx, w->repo.id, "root", 2));
        assert_true(found_by_version(tx, w->repo.id, "targets", 2));
        assert_true(found_by_version(tx, w->repo.id, "targets/a", 2));
        assert_true(found_by_version(tx, w->repo.id, "snapshot", 2));
        assert_true(found_by_version(tx, w->repo.id, "timestamp", 2));
    }
}

static void the_space_of_a_namespace_is_exact(void **state)
{
    struct world *w = *state;
    auto_buf struct buf text = {0}, wrong = {0};
    int64_t bytes = 0, before = 0;
    struct repository other;
    struct repo_name name;
    char other_name[300];
    (void)snprintf(other_name, sizeof other_name, "%s/other", w->ns.name.text);
    OK(repo_name_parse(slice_str(other_name), &name, err));
    two_versions(w);
    WRITE(w)
    {
        OK(repository_ensure(tx, &name, T0, &other, NULL, err));
        before = space(tx, w->repo.id);
        put(tx, other.id, "targets", 1, "seven b", T0);
        assert_int_equal(space(tx, other.id), before + 7); /* one sum for both */
    }
    collect_all(w, &bytes);
    WRITE(w)
    {
        assert_int_equal(space(tx, w->repo.id), before + 7 - bytes);
        OK(trust_doc_wipe(tx, w->repo.id, T0 + 3 * HOUR, NULL, err));
        assert_int_equal(space(tx, w->repo.id), before + 7 - bytes); /* a wipe keeps the bytes */
    }
    if (findings(w, &text) != 0) {
        fail_msg("%s", text.p);
    }
    WRITE(w)
    {
        OK(trust_space_add(tx, w->repo.id, 1, &bytes, err));
    }
    assert_int_equal(findings(w, &wrong), 1); /* the check can see */
    assert_non_null(strstr(wrong.p, "trust data"));
}

/* --- expiry ----------------------------------------------------------------------------------- */

static void expiries_are_listed_first_end_first_and_page_by_page(void **state)
{
    struct world *w = *state;
    const struct expiry_place start = {0};
    struct expiry_place place = {0};
    auto_expiry_list struct expiry_list all = {0}, ns = {0}, rest = {0}, none = {0}, own = {0};
    int64_t roots = 0, early = 0;
    WRITE(w)
    {
        OK(expiry_put(tx, w->repo.id, EXPIRY_ROOT, SLICE_LIT("root"), T0 + 3 * HOUR, err));
        OK(expiry_put(tx, w->repo.id, EXPIRY_TARGETS, SLICE_LIT("targets"), T0 + 2 * HOUR, err));
        OK(expiry_put(tx, w->repo.id, EXPIRY_DELEGATION, SLICE_LIT("targets/a"), T0 + HOUR, err));
        OK(expiry_put(tx, w->repo.id, EXPIRY_TARGETS, SLICE_LIT("targets"), T0 + 1,
                      err)); /* anew */
        OK(expiry_list_before(tx, 0, T0 + 3 * HOUR + 1, &start, 10, &all, err));
        OK(expiry_list_before(tx, w->ns.id, T0 + 3 * HOUR, &start, 10, &ns, err));
        OK(expiry_list_before(tx, w->ns.id + 1, INT64_MAX, &start, 10, &none, err));
        place = (struct expiry_place){.expires_us = all.items[0].expires_us,
                                      .repository_id = all.items[0].repository_id,
                                      .kind = all.items[0].kind};
        (void)snprintf(place.role, sizeof place.role, "%s", all.items[0].role);
        OK(expiry_list_before(tx, 0, INT64_MAX, &place, 1, &rest, err));
        OK(expiry_list_repository(tx, w->repo.id, &own, err));
        OK(expiry_count(tx, EXPIRY_ROOT, T0 + 3 * HOUR + 1, &roots, err));
        OK(expiry_count(tx, EXPIRY_ROOT, T0 + 3 * HOUR, &early, err));
    }
    assert_int_equal(all.count, 3);
    assert_string_equal(all.items[0].role, "targets");
    assert_string_equal(all.items[1].role, "targets/a");
    assert_string_equal(all.items[2].role, "root");
    assert_string_equal(all.items[0].repo.text, w->repo.name.text);
    assert_int_equal(ns.count, 2); /* what ends at that moment is not before it */
    assert_int_equal(none.count, 0);
    assert_int_equal(rest.count, 1);
    assert_string_equal(rest.items[0].role, "targets/a");
    assert_int_equal(own.count, 3);
    assert_int_equal(roots, 1);
    assert_int_equal(early, 0);
}

static void expiries_leave_with_their_role_and_with_a_wipe(void **state)
{
    struct world *w = *state;
    auto_expiry_list struct expiry_list left = {0}, wiped = {0}, unknown = {0};
    two_versions(w);
    WRITE(w)
    {
        OK(expiry_put(tx, w->repo.id, EXPIRY_ROOT, SLICE_LIT("root"), 0, err));
        OK(expiry_put(tx, w->repo.id, EXPIRY_DELEGATION, SLICE_LIT("targets/a"), T0, err));
        OK(trust_role_end(tx, w->repo.id, SLICE_LIT("targets/a"), T0 + 2 * HOUR, err));
        OK(expiry_list_repository(tx, w->repo.id, &left, err));
        OK(expiry_unknown(tx, 10, &unknown, err));
        OK(trust_doc_wipe(tx, w->repo.id, T0 + 3 * HOUR, NULL, err));
        OK(expiry_list_repository(tx, w->repo.id, &wiped, err));
    }
    assert_int_equal(left.count, 1);
    assert_string_equal(left.items[0].role, "root");
    assert_int_equal(unknown.count, 1);
    assert_int_equal(wiped.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(superseded_documents_come_oldest_first_and_roots_never),
        WORLD_TEST(what_is_collected_is_found_no_more_and_known_when_it_comes_again),
        WORLD_TEST(roots_and_current_documents_cannot_be_collected),
        WORLD_TEST(the_space_of_a_namespace_is_exact),
        WORLD_TEST(expiries_are_listed_first_end_first_and_page_by_page),
        WORLD_TEST(expiries_leave_with_their_role_and_with_a_wipe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
