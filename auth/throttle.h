/* Slows down guessing without letting strangers lock anybody out (security.md "Throttling").
 * Counters in memory, bounded; time is given (monotonic microseconds). Owns: the counters. Refuses
 * to know: whether a secret was right. Keys: source prefix (/24 of IPv4, /56 of IPv6), and
 * (account, source prefix). Delays of an account and prefix after its failures: 0, 0, 0, 1, 2, 4 …
 * 60 s. A prefix has a bucket of 20 failures, one comes back every 2 s. When an account had 20
 * failures within 10 minutes, prefixes that never signed in to it before get one try per 30 s. */
#ifndef AUTH_THROTTLE_H
#define AUTH_THROTTLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct throttle;

/* capacity   counters kept of each kind (least recently used go first); 0 = 65536 */
struct throttle *throttle_new(size_t capacity);
void throttle_free(struct throttle *t); /* accepts NULL */

/* May a password be tried now? Returns 0 or the seconds to wait (1 …). Call before hashing. Any
 * thread. */
int throttle_wait_s(struct throttle *t, const char *address, const char *account, int64_t mono_us);
/* A try failed. The same (prefix, account, mac) counts once per minute: clients repeat a stored
 * secret. mac   keyed hash of the secret that was tried */
void throttle_failed(struct throttle *t, const char *address, const char *account,
                     const uint8_t mac[16], int64_t mono_us);
/* A try was right: the failures of this account and prefix are forgotten and the prefix is known
 * from now on. */
void throttle_succeeded(struct throttle *t, const char *address, const char *account,
                        int64_t mono_us);

/* Network prefix of an address text as the counters see it ("192.0.2.0/24"); an unreadable one is
 * its own prefix. */
#define THROTTLE_PREFIX_MAX 64
const char *throttle_prefix(const char *address, char out[THROTTLE_PREFIX_MAX]);

#endif
