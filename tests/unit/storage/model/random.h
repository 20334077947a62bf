/* Numbers that follow from a seed alone, so that a run can be had again (splitmix64). */
#ifndef TESTS_UNIT_STORAGE_MODEL_RANDOM_H
#define TESTS_UNIT_STORAGE_MODEL_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct dice {
    uint64_t state;
};

static inline uint64_t dice_next(struct dice *d)
{
    uint64_t x = d->state += UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}

/* 0 … n - 1 */
static inline int dice_below(struct dice *d, int n)
{
    return (int)(dice_next(d) % (uint64_t)n);
}

/* True once in n times. */
static inline bool dice_once_in(struct dice *d, int n)
{
    return dice_below(d, n) == 0;
}

#endif
