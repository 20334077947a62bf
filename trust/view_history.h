/* Which pasts of tags can matter to the gate (gate.md 5.1, 6 b), read for one view. Part of a gate
 * view; not for others. */
#ifndef TRUST_VIEW_HISTORY_H
#define TRUST_VIEW_HISTORY_H

#include "trust/gate.h"
#include "trust/load.h"
#include "trust/policy.h"

struct trust_arena;

struct view_history {
    struct gate_listing *items; /* by tag, then by beginning */
    size_t count, capacity;
    struct trust_arena *texts; /* tags, roles and signers */
};

/* Of the tags whose listings ended within grace, and, where targets/releases ever lived, of those that
 * `targets` lists (withdrawn or shadowed?) and that a defective targets/releases lists: what the roles
 * that release listed, and the roles of the signers that the policy asks for. What was never signed by
 * enough of them was never released, and has no grace.
 *   state      as verified from `loaded`
 * Costs a look-up for each such tag; from a thousand tags on, one pass over each role's rows. Dispose
 * `out` in any case. Expected errors: ERR_INTERNAL. */
bool view_history_load(struct db_tx *tx, int64_t repository_id, const struct trust_loaded *loaded,
                       const struct trust_state *state, const struct policy *policy, int64_t now_us,
                       struct view_history *out, struct err *err) MUST_USE;
void view_history_dispose(struct view_history *history);
/* Heap bytes, roughly. */
size_t view_history_bytes(const struct view_history *history);

#endif
