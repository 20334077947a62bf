#include "server/administration.h"

#include "base/clock.h"
#include "server/app.h"
#include "server/registry.h"

bool administration_body(const struct request *rq, const char *const known[], json_t **out,
                         struct err *err)
{
    return request_json(rq, out, err) && json_only_members(*out, known, err);
}

bool administration_text(const json_t *body, const char *member, const char *otherwise,
                         struct slice *out, struct err *err)
{
    const json_t *value = json_object_get(body, member);
    if (value == NULL && otherwise != NULL) {
        *out = slice_str(otherwise);
        return true;
    }
    if (!json_is_string(value)) {
        return err_set(err, ERR_INVALID, "\"%s\" must be a text", member);
    }
    *out = (struct slice){json_string_value(value), json_string_length(value)};
    return true;
}

bool administration_count(const json_t *body, const char *member, int64_t otherwise, int64_t *out,
                          struct err *err)
{
    const json_t *value = json_object_get(body, member);
    if (value == NULL && otherwise >= 0) {
        *out = otherwise;
        return true;
    }
    if (!json_is_integer(value) || json_integer_value(value) < 0) {
        return err_set(err, ERR_INVALID, "\"%s\" must be a whole number, 0 or more", member);
    }
    *out = json_integer_value(value);
    return true;
}

bool administration_flag(const json_t *body, const char *member, bool *out, struct err *err)
{
    const json_t *value = json_object_get(body, member);
    if (value != NULL && !json_is_boolean(value)) {
        return err_set(err, ERR_INVALID, "\"%s\" must be true or false", member);
    }
    *out = json_is_true(value);
    return true;
}

bool administration_namespace(const struct request *rq, struct namespace_name *out, struct err *err)
{
    return namespace_name_parse(rq->params[0], out, NULL) ||
           err_set(err, ERR_NAMESPACE_UNKNOWN, "");
}

bool administration_open(const struct request *rq, enum access_action action, struct db_tx **tx_out,
                         struct access_answer *out, struct err *err)
{
    struct namespace_name name;
    return administration_namespace(rq, &name, err) && db_snapshot(rq->app->db, tx_out, err) &&
           access_check_namespace(*tx_out, rq->identity, &name, action, out, err) &&
           access_require(rq->identity, out, err);
}

void administration_actor(const struct request *rq, struct actor *out)
{
    registry_actor(rq, out);
}

static bool has_right_still(struct db_tx *tx, const void *arg, struct err *err)
{
    const struct administration_right *right = arg;
    const struct identity *who = right->rq->identity;
    struct access_facts facts;
    if (!request_may_still(right->rq, tx, err) ||
        !access_facts_load(tx, who, &right->namespace_, &facts, err)) {
        return false;
    }
    return (right->actions & ~access_permitted(who, &facts)) == 0 ||
           err_set(err, ERR_DENIED,
                   "what you may do in %s changed while this request waited: this is no longer part of it",
                   right->namespace_.text);
}

void administration_actor_by_right(const struct administration_right *right, struct actor *out)
{
    registry_actor(right->rq, out);
    out->still = has_right_still;
    out->still_arg = right;
}

void administration_context(const struct request *rq, struct auth_context *out)
{
    *out = (struct auth_context){
        .address = rq->address,
        .user_agent = request_header(rq, "User-Agent"),
        .now_us = rq->now_us,
        .api = true,
    };
}

json_t *administration_time(int64_t us)
{
    char text[TIME_STR_MAX];
    return json_string(time_format(us - us % US_PER_SECOND, text));
}

void administration_reply_list(struct reply *reply, bool ok, const char *member, json_t *list,
                               const struct err *err)
{
    if (!ok) {
        json_decref(list);
        reply_error(reply, err);
        return;
    }
    reply_json(reply, 200, json_pack("{s:o}", member, list));
}

void administration_reply_warned(struct reply *reply, int status, json_t *value,
                                 const char *warning)
{
    if (warning[0]) {
        json_object_set_new(value, "warning", json_string(warning));
    }
    reply_json(reply, status, value);
    if (warning[0]) {
        reply_header(reply, "Warning", "299 - \"%s\"", warning);
    }
}

void administration_reply_told(struct reply *reply, int status, json_t *value)
{
    auto_json json_t *kept = json_incref(value);
    const char *warning = json_get_string(kept, "warning");
    reply_json(reply, status, value);
    if (warning) {
        reply_header(reply, "Warning", "299 - \"%s\"", warning);
    }
}

void administration_reply_done(struct reply *reply, bool ok, const struct err *err)
{
    if (ok) {
        reply_empty(reply, 204);
    } else {
        reply_error(reply, err);
    }
}
