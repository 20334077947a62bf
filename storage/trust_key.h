/* The server's signing keys, one set per (repository, role), sealed by the caller.
 * Owns: the trust_key table. Refuses to know: how a key is sealed (trust).
 * Invariants
 *   1. At most one pending key per (repository, role).
 *   2. A key is bound to its repository and role for ever; keys are never deleted. */
#ifndef STORAGE_TRUST_KEY_H
#define STORAGE_TRUST_KEY_H

#include "base/db.h"

#define TRUST_KEY_ID_MAX 65 /* 64 hex + NUL */

enum trust_key_state { TRUST_KEY_PENDING = 1, TRUST_KEY_ACTIVE = 2, TRUST_KEY_RETIRED = 3 };

struct trust_key {
    int64_t id;
    char role[16]; /* "timestamp" or "snapshot" */
    char key_id[TRUST_KEY_ID_MAX];
    enum trust_key_state state;
    int64_t created_us;
    struct buf public_der; /* SubjectPublicKeyInfo */
    struct buf sealed;     /* private key, sealed */
};
void trust_key_dispose(struct trust_key *key);
static inline void cleanup_trust_key(struct trust_key *key)
{
    trust_key_dispose(key);
}
#define auto_trust_key __attribute__((cleanup(cleanup_trust_key)))

/* Stores a new pending key. Expected errors: ERR_CONFLICT (there is a pending one). Writer. */
bool trust_key_put(struct db_tx *tx, int64_t repository_id, struct slice role, const char *key_id,
                   struct slice public_der, struct slice sealed, int64_t now_us,
                   struct err *err) MUST_USE;
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
static inline void cleanup_trust_key_list(struct trust_key_list *list)
{
    trust_key_list_dispose(list);
}
#define auto_trust_key_list __attribute__((cleanup(cleanup_trust_key_list)))

#endif
