/* By which tag a digest is released: what people are told who may not delete it, or need no override
 * for it. Refuses to know: what is done with it. */
#ifndef TRUST_RELEASING_H
#define TRUST_RELEASING_H

#include "base/db.h"
#include "trust/gate.h"

/* The first tag, by name, that releases a digest now.
 *   facts   of the repository in tx
 *   out     TAG_NAME_MAX + 1 bytes; "" when none is found among the RELEASING_ASKED_MAX first that
 *           some role lists so
 * Any tx. */
#define RELEASING_ASKED_MAX 32
bool releasing_tag(struct db_tx *tx, int64_t repository_id, const struct gate_facts *facts,
                   const struct digest *digest, char *out, struct err *err) MUST_USE;

#endif
