/* Overrides and the deny list as rows: what is bounded, counted, kept and never removed. */
#include "storage/denied_digest.h"
#include "storage/override.h"
#include "storage/removal.h"
#include "storage/retention.h"
#include "storage/statements.h"
#include "tests/unit/storage/image.h"

static int64_t generation(struct world *w)
{
    struct repository repo;
    READ(w)
    {
        OK(repository_get_by_id(tx, w->repo.id, &repo, err));
    }
    return repo.gate_generation;
}

/* --- the deny list ---------------------------------------------------------------------------- */

static struct denied_digest deny(struct world *w, const char *scope, const char *what)
{
    struct digest digest = digest_of(slice_str(what));
    struct denied_digest out = {0};
    WRITE(w)
    {
        OK(denied_digest_put(tx, scope, &digest, what, &w->alice, T0, &out, err));
    }
    return out;
}

static bool find(struct world *w, const char *ns, const char *what, struct denied_digest *out)
{
    struct digest digest = digest_of(slice_str(what));
    bool found = false;
    READ(w)
    {
        OK(denied_digest_find(tx, slice_str(ns), &digest, out, &found, err));
    }
    return found;
}

static void an_entry_concerns_its_scope(void **state)
{
    struct world *w = *state;
    struct denied_digest d;
    assert_false(find(w, "ns", "a", &d));
    int64_t before = generation(w);
    (void)deny(w, "ns", "a");
    assert_int_not_equal(generation(w), before);
    assert_true(find(w, "ns", "a", &d));
    assert_string_equal(d.reason, "a");
    assert_string_equal(d.denied_by, w->alice.name);
    assert_false(find(w, "ns2", "a", &d));
    assert_false(find(w, "ns", "b", &d));
    before = generation(w);
    (void)deny(w, DENIED_EVERYWHERE, "b");
    assert_int_not_equal(generation(w), before);
    assert_true(find(w, "ns", "b", &d));
    assert_true(find(w, "ns2", "b", &d));
}

static void lifting_is_a_change_and_not_a_removal(void **state)
{
    struct world *w = *state;
    struct digest a = digest_of(SLICE_LIT("a")), none = {0};
    struct denied_digest d = deny(w, "ns", "a");
    auto_denied_digest_list struct denied_digest_list in_force = {0}, all = {0};
    assert_int_equal(d.changes, 1);
    int64_t before = generation(w);
    WRITE(w)
    {
        OK(denied_digest_lift(tx, "ns", &a, T0, &d, err));
    }
    assert_int_equal(d.changes, 2);
    assert_int_not_equal(generation(w), before);
    assert_false(find(w, "ns", "a", &d));
    WRITE(w)
    {
        struct err why = {0};
        assert_false(denied_digest_lift(tx, "ns", &a, T0, &d, &why));
        assert_int_equal(why.code, ERR_NOT_FOUND);
    }
    READ(w)
    {
        OK(denied_digest_list(tx, "ns", &none, 10, &in_force, err));
        OK(denied_digest_list_all(tx, "", &none, 10, &all, err));
    }
    assert_int_equal(in_force.count, 0);
    assert_int_equal(all.count, 1);
    d = deny(w, "ns", "a");
    assert_int_equal(d.changes, 3);
    assert_true(find(w, "ns", "a", &d));
}

static void the_set_has_both_scopes_and_nothing_else(void **state)
{
    struct world *w = *state;
    auto_denied_set struct denied_set set = {0};
    static const char *const in[] = {"1", "2", "3", "4", "5"}, *const out[] = {"6", "7"};
    for (size_t i = 0; i < COUNT(in); i++) {
        (void)deny(w, i % 2 ? DENIED_EVERYWHERE : "ns", in[i]);
    }
    READ(w)
    {
        OK(denied_set_load(tx, SLICE_LIT("ns"), &set, err));
    }
    assert_int_equal(set.count, COUNT(in));
    for (size_t i = 0; i < COUNT(in); i++) {
        struct digest d = digest_of(slice_str(in[i]));
        assert_true(denied_set_has(&set, &d));
    }
    for (size_t i = 0; i < COUNT(out); i++) {
        struct digest d = digest_of(slice_str(out[i]));
        assert_false(denied_set_has(&set, &d));
    }
}

static void there_is_no_entry_for_a_namespace_that_is_not(void **state)
{
    struct world *w = *state;
    struct digest a = digest_of(SLICE_LIT("a"));
    struct denied_digest d;
    WRITE(w)
    {
        struct err why = {0};
        assert_false(denied_digest_put(tx, "nowhere", &a, "r", &w->alice, T0, &d, &why));
        assert_int_equal(why.code, ERR_NAMESPACE_UNKNOWN);
    }
}

static struct digest numbered(int number)
{
    char text[16];
    (void)snprintf(text, sizeof text, "%d", number);
    return digest_of(slice_str(text));
}

static bool put(struct world *w, struct db_tx *tx, int number, struct err *err)
{
    struct denied_digest d;
    struct digest digest = numbered(number);
    return denied_digest_put(tx, "ns", &digest, "r", &w->alice, T0, &d, err);
}

/* As put, without its counting, which would take seconds. */
static bool fill(struct db_tx *tx, int count, struct err *err)
{
    bool ok = true;
    for (int i = 0; ok && i < count; i++) {
        struct digest digest = numbered(i);
        auto_stmt struct db_stmt *q = db_stmt(tx, SQL_DENIED_PUT);
        db_bind_str(q, 1, "ns");
        db_bind_digest(q, 2, &digest);
        db_bind_int(q, 3, T0);
        db_bind_str(q, 4, "alice");
        db_bind_str(q, 5, "r");
        ok = db_run(q, err);
    }
    return ok;
}

static void a_full_list_takes_no_other_but_changes_its_own(void **state)
{
    struct world *w = *state;
    WRITE(w)
    {
        struct err why = {0};
        OK(fill(tx, DENIED_SCOPE_MAX - 1, err));
        OK(put(w, tx, DENIED_SCOPE_MAX - 1, err));
        OK(put(w, tx, 1, err));
        assert_false(put(w, tx, DENIED_SCOPE_MAX, &why));
        assert_int_equal(why.code, ERR_CONFLICT);
    }
}

/* --- overrides -------------------------------------------------------------------------------- */

static struct override override_for(struct world *w, const struct digest *digest)
{
    struct override o = {.namespace_id = w->ns.id,
                         .repository_id = w->repo.id,
                         .repository = "ns/app",
                         .digest = *digest,
                         .reason = "why",
                         .ticket = "T-1",
                         .start_us = T0,
                         .end_us = T0 + HOUR,
                         .created = {.us = T0, .account_id = 3, .name = "alice"}};
    o.identities = xcalloc(1, sizeof *o.identities);
    o.identities[0] = (struct override_identity){.account_id = 8, .name = "ns.k8s"};
    o.identity_count = 1;
    return o;
}

static int64_t store(struct world *w, struct override *o)
{
    WRITE(w)
    {
        OK(override_insert(tx, o, err));
    }
    return o->id;
}

static void states_follow_the_times(void **state)
{
    struct world *w = *state;
    struct digest one = digest_of(SLICE_LIT("one"));
    auto_override struct override o = override_for(w, &one);
    o.start_us = T0 + 10;
    assert_int_equal(override_state_of(&o, T0 + 9), OVERRIDE_AHEAD);
    assert_int_equal(override_state_of(&o, T0 + 10), OVERRIDE_ACTIVE);
    assert_int_equal(override_state_of(&o, o.end_us - 1), OVERRIDE_ACTIVE);
    assert_int_equal(override_state_of(&o, o.end_us), OVERRIDE_EXPIRED);
    o.two_person = true;
    assert_int_equal(override_state_of(&o, T0 + 10), OVERRIDE_WAITING);
    o.approved.us = T0;
    assert_int_equal(override_state_of(&o, T0 + 10), OVERRIDE_ACTIVE);
    o.max_uses = o.uses = 2;
    assert_int_equal(override_state_of(&o, T0 + 10), OVERRIDE_USED_UP);
    o.ended.us = T0;
    assert_int_equal(override_state_of(&o, T0 + 10), OVERRIDE_ENDED);
    assert_true(override_names_account(&o, 8));
    assert_false(override_names_account(&o, 9));
    o.identities[0].account_id = 0;
    assert_false(override_names_account(&o, 0)); /* nobody is not somebody */
}

static void uses_stop_at_their_number(void **state)
{
    struct world *w = *state;
    struct digest one = digest_of(SLICE_LIT("one"));
    auto_override struct override o = override_for(w, &one);
    o.max_uses = 2;
    (void)store(w, &o);
    struct override_standing standing;
    for (int i = 0; i < 3; i++) {
        WRITE(w)
        {
            struct err why = {0};
            int64_t changes = 0;
            bool counted = override_count_use(tx, o.id, 8, T0 + i, &changes, &why);
            assert_int_equal(counted, i < 2);
            assert_int_equal(why.code, i < 2 ? ERR_NONE : ERR_CONFLICT);
            assert_int_equal(changes, i < 2 ? i + 2 : 0);
        }
    }
    READ(w)
    {
        OK(override_standing_get(tx, o.id, 8, T0 + 1 + OVERRIDE_USE_US - 1, &standing, err));
        assert_true(standing.open);
        assert_int_equal(standing.uses, 2);
        OK(override_standing_get(tx, o.id, 8, T0 + 1 + OVERRIDE_USE_US, &standing, err));
        assert_false(standing.open);
        OK(override_standing_get(tx, o.id, 9, T0 + 1, &standing, err));
        assert_false(standing.open);
    }
}

static void nothing_is_used_outside_of_its_time_or_before_it_is_approved(void **state)
{
    static const struct {
        int64_t at_us;
        bool two_person, approve, end, counts;
    } cases[] = {
        {T0, false, false, false, true},         {T0 - 1, false, false, false, false},
        {T0 + HOUR, false, false, false, false}, {T0 + HOUR - 1, false, false, false, true},
        {T0 + 1, true, false, false, false},     {T0 + 1, true, true, false, true},
        {T0 + 1, false, false, true, false},     {T0 + 1, true, true, true, false},
    };
    struct world *w = *state;
    struct digest one = digest_of(SLICE_LIT("one"));
    for (size_t i = 0; i < COUNT(cases); i++) {
        auto_override struct override o = override_for(w, &one);
        o.two_person = cases[i].two_person;
        (void)store(w, &o);
        WRITE(w)
        {
            struct err why = {0};
            int64_t changes = 0;
            if (cases[i].approve) {
                OK(override_set_approved(tx, &o, &w->alice, T0, err));
            }
            if (cases[i].end) {
                OK(override_set_ended(tx, &o, "", &w->alice, T0, err));
            }
            if (override_count_use(tx, o.id, 8, cases[i].at_us, &changes, &why) !=
                cases[i].counts) {
                fail_msg("case %zu", i);
            }
        }
    }
}

static void a_repository_has_a_bounded_number(void **state)
{
    struct world *w = *state;
    struct digest one = digest_of(SLICE_LIT("one"));
    for (int i = 0; i < OVERRIDE_LIVE_MAX; i++) {
        auto_override struct override o = override_for(w, &one);
        (void)store(w, &o);
    }
    auto_override struct override o = override_for(w, &one);
    WRITE(w)
    {
        struct err why = {0};
        assert_false(override_insert(tx, &o, &why));
        assert_int_equal(why.code, ERR_CONFLICT);
    }
    int64_t active = 0;
    READ(w)
    {
        OK(override_count_active(tx, T0, &active, err));
        assert_int_equal(active, OVERRIDE_LIVE_MAX);
        OK(override_count_active(tx, T0 + HOUR, &active, err));
        assert_int_equal(active, 0);
    }
}

static void a_deleted_repository_ends_its_overrides(void **state)
{
    struct world *w = *state;
    struct digest one = digest_of(SLICE_LIT("one"));
    auto_override struct override o = override_for(w, &one), now = {0};
    auto_override_change_list struct override_change_list changes = {0};
    (void)store(w, &o);
    WRITE(w)
    {
        OK(repository_remove(tx, w->repo.id, &w->alice, T0 + 1, err));
    }
    READ(w)
    {
        OK(override_get(tx, w->ns.id, o.id, &now, err));
        OK(override_list_changes(tx, T0, &changes, err));
    }
    assert_int_equal(override_state_of(&now, T0 + 1), OVERRIDE_ENDED);
    assert_int_equal(changes.count, 1);
    assert_int_equal(changes.items[0].changes, 2);
    assert_true(changes.items[0].ended);
}

static void retention_keeps_what_an_override_names_until_it_ends(void **state)
{
    struct world *w = *state;
    struct digest one = push_image(w, "{}", "one"), two = push_image(w, "[]", "two");
    auto_override struct override o = override_for(w, &one);
    enum retention_reason reason;
    (void)store(w, &o);
    READ(w)
    {
        OK(retention_decide_manifest(tx, w->repo.id, &one, 0, T0, &reason, err));
        assert_int_equal(reason, KEPT_OVERRIDE);
        OK(retention_decide_manifest(tx, w->repo.id, &two, 0, T0, &reason, err));
        assert_int_equal(reason, RETENTION_GOES);
        OK(retention_decide_manifest(tx, w->repo.id, &one, 0, T0 + HOUR, &reason, err));
        assert_int_equal(reason, RETENTION_GOES);
    }
    WRITE(w)
    {
        OK(override_set_ended(tx, &o, "", &w->alice, T0, err));
    }
    READ(w)
    {
        OK(retention_decide_manifest(tx, w->repo.id, &one, 0, T0, &reason, err));
        assert_int_equal(reason, RETENTION_GOES);
    }
}

static void another_namespace_does_not_find_it(void **state)
{
    struct world *w = *state;
    struct digest one = digest_of(SLICE_LIT("one"));
    auto_override struct override o = override_for(w, &one), found = {0};
    (void)store(w, &o);
    READ(w)
    {
        struct err why = {0};
        assert_false(override_get(tx, w->ns.id + 1, o.id, &found, &why));
        assert_int_equal(why.code, ERR_NOT_FOUND);
        assert_false(override_get(tx, w->ns.id, o.id + 1, &found, &why));
        OK(override_get(tx, w->ns.id, o.id, &found, err));
    }
    assert_int_equal(found.identity_count, 1);
    assert_string_equal(found.identities[0].name, "ns.k8s");
    assert_true(digest_equal(&found.digest, &one));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(an_entry_concerns_its_scope),
        WORLD_TEST(lifting_is_a_change_and_not_a_removal),
        WORLD_TEST(the_set_has_both_scopes_and_nothing_else),
        WORLD_TEST(there_is_no_entry_for_a_namespace_that_is_not),
        WORLD_TEST(a_full_list_takes_no_other_but_changes_its_own),
        WORLD_TEST(states_follow_the_times),
        WORLD_TEST(uses_stop_at_their_number),
        WORLD_TEST(nothing_is_used_outside_of_its_time_or_before_it_is_approved),
        WORLD_TEST(a_repository_has_a_bounded_number),
        WORLD_TEST(a_deleted_repository_ends_its_overrides),
        WORLD_TEST(retention_keeps_what_an_override_names_until_it_ends),
        WORLD_TEST(another_namespace_does_not_find_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
