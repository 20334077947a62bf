/* Tombstones: what is left of wiped trust data for people to read: who, when, why, what it was
 * (gate.md 11.3).
 * Owns: the tombstone table. */
#ifndef STORAGE_TOMBSTONE_H
#define STORAGE_TOMBSTONE_H

#include "base/db.h"
#include "storage/actor.h"

#define TOMBSTONE_REASON_MAX 500 /* bytes */

struct tombstone {
    int64_t incarnation; /* of the repository's trust data that was wiped: 1, 2, … */
    int64_t wiped_us;
    char wiped_by[ACTOR_NAME_MAX + 1];
    char reason[TOMBSTONE_REASON_MAX + 1];
    bool pin_kept;
    char *versions; /* JSON text {"root":2,"targets":14,…}; owned */
    char *roots;    /* JSON text ["sha256 hex of SPKI",…]; owned */
};
void tombstone_dispose(struct tombstone *t);
static inline void cleanup_tombstone(struct tombstone *t)
{
    tombstone_dispose(t);
}
#define auto_tombstone __attribute__((cleanup(cleanup_tombstone)))

/* Adds one; sets its incarnation (one more than the last one's).
 *   t   wiped_us, reason, pin_kept, versions and roots are read (the texts may be NULL),
 *       incarnation is written
 * Writer. */
bool tombstone_put(struct db_tx *tx, int64_t repository_id, struct tombstone *t,
                   const struct actor *actor, struct err *err) MUST_USE;
/* The last one. Expected errors: ERR_NOT_FOUND. Any tx. */
bool tombstone_get(struct db_tx *tx, int64_t repository_id, struct tombstone *out,
                   struct err *err) MUST_USE;

#endif
