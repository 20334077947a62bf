/* The server's signing keys, one set per (repository, role), sealed by the caller.
 * Owns: the trust_key table. Refuses to know: how a key is sealed (trust).
 * Invariants
 *   1. At most one pending key per (repository, role).
 *   2. A key is bound to its repository and role for ever; keys are never deleted. */
#ifndef STORAGE_TRUST_KEY_H
#define STORAGE_TRUST_KEY_H

#include "base/db.h"
#include "base/name.h"

#define TRUST_KEY_ID_MAX 65        /* 64 hex + NUL */
#define TRUST_KEY_SEALED_BY_MAX 33 /* of the key that seals; "" = an earlier version sealed it */

enum trust_key_state { TRUST_KEY_PENDING = 1, TRUST_KEY_ACTIVE = 2, TRUST_KEY_RETIRED = 3 };

struct trust_key {
    int64_t id;
    char role[16]; /* "timestamp" or "snapshot" */
    char key_id[TRUST_KEY_ID_MAX];
    enum trust_key_state state;
    int64_t created_us;
    struct buf public_der; /* SubjectPublicKeyInfo */
    struct buf sealed;     /* private key, sealed */
    char sealed_by[TRUST_KEY_SEALED_BY_MAX];
};
void trust_key_dispose(struct trust_key *key);
static inline void cleanup_trust_key(struct trust_key *key)
{
    trust_key_dispose(key);
}
#define auto_trust_key __attribute__((cleanup(cleanup_trust_key)))

struct trust_key_new { /* all borrowed; as in struct trust_key */
    struct slice role;
    const char *key_id;
    struct slice public_der, sealed;
    const char *sealed_by;
};
/* Stores a new pending key. Expected errors: ERR_CONFLICT (there is a pending one). Writer. */
bool trust_key_put(struct db_tx *tx, int64_t repository_id, const struct trust_key_new *key,
                   int64_t now_us, struct err *err) MUST_USE;
/* Expected errors: ERR_NOT_FOUND. Any tx. */
bool trust_key_pending(struct db_tx *tx, int64_t repository_id, struct slice role,
                       struct trust_key *out, struct err *err) MUST_USE;
bool trust_key_get(struct db_tx *tx, int64_t repository_id, struct slice role, const char *key_id,
                   struct trust_key *out, struct err *err) MUST_USE;
/* Expected errors: ERR_NOT_FOUND. Writer. */
bool trust_key_set_state(struct db_tx *tx, int64_t id, enum trust_key_state state,
                         struct err *err) MUST_USE;

struct trust_key_list {
    struct trust_key *items;
    size_t count;
};
/* All keys of a repository, newest first. Any tx. */
bool trust_key_list(struct db_tx *tx, int64_t repository_id, struct trust_key_list *out,
                    struct err *err) MUST_USE;
void trust_key_list_dispose(struct trust_key_list *list);
/* A key with the repository that it belongs to, deleted ones included. */
struct trust_key_owned {
    struct trust_key key;
    char repository[REPO_NAME_MAX + 1];
};
struct trust_key_page {
    struct trust_key_owned *items;
    size_t count;
};
void trust_key_page_dispose(struct trust_key_page *page);
#define auto_trust_key_page __attribute__((cleanup(trust_key_page_dispose)))
/* Keys of all repositories by id, at most `max` after `after_id`.
 *   unbound   only those that an earlier version sealed
 * Any tx. */
bool trust_key_page_read(struct db_tx *tx, bool unbound, int64_t after_id, int max,
                         struct trust_key_page *out, struct err *err) MUST_USE;
/* The same private key, sealed by another. Expected errors: ERR_NOT_FOUND (no such key, or it is not
 * sealed by `before` any more). Writer. */
bool trust_key_reseal(struct db_tx *tx, int64_t id, const char *before, struct slice sealed,
                      const char *sealed_by, struct err *err) MUST_USE;
static inline void cleanup_trust_key_list(struct trust_key_list *list)
{
    trust_key_list_dispose(list);
}
#define auto_trust_key_list __attribute__((cleanup(cleanup_trust_key_list)))

#endif
