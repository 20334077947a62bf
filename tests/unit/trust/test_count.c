/* What is remembered of signatures that were found valid, and that nothing else is. tuf_key_verify is
 * redirected here, and counts. */
#include "tests/unit/trust/made.h"
#include "tests/unit/trust/redirected.h"

#include <pthread.h>

#define YEAR_S INT64_C(31536000)

struct fixture {
    struct made_key root, online, targets, stranger;
    struct made m;
    struct tuf_doc *root_doc, *targets_doc; /* of `m`, read by nobody before */
    atomic_int verified;                    /* calls since it was last set to 0 */
};
static struct fixture *world;

enum sig_verdict __wrap_tuf_key_verify(const struct tuf_key *key, struct slice method,
                                       struct slice sig, struct slice bytes)
{
    atomic_fetch_add(&world->verified, 1);
    return __real_tuf_key_verify(key, method, sig, bytes);
}

static struct tuf_doc *read_doc(const char *role, struct slice bytes)
{
    struct tuf_doc *doc = NULL;
    struct err err = {0};
    if (tuf_doc_read(slice_str(role), bytes, &doc, &err) != DOC_OK) {
        fail_msg("%s", err.msg);
    }
    return doc;
}

static int setup(void **unused)
{
    struct fixture *w = xcalloc(1, sizeof(*w));
    (void)unused;
    world = w;
    made_cert_new(&w->root, NULL, MADE_GUN, -YEAR_S, YEAR_S);
    made_key_new(&w->online);
    made_bare_new(&w->targets, NULL);
    made_bare_new(&w->stranger, NULL);
    const struct made_key *const roots[] = {&w->root, NULL};
    made_add(&w->m, "root", made_root(1, roots, 1, &w->targets, &w->online), &w->root);
    made_add(&w->m, "targets", made_targets(1), &w->targets);
    made_finish(&w->m, &w->online, 1);
    w->root_doc = read_doc("root", buf_slice_of(&w->m.docs[0].bytes));
    w->targets_doc = read_doc("targets", buf_slice_of(&w->m.docs[1].bytes));
    return 0;
}

static int teardown(void **unused)
{
    struct fixture *w = world;
    (void)unused;
    tuf_doc_free(w->root_doc);
    tuf_doc_free(w->targets_doc);
    made_free(&w->m);
    made_key_free(&w->root);
    made_key_free(&w->online);
    made_key_free(&w->targets);
    made_key_free(&w->stranger);
    free(w);
    return 0;
}

/* Valid signatures of `doc` by what `lister` says of targets; `verified` of them worked out now. */
static int count_targets(const struct tuf_doc *doc, const struct tuf_doc *lister, int verified)
{
    struct sig_count count;
    atomic_store(&world->verified, 0);
    tuf_count_signatures(doc, lister, &lister->targets, NULL, &count);
    assert_int_equal(atomic_load(&world->verified), verified);
    assert_int_equal(count.signer_count, count.valid);
    return count.valid;
}

/* Another root, that lists this key for targets. */
static struct tuf_doc *root_listing(const struct made_key *targets)
{
    const struct made_key *const roots[] = {&world->root, NULL};
    struct made m = {.count = 0};
    made_add(&m, "root", made_root(2, roots, 1, targets, &world->online), &world->root);
    made_write(&m.docs[0]);
    struct tuf_doc *doc = read_doc("root", buf_slice_of(&m.docs[0].bytes));
    made_free(&m);
    return doc;
}

static void a_good_signature_is_worked_out_once(void **unused)
{
    struct fixture *w = world;
    struct tuf_doc *next = root_listing(&w->targets);
    struct tuf_doc *shared = tuf_doc_share(w->targets_doc);
    (void)unused;
    assert_int_equal(count_targets(w->targets_doc, w->root_doc, 1), 1);
    assert_int_equal(count_targets(w->targets_doc, w->root_doc, 0), 1);
    assert_int_equal(count_targets(shared, w->root_doc, 0), 1);
    assert_int_equal(count_targets(w->targets_doc, next, 0), 1); /* the same key, listed elsewhere */
    tuf_doc_free(shared);
    tuf_doc_free(next);
}

/* So that a verdict with a bound of checks does not depend on what was asked before. */
static void a_remembered_one_is_a_check(void **unused)
{
    struct fixture *w = world;
    (void)unused;
    for (int i = 0; i < 2; i++) {
        struct sig_count count;
        tuf_count_signatures(w->targets_doc, w->root_doc, &w->root_doc->targets, NULL, &count);
        assert_int_equal(count.checks, 1);
        assert_int_equal(tuf_count_checks(w->targets_doc, w->root_doc, &w->root_doc->targets), 1);
    }
}

static void the_same_bytes_read_again_are_worked_out(void **unused)
{
    struct fixture *w = world;
    struct tuf_doc *again = read_doc("targets", w->targets_doc->bytes);
    (void)unused;
    assert_int_equal(count_targets(w->targets_doc, w->root_doc, 1), 1);
    assert_int_equal(count_targets(again, w->root_doc, 1), 1);
    tuf_doc_free(again);
}

static void a_bad_signature_is_never_good(void **unused)
{
    struct fixture *w = world;
    static const char *const places[] = {"\"sig\":\"", "\"version\":"};
    (void)unused;
    assert_int_equal(count_targets(w->targets_doc, w->root_doc, 1), 1);
    for (size_t i = 0; i < COUNT(places); i++) {
        auto_buf struct buf changed = {0};
        buf_slice(&changed, w->targets_doc->bytes);
        char *at = strstr(changed.p, places[i]);
        assert_non_null(at);
        at += strlen(places[i]);
        *at = *at == '2' ? '3' : '2';
        struct tuf_doc *doc = read_doc("targets", buf_slice_of(&changed));
        CHECK_CASE(count_targets(doc, w->root_doc, 1) == 0, places[i]);
        CHECK_CASE(count_targets(doc, w->root_doc, 1) == 0, places[i]); /* nor is that remembered */
        tuf_doc_free(doc);
    }
    assert_int_equal(count_targets(w->targets_doc, w->root_doc, 0), 1);
}

static void another_key_does_not_count(void **unused)
{
    struct fixture *w = world;
    struct tuf_doc *stranger = root_listing(&w->stranger);
    struct made_key liar = w->stranger; /* its key, under the id of the one that signed */
    (void)unused;
    memcpy(liar.id, w->targets.id, sizeof(liar.id));
    struct tuf_doc *lying = root_listing(&liar);
    assert_int_equal(count_targets(w->targets_doc, w->root_doc, 1), 1);
    assert_int_equal(count_targets(w->targets_doc, stranger, 0), 0);
    assert_int_equal(count_targets(w->targets_doc, lying, 0), 0);
    assert_int_equal(count_targets(w->targets_doc, w->root_doc, 0), 1);
    tuf_doc_free(stranger);
    tuf_doc_free(lying);
}

static void the_threshold_is_asked_each_time(void **unused)
{
    struct fixture *w = world;
    struct tuf_role_keys two = w->root_doc->targets;
    struct sig_count count;
    (void)unused;
    assert_int_equal(count_targets(w->targets_doc, w->root_doc, 1), 1);
    two.threshold = 2;
    tuf_count_signatures(w->targets_doc, w->root_doc, &two, NULL, &count);
    assert_int_equal(count.valid, 1);
    assert_false(sig_count_met(&count));
    tuf_count_signatures(w->targets_doc, w->root_doc, &w->root_doc->targets, NULL, &count);
    assert_true(sig_count_met(&count));
}

static void a_certificate_is_judged_each_time(void **unused)
{
    static const struct {
        const char *name, *gun;
        int64_t later_s;
        int valid;
    } rows[] = {
        {"good", MADE_GUN, 0, 1},
        {"another repository", "registry.example/ns/other", 0, 0},
        {"run out", MADE_GUN, 2 * YEAR_S, 0},
        {"not begun", MADE_GUN, -2 * YEAR_S, 0},
        {"good again", MADE_GUN, 0, 1},
    };
    const struct tuf_doc *root = world->root_doc;
    (void)unused;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct root_rules rules = {slice_str(rows[i].gun),
                                         vectors_now() + rows[i].later_s * US_PER_SECOND, true};
        struct sig_count count;
        tuf_count_signatures(root, root, &root->root, &rules, &count);
        CHECK_CASE(count.valid == rows[i].valid, rows[i].name);
    }
    assert_int_equal(atomic_load(&world->verified), 1);
}

/* ---- a whole state out of documents whose signatures were found valid before ---- */

static enum trust_status status_of(const struct trust_set *set)
{
    const struct trust_options options = {.now_us = vectors_now(), .unpinned = true};
    struct trust_state *state = NULL;
    trust_state_build(set, &options, &state);
    enum trust_status status = state->status;
    trust_state_free(state);
    return status;
}

static void what_is_revoked_is_asked_each_time(void **unused)
{
    struct fixture *w = world;
    struct trust_file files[4];
    struct tuf_doc *docs[4];
    struct trust_set set = {.gun = SLICE_LIT(MADE_GUN), .roots = files, .root_count = 1};
    const struct spki revoked =
        tuf_key_spki(tuf_doc_key(w->root_doc, slice_str(w->root_doc->root.key_ids[0])));
    (void)unused;
    for (size_t i = 0; i < COUNT(docs); i++) {
        const struct made_doc *made = &w->m.docs[i];
        docs[i] = read_doc(made->role, buf_slice_of(&made->bytes));
        files[i] = (struct trust_file){made->role, docs[i]->bytes, docs[i]};
    }
    set.files = files + 1;
    set.file_count = COUNT(docs) - 1;
    assert_int_equal(status_of(&set), TRUST_OK);
    assert_int_equal(atomic_load(&w->verified), COUNT(docs)); /* the root's too, which is asked twice */
    assert_int_equal(status_of(&set), TRUST_OK);
    assert_int_equal(atomic_load(&w->verified), COUNT(docs));
    set.revoked = &revoked;
    set.revoked_count = 1;
    assert_int_equal(status_of(&set), TRUST_ROOT_KEY_REVOKED);
    set.revoked_count = 0;
    assert_int_equal(status_of(&set), TRUST_OK);
    for (size_t i = 0; i < COUNT(docs); i++) {
        tuf_doc_free(docs[i]);
    }
}

/* ---- several threads ---- */

static void *count_often(void *arg)
{
    int *good = arg;
    for (int i = 0; i < 50; i++) {
        struct sig_count count;
        tuf_count_signatures(world->targets_doc, world->root_doc, &world->root_doc->targets, NULL,
                             &count);
        *good += count.valid;
    }
    return NULL;
}

static void threads_share_a_document(void **unused)
{
    pthread_t threads[4];
    int good[COUNT(threads)] = {0};
    (void)unused;
    for (size_t i = 0; i < COUNT(threads); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, count_often, &good[i]), 0);
    }
    for (size_t i = 0; i < COUNT(threads); i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(good[i], 50);
    }
    assert_in_range(atomic_load(&world->verified), 1, COUNT(threads));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_good_signature_is_worked_out_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_remembered_one_is_a_check, setup, teardown),
        cmocka_unit_test_setup_teardown(the_same_bytes_read_again_are_worked_out, setup, teardown),
        cmocka_unit_test_setup_teardown(a_bad_signature_is_never_good, setup, teardown),
        cmocka_unit_test_setup_teardown(another_key_does_not_count, setup, teardown),
        cmocka_unit_test_setup_teardown(the_threshold_is_asked_each_time, setup, teardown),
        cmocka_unit_test_setup_teardown(a_certificate_is_judged_each_time, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_revoked_is_asked_each_time, setup, teardown),
        cmocka_unit_test_setup_teardown(threads_share_a_document, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
