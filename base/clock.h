/* Time: microseconds since the epoch, UTC. Pure modules take `now` as an argument and never call this. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include "base/slice.h"

#define US_PER_SECOND INT64_C(1000000)
#define US_PER_DAY (INT64_C(86400) * US_PER_SECOND)

#define TIME_STR_MAX 40

/* CLOCK_REALTIME. */
int64_t clock_now_us(void);
/* CLOCK_MONOTONIC: for throttles and timeouts. */
int64_t clock_mono_us(void);
/* RFC 3339 in UTC: "2026-11-24T00:12:03Z", with fraction (up to 6 digits, trailing zeros cut) when there is one. */
const char *time_format(int64_t us, char out[TIME_STR_MAX]);
/* RFC 3339 with capital T and Z or an offset, seconds required, any fraction (cut to microseconds), valid calendar
 * date, year 1 to 9999, no second 60. False otherwise. */
bool time_parse(struct slice text, int64_t *out);
/* HTTP date (RFC 9110 section 5.6.7): "Mon, 23 Nov 2026 23:53:37 GMT". */
const char *time_format_http(int64_t us, char out[TIME_STR_MAX]);

#endif
