/* Which views are kept: by room, by number, the newest in any case. */
#include "tests/unit/base/check.h"
#include "trust/view_internal.h"

#include <pthread.h>
#include <semaphore.h>

static sem_t asleep; /* posted by each thread that is about to wait for a build, under the lock of the views */

int __real_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock);
int __wrap_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock);
int __wrap_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock)
{
    (void)sem_post(&asleep);
    return __real_pthread_cond_wait(cond, lock);
}

static struct gate_view *view_of(int64_t repository_id, size_t bytes)
{
    struct gate_view *v = xcalloc(1, sizeof *v);
    v->references = 1;
    v->repository_id = repository_id;
    v->generation = 1;
    v->bytes = bytes;
    v->valid_until_us = INT64_MAX;
    return v;
}

static void keep(struct gate_views *views, int64_t repository_id, size_t bytes)
{
    struct gate_view *v = view_of(repository_id, bytes);
    gate_views_keep(views, v, true);
    gate_view_unref(v);
}

static bool is_kept_at(struct gate_views *views, int64_t repository_id, int64_t generation)
{
    struct gate_view *v = gate_views_find(views, repository_id, generation, 1);
    gate_view_unref(v);
    return v != NULL;
}

static bool is_kept(struct gate_views *views, int64_t repository_id)
{
    return is_kept_at(views, repository_id, 1);
}

static void the_least_used_give_way(void **state)
{
    (void)state;
    struct gate_views *views = gate_views_new(100, 3);
    keep(views, 1, 40);
    keep(views, 2, 40);
    assert_true(is_kept(views, 1)); /* used: 2 is the oldest now */
    keep(views, 3, 40);
    assert_true(is_kept(views, 1) && !is_kept(views, 2) && is_kept(views, 3));
    keep(views, 4, 1);
    keep(views, 5, 1); /* the fourth */
    assert_true(!is_kept(views, 1) && is_kept(views, 3) && is_kept(views, 4) && is_kept(views, 5));
    gate_views_free(views);
}

/* It is what costs most to make: not each of its requests may pay for that. */
static void one_that_is_larger_than_the_room_is_kept_alone(void **state)
{
    (void)state;
    struct gate_views *views = gate_views_new(100, 3);
    keep(views, 1, 40);
    keep(views, 2, 1000);
    assert_true(is_kept(views, 2) && !is_kept(views, 1));
    keep(views, 3, 10);
    assert_true(is_kept(views, 3) && !is_kept(views, 2));
    gate_views_free(views);
}

static void a_view_of_another_generation_or_time_is_not_found(void **state)
{
    (void)state;
    struct gate_views *views = gate_views_new(100, 3);
    struct gate_view *v = view_of(1, 10);
    v->valid_from_us = 5;
    v->valid_until_us = 9;
    gate_views_keep(views, v, true);
    gate_view_unref(v);
    assert_null(gate_views_find(views, 1, 2, 6));
    assert_null(gate_views_find(views, 1, 1, 4));
    assert_null(gate_views_find(views, 1, 1, 9));
    v = gate_views_find(views, 1, 1, 8);
    assert_non_null(v);
    gate_view_unref(v);
    gate_views_free(views);
}

/* A reader whose snapshot is from before must not take away what everybody else decides by. */
static void an_older_view_does_not_displace_a_newer_one(void **state)
{
    (void)state;
    struct gate_views *views = gate_views_new(100, 3);
    struct gate_view *newer = view_of(1, 10), *older = view_of(1, 10);
    newer->generation = 7;
    older->generation = 6;
    gate_views_keep(views, newer, true);
    gate_views_keep(views, older, true);
    assert_true(is_kept_at(views, 1, 7) && !is_kept_at(views, 1, 6));
    gate_view_unref(newer);
    gate_view_unref(older);
    gate_views_free(views);
}

static void what_was_asked_for_is_remembered(void **state)
{
    (void)state;
    struct gate_views *views = gate_views_new(100, 3);
    struct gate_view *v = view_of(1, 10);
    bool asked = true;
    assert_null(gate_views_last(views, 1, &asked));
    assert_false(asked);
    gate_views_keep(views, v, false);
    gate_view_unref(gate_views_last(views, 1, &asked));
    assert_false(asked);
    assert_true(is_kept(views, 1)); /* this is how the writer looks */
    gate_view_unref(gate_views_last(views, 1, &asked));
    assert_false(asked);
    struct view_claim claim;
    gate_view_unref(gate_views_find_or_claim(views, 1, 1, 1, &claim));
    gate_view_unref(gate_views_last(views, 1, &asked));
    assert_true(asked);
    gate_view_unref(v);
    gate_views_free(views);
}

/* --- who builds ------------------------------------------------------------------------------- */

static void a_claim_is_of_one_generation_of_one_repository(void **state)
{
    (void)state;
    struct gate_views *views = gate_views_new(100, 3);
    struct view_claim first, again, later, other;
    assert_true(gate_views_claim(views, 1, 2, &first));
    assert_false(gate_views_claim(views, 1, 2, &again));
    assert_true(gate_views_claim(views, 1, 3, &later));
    assert_null(gate_views_find_or_claim(views, 2, 2, 1, &other)); /* and waits for nobody */
    view_claim_end(&first);
    assert_true(gate_views_claim(views, 1, 2, &again));
    view_claim_end(&later);
    view_claim_end(&again);
    view_claim_end(&other);
    view_claim_end(&other); /* it is none by now */
    gate_views_free(views);
}

#define GENERATIONS 200

struct crowd {
    struct gate_views *views;
    atomic_int builders[GENERATIONS + 1]; /* of each generation, now, that have the claim */
    atomic_int built, odd;
};

/* Asks for each generation in turn; who is told to builds, every third build fails. */
static void *ask_for_each(void *arg)
{
    struct crowd *c = arg;
    for (int generation = 1; generation <= GENERATIONS;) {
        struct view_claim claim = {0};
        struct gate_view *v = gate_views_find_or_claim(c->views, 1, generation, 1, &claim);
        int claims = claim.views ? 1 : 0;
        atomic_fetch_add(&c->odd, v && claims);
        if (!v) {
            atomic_fetch_add(&c->odd, atomic_fetch_add(&c->builders[generation], claims) > 0 && claims);
            bool fails = atomic_fetch_add(&c->built, 1) % 3 == 0;
            if (!fails) {
                v = view_of(1, 10);
                v->generation = generation;
                gate_views_keep(c->views, v, true);
            }
            atomic_fetch_sub(&c->builders[generation], claims);
            view_claim_end(&claim);
        }
        atomic_fetch_add(&c->odd, v && v->generation != generation);
        generation += v != NULL;
        gate_view_unref(v);
    }
    return NULL;
}

static void one_thread_builds_and_the_others_wait(void **state)
{
    (void)state;
    struct crowd c = {.views = gate_views_new(100, 3)};
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, ask_for_each, &c), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(c.odd, 0);
    assert_true(is_kept_at(c.views, 1, GENERATIONS));
    gate_views_free(c.views);
}

/* --- who does not wait -------------------------------------------------------------------------- */

static void keep_generation(struct gate_views *views, int64_t generation)
{
    struct gate_view *v = view_of(1, 10);
    v->generation = generation;
    gate_views_keep(views, v, true);
    gate_view_unref(v);
}

/* A publish has landed, and the new view is there: whoever still reads what was before builds that at once, neither
 * waiting for another one who does nor making others wait. */
static void an_asker_of_the_past_waits_for_nobody(void **state)
{
    (void)state;
    struct gate_views *views = gate_views_new(100, 3);
    struct view_claim first, second, third;
    assert_true(gate_views_claim(views, 1, 6, &first));
    keep_generation(views, 7);
    assert_null(gate_views_find_or_claim(views, 1, 6, 1, &second)); /* would wait for ever */
    assert_null(second.views);
    assert_null(gate_views_find_or_claim(views, 1, 5, 1, &third));
    assert_null(third.views);
    keep_generation(views, 6);
    assert_true(is_kept_at(views, 1, 7));
    assert_null(gate_views_find_or_claim(views, 1, 8, 1, &third)); /* of what is to come there is a claim */
    assert_non_null(third.views);
    view_claim_end(&third);
    view_claim_end(&second);
    view_claim_end(&first);
    gate_views_free(views);
}

#define WAITING 4

struct queue_of_askers {
    struct gate_views *views;
    pthread_barrier_t together;
    atomic_int claims, found;
};

/* Builds, if it must, together with all the others: who builds after another one never gets there. */
static void *ask_and_build(void *arg)
{
    struct queue_of_askers *q = arg;
    struct view_claim claim;
    struct gate_view *v = gate_views_find_or_claim(q->views, 1, 2, 1, &claim);
    atomic_fetch_add(&q->found, v != NULL);
    atomic_fetch_add(&q->claims, claim.views != NULL);
    if (!v) {
        (void)pthread_barrier_wait(&q->together);
    }
    gate_view_unref(v);
    view_claim_end(&claim);
    return NULL;
}

/* All of them sleep until `end` is called. */
static void wait_and_build(struct queue_of_askers *q, void (*end)(struct gate_views *views, struct view_claim *claim))
{
    pthread_t threads[WAITING];
    struct view_claim claim;
    *q = (struct queue_of_askers){.views = gate_views_new(100, 3)};
    assert_int_equal(sem_init(&asleep, 0, 0), 0);
    assert_int_equal(pthread_barrier_init(&q->together, NULL, WAITING), 0);
    assert_true(gate_views_claim(q->views, 1, 2, &claim));
    for (size_t i = 0; i < WAITING; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, ask_and_build, q), 0);
    }
    for (size_t i = 0; i < WAITING; i++) {
        assert_int_equal(sem_wait(&asleep), 0);
    }
    end(q->views, &claim);
    for (size_t i = 0; i < WAITING; i++) {
        pthread_join(threads[i], NULL);
    }
    view_claim_end(&claim);
    pthread_barrier_destroy(&q->together);
    gate_views_free(q->views);
}

static void build_nothing(struct gate_views *views, struct view_claim *claim)
{
    (void)views;
    view_claim_end(claim);
}

static void build_what_is_waited_for(struct gate_views *views, struct view_claim *claim)
{
    keep_generation(views, 2);
    view_claim_end(claim);
}

static void keep_a_newer_one(struct gate_views *views, struct view_claim *claim)
{
    (void)claim; /* whoever has it goes on building */
    keep_generation(views, 3);
}

static void who_waited_in_vain_builds_beside_the_others(void **state)
{
    struct queue_of_askers q;
    (void)state;
    wait_and_build(&q, build_nothing);
    assert_true(q.claims == 0 && q.found == 0);
    wait_and_build(&q, keep_a_newer_one);
    assert_true(q.claims == 0 && q.found == 0);
    wait_and_build(&q, build_what_is_waited_for);
    assert_true(q.claims == 0 && q.found == WAITING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_least_used_give_way),
        cmocka_unit_test(one_that_is_larger_than_the_room_is_kept_alone),
        cmocka_unit_test(a_view_of_another_generation_or_time_is_not_found),
        cmocka_unit_test(an_older_view_does_not_displace_a_newer_one),
        cmocka_unit_test(what_was_asked_for_is_remembered),
        cmocka_unit_test(a_claim_is_of_one_generation_of_one_repository),
        cmocka_unit_test(an_asker_of_the_past_waits_for_nobody),
        cmocka_unit_test(who_waited_in_vain_builds_beside_the_others),
        cmocka_unit_test(one_thread_builds_and_the_others_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
