/* What a decision was made from, beyond what it says itself: for its record (gate.md 12). Looked up
 * only when a record is made, in the snapshot of the decision. */
#ifndef TRUST_BASIS_H
#define TRUST_BASIS_H

#include "trust/gate.h"
#include "trust/trust.h"

struct repository;
struct gate_view; /* trust/view.h */

struct gate_basis {
    int64_t policy_generation; /* 0 unknown, as below */
    int64_t incarnation;       /* of the repository's root role */
    bool has_root_key;
    uint8_t root_key[32]; /* SPKI hash of the first key of the current root that counts */
    uint8_t signer_keys[GATE_SIGNERS_MAX][32]; /* whose valid signatures are on the deciding role */
    int signer_count;
};
/* Never fails: what cannot be found out is unknown.
 *   tx     the snapshot that the decision was made in; never a write, whose view is nobody else's
 *   kept   the view of the repository that it was made by; NULL: it is asked for */
void gate_basis_of(struct trust *trust, struct db_tx *tx, const struct repository *repo, struct gate_view *kept,
                   const struct decision *d, int64_t now_us, struct gate_basis *out);

#endif
