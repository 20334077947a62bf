/* Deployments: which image each service was given (docs/deployer.md). */
#include "server/administration.h"
#include "server/api.h"
#include "server/api_refusal.h"
#include "server/api_trust.h"
#include "server/app.h"
#include "server/deployment.h"
#include "server/registry.h"
#include "storage/audit.h"

#include <stdio.h>

#define IMAGE_TEXT_MAX 600
#define LIST_MAX 200

/* --- a release as JSON ------------------------------------------------------------------------ */

static json_t *text_or_null(const char *text)
{
    return text[0] ? json_string(text) : json_null();
}

static json_t *reference(const struct request *rq, const struct release *r, bool pinned)
{
    struct image_name image = {.has_digest = pinned, .digest = r->digest};
    auto_buf struct buf text = {0};
    if (!repo_name_parse(slice_str(r->repository), &image.repo, NULL) || (!pinned && !r->tag[0])) {
        return json_null();
    }
    image.has_tag = !pinned && tag_name_parse(slice_str(r->tag), &image.tag, NULL);
    image_name_write(rq->app->trust, &image, &text);
    return json_string(text.p);
}

static json_t *release_json(const struct request *rq, const struct release *r)
{
    char digest[DIGEST_STR_MAX];
    json_t *out = json_pack("{s:s, s:I, s:b, s:s, s:o, s:o, s:s}", "service", r->service.text,
                            "release", (json_int_t)r->number, "current", (int)r->is_current,
                            "repository", r->repository, "image", reference(rq, r, false), "pinned",
                            reference(rq, r, true), "digest", digest_format(&r->digest, digest));
    json_object_set_new(out, "created", administration_time(r->created_us));
    json_object_set_new(out, "by", json_string(r->created_by));
    json_object_set_new(out, "reason", json_string(r->reason));
    json_object_set_new(out, "decision", text_or_null(r->decision));
    json_object_set_new(out, "rollback_of",
                        r->rollback_of ? json_integer((json_int_t)r->rollback_of) : json_null());
    json_object_set_new(out, "notes", json_string(r->notes));
    return out;
}

static json_t *releases_json(const struct request *rq, const struct release_list *list)
{
    json_t *out = json_array();
    for (size_t i = 0; i < list->count; i++) {
        json_array_append_new(out, release_json(rq, &list->items[i]));
    }
    return out;
}

/* --- deploying -------------------------------------------------------------------------------- */

/* Text that people read, from somebody who may be anybody: no control characters. */
static bool read_notes(const json_t *body, struct release *out, struct err *err)
{
    struct slice notes;
    if (!administration_text(body, "notes", "", &notes, err)) {
        return false;
    }
    if (notes.n > RELEASE_NOTES_MAX) {
        return err_set(err, ERR_INVALID, "\"notes\" has at most %d bytes", RELEASE_NOTES_MAX);
    }
    for (size_t i = 0; i < notes.n; i++) {
        if ((unsigned char)notes.p[i] < 0x20 && notes.p[i] != '\n' && notes.p[i] != '\t') {
            return err_set(err, ERR_INVALID, "\"notes\" has no control characters");
        }
    }
    memcpy(out->notes, notes.p, notes.n);
    out->notes[notes.n] = '\0';
    return true;
}

/* Each is kept for good, with its record. */
static void reply_deployment(struct deployment *d, struct reply *reply)
{
    struct err err = {0};
    if (!publish_turn(d->rq, reply, "deployments")) {
        return;
    }
    switch (deployment_run(d, &err)) {
    case DEPLOYMENT_DONE: {
        json_t *out = release_json(d->rq, &d->release);
        if (d->decision.warning[0]) {
            json_object_set_new(out, "warning", json_string(d->decision.warning));
        }
        reply_json(reply, 201, out);
        return;
    }
    case DEPLOYMENT_REFUSED:
        reply_refusal(d->rq, reply, &d->decision);
        return;
    case DEPLOYMENT_AGAIN:
        return;
    case DEPLOYMENT_FAILED:
        break;
    }
    reply_error(reply, &err);
}

static bool read_deployment(const struct request *rq, json_t **body, struct deployment *d,
                            struct err *err)
{
    static const char *const members[] = {"service", "image", "notes", NULL};
    struct slice service;
    struct slice image;
    if (!administration_body(rq, members, body, err) ||
        !administration_text(*body, "service", NULL, &service, err) ||
        !administration_text(*body, "image", NULL, &image, err)) {
        return false;
    }
    if (image.n > IMAGE_TEXT_MAX) {
        return err_set(err, ERR_INVALID, "an image name has at most %d bytes", IMAGE_TEXT_MAX);
    }
    return service_name_parse(service, &d->release.service, err) &&
           image_name_parse(rq->app->trust, image, &d->image, err) &&
           read_notes(*body, &d->release, err);
}

/* POST /api/v1/deployments {"service","image"[,"notes"]} */
void api_deployments_create(struct request *rq, struct reply *reply)
{
    auto_json json_t *body = NULL;
    struct deployment d = {.rq = rq};
    struct err err = {0};
    if (!read_deployment(rq, &body, &d, &err)) {
        reply_error(reply, &err);
        return;
    }
    reply_deployment(&d, reply);
}

/* --- what the addresses name ------------------------------------------------------------------ */

/* {1} namespace, {2} service. What cannot be a service's name names none. */
static bool read_service(const struct request *rq, struct service_name *out, struct err *err)
{
    return service_name_parse(rq->params[1], out, NULL) ||
           err_set(err, ERR_NOT_FOUND, "there is no such service here");
}

/* {3} */
static bool read_number(const struct request *rq, int64_t *out, struct err *err)
{
    return (slice_to_int64(rq->params[2], out) && *out > 0) ||
           err_set(err, ERR_NOT_FOUND, "a release is named by its number");
}

/* --- rollback --------------------------------------------------------------------------------- */

static bool find_release(const struct request *rq, const struct service_name *service,
                         int64_t number, struct release *out, struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    struct access_answer answer;
    return administration_open(rq, ACTION_DEPLOY, &tx, &answer, err) &&
           release_get(tx, answer.facts.namespace_id, service, number, out, err);
}

/* The digest of then, asked for as it was asked for then. */
static bool image_of(const struct release *r, struct image_name *out, struct err *err)
{
    *out =
        (struct image_name){.has_tag = r->tag[0] != '\0', .has_digest = true, .digest = r->digest};
    return repo_name_parse(slice_str(r->repository), &out->repo, err) &&
           (!out->has_tag || tag_name_parse(slice_str(r->tag), &out->tag, err));
}

/* POST /api/v1/deployments/NS/SERVICE/rollback {"release"[,"notes"]} */
void api_deployments_rollback(struct request *rq, struct reply *reply)
{
    static const char *const members[] = {"release", "notes", NULL};
    auto_json json_t *body = NULL;
    struct release old;
    struct deployment d = {.rq = rq};
    struct err err = {0};
    int64_t number = 0;
    if (!read_service(rq, &d.release.service, &err) ||
        !administration_body(rq, members, &body, &err) ||
        !administration_count(body, "release", -1, &number, &err) ||
        !read_notes(body, &d.release, &err) ||
        !find_release(rq, &d.release.service, number, &old, &err) ||
        !image_of(&old, &d.image, &err)) {
        reply_error(reply, &err);
        return;
    }
    d.release.rollback_of = number;
    reply_deployment(&d, reply);
}

/* --- reading ---------------------------------------------------------------------------------- */

/* GET /api/v1/deployments/NS: its services, each with the current release; ?last=SERVICE goes on */
void api_deployments_list(struct request *rq, struct reply *reply)
{
    auto_snapshot struct db_tx *tx = NULL;
    auto_release_list struct release_list list = {0};
    auto_buf struct buf last = {0};
    struct access_answer answer;
    struct err err = {0};
    (void)request_query(rq, "last", 0, &last);
    bool ok =
        administration_open(rq, ACTION_PULL, &tx, &answer, &err) &&
        service_list(tx, answer.facts.namespace_id, buf_slice_of(&last), LIST_MAX, &list, &err);
    administration_reply_list(reply, ok, "services", releases_json(rq, &list), &err);
}

static bool read_before(const struct request *rq, int64_t *out, struct err *err)
{
    auto_buf struct buf text = {0};
    *out = 0;
    bool given = request_query(rq, "before", 0, &text);
    return !given || (slice_to_int64(buf_slice_of(&text), out) && *out > 0) ||
           err_set(err, ERR_REQUEST_INVALID, "the parameter before is the number of a release");
}

/* GET /api/v1/deployments/NS/SERVICE: its releases, newest first; ?before=NUMBER goes on */
void api_deployments_get(struct request *rq, struct reply *reply)
{
    auto_snapshot struct db_tx *tx = NULL;
    auto_release_list struct release_list list = {0};
    struct service_name service;
    struct access_answer answer;
    struct err err = {0};
    int64_t before = 0;
    bool ok = read_before(rq, &before, &err) &&
              administration_open(rq, ACTION_PULL, &tx, &answer, &err) &&
              read_service(rq, &service, &err) &&
              release_list(tx, answer.facts.namespace_id, &service, before, LIST_MAX, &list, &err);
    if (ok && list.count == 0 && before == 0) {
        ok = err_set(&err, ERR_NOT_FOUND, "there is no service %s here", service.text);
    }
    administration_reply_list(reply, ok, "releases", releases_json(rq, &list), &err);
}

/* --- changing --------------------------------------------------------------------------------- */

struct change {
    const struct request *rq;
    struct namespace_name ns;
    struct service_name service;
    int64_t number; /* 0: the service as a whole */
    struct actor actor;
    struct slice notes;
    struct release before, after; /* out */
};

static bool read_change(const struct request *rq, struct change *c, bool with_number,
                        struct err *err)
{
    *c = (struct change){.rq = rq};
    administration_actor(rq, &c->actor);
    return administration_namespace(rq, &c->ns, err) && read_service(rq, &c->service, err) &&
           (!with_number || read_number(rq, &c->number, err));
}

static bool may(struct db_tx *tx, const struct change *c, enum access_action action,
                int64_t *namespace_id, struct err *err)
{
    struct access_answer answer;
    if (!access_check_namespace(tx, c->rq->identity, &c->ns, action, &answer, err) ||
        !access_require(c->rq->identity, &answer, err)) {
        return false;
    }
    *namespace_id = answer.facts.namespace_id;
    return true;
}

static void write_object(const struct change *c, struct buf *out)
{
    buf_printf(out, "%s/%s", c->ns.text, c->service.text);
    if (c->number) {
        buf_printf(out, " %lld", (long long)c->number);
    }
}

static void write_notes_json(const struct release *r, struct buf *out)
{
    auto_json json_t *notes = json_pack("{s:s}", "notes", r->notes);
    json_write(out, notes);
}

static bool audit_notes(struct db_tx *tx, const struct change *c, int64_t namespace_id,
                        struct err *err)
{
    auto_buf struct buf object = {0}, before = {0}, after = {0};
    write_object(c, &object);
    write_notes_json(&c->before, &before);
    write_notes_json(&c->after, &after);
    const struct audit_entry entry = {.action = "release.notes",
                                      .namespace_id = namespace_id,
                                      .object = buf_slice_of(&object),
                                      .outcome = AUDIT_OK,
                                      .before = buf_slice_of(&before),
                                      .after = buf_slice_of(&after)};
    return audit_append(tx, &c->actor, &entry, c->rq->now_us, err);
}

static bool write_notes(struct db_tx *tx, void *arg, struct err *err)
{
    struct change *c = arg;
    int64_t id = 0;
    return may(tx, c, ACTION_DEPLOY, &id, err) &&
           release_get(tx, id, &c->service, c->number, &c->before, err) &&
           release_set_notes(tx, id, &c->service, c->number, c->notes, err) &&
           release_get(tx, id, &c->service, c->number, &c->after, err) &&
           audit_notes(tx, c, id, err);
}

/* PATCH /api/v1/deployments/NS/SERVICE/RELEASE {"notes"} */
void api_deployments_note(struct request *rq, struct reply *reply)
{
    static const char *const members[] = {"notes", NULL};
    auto_json json_t *body = NULL;
    struct change c;
    struct release given;
    struct err err = {0};
    bool ok = read_change(rq, &c, true, &err) && administration_body(rq, members, &body, &err) &&
              read_notes(body, &given, &err);
    c.notes = ok ? slice_str(given.notes) : (struct slice){0};
    ok = ok && db_write(rq->app->db, write_notes, &c, &err);
    if (!ok) {
        reply_error(reply, &err);
        return;
    }
    reply_json(reply, 200, release_json(rq, &c.after));
}

static bool audit_removal(struct db_tx *tx, const struct change *c, int64_t namespace_id,
                          struct err *err)
{
    auto_buf struct buf object = {0};
    write_object(c, &object);
    const struct audit_entry entry = {.action = c->number ? "release.remove" : "service.remove",
                                      .namespace_id = namespace_id,
                                      .object = buf_slice_of(&object),
                                      .outcome = AUDIT_OK};
    return audit_append(tx, &c->actor, &entry, c->rq->now_us, err);
}

static bool write_removal(struct db_tx *tx, void *arg, struct err *err)
{
    const struct change *c = arg;
    int64_t id = 0;
    if (!may(tx, c, ACTION_DELETE, &id, err)) {
        return false;
    }
    bool ok = c->number ? release_remove(tx, id, &c->service, c->number, err)
                        : service_remove(tx, id, &c->service, err);
    return ok && audit_removal(tx, c, id, err);
}

static void remove_one(struct request *rq, struct reply *reply, bool with_number)
{
    struct change c;
    struct err err = {0};
    bool ok =
        read_change(rq, &c, with_number, &err) && db_write(rq->app->db, write_removal, &c, &err);
    administration_reply_done(reply, ok, &err);
}

/* DELETE /api/v1/deployments/NS/SERVICE/RELEASE */
void api_deployments_remove(struct request *rq, struct reply *reply)
{
    remove_one(rq, reply, true);
}

/* DELETE /api/v1/deployments/NS/SERVICE: all its releases */
void api_deployments_remove_service(struct request *rq, struct reply *reply)
{
    remove_one(rq, reply, false);
}
