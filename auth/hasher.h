/* The bound on password hashing: at most `slots` passwords are hashed at once (each costs its
 * memory limit), at most `queue` callers wait, none longer than `wait_us`. Owns: the slots.
 * Threads: any; callers block, so never from a loop thread. */
#ifndef AUTH_HASHER_H
#define AUTH_HASHER_H

#include "auth/password.h"

struct hasher;

struct hasher_options {
    unsigned slots;  /* 0 = max(1, cores / 2) */
    unsigned queue;  /* 0 = 32 */
    int64_t wait_us; /* 0 = 5 s */
    struct password_cost cost;
};

struct hasher *hasher_new(const struct hasher_options *options);
void hasher_free(struct hasher *h); /* accepts NULL; nobody may be inside */

enum hasher_result { HASHER_BUSY = 0, HASHER_WRONG, HASHER_RIGHT };

/* Verifies under a slot. `hash` NULL: there is no such account; a fixed dummy hash of the same cost
 * is verified and the answer is HASHER_WRONG, so that the time tells nothing. */
enum hasher_result hasher_verify(struct hasher *h, const char *hash,
                                 struct slice password) MUST_USE;
/* Hashes under a slot. Expected errors: ERR_INVALID, ERR_TOO_MANY_REQUESTS when no slot came free
 * in time. */
bool hasher_hash(struct hasher *h, struct slice password, char out[PASSWORD_PHC_MAX],
                 struct err *err) MUST_USE;
struct password_cost hasher_cost(const struct hasher *h);

#endif
