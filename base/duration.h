/* Lengths of time as people write them in policies and tag rules. */
#ifndef BASE_DURATION_H
#define BASE_DURATION_H

#include "base/slice.h"

#define DURATION_FOREVER INT64_MAX
#define DURATION_STR_MAX 32

/* "30d", "24h", "90m", "10s", "0", "forever". False for anything else.
 *   us_out   microseconds, DURATION_FOREVER for "forever" */
bool duration_read(struct slice text, int64_t *us_out);
/* The same form in the largest unit that fits without a rest, one day as "24h". Returns out. */
const char *duration_format(int64_t us, char out[DURATION_STR_MAX]);

#endif
