/* The request of a recorded decision, decided as of now (docs/gate.md, "today"). Refuses to know: who
 * may see it (api_decision.c), what was decided then (trust/past.h). */
#ifndef SERVER_DECISION_TODAY_H
#define SERVER_DECISION_TODAY_H

#include "server/http.h"
#include "storage/decision.h"

#include <jansson.h>

/* For the identity of the record as its account is now, with its overrides; nothing is recorded, and no
 * use counted. The doors that decide for a deployer whoever asks (verify, deploy, release) do so here.
 *   record   its JSON
 * {"effect","reason","message"}; effect and reason are null when there is no answer, and the message
 * says why: the repository, the account or its right to pull is gone. NULL: the record is about no
 * single request. New reference. Workers; any snapshot. */
json_t *decision_today(const struct request *rq, struct db_tx *tx, const struct decision_row *row,
                       const json_t *record) MUST_USE;

#endif
