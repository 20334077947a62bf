#include "base/duration.h"

#include "base/clock.h"

#include <stdio.h>

static const struct {
    char unit;
    int64_t us;
} units[] = {{'d', US_PER_DAY},
             {'h', 3600 * US_PER_SECOND},
             {'m', 60 * US_PER_SECOND},
             {'s', US_PER_SECOND}};
#define UNITS (sizeof(units) / sizeof(units[0]))

bool duration_read(struct slice text, int64_t *us_out)
{
    if (slice_is(text, "forever")) {
        *us_out = DURATION_FOREVER;
        return true;
    }
    if (slice_is(text, "0")) {
        *us_out = 0;
        return true;
    }
    int64_t number = 0;
    if (text.n < 2 || !slice_to_int64(slice_first(text, text.n - 1), &number)) {
        return false;
    }
    for (size_t i = 0; i < UNITS; i++) {
        if (text.p[text.n - 1] == units[i].unit) {
            return !__builtin_mul_overflow(number, units[i].us, us_out) &&
                   *us_out < DURATION_FOREVER / 4;
        }
    }
    return false;
}

const char *duration_format(int64_t us, char out[DURATION_STR_MAX])
{
    if (us == DURATION_FOREVER) {
        (void)snprintf(out, DURATION_STR_MAX, "forever");
        return out;
    }
    for (size_t i = 0; i < UNITS; i++) {
        bool one_day = i == 0 && us == US_PER_DAY; /* written as policies' defaults write it: 24h */
        if (us > 0 && us % units[i].us == 0 && !one_day) {
            (void)snprintf(out, DURATION_STR_MAX, "%lld%c", (long long)(us / units[i].us),
                           units[i].unit);
            return out;
        }
    }
    (void)snprintf(out, DURATION_STR_MAX, "0");
    return out;
}
