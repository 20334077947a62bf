/* How much work a document can make: each limit one below and one above, and what is beyond it is
 * refused before the work. tuf_key_verify is redirected here, and counts. */
#include "tests/unit/trust/made.h"
#include "tests/unit/trust/redirected.h"
#include "trust/publish.h"

#define YEAR_S INT64_C(31536000)
#define SIGNERS 50

struct fixture {
    struct made_key root, online, targets, signers[SIGNERS];
    int verified; /* calls since it was last set to 0 */
};
static struct fixture *keys;

enum sig_verdict __wrap_tuf_key_verify(const struct tuf_key *key, struct slice method,
                                       struct slice sig, struct slice bytes)
{
    keys->verified++;
    return __real_tuf_key_verify(key, method, sig, bytes);
}

static int setup(void **unused)
{
    (void)unused;
    keys = xcalloc(1, sizeof(*keys));
    made_cert_new(&keys->root, NULL, MADE_GUN, -YEAR_S, YEAR_S);
    made_key_new(&keys->online);
    made_key_new(&keys->targets);
    for (size_t i = 0; i < SIGNERS; i++) {
        made_key_new(&keys->signers[i]);
    }
    return 0;
}

static int teardown(void **unused)
{
    (void)unused;
    made_key_free(&keys->root);
    made_key_free(&keys->online);
    made_key_free(&keys->targets);
    for (size_t i = 0; i < SIGNERS; i++) {
        made_key_free(&keys->signers[i]);
    }
    free(keys);
    return 0;
}

static bool holds(void *arg, enum role_kind role, const char *key_id, const struct spki *spki)
{
    (void)arg;
    (void)role;
    (void)spki;
    return strcmp(key_id, keys->online.id) == 0;
}

/* A first publish of everything but the server's documents; *checks gets the signatures checked. */
static struct publish_verdict *publish(const struct made *m, int *checks)
{
    struct upload_part parts[MADE_DOCS_MAX];
    struct trust_set nothing = {.gun = SLICE_LIT(MADE_GUN)};
    struct publish_facts facts = {.stored = &nothing,
                                  .parts = parts,
                                  .holds = holds,
                                  .may_administer = true,
                                  .now_us = vectors_now()};
    struct publish_verdict *v = NULL;
    for (size_t i = 0; i + 2 < m->count; i++) {
        parts[facts.part_count++] =
            (struct upload_part){true, slice_str(m->docs[i].role), buf_slice_of(&m->docs[i].bytes)};
    }
    keys->verified = 0;
    publish_check(&facts, &v);
    *checks = keys->verified;
    return v;
}

static struct trust_state *load(const struct made *m, int *checks)
{
    struct role_folder folder;
    struct role_set set;
    struct trust_state *state = NULL;
    struct trust_options options = {.now_us = vectors_now()};
    made_folder(m, &folder);
    role_set_build(&set, &folder, NULL, SLICE_LIT(MADE_GUN));
    keys->verified = 0;
    trust_state_build(&set.set, &options, &state);
    *checks = keys->verified;
    role_set_free(&set);
    free(folder.docs);
    return state;
}

/* Root, targets, and so many delegations of 50 signatures; one more has `last` of them. */
static void make_signed(struct made *m, int full, int last)
{
    const struct made_key *list[SIGNERS + 1] = {NULL};
    const struct made_key *const roots[] = {&keys->root, NULL};
    json_t *targets = made_targets(1);
    *m = (struct made){.count = 0};
    for (size_t i = 0; i < SIGNERS; i++) {
        list[i] = &keys->signers[i];
    }
    made_add(m, "root", made_root(1, roots, 1, &keys->targets, &keys->online), &keys->root);
    made_add(m, "targets", targets, &keys->targets);
    for (int i = 0; i <= full; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "targets/d%d", i);
        (void)made_delegate(targets, name, list, 1, "");
        struct made_doc *doc = made_add(m, name, made_targets(1), NULL);
        memcpy(doc->signers, list, (size_t)(i < full ? SIGNERS : last) * sizeof(list[0]));
    }
    made_finish(m, &keys->online, 1);
}

/* Timestamp, snapshot and targets have one each. */
static void signature_checks_of_a_state(void **unused)
{
    (void)unused;
    for (int last = 47; last <= 48; last++) {
        struct made m;
        int checks = 0;
        make_signed(&m, 39, last);
        struct trust_state *state = load(&m, &checks);
        assert_int_equal(state->status, last == 47 ? TRUST_OK : TRUST_BAD_DATA);
        assert_true(last == 47 || strstr(state->why, "2000 signature checks"));
        assert_true(checks <= 2000 + 64 + 3); /* a role's own, and the root's */
        trust_state_free(state);
        made_free(&m);
    }
}

/* Root and targets have one each. What is too much is refused before any but the root's is checked. */
static void signature_checks_of_an_upload(void **unused)
{
    (void)unused;
    for (int last = 48; last <= 49; last++) {
        struct made m;
        int checks = 0;
        make_signed(&m, 39, last);
        struct publish_verdict *v = publish(&m, &checks);
        if (last == 48) {
            assert_string_equal(publish_verdict_word(v), "");
            assert_in_range(checks, 2000, 2003);
        } else {
            assert_string_equal(publish_verdict_word(v), "ErrValidation");
            assert_non_null(strstr(v->msg, "2000 signature checks"));
            assert_in_range(checks, 1, 2);
        }
        publish_verdict_free(v);
        made_free(&m);
    }
}

/* Signatures of strangers cost no check and do not count. */
static void strangers_are_not_checked(void **unused)
{
    struct made m;
    int checks = 0;
    (void)unused;
    make_signed(&m, 0, 1);
    struct made_doc *targets = made_find(&m, "targets");
    for (size_t i = 0; i < SIGNERS; i++) {
        targets->signers[1 + i] = &keys->signers[i];
    }
    made_finish(&m, &keys->online, 1);
    struct trust_state *state = load(&m, &checks);
    assert_int_equal(state->status, TRUST_OK);
    assert_int_equal(checks, 5); /* one of each document, the delegation among them */
    trust_state_free(state);
    made_free(&m);
}

/* 512 roles with targets; a document may list 512 itself, so two share them. */
static void roles_of_an_upload(void **unused)
{
    const struct made_key *const one[] = {&keys->signers[0], NULL};
    const struct made_key *const roots[] = {&keys->root, NULL};
    (void)unused;
    for (int extra = 0; extra < 2; extra++) {
        struct made m = {.count = 0};
        json_t *targets = made_targets(1);
        json_t *a = made_targets(1);
        int checks = 0;
        (void)made_delegate(targets, "targets/a", one, 1, "");
        for (int i = 0; i < 510 + extra; i++) {
            char name[32];
            (void)snprintf(name, sizeof(name), i < 300 ? "targets/d%d" : "targets/a/d%d", i);
            (void)made_delegate(i < 300 ? targets : a, name, one, 1, "");
        }
        made_add(&m, "root", made_root(1, roots, 1, &keys->targets, &keys->online), &keys->root);
        made_add(&m, "targets", targets, &keys->targets);
        made_add(&m, "targets/a", a, &keys->signers[0]);
        made_finish(&m, &keys->online, 1);
        struct publish_verdict *v = publish(&m, &checks);
        assert_string_equal(publish_verdict_word(v), extra ? "ErrBadTargets" : "");
        assert_true(!extra || (strstr(v->msg, "512 roles") && checks <= 2));
        publish_verdict_free(v);
        made_free(&m);
    }
}

/* targets/a/b/c/d/e/f/g has eight names, which is the deepest. */
static void depth_of_a_tree(void **unused)
{
    const struct made_key *const one[] = {&keys->signers[0], NULL};
    const struct made_key *const roots[] = {&keys->root, NULL};
    (void)unused;
    for (int depth = 8; depth <= 9; depth++) {
        struct made m = {.count = 0};
        json_t *parent = made_targets(1);
        char name[32] = "targets";
        int checks = 0;
        made_add(&m, "root", made_root(1, roots, 1, &keys->targets, &keys->online), &keys->root);
        made_add(&m, "targets", parent, &keys->targets);
        for (int i = 1; i < depth; i++) {
            size_t n = strlen(name);
            (void)snprintf(name + n, sizeof(name) - n, "/%c", 'a' + i);
            (void)made_delegate(parent, name, one, 1, "");
            parent = made_targets(1);
            made_add(&m, name, parent, &keys->signers[0]);
        }
        made_finish(&m, &keys->online, 1);
        struct publish_verdict *v = publish(&m, &checks);
        assert_string_equal(publish_verdict_word(v), depth == 8 ? "" : "INVALID_ROLE");
        assert_true(depth == 8 || checks == 0);
        publish_verdict_free(v);
        made_free(&m);
    }
}

/* ---- bytes ---- */

/* Beside the real documents the store has one that nobody lists. */
static void bytes_of_a_state(void **unused)
{
    const size_t max = (size_t)64 << 20;
    struct made m;
    struct role_folder folder;
    struct role_set set;
    size_t real = 0;
    (void)unused;
    make_signed(&m, 0, 1);
    made_folder(&m, &folder);
    role_set_build(&set, &folder, NULL, SLICE_LIT(MADE_GUN));
    auto_free struct trust_file *files = xcalloc(set.set.file_count + 1, sizeof(*files));
    auto_free char *filler = xcalloc(1, max);
    for (size_t i = 0; i < set.set.file_count; i++) {
        files[i] = set.set.files[i];
        real += files[i].bytes.n;
    }
    set.set.files = files;
    for (size_t extra = 0; extra < 2; extra++) {
        struct trust_state *state = NULL;
        struct trust_options options = {.now_us = vectors_now()};
        files[m.count - 1] = (struct trust_file){.role = "targets/lost",
                                                 .bytes = {filler, max - real + extra}};
        set.set.file_count = m.count; /* all but the root, and the filler */
        keys->verified = 0;
        trust_state_build(&set.set, &options, &state);
        assert_int_equal(state->status, extra ? TRUST_BAD_DATA : TRUST_OK);
        assert_true(!extra || keys->verified == 0);
        trust_state_free(state);
    }
    role_set_free(&set);
    free(folder.docs);
    made_free(&m);
}

/* Four delegations, each nearly as large as one may be. */
static void bytes_of_an_upload(void **unused)
{
    const size_t max = (size_t)62 << 20;
    const size_t big = (size_t)15 << 20;
    const struct made_key *const one[] = {&keys->signers[0], NULL};
    const struct made_key *const roots[] = {&keys->root, NULL};
    struct made m = {.count = 0};
    json_t *targets = made_targets(1);
    auto_free char *filler = xcalloc(1, big + 1);
    int checks = 0;
    (void)unused;
    memset(filler, 'x', big);
    made_add(&m, "root", made_root(1, roots, 1, &keys->targets, &keys->online), &keys->root);
    made_add(&m, "targets", targets, &keys->targets);
    for (int i = 0; i < 4; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "targets/d%d", i);
        (void)made_delegate(targets, name, one, 1, "");
        json_t *part = made_targets(1);
        json_object_set_new(part, "x-filler", json_string(filler));
        (void)made_add(&m, name, part, &keys->signers[0]);
    }
    struct made_doc *last = made_add(&m, "targets/last", made_targets(1), &keys->signers[0]);
    (void)made_delegate(targets, "targets/last", one, 1, "");
    json_object_set_new(last->part, "x-filler", json_string(""));
    made_finish(&m, &keys->online, 1);
    size_t total = 0;
    for (size_t i = 1; i < m.count - 2; i++) {
        total += m.docs[i].bytes.n;
    }
    assert_true(total < max && max - total < big);
    for (size_t extra = 0; extra < 2; extra++) {
        json_object_set_new(last->part, "x-filler", json_stringn(filler, max - total + extra));
        made_write(last);
        struct publish_verdict *v = publish(&m, &checks);
        assert_string_equal(publish_verdict_word(v), extra ? "ErrBadTargets" : "");
        assert_true(!extra || (strstr(v->msg, "a repository takes") && checks <= 2));
        publish_verdict_free(v);
    }
    made_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signature_checks_of_a_state),
        cmocka_unit_test(signature_checks_of_an_upload),
        cmocka_unit_test(strangers_are_not_checked),
        cmocka_unit_test(roles_of_an_upload),
        cmocka_unit_test(depth_of_a_tree),
        cmocka_unit_test(bytes_of_a_state),
        cmocka_unit_test(bytes_of_an_upload),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
