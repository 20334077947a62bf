/* Whatever is changed in a document of a good repository: it is refused, or it says the same. Every
 * bit, byte and member with BONDSTORE_MUTATION=all; a sample of them otherwise. */
#include "tests/unit/trust/forgery.h"
#include "tests/unit/trust/mutate.h"

#define SAMPLE 12 /* changes of a kind of a document */

struct tally {
    size_t same[MUTATIONS], refused[MUTATIONS];
};

static struct forger *forger;

static int setup(void **unused)
{
    (void)unused;
    forger = forger_new();
    return 0;
}

static int teardown(void **unused)
{
    (void)unused;
    forger_free(forger);
    return 0;
}

static bool is_online(const char *role)
{
    return strcmp(role, "snapshot") == 0 || strcmp(role, "timestamp") == 0;
}

static void try_change(enum shape shape, size_t at, enum mutation kind, size_t step,
                       struct tally *tally)
{
    const struct made *good = &forger->good[shape];
    const char *role = good->docs[at].role;
    auto_buf struct buf changed = {0};
    struct attempt a;

    mutate(kind, buf_slice_of(&good->docs[at].bytes), step, &changed);
    attempt_begin(&a, good);
    attempt_set(&a, at, buf_slice_of(&changed));
    if (strcmp(role, "timestamp") != 0) {
        attempt_list(&a, !is_online(role));
    }
    enum outcome loaded = attempt_load(&a);
    enum outcome published =
        shape != SHAPE_ROTATED && !is_online(role) ? attempt_publish(&a, &forger->online) : loaded;
    if (loaded == FORGED || published == FORGED) {
        fail_msg("shape %d, %s, %s, step %zu: load %d, publish %d: %.*s", (int)shape, role,
                 mutation_name(kind), step, (int)loaded, (int)published,
                 SLICE_FMT(buf_slice_of(&changed)));
    }
    tally->same[kind] += loaded == SAME;
    tally->refused[kind] += loaded == REFUSED;
    attempt_end(&a);
}

static void try_kind(enum shape shape, size_t at, enum mutation kind, struct tally *tally)
{
    const char *wish = getenv("BONDSTORE_MUTATION");
    size_t steps = mutation_steps(kind, buf_slice_of(&forger->good[shape].docs[at].bytes));
    bool all = wish && strcmp(wish, "all") == 0;
    size_t stride = all || steps < SAMPLE ? 1 : steps / SAMPLE;
    size_t first = stride > 1 ? randombytes_uniform((uint32_t)stride) : 0;

    for (size_t step = first; step < steps; step += stride) {
        /* not always the same bit of a byte or change of a member */
        size_t wobble = stride > 1 ? randombytes_uniform((uint32_t)stride) : 0;
        try_change(shape, at, kind, (step + wobble) % steps, tally);
    }
}

static void the_good_ones_are_good(void **unused)
{
    (void)unused;
    for (int shape = 0; shape < SHAPE_COUNT; shape++) {
        struct attempt a;
        attempt_begin(&a, &forger->good[shape]);
        assert_int_equal(attempt_load(&a), SAME);
        attempt_list(&a, true);
        assert_int_equal(attempt_load(&a), SAME);
        if (shape != SHAPE_ROTATED) {
            assert_int_equal(attempt_publish(&a, &forger->online), SAME);
        }
        attempt_end(&a);
    }
}

/* The judge is no yes-man: a document that its own signer signed anew says something else. */
static void what_is_signed_anew_is_told_apart(void **unused)
{
    struct attempt a;
    (void)unused;
    attempt_begin(&a, &forger->good[SHAPE_SMALL]);
    struct made_doc *targets = made_find(&a.now, "targets");
    forger_target(targets->part, "2.0");
    made_write(targets);
    attempt_list(&a, true);
    assert_int_equal(attempt_load(&a), FORGED);
    assert_int_equal(attempt_publish(&a, &forger->online), FORGED);
    attempt_end(&a);
}

static void no_change_forges(void **unused)
{
    struct tally tally = {{0}, {0}};
    (void)unused;
    for (int shape = 0; shape < SHAPE_COUNT; shape++) {
        for (size_t at = 0; at < forger->good[shape].count; at++) {
            for (int kind = 0; kind < MUTATIONS; kind++) {
                try_kind((enum shape)shape, at, (enum mutation)kind, &tally);
            }
        }
    }
    for (int kind = 0; kind < MUTATIONS; kind++) {
        print_message("%-15s %6zu refused, %6zu say the same\n", mutation_name((enum mutation)kind),
                      tally.refused[kind], tally.same[kind]);
        assert_true(tally.refused[kind] > 0);
    }
    /* white space between tokens, and the order of members, mean nothing */
    assert_true(tally.same[MUTATION_INSERT] > 0 && tally.same[MUTATION_MEMBER] > 0);
    assert_int_equal(tally.same[MUTATION_CUT], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_good_ones_are_good),
        cmocka_unit_test(what_is_signed_anew_is_told_apart),
        cmocka_unit_test(no_change_forges),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
