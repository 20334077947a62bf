#include "base/size.h"

#include <stdio.h>

static const struct unit {
    const char *name;
    int64_t bytes;
} units[] = {{"TiB", INT64_C(1) << 40},
             {"GiB", INT64_C(1) << 30},
             {"MiB", INT64_C(1) << 20},
             {"KiB", INT64_C(1) << 10},
             {"B", 1}};
#define UNITS (sizeof(units) / sizeof(units[0]))

bool size_parse(struct slice text, int64_t *out)
{
    size_t digits = 0;
    while (digits < text.n && text.p[digits] >= '0' && text.p[digits] <= '9') {
        digits++;
    }
    struct slice unit = slice_trim(slice_from(text, digits));
    int64_t number = 0;
    if (!slice_to_int64(slice_first(text, digits), &number)) {
        return false;
    }
    for (size_t i = 0; i < UNITS; i++) {
        if (slice_is(unit, units[i].name)) {
            return !__builtin_mul_overflow(number, units[i].bytes, out);
        }
    }
    return false;
}

const char *size_format(int64_t bytes, char out[SIZE_STR_MAX])
{
    const struct unit *unit = units;
    while (unit->bytes > 1 && bytes < unit->bytes) {
        unit++;
    }
    long long whole = (long long)(bytes / unit->bytes);
    int64_t rest = bytes % unit->bytes;
    if (rest == 0) {
        snprintf(out, SIZE_STR_MAX, "%lld%s", whole, unit->name);
    } else {
        snprintf(out, SIZE_STR_MAX, "%lld.%d%s", whole, (int)(rest * 10 / unit->bytes), unit->name);
    }
    return out;
}
