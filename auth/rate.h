/* How often an account may do something that is dear: so many times a minute, all at once or spread,
 * then one at a time as they come back (a token bucket). In memory, bounded: an account that is
 * crowded out begins anew. Owns: the buckets. Refuses to know: what is counted. Source: attacks P-19. */
#ifndef AUTH_RATE_H
#define AUTH_RATE_H

#include <stddef.h>
#include <stdint.h>

struct rate;

/*   per_minute   0 = without limit
 *   capacity     accounts remembered, at least 8; those that were idle longest go first */
struct rate *rate_new(int64_t per_minute, size_t capacity);
void rate_free(struct rate *rate); /* accepts NULL */

/* Takes one turn. Returns 0, or the seconds to wait (1 …) when there is none; then nothing is taken.
 *   mono_us   a clock that is never set back
 * Any thread. */
int rate_take(struct rate *rate, int64_t account_id, int64_t mono_us);

#endif
