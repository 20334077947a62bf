/* The scope that a request about policies is for, and who may ask. */
#ifndef SERVER_POLICY_SCOPE_H
#define SERVER_POLICY_SCOPE_H

#include "auth/access.h"
#include "server/http.h"
#include "storage/policy.h"
#include "trust/policy.h"

struct policy_scope {
    char text[POLICY_SCOPE_SIZE];
    bool global;
    struct namespace_name namespace_; /* unless global */
};

/* Expected errors: ERR_INVALID. */
bool policy_scope_read(struct slice text, struct policy_scope *out, struct err *err) MUST_USE;
/* The parameter `scope` of the query. Expected errors: ERR_INVALID. */
bool policy_scope_of_request(const struct request *rq, struct policy_scope *out,
                             struct err *err) MUST_USE;
/* Everybody signed in may read the global policy; it is set by administrators.
 *   namespace_id_out   0 for the global scope
 * Expected errors: ERR_DENIED, ERR_NAMESPACE_UNKNOWN. */
bool policy_scope_allowed(struct db_tx *tx, const struct request *rq,
                          const struct policy_scope *scope, enum access_action action,
                          int64_t *namespace_id_out, struct err *err) MUST_USE;
/* The scope's own policy, to be removed. Expected errors: ERR_NOT_FOUND, which says what applies;
 * ERR_INVALID: that of the server stays. */
bool policy_scope_own(struct db_tx *tx, const struct policy_scope *scope, struct policy_row *out,
                      struct err *err) MUST_USE;

#endif
