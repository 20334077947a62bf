/* Resetting a role whose version was driven up until nothing can follow it (attacks F-01, F-03): an
 * administrator lets it begin a new life. The next publish whose root gives the role keys that no
 * root of the repository named for it before may start its versions anew, once; history keeps both
 * lives. Clients that remember the higher version have to forget it.
 * Owns: which roles, and the record of it. Refuses to know: how publishing uses it
 * (publish_anew). */
#ifndef TRUST_RESET_H
#define TRUST_RESET_H

#include "storage/actor.h"
#include "trust/trust.h"

struct reset_request {
    struct repo_name repo;
    struct slice role;  /* targets, snapshot or timestamp */
    const char *reason; /* may be ""; at most EXCEPTIONS_REASON_MAX bytes (exceptions.h) */
    const struct actor *actor;
    int64_t now_us;
};

/* Expected errors: ERR_INVALID (another role: the sentence says what to do instead),
 * ERR_NAME_UNKNOWN, ERR_TRUST_NOT_FOUND (nothing is published), ERR_CONFLICT (the store may be a
 * restored one: checkpoint.h). Worker threads; durable. */
bool trust_role_reset(struct trust *trust, const struct reset_request *request,
                      struct err *err) MUST_USE;

#endif
