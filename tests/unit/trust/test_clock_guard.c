/* A clock that was turned back, jumped ahead, or was down (gate.md 4.2, attacks O-04). */
#include "tests/unit/trust/trust_check.h"
#include "trust/clock_guard.h"

#define MINUTE (60 * US_PER_SECOND)
#define HOUR (60 * MINUTE)
#define YEAR (365 * US_PER_DAY)
#define T (20000 * US_PER_DAY) /* some day in 2024 */

struct moment {
    int64_t wall, mono; /* both clocks, from the beginning of the run */
};

struct run {
    const char *name;
    int64_t seen;           /* before the run; 0 = nothing */
    struct moment notes[6]; /* until one is 0, 0 */
    int64_t ask;            /* the wall clock then */
    bool behind;
};

static const struct run runs[] = {
    {"a first run", 0, {{T, 1}}, T + MINUTE, false},
    {"a year back", T, {{T - YEAR, 1}}, T - YEAR, true},
    {"a year back and right again", T, {{T - YEAR, 1}, {T + HOUR, HOUR}}, T + HOUR, false},
    {"back within the slack", T, {{T - 4 * MINUTE, 1}}, T - 4 * MINUTE, false},
    {"at the slack's end", T, {{T, 1}}, T - 5 * MINUTE, false},
    {"just beyond it", T, {{T, 1}}, T - 5 * MINUTE - 1, true},
    {"on and back by ten minutes", T, {{T + HOUR, HOUR}}, T + 50 * MINUTE, true},
    {"a year ahead at the start, then right",
     T,
     {{T + YEAR, 1}, {T + YEAR + HOUR, HOUR}},
     T + HOUR,
     false},
    {"a year ahead in a run, then right",
     T,
     {{T + HOUR, HOUR}, {T + HOUR + YEAR, HOUR + 1}},
     T + HOUR,
     false},
    {"a year ahead is believed after a day",
     T,
     {{T + YEAR, 1}, {T + YEAR + US_PER_DAY, US_PER_DAY + 1}},
     T + HOUR,
     true},
    {"but not a moment before",
     T,
     {{T + YEAR, 1}, {T + YEAR + US_PER_DAY - 1, US_PER_DAY}},
     T + HOUR,
     false},
    {"an hour down is believed after an hour",
     T,
     {{T + HOUR, 1}, {T + 2 * HOUR, HOUR + 1}},
     T + HOUR,
     true},
    {"two jumps do not add up their times",
     T,
     {{T + YEAR, 1}, {T + 2 * YEAR, US_PER_DAY}, {T + 2 * YEAR + HOUR, US_PER_DAY + HOUR}},
     T + US_PER_DAY,
     false},
    {"ahead, right for a moment, ahead again",
     T,
     {{T + YEAR, 1}, {T + HOUR, HOUR}, {T + YEAR + US_PER_DAY, US_PER_DAY}},
     T + HOUR,
     false},
    {"in small steps the clock is followed",
     T,
     {{T + 4 * MINUTE, MINUTE}, {T + 8 * MINUTE, 2 * MINUTE}, {T + 12 * MINUTE, 3 * MINUTE}},
     T + 6 * MINUTE,
     true},
};

static void every_run(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(runs); i++) {
        struct clock_guard g;
        clock_guard_start(&g, runs[i].seen, 0);
        for (size_t k = 0; k < COUNT(runs[i].notes) && runs[i].notes[k].mono; k++) {
            clock_guard_note(&g, runs[i].notes[k].wall, runs[i].notes[k].mono);
        }
        CHECK_CASE(clock_is_behind(g.seen_us, runs[i].ask) == runs[i].behind, runs[i].name);
    }
}

static void an_acknowledged_clock_counts_whatever_was_seen(void **state)
{
    struct clock_guard g;
    (void)state;
    clock_guard_start(&g, T + YEAR, 0);
    assert_true(clock_is_behind(g.seen_us, T));
    clock_guard_reset(&g, T, 5);
    assert_false(clock_is_behind(g.seen_us, T));
    clock_guard_note(&g, T + HOUR, HOUR + 5);
    assert_true(clock_is_behind(g.seen_us, T));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_run),
        cmocka_unit_test(an_acknowledged_clock_counts_whatever_was_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
