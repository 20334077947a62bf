/* The keys that the server holds for a repository: list, and the first half of a rotation (notary-api
 * 8). The second is the root that names the new key, which only its holder can sign. */
#include "base/json.h"
#include "server/administration.h"
#include "server/api.h"
#include "server/app.h"
#include "server/trust_scope.h"
#include "storage/repository.h"
#include "storage/trust_key.h"
#include "trust/keys.h"
#include "trust/verify/notary_client.h"

static const char *state_name(enum trust_key_state state)
{
    switch (state) {
    case TRUST_KEY_PENDING:
        return "pending";
    case TRUST_KEY_ACTIVE:
        return "active";
    case TRUST_KEY_RETIRED:
        return "retired";
    }
    BUG("a key of no state");
}

static json_t *key_json(const struct trust_key *key)
{
    return json_pack("{s:s, s:s, s:s, s:o}", "role", key->role, "key_id", key->key_id, "state",
                     state_name(key->state), "created", administration_time(key->created_us));
}

static bool scope_of(struct slice text, struct trust_scope *out, struct err *err)
{
    return trust_scope_read(text, out, err) &&
           (!out->whole_namespace ||
            err_set(err, ERR_INVALID, "give one repository, ns/app: each has keys of its own"));
}

static bool list_keys(const struct request *rq, struct trust_key_list *out, struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    auto_buf struct buf text = {0};
    struct trust_scope scope;
    struct repository repo;
    (void)request_query(rq, "scope", 0, &text);
    return scope_of(buf_slice_of(&text), &scope, err) && db_snapshot(rq->app->db, &tx, err) &&
           trust_scope_may_read(tx, rq, &scope, err) &&
           repository_get(tx, &scope.repo, &repo, err) && trust_key_list(tx, repo.id, out, err);
}

/* GET /api/v1/trust/keys?scope=ns/app */
void api_trust_keys_list(struct request *rq, struct reply *reply)
{
    auto_trust_key_list struct trust_key_list keys = {0};
    struct err err = {0};
    json_t *list = json_array();
    bool ok = list_keys(rq, &keys, &err);
    for (size_t i = 0; ok && i < keys.count; i++) {
        json_array_append_new(list, key_json(&keys.items[i]));
    }
    administration_reply_list(reply, ok, "keys", list, &err);
}

static bool rotate_read(const struct request *rq, json_t **body, struct trust_scope *scope,
                        enum role_kind *role, struct err *err)
{
    static const char *const members[] = {"scope", "role", NULL};
    struct slice text, name;
    if (!administration_body(rq, members, body, err) ||
        !administration_text(*body, "scope", NULL, &text, err) ||
        !administration_text(*body, "role", NULL, &name, err) || !scope_of(text, scope, err)) {
        return false;
    }
    *role = role_parse(name);
    return *role == ROLE_TIMESTAMP || *role == ROLE_SNAPSHOT ||
           err_set(err, ERR_INVALID,
                   "the server holds keys of the roles timestamp and snapshot, and of no other");
}

static bool may_rotate(const struct request *rq, const struct trust_scope *scope,
                       struct administration_right *right, struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    struct repository repo;
    *right = (struct administration_right){rq, scope->namespace_, ACTION_BIT(ACTION_TRUST_ADMIN)};
    return db_snapshot(rq->app->db, &tx, err) &&
           trust_scope_require(tx, rq, scope, ACTION_TRUST_ADMIN, err) &&
           repository_get(tx, &scope->repo, &repo, err);
}

static json_t *rotation_json(const struct request *rq, const struct trust_scope *scope,
                             const char *role, const struct buf *key)
{
    auto_buf struct buf gun = {0}, command = {0};
    json_t *public = NULL;
    char id[KEY_ID_MAX] = "";
    struct tuf_key *read = NULL;
    trust_gun_write(rq->app->trust, &scope->repo, &gun);
    if (json_read(buf_slice_of(key), JSON_DEPTH_DEFAULT, &public, NULL) &&
        tuf_key_read(public, &read, NULL)) {
        (void)snprintf(id, sizeof id, "%s", tuf_key_id(read));
    }
    tuf_key_free(read);
    notary_client_write(trust_host(rq->app->trust), &command);
    buf_printf(&command, " key rotate %s %s -r", gun.p, role);
    return json_pack("{s:s, s:s, s:s, s:s, s:o, s:[o]}", "repository", scope->repo.text, "role",
                     role, "state", "pending", "key_id", id, "key", public, "commands",
                     json_stringn(command.p, command.n));
}

/* POST /api/v1/trust/keys {"scope":"ns/app","role":"snapshot"} */
void api_trust_keys_rotate(struct request *rq, struct reply *reply)
{
    auto_json json_t *body = NULL;
    auto_buf struct buf key = {0};
    struct trust_scope scope;
    enum role_kind role = ROLE_NONE;
    struct err err = {0};
    struct administration_right right = {.rq = rq};
    struct actor actor;
    administration_actor_by_right(&right, &actor);
    if (!rotate_read(rq, &body, &scope, &role, &err) || !may_rotate(rq, &scope, &right, &err) ||
        !server_key_rotate(rq->app->trust, &scope.repo, role, &actor, rq->now_us, &key, &err)) {
        reply_error(reply, &err);
        return;
    }
    reply_json(reply, 200,
               rotation_json(rq, &scope, role == ROLE_TIMESTAMP ? "timestamp" : "snapshot", &key));
}
