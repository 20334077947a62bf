#include "base/size.h"

#include "base/unit.h"

#include <stdio.h>

static const struct unit units[] = {{"TiB", INT64_C(1) << 40},
                                    {"GiB", INT64_C(1) << 30},
                                    {"MiB", INT64_C(1) << 20},
                                    {"KiB", INT64_C(1) << 10},
                                    {"B", 1}};
#define UNITS (sizeof(units) / sizeof(units[0]))

bool size_parse(struct slice text, int64_t *out)
{
    return unit_read(text, units, UNITS, out);
}

const char *size_format(int64_t bytes, char out[SIZE_STR_MAX])
{
    const struct unit *unit = units;
    while (unit->factor > 1 && bytes < unit->factor) {
        unit++;
    }
    long long whole = (long long)(bytes / unit->factor);
    int64_t rest = bytes % unit->factor;
    if (rest == 0) {
        snprintf(out, SIZE_STR_MAX, "%lld%s", whole, unit->name);
    } else {
        snprintf(out, SIZE_STR_MAX, "%lld.%d%s", whole, (int)(rest * 10 / unit->factor),
                 unit->name);
    }
    return out;
}
