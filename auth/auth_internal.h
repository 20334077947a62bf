/* Inside of struct auth, for the files of this folder that are not on base alone. */
#ifndef AUTH_AUTH_INTERNAL_H
#define AUTH_AUTH_INTERNAL_H

#include "auth/auth.h"
#include "auth/cache.h"
#include "auth/hasher.h"
#include "auth/recent.h"
#include "auth/throttle.h"
#include "auth/token.h"

#include <stdatomic.h>

#define AUTH_MAC_KEY_BYTES 32

struct auth {
    struct db *db; /* borrowed */
    char *public_url, *service;
    char **host_names; /* the canonical host, then the aliases */
    struct scope_hosts hosts;
    struct token_issuer issuer;
    struct token_keys *keys;
    int64_t token_lifetime_s;
    struct cache *cache;
    struct hasher *hasher;
    struct throttle *throttle;
    struct recent *right, *wrong;        /* passwords verified and refused lately */
    uint8_t mac_key[AUTH_MAC_KEY_BYTES]; /* random per process */
    atomic_uint_fast64_t
        generation; /* of accounts, secrets, sessions: one more after each committed change */
};

/* db_write of what takes something away from somebody: the generation moves in the write, so that what is
 * written behind it in the same transaction asks anew, and once more after it, since who asked between the
 * two may have read what was before. */
bool auth_write(struct auth *a, db_write_fn fn, void *arg, struct err *err) MUST_USE;
/* The name beside a secret fits: it is the account's own, or a placeholder that clients send with a
 * token. */
bool auth_name_fits(struct slice user, const struct identity *who);

#endif
