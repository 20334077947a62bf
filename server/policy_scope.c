#include "server/policy_scope.h"

#include <stdio.h>

bool policy_scope_read(struct slice text, struct policy_scope *out, struct err *err)
{
    *out = (struct policy_scope){0};
    switch (policy_scope_parse(text, &out->namespace_)) {
    case SCOPE_NONE:
        return err_set(err, ERR_INVALID,
                       "a scope is *, a namespace, a repository, or a pattern such as ns/web-*");
    case SCOPE_GLOBAL:
        out->global = true;
        break;
    case SCOPE_NAMESPACE:
    case SCOPE_PATTERN:
    case SCOPE_REPOSITORY:
        break;
    }
    (void)snprintf(out->text, sizeof out->text, "%.*s", SLICE_FMT(text));
    return true;
}

bool policy_scope_of_request(const struct request *rq, struct policy_scope *out, struct err *err)
{
    auto_buf struct buf text = {0};
    if (!request_query(rq, "scope", 0, &text)) {
        return err_set(err, ERR_INVALID,
                       "the parameter scope is needed: *, a namespace, a repository, or a pattern "
                       "such as ns/web-*");
    }
    return policy_scope_read(buf_slice_of(&text), out, err);
}

bool policy_scope_allowed(struct db_tx *tx, const struct request *rq,
                          const struct policy_scope *scope, enum access_action action,
                          int64_t *namespace_id_out, struct err *err)
{
    struct access_answer answer;
    *namespace_id_out = 0;
    if (scope->global) {
        return action == ACTION_POLICY_READ || access_is_admin(rq->identity) ||
               err_set(err, ERR_DENIED,
                       "the global policy is set by administrators of this server");
    }
    if (!access_check_namespace(tx, rq->identity, &scope->namespace_, action, &answer, err) ||
        !access_require(rq->identity, &answer, err)) {
        return false;
    }
    *namespace_id_out = answer.facts.namespace_id;
    return true;
}

bool policy_scope_own(struct db_tx *tx, const struct policy_scope *scope, struct policy_row *out,
                      struct err *err)
{
    auto_policy_row struct policy_row wider = {0};
    struct err why = {0};
    if (!policy_row_find_wider(tx, scope->text, &wider, err)) {
        return false;
    }
    if (policy_row_get(tx, scope->text, out, &why)) {
        return true;
    }
    *err = why;
    return why.code != ERR_NOT_FOUND
               ? false
               : err_set(err, ERR_NOT_FOUND, "%s has no policy of its own: that of %s applies",
                         scope->text, wider.scope);
}
