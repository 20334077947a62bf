/* The deny list by API: list, add, lift (gate.md 10.2). */
#include "server/administration.h"
#include "server/api.h"
#include "server/app.h"
#include "trust/deny.h"

#include <stdio.h>

#define PAGE_SIZE 1000

struct deny_scope {
    char text[DENIED_SCOPE_SIZE];
    bool everywhere;
    struct namespace_name namespace_; /* otherwise */
};

static bool scope_read(struct slice text, struct deny_scope *out, struct err *err)
{
    *out = (struct deny_scope){.everywhere = slice_is(text, DENIED_EVERYWHERE)};
    if (!out->everywhere && !namespace_name_parse(text, &out->namespace_, NULL)) {
        return err_set(err, ERR_INVALID, "a scope is * for the whole server, or a namespace");
    }
    (void)snprintf(out->text, sizeof out->text, "%.*s", SLICE_FMT(text));
    return true;
}

/* Everybody signed in may read what is denied everywhere; administrators change it. */
static bool scope_allowed(struct db_tx *tx, const struct request *rq,
                          const struct deny_scope *scope, enum access_action action,
                          int64_t *namespace_id_out, struct err *err)
{
    struct access_answer answer;
    *namespace_id_out = 0;
    if (scope->everywhere) {
        return action == ACTION_PULL || access_is_admin(rq->identity) ||
               err_set(err, ERR_DENIED,
                       "what is denied on the whole server is changed by its administrators");
    }
    if (!access_check_namespace(tx, rq->identity, &scope->namespace_, action, &answer, err) ||
        !access_require(rq->identity, &answer, err)) {
        return false;
    }
    *namespace_id_out = answer.facts.namespace_id;
    return true;
}

static bool scope_of_query(const struct request *rq, struct deny_scope *out, struct err *err)
{
    auto_buf struct buf text = {0};
    return (request_query(rq, "scope", 0, &text) ||
            err_set(err, ERR_INVALID, "the parameter scope is needed: * or a namespace")) &&
           scope_read(buf_slice_of(&text), out, err);
}

static bool read_digest(struct slice text, struct digest *out, struct err *err)
{
    return digest_parse(text, out, NULL) ||
           err_set(err, ERR_INVALID, "\"digest\" must be an exact digest, sha256:…");
}

static bool read_last(const struct request *rq, struct digest *out, struct err *err)
{
    auto_buf struct buf text = {0};
    *out = (struct digest){0};
    bool given = request_query(rq, "last", 0, &text);
    return !given || digest_parse(buf_slice_of(&text), out, NULL) ||
           err_set(err, ERR_REQUEST_INVALID,
                   "the parameter last is the digest that a page ended with");
}

/* GET /api/v1/denied?scope=&last= */
void api_denied_list(struct request *rq, struct reply *reply)
{
    auto_snapshot struct db_tx *tx = NULL;
    auto_denied_digest_list struct denied_digest_list page = {0};
    struct deny_scope scope;
    struct digest last;
    struct err err = {0};
    int64_t unused = 0;
    if (!scope_of_query(rq, &scope, &err) || !read_last(rq, &last, &err) ||
        !db_snapshot(rq->app->db, &tx, &err) ||
        !scope_allowed(tx, rq, &scope, ACTION_PULL, &unused, &err) ||
        !denied_digest_list(tx, scope.text, &last, PAGE_SIZE, &page, &err)) {
        return reply_error(reply, &err);
    }
    json_t *list = json_array();
    for (size_t i = 0; i < page.count; i++) {
        json_array_append_new(list, deny_json(&page.items[i]));
    }
    json_t *out = json_pack("{s:o}", "denied", list);
    if (page.more) {
        char text[DIGEST_STR_MAX];
        json_object_set_new(out, "next",
                            json_string(digest_format(&page.items[page.count - 1].digest, text)));
    }
    reply_json(reply, 200, out);
}

/* Whoever changes the list, and where. */
struct denier {
    const struct request *rq;
    struct deny_scope scope;
};

static bool may_deny(struct db_tx *tx, const void *arg, int64_t *namespace_id_out, struct err *err)
{
    const struct denier *who = arg;
    return scope_allowed(tx, who->rq, &who->scope, ACTION_DENY, namespace_id_out, err);
}

/* Asked before anything is looked at, and again inside the write. */
static bool set_right(const struct denier *who, struct deny_request *out, struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    int64_t unused = 0;
    out->scope = who->scope.text;
    out->right = (struct exception_right){may_deny, who};
    return db_snapshot(who->rq->app->db, &tx, err) && may_deny(tx, who, &unused, err);
}

static bool read_entry(const struct request *rq, json_t **body, struct deny_scope *scope,
                       struct deny_request *out, struct err *err)
{
    static const char *const members[] = {"scope", "digest", "reason", NULL};
    struct slice text, digest;
    return administration_body(rq, members, body, err) &&
           administration_text(*body, "scope", NULL, &text, err) && scope_read(text, scope, err) &&
           administration_text(*body, "digest", NULL, &digest, err) &&
           read_digest(digest, &out->digest, err) &&
           administration_text(*body, "reason", NULL, &out->reason, err);
}

/* POST /api/v1/denied {"scope","digest","reason"} */
void api_denied_add(struct request *rq, struct reply *reply)
{
    auto_json json_t *body = NULL;
    struct denier who = {.rq = rq};
    struct denied_digest entry;
    char warning[EXCEPTION_WARNING_MAX];
    struct actor actor;
    struct err err = {0};
    struct deny_request request = {.actor = &actor, .now_us = rq->now_us};
    administration_actor(rq, &actor);
    if (!read_entry(rq, &body, &who.scope, &request, &err) || !set_right(&who, &request, &err) ||
        !deny_add(rq->app->trust, &request, &entry, warning, &err)) {
        return reply_error(reply, &err);
    }
    administration_reply_warned(reply, 201, deny_json(&entry), warning);
}

static bool digest_of_query(const struct request *rq, struct digest *out, struct err *err)
{
    auto_buf struct buf text = {0};
    (void)request_query(rq, "digest", 0, &text);
    return read_digest(buf_slice_of(&text), out, err);
}

/* DELETE /api/v1/denied?scope=&digest= */
void api_denied_lift(struct request *rq, struct reply *reply)
{
    struct denier who = {.rq = rq};
    struct denied_digest entry;
    char warning[EXCEPTION_WARNING_MAX] = "";
    struct actor actor;
    struct err err = {0};
    struct deny_request request = {.actor = &actor, .now_us = rq->now_us};
    administration_actor(rq, &actor);
    bool ok = scope_of_query(rq, &who.scope, &err) && digest_of_query(rq, &request.digest, &err) &&
              set_right(&who, &request, &err) &&
              deny_lift(rq->app->trust, &request, &entry, warning, &err);
    if (ok && warning[0]) {
        return administration_reply_warned(reply, 200, deny_json(&entry), warning);
    }
    administration_reply_done(reply, ok, &err);
}
