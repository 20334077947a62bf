/* Members of a namespace in the administration API. */
#include "auth/member.h"
#include "server/administration.h"
#include "server/api.h"
#include "server/app.h"

static bool list(const struct request *rq, json_t *out, struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    auto_membership_list struct membership_list found = {0};
    struct access_answer answer;
    if (!administration_open(rq, ACTION_MEMBERS_READ, &tx, &answer, err) ||
        !membership_list(tx, answer.facts.namespace_id, &found, err)) {
        return false;
    }
    for (size_t i = 0; i < found.count; i++) {
        const struct membership_item *item = &found.items[i];
        (void)json_array_append_new(out, json_pack("{s:s, s:s, s:b}", "user", item->name, "role",
                                                   member_role_name(item->m.role), "signer",
                                                   (int)item->m.signer));
    }
    return true;
}

/* GET /api/v1/namespaces/NS/members */
void api_members_list(struct request *rq, struct reply *reply)
{
    struct err err = {0};
    json_t *members = json_array();
    bool ok = list(rq, members, &err);
    administration_reply_list(reply, ok, "members", members, &err);
}

static bool set(const struct request *rq, struct membership *wanted, struct err *err)
{
    static const char *const known[] = {"role", "signer", NULL};
    auto_json json_t *body = NULL;
    struct namespace_name name;
    struct slice role;
    struct actor actor;
    if (!administration_namespace(rq, &name, err) || !administration_body(rq, known, &body, err) ||
        !administration_text(body, "role", NULL, &role, err) ||
        !administration_flag(body, "signer", &wanted->signer, err)) {
        return false;
    }
    if (!member_role_parse(role, &wanted->role)) {
        return err_set(err, ERR_INVALID, "\"role\" must be reader, developer, maintainer or owner");
    }
    administration_actor(rq, &actor);
    return member_set(rq->app->auth, rq->identity, &actor, &name, rq->params[1], wanted, rq->now_us,
                      err);
}

/* PUT /api/v1/namespaces/NS/members/EMAIL */
void api_members_set(struct request *rq, struct reply *reply)
{
    struct membership wanted = {MEMBER_NONE, false};
    struct err err = {0};
    if (!set(rq, &wanted, &err)) {
        reply_error(reply, &err);
        return;
    }
    reply_json(reply, 200,
               json_pack("{s:s%, s:s, s:b}", "user", rq->params[1].p, rq->params[1].n, "role",
                         member_role_name(wanted.role), "signer", (int)wanted.signer));
}

static bool member_gone(const struct request *rq, struct err *err)
{
    struct namespace_name name;
    struct actor actor;
    administration_actor(rq, &actor);
    return administration_namespace(rq, &name, err) &&
           member_remove(rq->app->auth, rq->identity, &actor, &name, rq->params[1], rq->now_us,
                         err);
}

/* DELETE /api/v1/namespaces/NS/members/EMAIL */
void api_members_remove(struct request *rq, struct reply *reply)
{
    struct err err = {0};
    bool ok = member_gone(rq, &err);
    administration_reply_done(reply, ok, &err);
}
