/* Policies by API (gate.md 8): read, list, set. */
#include "server/administration.h"
#include "server/api.h"
#include "server/app.h"
#include "server/policy_scope.h"
#include "storage/audit.h"
#include "storage/policy.h"
#include "trust/policy.h"

#include <stdio.h>

#define LIST_PAGE 500

/* The row of the scope itself, else the one that applies to it. */
static bool row_for_scope(struct db_tx *tx, const struct policy_scope *scope,
                          struct policy_row *out, struct err *err)
{
    struct repo_name repo;
    struct err why = {0};
    if (policy_row_get(tx, scope->text, out, &why)) {
        return true;
    }
    if (why.code != ERR_NOT_FOUND) {
        *err = why;
        return false;
    }
    if (repo_name_parse(slice_str(scope->text), &repo, NULL)) {
        return policy_row_find(tx, &repo, out, err);
    }
    return policy_row_find_namespace(tx, &scope->namespace_, out, err);
}

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
              row_for_scope(tx, &scope, &row, &err) && row_json(&row, &policy, &err);
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

/* --- set -------------------------------------------------------------------------------------- */

struct policy_change {
    const struct policy_scope *scope;
    int64_t namespace_id;
    struct slice json;
    struct actor actor;
    int64_t now_us;
};

static bool write_policy(struct db_tx *tx, void *arg, struct err *err)
{
    const struct policy_change *c = arg;
    auto_policy_row struct policy_row before = {0};
    struct err why = {0};
    if (!policy_row_get(tx, c->scope->text, &before, &why) && why.code != ERR_NOT_FOUND) {
        *err = why;
        return false;
    }
    struct audit_entry entry = {.action = "policy.put",
                                .namespace_id = c->namespace_id,
                                .object = slice_str(c->scope->text),
                                .outcome = AUDIT_OK,
                                .before = slice_str(before.json),
                                .after = c->json};
    return policy_row_put(tx, c->scope->text, c->json, &c->actor, c->now_us, err) &&
           audit_append(tx, &c->actor, &entry, c->now_us, err);
}

static bool check_change(const struct request *rq, struct policy_change *c, struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    return db_snapshot(rq->app->db, &tx, err) &&
           policy_scope_allowed(tx, rq, c->scope, ACTION_POLICY_SET, &c->namespace_id, err);
}

/* PUT /api/v1/policy?scope= */
void api_policy_put(struct request *rq, struct reply *reply)
{
    auto_json json_t *body = NULL;
    auto_policy struct policy policy = {0};
    auto_buf struct buf text = {0};
    struct policy_scope scope;
    struct err err = {0};
    struct policy_change change = {.scope = &scope, .now_us = rq->now_us};
    if (!policy_scope_of_request(rq, &scope, &err) || !check_change(rq, &change, &err) ||
        !request_json(rq, &body, &err) || !policy_read(body, &policy, &err)) {
        reply_error(reply, &err);
        return;
    }
    json_t *full = policy_write(&policy);
    json_write(&text, full);
    change.json = buf_slice_of(&text);
    administration_actor(rq, &change.actor);
    if (!db_write(rq->app->db, write_policy, &change, &err)) {
        json_decref(full);
        reply_error(reply, &err);
        return;
    }
    reply_json(reply, 200,
               json_pack("{s:s, s:s, s:o}", "scope", scope.text, "effective_scope", scope.text,
                         "policy", full));
}
