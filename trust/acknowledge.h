/* An administrator's word that a store that may have been set back is the right one (gate.md 4.2):
 * the checkpoint becomes what the store says, audited. What was signed after the restored moment has
 * to be signed again. */
#ifndef TRUST_ACKNOWLEDGE_H
#define TRUST_ACKNOWLEDGE_H

#include "base/json.h"
#include "storage/actor.h"
#include "trust/trust.h"

struct acknowledge_request {
    bool all;              /* everything, the clock and a lost checkpoint too */
    struct repo_name repo; /* otherwise */
    const char *reason;    /* may be ""; at most EXCEPTIONS_REASON_MAX bytes (exceptions.h) */
    const struct actor *actor;
    int64_t now_us;
};

/* The audit entry comes first: a failure after it leaves everything suspect, at the latest after the
 * next start.
 *   result_out   {"scope":"*"|NAME,"repositories":COUNT,"commands":[text…]}: the commands are for clients
 *                that remember what came after the restored moment (forget.h); new reference
 * Expected errors: ERR_INVALID (the reason), ERR_NAME_UNKNOWN (neither store nor checkpoint knows it), ERR_CONFLICT (everything
 * is suspect: `all` is needed), ERR_NO_SPACE, ERR_INTERNAL. Worker threads; durable. */
bool trust_acknowledge(struct trust *trust, const struct acknowledge_request *request,
                       json_t **result_out, struct err *err) MUST_USE;

#endif
