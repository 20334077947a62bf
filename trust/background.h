/* What explanations tell beside the facts that decide (gate.md 13): since when the root is believed, and when the
 * timestamp was signed. Nothing is decided by it. */
#ifndef TRUST_BACKGROUND_H
#define TRUST_BACKGROUND_H

#include "base/db.h"
#include "trust/gate.h"

struct repository;

/* Fills what the index knows about the very root and timestamp of `state`; the rest is unknown. Never fails.
 *   state   may be NULL
 * Any tx. */
void gate_background_of(struct db_tx *tx, const struct repository *repo, const struct trust_state *state,
                        struct gate_background *out);

#endif
