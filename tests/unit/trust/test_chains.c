/* Chains of roots that the server remembers: their links are verified once. */
#include "tests/unit/trust/made.h"
#include "trust/chains.h"

#include <pthread.h>

#define YEAR_S INT64_C(31536000)
#define ROOTS 5

struct world {
    struct made_key root, online, targets;
    struct made m;
    struct role_folder folder;
    struct role_set set;
};

static int setup(void **state)
{
    struct world *w = xcalloc(1, sizeof(*w));
    made_cert_new(&w->root, NULL, MADE_GUN, -YEAR_S, YEAR_S);
    made_key_new(&w->online);
    made_key_new(&w->targets);
    const struct made_key *const roots[] = {&w->root, NULL};
    for (int64_t version = 1; version <= ROOTS; version++) {
        made_add(&w->m, "root", made_root(version, roots, 1, &w->targets, &w->online), &w->root);
    }
    made_add(&w->m, "targets", made_targets(1), &w->targets);
    made_finish(&w->m, &w->online, 1);
    made_folder(&w->m, &w->folder);
    role_set_build(&w->set, &w->folder, NULL, SLICE_LIT(MADE_GUN));
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    role_set_free(&w->set);
    free(w->folder.docs);
    made_free(&w->m);
    made_key_free(&w->root);
    made_key_free(&w->online);
    made_key_free(&w->targets);
    free(w);
    return 0;
}

/* Links verified by a build that gives this status. */
static size_t links_of(struct chains *chains, int64_t id, const struct trust_set *set,
                       enum trust_status want)
{
    struct trust_options options = {.now_us = vectors_now()};
    struct trust_state *state = NULL;
    chains_build(chains, id, set, &options, &state);
    assert_int_equal(state->status, want);
    size_t links = state->links_verified;
    trust_state_free(state);
    return links;
}

static void links_are_verified_once(void **state)
{
    struct world *w = *state;
    struct chains *chains = chains_new();
    struct trust_set shorter = w->set.set;
    shorter.root_count = ROOTS - 2;
    /* root 5 was accepted before: the chain holds, the state does not */
    assert_int_equal(links_of(chains, 7, &shorter, TRUST_ROLLBACK), ROOTS - 3);
    assert_int_equal(links_of(chains, 7, &w->set.set, TRUST_OK), 2);
    assert_int_equal(links_of(chains, 7, &w->set.set, TRUST_OK), 0);
    assert_int_equal(links_of(chains, 8, &w->set.set, TRUST_OK), ROOTS - 1);
    assert_int_equal(links_of(chains, 7, &w->set.set, TRUST_OK), 0);
    /* a repository that shares its place is not believed the other's, and takes it over */
    assert_int_equal(links_of(chains, 7 + 4096, &w->set.set, TRUST_OK), ROOTS - 1);
    assert_int_equal(links_of(chains, 7, &w->set.set, TRUST_OK), ROOTS - 1);
    chains_free(chains);
}

static void a_changed_root_is_not_remembered(void **state)
{
    struct world *w = *state;
    struct chains *chains = chains_new();
    struct buf *second = &w->m.docs[1].bytes;
    assert_int_equal(links_of(chains, 7, &w->set.set, TRUST_OK), ROOTS - 1);
    char *digit = strstr(second->p, "\"version\":2");
    assert_non_null(digit);
    digit += strlen("\"version\":");
    *digit = '3';
    assert_int_equal(links_of(chains, 7, &w->set.set, TRUST_ROOT_CHANGED), 1);
    *digit = '2';
    assert_int_equal(links_of(chains, 7, &w->set.set, TRUST_OK),
                     0); /* a bad one displaces nothing */
    chains_free(chains);
}

/* ---- several threads ---- */

struct builds {
    struct chains *chains;
    const struct trust_set *set;
    int64_t id;
    int good;
};

static void *build_often(void *arg)
{
    struct builds *b = arg;
    for (int i = 0; i < 20; i++) {
        struct trust_options options = {.now_us = vectors_now()};
        struct trust_state *state = NULL;
        chains_build(b->chains, b->id, b->set, &options, &state);
        b->good += state->status == TRUST_OK;
        trust_state_free(state);
    }
    return NULL;
}

/* Two repositories that share a place, looked at by two threads each. */
static void threads_share_it(void **state)
{
    struct world *w = *state;
    struct chains *chains = chains_new();
    struct builds builds[4];
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        builds[i] = (struct builds){chains, &w->set.set, 7 + 4096 * (i % 2), 0};
        assert_int_equal(pthread_create(&threads[i], NULL, build_often, &builds[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(builds[i].good, 20);
    }
    chains_free(chains);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(links_are_verified_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_changed_root_is_not_remembered, setup, teardown),
        cmocka_unit_test_setup_teardown(threads_share_it, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
