/* Root keys by API: those that a namespace accepts (gate.md 11.1), those that are revoked (gate.md
 * 11.2). */
#include "server/administration.h"
#include "server/api.h"
#include "server/app.h"
#include "storage/trust_pin.h"
#include "trust/revoke.h"
#include "trust/roots.h"

static json_t *pin_json(const struct pin *pin, const char *when, const char *who)
{
    char key[ROOT_KEY_TEXT_SIZE];
    return json_pack("{s:s, s:o, s:s}", "key", trust_root_key_format(pin->spki, key), when,
                     administration_time(pin->added_us), who, pin->added_by);
}

static bool key_read(struct slice text, struct spki *out, struct err *err)
{
    return trust_root_key_parse(text, out) ||
           err_set(
               err, ERR_INVALID,
               "a root key is given as sha256: and the 64 hexadecimal digits of the hash of its "
               "public key, as bond trust status --json shows it");
}

/* --- accepted --------------------------------------------------------------------------------- */

static bool list_roots(const struct request *rq, json_t *out, struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    auto_pin_list struct pin_list set = {0}, revoked = {0};
    struct access_answer answer;
    if (!administration_open(rq, ACTION_POLICY_READ, &tx, &answer, err) ||
        !namespace_root_list(tx, answer.facts.namespace_id, &set, err) ||
        !revoked_key_list(tx, &revoked, err)) {
        return false;
    }
    for (size_t i = 0; i < set.count; i++) {
        json_t *item = pin_json(&set.items[i], "added", "added_by");
        (void)json_object_set_new(item, "revoked",
                                  json_boolean(pin_list_has(&revoked, set.items[i].spki)));
        (void)json_array_append_new(out, item);
    }
    return true;
}

/* GET /api/v1/namespaces/NS/roots */
void api_roots_list(struct request *rq, struct reply *reply)
{
    struct err err = {0};
    json_t *roots = json_array();
    bool ok = list_roots(rq, roots, &err);
    administration_reply_list(reply, ok, "roots", roots, &err);
}

struct change {
    const struct request *rq;
    struct roots_change what;
    struct actor actor;
    bool (*run)(struct db_tx *tx, const struct roots_change *change, struct err *err);
};

static bool change_transaction(struct db_tx *tx, void *arg, struct err *err)
{
    struct change *c = arg;
    struct access_answer answer;
    if (!access_check_namespace(tx, c->rq->identity, &c->what.namespace_, ACTION_POLICY_SET,
                                &answer, err) ||
        !access_require(c->rq->identity, &answer, err)) {
        return false;
    }
    c->what.namespace_id = answer.facts.namespace_id;
    return c->run(tx, &c->what, err);
}

/* The right is looked at before the key too: a stranger is not told what is wrong with it. */
static bool may_change(const struct request *rq, struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    struct access_answer answer;
    return administration_open(rq, ACTION_POLICY_SET, &tx, &answer, err);
}

static bool change_run(struct change *c, struct slice key, struct err *err)
{
    c->what.actor = &c->actor;
    c->what.now_us = c->rq->now_us;
    administration_actor(c->rq, &c->actor);
    return key_read(key, &c->what.key, err) &&
           administration_namespace(c->rq, &c->what.namespace_, err) &&
           db_write(c->rq->app->db, change_transaction, c, err);
}

/* POST /api/v1/namespaces/NS/roots {"key":"sha256:…"} */
void api_roots_add(struct request *rq, struct reply *reply)
{
    static const char *const members[] = {"key", NULL};
    auto_json json_t *body = NULL;
    struct slice key;
    struct err err = {0};
    struct change c = {.rq = rq, .run = trust_roots_accept};
    bool ok = may_change(rq, &err) && administration_body(rq, members, &body, &err) &&
              administration_text(body, "key", NULL, &key, &err) && change_run(&c, key, &err);
    administration_reply_done(reply, ok, &err);
}

/* DELETE /api/v1/namespaces/NS/roots/KEY */
void api_roots_remove(struct request *rq, struct reply *reply)
{
    struct err err = {0};
    struct change c = {.rq = rq, .run = trust_roots_remove};
    bool ok = may_change(rq, &err) && change_run(&c, rq->params[1], &err);
    administration_reply_done(reply, ok, &err);
}

/* --- revoked ---------------------------------------------------------------------------------- */

static bool list_revoked(const struct request *rq, json_t *out, struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    auto_pin_list struct pin_list revoked = {0};
    if (!db_snapshot(rq->app->db, &tx, err) || !revoked_key_list(tx, &revoked, err)) {
        return false;
    }
    for (size_t i = 0; i < revoked.count; i++) {
        json_t *item = pin_json(&revoked.items[i], "revoked", "revoked_by");
        (void)json_object_set_new(item, "reason", json_string(revoked.items[i].reason));
        (void)json_array_append_new(out, item);
    }
    return true;
}

/* GET /api/v1/trust/revoked-keys */
void api_revoked_keys_list(struct request *rq, struct reply *reply)
{
    struct err err = {0};
    json_t *keys = json_array();
    bool ok = list_revoked(rq, keys, &err);
    administration_reply_list(reply, ok, "keys", keys, &err);
}

/* POST /api/v1/trust/revoked-keys {"key":"sha256:…","reason"} */
void api_revoked_keys_add(struct request *rq, struct reply *reply)
{
    static const char *const members[] = {"key", "reason", NULL};
    auto_json json_t *body = NULL;
    struct actor actor;
    struct slice text, reason;
    struct err err = {0};
    json_t *result = NULL;
    struct revoke_request revoke = {.actor = &actor, .now_us = rq->now_us};
    administration_actor(rq, &actor);
    if (!administration_body(rq, members, &body, &err) ||
        !administration_text(body, "key", NULL, &text, &err) ||
        !administration_text(body, "reason", NULL, &reason, &err) ||
        !key_read(text, &revoke.key, &err)) {
        return reply_error(reply, &err);
    }
    revoke.reason = reason.p; /* jansson's texts end in NUL */
    if (!trust_revoke_key(rq->app->trust, &revoke, &result, &err)) {
        return reply_error(reply, &err);
    }
    administration_reply_told(reply, 200, result);
}
