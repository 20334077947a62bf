/* Whether the clock is earlier than it has been (gate.md 4.2): who turns it back revives what has
 * expired. Pure: two clocks in, a verdict out. Not thread-safe; checkpoint.c keeps it under its lock.
 *
 * What was seen follows the wall clock, but not into a jump ahead: a clock that was ahead and is set
 * right again must not look like one that was turned back (attacks O-04). A jump is believed once the
 * clock has run on for as long as it jumped, at most a day. */
#ifndef TRUST_CLOCK_GUARD_H
#define TRUST_CLOCK_GUARD_H

#include "base/clock.h"

#define CLOCK_SLACK_US                                                                             \
    (5 * 60 * US_PER_SECOND) /* what set clocks differ by, and are corrected by */

struct clock_guard {
    int64_t seen_us;               /* the latest time that is believed; 0 = none yet */
    int64_t mono_us;               /* the monotonic clock at that moment */
    int64_t jump_us, jump_mono_us; /* a jump that is not believed yet, and since when; 0 = none */
};

/* Begins a run of the process with what an earlier one has seen (0 = nothing). */
void clock_guard_start(struct clock_guard *g, int64_t seen_us, int64_t mono_us);
/* Notes both clocks (microseconds). */
void clock_guard_note(struct clock_guard *g, int64_t now_us, int64_t mono_us);
/* Takes the wall clock as right, whatever was seen. */
void clock_guard_reset(struct clock_guard *g, int64_t now_us, int64_t mono_us);

static inline bool clock_is_behind(int64_t seen_us, int64_t now_us)
{
    return now_us < seen_us - CLOCK_SLACK_US;
}

#endif
