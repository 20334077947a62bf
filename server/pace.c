#include "server/pace.h"

#define US_PER_S 1000000

int64_t pace_wait_us(struct pace *p, int64_t units, int64_t mono_us)
{
    if (p->rate <= 0) {
        return 0;
    }
    int64_t wait_us = p->due_us > mono_us ? p->due_us - mono_us : 0;
    int64_t from_us = mono_us + wait_us;
    /* whole seconds apart, so that no number of units overflows */
    p->due_us = from_us + units / p->rate * US_PER_S + units % p->rate * US_PER_S / p->rate;
    return wait_us;
}
