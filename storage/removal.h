/* Deletion of repositories and namespaces: marked in one transaction, from which on nobody sees
 * them, and taken away in bounded steps.
 * Owns: the table removal, the order in which rows go. Refuses to know: who may delete, what
 * happens to trust data (trust/remove.h).
 * Invariants
 *   1. From the mark on no name leads to the thing; a session or a token of its life finds nothing,
 *      and the name can be taken again only when all of it is gone.
 *   2. Every byte that goes is taken from the usage in the transaction that removes its row; blobs
 *      go through the collector's queue (gc.h).
 *   3. A repository that has or had trust data keeps its row, and with it history, pins and
 *      tombstones: made again under the same name it goes on from there, so that nothing signed in
 *      the former life counts (gate.md 11.3). A namespace keeps its row while one of its
 *      repositories does, or its own root keys. */
#ifndef STORAGE_REMOVAL_H
#define STORAGE_REMOVAL_H

#include "base/name.h"
#include "storage/actor.h"
#include "storage/store.h"

/* Marks a repository. Its trust data is wiped by the caller, in the same transaction.
 * Expected errors: ERR_NAME_UNKNOWN (also when it is marked already). Writer. */
bool repository_remove(struct db_tx *tx, int64_t repository_id, const struct actor *actor,
                       int64_t now_us, struct err *err) MUST_USE;
/* Marks a namespace with everything in it; its repositories are marked one by one later
 * (namespace_removal_next).
 *   keep_pins   its root keys and those of its repositories go on to bind whoever makes it again
 * Expected errors: ERR_NAMESPACE_UNKNOWN. Writer. */
bool namespace_remove(struct db_tx *tx, int64_t namespace_id, bool keep_pins,
                      const struct actor *actor, int64_t now_us, struct err *err) MUST_USE;

/* A namespace on its way out. */
struct namespace_removal {
    int64_t namespace_id;
    char after_name[REPO_NAME_MAX + 1]; /* its repositories up to here are marked */
    bool keep_pins;
    int64_t since_us;
    struct actor actor; /* who deleted it: account and name */
};
/* The next one with an id after `after_namespace_id`. *found_out: there is one. Any tx. */
bool namespace_removal_next(struct db_tx *tx, int64_t after_namespace_id,
                            struct namespace_removal *out, bool *found_out,
                            struct err *err) MUST_USE;
/* Its next repository, marked or not, after r->after_name. Any tx. */
bool namespace_removal_repository(struct db_tx *tx, const struct namespace_removal *r,
                                  int64_t *repository_id_out, bool *found_out,
                                  struct err *err) MUST_USE;
/* Its repositories up to this one are marked; r->after_name is set. Writer. */
bool namespace_removal_advance(struct db_tx *tx, struct namespace_removal *r,
                               const struct repo_name *repository, struct err *err) MUST_USE;

/* One step: at most `max` rows of each repository under removal, then of the namespaces whose
 * repositories are gone.
 *   more_out   there is more to do at once. False with work left when a request still uses an
 *              upload of it: the next round goes on
 * Maintenance thread; no snapshot open. */
bool removal_step(struct store *store, int64_t now_us, int max, bool *more_out,
                  struct err *err) MUST_USE;

#endif
