/* Deleting repositories and namespaces, with their trust data: what was signed in the former life
 * counts for nothing in the next one of the same name, and by default only the same root keys may
 * begin it (gate.md 11.3: a wipe that keeps the pin).
 * Owns: wipe and mark in one transaction. Refuses to know: who may (auth), how rows go
 * (storage/removal.h). */
#ifndef TRUST_REMOVE_H
#define TRUST_REMOVE_H

#include "base/json.h"
#include "storage/actor.h"
#include "trust/trust.h"

struct remove_request {
    struct namespace_name namespace_;
    struct repo_name repo; /* of a repository */
    bool keep_pins;
    bool may_wipe; /* whoever asks may wipe trust data: without it only what has none is deleted */
    const struct actor *actor;
    int64_t now_us;
};

/* From here on the repository is not there for anybody; its rows go in steps (removal_step).
 *   result_out   {"repository","wiped":[…],"commands":[…],"warning"} as trust_wipe: the commands clear the
 *                caches of clients, which would refuse a new root; new reference
 * Expected errors: ERR_NAME_UNKNOWN, ERR_DENIED (it has trust data, an immutable tag, or a
 * current release), ERR_CONFLICT and ERR_NO_SPACE as trust_wipe. Worker threads; durable. */
bool trust_remove_repository(struct trust *trust, const struct remove_request *request,
                             json_t **result_out, struct err *err) MUST_USE;
/* The same for a namespace: {"namespace","commands"}. Its repositories follow by trust_remove_step.
 * Expected errors: ERR_NAMESPACE_UNKNOWN, ERR_DENIED (it has a rule of immutable tags). Worker
 * threads; durable. */
bool trust_remove_namespace(struct trust *trust, const struct remove_request *request,
                            json_t **result_out, struct err *err) MUST_USE;
/* Marks and wipes at most `max` repositories of namespaces on their way out, a transaction for each
 * namespace: one that is refused does not hold up the others.
 *   more_out   there may be others that can go at once; also when it fails
 * Expected errors, of the first namespace that failed: ERR_CONFLICT (a repository of it may be of a
 * restored store: checkpoint.h), ERR_NO_SPACE. Maintenance thread. */
bool trust_remove_step(struct trust *trust, int64_t now_us, int max, bool *more_out,
                       struct err *err) MUST_USE;

#endif
