#include "server/trust_scope.h"

bool trust_scope_read(struct slice text, struct trust_scope *out, struct err *err)
{
    *out = (struct trust_scope){0};
    out->whole_namespace = slice_index(text, '/') < 0;
    if (out->whole_namespace) {
        return namespace_name_parse(text, &out->namespace_, err);
    }
    if (!repo_name_parse(text, &out->repo, err)) {
        return false;
    }
    repo_name_namespace(&out->repo, &out->namespace_);
    return true;
}

bool trust_scope_require(struct db_tx *tx, const struct request *rq,
                         const struct trust_scope *scope, enum access_action action,
                         struct err *err)
{
    struct access_answer answer;
    return access_check_namespace(tx, rq->identity, &scope->namespace_, action, &answer, err) &&
           access_require(rq->identity, &answer, err);
}

bool trust_scope_may_read(struct db_tx *tx, const struct request *rq,
                          const struct trust_scope *scope, struct err *err)
{
    struct access_answer answer;
    if (!access_check_namespace(tx, rq->identity, &scope->namespace_, ACTION_PULL, &answer, err)) {
        return false;
    }
    return access_is_admin(rq->identity) || access_require(rq->identity, &answer, err);
}
