#include "trust/basis.h"

#include "storage/policy.h"
#include "storage/repository.h"
#include "storage/trust_doc.h"
#include "trust/view.h"

static void add_policy(struct db_tx *tx, const struct repository *repo, struct gate_basis *out)
{
    auto_policy_row struct policy_row row = {0};
    struct err why = {0};
    if (policy_row_find(tx, &repo->name, &row, &why)) {
        out->policy_generation = row.generation;
    }
}

static void add_incarnation(struct db_tx *tx, const struct repository *repo, struct gate_basis *out)
{
    auto_trust_doc struct trust_doc root = {0};
    struct err why = {0};
    if (trust_doc_current_role(tx, repo->id, SLICE_LIT("root"), &root, &why)) {
        out->incarnation = root.incarnation;
    }
}

/* A refused release was decided on documents that are not stored: their signers are not those of the
 * stored ones. */
static void add_keys(const struct trust_state *state, const struct decision *d,
                     struct gate_basis *out)
{
    bool same_root = state->root && state->root->version == d->root_version;
    if (same_root && state->root_key_count > 0) {
        out->has_root_key = true;
        memcpy(out->root_key, state->root_keys[0].sha256, sizeof(out->root_key));
    }
    const struct trust_role *role = trust_state_role(state, slice_str(d->role));
    bool same_role = role && role->doc && role->doc->version == d->role_version;
    for (int i = 0; same_role && i < role->signatures.signer_count && i < GATE_SIGNERS_MAX; i++) {
        memcpy(out->signer_keys[out->signer_count++], role->signatures.signers[i].sha256, 32);
    }
}

void gate_basis_of(struct trust *trust, struct db_tx *tx, const struct repository *repo, struct gate_view *kept,
                   const struct decision *d, int64_t now_us, struct gate_basis *out)
{
    auto_gate_view struct gate_view *view = NULL;
    struct gate_facts facts;
    struct err why = {0};
    *out = (struct gate_basis){0};
    add_policy(tx, repo, out);
    add_incarnation(tx, repo, out);
    if (kept) {
        view = gate_view_ref(kept);
    } else if (!gate_view_get(trust, tx, repo, now_us, &view, &why)) {
        return;
    }
    gate_view_facts(view, now_us, &facts);
    if (facts.trust) {
        add_keys(facts.trust, d, out);
    }
}
