/* Making, approving, ending and using overrides (break-glass, gate.md 14): checked against policy,
 * deny list and trust state, audited, and noted in the checkpoint. Refuses to know: who may
 * (server asks auth), how a decision uses one (gate). */
#ifndef TRUST_OVERRIDE_H
#define TRUST_OVERRIDE_H

#include "base/json.h"
#include "storage/override.h"
#include "trust/exceptions.h"
#include "trust/trust.h"

struct override_request {
    struct exception_right right; /* of whoever makes it */
    struct repo_name repo;
    struct digest digest;
    const struct slice *identities; /* names of accounts, 1 to OVERRIDE_IDENTITIES_MAX */
    size_t identity_count;
    struct slice reason, ticket; /* neither empty */
    int64_t start_us;            /* 0 = now; at most OVERRIDE_AHEAD_MAX_US ahead */
    int64_t length_us;           /* at most what the policy allows */
    int64_t max_uses;            /* 0 = any number */
    const struct actor *actor;
    int64_t now_us;
};
#define OVERRIDE_AHEAD_MAX_US (INT64_C(7) * 24 * 3600 * 1000000)

/* Makes an override. With the policy's two_person it waits for override_approve.
 *   out       dispose it
 *   warning   exceptions_noted
 * Expected errors: those of the right; ERR_INVALID (a value, or longer than the policy allows), ERR_NAME_UNKNOWN,
 * ERR_ACCOUNT_UNKNOWN, ERR_DENIED (nothing lets this digest through: it is denied, its root key is
 * revoked, the store may have been set back), ERR_CONFLICT (it is released and needs none; too
 * many), ERR_NO_SPACE. Worker threads; durable. */
bool override_make(struct trust *trust, const struct override_request *request,
                   struct override *out, char warning[EXCEPTION_WARNING_MAX],
                   struct err *err) MUST_USE;

struct override_change_request {
    struct exception_right right;
    int64_t id; /* one of the namespace that the right is about */
    struct slice why; /* of an end; may be empty */
    const struct actor *actor;
    int64_t now_us;
};
/* The second person. Expected errors: those of the right; ERR_NOT_FOUND, ERR_DENIED (the same one who made it),
 * ERR_CONFLICT (approved or ended already, or needs none). Worker threads; durable. */
bool override_approve(struct trust *trust, const struct override_change_request *request,
                      struct override *out, char warning[EXCEPTION_WARNING_MAX],
                      struct err *err) MUST_USE;
/* Ends one before its time. Expected errors: those of the right; ERR_NOT_FOUND, ERR_CONFLICT (it has ended). Worker
 * threads; durable. */
bool override_end(struct trust *trust, const struct override_change_request *request,
                  struct override *out, char warning[EXCEPTION_WARNING_MAX],
                  struct err *err) MUST_USE;

/* Counts a use, before anything is served by it; audited.
 *   actor   who pulls; its account is one of the override's
 * Expected errors: ERR_INDETERMINATE (it does not act any more: what was decided does not hold),
 * ERR_NO_SPACE. Worker threads; durable. */
bool override_use(struct trust *trust, int64_t namespace_id, int64_t id,
                  const struct digest *digest, const struct actor *actor, int64_t now_us,
                  struct err *err) MUST_USE;

/* Ends the overrides whose digests are properly released by now: of one repository, after its
 * trust data changed; or of all (repository_id 0), at most 1,000, in maintenance. A digest that is
 * released needs no override at once (view.h); this makes sure that none comes back when it is
 * withdrawn. Not inside a write. Durable. */
bool override_settle(struct trust *trust, int64_t repository_id, int64_t now_us,
                     struct err *err) MUST_USE;

/* "active", "waiting", "ahead", "used_up", "expired", "ended". */
const char *override_state_word(enum override_state state);
/* As the API tells it. New reference. */
json_t *override_json(const struct override *o, int64_t now_us);

#endif
