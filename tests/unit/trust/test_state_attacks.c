/* Attacks on a stored repository, built one by one from a good one: wrong signers, thresholds,
 * chains, dates, trees. */
#include "tests/unit/trust/made.h"

#define YEAR_S INT64_C(31536000)

struct fixture {
    struct made_key root, root2, root3, online, targets, alice, bob;
};
static struct fixture *keys; /* made once: key generation is the slow part */

static int setup(void **unused)
{
    (void)unused;
    keys = xcalloc(1, sizeof(*keys));
    made_cert_new(&keys->root, NULL, MADE_GUN, -YEAR_S, YEAR_S);
    made_cert_new(&keys->root2, NULL, MADE_GUN, -YEAR_S, 2 * YEAR_S);
    made_cert_new(&keys->root3, NULL, MADE_GUN, -YEAR_S, 3 * YEAR_S);
    made_key_new(&keys->online);
    made_key_new(&keys->targets);
    made_key_new(&keys->alice);
    made_key_new(&keys->bob);
    return 0;
}

static int teardown(void **unused)
{
    struct made_key *all[] = {&keys->root,    &keys->root2, &keys->root3, &keys->online,
                              &keys->targets, &keys->alice, &keys->bob};
    (void)unused;
    for (size_t i = 0; i < COUNT(all); i++) {
        made_key_free(all[i]);
    }
    free(keys);
    return 0;
}

/* A good repository: root 1, targets 1 that delegates targets/releases to alice. */
static void made_good(struct made *m)
{
    const struct made_key *const roots[] = {&keys->root, NULL};
    const struct made_key *const alice[] = {&keys->alice, NULL};
    json_t *targets = made_targets(1);
    *m = (struct made){.count = 0};
    made_delegate(targets, "targets/releases", alice, 1, "");
    made_add(m, "root", made_root(1, roots, 1, &keys->targets, &keys->online), &keys->root);
    made_add(m, "targets", targets, &keys->targets);
    made_add(m, "targets/releases", made_targets(1), &keys->alice);
}

struct knowledge {             /* what the store knows beside the documents */
    const struct made *before; /* accepted before; NULL nothing */
    const struct spki *revoked;
    size_t revoked_count;
    int64_t now_us; /* 0 = the vectors' */
};

static struct trust_state *build(const struct made *m, const struct knowledge *k)
{
    struct role_folder cur;
    struct role_folder prev = {0};
    struct role_set set;
    struct trust_state *state = NULL;
    struct trust_options options = {.now_us = k && k->now_us ? k->now_us : vectors_now()};
    made_folder(m, &cur);
    if (k && k->before) {
        made_folder(k->before, &prev);
    }
    role_set_build(&set, &cur, k && k->before ? &prev : NULL, SLICE_LIT(MADE_GUN));
    if (k) {
        set.set.revoked = k->revoked;
        set.set.revoked_count = k->revoked_count;
    }
    trust_state_build(&set.set, &options, &state);
    role_set_free(&set);
    free(cur.docs);
    free(prev.docs);
    return state;
}

static void expect(const char *name, const struct made *m, const struct knowledge *k,
                   enum trust_status want)
{
    struct trust_state *state = build(m, k);
    if (state->status != want) {
        fail_msg("%s: status %d, wanted %d: %s", name, (int)state->status, (int)want, state->why);
    }
    trust_state_free(state);
}

static void expect_role(const char *name, const struct made *m, const struct knowledge *k,
                        const char *role, enum role_state want)
{
    struct trust_state *state = build(m, k);
    const struct trust_role *found = trust_state_role(state, slice_str(role));
    if (state->status != TRUST_OK || !found || found->state != want) {
        fail_msg("%s: status %d (%s), role state %d, wanted %d: %s", name, (int)state->status,
                 state->why, found ? (int)found->state : -1, (int)want, found ? found->why : "");
    }
    trust_state_free(state);
}

static void set_role_member(struct made_doc *root, const char *role, const char *member,
                            json_t *value)
{
    json_object_set_new(json_object_get(json_object_get(root->part, "roles"), role), member, value);
}

/* ---- every base role, unsigned, by a stranger, of another type, expired, at version 0 ---- */

static void each_base_role_is_needed_good(void **unused)
{
    static const struct {
        const char *role;
        enum trust_status expired;
    } roles[] = {
        {"root", TRUST_EXPIRED_ROOT},
        {"timestamp", TRUST_EXPIRED_TIMESTAMP},
        {"snapshot", TRUST_EXPIRED_SNAPSHOT},
        {"targets", TRUST_EXPIRED_TARGETS},
    };
    (void)unused;
    for (size_t i = 0; i < COUNT(roles); i++) {
        const char *role = roles[i].role;
        struct made m;
        made_good(&m);
        made_finish(&m, &keys->online, 1);
        expect(role, &m, NULL, TRUST_OK);
        struct made_doc *doc = made_find(&m, role);
        const struct made_key *signer = doc->signers[0];

        doc->signers[0] = NULL; /* U21 */
        made_finish(&m, &keys->online, 1);
        expect(role, &m, NULL, TRUST_BAD_DATA);
        doc->signers[0] = &keys->bob; /* U20 */
        made_finish(&m, &keys->online, 1);
        expect(role, &m, NULL, TRUST_BAD_DATA);
        doc->signers[1] = signer; /* a stranger's signature beside the right one */
        made_finish(&m, &keys->online, 1);
        expect(role, &m, NULL, TRUST_OK);
        doc->signers[0] = signer;
        doc->signers[1] = NULL;

        json_object_set_new(doc->part, "_type", json_string("Mirrors")); /* U30 */
        made_finish(&m, &keys->online, 1);
        expect(role, &m, NULL, TRUST_BAD_DATA);
        made_free(&m);

        made_good(&m);
        made_finish(&m, &keys->online, 1);
        json_object_set_new(made_find(&m, role)->part, "version", json_integer(0)); /* U31 */
        made_finish(&m, &keys->online, 1);
        expect(role, &m, NULL, TRUST_BAD_DATA);
        json_object_set_new(made_find(&m, role)->part, "version", json_integer(1));
        json_object_set_new(made_find(&m, role)->part, "expires", json_string(MADE_PAST));
        made_finish(&m, &keys->online, 1);
        expect(role, &m, NULL, roles[i].expired);
        made_free(&m);
    }
}

static void the_first_broken_role_is_told(void **unused)
{
    struct made m;
    struct made before;
    (void)unused;
    made_good(&m);
    made_finish(&m, &keys->online, 1);
    json_object_set_new(made_find(&m, "targets")->part, "expires", json_string(MADE_PAST));
    json_object_set_new(made_find(&m, "timestamp")->part, "expires", json_string(MADE_PAST));
    made_finish(&m, &keys->online, 1);
    expect("timestamp before targets", &m, NULL, TRUST_EXPIRED_TIMESTAMP);
    json_object_set_new(made_find(&m, "root")->part, "expires", json_string(MADE_PAST));
    made_finish(&m, &keys->online, 1);
    expect("root before all", &m, NULL, TRUST_EXPIRED_ROOT);
    made_good(&before);
    json_object_set_new(made_find(&before, "root")->part, "expires", json_string(MADE_PAST));
    json_object_set_new(made_find(&before, "targets")->part, "version", json_integer(2));
    made_finish(&before, &keys->online, 1);
    json_object_set_new(made_find(&m, "timestamp")->part, "version", json_integer(2));
    json_object_set_new(made_find(&m, "snapshot")->part, "version", json_integer(2));
    made_finish(&m, &keys->online, 2);
    expect("a rollback before an expired root", &m, &(struct knowledge){.before = &before},
           TRUST_ROLLBACK);
    made_free(&m);
    made_free(&before);
}

/* ---- thresholds and keys ---- */

static void thresholds(void **unused)
{
    struct made m;
    (void)unused;
    made_good(&m);
    struct made_doc *root = made_find(&m, "root");
    set_role_member(root, "targets", "threshold", json_integer(2));
    made_finish(&m, &keys->online, 1);
    expect("more than there are keys", &m, NULL, TRUST_THRESHOLD);

    json_object_set(json_object_get(root->part, "keys"), keys->bob.id, keys->bob.object);
    set_role_member(root, "targets", "keyids", json_pack("[ss]", keys->targets.id, keys->bob.id));
    made_find(&m, "targets")->signers[1] = &keys->bob;
    made_finish(&m, &keys->online, 1);
    expect("two of two", &m, NULL, TRUST_OK);
    made_find(&m, "targets")->signers[1] = &keys->targets;
    made_finish(&m, &keys->online, 1);
    expect("one key twice", &m, NULL, TRUST_THRESHOLD);
    set_role_member(root, "targets", "threshold", json_integer(0)); /* U25 */
    made_finish(&m, &keys->online, 1);
    expect("threshold 0", &m, NULL, TRUST_BAD_DATA);
    set_role_member(root, "targets", "threshold", json_integer(-1));
    made_finish(&m, &keys->online, 1);
    expect("threshold -1", &m, NULL, TRUST_BAD_DATA);
    made_free(&m);
}

/* U24: a second certificate of the same private key has another key id and is still the same key.
 */
static void one_key_in_two_certificates_is_one(void **unused)
{
    struct made_key again;
    struct made m;
    (void)unused;
    made_cert_new(&again, keys->root.pkey, MADE_GUN, -YEAR_S, YEAR_S);
    const struct made_key *const roots[] = {&keys->root, &again, NULL};
    const struct made_key *const two[] = {&keys->root, &keys->root2, NULL};
    made_good(&m);
    json_decref(m.docs[0].part);
    m.docs[0].part = made_root(1, roots, 2, &keys->targets, &keys->online);
    m.docs[0].signers[1] = &again;
    made_finish(&m, &keys->online, 1);
    expect("one key, two certificates", &m, NULL, TRUST_THRESHOLD);
    json_decref(m.docs[0].part);
    m.docs[0].part = made_root(1, two, 2, &keys->targets, &keys->online);
    m.docs[0].signers[1] = &keys->root2;
    made_finish(&m, &keys->online, 1);
    expect("two keys", &m, NULL, TRUST_OK);
    made_free(&m);
    made_key_free(&again);
}

/* U29: a key listed under an id that is not its own. */
static void a_key_id_must_be_the_computed_one(void **unused)
{
    struct made_key alias = keys->targets;
    struct made m;
    (void)unused;
    memset(alias.id, 'a', 64);
    const struct made_key *const roots[] = {&keys->root, NULL};
    made_good(&m);
    json_decref(m.docs[0].part);
    m.docs[0].part = made_root(1, roots, 1, &alias, &keys->online);
    made_find(&m, "targets")->signers[0] = &alias;
    made_finish(&m, &keys->online, 1);
    expect("a made-up key id", &m, NULL, TRUST_BAD_DATA);
    made_free(&m);
}

/* ---- root chains ---- */

static void add_root(struct made *m, int64_t version, const struct made_key *const list[],
                     int threshold, const struct made_key *signer, const struct made_key *second)
{
    struct made_doc *doc = made_add(
        m, "root", made_root(version, list, threshold, &keys->targets, &keys->online), signer);
    doc->signers[1] = second;
}

static void rotations(void **unused)
{
    const struct made_key *const one[] = {&keys->root, NULL};
    const struct made_key *const two[] = {&keys->root2, NULL};
    const struct made_key *const three[] = {&keys->root3, NULL};
    const struct made_key *const both[] = {&keys->root, &keys->root2, NULL};
    const struct {
        const char *name;
        int64_t version;
        const struct made_key *const *list;
        int threshold;
        const struct made_key *signers[2];
        enum trust_status want;
    } rows[] = {
        {"by old and new", 2, two, 1, {&keys->root, &keys->root2}, TRUST_OK},
        {"by new and old", 2, two, 1, {&keys->root2, &keys->root}, TRUST_OK},
        {"only by new", 2, two, 1, {&keys->root2}, TRUST_ROOT_CHANGED},
        {"only by old", 2, two, 1, {&keys->root}, TRUST_ROOT_CHANGED},
        {"a step of two", 3, two, 1, {&keys->root, &keys->root2}, TRUST_ROOT_CHANGED},
        {"no step", 1, two, 1, {&keys->root, &keys->root2}, TRUST_ROOT_CHANGED},
        {"by a stranger", 2, three, 1, {&keys->root2, &keys->root3}, TRUST_ROOT_CHANGED},
        {"more keys", 2, both, 2, {&keys->root, &keys->root2}, TRUST_OK},
        {"more keys, one signs", 2, both, 2, {&keys->root}, TRUST_ROOT_CHANGED},
        {"the same keys again", 2, one, 1, {&keys->root}, TRUST_OK},
    };
    (void)unused;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct made m = {.count = 0};
        add_root(&m, 1, one, 1, &keys->root, NULL);
        add_root(&m, rows[i].version, rows[i].list, rows[i].threshold, rows[i].signers[0],
                 rows[i].signers[1]);
        made_add(&m, "targets", made_targets(1), &keys->targets);
        made_finish(&m, &keys->online, 1);
        if (rows[i].version ==
            1) { /* as a folder it would be one root: hand the list over as it is */
            struct role_folder folder;
            struct role_set set;
            struct trust_state *state = NULL;
            struct trust_options options = {.now_us = vectors_now()};
            struct trust_file roots[2] = {{.role = "root", .bytes = buf_slice_of(&m.docs[0].bytes)},
                                          {.role = "root", .bytes = buf_slice_of(&m.docs[1].bytes)}};
            made_folder(&m, &folder);
            role_set_build(&set, &folder, NULL, SLICE_LIT(MADE_GUN));
            set.set.roots = roots;
            set.set.root_count = 2;
            trust_state_build(&set.set, &options, &state);
            CHECK_CASE(state->status == rows[i].want || state->status == TRUST_ROOT_PINNED,
                       rows[i].name);
            trust_state_free(state);
            role_set_free(&set);
            free(folder.docs);
        } else {
            expect(rows[i].name, &m, NULL, rows[i].want);
        }
        made_free(&m);
    }
}

static void a_chain_begins_with_one_or_two(void **unused)
{
    const struct made_key *const one[] = {&keys->root, NULL};
    (void)unused;
    for (int64_t version = 1; version <= 3; version++) {
        struct made m = {.count = 0};
        add_root(&m, version, one, 1, &keys->root, NULL);
        made_add(&m, "targets", made_targets(1), &keys->targets);
        made_finish(&m, &keys->online, 1);
        expect("first root", &m, NULL, version <= 2 ? TRUST_OK : TRUST_ROOT_CHANGED);
        made_free(&m);
    }
}

static void dates_of_certificates(void **unused)
{
    const int64_t day = 86400;
    const struct {
        const char *name;
        int64_t from, to;
        enum trust_status want;
    } rows[] = {
        {"good", -day, day, TRUST_OK},
        {"ran out a second ago", -day, -1, TRUST_EXPIRED_ROOT}, /* U67 */
        {"ends this second", -day, 0, TRUST_OK},
        {"begins within a day", day, 2 * day, TRUST_OK},
        {"begins later", day + 60, 2 * day, TRUST_EXPIRED_ROOT},
    };
    (void)unused;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct made_key key;
        struct made m = {.count = 0};
        made_cert_new(&key, NULL, MADE_GUN, rows[i].from, rows[i].to);
        const struct made_key *const list[] = {&key, NULL};
        const struct made_key *const two[] = {&keys->root2, NULL};
        add_root(&m, 1, list, 1, &key, NULL);
        made_add(&m, "targets", made_targets(1), &keys->targets);
        made_finish(&m, &keys->online, 1);
        expect(rows[i].name, &m, NULL, rows[i].want);
        /* an old root's certificate may be out: only the newest counts (test_expired_local_root) */
        add_root(&m, 2, two, 1, &key, &keys->root2);
        json_object_set_new(m.docs[0].part, "expires", json_string(MADE_PAST));
        made_finish(&m, &keys->online, 1);
        expect(rows[i].name, &m, NULL, TRUST_OK);
        made_free(&m);
        made_key_free(&key);
    }
}

static void valid_until_is_the_earliest_end(void **unused)
{
    const struct made_key *const both[] = {&keys->root, &keys->root2, NULL};
    const struct made_key *const one[] = {&keys->root, NULL};
    struct made m = {.count = 0};
    (void)unused;
    add_root(&m, 1, one, 1, &keys->root, NULL);
    made_add(&m, "targets", made_targets(1), &keys->targets);
    made_finish(&m, &keys->online, 1);
    struct trust_state *state = build(&m, NULL);
    assert_true(state->valid_until_us == vectors_now() + YEAR_S * US_PER_SECOND);
    assert_int_equal(state->root_key_count, 1);
    trust_state_free(state);
    made_free(&m);

    add_root(&m, 1, both, 1, &keys->root,
             &keys->root2); /* one of two is enough: the later certificate counts */
    made_add(&m, "targets", made_targets(1), &keys->targets);
    made_finish(&m, &keys->online, 1);
    state = build(&m, NULL);
    assert_true(state->valid_until_us == vectors_now() + 2 * YEAR_S * US_PER_SECOND);
    assert_int_equal(state->root_key_count, 2);
    trust_state_free(state);
    expect("the first certificate is out", &m,
           &(struct knowledge){.now_us = vectors_now() + (YEAR_S + 1) * US_PER_SECOND}, TRUST_OK);
    expect("both are out", &m,
           &(struct knowledge){.now_us = vectors_now() + (2 * YEAR_S + 1) * US_PER_SECOND},
           TRUST_EXPIRED_ROOT);
    made_free(&m);
}

/* K-05: only the current root's threshold matters. */
static void revoked_root_keys(void **unused)
{
    const struct made_key *const one[] = {&keys->root, NULL};
    const struct made_key *const two[] = {&keys->root2, NULL};
    const struct made_key *const both[] = {&keys->root, &keys->root2, NULL};
    struct tuf_key *key = NULL;
    struct made m = {.count = 0};
    (void)unused;
    assert_true(tuf_key_read(keys->root.object, &key, NULL));
    struct spki revoked = tuf_key_spki(key);
    tuf_key_free(key);
    const struct knowledge k = {.revoked = &revoked, .revoked_count = 1};

    add_root(&m, 1, one, 1, &keys->root, NULL);
    made_add(&m, "targets", made_targets(1), &keys->targets);
    made_finish(&m, &keys->online, 1);
    expect("the only key", &m, &k, TRUST_ROOT_KEY_REVOKED);
    add_root(&m, 2, two, 1, &keys->root, &keys->root2);
    made_finish(&m, &keys->online, 1);
    expect("rotated away before", &m, &k, TRUST_OK);
    add_root(&m, 3, both, 1, &keys->root2, &keys->root);
    made_finish(&m, &keys->online, 1);
    expect("one of two, one needed", &m, &k, TRUST_OK);
    const struct knowledge *const known[] = {&k, NULL};
    for (size_t i = 0; i < COUNT(known); i++) { /* who can sign the next root: a revoked key cannot */
        struct trust_state *state = build(&m, known[i]);
        assert_int_equal(state->root_key_count, known[i] ? 1 : 2);
        trust_state_free(state);
    }
    add_root(&m, 4, both, 2, &keys->root, &keys->root2);
    made_finish(&m, &keys->online, 1);
    expect("one of two, two needed", &m, &k, TRUST_ROOT_KEY_REVOKED);
    made_free(&m);
}

/* ---- what lists what ---- */

static void a_stale_list_is_refused(void **unused)
{
    static const char *const members[] = {"sha256", "sha512"};
    struct made m;
    (void)unused;
    for (size_t i = 0; i < COUNT(members); i++) {
        auto_buf struct buf zero = {0};
        uint8_t raw[64] = {0};
        base64_encode(&zero, slice_of_bytes(raw, i == 0 ? 32 : 64));
        static const char *const listed[] = {"root", "targets"};
        for (size_t j = 0; j < COUNT(listed); j++) {
            made_good(&m);
            made_finish(&m, &keys->online, 1);
            struct made_doc *snapshot = made_find(&m, "snapshot");
            json_t *entry = json_object_get(json_object_get(snapshot->part, "meta"), listed[j]);
            json_object_set_new(json_object_get(entry, "hashes"), members[i], json_string(zero.p));
            made_write(snapshot);
            made_timestamp(&m);
            expect(listed[j], &m, NULL, TRUST_BAD_DATA);
            made_free(&m);
        }
    }
    made_good(&m); /* a root that is newer than the snapshot */
    made_finish(&m, &keys->online, 1);
    json_object_set_new(made_find(&m, "root")->part, "x-note", json_integer(1));
    made_write(made_find(&m, "root"));
    expect("the snapshot lists another root", &m, NULL, TRUST_BAD_DATA);
    made_free(&m);
}

/* ---- the tree ---- */

static void states_of_a_delegation(void **unused)
{
    struct made m;
    struct made before;
    const char *role = "targets/releases";
    (void)unused;
    made_good(&before);
    json_object_set_new(made_find(&before, role)->part, "version", json_integer(2));
    made_finish(&before, &keys->online, 1);
    const struct knowledge k = {.before = &before};

    made_good(&m);
    made_finish(&m, &keys->online, 2);
    expect_role("good", &m, NULL, role, ROLE_STATE_OK);
    expect_role("older than before", &m, &k, role, ROLE_STATE_ROLLBACK);
    struct made_doc *doc = made_find(&m, role);
    json_object_set_new(doc->part, "version", json_integer(2));
    made_finish(&m, &keys->online, 2);
    expect_role("the same as before", &m, &k, role, ROLE_STATE_OK);
    json_object_set_new(doc->part, "x", json_integer(1));
    made_finish(&m, &keys->online, 2);
    expect_role("the same version, other content", &m, &k, role, ROLE_STATE_BAD);
    json_object_set_new(doc->part, "version", json_integer(3));
    made_finish(&m, &keys->online, 2);
    expect_role("newer", &m, &k, role, ROLE_STATE_OK);
    json_object_set_new(doc->part, "expires", json_string(MADE_PAST));
    made_finish(&m, &keys->online, 2);
    expect_role("expired", &m, &k, role, ROLE_STATE_EXPIRED);
    doc->signers[0] = &keys->bob;
    made_finish(&m, &keys->online, 2);
    expect_role("by a stranger, and expired", &m, &k, role, ROLE_STATE_BAD);
    doc->signers[0] = &keys->alice;
    json_object_set_new(doc->part, "_type", json_string("Root"));
    made_finish(&m, &keys->online, 2);
    expect_role("of another type", &m, &k, role, ROLE_STATE_BAD);
    made_free(&m);

    made_good(&m); /* the snapshot drops it */
    made_finish(&m, &keys->online, 2);
    struct made_doc *snapshot = made_find(&m, "snapshot");
    json_object_del(json_object_get(snapshot->part, "meta"), role);
    made_write(snapshot);
    made_timestamp(&m);
    expect_role("vanished", &m, &k, role, ROLE_STATE_VANISHED);
    buf_dispose(&m.docs[2].bytes); /* and nobody ever had it */
    json_decref(m.docs[2].part);
    m.docs[2] = m.docs[3];
    m.docs[3] = m.docs[4];
    m.count--;
    expect_role("absent", &m, NULL, role, ROLE_STATE_ABSENT);
    made_finish(&m, &keys->online, 2);
    made_free(&m);

    made_good(&m); /* listed, not stored */
    made_finish(&m, &keys->online, 2);
    (void)snprintf(made_find(&m, role)->role, 64, "targets/lost");
    expect_role("lost", &m, NULL, role, ROLE_STATE_BAD);
    made_free(&m);
    made_free(&before);
}

static void a_delegations_threshold(void **unused)
{
    const struct made_key *const both[] = {&keys->alice, &keys->bob, NULL};
    struct made m;
    (void)unused;
    made_good(&m);
    made_delegate(made_find(&m, "targets")->part, "targets/two", both, 2, "");
    struct made_doc *two = made_add(&m, "targets/two", made_targets(1), &keys->alice);
    made_finish(&m, &keys->online, 1);
    expect_role("one of two", &m, NULL, "targets/two", ROLE_STATE_THRESHOLD);
    two->signers[1] = &keys->bob;
    made_finish(&m, &keys->online, 1);
    expect_role("two of two", &m, NULL, "targets/two", ROLE_STATE_OK);
    made_free(&m);
}

/* A name fixes the parent: nothing but a direct child can be delegated, by anybody. */
static void names_that_are_no_children(void **unused)
{
    static const char *const names[] = {"targets",         "root",        "targets/releases/x",
                                        "targets/../root", "targets/a/b", "targets/A",
                                        "snapshot"};
    const struct made_key *const alice[] = {&keys->alice, NULL};
    (void)unused;
    for (size_t i = 0; i < COUNT(names); i++) {
        struct made m;
        made_good(&m);
        made_delegate(made_find(&m, "targets")->part, names[i], alice, 1, "");
        made_finish(&m, &keys->online, 1);
        expect(names[i], &m, NULL, TRUST_BAD_DATA);
        made_free(&m);
        if (strcmp(names[i], "targets/releases/x") == 0) {
            continue; /* of targets/releases it is one */
        }
        made_good(&m); /* a delegation that does so is defective itself */
        made_delegate(made_find(&m, "targets/releases")->part, names[i], alice, 1, "");
        made_finish(&m, &keys->online, 1);
        expect_role(names[i], &m, NULL, "targets/releases", ROLE_STATE_BAD);
        made_free(&m);
    }
}

/* U40. */
static void paths_only_narrow(void **unused)
{
    const struct made_key *const alice[] = {&keys->alice, NULL};
    const struct made_key *const bob[] = {&keys->bob, NULL};
    struct made m = {.count = 0};
    const struct made_key *const roots[] = {&keys->root, NULL};
    json_t *targets = made_targets(1);
    json_t *a = made_targets(1);
    (void)unused;
    made_delegate(targets, "targets/a", alice, 1, "qa/");
    json_t *role = made_delegate(a, "targets/a/b", bob, 1, "qa/b");
    json_array_append_new(json_object_get(role, "paths"), json_string("prod/"));
    json_array_append_new(json_object_get(role, "paths"), json_string(""));
    made_add(&m, "root", made_root(1, roots, 1, &keys->targets, &keys->online), &keys->root);
    made_add(&m, "targets", targets, &keys->targets);
    made_add(&m, "targets/a", a, &keys->alice);
    made_add(&m, "targets/a/b", made_targets(1), &keys->bob);
    made_finish(&m, &keys->online, 1);
    struct trust_state *state = build(&m, NULL);
    assert_int_equal(state->status, TRUST_OK);
    const struct trust_role *b = trust_state_role(state, SLICE_LIT("targets/a/b"));
    assert_non_null(b);
    assert_int_equal(b->state, ROLE_STATE_OK);
    assert_int_equal(b->path_count, 1);
    assert_true(trust_role_covers(b, SLICE_LIT("qa/b1")));
    assert_false(trust_role_covers(b, SLICE_LIT("qa/c")));
    assert_false(trust_role_covers(b, SLICE_LIT("prod/x")));
    assert_false(trust_role_covers(b, SLICE_LIT("")));
    trust_state_free(state);

    /* below a defective role nobody looks */
    made_find(&m, "targets/a")->signers[0] = &keys->bob;
    made_finish(&m, &keys->online, 1);
    state = build(&m, NULL);
    assert_int_equal(state->status, TRUST_OK);
    assert_null(trust_state_role(state, SLICE_LIT("targets/a/b")));
    trust_state_free(state);
    made_free(&m);
}

/* ---- bounds ---- */

static void roles_are_bounded(void **unused)
{
    const struct made_key *const alice[] = {&keys->alice, NULL};
    (void)unused;
    for (int extra = 0; extra < 2; extra++) { /* targets and 511 more are 512 */
        struct made m;
        const struct made_key *const roots[] = {&keys->root, NULL};
        json_t *targets = made_targets(1);
        json_t *a = made_targets(1);
        m = (struct made){.count = 0};
        made_delegate(targets, "targets/a", alice, 1, "");
        for (int i = 0; i < 510 + extra; i++) {
            char name[64];
            (void)snprintf(name, sizeof(name), i < 300 ? "targets/d%d" : "targets/a/d%d", i);
            made_delegate(i < 300 ? targets : a, name, alice, 1, "");
        }
        made_add(&m, "root", made_root(1, roots, 1, &keys->targets, &keys->online), &keys->root);
        made_add(&m, "targets", targets, &keys->targets);
        made_add(&m, "targets/a", a, &keys->alice);
        made_finish(&m, &keys->online, 1);
        expect("512 roles", &m, NULL, extra ? TRUST_BAD_DATA : TRUST_OK);
        made_free(&m);
    }
}

/* Each path of a child is compared with each of its parent's: 1,024 times 1,024 for one child. */
static void paths_are_bounded(void **unused)
{
    const struct made_key *const alice[] = {&keys->alice, NULL};
    const struct made_key *const roots[] = {&keys->root, NULL};
    (void)unused;
    for (int children = 1; children < 4; children += 2) {
        struct made m = {.count = 0};
        json_t *many = json_array();
        json_t *targets = made_targets(1), *a = made_targets(1);
        for (int i = 0; i < 1024; i++) {
            json_array_append_new(many, json_sprintf("p%d", i));
        }
        json_object_set(made_delegate(targets, "targets/a", alice, 1, ""), "paths", many);
        for (int i = 0; i < children; i++) {
            char name[64];
            (void)snprintf(name, sizeof(name), "targets/a/d%d", i);
            json_object_set(made_delegate(a, name, alice, 1, ""), "paths", many);
        }
        json_decref(many);
        made_add(&m, "root", made_root(1, roots, 1, &keys->targets, &keys->online), &keys->root);
        made_add(&m, "targets", targets, &keys->targets);
        made_add(&m, "targets/a", a, &keys->alice);
        made_finish(&m, &keys->online, 1);
        expect("paths to compare", &m, NULL, children == 1 ? TRUST_OK : TRUST_BAD_DATA);
        made_free(&m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_base_role_is_needed_good),
        cmocka_unit_test(the_first_broken_role_is_told),
        cmocka_unit_test(thresholds),
        cmocka_unit_test(one_key_in_two_certificates_is_one),
        cmocka_unit_test(a_key_id_must_be_the_computed_one),
        cmocka_unit_test(rotations),
        cmocka_unit_test(a_chain_begins_with_one_or_two),
        cmocka_unit_test(dates_of_certificates),
        cmocka_unit_test(valid_until_is_the_earliest_end),
        cmocka_unit_test(revoked_root_keys),
        cmocka_unit_test(a_stale_list_is_refused),
        cmocka_unit_test(states_of_a_delegation),
        cmocka_unit_test(a_delegations_threshold),
        cmocka_unit_test(names_that_are_no_children),
        cmocka_unit_test(paths_only_narrow),
        cmocka_unit_test(roles_are_bounded),
        cmocka_unit_test(paths_are_bounded),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
