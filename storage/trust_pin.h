/* Which root keys are believed: the first root of a repository, the set of a namespace, and what
 * was revoked (gate.md 11). A key is the sha256 of its SubjectPublicKeyInfo.
 * Owns: the tables trust_pin, namespace_root and revoked_key. */
#ifndef STORAGE_TRUST_PIN_H
#define STORAGE_TRUST_PIN_H

#include "base/db.h"
#include "storage/actor.h"

struct pin {
    uint8_t spki[32];
    int64_t added_us;
    char added_by[ACTOR_NAME_MAX + 1];
    char reason[256]; /* revoked keys; "" otherwise */
};
struct pin_list {
    struct pin *items;
    size_t count;
};
void pin_list_dispose(struct pin_list *list);
static inline void cleanup_pin_list(struct pin_list *list)
{
    pin_list_dispose(list);
}
#define auto_pin_list __attribute__((cleanup(cleanup_pin_list)))

bool pin_list_has(const struct pin_list *list, const uint8_t spki[32]);

/* The keys of the first root accepted; empty = no pin. Any tx. */
bool trust_pin_get(struct db_tx *tx, int64_t repository_id, struct pin_list *out,
                   struct err *err) MUST_USE;
/* Replaces the pin (count 0 removes it). Writer. */
bool trust_pin_set(struct db_tx *tx, int64_t repository_id, const uint8_t (*spki)[32], size_t count,
                   const struct actor *actor, int64_t now_us, struct err *err) MUST_USE;

/* The root keys that a namespace accepts for first roots, oldest first. Any tx. */
bool namespace_root_list(struct db_tx *tx, int64_t namespace_id, struct pin_list *out,
                         struct err *err) MUST_USE;
/* Adding what is there is no error. Writer. */
bool namespace_root_add(struct db_tx *tx, int64_t namespace_id, const uint8_t spki[32],
                        const struct actor *actor, int64_t now_us, struct err *err) MUST_USE;
/* Removes one key (all when spki is NULL). Writer. */
bool namespace_root_remove(struct db_tx *tx, int64_t namespace_id, const uint8_t *spki,
                           struct err *err) MUST_USE;

/* Revoked keys of the instance. Any tx. */
bool revoked_key_list(struct db_tx *tx, struct pin_list *out, struct err *err) MUST_USE;
/* Revokes a key and throws all gate views away; revoking again is no error. Writer. */
bool revoked_key_add(struct db_tx *tx, const uint8_t spki[32], const char *reason,
                     const struct actor *actor, int64_t now_us, struct err *err) MUST_USE;

#endif
