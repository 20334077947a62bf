/* Deleting repositories and namespaces. */
#include "server/administration.h"
#include "server/api.h"
#include "server/app.h"
#include "server/maintenance.h"
#include "trust/remove.h"

/* ?pins=keep (the default) or forget: whether only the same root keys may begin the next life. */
static bool keeps_pins(const struct request *rq, bool *out, struct err *err)
{
    auto_buf struct buf pins = {0};
    *out = true;
    if (!request_has_query(rq, "pins")) {
        return true;
    }
    bool read = request_query(rq, "pins", 0, &pins);
    *out = read && slice_is(buf_slice_of(&pins), "keep");
    return *out || (read && slice_is(buf_slice_of(&pins), "forget")) ||
           err_set(err, ERR_INVALID, "\"pins\" is keep or forget");
}

/*   right   out: what is asked for again in the write */
static bool may(const struct request *rq, enum access_action action, struct remove_request *remove,
                struct administration_right *right, struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    struct access_answer answer;
    struct access_answer wipe;
    if (!db_snapshot(rq->app->db, &tx, err) ||
        !access_check_namespace(tx, rq->identity, &remove->namespace_, action, &answer, err) ||
        !access_require(rq->identity, &answer, err) ||
        !access_check_namespace(tx, rq->identity, &remove->namespace_, ACTION_WIPE, &wipe, err)) {
        return false;
    }
    remove->may_wipe = wipe.result == ACCESS_ALLOWED;
    *right = (struct administration_right){
        rq, remove->namespace_,
        ACTION_BIT(action) | (remove->may_wipe ? ACTION_BIT(ACTION_WIPE) : 0)};
    return true;
}

/* Rights are read anew from here on, and the rows begin to go at once; after a failure too, since it
 * may have come after the commit. */
static void reply_removed(const struct request *rq, struct reply *reply, bool ok, json_t *result,
                          const struct err *err)
{
    auth_changed(rq->app->auth);
    maintenance_wake(rq->app->maintenance);
    if (ok) {
        administration_reply_told(reply, 202, result);
    } else {
        reply_error(reply, err);
    }
}

/* DELETE /api/v1/repositories/NS/REPO?pins=keep|forget */
void api_repositories_remove(struct request *rq, struct reply *reply)
{
    struct actor actor;
    struct administration_right right = {.rq = rq};
    struct err err = {0};
    json_t *result = NULL;
    struct remove_request remove = {.repo = rq->repo, .actor = &actor, .now_us = rq->now_us};
    repo_name_namespace(&rq->repo, &remove.namespace_);
    administration_actor_by_right(&right, &actor);
    bool ok = keeps_pins(rq, &remove.keep_pins, &err) &&
              may(rq, ACTION_DELETE_REPOSITORY, &remove, &right, &err) &&
              trust_remove_repository(rq->app->trust, &remove, &result, &err);
    reply_removed(rq, reply, ok, result, &err);
}

/* DELETE /api/v1/namespaces/NS?pins=keep|forget */
void api_namespaces_remove(struct request *rq, struct reply *reply)
{
    struct actor actor;
    struct administration_right right = {.rq = rq};
    struct err err = {0};
    json_t *result = NULL;
    struct remove_request remove = {.actor = &actor, .now_us = rq->now_us};
    administration_actor_by_right(&right, &actor);
    bool ok = keeps_pins(rq, &remove.keep_pins, &err) &&
              administration_namespace(rq, &remove.namespace_, &err) &&
              may(rq, ACTION_DELETE_NAMESPACE, &remove, &right, &err) &&
              trust_remove_namespace(rq->app->trust, &remove, &result, &err);
    reply_removed(rq, reply, ok, result, &err);
}
