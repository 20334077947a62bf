/* Namespaces of the administration API. */
#include "auth/space.h"
#include "server/administration.h"
#include "server/api.h"
#include "server/app.h"

#define NAMESPACES_MAX 1000 /* of one answer */

static json_t *namespace_json(const struct namespace *ns, enum member_role role,
                              int64_t repositories)
{
    return json_pack("{s:s, s:s, s:o, s:s, s:I}", "name", ns->name.text, "visibility",
                     visibility_name(ns->visibility), "created",
                     administration_time(ns->created_us), "role", member_role_name(role),
                     "repositories", (json_int_t)repositories);
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
        const struct namespace_item *item = &found.items[i];
        (void)json_array_append_new(out, namespace_json(&item->ns, item->role, item->repositories));
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

static bool create(const struct request *rq, struct namespace *out, struct err *err)
{
    static const char *const known[] = {"name", "visibility", NULL};
    auto_json json_t *body = NULL;
    struct slice name;
    struct slice visibility;
    struct namespace_name parsed;
    enum visibility wanted;
    struct actor actor;
    if (!administration_body(rq, known, &body, err) ||
        !administration_text(body, "name", NULL, &name, err) ||
        !administration_text(body, "visibility", "private", &visibility, err) ||
        !namespace_name_parse(name, &parsed, err)) {
        return false;
    }
    if (!visibility_parse(visibility, &wanted)) {
        return err_set(err, ERR_INVALID, "\"visibility\" must be private, internal or public");
    }
    administration_actor(rq, &actor);
    return space_create(rq->app->auth, rq->identity, &actor, &parsed, wanted, rq->now_us, out, err);
}

/* POST /api/v1/namespaces */
void api_namespaces_create(struct request *rq, struct reply *reply)
{
    struct namespace ns;
    struct err err = {0};
    if (!create(rq, &ns, &err)) {
        reply_error(reply, &err);
        return;
    }
    reply_json(reply, 201,
               namespace_json(&ns, rq->identity->account_id ? MEMBER_OWNER : MEMBER_NONE, 0));
}
