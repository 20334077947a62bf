/* The tag rule (gate.md 5): each good case beside its hostile twin. */
#include "tests/unit/trust/gate_world.h"

enum setup {
    PLAIN,          /* targets/releases is not delegated */
    RELEASES,       /* delegated, valid */
    RELEASES_ABSENT /* delegated, nothing published */
};

struct gate_case {
    const char *name;
    int targets, releases, alice, nested; /* digest that the role lists for v1; 0 = not listed */
    bool alice_bob_differ;                /* bob lists D2 */
    enum setup setup;
    enum role_state
        releases_state; /* 0 (BAD) counts only with setup RELEASES and releases_broken */
    bool releases_broken;
    bool withdrawn;       /* releases listed v1 until two days ago */
    bool moved;           /* releases lists v1 outside its paths, since two days ago as D2 */
    int targets_since;    /* days; when the entry of targets began */
    int registry;         /* digest of the tag; 0 = no tag */
    int64_t size, length; /* 0 = SIZE */
    bool present,
        was_here; /* the signed manifest is in the repository; the tag has pointed to it */
    enum policy_mismatch on_mismatch;
    enum policy_fallback fallback;
    enum gate_effect effect;
    enum gate_reason reason;
    int serve;
};

#define ALLOWED(d) .effect = EFFECT_ALLOW, .reason = REASON_ALLOWED, .serve = (d)
#define SERVED(d) .effect = EFFECT_ALLOW, .reason = REASON_SERVED_SIGNED, .serve = (d)
#define DENIED(r) .effect = EFFECT_DENY, .reason = REASON_##r

static const struct gate_case cases[] = {
    {"signed, and the registry holds it", .targets = D1, .registry = D1, ALLOWED(D1)},
    {"the tag moved after signing", .targets = D1, .registry = D2, DENIED(DIGEST_MISMATCH)},
    {"never signed", .registry = D1, DENIED(UNSIGNED)},
    {"signed, but no such tag", .targets = D1, .present = true, DENIED(SIGNED_NOT_PUSHED)},
    {"neither signed nor there", .registry = 0, DENIED(UNKNOWN)},
    {"the length differs", .targets = D1, .registry = D1, .length = 9999, DENIED(LENGTH_MISMATCH)},

    {"released by targets/releases", .setup = RELEASES, .releases = D1, .registry = D1,
     ALLOWED(D1)},
    {"releases wins over targets", .setup = RELEASES, .releases = D2, .targets = D1, .registry = D1,
     DENIED(DIGEST_MISMATCH)},
    {"releases wins over targets, registry agrees", .setup = RELEASES, .releases = D2,
     .targets = D1, .registry = D2, ALLOWED(D2)},
    {"only a signer's own role lists it", .setup = RELEASES, .alice = D1, .registry = D1,
     DENIED(UNSIGNED)},
    {"a signer's role says otherwise", .setup = RELEASES, .releases = D1, .alice = D2,
     .registry = D1, ALLOWED(D1)},
    {"only a role below releases lists it", .setup = RELEASES, .nested = D1, .registry = D1,
     DENIED(UNSIGNED)},
    {"a role below releases hides targets", .setup = RELEASES, .nested = D1, .targets = D1,
     .registry = D1, DENIED(UNSIGNED)},
    {"releases is silent, targets decides", .setup = RELEASES, .targets = D1, .registry = D1,
     ALLOWED(D1)},
    {"releases was never published, targets decides", .setup = RELEASES_ABSENT, .targets = D1,
     .registry = D1, ALLOWED(D1)},

    {"releases expired: no way back to targets", .setup = RELEASES, .releases_broken = true,
     .releases_state = ROLE_STATE_EXPIRED, .releases = D2, .targets = D1, .registry = D1,
     DENIED(EXPIRED_ROLE)},
    {"releases fails its signature", .setup = RELEASES, .releases_broken = true,
     .releases_state = ROLE_STATE_BAD, .targets = D1, .registry = D1, DENIED(BAD_TRUST_DATA)},
    {"releases lacks signatures", .setup = RELEASES, .releases_broken = true,
     .releases_state = ROLE_STATE_THRESHOLD, .targets = D1, .registry = D1, DENIED(THRESHOLD)},
    {"releases vanished from the snapshot", .setup = RELEASES, .releases_broken = true,
     .releases_state = ROLE_STATE_VANISHED, .targets = D1, .registry = D1, DENIED(VANISHED_ROLE)},
    {"releases went back in version", .setup = RELEASES, .releases_broken = true,
     .releases_state = ROLE_STATE_ROLLBACK, .targets = D1, .registry = D1,
     DENIED(ROLLBACK_SUSPECTED)},

    {"withdrawn, an older entry left in targets", .setup = RELEASES, .targets = D1,
     .targets_since = -9, .withdrawn = true, .registry = D1, DENIED(REVOKED)},
    {"withdrawn, the entry in targets came with it", .setup = RELEASES, .targets = D1,
     .targets_since = -2, .withdrawn = true, .registry = D1, DENIED(REVOKED)},
    {"withdrawn, then signed in targets again", .setup = RELEASES, .targets = D1,
     .targets_since = -1, .withdrawn = true, .registry = D1, ALLOWED(D1)},
    {"withdrawn, releases is no longer delegated", .setup = PLAIN, .targets = D1,
     .targets_since = -9, .withdrawn = true, .registry = D1, DENIED(REVOKED)},
    {"moved in releases outside of its paths, which is no withdrawal", .setup = RELEASES,
     .targets = D1, .targets_since = -9, .moved = true, .registry = D1, ALLOWED(D1)},
    {"withdrawn, docker's bare rule", .setup = RELEASES, .targets = D1, .targets_since = -9,
     .withdrawn = true, .fallback = FALLBACK_DOCKER, .registry = D1, ALLOWED(D1)},
    {"withdrawn and gone from targets too", .setup = RELEASES, .withdrawn = true, .registry = D1,
     DENIED(UNSIGNED)},
    {"strict: targets does not count beside releases", .setup = RELEASES, .targets = D1,
     .fallback = FALLBACK_NEVER, .registry = D1, DENIED(UNSIGNED)},
    {"strict: without releases targets counts", .setup = PLAIN, .targets = D1,
     .fallback = FALLBACK_NEVER, .registry = D1, ALLOWED(D1)},

    {"serve_signed: the signed one is served", .targets = D1, .registry = D2, .present = true,
     .on_mismatch = MISMATCH_SERVE_SIGNED, SERVED(D1)},
    {"serve_signed: the signed one is not here", .targets = D1, .registry = D2,
     .on_mismatch = MISMATCH_SERVE_SIGNED, DENIED(DIGEST_MISMATCH)},
    {"serve_signed: no tag", .targets = D1, .present = true, .on_mismatch = MISMATCH_SERVE_SIGNED,
     SERVED(D1)},
    {"serve_signed: no tag, nothing here", .targets = D1, .on_mismatch = MISMATCH_SERVE_SIGNED,
     DENIED(SIGNED_NOT_PUSHED)},
    {"serve_signed: a wrong length is not served", .targets = D1, .length = 9999, .registry = D2,
     .present = true, .on_mismatch = MISMATCH_SERVE_SIGNED, DENIED(LENGTH_MISMATCH)},
    {"hold: the tag has pointed to it", .targets = D1, .registry = D2, .present = true,
     .was_here = true, .on_mismatch = MISMATCH_HOLD, SERVED(D1)},
    {"hold: the tag never pointed to it", .targets = D1, .registry = D2, .present = true,
     .on_mismatch = MISMATCH_HOLD, DENIED(DIGEST_MISMATCH)},
};

static void add_role(struct gate_world *w, const char *name, int key, int digest, int64_t length)
{
    const struct gate_lists list[] = {{.tag = "v1", .digest = digest, .length = length},
                                      {.tag = NULL}};
    (void)gate_world_role(w, name, NULL, key, digest ? list : NULL);
}

static void build(struct gate_world *w, const struct gate_case *c)
{
    gate_world_init(w);
    w->policy.on_mismatch = c->on_mismatch;
    w->policy.fallback = c->fallback;
    add_role(w, "targets", 1, c->targets, c->length);
    if (c->setup != PLAIN) {
        add_role(w, "targets/releases", 2, c->releases, 0);
        w->roles[1].state = c->setup == RELEASES_ABSENT ? ROLE_STATE_ABSENT : ROLE_STATE_OK;
        if (c->releases_broken) {
            w->roles[1].state = c->releases_state;
        }
        add_role(w, "targets/alice", 3, c->alice, 0);
        add_role(w, "targets/releases/x", 4, c->nested, 0);
    }
    if (c->withdrawn) {
        (void)gate_world_listed(w, "targets/releases", "v1", D3, -20, -2, LISTING_WITHDRAWN);
    }
    if (c->moved) {
        (void)gate_world_listed(w, "targets/releases", "v1", D3, -20, -2, LISTING_REPLACED);
        (void)gate_world_listed(w, "targets/releases", "v1", D2, -2, 0, LISTING_OPEN);
    }
    if (c->targets) {
        (void)gate_world_listed(w, "targets", "v1", c->targets,
                                c->targets_since ? c->targets_since : -30, 0, LISTING_OPEN);
    }
}

static void check_words(const struct gate_case *c, const struct decision *d)
{
    if (d->effect == EFFECT_ALLOW) {
        CHECK_CASE(d->phrase[0] == '\0' && d->message[0] == '\0', c->name);
        return;
    }
    CHECK_CASE(strncmp(d->message, "content trust: ", 15) == 0, c->name);
    CHECK_CASE(strstr(d->phrase, "content trust: ") != NULL, c->name);
    CHECK_CASE(strlen(d->phrase) <= 160, c->name);
    CHECK_CASE(strstr(d->phrase, gate_reason_info(d->reason)->name) != NULL, c->name);
    for (const char *p = d->phrase; *p; p++) {
        CHECK_CASE(*p >= 0x20 && *p <= 0x7e, c->name);
    }
}

/* gate.md 5.1: an entry is as old as its digest and length are there without a gap. */
static void what_is_written_anew_in_targets_is_no_younger_than_a_withdrawal(void **unused)
{
    static const struct {
        const char *name;
        int digest;
        int64_t more;
        enum listing_end end;
        int until;
        enum gate_reason reason;
    } earlier[] = {
        {"another further hash", D1, 0, LISTING_REPLACED, -1, REASON_REVOKED},
        {"another digest before", D2, 0, LISTING_REPLACED, -1, REASON_ALLOWED},
        {"another length before", D1, 1, LISTING_REPLACED, -1, REASON_ALLOWED},
        {"taken out and signed again", D1, 0, LISTING_WITHDRAWN, -3, REASON_ALLOWED},
    };
    struct tag_name tag = gate_world_tag("v1");
    struct gate_registry_tag registry = gate_world_registry(D1, 0);
    (void)unused;
    for (size_t i = 0; i < COUNT(earlier); i++) {
        struct gate_world w;
        gate_world_init(&w);
        add_role(&w, "targets", 1, D1, 0);
        (void)gate_world_listed(&w, "targets/releases", "v1", D3, -20, -2, LISTING_WITHDRAWN);
        gate_world_listed(&w, "targets", "v1", earlier[i].digest, -9, earlier[i].until, earlier[i].end)
            ->length += earlier[i].more;
        (void)gate_world_listed(&w, "targets", "v1", D1, -1, 0, LISTING_OPEN);
        CHECK_CASE(gate_tag(&w.facts, &tag, &registry).reason == earlier[i].reason, earlier[i].name);
        gate_world_free(&w);
    }
}

static void every_case_decides(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct gate_case *c = &cases[i];
        struct gate_world w;
        struct tag_name tag = gate_world_tag("v1");
        build(&w, c);
        struct gate_registry_tag registry = gate_world_registry(c->registry, c->size);
        registry.signed_present = c->present;
        registry.signed_size = SIZE;
        registry.signed_was_here = c->was_here;
        struct decision d = gate_tag(&w.facts, &tag, &registry);
        if (d.effect != c->effect || d.reason != c->reason) {
            fail_msg("%s: %s (%s), wanted %s", c->name, gate_reason_info(d.reason)->name, d.message,
                     gate_reason_info(c->reason)->name);
        }
        struct digest want = c->serve ? gate_world_digest(c->serve) : (struct digest){0};
        CHECK_CASE(digest_equal(&d.serve, &want), c->name);
        CHECK_CASE((d.warning[0] != '\0') == (d.reason == REASON_SERVED_SIGNED), c->name);
        check_words(c, &d);
        gate_world_free(&w);
    }
}

static void a_zero_decision_refuses(void **unused)
{
    struct decision d = {0};
    (void)unused;
    assert_int_equal(d.effect, EFFECT_DENY);
    assert_int_equal(gate_reason_info(d.reason)->status, 503);
}

/* --- the whole state -----------------------------------------------------------------------------
 */

static void every_status_has_its_reason(void **unused)
{
    static const struct {
        enum trust_status status;
        enum gate_reason reason;
    } statuses[] = {
        {TRUST_BAD_DATA, REASON_BAD_TRUST_DATA},
        {TRUST_ROOT_PINNED, REASON_ROOT_PINNED},
        {TRUST_ROOT_CHANGED, REASON_ROOT_CHANGED},
        {TRUST_ROOT_KEY_REVOKED, REASON_ROOT_KEY_REVOKED},
        {TRUST_EXPIRED_ROOT, REASON_EXPIRED_ROOT},
        {TRUST_EXPIRED_TIMESTAMP, REASON_EXPIRED_TIMESTAMP},
        {TRUST_EXPIRED_SNAPSHOT, REASON_EXPIRED_SNAPSHOT},
        {TRUST_EXPIRED_TARGETS, REASON_EXPIRED_TARGETS},
        {TRUST_ROLLBACK, REASON_ROLLBACK_SUSPECTED},
        {TRUST_THRESHOLD, REASON_THRESHOLD},
        {TRUST_NOT_INITIALISED, REASON_UNSIGNED},
    };
    struct gate_world w;
    struct tag_name tag = gate_world_tag("v1");
    (void)unused;
    gate_world_init(&w);
    add_role(&w, "targets", 1, D1, 0); /* would allow, were the state sound */
    for (size_t i = 0; i < COUNT(statuses); i++) {
        struct gate_registry_tag registry = gate_world_registry(D1, 0);
        w.state.status = statuses[i].status;
        struct decision d = gate_tag(&w.facts, &tag, &registry);
        const char *name = gate_reason_info(statuses[i].reason)->name;
        CHECK_CASE(d.effect == EFFECT_DENY && d.reason == statuses[i].reason, name);
        struct gate_reached reached = {.kind = REACH_NONE};
        struct gate_held held = {.manifest = true};
        struct digest digest = gate_world_digest(D1);
        d = gate_digest(&w.facts, &digest, &reached, &held);
        CHECK_CASE(d.effect == EFFECT_DENY, name);
    }
    w.facts.trust = NULL;
    struct gate_registry_tag registry = gate_world_registry(D1, 0);
    struct decision d = gate_tag(&w.facts, &tag, &registry);
    assert_int_equal(d.reason, REASON_INDETERMINATE);
    assert_int_equal(d.effect, EFFECT_DENY);
    gate_world_free(&w);
}

static void a_wipe_is_told(void **unused)
{
    struct gate_world w;
    struct tag_name tag = gate_world_tag("v1");
    struct gate_registry_tag registry = gate_world_registry(D1, 0);
    struct gate_tombstone stone = {
        .who = "owner@example.org", .when_us = vectors_now(), .reason = "lost key"};
    (void)unused;
    gate_world_init(&w);
    w.state.status = TRUST_NOT_INITIALISED;
    w.facts.tombstone = &stone;
    struct decision d = gate_tag(&w.facts, &tag, &registry);
    assert_int_equal(d.reason, REASON_UNSIGNED);
    assert_non_null(
        strstr(d.message,
               "trust data was wiped by owner@example.org on 2026-11-24T06:00:00Z; sign it again"));
    gate_world_free(&w);
}

/* --- levels, coverage ------------------------------------------------------------------------- */

static void levels(void **unused)
{
    static const struct {
        enum policy_level level;
        bool gated, pusher, enforced;
    } table[] = {
        {LEVEL_OFF, true, false, false},   {LEVEL_WARN, true, false, true},
        {LEVEL_WARN, false, false, false}, {LEVEL_DEPLOY, true, false, true},
        {LEVEL_DEPLOY, true, true, true},  {LEVEL_DEPLOY, false, false, false},
        {LEVEL_ALL, false, false, true},   {LEVEL_ALL, false, true, false},
        {LEVEL_ALL, true, true, true},     {LEVEL_LOCK, false, false, true},
        {LEVEL_LOCK, false, true, false},
    };
    (void)unused;
    for (size_t i = 0; i < COUNT(table); i++) {
        CHECK_CASE(gate_enforced(table[i].level, table[i].gated, table[i].pusher) ==
                       table[i].enforced,
                   policy_level_name(table[i].level));
    }
}

static void off_and_ungated_are_served_what_is_there(void **unused)
{
    struct gate_world w;
    struct tag_name tag = gate_world_tag("v1");
    struct gate_registry_tag registry = gate_world_registry(D2, 0),
                             none = gate_world_registry(0, 0);
    struct digest d2 = gate_world_digest(D2);
    (void)unused;
    gate_world_init(&w);
    add_role(&w, "targets", 1, D1, 0);
    w.facts.enforced = false;
    struct decision d = gate_tag(&w.facts, &tag, &registry);
    assert_int_equal(d.reason, REASON_NOT_GATED);
    assert_true(d.effect == EFFECT_ALLOW && digest_equal(&d.serve, &d2) && !d.enforced);
    d = gate_tag(&w.facts, &tag, &none);
    assert_true(d.effect == EFFECT_DENY && d.reason == REASON_UNKNOWN);
    w.facts.enforced = true;
    w.policy.level = LEVEL_OFF;
    d = gate_tag(&w.facts, &tag, &registry);
    assert_true(d.effect == EFFECT_ALLOW && d.reason == REASON_OFF && digest_equal(&d.serve, &d2));
    gate_world_free(&w);
}

/* gate.md 4.2: signed or not, initialised or not. */
static void a_suspect_store_allows_no_tag_and_locks_every_tag(void **unused)
{
    static const enum trust_status statuses[] = {TRUST_OK, TRUST_NOT_INITIALISED,
                                                 TRUST_EXPIRED_ROOT};
    static const struct {
        enum policy_level level;
        enum gate_effect effect;
        enum gate_reason reason;
    } answers[] = {{LEVEL_OFF, EFFECT_ALLOW, REASON_OFF},
                   {LEVEL_WARN, EFFECT_ALLOW, REASON_WOULD_DENY},
                   {LEVEL_DEPLOY, EFFECT_DENY, REASON_ROLLBACK_SUSPECTED},
                   {LEVEL_ALL, EFFECT_DENY, REASON_ROLLBACK_SUSPECTED},
                   {LEVEL_LOCK, EFFECT_DENY, REASON_ROLLBACK_SUSPECTED}};
    (void)unused;
    for (size_t i = 0; i < COUNT(statuses); i++) {
        for (size_t k = 0; k < COUNT(answers); k++) {
            struct gate_world w;
            struct tag_name tag = gate_world_tag("v1");
            struct gate_registry_tag registry = gate_world_registry(D1, 0);
            gate_world_init(&w);
            add_role(&w, "targets", 1, D1, 0);
            w.state.status = statuses[i];
            w.policy.level = answers[k].level;
            w.facts.suspicion = "the store was set back";
            struct decision d = gate_tag(&w.facts, &tag, &registry);
            assert_int_equal(d.effect, answers[k].effect);
            assert_int_equal(d.reason, answers[k].reason);
            d = gate_put(&w.facts, &tag, &registry.digest);
            assert_int_equal(d.effect, answers[k].level == LEVEL_LOCK ? EFFECT_DENY : EFFECT_ALLOW);
            gate_world_free(&w);
        }
    }
}

static void warn_serves_and_warns(void **unused)
{
    struct gate_world w;
    struct tag_name tag = gate_world_tag("v1");
    struct gate_registry_tag registry = gate_world_registry(D2, 0),
                             none = gate_world_registry(0, 0);
    struct digest d2 = gate_world_digest(D2);
    (void)unused;
    gate_world_init(&w);
    add_role(&w, "targets", 1, D1, 0);
    w.policy.level = LEVEL_WARN;
    struct decision d = gate_tag(&w.facts, &tag, &registry);
    assert_true(d.effect == EFFECT_ALLOW && d.reason == REASON_WOULD_DENY &&
                digest_equal(&d.serve, &d2));
    assert_non_null(strstr(d.warning, "is signed as"));
    d = gate_tag(&w.facts, &tag, &none); /* a tag that is not there cannot be served */
    assert_true(d.effect == EFFECT_DENY && d.reason == REASON_SIGNED_NOT_PUSHED);
    w.facts.trust = NULL; /* what cannot be decided is no warning */
    d = gate_tag(&w.facts, &tag, &registry);
    assert_true(d.effect == EFFECT_DENY && d.reason == REASON_INDETERMINATE);
    gate_world_free(&w);
}

static void tags_outside_the_policy_are_refused(void **unused)
{
    struct gate_world w;
    struct gate_registry_tag registry = gate_world_registry(D1, 0);
    const struct gate_lists list[] = {
        {.tag = "v1", .digest = D1}, {.tag = "prod-1", .digest = D1}, {.tag = NULL}};
    struct tag_name v1 = gate_world_tag("v1"), prod = gate_world_tag("prod-1");
    (void)unused;
    gate_world_init(&w);
    (void)gate_world_role(&w, "targets", NULL, 1, list);
    free(w.policy.tags.items[0]);
    w.policy.tags.items[0] = xstrdup("prod-*");
    struct decision d = gate_tag(&w.facts, &prod, &registry);
    assert_int_equal(d.reason, REASON_ALLOWED);
    d = gate_tag(&w.facts, &v1, &registry);
    assert_int_equal(d.reason, REASON_NOT_COVERED);
    gate_world_free(&w);
}

/* gate.md 5: what a tag is about is asked (step 2) before what the policy covers (step 3). */
static void an_artifact_tag_that_is_not_there_is_unknown_whatever_the_policy_covers(void **unused)
{
    struct gate_world w;
    struct gate_registry_tag none = gate_world_registry(0, 0);
    struct tag_name v1 = gate_world_tag("v1");
    struct tag_name about = gate_world_tag(
        "sha256-f20a9d45c0e80b16cf903109ae927c767a0da804e97176ebe685df4136b9ca4d.att");
    (void)unused;
    gate_world_init(&w);
    add_role(&w, "targets", 1, D1, 0);
    free(w.policy.tags.items[0]);
    w.policy.tags.items[0] = xstrdup("prod-*");
    struct decision d = gate_tag(&w.facts, &about, &none);
    assert_true(d.effect == EFFECT_DENY && d.reason == REASON_UNKNOWN);
    d = gate_tag(&w.facts, &v1, &none);
    assert_int_equal(d.reason, REASON_NOT_COVERED);
    gate_world_free(&w);
}

static void a_role_speaks_only_inside_its_paths(void **unused)
{
    struct gate_world w;
    struct tag_name inside = gate_world_tag("qa-1"), outside = gate_world_tag("v1");
    const struct gate_lists releases[] = {
        {.tag = "qa-1", .digest = D2}, {.tag = "v1", .digest = D2}, {.tag = NULL}};
    const struct gate_lists targets[] = {
        {.tag = "qa-1", .digest = D1}, {.tag = "v1", .digest = D1}, {.tag = NULL}};
    struct gate_registry_tag registry = gate_world_registry(D1, 0);
    (void)unused;
    gate_world_init(&w);
    (void)gate_world_role(&w, "targets", NULL, 1, targets);
    struct trust_role *role = gate_world_role(&w, "targets/releases", "qa-", 2, releases);
    assert_int_equal(gate_tag(&w.facts, &inside, &registry).reason, REASON_DIGEST_MISMATCH);
    assert_int_equal(gate_tag(&w.facts, &outside, &registry).reason, REASON_ALLOWED);
    role->state = ROLE_STATE_EXPIRED; /* its defect counts inside its paths, too, and not outside */
    assert_int_equal(gate_tag(&w.facts, &inside, &registry).reason, REASON_EXPIRED_ROLE);
    assert_int_equal(gate_tag(&w.facts, &outside, &registry).reason, REASON_ALLOWED);
    gate_world_free(&w);
}

/* --- hashes ----------------------------------------------------------------------------------- */

static void every_known_hash_must_agree(void **unused)
{
    struct gate_world w;
    struct tag_name both = gate_world_tag("both"), only = gate_world_tag("only512");
    const struct gate_lists list[] = {
        {.tag = "both", .digest = D1, .sha512_too = true}, {.tag = "only512"}, {.tag = NULL}};
    struct gate_registry_tag registry = gate_world_registry(D1, 0);
    uint8_t good[64], nine[64];
    memset(good, D1, sizeof good);
    memset(nine, 9, sizeof nine);
    (void)unused;
    gate_world_init(&w);
    (void)gate_world_role(&w, "targets", NULL, 1, list);

    assert_int_equal(gate_tag(&w.facts, &both, &registry).reason,
                     REASON_DIGEST_MISMATCH); /* not computed */
    assert_true(digest_from_hash(DIGEST_SHA512, nine, 64, &registry.sha512));
    assert_int_equal(gate_tag(&w.facts, &both, &registry).reason, REASON_DIGEST_MISMATCH);
    assert_true(digest_from_hash(DIGEST_SHA512, good, 64, &registry.sha512));
    assert_int_equal(gate_tag(&w.facts, &both, &registry).reason, REASON_ALLOWED);

    assert_true(digest_from_hash(DIGEST_SHA512, nine, 64, &registry.sha512));
    assert_int_equal(gate_tag(&w.facts, &only, &registry).reason, REASON_BAD_TRUST_DATA);
    w.policy.accept_sha512_only = true;
    assert_int_equal(gate_tag(&w.facts, &only, &registry).reason, REASON_ALLOWED);
    assert_true(digest_from_hash(DIGEST_SHA512, good, 64, &registry.sha512));
    assert_int_equal(gate_tag(&w.facts, &only, &registry).reason, REASON_DIGEST_MISMATCH);
    gate_world_free(&w);
}

static void what_is_served_in_the_place_of_the_tag_agrees_in_every_hash_too(void **unused)
{
    struct gate_world w;
    struct tag_name tag = gate_world_tag("both");
    const struct gate_lists list[] = {{.tag = "both", .digest = D1, .sha512_too = true},
                                      {.tag = NULL}};
    struct gate_registry_tag moved = gate_world_registry(D2, 0), none = {.exists = false};
    uint8_t good[64], nine[64];
    memset(good, D1, sizeof good);
    memset(nine, 9, sizeof nine);
    (void)unused;
    gate_world_init(&w);
    w.policy.on_mismatch = MISMATCH_SERVE_SIGNED;
    (void)gate_world_role(&w, "targets", NULL, 1, list);
    struct gate_registry_tag *both[] = {&moved, &none};
    for (size_t i = 0; i < COUNT(both); i++) {
        both[i]->signed_present = true;
        both[i]->signed_size = SIZE;
        assert_int_equal(gate_tag(&w.facts, &tag, both[i]).reason,
                         REASON_DIGEST_MISMATCH); /* not computed */
        assert_true(digest_from_hash(DIGEST_SHA512, nine, 64, &both[i]->signed_sha512));
        struct decision d = gate_tag(&w.facts, &tag, both[i]);
        assert_int_equal(d.reason, REASON_DIGEST_MISMATCH);
        assert_int_equal(d.effect, EFFECT_DENY);
        assert_non_null(strstr(d.message, "sha512"));
        assert_true(digest_from_hash(DIGEST_SHA512, good, 64, &both[i]->signed_sha512));
        assert_int_equal(gate_tag(&w.facts, &tag, both[i]).reason, REASON_SERVED_SIGNED);
    }
    gate_world_free(&w);
}

/* --- the signer policy (gate.md 5.2) ---------------------------------------------------------- */

#define KEY_HEX(nn)                                                                                \
    "key:" nn nn nn nn nn nn nn nn nn nn nn nn nn nn nn nn nn nn nn nn nn nn nn nn nn nn nn nn nn  \
        nn nn nn

struct signer_case {
    const char *name;
    int alice, bob;         /* digest that each lists; 0 = not listed */
    int alice_key, bob_key; /* whose signature is on the file */
    int64_t threshold;
    const char *of[3];
    enum gate_reason reason;
    const char *missing; /* in the message; NULL = nothing to look for */
};

static const struct signer_case signer_cases[] = {
    {"both signed", D1, D1, 3, 4, 2, {"alice", "bob"}, REASON_ALLOWED, NULL},
    {"bob did not", D1, 0, 3, 4, 2, {"alice", "bob"}, REASON_SIGNER_POLICY, "missing bob"},
    {"bob signed another digest",
     D1,
     D2,
     3,
     4,
     2,
     {"alice", "bob"},
     REASON_SIGNER_POLICY,
     "bob (signed another digest)"},
    {"one of two", D1, 0, 3, 4, 1, {"alice", "bob"}, REASON_ALLOWED, NULL},
    {"one key in two roles counts once",
     D1,
     D1,
     3,
     3,
     2,
     {"alice", "bob"},
     REASON_SIGNER_POLICY,
     NULL},
    {"by key", D1, 0, 3, 4, 1, {KEY_HEX("03")}, REASON_ALLOWED, NULL},
    {"by a key that did not sign", D1, 0, 3, 4, 1, {KEY_HEX("05")}, REASON_SIGNER_POLICY, NULL},
    {"a role and its own key are one",
     D1,
     0,
     3,
     4,
     2,
     {"alice", KEY_HEX("03")},
     REASON_SIGNER_POLICY,
     NULL},
    {"a role and another's key", D1, D1, 3, 4, 2, {"alice", KEY_HEX("04")}, REASON_ALLOWED, NULL},
    {"the assignment is searched for",
     D1,
     D1,
     3,
     4,
     2,
     {KEY_HEX("03"), "alice", "bob"},
     REASON_ALLOWED,
     NULL},
    {"an unknown signer", D1, D1, 3, 4, 1, {"mallory"}, REASON_SIGNER_POLICY, "missing mallory"},
};

static void set_signers(struct policy *p, const struct signer_case *c)
{
    p->signers_threshold = c->threshold;
    p->signers.items = xcalloc(3, sizeof *p->signers.items);
    for (size_t i = 0; i < 3 && c->of[i]; i++) {
        p->signers.items[p->signers.count++] = xstrdup(c->of[i]);
    }
}

static void signers_are_counted_by_key(void **unused)
{
    struct tag_name tag = gate_world_tag("v1");
    (void)unused;
    for (size_t i = 0; i < COUNT(signer_cases); i++) {
        const struct signer_case *c = &signer_cases[i];
        struct gate_world w;
        struct gate_registry_tag registry = gate_world_registry(D1, 0);
        gate_world_init(&w);
        set_signers(&w.policy, c);
        add_role(&w, "targets", 1, 0, 0);
        add_role(&w, "targets/releases", 2, D1, 0);
        add_role(&w, "targets/alice", c->alice_key, c->alice, 0);
        add_role(&w, "targets/bob", c->bob_key, c->bob, 0);
        struct decision d = gate_tag(&w.facts, &tag, &registry);
        if (d.reason != c->reason || (c->missing && !strstr(d.message, c->missing))) {
            fail_msg("%s: %s: %s", c->name, gate_reason_info(d.reason)->name, d.message);
        }
        gate_world_free(&w);
    }
}

/* The rule asks for the same sha256 and length; whether the further hash of the entry that decides is the manifest's is
 * compared with the manifest. */
static void a_signer_counts_whatever_further_hash_he_states(void **unused)
{
    const struct signer_case c = {.threshold = 1, .of = {"alice"}};
    const struct gate_lists with[] = {{.tag = "v1", .digest = D1, .sha512_too = true}, {.tag = NULL}};
    struct gate_world w;
    struct tag_name tag = gate_world_tag("v1");
    struct gate_registry_tag registry = gate_world_registry(D1, 0);
    uint8_t good[64];
    memset(good, D1, sizeof good);
    assert_true(digest_from_hash(DIGEST_SHA512, good, 64, &registry.sha512));
    (void)unused;
    gate_world_init(&w);
    set_signers(&w.policy, &c);
    (void)gate_world_role(&w, "targets", NULL, 1, with);
    struct trust_role *alice = gate_world_role(&w, "targets/alice", NULL, 3, with);
    alice->doc->target_list[0].file.sha512[0] ^= 1;
    assert_int_equal(gate_tag(&w.facts, &tag, &registry).reason, REASON_ALLOWED);
    alice->doc->target_list[0].file.length++;
    assert_int_equal(gate_tag(&w.facts, &tag, &registry).reason, REASON_SIGNER_POLICY);
    alice->doc->target_list[0].file.length--;
    alice->doc->target_list[0].file.has_sha256 = false;
    assert_int_equal(gate_tag(&w.facts, &tag, &registry).reason, REASON_SIGNER_POLICY);
    gate_world_free(&w);
}

/* --- words ------------------------------------------------------------------------------------ */

static void a_mismatch_says_everything(void **unused)
{
    struct gate_world w;
    struct tag_name tag = gate_world_tag("v1");
    struct gate_registry_tag registry = gate_world_registry(D2, 0);
    (void)unused;
    gate_world_init(&w);
    add_role(&w, "targets", 1, 0, 0);
    add_role(&w, "targets/releases", 2, D1, 0);
    add_role(&w, "targets/alice", 3, D1, 0);
    assert_true(time_parse(SLICE_LIT("2026-11-24T00:12:03.5Z"), &registry.pushed_us));
    registry.pushed_by = "ci-bot";
    struct decision d = gate_tag(&w.facts, &tag, &registry);
    assert_string_equal(
        d.message,
        "content trust: ns/app:v1 is signed as sha256:01010101… (role targets/releases, by alice) "
        "but the registry has sha256:02020202…, pushed 2026-11-24T00:12:03Z by ci-bot "
        "and not signed");
    assert_string_equal(d.phrase, "Forbidden: content trust: v1 is signed as 01010101, registry "
                                  "has 02020202 (digest_mismatch)");
    assert_string_equal(d.signers[0], "alice");
    assert_non_null(strstr(d.hint, "docker trust sign --local registry.example/ns/app:v1"));
    gate_world_free(&w);
}

static void the_longest_names_fit(void **unused)
{
    char tag_text[TAG_NAME_MAX + 1], repo_text[REPO_NAME_MAX + 1];
    struct gate_world w;
    struct tag_name tag;
    struct gate_registry_tag registry = gate_world_registry(D2, 0);
    (void)unused;
    memset(tag_text, 't', TAG_NAME_MAX);
    tag_text[TAG_NAME_MAX] = '\0';
    memset(repo_text, 'r', REPO_NAME_MAX);
    repo_text[REPO_NAME_MAX] = '\0';
    repo_text[2] = '/';
    gate_world_init(&w);
    assert_true(repo_name_parse(slice_str(repo_text), &w.repo, NULL));
    assert_true(tag_name_parse(slice_str(tag_text), &tag, NULL));
    const struct gate_lists list[] = {{.tag = tag_text, .digest = D1}, {.tag = NULL}};
    (void)gate_world_role(&w, "targets", NULL, 1, list);
    struct decision d = gate_tag(&w.facts, &tag, &registry);
    assert_int_equal(d.reason, REASON_DIGEST_MISMATCH);
    assert_true(strlen(d.message) < 600 && strlen(d.phrase) <= 160);
    assert_non_null(strstr(d.phrase, "(digest_mismatch)"));
    assert_true(slice_is_utf8(slice_str(d.message)));
    gate_world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case_decides),
        cmocka_unit_test(a_zero_decision_refuses),
        cmocka_unit_test(every_status_has_its_reason),
        cmocka_unit_test(a_wipe_is_told),
        cmocka_unit_test(levels),
        cmocka_unit_test(off_and_ungated_are_served_what_is_there),
        cmocka_unit_test(a_suspect_store_allows_no_tag_and_locks_every_tag),
        cmocka_unit_test(warn_serves_and_warns),
        cmocka_unit_test(tags_outside_the_policy_are_refused),
        cmocka_unit_test(an_artifact_tag_that_is_not_there_is_unknown_whatever_the_policy_covers),
        cmocka_unit_test(a_role_speaks_only_inside_its_paths),
        cmocka_unit_test(every_known_hash_must_agree),
        cmocka_unit_test(what_is_served_in_the_place_of_the_tag_agrees_in_every_hash_too),
        cmocka_unit_test(signers_are_counted_by_key),
        cmocka_unit_test(a_signer_counts_whatever_further_hash_he_states),
        cmocka_unit_test(what_is_written_anew_in_targets_is_no_younger_than_a_withdrawal),
        cmocka_unit_test(a_mismatch_says_everything),
        cmocka_unit_test(the_longest_names_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
