#include "trust/background.h"

#include "storage/repository.h"
#include "storage/trust_doc.h"
#include "storage/trust_pin.h"

/* The pin of one of the root's keys; NULL: none of them is in the list. */
static const struct pin *find_pin(const struct pin_list *pins, const struct trust_state *state)
{
    for (size_t i = 0; i < pins->count; i++) {
        for (size_t k = 0; k < state->root_key_count; k++) {
            struct slice pinned = slice_of_bytes(pins->items[i].spki, sizeof pins->items[i].spki);
            if (slice_equal(pinned, slice_of_bytes(state->root_keys[k].sha256, 32))) {
                return &pins->items[i];
            }
        }
    }
    return NULL;
}

/* A key of the namespace's set first, then the repository's own first root: its keys are the present ones, or the root
 * came from them by rotation. */
static void add_pin(struct db_tx *tx, const struct repository *repo, const struct trust_state *state,
                    struct gate_background *out)
{
    auto_pin_list struct pin_list of_namespace = {0};
    auto_pin_list struct pin_list of_repository = {0};
    struct err why = {0};
    const struct pin *pin = NULL;
    if (namespace_root_list(tx, repo->namespace_id, &of_namespace, &why) &&
        (pin = find_pin(&of_namespace, state)) != NULL) {
        out->pinned_us = pin->added_us;
        out->pinned_for_namespace = true;
    } else if (trust_pin_get(tx, repo->id, &of_repository, &why) && of_repository.count > 0) {
        pin = find_pin(&of_repository, state);
        out->pinned_us = of_repository.items[0].added_us;
        out->rotated = pin == NULL;
    }
}

/* Every timestamp is this server's. A state that is only assumed has one that was never stored. */
static void add_timestamp(struct db_tx *tx, const struct repository *repo, const struct trust_state *state,
                          struct gate_background *out)
{
    auto_trust_doc struct trust_doc stored = {0};
    struct err why = {0};
    if (trust_doc_current_role(tx, repo->id, SLICE_LIT("timestamp"), &stored, &why) &&
        slice_equal(stored.bytes, state->timestamp->bytes)) {
        out->timestamp_us = stored.accepted_us;
    }
}

void gate_background_of(struct db_tx *tx, const struct repository *repo, const struct trust_state *state,
                        struct gate_background *out)
{
    *out = (struct gate_background){0};
    if (state && state->root) {
        add_pin(tx, repo, state, out);
    }
    if (state && state->timestamp) {
        add_timestamp(tx, repo, state, out);
    }
}
