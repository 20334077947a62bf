/* The set of root keys that a namespace accepts for first roots (gate.md 11.1). It begins with the
 * first repository that is signed there, learns the keys of owners, and is changed by them. A root
 * that is in force is judged by its chain, not by the set.
 * Owns: how the set changes, with its audit entries. Refuses to know: who may (auth), what the set
 * decides (publish_root). */
#ifndef TRUST_ROOTS_H
#define TRUST_ROOTS_H

#include "storage/actor.h"
#include "trust/trust.h"
#include "trust/verify/state.h"

struct roots_change {
    int64_t namespace_id;
    struct namespace_name namespace_;
    struct spki key;
    const struct actor *actor;
    int64_t now_us;
};

/* Adds the key, with an audit entry; one that is there is no error. Writer. */
bool trust_roots_add(struct db_tx *tx, const struct roots_change *change, struct err *err) MUST_USE;
/* The same as an owner's own act. Expected errors: ERR_CONFLICT (the key is revoked: it would never
 * count). Writer. */
bool trust_roots_accept(struct db_tx *tx, const struct roots_change *change,
                        struct err *err) MUST_USE;
/* Removes the key, with an audit entry. Repositories that began with it go on.
 * Expected errors: ERR_NOT_FOUND (not in the set), ERR_CONFLICT (the last key: an empty set would be
 * begun by whoever publishes first). Writer. */
bool trust_roots_remove(struct db_tx *tx, const struct roots_change *change,
                        struct err *err) MUST_USE;

/* "sha256:" and 64 hexadecimal digits, of the key's SubjectPublicKeyInfo. False for anything else. */
bool trust_root_key_parse(struct slice text, struct spki *out);
#define ROOT_KEY_TEXT_SIZE 72
/* Writes that form; returns `out`. */
const char *trust_root_key_format(const uint8_t spki[32], char out[ROOT_KEY_TEXT_SIZE]);

/* True when the loss of one root key is enough for nobody to be able to sign the next root: what
 * should be reported while it is not lost yet. */
bool trust_root_hangs_on_one_key(const struct trust_state *state);

#endif
