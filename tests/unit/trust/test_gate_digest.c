/* The digest and blob rules, roots of reachability and grace (gate.md 6, 7). */
#include "base/artifact_tag.h"
#include "tests/unit/trust/gate_world.h"

/* --- digest and blob rules over what was reached ---------------------------------------------- */

struct reach_case {
    const char *name;
    bool blob_door;
    enum reach_kind kind;
    bool is_manifest, in_grace, ended; /* ended: its time is over */
    bool manifest, blob, artifact;     /* what the repository holds */
    enum gate_effect effect;
    enum gate_reason reason;
};

static const struct reach_case reach_cases[] = {
    {"a released manifest", false, REACH_RELEASED, true, false, false, true, false, false,
     EFFECT_ALLOW, REASON_ALLOWED},
    {"an unsigned manifest", false, REACH_NONE, false, false, false, true, false, false,
     EFFECT_DENY, REASON_UNSIGNED_DIGEST},
    {"a child of a released index", false, REACH_CHILD, true, false, false, true, false, false,
     EFFECT_ALLOW, REASON_ALLOWED},
    {"superseded within grace", false, REACH_SUPERSEDED, true, true, false, true, false, false,
     EFFECT_ALLOW, REASON_SUPERSEDED},
    {"released, but its time is over", false, REACH_RELEASED, true, false, true, true, false, false,
     EFFECT_DENY, REASON_UNSIGNED_DIGEST},
    {"released, but not pushed", false, REACH_RELEASED, true, false, false, false, false, false,
     EFFECT_DENY, REASON_UNKNOWN},
    {"a layer asked for as a manifest", false, REACH_CHILD, false, false, false, true, true, false,
     EFFECT_DENY, REASON_UNSIGNED_DIGEST},
    {"an artifact of a released image", false, REACH_NONE, false, false, false, true, false, true,
     EFFECT_ALLOW, REASON_ALLOWED},
    {"a layer of a released image", true, REACH_CHILD, false, false, false, false, true, false,
     EFFECT_ALLOW, REASON_ALLOWED},
    {"a layer of nothing allowed", true, REACH_NONE, false, false, false, false, true, false,
     EFFECT_DENY, REASON_BLOB_NOT_REACHABLE},
    {"a layer that is not here", true, REACH_CHILD, false, false, false, false, false, false,
     EFFECT_DENY, REASON_BLOB_UNKNOWN},
    {"a released manifest at the blob door", true, REACH_RELEASED, true, false, false, true, true,
     false, EFFECT_DENY, REASON_BLOB_UNKNOWN},
    {"a layer in grace", true, REACH_CHILD, false, true, false, false, true, false, EFFECT_ALLOW,
     REASON_SUPERSEDED},
    {"a layer of an artifact", true, REACH_NONE, false, false, false, false, true, true,
     EFFECT_ALLOW, REASON_ALLOWED},
};

static void every_case_decides(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < COUNT(reach_cases); i++) {
        const struct reach_case *c = &reach_cases[i];
        struct gate_world w;
        struct digest digest = gate_world_digest(D1);
        struct gate_held held = {
            .manifest = c->manifest, .blob = c->blob, .artifact_allowed = c->artifact};
        struct gate_reached reached = {
            .kind = c->kind, .is_manifest = c->is_manifest, .in_grace = c->in_grace};
        gate_world_init(&w);
        (void)gate_world_role(&w, "targets", NULL, 1, NULL);
        reached.valid_until_us = vectors_now() + (c->ended ? 0 : 1);
        struct decision d = c->blob_door ? gate_blob(&w.facts, &digest, &reached, &held)
                                         : gate_digest(&w.facts, &digest, &reached, &held);
        if (d.effect != c->effect || d.reason != c->reason) {
            fail_msg("%s: %s (%s)", c->name, gate_reason_info(d.reason)->name, d.message);
        }
        CHECK_CASE(d.effect == EFFECT_DENY || digest_equal(&d.serve, &digest), c->name);
        gate_world_free(&w);
    }
}

/* gate.md 4.2: what would be allowed is not; what is not there stays so. */
static void a_suspect_store_allows_nothing_by_digest(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < COUNT(reach_cases); i++) {
        const struct reach_case *c = &reach_cases[i];
        struct gate_world w;
        struct digest digest = gate_world_digest(D1);
        struct gate_held held = {
            .manifest = c->manifest, .blob = c->blob, .artifact_allowed = c->artifact};
        struct gate_reached reached = {.kind = c->kind,
                                       .is_manifest = c->is_manifest,
                                       .in_grace = c->in_grace,
                                       .valid_until_us = vectors_now() + US_PER_DAY};
        bool missing = c->reason == REASON_UNKNOWN || c->reason == REASON_BLOB_UNKNOWN;
        gate_world_init(&w);
        w.facts.suspicion = "the store was set back";
        struct decision d = c->blob_door ? gate_blob(&w.facts, &digest, &reached, &held)
                                         : gate_digest(&w.facts, &digest, &reached, &held);
        CHECK_CASE(d.effect == EFFECT_DENY, c->name);
        CHECK_CASE(d.reason == (missing ? c->reason : REASON_ROLLBACK_SUSPECTED), c->name);
        CHECK_CASE(missing || strstr(d.message, "the store was set back"), c->name);
        gate_world_free(&w);
    }
}

static void the_ungated_see_manifests_and_blobs(void **unused)
{
    struct gate_world w;
    struct digest digest = gate_world_digest(D1);
    struct gate_held both = {.manifest = true, .blob = true}, nothing = {0};
    struct gate_reached reached = {.kind = REACH_NONE};
    (void)unused;
    gate_world_init(&w);
    w.facts.enforced = false;
    w.facts.trust = NULL; /* a broken trust store is not their concern */
    assert_int_equal(gate_digest(&w.facts, &digest, &reached, &both).reason, REASON_NOT_GATED);
    assert_int_equal(gate_blob(&w.facts, &digest, &reached, &both).reason, REASON_NOT_GATED);
    assert_int_equal(gate_digest(&w.facts, &digest, &reached, &nothing).reason, REASON_UNKNOWN);
    assert_int_equal(gate_blob(&w.facts, &digest, &reached, &nothing).reason, REASON_BLOB_UNKNOWN);
    w.facts.enforced = true;
    assert_int_equal(gate_digest(&w.facts, &digest, &reached, &both).reason, REASON_INDETERMINATE);
    gate_world_free(&w);
}

static void a_broken_releases_role_is_told_for_what_it_lists(void **unused)
{
    struct gate_world w;
    struct digest d1 = gate_world_digest(D1), d2 = gate_world_digest(D2);
    struct gate_held held = {.manifest = true};
    struct gate_reached reached = {.kind = REACH_NONE};
    (void)unused;
    gate_world_init(&w);
    (void)gate_world_role(&w, "targets", NULL, 1, NULL);
    gate_world_role(&w, "targets/releases", NULL, 2, NULL)->state = ROLE_STATE_EXPIRED;
    (void)gate_world_listed(&w, "targets/releases", "v1", D1, -5, 0, LISTING_OPEN);
    assert_int_equal(gate_digest(&w.facts, &d1, &reached, &held).reason, REASON_EXPIRED_ROLE);
    assert_int_equal(gate_digest(&w.facts, &d2, &reached, &held).reason, REASON_UNSIGNED_DIGEST);
    gate_world_free(&w);
}

static void tag_and_digest_must_belong_together(void **unused)
{
    struct gate_world w;
    struct tag_name tag = gate_world_tag("v1");
    struct digest digest = gate_world_digest(D1);
    struct gate_held held = {.manifest = true};
    struct gate_reached in = {
        .kind = REACH_RELEASED, .is_manifest = true, .valid_until_us = INT64_MAX};
    struct gate_reached out = {.kind = REACH_NONE};
    (void)unused;
    gate_world_init(&w);
    (void)gate_world_role(&w, "targets", NULL, 1, NULL);
    struct decision good = gate_digest(&w.facts, &digest, &in, &held);
    struct decision bad = gate_digest(&w.facts, &digest, &out, &held);
    assert_int_equal(gate_tag_and_digest(&w.facts, &tag, &digest, good, true).reason,
                     REASON_ALLOWED);
    struct decision other = gate_tag_and_digest(&w.facts, &tag, &digest, good, false);
    assert_int_equal(other.effect, EFFECT_DENY);
    assert_int_equal(other.reason, REASON_DIGEST_MISMATCH);
    assert_false(digest_is_set(&other.serve));
    assert_int_equal(gate_tag_and_digest(&w.facts, &tag, &digest, bad, true).reason,
                     REASON_UNSIGNED_DIGEST);
    gate_world_free(&w);
}

/* --- roots ------------------------------------------------------------------------------------ */

struct found_roots {
    struct gate_root items[16];
    size_t count;
};

static void collect(void *arg, const struct gate_root *root)
{
    struct found_roots *found = arg;
    assert_true(found->count < COUNT(found->items));
    found->items[found->count++] = *root;
}

static struct found_roots roots_of(struct gate_world *w)
{
    struct found_roots found = {.count = 0};
    gate_roots(&w->facts, collect, &found);
    return found;
}

enum root_want { ROOT_NO = 0, ROOT_RELEASED, ROOT_GRACE };

static enum root_want root_of(const struct found_roots *found, int digest)
{
    struct digest d = gate_world_digest(digest);
    enum root_want best = ROOT_NO;
    for (size_t i = 0; i < found->count; i++) {
        if (digest_equal(&found->items[i].digest, &d) && best != ROOT_RELEASED) {
            best = found->items[i].superseded ? ROOT_GRACE : ROOT_RELEASED;
        }
    }
    return best;
}

static void released_names_are_roots(void **unused)
{
    struct gate_world w;
    const struct gate_lists targets[] = {{.tag = "both", .digest = D1},
                                         {.tag = "old", .digest = D2},
                                         {.tag = "../x", .digest = 7},
                                         {.tag = NULL}};
    const struct gate_lists releases[] = {{.tag = "both", .digest = D3}, {.tag = NULL}};
    const struct gate_lists alice[] = {{.tag = "mine", .digest = 5}, {.tag = NULL}};
    (void)unused;
    gate_world_init(&w);
    (void)gate_world_role(&w, "targets", NULL, 1, targets);
    (void)gate_world_role(&w, "targets/releases", NULL, 2, releases);
    (void)gate_world_role(&w, "targets/alice", NULL, 3, alice);
    struct found_roots found = roots_of(&w);
    assert_int_equal(root_of(&found, D3), ROOT_RELEASED);
    assert_int_equal(root_of(&found, D2), ROOT_RELEASED);
    assert_int_equal(root_of(&found, D1),
                     ROOT_NO); /* shadowed by releases, and never in its history */
    assert_int_equal(root_of(&found, 5), ROOT_NO); /* only a signer's role */
    assert_int_equal(root_of(&found, 7), ROOT_NO); /* no tag can have that name */
    free(w.policy.digest_tags.items[0]);
    w.policy.digest_tags.items[0] = xstrdup("both");
    found = roots_of(&w);
    assert_int_equal(root_of(&found, D3), ROOT_RELEASED);
    assert_int_equal(root_of(&found, D2), ROOT_NO);
    w.state.status = TRUST_EXPIRED_TARGETS;
    found = roots_of(&w);
    assert_int_equal(found.count, 0);
    gate_world_free(&w);
}

/* A root document that lists key 2 … as targets keys cannot be made without keys; the parent's keys
 * are those of the vectors, and the signers of the past documents are named accordingly. */
static struct spki vector_targets_key(struct gate_world *w)
{
    auto_buf struct buf bytes = {0};
    vector_bytes("tuf/U01-valid-targets/cur/root.json", &bytes);
    assert_int_equal(tuf_doc_read(SLICE_LIT("root"), buf_slice_of(&bytes), &w->state.root, NULL),
                     DOC_OK);
    const struct tuf_key *key =
        tuf_doc_key(w->state.root, slice_str(w->state.root->targets.key_ids[0]));
    assert_non_null(key);
    return tuf_key_spki(key);
}

struct grace_case {
    const char *name;
    const char *role;
    int since, until;
    enum listing_end end;
    int releases_since,
        releases_until; /* a listing of the same tag in targets/releases; 0, 0 = none */
    bool releases_same; /* with the same digest */
    bool other_signer;
    int64_t grace_days; /* -1 = forever */
    enum root_want want;
};

static const struct grace_case grace_cases[] = {
    {"replaced ten days ago", "targets", -40, -10, LISTING_REPLACED, 0, 0, false, false, 30,
     ROOT_GRACE},
    {"replaced forty days ago", "targets", -90, -40, LISTING_REPLACED, 0, 0, false, false, 30,
     ROOT_NO},
    {"replaced forty days ago, grace without end", "targets", -90, -40, LISTING_REPLACED, 0, 0,
     false, false, -1, ROOT_GRACE},
    {"replaced, but no grace at all", "targets", -40, -10, LISTING_REPLACED, 0, 0, false, false, 0,
     ROOT_NO},
    {"withdrawn ten days ago", "targets", -40, -10, LISTING_WITHDRAWN, 0, 0, false, false, 30,
     ROOT_NO},
    {"wiped ten days ago", "targets", -40, -10, LISTING_WIPED, 0, 0, false, false, 30, ROOT_NO},
    {"replaced, signed by a key that is gone", "targets", -40, -10, LISTING_REPLACED, 0, 0, false,
     true, 30, ROOT_NO},
    {"still listed in targets, releases took over", "targets", -40, 0, LISTING_OPEN, -10, 0, false,
     false, 30, ROOT_GRACE},
    {"still listed in targets, releases took over long ago", "targets", -90, 0, LISTING_OPEN, -40,
     0, false, false, 30, ROOT_NO},
    {"releases took over with the same content", "targets", -40, 0, LISTING_OPEN, -10, 0, true,
     false, 30, ROOT_NO},
    {"releases listed the tag all along", "targets", -40, -10, LISTING_REPLACED, -60, 0, false,
     false, 30, ROOT_NO},
};

static void grace(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < COUNT(grace_cases); i++) {
        const struct grace_case *c = &grace_cases[i];
        struct gate_world w;
        gate_world_init(&w);
        struct spki signer = vector_targets_key(&w), other = gate_world_key(9);
        const struct gate_lists now[] = {{.tag = "v1", .digest = D3}, {.tag = NULL}};
        (void)gate_world_role(&w, "targets", NULL, 1, c->releases_since ? NULL : now);
        if (c->releases_since) {
            (void)gate_world_role(&w, "targets/releases", NULL, 2, now);
        }
        w.policy.grace_us = c->grace_days < 0 ? DURATION_FOREVER : c->grace_days * US_PER_DAY;
        struct gate_listing *l =
            gate_world_listed(&w, c->role, "v1", D1, c->since, c->until, c->end);
        l->signers = c->other_signer ? &other : &signer;
        l->signer_count = 1;
        if (c->releases_since) {
            (void)gate_world_listed(&w, "targets/releases", "v1", c->releases_same ? D1 : D3,
                                    c->releases_since, 0, LISTING_OPEN);
        }
        struct found_roots found = roots_of(&w);
        CHECK_CASE(root_of(&found, D1) == c->want, c->name);
        tuf_doc_free(w.state.root);
        gate_world_free(&w);
    }
}

struct past { /* one listing of v1 in days from now; digest 0 ends */
    const char *role;
    int digest, since, until;
    enum listing_end end;
};

static const struct {
    const char *name;
    struct past past[4];
    enum root_want want; /* of D1 */
} taken_back[] = {
    {"replaced, and what came after it withdrawn",
     {{"targets", D1, -40, -20, LISTING_REPLACED}, {"targets", D2, -20, -10, LISTING_WITHDRAWN}},
     ROOT_GRACE},
    {"replaced, listed again, withdrawn",
     {{"targets", D1, -40, -20, LISTING_REPLACED},
      {"targets", D2, -20, -15, LISTING_REPLACED},
      {"targets", D1, -15, -10, LISTING_WITHDRAWN}},
     ROOT_NO},
    {"replaced, listed again, replaced again",
     {{"targets", D1, -40, -20, LISTING_REPLACED},
      {"targets", D2, -20, -15, LISTING_REPLACED},
      {"targets", D1, -15, -10, LISTING_REPLACED}},
     ROOT_GRACE},
    {"withdrawn, listed again, replaced",
     {{"targets", D1, -40, -20, LISTING_WITHDRAWN}, {"targets", D1, -15, -10, LISTING_REPLACED}},
     ROOT_GRACE},
    {"replaced by releases, which withdrew it later",
     {{"targets", D1, -40, 0, LISTING_OPEN},
      {"targets/releases", D2, -20, -15, LISTING_REPLACED},
      {"targets/releases", D1, -15, -10, LISTING_WITHDRAWN}},
     ROOT_NO},
    {"replaced by releases, then tidied up in targets",
     {{"targets", D1, -40, -20, LISTING_REPLACED},
      {"targets", D2, -20, -15, LISTING_REPLACED},
      {"targets/releases", D3, -18, 0, LISTING_OPEN},
      {"targets", D1, -15, -10, LISTING_WITHDRAWN}},
     ROOT_GRACE},
};

static void what_was_taken_back_has_no_grace(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < COUNT(taken_back); i++) {
        struct gate_world w;
        gate_world_init(&w);
        struct spki signer = vector_targets_key(&w);
        (void)gate_world_role(&w, "targets", NULL, 1, NULL);
        for (size_t p = 0; p < 4 && taken_back[i].past[p].digest; p++) {
            const struct past *t = &taken_back[i].past[p];
            struct gate_listing *l =
                gate_world_listed(&w, t->role, "v1", t->digest, t->since, t->until, t->end);
            l->signers = &signer;
            l->signer_count = 1;
        }
        struct found_roots found = roots_of(&w);
        CHECK_CASE(root_of(&found, D1) == taken_back[i].want, taken_back[i].name);
        tuf_doc_free(w.state.root);
        gate_world_free(&w);
    }
}

static void grace_of_releases_needs_the_delegation(void **unused)
{
    struct gate_world w;
    struct spki signer = gate_world_key(2);
    (void)unused;
    gate_world_init(&w);
    (void)gate_world_role(&w, "targets", NULL, 1, NULL);
    struct gate_listing *l =
        gate_world_listed(&w, "targets/releases", "v1", D1, -40, -10, LISTING_REPLACED);
    l->signers = &signer;
    l->signer_count = 1;
    struct found_roots found = roots_of(&w); /* nobody delegates targets/releases any more */
    assert_int_equal(root_of(&found, D1), ROOT_NO);
    gate_world_free(&w);
}

/* What targets/releases listed outside its paths was never released; neither does replacing it
 * there make it so. */
static void grace_of_releases_keeps_to_its_paths(void **unused)
{
    static const struct {
        const char *paths;
        enum root_want want;
    } table[] = {{"v", ROOT_GRACE}, {"prod-", ROOT_NO}};
    (void)unused;
    for (size_t i = 0; i < COUNT(table); i++) {
        struct gate_world w;
        gate_world_init(&w);
        struct spki signer = vector_targets_key(&w);
        (void)gate_world_role(&w, "targets", NULL, 1, NULL);
        struct trust_role *releases =
            gate_world_role(&w, "targets/releases", table[i].paths, 2, NULL);
        struct tuf_delegation delegation = {.keys = w.state.root->targets};
        struct tuf_doc *targets = w.roles[0].doc;
        w.roles[0].doc = w.state.root; /* a document that lists the key that signed */
        releases->delegation = &delegation;
        struct gate_listing *l =
            gate_world_listed(&w, "targets/releases", "v1", D1, -40, -10, LISTING_REPLACED);
        l->signers = &signer;
        l->signer_count = 1;
        struct found_roots found = roots_of(&w);
        CHECK_CASE(root_of(&found, D1) == table[i].want, table[i].paths);
        w.roles[0].doc = targets;
        tuf_doc_free(w.state.root);
        gate_world_free(&w);
    }
}

/* With the strict fallback nothing in `targets` was released beside targets/releases, and nothing
 * has grace when the latter takes the tag over. */
static void the_strict_fallback_gives_targets_no_grace(void **unused)
{
    static const struct {
        const char *name;
        enum policy_fallback fallback;
        bool delegated;
        enum root_want want;
    } table[] = {{"strict", FALLBACK_NEVER, true, ROOT_NO},
                 {"strict, without releases", FALLBACK_NEVER, false, ROOT_GRACE},
                 {"docker's", FALLBACK_DOCKER, true, ROOT_GRACE}};
    (void)unused;
    for (size_t i = 0; i < COUNT(table); i++) {
        struct gate_world w;
        gate_world_init(&w);
        struct spki signer = vector_targets_key(&w);
        w.policy.fallback = table[i].fallback;
        (void)gate_world_role(&w, "targets", NULL, 1, NULL);
        if (table[i].delegated) {
            (void)gate_world_role(&w, "targets/releases", NULL, 2, NULL);
        }
        struct gate_listing *l =
            gate_world_listed(&w, "targets", "v1", D1, -40, -10, LISTING_REPLACED);
        l->signers = &signer;
        l->signer_count = 1;
        struct found_roots found = roots_of(&w);
        CHECK_CASE(root_of(&found, D1) == table[i].want, table[i].name);
        tuf_doc_free(w.state.root);
        gate_world_free(&w);
    }
}

/* Withdrawn from `targets`, which decided: that targets/releases lists the tag too, outside its paths,
 * is no replacement. */
static void a_listing_outside_the_paths_replaces_nothing(void **unused)
{
    static const struct {
        const char *paths;
        enum root_want want;
    } table[] = {{"v", ROOT_GRACE}, {"prod-", ROOT_NO}};
    (void)unused;
    for (size_t i = 0; i < COUNT(table); i++) {
        struct gate_world w;
        gate_world_init(&w);
        struct spki signer = vector_targets_key(&w);
        (void)gate_world_role(&w, "targets", NULL, 1, NULL);
        (void)gate_world_role(&w, "targets/releases", table[i].paths, 2, NULL);
        struct gate_listing *l =
            gate_world_listed(&w, "targets", "v1", D1, -40, -5, LISTING_WITHDRAWN);
        l->signers = &signer;
        l->signer_count = 1;
        (void)gate_world_listed(&w, "targets/releases", "v1", D2, -20, 0, LISTING_OPEN);
        struct found_roots found = roots_of(&w);
        CHECK_CASE(root_of(&found, D1) == table[i].want, table[i].paths);
        tuf_doc_free(w.state.root);
        gate_world_free(&w);
    }
}

/* Paths count as they were: what the role listed while the tag lay outside of them was not its release, and what it
 * listed inside decided, whatever its paths are now. */
static void grace_asks_for_the_paths_of_the_time(void **unused)
{
    static const struct {
        const char *name;
        const char *role;
        bool outside;          /* D1, listed by the role from day -40 to -10, is */
        int releases;          /* targets/releases listed D2 since then: 0 not, 1 inside its paths, 2 outside */
        enum listing_end left; /* LISTING_REPLACED: the paths turned away from D1 at its end */
        bool targets;          /* and targets said something else */
        enum root_want want;
    } table[] = {
        {"inside", "targets/releases", false, 0, LISTING_OPEN, false, ROOT_GRACE},
        {"outside", "targets/releases", true, 0, LISTING_OPEN, false, ROOT_NO},
        {"behind releases, inside its paths", "targets", false, 1, LISTING_OPEN, false, ROOT_NO},
        {"behind releases, outside its paths", "targets", false, 2, LISTING_OPEN, false, ROOT_GRACE},
        {"the paths turned away", "targets/releases", false, 0, LISTING_REPLACED, false, ROOT_NO},
        {"the paths turned away, and targets took over", "targets/releases", false, 0,
         LISTING_REPLACED, true, ROOT_GRACE},
    };
    (void)unused;
    for (size_t i = 0; i < COUNT(table); i++) {
        struct gate_world w;
        gate_world_init(&w);
        struct spki signer = vector_targets_key(&w);
        (void)gate_world_role(&w, "targets", NULL, 1, NULL);
        struct trust_role *releases = gate_world_role(&w, "targets/releases", "v", 2, NULL);
        struct tuf_delegation delegation = {.keys = w.state.root->targets};
        struct tuf_doc *targets = w.roles[0].doc;
        w.roles[0].doc = w.state.root; /* a document that lists the key that signed */
        releases->delegation = &delegation;
        if (table[i].releases) {
            gate_world_listed(&w, "targets/releases", "v1", D2, -50, -9, LISTING_REPLACED)->outside =
                table[i].releases == 2;
        }
        if (table[i].targets) {
            (void)gate_world_listed(&w, "targets", "v1", D3, -45, 0, LISTING_OPEN);
        }
        struct gate_listing *l =
            gate_world_listed(&w, table[i].role, "v1", D1, -40, -10, LISTING_REPLACED);
        l->signers = &signer;
        l->signer_count = 1;
        l->outside = table[i].outside;
        if (table[i].left == LISTING_REPLACED) {
            gate_world_listed(&w, "targets/releases", "v1", D1, -10, -5, LISTING_REPLACED)->outside =
                true;
        }
        struct found_roots found = roots_of(&w);
        CHECK_CASE(root_of(&found, D1) == table[i].want, table[i].name);
        w.roles[0].doc = targets;
        tuf_doc_free(w.state.root);
        gate_world_free(&w);
    }
}

/* targets/releases listed the same content and lost the tag when its paths changed: from then on `targets` decided, and what
 * it replaces has grace. */
static void what_targets_decides_again_has_grace_again(void **unused)
{
    static const struct {
        const char *name;
        bool left; /* at day -20, by other paths; else it goes on there */
        enum root_want want;
    } table[] = {{"lost by other paths", true, ROOT_GRACE}, {"went on", false, ROOT_NO}};
    (void)unused;
    for (size_t i = 0; i < COUNT(table); i++) {
        struct gate_world w;
        gate_world_init(&w);
        struct spki signer = vector_targets_key(&w);
        (void)gate_world_role(&w, "targets", NULL, 1, NULL);
        (void)gate_world_role(&w, "targets/releases", "v", 2, NULL);
        struct gate_listing *l =
            gate_world_listed(&w, "targets", "v1", D1, -40, -10, LISTING_REPLACED);
        l->signers = &signer;
        l->signer_count = 1;
        (void)gate_world_listed(&w, "targets/releases", "v1", D1, -40, -20, LISTING_REPLACED);
        gate_world_listed(&w, "targets/releases", "v1", D1, -20, -5, LISTING_REPLACED)->outside =
            table[i].left;
        struct found_roots found = roots_of(&w);
        CHECK_CASE(root_of(&found, D1) == table[i].want, table[i].name);
        tuf_doc_free(w.state.root);
        gate_world_free(&w);
    }
}

/* What the policy's signers had not signed was never released, and being replaced does not make it
 * so (gate.md 6 b). */
static const struct {
    const char *name;
    int alice_since, alice_until, bob_since, bob_until; /* of D1; 0, 0 = never */
    bool same_key, bob_outside; /* of his paths */
    enum root_want want;
} signed_cases[] = {
    {"both signed it", -39, -11, -38, -10, false, false, ROOT_GRACE},
    {"both signed it, and one was first to go on", -39, -30, -38, -10, false, false, ROOT_GRACE},
    {"one of the two did", -39, -10, 0, 0, false, false, ROOT_NO},
    {"nobody did", 0, 0, 0, 0, false, false, ROOT_NO},
    {"both, one after the other had gone on", -39, -30, -30, -10, false, false, ROOT_NO},
    {"both, the second after it was replaced", -39, -5, -8, -5, false, false, ROOT_NO},
    {"both with one key", -39, -11, -38, -10, true, false, ROOT_NO},
    {"both, one of them outside his paths", -39, -11, -38, -10, false, true, ROOT_NO},
};

static void member_listed(struct gate_world *w, const char *role, const struct spki *key, int since,
                          int until, bool outside)
{
    if (since) {
        struct gate_listing *l =
            gate_world_listed(w, role, "v1", D1, since, until, LISTING_REPLACED);
        l->signers = key;
        l->signer_count = 1;
        l->outside = outside;
    }
}

static void grace_needs_the_signers_that_the_policy_asks_for(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < COUNT(signed_cases); i++) {
        struct gate_world w;
        gate_world_init(&w);
        struct spki signer = vector_targets_key(&w), alice = gate_world_key(3),
                    bob = gate_world_key(signed_cases[i].same_key ? 3 : 4);
        const struct gate_lists now[] = {{.tag = "v1", .digest = D3}, {.tag = NULL}};
        (void)gate_world_role(&w, "targets", NULL, 1, now);
        w.policy.signers_threshold = 2;
        w.policy.signers.items = xcalloc(2, sizeof *w.policy.signers.items);
        w.policy.signers.items[w.policy.signers.count++] = xstrdup("alice");
        w.policy.signers.items[w.policy.signers.count++] = xstrdup("bob");
        member_listed(&w, "targets", &signer, -40, -10, false);
        member_listed(&w, "targets/alice", &alice, signed_cases[i].alice_since,
                      signed_cases[i].alice_until, false);
        member_listed(&w, "targets/bob", &bob, signed_cases[i].bob_since,
                      signed_cases[i].bob_until, signed_cases[i].bob_outside);
        struct found_roots found = roots_of(&w);
        CHECK_CASE(root_of(&found, D1) == signed_cases[i].want, signed_cases[i].name);
        tuf_doc_free(w.state.root);
        gate_world_free(&w);
    }
}

/* --- history from two states ------------------------------------------------------------------ */

static void history_tells_replaced_from_withdrawn(void **unused)
{
    struct gate_world before, after;
    const struct gate_lists old[] = {{.tag = "a", .digest = D1},
                                     {.tag = "b", .digest = D1},
                                     {.tag = "c", .digest = D1},
                                     {.tag = NULL}};
    const struct gate_lists new[] = {{.tag = "a", .digest = D1},
                                     {.tag = "b", .digest = D2},
                                     {.tag = "d", .digest = D1},
                                     {.tag = NULL}};
    static const struct {
        const char *tag;
        enum listing_end end;
        int64_t since;
    } want[] = {{"a", LISTING_OPEN, 1},
                {"b", LISTING_REPLACED, 1},
                {"b", LISTING_OPEN, 2},
                {"c", LISTING_WITHDRAWN, 1},
                {"d", LISTING_OPEN, 2}};
    size_t count = 0;
    (void)unused;
    gate_world_init(&before);
    gate_world_init(&after);
    (void)gate_world_role(&before, "targets", NULL, 1, old);
    (void)gate_world_role(&after, "targets", NULL, 1, new);
    auto_free struct gate_listing *list = gate_history(&before.state, 1, &after.state, 2, &count);
    assert_int_equal(count, COUNT(want));
    for (size_t i = 0; i < count; i++) {
        CHECK_CASE(strcmp(list[i].tag, want[i].tag) == 0 && list[i].end == want[i].end &&
                       list[i].since_us == want[i].since,
                   want[i].tag);
    }
    gate_world_free(&before);
    gate_world_free(&after);
}

static void artifact_tags(void **unused)
{
    static const char hex[] = "0101010101010101010101010101010101010101010101010101010101010101";
    static const struct {
        const char *suffix;
        bool is;
    } table[] = {{"", true},       {".sig", true},      {".att", true}, {".sbom", true},
                 {".sigx", false}, {".sig.sig", false}, {"0", false}};
    struct digest d, want = gate_world_digest(D1);
    (void)unused;
    for (size_t i = 0; i < COUNT(table); i++) {
        auto_buf struct buf tag = {0};
        buf_printf(&tag, "sha256-%s%s", hex, table[i].suffix);
        CHECK_CASE(artifact_tag_subject(buf_slice_of(&tag), &d) == table[i].is, tag.p);
        CHECK_CASE(!table[i].is || digest_equal(&d, &want), tag.p);
    }
    assert_false(artifact_tag_subject(SLICE_LIT("sha256-"), &d));
    assert_false(artifact_tag_subject(SLICE_LIT("v1.sig"), &d));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case_decides),
        cmocka_unit_test(a_suspect_store_allows_nothing_by_digest),
        cmocka_unit_test(the_ungated_see_manifests_and_blobs),
        cmocka_unit_test(a_broken_releases_role_is_told_for_what_it_lists),
        cmocka_unit_test(tag_and_digest_must_belong_together),
        cmocka_unit_test(released_names_are_roots),
        cmocka_unit_test(grace),
        cmocka_unit_test(what_was_taken_back_has_no_grace),
        cmocka_unit_test(grace_of_releases_needs_the_delegation),
        cmocka_unit_test(grace_of_releases_keeps_to_its_paths),
        cmocka_unit_test(the_strict_fallback_gives_targets_no_grace),
        cmocka_unit_test(a_listing_outside_the_paths_replaces_nothing),
        cmocka_unit_test(grace_asks_for_the_paths_of_the_time),
        cmocka_unit_test(what_targets_decides_again_has_grace_again),
        cmocka_unit_test(grace_needs_the_signers_that_the_policy_asks_for),
        cmocka_unit_test(history_tells_replaced_from_withdrawn),
        cmocka_unit_test(artifact_tags),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
