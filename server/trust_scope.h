/* What a request about trust data is about: one repository, or a namespace with all of its own. */
#ifndef SERVER_TRUST_SCOPE_H
#define SERVER_TRUST_SCOPE_H

#include "auth/access.h"
#include "server/http.h"

struct trust_scope { /* "ns" or "ns/app" */
    bool whole_namespace;
    struct namespace_name namespace_;
    struct repo_name repo;
};

/* Expected errors: ERR_NAME_INVALID. */
bool trust_scope_read(struct slice text, struct trust_scope *out, struct err *err) MUST_USE;
/* The caller may `action` there. Errors as access_require. */
bool trust_scope_require(struct db_tx *tx, const struct request *rq,
                         const struct trust_scope *scope, enum access_action action,
                         struct err *err) MUST_USE;
/* The same for reading, which administrators may everywhere. */
bool trust_scope_may_read(struct db_tx *tx, const struct request *rq,
                          const struct trust_scope *scope, struct err *err) MUST_USE;

#endif
