/* Robots and deployers of a namespace in the administration API. */
#include "auth/robot.h"
#include "server/administration.h"
#include "server/api.h"
#include "server/app.h"

#include <sodium.h>

#define ROBOTS_MAX 1000 /* of one answer */

static json_t *actions_json(unsigned actions)
{
    json_t *out = json_array();
    for (unsigned bit = 1; bit <= actions; bit <<= 1) {
        if (actions & bit) {
            (void)json_array_append_new(out, json_string(robot_action_name(bit)));
        }
    }
    return out;
}

static json_t *account_json(const struct account *account)
{
    json_t *out = json_pack("{s:s, s:o}", "user", account->name, "created",
                            administration_time(account->created_us));
    if (account->kind == ACCOUNT_ROBOT) {
        (void)json_object_set_new(out, "actions", actions_json(account->actions));
    }
    return out;
}

static bool list(const struct request *rq, enum account_kind kind, json_t *out, struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    auto_account_list struct account_list found = {0};
    auto_buf struct buf last = {0};
    struct access_answer answer;
    (void)request_query(rq, "last", 0, &last);
    if (!administration_open(rq, ACTION_ROBOTS, &tx, &answer, err) ||
        !account_list(tx, kind, answer.facts.namespace_id, buf_slice_of(&last), ROBOTS_MAX, &found,
                      err)) {
        return false;
    }
    for (size_t i = 0; i < found.count; i++) {
        (void)json_array_append_new(out, account_json(&found.items[i]));
    }
    return true;
}

static void reply_accounts(struct request *rq, struct reply *reply, enum account_kind kind,
                           const char *member)
{
    struct err err = {0};
    json_t *accounts = json_array();
    bool ok = list(rq, kind, accounts, &err);
    administration_reply_list(reply, ok, member, accounts, &err);
}

/* GET /api/v1/namespaces/NS/robots */
void api_robots_list(struct request *rq, struct reply *reply)
{
    reply_accounts(rq, reply, ACCOUNT_ROBOT, "robots");
}

/* GET /api/v1/namespaces/NS/deployers */
void api_deployers_list(struct request *rq, struct reply *reply)
{
    reply_accounts(rq, reply, ACCOUNT_DEPLOYER, "deployers");
}

static bool read_actions(const json_t *body, unsigned *out, struct err *err)
{
    const json_t *words = json_object_get(body, "actions");
    *out = 0;
    for (size_t i = 0; i < json_array_size(words); i++) {
        const char *word = json_string_value(json_array_get(words, i));
        unsigned bits = robot_action_parse(slice_str(word ? word : ""));
        if (bits == 0) {
            return err_set(err, ERR_INVALID,
                           "an action of a robot is one of pull, push, delete, sign, "
                           "trust:read_unsigned");
        }
        *out |= bits;
    }
    return *out != 0 || err_set(err, ERR_INVALID,
                                "\"actions\" must list at least one of pull, push, delete, sign, "
                                "trust:read_unsigned");
}

struct created {
    char user[ACTOR_NAME_MAX + 1];
    struct secret_text secret;
};

static bool create(const struct request *rq, enum account_kind kind, struct created *out,
                   struct err *err)
{
    static const char *const known_robot[] = {"name", "actions", NULL};
    static const char *const known_deployer[] = {"name", NULL};
    auto_json json_t *body = NULL;
    struct robot_new robot = {.kind = kind};
    struct slice name;
    struct actor actor;
    if (!administration_namespace(rq, &robot.namespace, err) ||
        !administration_body(rq, kind == ACCOUNT_ROBOT ? known_robot : known_deployer, &body,
                             err) ||
        !administration_text(body, "name", NULL, &name, err) ||
        !robot_name_parse(name, &robot.name, err)) {
        return false;
    }
    if (kind == ACCOUNT_ROBOT && !read_actions(body, &robot.actions, err)) {
        return false;
    }
    administration_actor(rq, &actor);
    return robot_create(rq->app->auth, rq->identity, &actor, &robot, rq->now_us, out->user,
                        &out->secret, err);
}

static void reply_created(struct request *rq, struct reply *reply, enum account_kind kind)
{
    struct created created = {0};
    struct err err = {0};
    if (create(rq, kind, &created, &err)) {
        reply_json(reply, 201,
                   json_pack("{s:s, s:s}", "user", created.user, "secret", created.secret.text));
    } else {
        reply_error(reply, &err);
    }
    reply_header(reply, "Cache-Control", "no-store");
    sodium_memzero(&created, sizeof(created));
}

/* POST /api/v1/namespaces/NS/robots */
void api_robots_create(struct request *rq, struct reply *reply)
{
    reply_created(rq, reply, ACCOUNT_ROBOT);
}

/* POST /api/v1/namespaces/NS/deployers */
void api_deployers_create(struct request *rq, struct reply *reply)
{
    reply_created(rq, reply, ACCOUNT_DEPLOYER);
}

static void reply_removed(struct request *rq, struct reply *reply, enum account_kind kind)
{
    struct namespace_name name;
    struct actor actor;
    struct err err = {0};
    administration_actor(rq, &actor);
    bool ok = administration_namespace(rq, &name, &err) &&
              robot_remove(rq->app->auth, rq->identity, &actor, kind, &name, rq->params[1],
                           rq->now_us, &err);
    administration_reply_done(reply, ok, &err);
}

/* DELETE /api/v1/namespaces/NS/robots/NAME */
void api_robots_remove(struct request *rq, struct reply *reply)
{
    reply_removed(rq, reply, ACCOUNT_ROBOT);
}

/* DELETE /api/v1/namespaces/NS/deployers/NAME */
void api_deployers_remove(struct request *rq, struct reply *reply)
{
    reply_removed(rq, reply, ACCOUNT_DEPLOYER);
}
