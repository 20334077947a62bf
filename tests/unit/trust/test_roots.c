/* Root keys over a real store: which a namespace accepts, which are revoked (gate.md 11.1, 11.2;
 * attacks K-01, K-02, K-05); roles that begin anew below them (F-03). */
#include "base/hex.h"
#include "storage/audit.h"
#include "storage/policy.h"
#include "storage/trust_pin.h"
#include "tests/unit/trust/bench.h"
#include "trust/acknowledge.h"
#include "trust/exceptions.h"
#include "trust/reset.h"
#include "trust/resign.h"
#include "trust/revoke.h"
#include "trust/roots.h"

#include <stdio.h>

static int audited(struct bench *b, const char *action)
{
    auto_audit_list struct audit_list list = {0};
    int n = 0;
    READ(b->w)
    {
        OK(audit_list(tx, 0, 0, 1000, &list, err));
    }
    for (size_t i = 0; i < list.count; i++) {
        n += strcmp(list.items[i].action, action) == 0;
    }
    return n;
}

/* --- the set ---------------------------------------------------------------------------------- */

static size_t set_size(struct bench *b, const struct made_key *key, bool *has)
{
    auto_pin_list struct pin_list set = {0};
    struct spki spki = spki_of(key);
    READ(b->w)
    {
        OK(namespace_root_list(tx, b->w->ns.id, &set, err));
    }
    *has = pin_list_has(&set, spki.sha256);
    return set.count;
}

static struct roots_change change_of(struct bench *b, const struct made_key *key)
{
    return (struct roots_change){.namespace_id = b->w->ns.id,
                                 .namespace_ = ns_of("ns"),
                                 .key = spki_of(key),
                                 .actor = &b->w->alice,
                                 .now_us = b->now_us};
}

static void owners_say_which_keys_may_begin(void **state)
{
    struct bench b;
    char word[32];
    bool has = false;
    bench_open(&b, *state);
    assert_string_equal(begin_with(&b, "ns/app", &keys.root, false, word), "");
    assert_int_equal(audited(&b, "trust.root_add"), 1); /* the first one is told too */
    assert_string_equal(begin_with(&b, "ns/b", &keys.root2, false, word), "ErrBadRoot");
    struct roots_change second = change_of(&b, &keys.root2), first = change_of(&b, &keys.root);
    WRITE(b.w)
    {
        OK(trust_roots_accept(tx, &second, err));
        OK(trust_roots_accept(tx, &second, err)); /* it is there */
    }
    assert_int_equal(audited(&b, "trust.root_add"), 2);
    assert_string_equal(begin_with(&b, "ns/b", &keys.root2, false, word), "");
    WRITE(b.w)
    {
        OK(trust_roots_remove(tx, &first, err));
        FAILS(ERR_NOT_FOUND, trust_roots_remove(tx, &first, err));
        FAILS(ERR_CONFLICT, trust_roots_remove(tx, &second, err)); /* the last one */
    }
    assert_int_equal(audited(&b, "trust.root_remove"), 1);
    assert_int_equal(set_size(&b, &keys.root2, &has), 1);
    assert_true(has);
    assert_string_equal(begin_with(&b, "ns/c", &keys.root, false, word), "ErrBadRoot");
    sign_again(&b, 2, NULL, NULL, 0); /* what began with the removed key goes on */
    bench_close(&b);
}

static void an_owners_first_root_adds_its_key_and_is_audited(void **state)
{
    struct bench b;
    char word[32];
    bool has = false;
    bench_open(&b, *state);
    assert_string_equal(begin_with(&b, "ns/app", &keys.root, false, word), "");
    assert_string_equal(begin_with(&b, "ns/b", &keys.root2, true, word), "");
    assert_int_equal(set_size(&b, &keys.root2, &has), 2);
    assert_true(has);
    assert_int_equal(audited(&b, "trust.root_add"), 2);
    bench_close(&b);
}

static void allow_roots_bind_owners_too(void **state)
{
    struct bench b;
    char word[32], text[160], key[ROOT_KEY_TEXT_SIZE];
    bool has = false;
    struct spki spki = spki_of(&keys.root);
    bench_open(&b, *state);
    (void)snprintf(text, sizeof text, "{\"allow_roots\":[\"%s\"]}",
                   trust_root_key_format(spki.sha256, key));
    WRITE(b.w)
    {
        OK(policy_row_put(tx, "ns", slice_str(text), &b.w->alice, b.now_us, err));
    }
    assert_string_equal(begin_with(&b, "ns/app", &keys.root2, true, word), "ErrBadRoot");
    assert_string_equal(begin_with(&b, "ns/app", &keys.root, false, word), "");
    assert_int_equal(set_size(&b, &keys.root, &has), 0); /* the list of the policy is the list */
    bench_close(&b);
}

static void a_key_is_written_in_one_way(void **state)
{
    static const char *const no[] = {
        "",
        "sha256:",
        "sha256:00",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "sha256:000000000000000000000000000000000000000000000000000000000000000g",
        "sha256:00000000000000000000000000000000000000000000000000000000000000000",
        "sha512:0000000000000000000000000000000000000000000000000000000000000000"};
    struct spki spki;
    char text[ROOT_KEY_TEXT_SIZE];
    (void)state;
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++) {
        assert_false(trust_root_key_parse(slice_str(no[i]), &spki));
    }
    memset(spki.sha256, 0xa5, sizeof spki.sha256);
    struct spki back;
    assert_true(trust_root_key_parse(slice_str(trust_root_key_format(spki.sha256, text)), &back));
    assert_memory_equal(&back, &spki, sizeof spki);
}

static void one_lost_key_is_one_too_many(void **state)
{
    static const struct {
        int64_t threshold;
        size_t keys;
        bool hangs;
    } cases[] = {{1, 1, true}, {1, 2, false}, {2, 2, true}, {2, 3, false}, {1, 0, true}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct tuf_doc root = {.root = {.threshold = cases[i].threshold}};
        const struct trust_state trust = {.root = &root, .root_key_count = cases[i].keys};
        assert_int_equal(trust_root_hangs_on_one_key(&trust), cases[i].hangs);
    }
    const struct trust_state none = {.root = NULL};
    assert_false(trust_root_hangs_on_one_key(&none)); /* nothing is signed, nothing can be lost */
}

/* --- revoked keys ----------------------------------------------------------------------------- */

/* Revokes a key; how many repositories are refused since. */
static size_t revoke_key(struct bench *b, const struct made_key *key, bool already)
{
    json_t *result = NULL;
    struct revoke_request rq = {.reason = "stolen", .actor = &b->w->alice, .now_us = b->now_us};
    rq.key = spki_of(key);
    OK(trust_revoke_key(b->trust, &rq, &result, err));
    assert_int_equal(json_is_true(json_object_get(result, "already")), already);
    size_t n = json_array_size(json_get_array(result, "affected"));
    json_decref(result);
    return n;
}

static struct digest sign_app(struct bench *b)
{
    struct made m;
    struct digest one = push_image(b->w, "{}", "one");
    move_tag(b, "v1", &one);
    begin(b, "ns/app", &keys.root, &one, size_of(b, &one), &m);
    publish(b, &m);
    REASON_OF(ask_tag(b, &deployer, "v1"), ALLOWED);
    return one;
}

/* The line of the checkpoint that says that a key is revoked. */
static bool checkpoint_has(struct bench *b, const struct made_key *key)
{
    char path[128], hex[65], text[80];
    char bytes[8192];
    struct spki spki = spki_of(key);
    (void)snprintf(path, sizeof path, "%s/trust", b->w->folder.path);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t n = fread(bytes, 1, sizeof bytes - 1, file);
    (void)fclose(file);
    bytes[n] = '\0';
    (void)snprintf(text, sizeof text, "revoked %s", hex_encode(spki.sha256, 32, hex));
    return memmem(bytes, n, text, strlen(text)) != NULL;
}

static void a_revoked_key_is_refused_at_once_and_for_ever(void **state)
{
    struct bench b;
    char word[32];
    bench_open_kept(&b, *state);
    (void)sign_app(&b);
    assert_string_equal(begin_with(&b, "ns/b", &keys.root2, true, word), "");
    assert_false(checkpoint_has(&b, &keys.root));
    assert_int_equal(revoke_key(&b, &keys.root, false), 1); /* ns/app, not ns/b */
    REASON_OF(ask_tag(&b, &deployer, "v1"), ROOT_KEY_REVOKED);
    assert_true(checkpoint_has(&b, &keys.root)); /* before the answer: a restore cannot undo it */
    assert_int_equal(audited(&b, "trust.key_revoke"), 1);
    assert_int_equal(revoke_key(&b, &keys.root, true), 1);
    assert_int_equal(audited(&b, "trust.key_revoke"), 1);
    server_restart(&b);
    REASON_OF(ask_tag(&b, &deployer, "v1"), ROOT_KEY_REVOKED);
    /* even an owner begins nothing with it, nor adds it */
    assert_string_equal(begin_with(&b, "ns/c", &keys.root, true, word), "ErrBadRoot");
    struct roots_change change = change_of(&b, &keys.root);
    WRITE(b.w)
    {
        FAILS(ERR_CONFLICT, trust_roots_accept(tx, &change, err));
    }
    bench_close(&b);
}

static void pin_to(struct bench *b, const struct made_key *key)
{
    struct spki spki = spki_of(key);
    WRITE(b->w)
    {
        OK(trust_pin_set(tx, b->w->repo.id, &spki.sha256, 1, &b->w->alice, b->now_us, err));
    }
}

static enum resign_result resign_now(struct bench *b)
{
    struct err err = {0};
    return trust_resign(b->trust, b->w->repo.id, true, b->now_us, &err);
}

/* gate.md 4.1: a fresh timestamp would make clients believe what is refused here. */
static void what_the_pin_or_a_revocation_refuses_is_not_renewed(void **state)
{
    struct bench b;
    bool more = true;
    bench_open(&b, *state);
    (void)sign_app(&b);
    b.now_us += 8 * US_PER_DAY; /* past half life */
    pin_to(&b, &keys.root2);
    assert_int_equal(resign_now(&b), RESIGN_NOT_POSSIBLE);
    assert_int_equal(trust_renew_due(b.trust, b.now_us, 10, &more), 0);
    pin_to(&b, &keys.root);
    assert_int_equal(resign_now(&b), RESIGN_DONE); /* the twin */
    b.now_us += 8 * US_PER_DAY;
    assert_int_equal(revoke_key(&b, &keys.root, false), 1);
    assert_int_equal(resign_now(&b), RESIGN_NOT_POSSIBLE);
    assert_int_equal(trust_renew_due(b.trust, b.now_us, 10, &more), 0);
    bench_close(&b);
}

static void a_revocation_says_why(void **state)
{
    struct bench b;
    json_t *result = NULL;
    char longer[REVOKE_REASON_MAX + 2];
    bench_open_kept(&b, *state);
    (void)sign_app(&b);
    struct revoke_request rq = {.reason = "", .actor = &b.w->alice, .now_us = b.now_us};
    rq.key = spki_of(&keys.root);
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    FAILS(ERR_INVALID, trust_revoke_key(b.trust, &rq, &result, err));
    rq.reason = longer;
    FAILS(ERR_INVALID, trust_revoke_key(b.trust, &rq, &result, err));
    REASON_OF(ask_tag(&b, &deployer, "v1"), ALLOWED);
    longer[REVOKE_REASON_MAX] = '\0';
    OK(trust_revoke_key(b.trust, &rq, &result, err));
    json_decref(result);
    REASON_OF(ask_tag(&b, &deployer, "v1"), ROOT_KEY_REVOKED);
    bench_close(&b);
}

/* Signed by the keys of `signers` (NULL ends them); the answer's word. */
static const char *publish_root(struct bench *b, json_t *root,
                                const struct made_key *const signers[], char word[32])
{
    struct made m = {.count = 0};
    struct made_doc *doc = made_add(&m, "root", root, signers[0]);
    for (size_t i = 1; signers[i - 1] && signers[i]; i++) {
        doc->signers[i] = signers[i];
    }
    return publish_as(b, "ns/app", &m, true, word);
}

static void what_was_rotated_away_before_is_not_missed(void **state)
{
    struct bench b;
    char word[32];
    const struct made_key *const both[] = {&keys.root, &keys.root2, NULL};
    bench_open(&b, *state);
    (void)sign_app(&b);
    assert_string_equal(publish_root(&b, root_for(&b, 2, &keys.root2), both, word), "");
    assert_int_equal(revoke_key(&b, &keys.root, false), 0);
    REASON_OF(ask_tag(&b, &deployer, "v1"), ALLOWED); /* K-05 */
    assert_int_equal(revoke_key(&b, &keys.root2, false), 1);
    REASON_OF(ask_tag(&b, &deployer, "v1"), ROOT_KEY_REVOKED);
    bench_close(&b);
}

/* A rotation makes the new key good for its own repository alone. */
static void a_rotation_teaches_the_namespace_nothing(void **state)
{
    struct bench b;
    char word[32];
    const struct made_key *const both[] = {&keys.root, &keys.root2, NULL};
    bool has = true;
    bench_open(&b, *state);
    (void)sign_app(&b);
    assert_string_equal(publish_root(&b, root_for(&b, 2, &keys.root2), both, word), "");
    assert_int_equal(set_size(&b, &keys.root2, &has), 1);
    assert_false(has);
    assert_string_equal(begin_with(&b, "ns/b", &keys.root2, false, word), "ErrBadRoot");
    bench_close(&b);
}

/* Two root keys, one is enough; the root is signed by `signers`. */
static void begin_with_two(struct bench *b, const struct made_key *const signers[])
{
    struct made m;
    const struct made_key *const list[] = {&keys.root, &keys.root2, NULL};
    struct digest one = push_image(b->w, "{}", "one");
    move_tag(b, "v1", &one);
    begin(b, "ns/app", &keys.root, &one, size_of(b, &one), &m);
    json_decref(m.docs[0].part);
    m.docs[0].part = root_of(b, 1, list, 1, &keys.targets);
    m.docs[0].signers[0] = signers[0];
    m.docs[0].signers[1] = signers[1];
    publish(b, &m);
}

static void the_remaining_keys_are_enough(void **state)
{
    struct bench b;
    const struct made_key *const both[] = {&keys.root, &keys.root2, NULL};
    bench_open(&b, *state);
    begin_with_two(&b, both);
    assert_int_equal(revoke_key(&b, &keys.root, false), 0);
    REASON_OF(ask_tag(&b, &deployer, "v1"), ALLOWED);
    assert_int_equal(revoke_key(&b, &keys.root2, false), 1);
    REASON_OF(ask_tag(&b, &deployer, "v1"), ROOT_KEY_REVOKED);
    bench_close(&b);
}

/* The root that replaces it comes from the keys that are left: the thief has the other one. */
static void a_stolen_key_hands_nothing_over(void **state)
{
    struct bench b;
    char word[32];
    struct made_key mine;
    made_cert_new(&mine, NULL, HOST "/ns/*", -86400, 86400 * 3650L);
    const struct made_key *const by_stolen[] = {&keys.root, NULL};
    const struct made_key *const thief[] = {&keys.root, &mine, NULL};
    const struct made_key *const holder[] = {&keys.root2, NULL};
    bench_open(&b, *state);
    begin_with_two(&b, by_stolen);
    assert_int_equal(revoke_key(&b, &keys.root, false),
                     1); /* the root was signed by this one alone */
    REASON_OF(ask_tag(&b, &deployer, "v1"), ROOT_KEY_REVOKED);
    assert_string_equal(publish_root(&b, root_for(&b, 2, &mine), thief, word), "ErrBadRoot");
    assert_string_equal(publish_root(&b, root_for(&b, 2, &keys.root2), thief, word), "ErrBadRoot");
    REASON_OF(ask_tag(&b, &deployer, "v1"), ROOT_KEY_REVOKED);
    assert_string_equal(publish_root(&b, root_for(&b, 2, &keys.root2), holder, word), "");
    REASON_OF(ask_tag(&b, &deployer, "v1"), ALLOWED);
    made_key_free(&mine);
    bench_close(&b);
}

/* A key of the set that was revoked does not carry a stranger's in. */
static void a_revoked_key_of_the_set_accepts_nobody(void **state)
{
    struct bench b;
    char word[32];
    struct made m;
    const struct made_key *const list[] = {&keys.root, &keys.root2, NULL};
    bench_open(&b, *state);
    assert_string_equal(begin_with(&b, "ns/app", &keys.root, true, word), "");
    (void)revoke_key(&b, &keys.root, false);
    begin(&b, "ns/b", &keys.root, NULL, 0, &m);
    json_decref(m.docs[0].part);
    m.docs[0].part = root_of(&b, 1, list, 1, &keys.targets);
    m.docs[0].signers[1] = &keys.root2;
    assert_string_equal(publish_as(&b, "ns/b", &m, false, word), "ErrBadRoot");
    bench_close(&b);
}

/* Texts that others read, in answers and in the audit log: bounded, UTF-8, no line breaks and no other
 * control characters; the empty one where none is needed. */
static void reasons_are_texts_that_fit_a_line(void **state)
{
    static char fits[EXCEPTIONS_REASON_MAX + 1], longer[EXCEPTIONS_REASON_MAX + 2];
    static const char *const bad[] = {longer, "two\nlines", "\x1b[2J", "tab\there", "\x7f", "\xff"};
    struct bench b;
    json_t *result = NULL;
    memset(fits, 'x', sizeof fits - 1);
    memset(longer, 'x', sizeof longer - 1);
    bench_open_kept(&b, *state);
    (void)sign_app(&b);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const struct actor *alice = &b.w->alice;
        const struct acknowledge_request acknowledge = {
            .all = true, .reason = bad[i], .actor = alice, .now_us = b.now_us};
        const struct reset_request reset = {.repo = repo_of("ns/app"),
                                            .role = SLICE_LIT("targets"),
                                            .reason = bad[i],
                                            .actor = alice,
                                            .now_us = b.now_us};
        const struct revoke_request revoke = {
            .key = spki_of(&keys.root), .reason = bad[i], .actor = alice, .now_us = b.now_us};
        FAILS(ERR_INVALID, trust_acknowledge(b.trust, &acknowledge, &result, err));
        FAILS(ERR_INVALID, trust_role_reset(b.trust, &reset, err));
        FAILS(ERR_INVALID, trust_revoke_key(b.trust, &revoke, &result, err));
        assert_null(result);
    }
    assert_int_equal(audited(&b, "trust.acknowledge"), 0);
    assert_int_equal(audited(&b, "trust.role_reset"), 0);
    REASON_OF(ask_tag(&b, &deployer, "v1"), ALLOWED); /* no key is revoked */
    const struct acknowledge_request good = {
        .all = true, .reason = fits, .actor = &b.w->alice, .now_us = b.now_us};
    OK(trust_acknowledge(b.trust, &good, &result, err));
    json_decref(result);
    bench_close(&b);
}

/* --- reset of a role -------------------------------------------------------------------------- */

static void reset(struct bench *b, const char *role)
{
    const struct reset_request rq = {.repo = repo_of("ns/app"),
                                     .role = slice_str(role),
                                     .reason = "driven up",
                                     .actor = &b->w->alice,
                                     .now_us = b->now_us};
    OK(trust_role_reset(b->trust, &rq, err));
}

static struct trust_role_life life_of(struct bench *b, const char *role)
{
    auto_trust_role_life_list struct trust_role_life_list lives = {0};
    READ(b->w)
    {
        OK(trust_role_lives(tx, b->w->repo.id, &lives, err));
    }
    const struct trust_role_life *life = trust_role_life_find(&lives, role);
    assert_non_null(life);
    return *life;
}

/* Root `version` that names `targets` for its role, and targets `targets_version` by it, which sign
 * the digest as v1. */
static const char *rotate_targets(struct bench *b, int64_t version, const struct made_key *targets,
                                  int64_t targets_version, const struct digest *one, char word[32])
{
    struct made m = {.count = 0};
    const struct made_key *const list[] = {&keys.root, NULL};
    json_t *part = made_targets(targets_version);
    (void)made_add(&m, "root", root_of(b, version, list, 1, targets), &keys.root);
    sign_tag(part, "v1", one, size_of(b, one));
    (void)made_add(&m, "targets", part, targets);
    return publish_as(b, "ns/app", &m, true, word);
}

/* F-03. 1,000 steps at once are the most that a publish may take, so a few make a lead. */
static void a_reset_role_begins_anew_once(void **state)
{
    struct bench b;
    char word[32];
    bench_open_kept(&b, *state);
    struct digest one = sign_app(&b);
    sign_again(&b, 1000, "v1", &one, size_of(&b, &one));
    sign_again(&b, 1500, "v1", &one, size_of(&b, &one));
    assert_string_equal(rotate_targets(&b, 2, &keys.alice, 5, &one, word), "VERSION");
    reset(&b, "targets");
    assert_int_equal(audited(&b, "trust.role_reset"), 1);
    REASON_OF(ask_tag(&b, &deployer, "v1"), ALLOWED); /* so far nothing has changed */
    assert_string_equal(rotate_targets(&b, 2, &keys.targets, 5, &one, word),
                        "VERSION"); /* not with the key that has signed the high version */
    assert_string_equal(rotate_targets(&b, 2, &keys.alice, 1200, &one, word),
                        "ErrBadTargets"); /* too large a step, from nothing */
    assert_string_equal(rotate_targets(&b, 2, &keys.alice, 5, &one, word), "");
    REASON_OF(ask_tag(&b, &deployer, "v1"), ALLOWED);
    struct trust_role_life life = life_of(&b, "targets");
    assert_int_equal(life.incarnation, 2);
    assert_int_equal(life.version, 5);
    assert_int_equal(life_of(&b, "root").incarnation, 1);
    READ(b.w)
    {
        auto_trust_doc struct trust_doc old = {0};
        OK(trust_doc_by_life(tx, b.w->repo.id, SLICE_LIT("targets"), 1, 1500, &old, err));
    }
    server_restart(&b); /* the checkpoint agrees, and what is stored verifies */
    REASON_OF(ask_tag(&b, &deployer, "v1"), ALLOWED);
    struct made_key third;
    made_key_new(&third);
    assert_string_equal(rotate_targets(&b, 3, &third, 2, &one, word), "VERSION"); /* once */
    made_key_free(&third);
    bench_close(&b);
}

/* Whoever has the documents of before must not be able to bring them back below the new versions. */
static void a_reset_takes_no_key_that_was_named_before(void **state)
{
    struct bench b;
    char word[32];
    bench_open(&b, *state);
    struct digest one = sign_app(&b); /* keys.targets */
    assert_string_equal(rotate_targets(&b, 2, &keys.alice, 900, &one, word), "");
    reset(&b, "targets");
    assert_string_equal(rotate_targets(&b, 3, &keys.targets, 2, &one, word), "VERSION");
    assert_string_equal(rotate_targets(&b, 3, &keys.targets, 901, &one, word), "");
    bench_close(&b);
}

/* A client that only counts up may rotate its key all the same. */
static void a_reset_role_may_count_on(void **state)
{
    struct bench b;
    char word[32];
    bench_open(&b, *state);
    struct digest one = sign_app(&b);
    sign_again(&b, 1000, "v1", &one, size_of(&b, &one));
    sign_again(&b, 1500, "v1", &one, size_of(&b, &one));
    reset(&b, "targets");
    assert_string_equal(rotate_targets(&b, 2, &keys.alice, 1501, &one, word), "");
    assert_int_equal(life_of(&b, "targets").incarnation, 1);
    bench_close(&b);
}

static void server_roles_are_reset_with_their_keys(void **state)
{
    struct bench b;
    char word[32];
    auto_buf struct buf json = {0};
    struct repo_name name = repo_of("ns/app");
    bench_open(&b, *state);
    struct digest one = sign_app(&b);
    sign_again(&b, 2, "v1", &one, size_of(&b, &one));
    assert_int_equal(life_of(&b, "snapshot").version, 2);
    reset(&b, "snapshot");
    sign_again(&b, 3, "v1", &one, size_of(&b, &one));
    assert_int_equal(life_of(&b, "snapshot").version, 3); /* without new keys it goes on */
    OK(server_key_rotate(b.trust, &name, ROLE_SNAPSHOT, NULL, b.now_us, &json, err));
    json_decref(b.snapshot.object);
    b.snapshot = (struct made_key){.object = NULL};
    OK(json_read(buf_slice_of(&json), 8, &b.snapshot.object, err));
    made_id(&b.snapshot);
    const struct made_key *const by[] = {&keys.root, NULL};
    assert_string_equal(publish_root(&b, root_for(&b, 2, &keys.root), by, word), "");
    assert_int_equal(life_of(&b, "snapshot").version, 1);
    assert_int_equal(life_of(&b, "snapshot").incarnation, 2);
    assert_int_equal(life_of(&b, "timestamp").incarnation, 1);
    REASON_OF(ask_tag(&b, &deployer, "v1"), ALLOWED);
    bench_close(&b);
}

static void other_roles_are_not_reset(void **state)
{
    static const struct {
        const char *repo, *role;
        enum err_code code;
    } no[] = {{"ns/app", "root", ERR_INVALID},
              {"ns/app", "targets/releases", ERR_INVALID},
              {"ns/app", "", ERR_INVALID},
              {"ns/none", "targets", ERR_NAME_UNKNOWN},
              {"ns/empty", "targets", ERR_TRUST_NOT_FOUND}};
    struct bench b;
    bench_open(&b, *state);
    (void)sign_app(&b);
    server_key(&b, "ns/empty", ROLE_TIMESTAMP, &b.timestamp);
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++) {
        const struct reset_request rq = {.repo = repo_of(no[i].repo),
                                         .role = slice_str(no[i].role),
                                         .reason = "",
                                         .actor = &b.w->alice,
                                         .now_us = b.now_us};
        FAILS(no[i].code, trust_role_reset(b.trust, &rq, err));
    }
    assert_int_equal(audited(&b, "trust.role_reset"), 0);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(owners_say_which_keys_may_begin),
        WORLD_TEST(an_owners_first_root_adds_its_key_and_is_audited),
        WORLD_TEST(allow_roots_bind_owners_too),
        WORLD_TEST(a_key_is_written_in_one_way),
        cmocka_unit_test(one_lost_key_is_one_too_many),
        WORLD_TEST(a_revoked_key_is_refused_at_once_and_for_ever),
        WORLD_TEST(what_the_pin_or_a_revocation_refuses_is_not_renewed),
        WORLD_TEST(a_revocation_says_why),
        WORLD_TEST(what_was_rotated_away_before_is_not_missed),
        WORLD_TEST(a_rotation_teaches_the_namespace_nothing),
        WORLD_TEST(the_remaining_keys_are_enough),
        WORLD_TEST(a_stolen_key_hands_nothing_over),
        WORLD_TEST(a_revoked_key_of_the_set_accepts_nobody),
        WORLD_TEST(reasons_are_texts_that_fit_a_line),
        WORLD_TEST(a_reset_role_begins_anew_once),
        WORLD_TEST(a_reset_takes_no_key_that_was_named_before),
        WORLD_TEST(a_reset_role_may_count_on),
        WORLD_TEST(server_roles_are_reset_with_their_keys),
        WORLD_TEST(other_roles_are_not_reset),
    };
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
