#include "trust/clock_guard.h"

void clock_guard_start(struct clock_guard *g, int64_t seen_us, int64_t mono_us)
{
    *g = (struct clock_guard){.seen_us = seen_us, .mono_us = mono_us};
}

void clock_guard_reset(struct clock_guard *g, int64_t now_us, int64_t mono_us)
{
    clock_guard_start(g, now_us, mono_us);
}

static bool is_same_jump(const struct clock_guard *g, int64_t jump_us)
{
    return g->jump_us > 0 && jump_us > g->jump_us - CLOCK_SLACK_US &&
           jump_us < g->jump_us + CLOCK_SLACK_US;
}

void clock_guard_note(struct clock_guard *g, int64_t now_us, int64_t mono_us)
{
    if (g->seen_us == 0) {
        clock_guard_reset(g, now_us, mono_us);
        return;
    }
    int64_t jump_us = now_us - (g->seen_us + (mono_us - g->mono_us));
    if (jump_us <= CLOCK_SLACK_US) {
        g->jump_us = 0;
        if (now_us > g->seen_us) {
            g->seen_us = now_us;
            g->mono_us = mono_us;
        }
        return;
    }
    if (!is_same_jump(g, jump_us)) {
        g->jump_us = jump_us;
        g->jump_mono_us = mono_us;
    }
    int64_t probation_us = g->jump_us < US_PER_DAY ? g->jump_us : US_PER_DAY;
    if (mono_us - g->jump_mono_us >= probation_us) {
        clock_guard_reset(g, now_us, mono_us);
    }
}
