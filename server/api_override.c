/* Overrides (break-glass, gate.md 14) by API: list, create, approve, end. */
#include "base/clock.h"
#include "base/duration.h"
#include "server/administration.h"
#include "server/api.h"
#include "server/app.h"
#include "server/metrics.h"
#include "server/registry.h"
#include "trust/override.h"

#define PAGE_SIZE 200

/* The gauge is counted anew after each change, and by maintenance as time goes on. */
static void count_active(const struct request *rq)
{
    auto_snapshot struct db_tx *tx = NULL;
    struct err err = {0};
    int64_t active = 0;
    if (db_snapshot(rq->app->db, &tx, &err) &&
        override_count_active(tx, rq->now_us, &active, &err)) {
        metrics_set(rq->app->metrics, METRIC_OVERRIDES_ACTIVE, active);
    }
}

static void answer(struct request *rq, struct reply *reply, bool ok, int status, struct override *o,
                   const char *warning, const struct err *err)
{
    if (!ok) {
        return reply_error(reply, err);
    }
    count_active(rq);
    administration_reply_warned(reply, status, override_json(o, rq->now_us), warning);
    override_dispose(o);
}

/* --- reading ---------------------------------------------------------------------------------- */

static bool read_id(const struct request *rq, int64_t *out, struct err *err)
{
    return (slice_to_int64(rq->params[1], out) && *out > 0) ||
           err_set(err, ERR_NOT_FOUND, "there is no such override here");
}

static bool read_before(const struct request *rq, int64_t *out, struct err *err)
{
    auto_buf struct buf last = {0};
    *out = 0;
    bool given = request_query(rq, "last", 0, &last);
    return !given || (slice_to_int64(buf_slice_of(&last), out) && *out > 0) ||
           err_set(err, ERR_REQUEST_INVALID, "the parameter last is the number a page ended with");
}

/* GET /api/v1/namespaces/NS/overrides?last=ID: newest first, for everybody who may pull there. */
void api_overrides_list(struct request *rq, struct reply *reply)
{
    auto_snapshot struct db_tx *tx = NULL;
    auto_override_list struct override_list page = {0};
    struct access_answer access;
    struct err err = {0};
    int64_t before = 0;
    if (!read_before(rq, &before, &err) ||
        !administration_open(rq, ACTION_PULL, &tx, &access, &err) ||
        !override_list_namespace(tx, access.facts.namespace_id, before, PAGE_SIZE, &page, &err)) {
        return reply_error(reply, &err);
    }
    json_t *list = json_array();
    for (size_t i = 0; i < page.count; i++) {
        json_array_append_new(list, override_json(&page.items[i], rq->now_us));
    }
    json_t *out = json_pack("{s:o}", "overrides", list);
    if (page.more) {
        json_object_set_new(out, "next",
                            json_sprintf("%lld", (long long)page.items[page.count - 1].id));
    }
    reply_json(reply, 200, out);
}

/* GET /api/v1/namespaces/NS/overrides/ID */
void api_overrides_get(struct request *rq, struct reply *reply)
{
    auto_snapshot struct db_tx *tx = NULL;
    auto_override struct override o = {0};
    struct access_answer access;
    struct err err = {0};
    int64_t id = 0;
    if (!read_id(rq, &id, &err) || !administration_open(rq, ACTION_PULL, &tx, &access, &err) ||
        !override_get(tx, access.facts.namespace_id, id, &o, &err)) {
        return reply_error(reply, &err);
    }
    reply_json(reply, 200, override_json(&o, rq->now_us));
}

/* --- changing --------------------------------------------------------------------------------- */

static bool may_override(struct db_tx *tx, const void *arg, int64_t *namespace_id_out,
                         struct err *err)
{
    const struct request *rq = arg;
    struct namespace_name name;
    struct access_answer access;
    if (!administration_namespace(rq, &name, err) ||
        !access_check_namespace(tx, rq->identity, &name, ACTION_OVERRIDE, &access, err) ||
        !access_require(rq->identity, &access, err)) {
        return false;
    }
    *namespace_id_out = access.facts.namespace_id;
    return true;
}

/* Asked before anything is looked at, and again inside the write. */
static bool set_right(const struct request *rq, struct exception_right *out, struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    int64_t unused = 0;
    *out = (struct exception_right){may_override, rq};
    return db_snapshot(rq->app->db, &tx, err) && may_override(tx, rq, &unused, err);
}

static bool read_repository(const struct request *rq, const json_t *body,
                            struct override_request *out, struct err *err)
{
    struct slice text;
    struct namespace_name ns, of_repo;
    if (!administration_namespace(rq, &ns, err) ||
        !administration_text(body, "repository", NULL, &text, err) ||
        !repo_name_parse(text, &out->repo, err)) {
        return false;
    }
    repo_name_namespace(&out->repo, &of_repo);
    return slice_equal(namespace_name_slice(&ns), namespace_name_slice(&of_repo)) ||
           err_set(err, ERR_INVALID, "\"repository\" must be one of namespace %s", ns.text);
}

static bool read_digest(const json_t *body, struct digest *out, struct err *err)
{
    struct slice text;
    if (!administration_text(body, "digest", NULL, &text, err)) {
        return false;
    }
    return digest_parse(text, out, NULL) ||
           err_set(err, ERR_INVALID,
                   "\"digest\" must be the exact digest of a manifest, sha256:…: an override "
                   "never names a tag or a pattern");
}

static bool read_times(const json_t *body, struct override_request *out, struct err *err)
{
    struct slice length, start;
    if (!administration_text(body, "duration", NULL, &length, err) ||
        !administration_text(body, "start", "", &start, err)) {
        return false;
    }
    if (!duration_read(length, &out->length_us) || out->length_us == DURATION_FOREVER) {
        return err_set(err, ERR_INVALID, "\"duration\" must be a length of time such as 90m or 4h");
    }
    if (start.n > 0 && (!time_parse(start, &out->start_us) || out->start_us <= 0)) {
        return err_set(err, ERR_INVALID, "\"start\" must be a time such as 2026-11-24T06:00:00Z");
    }
    return true;
}

/*   names   of OVERRIDE_IDENTITIES_MAX, borrowing from the body */
static bool read_identities(const json_t *body, struct slice *names, size_t *count, struct err *err)
{
    const json_t *list = json_get_array(body, "identities");
    *count = list ? json_array_size(list) : 0;
    if (*count == 0 || *count > OVERRIDE_IDENTITIES_MAX) {
        return err_set(err, ERR_INVALID, "\"identities\" must be a list of 1 to %d names",
                       OVERRIDE_IDENTITIES_MAX);
    }
    for (size_t i = 0; i < *count; i++) {
        const json_t *name = json_array_get(list, i);
        if (!json_is_string(name)) {
            return err_set(err, ERR_INVALID, "\"identities\" must hold names only");
        }
        names[i] = (struct slice){json_string_value(name), json_string_length(name)};
    }
    return true;
}

static bool read_request(const struct request *rq, json_t **body, struct slice *names,
                         struct override_request *out, struct err *err)
{
    static const char *const members[] = {"repository", "digest", "identities",
                                          "reason",     "ticket", "start",
                                          "duration",   "uses",   NULL};
    out->identities = names;
    return administration_body(rq, members, body, err) && read_repository(rq, *body, out, err) &&
           read_digest(*body, &out->digest, err) &&
           read_identities(*body, names, &out->identity_count, err) &&
           administration_text(*body, "reason", NULL, &out->reason, err) &&
           administration_text(*body, "ticket", NULL, &out->ticket, err) &&
           read_times(*body, out, err) &&
           administration_count(*body, "uses", 0, &out->max_uses, err);
}

/* POST /api/v1/namespaces/NS/overrides
 * {"repository","digest","identities":[…],"reason","ticket","duration","start","uses"} */
void api_overrides_create(struct request *rq, struct reply *reply)
{
    auto_json json_t *body = NULL;
    struct slice names[OVERRIDE_IDENTITIES_MAX];
    struct override o = {0};
    struct actor actor;
    char warning[EXCEPTION_WARNING_MAX] = "";
    struct err err = {0};
    struct override_request request = {.actor = &actor, .now_us = rq->now_us};
    administration_actor(rq, &actor);
    bool ok = set_right(rq, &request.right, &err) &&
              read_request(rq, &body, names, &request, &err) &&
              override_make(rq->app->trust, &request, &o, warning, &err);
    answer(rq, reply, ok, 201, &o, warning, &err);
}

typedef bool (*change_fn)(struct trust *trust, const struct override_change_request *request,
                          struct override *out, char warning[EXCEPTION_WARNING_MAX],
                          struct err *err);

static void change(struct request *rq, struct reply *reply, change_fn fn, struct slice why)
{
    struct override o = {0};
    struct actor actor;
    char warning[EXCEPTION_WARNING_MAX] = "";
    struct err err = {0};
    struct override_change_request request = {.why = why, .actor = &actor, .now_us = rq->now_us};
    administration_actor(rq, &actor);
    bool ok = set_right(rq, &request.right, &err) && read_id(rq, &request.id, &err) &&
              fn(rq->app->trust, &request, &o, warning, &err);
    answer(rq, reply, ok, 200, &o, warning, &err);
}

/* POST /api/v1/namespaces/NS/overrides/ID/approve */
void api_overrides_approve(struct request *rq, struct reply *reply)
{
    change(rq, reply, override_approve, (struct slice){0});
}

/* DELETE /api/v1/namespaces/NS/overrides/ID?reason= */
void api_overrides_end(struct request *rq, struct reply *reply)
{
    auto_buf struct buf why = {0};
    (void)request_query(rq, "reason", 0, &why);
    change(rq, reply, override_end, buf_slice_of(&why));
}
