/* Namespaces of the administration API. */
#include "auth/space.h"
#include "server/administration.h"
#include "server/api.h"
#include "server/app.h"

#define NAMESPACES_MAX 1000 /* of one answer */

static json_t *namespace_json(const struct namespace_item *item)
{
    const struct namespace *ns = &item->ns;
    return json_pack("{s:s, s:s, s:o, s:s, s:I, s:I, s:I, s:I, s:I}", "name", ns->name.text,
                     "visibility", visibility_name(ns->visibility), "created",
                     administration_time(ns->created_us), "role", member_role_name(item->role),
                     "repositories", (json_int_t)item->repositories, "quota_bytes",
                     (json_int_t)ns->quota_bytes, "used_bytes", (json_int_t)ns->used_bytes,
                     "reserved_bytes", (json_int_t)ns->reserved_bytes, "trust_bytes",
                     (json_int_t)ns->trust_bytes);
}

/* Administrators see all, everybody else those in which they have a role. `last` = name to go on
 * after. */
static bool list(const struct request *rq, json_t *out, struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    auto_namespace_list struct namespace_list found = {0};
    auto_buf struct buf last = {0};
    (void)request_query(rq, "last", 0, &last);
    if (!db_snapshot(rq->app->db, &tx, err) ||
        !namespace_list(tx, rq->identity->account_id, access_is_admin(rq->identity),
                        buf_slice_of(&last), NAMESPACES_MAX, &found, err)) {
        return false;
    }
    for (size_t i = 0; i < found.count; i++) {
        (void)json_array_append_new(out, namespace_json(&found.items[i]));
    }
    return true;
}

/* GET /api/v1/namespaces */
void api_namespaces_list(struct request *rq, struct reply *reply)
{
    struct err err = {0};
    json_t *namespaces = json_array();
    bool ok = list(rq, namespaces, &err);
    administration_reply_list(reply, ok, "namespaces", namespaces, &err);
}

/* GET /api/v1/namespaces/NS */
void api_namespaces_get(struct request *rq, struct reply *reply)
{
    auto_snapshot struct db_tx *tx = NULL;
    struct access_answer answer;
    struct namespace_name name;
    struct namespace_item item = {0};
    struct err err = {0};
    if (!administration_open(rq, ACTION_MEMBERS_READ, &tx, &answer, &err) ||
        !administration_namespace(rq, &name, &err) ||
        !namespace_item(tx, rq->identity->account_id, &name, &item, &err)) {
        reply_error(reply, &err);
        return;
    }
    reply_json(reply, 200, namespace_json(&item));
}

static bool create(const struct request *rq, struct namespace *out, struct err *err)
{
    static const char *const known[] = {"name", "visibility", "quota_bytes", NULL};
    auto_json json_t *body = NULL;
    struct slice name;
    struct slice visibility;
    struct namespace_name parsed;
    struct space_settings settings;
    struct actor actor;
    if (!administration_body(rq, known, &body, err) ||
        !administration_text(body, "name", NULL, &name, err) ||
        !administration_text(body, "visibility", "private", &visibility, err) ||
        !administration_count(body, "quota_bytes", 0, &settings.quota_bytes, err) ||
        !namespace_name_parse(name, &parsed, err)) {
        return false;
    }
    if (!visibility_parse(visibility, &settings.visibility)) {
        return err_set(err, ERR_INVALID, "\"visibility\" must be private, internal or public");
    }
    administration_actor(rq, &actor);
    return space_create(rq->app->auth, rq->identity, &actor, &parsed, &settings, rq->now_us, out,
                        err);
}

/* POST /api/v1/namespaces */
void api_namespaces_create(struct request *rq, struct reply *reply)
{
    struct namespace_item item = {.role = rq->identity->account_id ? MEMBER_OWNER : MEMBER_NONE};
    struct err err = {0};
    if (!create(rq, &item.ns, &err)) {
        reply_error(reply, &err);
        return;
    }
    reply_json(reply, 201, namespace_json(&item));
}

static bool set(const struct request *rq, struct namespace *out, struct err *err)
{
    static const char *const known[] = {"quota_bytes", NULL};
    auto_json json_t *body = NULL;
    struct namespace_name name;
    struct actor actor;
    int64_t quota_bytes = 0;
    if (!administration_namespace(rq, &name, err) || !administration_body(rq, known, &body, err) ||
        !administration_count(body, "quota_bytes", -1, &quota_bytes, err)) {
        return false;
    }
    administration_actor(rq, &actor);
    return space_set_quota(rq->app->auth, rq->identity, &actor, &name, quota_bytes, rq->now_us, out,
                           err);
}

/* PATCH /api/v1/namespaces/NS: what is named changes. */
void api_namespaces_set(struct request *rq, struct reply *reply)
{
    struct namespace ns;
    struct err err = {0};
    if (!set(rq, &ns, &err)) {
        reply_error(reply, &err);
        return;
    }
    reply_json(reply, 200,
               json_pack("{s:s, s:I, s:I, s:I}", "name", ns.name.text, "quota_bytes",
                         (json_int_t)ns.quota_bytes, "used_bytes", (json_int_t)ns.used_bytes,
                         "reserved_bytes", (json_int_t)ns.reserved_bytes));
}
