/* The verified state of whole repositories: recorded ones, made ones, and every way in which one of
 * them is bad. */
#include "tests/unit/trust/trust_check.h"

struct state_case {
    const char *path, *prev; /* under tests/vectors; prev NULL: nothing before */
    const char *gun;
    enum trust_status want;
    enum role_state releases; /* of targets/releases, when `has_releases` */
    bool has_releases;
    const char *defect_role; /* NULL: not asked */
};

static const char app[] = "registry.example/ns/app";
static const char bad[] = "localhost:5000/bad/repo";
static const char recorded[] = "localhost:5000/ns/app";

#define TUF(id, want_)                                                                             \
    {                                                                                              \
        "tuf/" id "/cur", NULL, app, want_, ROLE_STATE_BAD, false, NULL                            \
    }
#define TUF_AFTER(id, want_)                                                                       \
    {                                                                                              \
        "tuf/" id "/cur", "tuf/" id "/prev", app, want_, ROLE_STATE_BAD, false, NULL               \
    }
#define TUF_RELEASES(id, state)                                                                    \
    {                                                                                              \
        "tuf/" id "/cur", NULL, app, TRUST_OK, state, true, NULL                                   \
    }
#define BAD(id, want_, role)                                                                       \
    {                                                                                              \
        "notary/bad/" id, NULL, bad, want_, ROLE_STATE_BAD, false, role                            \
    }
#define BAD_AFTER(id, want_)                                                                       \
    {                                                                                              \
        "notary/bad/" id, "notary/bad/" id "/step1", bad, want_, ROLE_STATE_BAD, false, NULL       \
    }
#define BAD_RELEASES(id, state)                                                                    \
    {                                                                                              \
        "notary/bad/" id, NULL, bad, TRUST_OK, state, true, NULL                                   \
    }
#define RECORDED(id)                                                                               \
    {                                                                                              \
        "notary/repo/" id, NULL, recorded, TRUST_OK, ROLE_STATE_BAD, false, NULL                   \
    }

static const struct state_case cases[] = {
    TUF("U01-valid-targets", TRUST_OK),
    TUF_RELEASES("U02-releases-beats-targets", ROLE_STATE_OK),
    TUF_RELEASES("U05-docker-signer-layout", ROLE_STATE_OK),
    TUF("U10-expired-root", TRUST_EXPIRED_ROOT),
    TUF("U13-expired-timestamp", TRUST_EXPIRED_TIMESTAMP),
    TUF_RELEASES("U14-expired-releases-falls-back", ROLE_STATE_EXPIRED),
    TUF("U20-targets-wrong-signer", TRUST_BAD_DATA),
    TUF("U22-threshold-not-met", TRUST_THRESHOLD),
    TUF("U23-threshold-by-duplicate-signature", TRUST_THRESHOLD),
    TUF("U26-method-not-of-key", TRUST_BAD_DATA),
    TUF("U27-bad-then-good-signature-same-keyid", TRUST_BAD_DATA),
    TUF("U28-extra-unknown-signature", TRUST_OK),
    TUF("U32-case-folded-member", TRUST_BAD_DATA),
    TUF("U34-unknown-member", TRUST_OK),
    TUF_RELEASES("U41-nested-under-releases", ROLE_STATE_OK),
    TUF_RELEASES("U43-releases-not-in-snapshot", ROLE_STATE_VANISHED),
    TUF("U44-role-name-traversal", TRUST_BAD_DATA),
    TUF_AFTER("U46-revoked-in-releases-reappears-from-targets", TRUST_OK),
    TUF_AFTER("U50-full-rollback", TRUST_ROLLBACK),
    TUF("U50-full-rollback", TRUST_OK), /* the same bytes, nothing newer known */
    TUF_AFTER("U52-targets-rollback-under-new-snapshot", TRUST_ROLLBACK),
    TUF("U53-mix-and-match", TRUST_BAD_DATA),
    TUF_AFTER("U54-same-version-other-content", TRUST_BAD_DATA),
    TUF_AFTER("U60-root-rotation-good", TRUST_OK),
    TUF_AFTER("U61-root-rotation-not-by-old-key", TRUST_ROOT_CHANGED),
    TUF_AFTER("U64-reinitialised-repository", TRUST_ROOT_PINNED),
    TUF("U65-root-cn-of-other-gun", TRUST_BAD_DATA),
    TUF_AFTER("U68-targets-key-rotated", TRUST_OK),
    TUF("U70-root-key-without-certificate", TRUST_BAD_DATA),
    TUF("U71-rsa-keys", TRUST_OK),
    TUF("U72-sha512-only-target", TRUST_OK),
    TUF("U74-no-hash", TRUST_BAD_DATA),
    {"tuf/G01-real-notary/cur", NULL, "127.0.0.1:28001/ns/app", TRUST_OK, ROLE_STATE_OK, true,
     NULL},

    BAD("00-good", TRUST_OK, NULL),
    BAD("version0-root", TRUST_BAD_DATA, "root"),
    BAD("version0-snapshot", TRUST_BAD_DATA, "snapshot"),
    BAD("sig-targets-bitflip", TRUST_BAD_DATA, "targets"),
    BAD("sig-snapshot-bitflip", TRUST_BAD_DATA, "snapshot"),
    BAD("expired-targets", TRUST_EXPIRED_TARGETS, "targets"),
    BAD("expired-snapshot", TRUST_EXPIRED_SNAPSHOT, "snapshot"),
    BAD("type-targets", TRUST_BAD_DATA, "targets"),
    BAD("type-timestamp", TRUST_BAD_DATA, "timestamp"),
    BAD("wrongkey-timestamp", TRUST_BAD_DATA, "timestamp"),
    BAD("wrongkey-root", TRUST_BAD_DATA, "root"),
    BAD("hash512-snapshot-in-timestamp", TRUST_BAD_DATA, "snapshot"),
    BAD("hash-targets-in-snapshot", TRUST_BAD_DATA, "targets"),
    BAD("hash-snapshot-only-sha512", TRUST_BAD_DATA, "timestamp"),
    BAD("length-targets-too-small", TRUST_BAD_DATA, "targets"),
    BAD("length-targets-too-big", TRUST_BAD_DATA, "targets"), /* the client takes it */
    BAD("missing-targets-in-snapshot", TRUST_BAD_DATA, "snapshot"),
    BAD("missing-role-in-root", TRUST_BAD_DATA, "root"),
    BAD("threshold-targets-2of2-one-sig", TRUST_THRESHOLD, "targets"),
    BAD("threshold-root-2of2-ok", TRUST_OK, NULL),
    BAD("threshold-0", TRUST_BAD_DATA, "root"),
    BAD("cn-wildcard", TRUST_OK, NULL),
    BAD("cert-expired", TRUST_EXPIRED_ROOT, "root"),
    BAD("rsa-root", TRUST_OK, NULL),
    BAD("ed25519-all", TRUST_OK, NULL),
    BAD("dup-keys-version", TRUST_BAD_DATA, "targets"), /* the client takes the last */
    BAD("dup-keys-case", TRUST_BAD_DATA, "targets"),
    BAD("case-targets-shadow", TRUST_BAD_DATA, "targets"), /* the client merges them */
    BAD("whitespace", TRUST_OK, NULL),
    BAD("unicode-names", TRUST_OK, NULL),
    BAD("trailing-garbage", TRUST_BAD_DATA, "targets"),
    BAD("bigint-length", TRUST_BAD_DATA, "targets"),
    BAD("oversize-timestamp", TRUST_OK, NULL), /* stored short, and as stored good */
    BAD_RELEASES("deleg-good", ROLE_STATE_OK),
    BAD_RELEASES("deleg-wrongkey", ROLE_STATE_BAD), /* the client skips the role */
    BAD_RELEASES("deleg-hash", ROLE_STATE_BAD),
    BAD("deleg-path", TRUST_OK, NULL),
    BAD_AFTER("rollback-all", TRUST_ROLLBACK),
    BAD_AFTER("rollback-snapshot", TRUST_ROLLBACK),
    BAD_AFTER("rotate-root-ok", TRUST_OK),
    BAD_AFTER("rotate-root-only-new", TRUST_ROOT_CHANGED),
    BAD_AFTER("rotate-root-only-old", TRUST_ROOT_CHANGED),
    BAD_AFTER("rotate-root-chain-ok", TRUST_OK),
    BAD_AFTER("rotate-root-chain-gap", TRUST_ROOT_CHANGED),

    RECORDED("a-client-snapshot"),
    RECORDED("b-server-snapshot"),
    /* the client had rotated before; what it read first is not there */
    {"notary/repo/f-rsa", NULL, "localhost:5000/ns/rsa", TRUST_ROOT_CHANGED, ROLE_STATE_BAD, false,
     "root"},
};

static struct trust_state *state_of(const char *path, const char *prev_path, const char *gun,
                                    struct trust_options options)
{
    struct role_folder cur;
    struct role_folder prev = {0};
    struct role_set set;
    struct trust_state *state = NULL;

    vector_folder(path, &cur);
    if (prev_path) {
        vector_folder(prev_path, &prev);
    }
    role_set_build(&set, &cur, prev_path ? &prev : NULL, slice_str(gun));
    trust_state_build(&set.set, &options, &state);
    role_set_free(&set);
    role_folder_free(&cur);
    role_folder_free(&prev);
    return state; /* owns everything it shows */
}

static void every_vector_gets_its_status(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct state_case *c = &cases[i];
        struct trust_state *state =
            state_of(c->path, c->prev, c->gun, (struct trust_options){.now_us = vectors_now()});
        if (state->status != c->want) {
            fail_msg("%s: status %d, wanted %d: %s", c->path, (int)state->status, (int)c->want,
                     state->why);
        }
        CHECK_CASE((state->status == TRUST_OK) == (state->why[0] == '\0'), c->path);
        CHECK_CASE(!c->defect_role || strcmp(c->defect_role, state->defect_role) == 0, c->path);
        if (c->has_releases) {
            const struct trust_role *role = trust_state_role(state, SLICE_LIT("targets/releases"));
            CHECK_CASE(role != NULL, c->path);
            CHECK_CASE(role->state == c->releases, c->path);
            CHECK_CASE((role->state == ROLE_STATE_OK) == (role->why[0] == '\0'), c->path);
        }
        trust_state_free(state);
    }
}

/* What each bad one is bad for, as the sentence tells it: not for something else that the maker of
 * the vector overlooked. */
static const struct {
    const char *path, *words;
} reasons[] = {
    {"U10-expired-root", "root expired"},
    {"U13-expired-timestamp", "timestamp expired"},
    {"U20-targets-wrong-signer", "targets has 0 of 1 valid signatures"},
    {"U22-threshold-not-met", "targets has 1 of 2 valid signatures"},
    {"U23-threshold-by-duplicate-signature", "targets has 1 of 2 valid signatures"},
    {"U26-method-not-of-key", "targets has 0 of 1 valid signatures"},
    {"U27-bad-then-good-signature-same-keyid", "targets has 0 of 1 valid signatures"},
    {"U32-case-folded-member", "differs only in letter case"},
    {"U44-role-name-traversal", "snapshot: an entry is no valid role name"},
    {"U50-full-rollback", "lower than one accepted before"},
    {"U52-targets-rollback-under-new-snapshot", "targets: version 1 is lower"},
    {"U53-mix-and-match", "hash or length is not what"},
    {"U54-same-version-other-content", "accepted with other content"},
    {"U61-root-rotation-not-by-old-key", "root 2 is not signed by root 1's keys"},
    {"U64-reinitialised-repository", "keys are not the pinned ones"},
    {"U65-root-cn-of-other-gun", "root has 0 of 1 valid signatures by certificates for this"},
    {"U70-root-key-without-certificate", "root has 0 of 1 valid signatures by certificates"},
    {"U74-no-hash", "neither a sha256 nor a sha512 hash"},
    {"version0-root", "root: version cannot be less than 1"},
    {"version0-snapshot", "snapshot: version cannot be less than 1"},
    {"sig-targets-bitflip", "targets has 0 of 1 valid signatures"},
    {"sig-snapshot-bitflip", "snapshot has 0 of 1 valid signatures"},
    {"expired-targets", "targets expired"},
    {"expired-snapshot", "snapshot expired"},
    {"type-targets", "targets: expected type Targets"},
    {"type-timestamp", "timestamp: expected type Timestamp"},
    {"wrongkey-timestamp", "timestamp has 0 of 1 valid signatures"},
    {"wrongkey-root", "root has 0 of 1 valid signatures"},
    {"hash512-snapshot-in-timestamp", "snapshot: hash or length is not what timestamp says"},
    {"hash-targets-in-snapshot", "targets: hash or length is not what snapshot says"},
    {"hash-snapshot-only-sha512", "missing snapshot sha256"},
    {"length-targets-too-small", "targets: hash or length"},
    {"length-targets-too-big", "targets: hash or length"},
    {"missing-targets-in-snapshot", "missing targets sha256"},
    {"missing-role-in-root", "missing snapshot role"},
    {"threshold-targets-2of2-one-sig", "targets has 1 of 2 valid signatures"},
    {"threshold-0", "threshold is not at least 1"},
    {"cert-expired", "0 of 1 root certificates"},
    {"dup-keys-version", "duplicate members"},
    {"dup-keys-case", "differs only in letter case"},
    {"case-targets-shadow", "differs only in letter case"},
    {"trailing-garbage", "bytes after the value"},
    {"bigint-length", "beyond 2^53"},
    {"rollback-all", "lower than one accepted before"},
    {"rollback-snapshot", "snapshot: version 4 is lower"},
    {"rotate-root-only-new", "root 2 is not signed by root 1's keys"},
    {"rotate-root-only-old", "root 2 is not signed by its own keys"},
    {"rotate-root-chain-gap", "root 3 does not follow root 1"},
    {"notary/repo/f-rsa", "root"},
};

static const char *reason_of(const char *path)
{
    for (size_t i = 0; i < COUNT(reasons); i++) {
        if (strstr(path, reasons[i].path)) {
            return reasons[i].words;
        }
    }
    return NULL;
}

static void every_bad_vector_is_bad_for_its_own_reason(void **unused)
{
    int other_reasons = 0;
    (void)unused;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct state_case *c = &cases[i];
        const char *words = reason_of(c->path);
        if (c->want == TRUST_OK) {
            continue;
        }
        CHECK_CASE(words != NULL, c->path);
        struct trust_state *state =
            state_of(c->path, c->prev, c->gun, (struct trust_options){.now_us = vectors_now()});
        if (!strstr(state->why, words)) {
            print_error("%s: \"%s\", wanted \"%s\"\n", c->path, state->why, words);
            other_reasons++;
        }
        trust_state_free(state);
    }
    assert_int_equal(other_reasons, 0);
}

/* No folder of notary/bad is left out: what its own expect.json says, but for the deviations on
 * purpose. */
static void accepted_sets_are_those_the_client_accepts(void **unused)
{
    static const char *const stricter[] = {"dup-keys-version", "case-targets-shadow",
                                           "length-targets-too-big", NULL};
    static const char *const role_only[] = {"deleg-hash", "oversize-timestamp", NULL};
    auto_json json_t *index = vector_json("notary/bad/index.json");
    const char *name;
    json_t *expect;
    (void)unused;

    json_object_foreach(index, name, expect)
    {
        char path[256];
        char prev[256];
        bool two_steps = json_is_true(json_object_get(expect, "two_steps"));
        bool want = json_is_true(json_object_get(expect, "client_accepts"));
        for (size_t i = 0; stricter[i]; i++) {
            want = want && strcmp(name, stricter[i]) != 0;
        }
        for (size_t i = 0; role_only[i]; i++) {
            want = want || strcmp(name, role_only[i]) == 0;
        }
        (void)snprintf(path, sizeof(path), "notary/bad/%s", name);
        (void)snprintf(prev, sizeof(prev), "notary/bad/%s/step1", name);
        struct trust_state *state = state_of(path, two_steps ? prev : NULL, bad,
                                             (struct trust_options){.now_us = vectors_now()});
        if ((state->status == TRUST_OK) != want) {
            fail_msg("%s: status %d: %s", name, (int)state->status, state->why);
        }
        trust_state_free(state);
    }
}

static void a_lapsed_role_that_the_server_renews_is_only_noted(void **unused)
{
    struct trust_options options = {.now_us = vectors_now(), .renewable_timestamp = true};
    struct trust_state *state = state_of("tuf/U13-expired-timestamp/cur", NULL, app, options);
    (void)unused;

    assert_int_equal(state->status, TRUST_OK);
    assert_true(state->timestamp_expired);
    assert_true(state->valid_until_us > options.now_us);
    trust_state_free(state);

    options.renewable_timestamp = false; /* the hostile twin: somebody else's key */
    options.renewable_snapshot = true;
    state = state_of("tuf/U13-expired-timestamp/cur", NULL, app, options);
    assert_int_equal(state->status, TRUST_EXPIRED_TIMESTAMP);
    assert_true(state->valid_until_us < options.now_us);
    trust_state_free(state);

    state = state_of("notary/bad/expired-snapshot", NULL, bad, options);
    assert_int_equal(state->status, TRUST_OK);
    assert_true(state->snapshot_expired && !state->timestamp_expired);
    trust_state_free(state);
}

static void nested_delegations_are_reached_with_restricted_paths(void **unused)
{
    /* A client's cache after two rotations: its chain begins with a root that is not in the folder.
     */
    struct role_folder cur;
    struct role_folder chain;
    struct role_set set;
    struct trust_state *state = NULL;
    struct trust_options options = {.now_us = vectors_now()};
    (void)unused;

    vector_folder("notary/repo/d-delegations", &cur);
    vector_folder("notary/chain", &chain);
    role_set_build(&set, &cur, &chain, slice_str(recorded));
    set.set.seen_count = 0;
    trust_state_build(&set.set, &options, &state);
    assert_string_equal(state->why, "");
    assert_int_equal(state->status, TRUST_OK);
    assert_int_equal(state->first_root_version, 1);
    for (size_t i = 0; i < state->role_count; i++) {
        CHECK_CASE(state->roles[i].state == ROLE_STATE_OK, state->roles[i].why);
    }
    assert_int_equal(state->role_count, 4);
    assert_string_equal(state->roles[0].name, "targets");
    const struct trust_role *nested = trust_state_role(state, SLICE_LIT("targets/releases/nested"));
    const struct trust_role *qa = trust_state_role(state, SLICE_LIT("targets/qa"));
    assert_non_null(nested);
    assert_non_null(qa);
    assert_int_equal(nested->state, ROLE_STATE_OK);
    assert_int_equal(qa->state, ROLE_STATE_OK);
    assert_int_equal(nested->signatures.valid, 1);
    trust_state_free(state);
    role_set_free(&set);
    role_folder_free(&cur);
    role_folder_free(&chain);
}

static void a_path_outside_the_delegation_is_not_covered(void **unused)
{
    struct trust_state *state = state_of("notary/bad/deleg-path", NULL, bad,
                                         (struct trust_options){.now_us = vectors_now()});
    (void)unused;

    assert_int_equal(state->status, TRUST_OK);
    assert_int_equal(state->role_count, 2);
    assert_true(trust_role_covers(&state->roles[1], SLICE_LIT("qa/1")));
    assert_false(trust_role_covers(&state->roles[1], SLICE_LIT("prod")));
    assert_false(trust_role_covers(&state->roles[1], SLICE_LIT("qa")));
    assert_true(trust_role_covers(&state->roles[0], SLICE_LIT("anything")));
    trust_state_free(state);
}

/* The store, not the bytes, decides in these: one good set, with what is known of it changed. */
static void what_the_store_knows_decides(void **unused)
{
    struct role_folder cur;
    struct role_set set;
    struct trust_state *state = NULL;
    struct trust_options options = {.now_us = vectors_now()};
    struct spki stranger = {{1}};
    (void)unused;

    vector_folder("notary/bad/00-good", &cur);
    role_set_build(&set, &cur, NULL, slice_str(bad));

    struct trust_set s = set.set; /* no pin */
    s.pin_count = 0;
    trust_state_build(&s, &options, &state);
    assert_int_equal(state->status, TRUST_NOT_INITIALISED);
    trust_state_free(state);
    options.unpinned = true; /* a first publish */
    trust_state_build(&s, &options, &state);
    assert_int_equal(state->status, TRUST_OK);
    trust_state_free(state);
    options.unpinned = false;

    s = set.set; /* pinned to somebody else */
    s.pin = &stranger;
    trust_state_build(&s, &options, &state);
    assert_int_equal(state->status, TRUST_ROOT_PINNED);
    trust_state_free(state);

    s = set.set; /* the one root key is revoked */
    s.revoked = set.pin;
    s.revoked_count = 1;
    trust_state_build(&s, &options, &state);
    assert_int_equal(state->status, TRUST_ROOT_KEY_REVOKED);
    trust_state_free(state);
    s.revoked = &stranger; /* the twin: another key is */
    trust_state_build(&s, &options, &state);
    assert_int_equal(state->status, TRUST_OK);
    trust_state_free(state);

    s = set.set; /* documents lost: never "unsigned" */
    s.file_count = 0;
    trust_state_build(&s, &options, &state);
    assert_int_equal(state->status, TRUST_BAD_DATA);
    trust_state_free(state);
    s = set.set;
    s.root_count = 0;
    trust_state_build(&s, &options, &state);
    assert_int_equal(state->status, TRUST_BAD_DATA);
    trust_state_free(state);
    s.file_count = 0; /* nothing at all, a pin kept by a wipe */
    trust_state_build(&s, &options, &state);
    assert_int_equal(state->status, TRUST_NOT_INITIALISED);
    trust_state_free(state);

    s = set.set; /* the certificate is good for one GUN */
    s.gun = SLICE_LIT("localhost:5000/bad/other");
    trust_state_build(&s, &options, &state);
    assert_int_equal(state->status, TRUST_BAD_DATA);
    trust_state_free(state);

    role_set_free(&set);
    role_folder_free(&cur);
}

/* Every role's highest version and content count, one role at a time: U51 is the snapshot's part of
 * U50 to U52. */
static void history_is_kept_for_each_role(void **unused)
{
    static const char *const roles[] = {"root", "timestamp", "snapshot", "targets"};
    struct role_folder cur;
    struct role_set set;
    struct trust_options options = {.now_us = vectors_now()};
    (void)unused;

    vector_folder("notary/bad/00-good", &cur);
    role_set_build(&set, &cur, NULL, slice_str(bad));
    for (size_t i = 0; i < COUNT(roles); i++) {
        for (size_t at = 0; at < set.set.seen_count; at++) {
            struct trust_seen *seen = &set.seen[at];
            struct trust_seen kept = *seen;
            struct trust_state *state = NULL;
            if (strcmp(seen->role, roles[i]) != 0) {
                continue;
            }
            seen->version++;
            trust_state_build(&set.set, &options, &state);
            CHECK_CASE(state->status == TRUST_ROLLBACK, roles[i]);
            CHECK_CASE(strcmp(state->defect_role, roles[i]) == 0, roles[i]);
            trust_state_free(state);

            *seen = kept;
            seen->signed_sha256[0] ^= 1;
            trust_state_build(&set.set, &options, &state);
            CHECK_CASE(state->status == TRUST_BAD_DATA, roles[i]);
            trust_state_free(state);

            seen->has_signed = false; /* the twin: content unknown, the version equal */
            trust_state_build(&set.set, &options, &state);
            CHECK_CASE(state->status == TRUST_OK, roles[i]);
            trust_state_free(state);
            *seen = kept;
        }
    }
    role_set_free(&set);
    role_folder_free(&cur);
}

/* Nine roots, every role's key rotated, one link signed by two older keys: the stored history of a
 * real repository. */
static void a_recorded_root_chain_verifies_link_by_link(void **unused)
{
    struct tuf_doc *prev = NULL;
    struct err err = {0};
    (void)unused;

    for (int v = 1; v <= 9; v++) {
        auto_buf struct buf bytes = {0};
        struct tuf_doc *next = NULL;
        char path[64];
        (void)snprintf(path, sizeof(path), "notary/chain/%d.root.json", v);
        vector_bytes(path, &bytes);
        assert_int_equal(tuf_doc_read(SLICE_LIT("root"), buf_slice_of(&bytes), &next, &err),
                         DOC_OK);
        if (!trust_root_follows(prev, next, slice_str(recorded), vectors_now(), true, &err)) {
            fail_msg("root %d: %s", v, err.msg);
        }
        if (prev) {
            assert_false(
                trust_root_follows(next, prev, slice_str(recorded), vectors_now(), true, &err));
            assert_false(
                trust_root_follows(prev, prev, slice_str(recorded), vectors_now(), true, &err));
        }
        assert_int_equal(
            trust_root_follows(NULL, next, slice_str(recorded), vectors_now(), true, NULL), v <= 2);
        assert_false(trust_root_follows(prev, next, SLICE_LIT("localhost:5000/ns/ap"),
                                        vectors_now(), true, &err));
        tuf_doc_free(prev);
        prev = next;
    }
    tuf_doc_free(prev);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_vector_gets_its_status),
        cmocka_unit_test(every_bad_vector_is_bad_for_its_own_reason),
        cmocka_unit_test(accepted_sets_are_those_the_client_accepts),
        cmocka_unit_test(a_lapsed_role_that_the_server_renews_is_only_noted),
        cmocka_unit_test(nested_delegations_are_reached_with_restricted_paths),
        cmocka_unit_test(a_path_outside_the_delegation_is_not_covered),
        cmocka_unit_test(what_the_store_knows_decides),
        cmocka_unit_test(history_is_kept_for_each_role),
        cmocka_unit_test(a_recorded_root_chain_verifies_link_by_link),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
