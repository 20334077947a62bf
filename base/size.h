/* Sizes in bytes as people write them: a number and its unit, B, KiB, MiB, GiB or TiB. */
#ifndef BASE_SIZE_H
#define BASE_SIZE_H

#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

#define SIZE_STR_MAX 24

/* A whole number and a unit, "10GiB". False for anything else and for what does not fit. */
bool size_parse(struct slice text, int64_t *out);
/* "10GiB" when it is a whole number of that unit, else one digit more, cut and not rounded:
 * "9.9GiB". Returns out. */
const char *size_format(int64_t bytes, char out[SIZE_STR_MAX]);

#endif
