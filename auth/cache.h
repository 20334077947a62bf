/* The verified-token cache: what an access token or a secret, known by the SHA-256 of its text, was
 * found to be. One signature check per token instead of one per request, and the live facts of its
 * account while nothing changed. Owns: the entries and the lock. Refuses to know: what makes an
 * entry stale (auth). Any thread. */
#ifndef AUTH_CACHE_H
#define AUTH_CACHE_H

#include "auth/identity.h"
#include "auth/token.h"

struct cache;

struct cache_entry {
    struct identity who; /* holds a reference to its grants */
    enum token_anchor anchor;
    int64_t anchor_id;
    int64_t expires_us;    /* of the token; INT64_MAX for secrets */
    int64_t live_until_us; /* the session's limits as read: later they are read again */
    uint64_t generation;   /* of the facts in `who` */
};

/* capacity   entries kept, the least recently used go first */
struct cache *cache_new(size_t capacity);
void cache_free(struct cache *c); /* accepts NULL */
/* A copy; on true out->who.grants has a reference of its own. */
bool cache_get(struct cache *c, const uint8_t key[32], struct cache_entry *out);
/* Stores a copy (with a reference of its own), replacing what was there. */
void cache_put(struct cache *c, const uint8_t key[32], const struct cache_entry *entry);

#endif
