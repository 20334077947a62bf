/* Keys seen lately: a bounded set whose members vanish after a while. Remembers verified (and
 * refused) passwords by a keyed hash, so that a client that sends one with every request costs one
 * Argon2id and not thirty. Owns: the set and its lock. Refuses to know: what a key stands for. Time
 * is given, monotonic. Any thread. */
#ifndef AUTH_RECENT_H
#define AUTH_RECENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECENT_KEY_BYTES 32

struct recent;

/* capacity   keys kept, the oldest go first
 * life_us    how long a key stays after recent_put */
struct recent *recent_new(size_t capacity, int64_t life_us);
void recent_free(struct recent *r); /* wipes; accepts NULL */
bool recent_has(struct recent *r, const uint8_t key[RECENT_KEY_BYTES], int64_t mono_us);
void recent_put(struct recent *r, const uint8_t key[RECENT_KEY_BYTES], int64_t mono_us);

#endif
