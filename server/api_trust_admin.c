/* Trust administration by API: wipe (gate.md 11.3), acknowledgement of a restored store (gate.md
 * 4.2), reset of a role (attacks F-03), status. */
#include "auth/auth.h"
#include "base/hex.h"
#include "server/administration.h"
#include "server/api.h"
#include "server/app.h"
#include "server/trust_scope.h"
#include "storage/repository.h"
#include "trust/acknowledge.h"
#include "trust/expiry.h"
#include "trust/reset.h"
#include "trust/roots.h"
#include "trust/view.h"
#include "trust/wipe.h"

#define STATUS_MAX 1000

/* --- wipe ------------------------------------------------------------------------------------- */

static bool wipe_read(const struct request *rq, json_t **body, struct trust_scope *scope,
                      struct wipe_request *out, struct err *err)
{
    static const char *const members[] = {"scope", "confirm", "keep_pin", "reason", NULL};
    struct slice text, confirm, reason;
    if (!administration_body(rq, members, body, err) ||
        !administration_text(*body, "scope", NULL, &text, err) ||
        !administration_text(*body, "confirm", "", &confirm, err) ||
        !administration_text(*body, "reason", "", &reason, err) ||
        !administration_flag(*body, "keep_pin", &out->keep_pin, err) ||
        !trust_scope_read(text, scope, err)) {
        return false;
    }
    if (!slice_equal(text, confirm)) {
        return err_set(err, ERR_INVALID,
                       "\"confirm\" must repeat the scope %.*s: a wipe cannot be undone",
                       SLICE_FMT(text));
    }
    out->whole_namespace = scope->whole_namespace;
    out->namespace_ = scope->namespace_;
    out->repo = scope->repo;
    out->reason = reason.p; /* jansson's texts end in NUL */
    return true;
}

static bool wipe_allowed(const struct request *rq, const struct trust_scope *scope, struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    return db_snapshot(rq->app->db, &tx, err) && trust_scope_require(tx, rq, scope, ACTION_WIPE, err);
}

/* POST /api/v1/trust/wipe {"scope","confirm","keep_pin","reason"} */
void api_trust_wipe(struct request *rq, struct reply *reply)
{
    auto_json json_t *body = NULL;
    struct err err = {0};
    struct actor actor;
    struct trust_scope scope;
    struct wipe_request wipe = {.actor = &actor, .now_us = rq->now_us};
    json_t *result = NULL;
    if (!wipe_read(rq, &body, &scope, &wipe, &err) || !wipe_allowed(rq, &scope, &err)) {
        reply_error(reply, &err);
        return;
    }
    const struct administration_right right = {rq, scope.namespace_, ACTION_BIT(ACTION_WIPE)};
    administration_actor_by_right(&right, &actor);
    bool wiped = trust_wipe(rq->app->trust, &wipe, &result, &err);
    auth_changed(rq->app->auth); /* it ends what older tokens may change, also of requests that were admitted before it */
    if (!wiped) {
        reply_error(reply, &err);
        return;
    }
    administration_reply_told(reply, 200, result);
}

/* --- acknowledgement -------------------------------------------------------------------------- */

static bool acknowledge_read(const struct request *rq, json_t **body,
                             struct acknowledge_request *out, struct err *err)
{
    static const char *const members[] = {"scope", "all", "reason", NULL};
    struct slice scope, reason;
    if (!administration_body(rq, members, body, err) ||
        !administration_flag(*body, "all", &out->all, err) ||
        !administration_text(*body, "scope", "", &scope, err) ||
        !administration_text(*body, "reason", "", &reason, err)) {
        return false;
    }
    out->reason = reason.p; /* jansson's texts end in NUL */
    if (out->all == (scope.n > 0)) {
        return err_set(err, ERR_INVALID, "give either \"scope\", a repository, or \"all\": true");
    }
    return out->all || repo_name_parse(scope, &out->repo, err);
}

/* POST /api/v1/trust/acknowledge {"scope":"ns/app"} or {"all":true}, and "reason" */
void api_trust_acknowledge(struct request *rq, struct reply *reply)
{
    auto_json json_t *body = NULL;
    struct err err = {0};
    struct actor actor;
    struct acknowledge_request acknowledge = {.actor = &actor, .now_us = rq->now_us};
    json_t *result = NULL;
    administration_actor(rq, &actor);
    if (!acknowledge_read(rq, &body, &acknowledge, &err) ||
        !trust_acknowledge(rq->app->trust, &acknowledge, &result, &err)) {
        reply_error(reply, &err);
        return;
    }
    reply_json(reply, 200, result);
}

/* --- reset ------------------------------------------------------------------------------------ */

static bool reset_read(const struct request *rq, json_t **body, struct reset_request *out,
                       struct err *err)
{
    static const char *const members[] = {"scope", "role", "reason", NULL};
    struct slice scope, reason;
    if (!administration_body(rq, members, body, err) ||
        !administration_text(*body, "scope", NULL, &scope, err) ||
        !administration_text(*body, "role", NULL, &out->role, err) ||
        !administration_text(*body, "reason", "", &reason, err)) {
        return false;
    }
    out->reason = reason.p; /* jansson's texts end in NUL */
    return repo_name_parse(scope, &out->repo, err);
}

/* POST /api/v1/trust/reset {"scope":"ns/app","role":"targets","reason"} */
void api_trust_reset(struct request *rq, struct reply *reply)
{
    auto_json json_t *body = NULL;
    struct err err = {0};
    struct actor actor;
    struct reset_request reset = {.actor = &actor, .now_us = rq->now_us};
    administration_actor(rq, &actor);
    bool ok =
        reset_read(rq, &body, &reset, &err) && trust_role_reset(rq->app->trust, &reset, &err);
    administration_reply_done(reply, ok, &err);
}

/* --- status ----------------------------------------------------------------------------------- */

static void put_document(json_t *object, const char *name, const struct tuf_doc *doc)
{
    if (doc) {
        json_object_set_new(object, name,
                            json_pack("{s:I, s:o}", "version", (json_int_t)doc->version, "expires",
                                      administration_time(doc->expires_us)));
    }
}

static json_t *root_keys(const struct trust_state *state)
{
    json_t *list = json_array();
    char hex[65];
    for (size_t i = 0; i < state->root_key_count; i++) {
        json_array_append_new(
            list, json_sprintf("sha256:%s", hex_encode(state->root_keys[i].sha256, 32, hex)));
    }
    return list;
}

static json_t *roles_json(const struct trust_state *state, int64_t now_us)
{
    json_t *list = json_array();
    for (size_t i = 0; i < state->role_count; i++) {
        const struct trust_role *role = &state->roles[i];
        json_t *item =
            json_pack("{s:s, s:b}", "name", role->name, "ok", (int)(role->state == ROLE_STATE_OK));
        if (role->doc) {
            json_object_set_new(item, "version", json_integer((json_int_t)role->doc->version));
            json_object_set_new(item, "expires", administration_time(role->doc->expires_us));
            json_object_set_new(item, "names", json_integer((json_int_t)role->doc->target_count));
            json_object_set_new(item, "expired", json_boolean(role->doc->expires_us <= now_us));
        }
        if (role->why[0]) {
            json_object_set_new(item, "why", json_string(role->why));
        }
        json_array_append_new(list, item);
    }
    return list;
}

static const char *state_word(const struct gate_facts *f)
{
    if (f->suspicion) {
        return "rollback_suspected";
    }
    if (f->trust->status == TRUST_OK) {
        return "ok";
    }
    if (f->trust->status == TRUST_NOT_INITIALISED) {
        return f->tombstone ? "wiped" : "none";
    }
    return "defective";
}

/* What somebody should do before it is too late, in sentences. */
static bool put_attention(struct db_tx *tx, const struct request *rq, const struct repository *repo,
                          const struct gate_facts *f, json_t *object, struct err *err)
{
    auto_expiry_list struct expiry_list list = {0};
    int64_t before = expiry_before(rq->now_us, f->policy->expiring_within_us);
    json_t *sentences = json_array();
    json_object_set_new(object, "attention", sentences);
    if (!expiry_list_repository(tx, repo->id, &list, err)) {
        return false;
    }
    for (size_t i = 0; i < list.count; i++) {
        auto_buf struct buf sentence = {0};
        if (list.items[i].expires_us > 0 && list.items[i].expires_us < before) {
            expiry_sentence(rq->app->trust, &list.items[i], rq->now_us, &sentence);
            json_array_append_new(sentences, json_string(sentence.p));
        }
    }
    return true;
}

static json_t *status_json(const struct request *rq, const struct repository *repo,
                           const struct gate_facts *f)
{
    const struct trust_state *t = f->trust;
    auto_buf struct buf gun = {0};
    trust_gun_write(rq->app->trust, &repo->name, &gun);
    json_t *out = json_pack("{s:s, s:s, s:s, s:s, s:s}", "gun", gun.p, "repository",
                            repo->name.text, "state", state_word(f), "policy", f->policy_scope,
                            "level", policy_level_name(f->policy->level));
    if (f->suspicion) {
        json_object_set_new(out, "why", json_string(f->suspicion));
    } else if (t->why[0] && t->status != TRUST_OK && t->status != TRUST_NOT_INITIALISED) {
        json_object_set_new(out, "why", json_string(t->why));
    }
    put_document(out, "root", t->root);
    put_document(out, "timestamp", t->timestamp);
    put_document(out, "snapshot", t->snapshot);
    if (t->root) {
        json_object_set_new(out, "root_keys", root_keys(t));
        json_object_set_new(out, "single_root_key", json_boolean(trust_root_hangs_on_one_key(t)));
        json_object_set_new(out, "roles", roles_json(t, f->now_us));
        json_object_set_new(out, "valid_until", administration_time(t->valid_until_us));
    }
    if (f->tombstone) {
        json_object_set_new(out, "wiped",
                            json_pack("{s:s, s:o, s:s}", "by", f->tombstone->who, "at",
                                      administration_time(f->tombstone->when_us), "reason",
                                      f->tombstone->reason));
    }
    return out;
}

static bool append_status(struct db_tx *tx, const struct request *rq, const struct repository *repo,
                          json_t *list, struct err *err)
{
    auto_gate_view struct gate_view *view = NULL;
    struct gate_facts facts;
    if (!gate_view_get(rq->app->trust, tx, repo, rq->now_us, &view, err)) {
        return false;
    }
    gate_view_facts(view, rq->now_us, &facts);
    json_t *item = status_json(rq, repo, &facts);
    json_array_append_new(list, item);
    return put_attention(tx, rq, repo, &facts, item, err);
}

/* All repositories that ever had trust data are for administrators. They come in the order in which
 * they were made, and the page goes on behind the repository of this name. */
static bool list_trusted(struct db_tx *tx, const struct request *rq, struct slice last,
                         struct repository_list *out, struct err *err)
{
    struct repo_name name;
    struct repository after = {.id = 0};
    if (!access_is_admin(rq->identity)) {
        return err_set(err, ERR_INVALID, "the parameter scope is needed: ns or ns/app");
    }
    return (last.n == 0 || (repo_name_parse(last, &name, err) &&
                            repository_get(tx, &name, &after, err))) &&
           repository_list_trusted(tx, after.id, STATUS_MAX, out, err);
}

/* The page of one repository is that repository, and there is nothing behind it. */
static bool list_one(struct db_tx *tx, const struct repo_name *name, struct slice last,
                     struct repository_list *out, struct err *err)
{
    struct repository repo;
    if (!repository_get(tx, name, &repo, err)) {
        return false;
    }
    out->items = xcalloc(1, sizeof *out->items);
    out->items[0] = repo;
    out->count = last.n == 0;
    return true;
}

/* A page of the repositories of the scope. */
static bool scope_repositories(struct db_tx *tx, const struct request *rq,
                               struct repository_list *out, struct err *err)
{
    auto_buf struct buf text = {0}, last_text = {0};
    struct trust_scope scope;
    struct namespace ns;
    (void)request_query(rq, "last", 0, &last_text);
    struct slice last = buf_slice_of(&last_text);
    if (!request_query(rq, "scope", 0, &text)) {
        return list_trusted(tx, rq, last, out, err);
    }
    if (!trust_scope_read(buf_slice_of(&text), &scope, err) ||
        !trust_scope_may_read(tx, rq, &scope, err)) {
        return false;
    }
    if (!scope.whole_namespace) {
        return list_one(tx, &scope.repo, last, out, err);
    }
    return namespace_get(tx, &scope.namespace_, &ns, err) &&
           repository_list_namespace(tx, ns.id, true, last, STATUS_MAX, out, err);
}

/* GET /api/v1/trust/status?scope=&last= */
void api_trust_status(struct request *rq, struct reply *reply)
{
    auto_snapshot struct db_tx *tx = NULL;
    auto_repository_list struct repository_list repos = {0};
    struct err err = {0};
    json_t *list = json_array();
    bool ok = db_snapshot(rq->app->db, &tx, &err) && scope_repositories(tx, rq, &repos, &err);
    for (size_t i = 0; ok && i < repos.count; i++) {
        ok = append_status(tx, rq, &repos.items[i], list, &err);
    }
    administration_reply_list(reply, ok, "repositories", list, &err);
}
