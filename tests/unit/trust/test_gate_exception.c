/* The deny list and overrides in the rules (gate.md 10.2, 14): which refusals an override lifts, and
 * that a denied digest is refused whatever else holds. */
#include "storage/actor.h"
#include "tests/unit/trust/gate_world.h"
#include "trust/gate_internal.h"

static const struct gate_override an_override = {
    .id = 7, .end_us = 1800000000000000, .ticket = "INC-7", .counts = true};

static struct gate_denial denial_of(int digest)
{
    return (struct gate_denial){.digest = gate_world_digest(digest),
                                .reason = "a backdoor",
                                .who = "alice@example.org",
                                .since_us = 1790000000000000};
}

/* gate.md 14, word by word: "unsigned*, digest_mismatch, length_mismatch, expired_*, signer_policy".
 * A blob of what it lets through is reached by it. */
static bool is_lifted(const char *name)
{
    static const char *const lifted[] = {"unsigned",        "unsigned_digest",
                                         "digest_mismatch", "length_mismatch",
                                         "signer_policy",   "blob_not_reachable"};
    for (size_t i = 0; i < COUNT(lifted); i++) {
        if (strcmp(name, lifted[i]) == 0) {
            return true;
        }
    }
    return strncmp(name, "expired_", strlen("expired_")) == 0;
}

static struct decision decided(enum gate_reason reason, int serve)
{
    struct decision d = {.reason = reason, .message = "content trust: said"};
    if (gate_reason_info(reason)->status == 200) {
        d.effect = EFFECT_ALLOW;
        d.serve = gate_world_digest(serve);
        d.message[0] = '\0';
    }
    return d;
}

static void an_override_lifts_what_it_may_and_nothing_else(void **state)
{
    (void)state;
    const struct digest there = gate_world_digest(D1);
    const struct gate_exceptions exceptions = {.override = &an_override};
    for (int r = 0; r < REASON_COUNT; r++) {
        const struct gate_reason_info *info = gate_reason_info((enum gate_reason)r);
        struct decision d = decided((enum gate_reason)r, D1);
        gate_except(&there, &exceptions, &d);
        bool lifted = info->status == 403 && is_lifted(info->name);
        if ((d.reason == REASON_OVERRIDE) != (lifted || r == REASON_OVERRIDE)) {
            fail_msg("%s", info->name);
        }
        assert_int_equal(d.effect == EFFECT_ALLOW, lifted || info->status == 200);
        if (lifted) {
            assert_true(digest_equal(&d.serve, &there));
            assert_int_equal(d.override_id, 7);
            assert_true(d.override_counts);
            assert_int_equal(d.valid_until_us, an_override.end_us);
            assert_non_null(strstr(d.warning, "override 7 until 2027-01-15T08:00:00Z (INC-7)"));
            assert_non_null(strstr(d.warning, "content trust: said"));
            assert_string_equal(d.message, "");
        } else if (r != REASON_OVERRIDE) {
            assert_int_equal(d.override_id, 0);
        }
    }
}

/* The message is shown in part: no place to cut it leaves half a character. */
static void what_an_override_shows_of_a_refusal_is_whole_characters(void **state)
{
    (void)state;
    const struct digest there = gate_world_digest(D1);
    struct gate_override override = an_override;
    char ticket[101];
    memset(ticket, 0, sizeof ticket);
    for (int i = 0; i < 50; i++) {
        memcpy(ticket + 2 * i, "\xc3\xa9", 2);
    }
    override.ticket = ticket;
    for (size_t before = 0; before < 4; before++) {
        const struct gate_exceptions exceptions = {.override = &override};
        struct decision d = {.reason = REASON_UNSIGNED};
        memset(d.message, 'x', before);
        for (size_t n = before; n + 4 < 500; n += 4) {
            memcpy(d.message + n, "\xf0\x9f\x98\x80", 4);
        }
        gate_except(&there, &exceptions, &d);
        assert_int_equal(d.reason, REASON_OVERRIDE);
        assert_true(slice_is_utf8(slice_str(d.warning)));
        assert_non_null(strstr(d.warning, ticket));
    }
}

static void who_denied_is_shown_in_whole_characters(void **state)
{
    (void)state;
    const struct digest there = gate_world_digest(D1);
    struct gate_denial denial = denial_of(D1);
    char who[ACTOR_NAME_MAX + 1] = "x";
    for (size_t n = 1; n + 3 < sizeof who; n += 3) {
        memcpy(who + n, "\xe2\x82\xac", 3);
    }
    denial.who = who;
    const struct gate_exceptions exceptions = {.denial = &denial};
    struct decision d = decided(REASON_ALLOWED, D1);
    gate_except(&there, &exceptions, &d);
    assert_int_equal(d.reason, REASON_DENIED_DIGEST);
    assert_true(slice_is_utf8(slice_str(d.message)));
    assert_non_null(strstr(d.message, "\xe2\x82\xac: a backdoor"));
}

static void a_denied_digest_is_refused_whatever_else_holds(void **state)
{
    (void)state;
    const struct digest there = gate_world_digest(D1);
    const struct gate_denial denial = denial_of(D1);
    const struct gate_exceptions both = {.denial = &denial, .override = &an_override};
    for (int r = 0; r < REASON_COUNT; r++) {
        const struct gate_reason_info *info = gate_reason_info((enum gate_reason)r);
        struct decision d = decided((enum gate_reason)r, D1);
        gate_except(&there, &both, &d);
        bool concerns = info->status == 200 || info->status == 403;
        assert_int_equal(d.reason, concerns ? REASON_DENIED_DIGEST : (enum gate_reason)r);
        assert_int_equal(d.effect, EFFECT_DENY);
        if (concerns) {
            assert_false(digest_is_set(&d.serve));
            assert_non_null(strstr(d.message, "a backdoor"));
            assert_non_null(strstr(d.message, "alice@example.org"));
            assert_non_null(strstr(d.phrase, "(denied_digest)"));
        }
    }
}

static void what_is_not_served_is_not_refused_for(void **state)
{
    (void)state;
    const struct digest there = gate_world_digest(D1);
    const struct gate_denial denial = denial_of(D1);
    const struct gate_exceptions exceptions = {.denial = &denial};
    struct decision d = decided(REASON_SERVED_SIGNED, D2);
    gate_except(&there, &exceptions, &d); /* the tag points to D1, the signed D2 is served */
    assert_int_equal(d.reason, REASON_SERVED_SIGNED);
    d = decided(REASON_UNKNOWN, D1);
    gate_except(NULL, &exceptions, &d);
    assert_int_equal(d.reason, REASON_UNKNOWN);
}

/* --- in the rules ----------------------------------------------------------------------------- */

static void by_tag(void **state)
{
    static const struct gate_lists lists[] = {{.tag = "v1", .digest = D1}, {.tag = NULL}};
    const struct gate_denial denied1 = denial_of(D1), denied2 = denial_of(D2);
    struct gate_world w;
    (void)state;
    gate_world_init(&w);
    (void)gate_world_role(&w, "targets", NULL, 1, lists);
    struct tag_name v1 = gate_world_tag("v1");
    struct gate_registry_tag moved = gate_world_registry(D2, 0);
    moved.exceptions.override = &an_override;
    struct decision d = gate_tag(&w.facts, &v1, &moved);
    assert_int_equal(d.reason, REASON_OVERRIDE);
    assert_true(digest_equal(&d.serve, &moved.digest));

    w.facts.suspicion = "set back";
    d = gate_tag(&w.facts, &v1, &moved);
    assert_int_equal(d.reason, REASON_ROLLBACK_SUSPECTED);
    w.facts.suspicion = NULL;

    w.state.status = TRUST_ROOT_KEY_REVOKED;
    d = gate_tag(&w.facts, &v1, &moved);
    assert_int_equal(d.reason, REASON_ROOT_KEY_REVOKED);
    w.state.status = TRUST_OK;

    w.facts.trust = NULL; /* could not be read */
    d = gate_tag(&w.facts, &v1, &moved);
    assert_int_equal(d.reason, REASON_INDETERMINATE);
    assert_int_equal(d.effect, EFFECT_DENY);
    w.facts.trust = &w.state;

    moved.exceptions.denial = &denied2;
    d = gate_tag(&w.facts, &v1, &moved);
    assert_int_equal(d.reason, REASON_DENIED_DIGEST);

    struct gate_registry_tag same = gate_world_registry(D1, 0);
    d = gate_tag(&w.facts, &v1, &same);
    assert_int_equal(d.reason, REASON_ALLOWED);
    same.exceptions.denial = &denied1; /* G-28 */
    d = gate_tag(&w.facts, &v1, &same);
    assert_int_equal(d.reason, REASON_DENIED_DIGEST);
    w.policy.level = LEVEL_WARN;
    d = gate_tag(&w.facts, &v1, &same);
    assert_int_equal(d.reason, REASON_WOULD_DENY);
    w.policy.level = LEVEL_OFF;
    d = gate_tag(&w.facts, &v1, &same);
    assert_int_equal(d.reason, REASON_OFF);
    gate_world_free(&w);
}

static void a_denied_signed_image_is_not_served_in_place_of_another(void **state)
{
    static const struct gate_lists lists[] = {{.tag = "v1", .digest = D1}, {.tag = NULL}};
    const struct gate_denial denied = denial_of(D1);
    struct gate_world w;
    (void)state;
    gate_world_init(&w);
    (void)gate_world_role(&w, "targets", NULL, 1, lists);
    w.policy.on_mismatch = MISMATCH_SERVE_SIGNED;
    struct tag_name v1 = gate_world_tag("v1");
    struct gate_registry_tag moved = gate_world_registry(D2, 0);
    moved.signed_present = true;
    moved.signed_size = SIZE;
    struct decision d = gate_tag(&w.facts, &v1, &moved);
    assert_int_equal(d.reason, REASON_SERVED_SIGNED);
    moved.signed_denial = &denied;
    d = gate_tag(&w.facts, &v1, &moved);
    assert_int_equal(d.reason, REASON_DENIED_DIGEST);
    assert_int_equal(d.effect, EFFECT_DENY);
    gate_world_free(&w);
}

static void by_digest_and_blob(void **state)
{
    static const struct gate_lists lists[] = {{.tag = "v1", .digest = D1}, {.tag = NULL}};
    const struct digest other = gate_world_digest(D2);
    const struct gate_denial parent = denial_of(D3);
    struct gate_world w;
    (void)state;
    gate_world_init(&w);
    (void)gate_world_role(&w, "targets", NULL, 1, lists);
    struct gate_held held = {.manifest = true, .exceptions = {.override = &an_override}};
    struct gate_reached none = {.kind = REACH_NONE};
    assert_int_equal(gate_digest(&w.facts, &other, &none, &held).reason, REASON_OVERRIDE);
    held = (struct gate_held){.blob = true, .exceptions = {.override = &an_override}};
    assert_int_equal(gate_blob(&w.facts, &other, &none, &held).reason, REASON_OVERRIDE);
    held = (struct gate_held){.exceptions = {.override = &an_override}};
    assert_int_equal(gate_digest(&w.facts, &other, &none, &held).reason, REASON_UNKNOWN);
    assert_int_equal(gate_blob(&w.facts, &other, &none, &held).reason, REASON_BLOB_UNKNOWN);

    struct gate_reached denied = {.kind = REACH_DENIED,
                                  .is_manifest = true,
                                  .root = gate_world_digest(D3),
                                  .valid_until_us = INT64_MAX};
    held = (struct gate_held){.manifest = true, .blob = true, .exceptions = {.denial = &parent}};
    struct decision d = gate_digest(&w.facts, &other, &denied, &held);
    assert_int_equal(d.reason, REASON_DENIED_DIGEST);
    assert_non_null(strstr(d.message, "part of a denied image"));
    held.exceptions.denial = NULL; /* its entry was lifted, and the view is not built anew yet */
    assert_int_equal(gate_digest(&w.facts, &other, &denied, &held).effect, EFFECT_DENY);
    held.manifest = false;
    assert_int_equal(gate_blob(&w.facts, &other, &denied, &held).effect, EFFECT_DENY);
    gate_world_free(&w);
}

/* gate.md 14: never lifts rollback_suspected, of the store, of the repository or of one role of it,
 * by tag, by digest, or for a blob. */
static void an_override_does_not_act_on_what_was_set_back(void **state)
{
    static const struct gate_lists lists[] = {{.tag = "v1", .digest = D1}, {.tag = NULL}};
    enum part { NOTHING, STORE, REPOSITORY, RELEASES, SIGNER, PART_COUNT };
    const struct digest other = gate_world_digest(D2);
    const struct gate_reached none = {.kind = REACH_NONE};
    (void)state;
    for (int part = NOTHING; part < PART_COUNT; part++) {
        struct gate_world w;
        gate_world_init(&w);
        (void)gate_world_role(&w, "targets", NULL, 1, lists);
        struct trust_role *releases = gate_world_role(&w, ROLE_RELEASES, "prod-", 1, NULL);
        struct trust_role *signer = gate_world_role(&w, "targets/alice", NULL, 1, NULL);
        w.facts.suspicion = part == STORE ? "set back" : NULL;
        w.state.status = part == REPOSITORY ? TRUST_ROLLBACK : TRUST_OK;
        releases->state = part == RELEASES ? ROLE_STATE_ROLLBACK : ROLE_STATE_OK;
        signer->state = part == SIGNER ? ROLE_STATE_ROLLBACK : ROLE_STATE_OK;
        struct tag_name v9 = gate_world_tag("v9");
        struct gate_registry_tag unsigned_tag = gate_world_registry(D2, 0);
        unsigned_tag.exceptions.override = &an_override;
        const struct gate_held manifest = {.manifest = true,
                                           .exceptions = {.override = &an_override}};
        const struct gate_held blob = {.blob = true, .exceptions = {.override = &an_override}};
        const struct decision made[] = {gate_tag(&w.facts, &v9, &unsigned_tag),
                                        gate_digest(&w.facts, &other, &none, &manifest),
                                        gate_blob(&w.facts, &other, &none, &blob)};
        for (size_t i = 0; i < COUNT(made); i++) {
            assert_int_equal(made[i].reason,
                             part == NOTHING ? REASON_OVERRIDE : REASON_ROLLBACK_SUSPECTED);
            assert_int_equal(made[i].effect, part == NOTHING ? EFFECT_ALLOW : EFFECT_DENY);
            assert_true((made[i].message[0] != '\0') == (part != NOTHING));
        }
        gate_world_free(&w);
    }
}

static void who_is_not_gated_has_no_exceptions(void **state)
{
    const struct digest one = gate_world_digest(D1);
    const struct gate_denial denial = denial_of(D1);
    struct gate_world w;
    (void)state;
    gate_world_init(&w);
    w.facts.enforced = false;
    struct gate_held held = {.manifest = true, .exceptions = {.denial = &denial}};
    struct gate_reached none = {.kind = REACH_NONE};
    assert_int_equal(gate_digest(&w.facts, &one, &none, &held).reason, REASON_NOT_GATED);
    gate_world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_override_lifts_what_it_may_and_nothing_else),
        cmocka_unit_test(what_an_override_shows_of_a_refusal_is_whole_characters),
        cmocka_unit_test(who_denied_is_shown_in_whole_characters),
        cmocka_unit_test(a_denied_digest_is_refused_whatever_else_holds),
        cmocka_unit_test(what_is_not_served_is_not_refused_for),
        cmocka_unit_test(by_tag),
        cmocka_unit_test(a_denied_signed_image_is_not_served_in_place_of_another),
        cmocka_unit_test(by_digest_and_blob),
        cmocka_unit_test(an_override_does_not_act_on_what_was_set_back),
        cmocka_unit_test(who_is_not_gated_has_no_exceptions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
