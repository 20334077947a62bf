/* Wiping trust data after a lost root key (gate.md 11.3): current documents end, history and a
 * tombstone stay, the incarnation moves on. */
#ifndef TRUST_WIPE_H
#define TRUST_WIPE_H

#include "base/json.h"
#include "storage/actor.h"
#include "storage/repository.h"
#include "trust/reached.h"
#include "trust/trust.h"

struct wipe_request {
    struct namespace_name namespace_;
    bool whole_namespace;  /* every repository of it, and its set of accepted root keys */
    struct repo_name repo; /* otherwise */
    bool keep_pin;         /* only the same root keys may begin again */
    const char *reason;    /* may be "", or NULL; at most TOMBSTONE_REASON_MAX bytes */
    const struct actor *actor;
    int64_t now_us;
};

/* One transaction. A scope that has nothing is fine (empty result).
 *   result_out
 * {"wiped":[{"gun","repository","incarnation","root_version","keep_pin"}],"commands":[text…]}: the
 *                commands clear the clients' caches. And "warning" (exceptions_noted): a store that is set
 *                back may not know of it; new reference
 * Expected errors: ERR_INVALID (the reason), ERR_NAMESPACE_UNKNOWN, ERR_CONFLICT (the store may be a
 * restored one: checkpoint.h), ERR_NO_SPACE. Worker threads; durable. */
bool trust_wipe(struct trust *trust, const struct wipe_request *request, json_t **result_out,
                struct err *err) MUST_USE;

/* One repository inside a transaction of the caller's; what it was is appended to `wiped`, and to
 * `reached` what the caller notes after the commit. A repository without trust data is fine.
 * Expected errors: ERR_CONFLICT as above. Writer. */
bool trust_wipe_repository(struct db_tx *tx, struct trust *trust,
                           const struct wipe_request *request, const struct repository *repo,
                           json_t *wiped, struct reached_list *reached, struct err *err) MUST_USE;
/* What people with cached metadata must run, since their clients refuse the new root until then
 * (forget.h): a JSON array of texts; new reference. */
json_t *trust_wipe_commands(const struct trust *trust, const json_t *wiped);

#endif
