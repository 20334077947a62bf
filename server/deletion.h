/* Deleting a manifest or a blob by digest: not what is released, unless an administrator insists, which
 * is audited (gate.md 7). Refuses to know: how the thing itself is deleted. */
#ifndef SERVER_DELETION_H
#define SERVER_DELETION_H

#include "server/http.h"
#include "storage/actor.h"
#include "storage/repository.h"
#include "trust/gate.h"

struct deletion {
    const struct request *rq;
    const char *forced_action; /* how the audit log calls it when it is forced; a literal */
    struct actor actor;
    bool force;              /* ?force=1 by an administrator */
    struct decision refusal; /* the gate's, when it is the reason of a failure */
};

/* Before the write: reads `force`, and prepares the gate for its question. Worker threads. */
void deletion_begin(struct deletion *d, const struct request *rq, const char *forced_action);
/* Inside the write, before the request's digest is deleted: the caller has his right still, and the gate lets go of it.
 *   repo_out   the repository to delete from
 * Expected errors: ERR_DENIED, ERR_NAME_UNKNOWN, those of request_may_still. Writer. */
bool deletion_allowed(struct db_tx *tx, struct deletion *d, struct repository *repo_out,
                      struct err *err) MUST_USE;

#endif
