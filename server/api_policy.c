/* Policies by API (gate.md 8): read, list, set, remove. */
#include "server/administration.h"
#include "server/api.h"
#include "server/app.h"
#include "server/policy_scope.h"
#include "storage/audit.h"
#include "storage/policy.h"
#include "trust/policy.h"

#include <stdio.h>

#define LIST_PAGE 500

static bool row_json(const struct policy_row *row, json_t **out, struct err *err)
{
    auto_policy struct policy policy = {0};
    struct err why = {0};
    if (!policy_read_text(slice_str(row->json), &policy, &why)) {
        return err_internal(err, "the stored policy of %s does not read: %s", row->scope, why.msg);
    }
    *out = policy_write(&policy);
    return true;
}

/* GET /api/v1/policy?scope= */
void api_policy_get(struct request *rq, struct reply *reply)
{
    auto_snapshot struct db_tx *tx = NULL;
    auto_policy_row struct policy_row row = {0};
    struct policy_scope scope;
    struct err err = {0};
    int64_t namespace_id = 0;
    json_t *policy = NULL;
    bool ok = policy_scope_of_request(rq, &scope, &err) && db_snapshot(rq->app->db, &tx, &err) &&
              policy_scope_allowed(tx, rq, &scope, ACTION_POLICY_READ, &namespace_id, &err) &&
              policy_row_find_scope(tx, scope.text, &row, &err) && row_json(&row, &policy, &err);
    if (!ok) {
        reply_error(reply, &err);
        return;
    }
    reply_json(reply, 200,
               json_pack("{s:s, s:s, s:I, s:o}", "scope", scope.text, "effective_scope", row.scope,
                         "generation", (json_int_t)row.generation, "policy", policy));
}

/* --- list ------------------------------------------------------------------------------------- */

static bool append_row(struct db_tx *tx, const struct request *rq, const struct policy_row *row,
                       json_t *list, struct err *err)
{
    struct policy_scope scope;
    struct err why = {0};
    int64_t namespace_id = 0;
    json_t *policy = NULL;
    if (!policy_scope_read(slice_str(row->scope), &scope, err)) {
        return false;
    }
    if (!policy_scope_allowed(tx, rq, &scope, ACTION_POLICY_READ, &namespace_id, &why)) {
        if (err_info(why.code)->class_ != ERR_CLASS_INTERNAL) {
            return true; /* not for these eyes */
        }
        *err = why;
        return false;
    }
    if (!row_json(row, &policy, err)) {
        return false;
    }
    json_array_append_new(list, json_pack("{s:s, s:I, s:o, s:s, s:o}", "scope", row->scope,
                                          "generation", (json_int_t)row->generation, "updated",
                                          administration_time(row->updated_us), "updated_by",
                                          row->updated_by, "policy", policy));
    return true;
}

static bool list_rows(struct db_tx *tx, const struct request *rq, json_t *list, struct err *err)
{
    char last[POLICY_SCOPE_SIZE] = "";
    bool more = true;
    while (more) {
        auto_policy_row_list struct policy_row_list page = {0};
        if (!policy_row_list(tx, slice_str(last), LIST_PAGE, &page, err)) {
            return false;
        }
        for (size_t i = 0; i < page.count; i++) {
            if (!append_row(tx, rq, &page.items[i], list, err)) {
                return false;
            }
            (void)snprintf(last, sizeof last, "%s", page.items[i].scope);
        }
        more = page.more && page.count > 0;
    }
    return true;
}

/* GET /api/v1/policies */
void api_policies_list(struct request *rq, struct reply *reply)
{
    auto_snapshot struct db_tx *tx = NULL;
    struct err err = {0};
    json_t *list = json_array();
    bool ok = db_snapshot(rq->app->db, &tx, &err) && list_rows(tx, rq, list, &err);
    administration_reply_list(reply, ok, "policies", list, &err);
}

/* --- changing --------------------------------------------------------------------------------- */

struct policy_change {
    const struct request *rq;
    struct policy_scope scope;
    struct slice json; /* of a new one */
    struct actor actor;
    struct policy_row next; /* out, of a removal: what applies now; owned */
};

static bool may_change(struct db_tx *tx, const struct policy_change *c, int64_t *namespace_id,
                       struct err *err)
{
    return policy_scope_allowed(tx, c->rq, &c->scope, ACTION_POLICY_SET, namespace_id, err);
}

static bool audit_change(struct db_tx *tx, const struct policy_change *c, int64_t namespace_id,
                         const struct policy_row *before, struct err *err)
{
    struct audit_entry entry = {.action = c->json.n > 0 ? "policy.put" : "policy.remove",
                                .namespace_id = namespace_id,
                                .object = slice_str(c->scope.text),
                                .outcome = AUDIT_OK,
                                .before = slice_str(before->json),
                                .after = c->json};
    return audit_append(tx, &c->actor, &entry, c->rq->now_us, err);
}

static bool write_policy(struct db_tx *tx, void *arg, struct err *err)
{
    const struct policy_change *c = arg;
    auto_policy_row struct policy_row before = {0};
    struct err why = {0};
    int64_t namespace_id = 0;
    if (!may_change(tx, c, &namespace_id, err)) {
        return false;
    }
    if (!policy_row_get(tx, c->scope.text, &before, &why) && why.code != ERR_NOT_FOUND) {
        *err = why;
        return false;
    }
    return policy_row_put(tx, c->scope.text, c->json, &c->actor, c->rq->now_us, err) &&
           audit_change(tx, c, namespace_id, &before, err);
}

static bool write_removal(struct db_tx *tx, void *arg, struct err *err)
{
    struct policy_change *c = arg;
    auto_policy_row struct policy_row before = {0};
    int64_t namespace_id = 0;
    policy_row_dispose(&c->next); /* of a run before */
    return may_change(tx, c, &namespace_id, err) &&
           policy_scope_own(tx, &c->scope, &before, err) &&
           policy_row_delete(tx, c->scope.text, err) &&
           audit_change(tx, c, namespace_id, &before, err) &&
           policy_row_find_scope(tx, c->scope.text, &c->next, err);
}

/* Asked before anything is looked at, and again inside the write. */
static bool begin_change(struct request *rq, struct policy_change *c, struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    int64_t unused = 0;
    *c = (struct policy_change){.rq = rq};
    administration_actor(rq, &c->actor);
    return policy_scope_of_request(rq, &c->scope, err) && db_snapshot(rq->app->db, &tx, err) &&
           may_change(tx, c, &unused, err);
}

static bool put_policy(struct policy_change *c, struct request *rq, json_t **full, struct err *err)
{
    auto_json json_t *body = NULL;
    auto_policy struct policy policy = {0};
    auto_buf struct buf text = {0};
    if (!request_json(rq, &body, err) || !policy_read(body, &policy, err)) {
        return false;
    }
    *full = policy_write(&policy);
    json_write(&text, *full);
    c->json = buf_slice_of(&text);
    return db_write(rq->app->db, write_policy, c, err);
}

/* PUT /api/v1/policy?scope= */
void api_policy_put(struct request *rq, struct reply *reply)
{
    auto_json json_t *full = NULL;
    struct policy_change change;
    struct err err = {0};
    if (!begin_change(rq, &change, &err) || !put_policy(&change, rq, &full, &err)) {
        reply_error(reply, &err);
        return;
    }
    reply_json(reply, 200,
               json_pack("{s:s, s:s, s:O}", "scope", change.scope.text, "effective_scope",
                         change.scope.text, "policy", full));
}

/* DELETE /api/v1/policy?scope=: answers what applies from now on. */
void api_policy_remove(struct request *rq, struct reply *reply)
{
    struct policy_change change;
    struct err err = {0};
    json_t *policy = NULL;
    bool ok = begin_change(rq, &change, &err) &&
              db_write(rq->app->db, write_removal, &change, &err) &&
              row_json(&change.next, &policy, &err);
    if (ok) {
        reply_json(reply, 200,
                   json_pack("{s:s, s:s, s:o}", "scope", change.scope.text, "effective_scope",
                             change.next.scope, "policy", policy));
    } else {
        reply_error(reply, &err);
    }
    policy_row_dispose(&change.next);
}
