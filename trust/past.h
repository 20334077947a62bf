/* What a recorded decision was made from, told from the history that the store keeps: the policy as
 * it was, what the roles listed, where the tag pointed (gate.md 13, `bond deploy why`). Reads only;
 * decides nothing. */
#ifndef TRUST_PAST_H
#define TRUST_PAST_H

#include "base/db.h"
#include "base/json.h"

struct decision_row;

/* The steps of the decision as a JSON array of {step, ok, text}, as gate_explain gives them for one
 * of today. What history cannot tell any more is left out or said to be unknown. New reference; NULL
 * only when the store cannot be read. Any tx. */
json_t *past_explain(struct db_tx *tx, const struct decision_row *row, const json_t *record,
                     struct err *err);

#endif
