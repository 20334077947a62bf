/* Numbers with a unit, as people write them: "10GiB", "24 h". */
#ifndef BASE_UNIT_H
#define BASE_UNIT_H

#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct unit {
    const char *name;
    int64_t factor;
};

/* A whole number, blanks if any, and one of the `count` units; out is the number times its factor.
 * False for anything else and for what does not fit. Any thread. */
bool unit_read(struct slice text, const struct unit *units, size_t count, int64_t *out);

#endif
