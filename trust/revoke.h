/* Revoking a root key for the whole server (gate.md 11.2): from then on no root counts that cannot
 * do without it. For ever: the checkpoint remembers it too, so that no restored database takes it
 * back.
 * Owns: what revoking is. Refuses to know: what a revoked key does (verify/state, publish_root). */
#ifndef TRUST_REVOKE_H
#define TRUST_REVOKE_H

#include "base/json.h"
#include "storage/actor.h"
#include "trust/trust.h"
#include "trust/verify/doc.h"

#define REVOKE_AFFECTED_MAX 1000 /* repositories named in one answer */

struct revoke_request {
    struct spki key;
    const char *reason; /* not empty; at most REVOKE_REASON_MAX bytes */
    const struct actor *actor;
    int64_t now_us;
};
#define REVOKE_REASON_MAX 255

/* Revoking again is no error, and finishes what a failure after the commit left.
 *   result_out   {"key":"sha256:…","already":bool,"affected":["ns/app",…],"more":bool}: the
 *                repositories that are refused as root_key_revoked since then; more: there are
 *                others beyond REVOKE_AFFECTED_MAX. And "warning" (exceptions_noted): a store that
 *                is set back may not know of it. New reference
 * Expected errors: ERR_INVALID (no reason), ERR_NO_SPACE. Reads every repository's root that lists
 * the key: worker threads; durable, the checkpoint too. */
bool trust_revoke_key(struct trust *trust, const struct revoke_request *request,
                      json_t **result_out, struct err *err) MUST_USE;

#endif
