/* Sequences of root keys and of the other roles' keys: the ones of the TUF conformance suite, with
 * certificates as root keys, and what is remembered of a chain. */
#include "tests/unit/trust/made.h"
#include "trust/publish.h"
#include "trust/verify/chain.h"

#define YEAR_S INT64_C(31536000)
#define PEOPLE 10

struct fixture {
    struct made_key roots[PEOPLE]; /* certificates */
    struct made_key plain[PEOPLE]; /* ed25519 */
    struct made_key online, targets;
};
static struct fixture *keys;

static int setup(void **unused)
{
    (void)unused;
    keys = xcalloc(1, sizeof(*keys));
    for (size_t i = 0; i < PEOPLE; i++) {
        made_cert_new(&keys->roots[i], NULL, MADE_GUN, -YEAR_S, YEAR_S);
        made_key_new(&keys->plain[i]);
    }
    made_key_new(&keys->online);
    made_key_new(&keys->targets);
    return 0;
}

static int teardown(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < PEOPLE; i++) {
        made_key_free(&keys->roots[i]);
        made_key_free(&keys->plain[i]);
    }
    made_key_free(&keys->online);
    made_key_free(&keys->targets);
    free(keys);
    return 0;
}

/* "024" -> keys 0, 2 and 4; NULL-terminated. */
static void pick(const struct made_key *from, const char *digits, const struct made_key **out)
{
    size_t n = 0;
    for (; digits[n]; n++) {
        out[n] = &from[digits[n] - '0'];
    }
    out[n] = NULL;
}

struct version { /* of a role: who may sign, how many must, who did */
    const char *keys;
    int threshold;
    const char *signers;
};

static void add_root(struct made *m, int64_t number, const struct version *v)
{
    const struct made_key *list[PEOPLE + 1];
    pick(keys->roots, v->keys, list);
    struct made_doc *doc = made_add(
        m, "root", made_root(number, list, v->threshold, &keys->targets, &keys->online), NULL);
    pick(keys->roots, v->signers, list);
    memcpy(doc->signers, list, strlen(v->signers) * sizeof(list[0]));
}

struct stored {
    struct role_folder folder;
    struct role_set set;
};

static void store(const struct made *m, struct stored *out)
{
    made_folder(m, &out->folder);
    role_set_build(&out->set, &out->folder, NULL, SLICE_LIT(MADE_GUN));
}

static void stored_free(struct stored *s)
{
    role_set_free(&s->set);
    free(s->folder.docs);
}

static struct trust_state *build(const struct trust_set *set, const uint8_t *verified_chain)
{
    struct trust_state *state = NULL;
    struct trust_options options = {.now_us = vectors_now(), .verified_chain = verified_chain};
    trust_state_build(set, &options, &state);
    return state;
}

/* ---- root ---- */

struct sequence {
    const char *name;
    struct version versions[4];
    bool good; /* the last one is accepted; those before it are in any case */
};

static const struct sequence sequences[] = {
    {"1 of 1, rotated", {{"1", 1, "1"}, {"2", 1, "21"}, {"2", 1, "2"}}, true},
    {"1 of 1, rotated, signatures of others",
     {{"1", 1, "314"}, {"2", 1, "3214"}, {"2", 1, "324"}},
     true},
    {"3 of 5, always other signers",
     {{"01234", 3, "024"}, {"01234", 3, "041"}, {"01234", 3, "013"}, {"01234", 3, "013"}},
     true},
    {"3 of 5, one key rotated", {{"01234", 3, "024"}, {"01345", 3, "041"}}, true},
    {"3 of 5, one key rotated, then without the old one",
     {{"01234", 3, "024"}, {"01345", 3, "0245"}, {"01345", 3, "045"}},
     true},
    {"3 of 5, all keys rotated",
     {{"01234", 3, "024"}, {"56789", 3, "024567"}, {"56789", 3, "567"}},
     true},
    {"1 of 3 becomes 2 of 3", {{"123", 1, "1"}, {"123", 2, "12"}}, true},
    {"2 of 3 becomes 1 of 3", {{"123", 2, "12"}, {"123", 1, "12"}, {"123", 1, "1"}}, true},
    {"1 of 1 becomes 2 of 2", {{"1", 1, "1"}, {"12", 2, "12"}}, true},
    {"1 of 1, not by the old key", {{"1", 1, "1"}, {"2", 1, "234"}}, false},
    {"1 of 1, not by the new key", {{"1", 1, "1"}, {"2", 1, "134"}}, false},
    {"3 of 5, not by three new keys", {{"01234", 3, "024"}, {"01345", 3, "024"}}, false},
    {"3 of 5, not by three old keys", {{"01234", 3, "024"}, {"01345", 3, "045"}}, false},
    {"1 of 3 becomes 2 of 3 by one", {{"123", 1, "1"}, {"123", 2, "2"}}, false},
    {"2 of 3 becomes 1 of 3 by one", {{"123", 2, "12"}, {"123", 1, "1"}}, false},
};

static size_t make_sequence(const struct sequence *s, struct made *m)
{
    size_t n = 0;
    *m = (struct made){.count = 0};
    for (; n < COUNT(s->versions) && s->versions[n].keys; n++) {
        add_root(m, (int64_t)n + 1, &s->versions[n]);
    }
    made_add(m, "targets", made_targets(1), &keys->targets);
    made_finish(m, &keys->online, 1);
    return n;
}

/* As the chain that is stored, whole. */
static void each_sequence_of_roots_loads_or_not(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < COUNT(sequences); i++) {
        const struct sequence *s = &sequences[i];
        struct made m;
        struct stored stored;
        make_sequence(s, &m);
        store(&m, &stored);
        struct trust_state *state = build(&stored.set.set, NULL);
        CHECK_CASE(state->status == (s->good ? TRUST_OK : TRUST_ROOT_CHANGED), s->name);
        trust_state_free(state);
        stored_free(&stored);
        made_free(&m);
    }
}

/* The same with all but the last root known already: the answer may not depend on it. */
static void what_is_remembered_of_a_chain_changes_no_answer(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < COUNT(sequences); i++) {
        const struct sequence *s = &sequences[i];
        struct made m;
        struct stored stored;
        struct chain_name names[4];
        size_t n = make_sequence(s, &m);
        store(&m, &stored);
        root_chain_names(&stored.set.set, names);
        for (size_t known = 0; known + 1 < n; known++) {
            struct trust_state *state = build(&stored.set.set, names[known].sha256);
            CHECK_CASE(state->status == (s->good ? TRUST_OK : TRUST_ROOT_CHANGED), s->name);
            trust_state_free(state);
        }
        struct trust_state *state = build(&stored.set.set, NULL);
        CHECK_CASE((memcmp(state->chain, names[n - 1].sha256, 32) == 0) == s->good, s->name);
        trust_state_free(state);
        stored_free(&stored);
        made_free(&m);
    }
}

/* As uploads, one after the other. */
static void each_sequence_of_roots_is_followed_or_not(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < COUNT(sequences); i++) {
        const struct sequence *s = &sequences[i];
        struct made m;
        struct tuf_doc *prev = NULL;
        size_t n = make_sequence(s, &m);
        for (size_t v = 0; v < n; v++) {
            struct tuf_doc *next = NULL;
            struct err err = {0};
            bool want = s->good || v + 1 < n;
            assert_int_equal(
                tuf_doc_read(SLICE_LIT("root"), buf_slice_of(&m.docs[v].bytes), &next, &err),
                DOC_OK);
            CHECK_CASE(trust_root_follows(prev, next, SLICE_LIT(MADE_GUN), vectors_now(), true,
                                          &err) == want,
                       s->name);
            tuf_doc_free(prev);
            prev = next;
        }
        tuf_doc_free(prev);
        made_free(&m);
    }
}

/* ---- the other roles ---- */

static const struct {
    const char *name;
    struct version version;
    int valid; /* how many of its signatures count; >= threshold: good */
} others[] = {
    {"1 of 1", {"2", 1, "2"}, 1},
    {"1 of 1, signatures of others", {"1", 1, "314"}, 1},
    {"1 of 1, not by its key", {"2", 1, "134"}, 0},
    {"3 of 5, one signature is of no key of it", {"01345", 3, "024"}, 2},
    {"3 of 5, two signatures", {"01345", 3, "04"}, 2},
    {"3 of 5, first signers", {"01234", 3, "024"}, 3},
    {"3 of 5, second signers", {"01234", 3, "041"}, 3},
    {"3 of 5, third signers", {"01234", 3, "013"}, 3},
    {"3 of 5, fourth signers", {"01234", 3, "123"}, 3},
    {"3 of 5, fifth signers", {"01234", 3, "234"}, 3},
    {"a threshold above the keys", {"12", 3, "12"}, 2},
    {"one key listed twice", {"11", 2, "1"}, 1},
    {"one key signs twice", {"12", 2, "11"}, 1},
    {"one key listed and signing twice", {"11", 2, "11"}, 1},
};

static void make_role(const char *role, const struct version *v, struct made *m)
{
    static const struct version root = {"0", 1, "0"};
    const struct made_key *list[PEOPLE + 1];
    json_t *targets = made_targets(1);
    json_t *listed_keys;
    *m = (struct made){.count = 0};
    add_root(m, 1, &root);
    made_add(m, "targets", targets, &keys->targets);
    pick(keys->plain, v->keys, list);
    if (strcmp(role, "targets/a") == 0) {
        (void)made_delegate(targets, role, list, v->threshold, "");
        made_add(m, role, made_targets(1), NULL);
    } else {
        listed_keys = json_object_get(m->docs[0].part, "keys");
        json_object_set_new(json_object_get(m->docs[0].part, "roles"), role,
                            made_role(listed_keys, list, v->threshold));
    }
    made_finish(m, &keys->online, 1);
    struct made_doc *doc = made_find(m, role);
    pick(keys->plain, v->signers, list);
    doc->signers[0] = NULL;
    memcpy(doc->signers, list, strlen(v->signers) * sizeof(list[0]));
    made_finish(m, &keys->online, 1);
}

static void each_sequence_of_other_keys(void **unused)
{
    static const char *const roles[] = {"timestamp", "snapshot", "targets", "targets/a"};
    (void)unused;
    for (size_t i = 0; i < COUNT(others); i++) {
        for (size_t r = 0; r < COUNT(roles); r++) {
            struct made m;
            struct stored stored;
            bool good = others[i].valid >= others[i].version.threshold;
            bool some = others[i].valid > 0;
            make_role(roles[r], &others[i].version, &m);
            store(&m, &stored);
            struct trust_state *state = build(&stored.set.set, NULL);
            const struct trust_role *a = trust_state_role(state, SLICE_LIT("targets/a"));
            enum trust_status want = good ? TRUST_OK : some ? TRUST_THRESHOLD : TRUST_BAD_DATA;
            if (strcmp(roles[r], "targets/a") == 0) {
                CHECK_CASE(a && a->state == (good   ? ROLE_STATE_OK
                                             : some ? ROLE_STATE_THRESHOLD
                                                    : ROLE_STATE_BAD),
                           others[i].name);
                want = TRUST_OK;
            }
            if (state->status != want) {
                fail_msg("%s, %s: %s", others[i].name, roles[r], state->why);
            }
            trust_state_free(state);
            stored_free(&stored);
            made_free(&m);
        }
    }
}

/* ---- what is remembered ---- */

static const struct sequence bad_in_the_middle = {
    "", {{"1", 1, "1"}, {"2", 1, "2"}, {"2", 1, "2"}}, false};

/* Links of a chain that is known by its name are not verified again, all others are: a chain with a
 * bad link loads only under a name that was never given to it. */
static void only_the_named_roots_are_believed(void **unused)
{
    struct made m;
    struct stored stored;
    struct chain_name names[3];
    (void)unused;
    make_sequence(&bad_in_the_middle, &m);
    store(&m, &stored);
    root_chain_names(&stored.set.set, names);
    const struct {
        const char *name;
        const uint8_t *known;
        enum trust_status want;
    } rows[] = {
        {"nothing", NULL, TRUST_ROOT_CHANGED},
        {"the first root", names[0].sha256, TRUST_ROOT_CHANGED},
        {"the bad link", names[1].sha256, TRUST_OK},
        {"the whole chain", names[2].sha256, TRUST_OK},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct trust_state *state = build(&stored.set.set, rows[i].known);
        CHECK_CASE(state->status == rows[i].want, rows[i].name);
        trust_state_free(state);
    }
    /* another byte anywhere, another order, another repository: another name */
    for (size_t at = 0; at < 3; at++) {
        struct chain_name changed[3];
        m.docs[at].bytes.p[m.docs[at].bytes.n - 1] ^= 1;
        root_chain_names(&stored.set.set, changed);
        for (size_t i = 0; i < 3; i++) {
            assert_true((memcmp(names[i].sha256, changed[i].sha256, 32) == 0) == (i < at));
        }
        m.docs[at].bytes.p[m.docs[at].bytes.n - 1] ^= 1;
    }
    struct chain_name other[3];
    stored.set.set.gun = SLICE_LIT(MADE_GUN "2");
    root_chain_names(&stored.set.set, other);
    assert_memory_not_equal(names[0].sha256, other[0].sha256, 32);
    stored_free(&stored);
    made_free(&m);
}

/* A known chain is still asked for its pin, its revoked keys and its dates. */
static void a_known_chain_is_not_excused_from_the_rest(void **unused)
{
    struct made m;
    struct stored stored;
    struct chain_name names[3];
    struct spki *pin = NULL;
    struct tuf_doc *last = NULL;
    struct trust_options options = {.now_us = vectors_now() + 2 * YEAR_S * US_PER_SECOND};
    (void)unused;
    make_sequence(&sequences[0], &m);
    store(&m, &stored);
    root_chain_names(&stored.set.set, names);
    options.verified_chain = names[2].sha256;
    struct trust_state *state = NULL;
    trust_state_build(&stored.set.set, &options, &state);
    assert_int_equal(state->status, TRUST_EXPIRED_ROOT);
    trust_state_free(state);

    assert_int_equal(tuf_doc_read(SLICE_LIT("root"), buf_slice_of(&m.docs[2].bytes), &last, NULL),
                     DOC_OK);
    stored.set.set.revoked_count = trust_root_spkis(last, &pin);
    stored.set.set.revoked = pin;
    state = build(&stored.set.set, names[2].sha256);
    assert_int_equal(state->status, TRUST_ROOT_KEY_REVOKED);
    trust_state_free(state);
    stored.set.set.revoked_count = 0;

    stored.set.set.pin = pin; /* of the third root: not of the first */
    state = build(&stored.set.set, names[2].sha256);
    assert_int_equal(state->status, TRUST_ROOT_PINNED);
    trust_state_free(state);
    free(pin);
    tuf_doc_free(last);
    stored_free(&stored);
    made_free(&m);
}

/* ---- bounds ---- */

/* `count` roots: the first, fillers that nobody reads because the chain is known, the last. */
static enum trust_status status_of_many(const struct stored *s, const struct slice *filler,
                                        size_t count)
{
    auto_free struct trust_file *roots = xcalloc(count, sizeof(*roots));
    auto_free struct chain_name *names = xcalloc(count, sizeof(*names));
    struct trust_set set = s->set.set;
    for (size_t i = 0; i < count; i++) {
        roots[i] = (struct trust_file){.role = "root", .bytes = *filler};
    }
    roots[0] = set.roots[0];
    roots[count - 1] = set.roots[set.root_count - 1];
    set.roots = roots;
    set.root_count = count;
    root_chain_names(&set, names);
    struct trust_state *state = build(&set, names[count - 1].sha256);
    enum trust_status status = state->status;
    trust_state_free(state);
    return status;
}

static void chains_are_bounded(void **unused)
{
    struct made m;
    struct stored stored;
    const size_t mib = (size_t)1 << 20;
    (void)unused;
    make_sequence(&sequences[0], &m);
    store(&m, &stored);
    struct slice small = SLICE_LIT("x");
    assert_int_equal(status_of_many(&stored, &small, 1024), TRUST_OK);
    assert_int_equal(status_of_many(&stored, &small, 1025), TRUST_BAD_DATA);

    /* two real roots and fillers of 32 MiB together: one byte more is too much */
    size_t real = m.docs[0].bytes.n + m.docs[2].bytes.n;
    auto_free char *bytes = xcalloc(1, 32 * mib + 1);
    struct slice filler = {bytes, 32 * mib - real};
    assert_int_equal(status_of_many(&stored, &filler, 3), TRUST_OK);
    filler.n++;
    assert_int_equal(status_of_many(&stored, &filler, 3), TRUST_BAD_DATA);
    stored_free(&stored);
    made_free(&m);
}

static bool holds(void *arg, enum role_kind role, const char *key_id, const struct spki *spki)
{
    (void)arg;
    (void)role;
    (void)spki;
    return strcmp(key_id, keys->online.id) == 0;
}

/* A root is published on top of `stored` of them. */
static bool takes_one_more(const struct made *m, size_t stored)
{
    auto_free struct trust_file *roots = xcalloc(stored, sizeof(*roots));
    struct publish_verdict *v = NULL;
    for (size_t i = 0; i < stored; i++) {
        roots[i] = (struct trust_file){.role = "root", .bytes = buf_slice_of(&m->docs[0].bytes)};
    }
    struct trust_set set = {.gun = SLICE_LIT(MADE_GUN), .roots = roots, .root_count = stored};
    struct upload_part parts[] = {
        {true, SLICE_LIT("root"), buf_slice_of(&m->docs[1].bytes)},
        {true, SLICE_LIT("targets"), buf_slice_of(&m->docs[3].bytes)},
    };
    struct publish_facts facts = {.stored = &set,
                                  .parts = parts,
                                  .part_count = 2,
                                  .holds = holds,
                                  .may_administer = true,
                                  .now_us = vectors_now()};
    publish_check(&facts, &v);
    bool accepted = v->code == ERR_NONE;
    assert_true(accepted || (strcmp(publish_verdict_word(v), "ErrBadRoot") == 0 &&
                             strstr(v->msg, "at most 1024 roots") != NULL));
    publish_verdict_free(v);
    return accepted;
}

static void the_last_root_that_fits_is_published(void **unused)
{
    struct made m;
    (void)unused;
    make_sequence(&sequences[0], &m);
    assert_true(takes_one_more(&m, 1023));
    assert_false(takes_one_more(&m, 1024));
    made_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_sequence_of_roots_loads_or_not),
        cmocka_unit_test(what_is_remembered_of_a_chain_changes_no_answer),
        cmocka_unit_test(each_sequence_of_roots_is_followed_or_not),
        cmocka_unit_test(each_sequence_of_other_keys),
        cmocka_unit_test(only_the_named_roots_are_believed),
        cmocka_unit_test(a_known_chain_is_not_excused_from_the_rest),
        cmocka_unit_test(chains_are_bounded),
        cmocka_unit_test(the_last_root_that_fits_is_published),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
