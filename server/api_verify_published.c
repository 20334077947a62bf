/* The verify API's dry run of a publish: would these images be allowed if these documents were
 * published (gate.md 13)? Nothing is stored. */
#include "auth/access.h"
#include "server/administration.h"
#include "server/api.h"
#include "server/api_trust.h"
#include "server/app.h"
#include "server/multipart.h"
#include "server/registry.h"
#include "server/verify.h"
#include "trust/publish.h"

#include <stdio.h>

struct upload { /* documents as a Notary client would send them, or as members of JSON */
    struct multipart multipart;
    json_t *body, *images;
    struct upload_part *parts;
    size_t count;
};

static void upload_dispose(struct upload *u)
{
    multipart_dispose(&u->multipart);
    json_decref(u->body);
    json_decref(u->images);
    free(u->parts);
}
#define auto_upload __attribute__((cleanup(upload_dispose)))

/* --- reading ---------------------------------------------------------------------------------- */

static struct slice role_of(struct slice file)
{
    return slice_ends(file, ".json") ? slice_first(file, file.n - strlen(".json")) : file;
}

static bool read_multipart(const struct request *rq, struct upload *out, struct err *err)
{
    if (!multipart_parse(request_header(rq, "Content-Type"), rq->body, &out->multipart, err)) {
        return false;
    }
    out->parts = xcalloc(out->multipart.count + 1, sizeof *out->parts);
    for (size_t i = 0; i < out->multipart.count; i++) {
        const struct multipart_part *part = &out->multipart.parts[i];
        out->parts[out->count++] = (struct upload_part){
            .has_name = part->has_filename, .role = role_of(part->filename), .bytes = part->bytes};
    }
    out->images = json_array();
    auto_buf struct buf image = {0};
    for (int i = 0; i <= VERIFY_IMAGES_MAX && request_query(rq, "image", i, &image); i++) {
        json_array_append_new(out->images, json_stringn(image.p, image.n));
        buf_clear(&image);
    }
    return true;
}

static bool read_documents(const json_t *documents, struct upload *out, struct err *err)
{
    const char *role = NULL;
    json_t *text = NULL;
    if (!json_is_object(documents) || json_object_size(documents) > MULTIPART_PARTS_MAX) {
        return err_set(err, ERR_INVALID,
                       "\"documents\" must be an object: each role's name, and its document as a "
                       "text");
    }
    out->parts = xcalloc(json_object_size(documents) + 1, sizeof *out->parts);
    json_object_foreach((json_t *)documents, role, text)
    {
        if (!json_is_string(text)) {
            return err_set(err, ERR_INVALID,
                           "\"documents\" holds each document as a text, so that its bytes stay "
                           "as they were signed");
        }
        out->parts[out->count++] =
            (struct upload_part){.has_name = true,
                                 .role = role_of(slice_str(role)),
                                 .bytes = {json_string_value(text), json_string_length(text)}};
    }
    return true;
}

static bool read_json(struct question *q, struct upload *out, struct err *err)
{
    static const char *const members[] = {"images", "documents", "as", "platform", "explain", NULL};
    if (!publish_body_within(q->rq, err) ||
        !administration_body(q->rq, members, &out->body, err) ||
        !question_read_body(q, out->body, err)) {
        return false;
    }
    out->images = json_incref(json_object_get(out->body, "images"));
    return read_documents(json_object_get(out->body, "documents"), out, err);
}

static bool read_upload(struct question *q, struct question_texts *texts, struct upload *out,
                        struct err *err)
{
    struct slice type = slice_str(request_header(q->rq, "Content-Type"));
    bool ok = slice_starts(type, "multipart/")
                  ? question_read_query(q, texts, err) && read_multipart(q->rq, out, err)
                  : read_json(q, out, err);
    if (!ok || !question_images_check(out->images, err)) {
        return false;
    }
    return q->at_us == q->rq->now_us ||
           err_set(err, ERR_INVALID, "\"at\" and an upload cannot be asked about together");
}

/* --- trying ----------------------------------------------------------------------------------- */

/* Documents are of one repository, and so are the images. */
static bool find_repository(struct question *q, const json_t *images, struct repo_name *out,
                            struct err *err)
{
    for (size_t i = 0; i < json_array_size(images); i++) {
        const json_t *name = json_array_get(images, i);
        struct slice text = {json_string_value(name), json_string_length(name)};
        if (!image_name_parse(q->rq->app->trust, text, &q->image, err)) {
            return false;
        }
        if (i > 0 && strcmp(out->text, q->image.repo.text) != 0) {
            return err_set(err, ERR_INVALID,
                           "an upload is of one repository: ask about images of one only");
        }
        *out = q->image.repo;
    }
    return question_may_read(q, err);
}

/* As for the publish itself. */
static bool rights(const struct question *q, struct publish_request *out, struct err *err)
{
    const struct identity *who = q->rq->identity;
    struct access_answer sign = {0}, administer = {0};
    if (!access_check(q->tx, who, &out->repo, ACTION_SIGN, false, &sign, err) ||
        !access_check(q->tx, who, &out->repo, ACTION_TRUST_ADMIN, false, &administer, err)) {
        return false;
    }
    if (sign.result != ACCESS_ALLOWED) {
        return err_set(err, ERR_DENIED,
                       "trying a publish needs the right to publish here: have a member with the "
                       "signer's mark do it");
    }
    out->may_administer = administer.result == ACCESS_ALLOWED;
    out->is_owner = administer.facts.role == MEMBER_OWNER || who->administrator ||
                    who->kind == IDENTITY_CONTROL;
    return true;
}

static json_t *accepted_json(const struct publish_verdict *v)
{
    json_t *warnings = json_array();
    for (int i = 0; v && i < v->warning_count; i++) {
        json_array_append_new(warnings, json_string(v->warnings[i]));
    }
    return json_pack("{s:b, s:o}", "accepted", 1, "warnings", warnings);
}

static json_t *refused_json(const struct publish_verdict *v)
{
    return json_pack("{s:b, s:s, s:s, s:s}", "accepted", 0, "name", publish_verdict_word(v),
                     "reason", v->reason, "message", v->msg);
}

/* What will not be published releases nothing: each image is denied, whatever it is now. */
static json_t *refused_results(const struct publish_verdict *v, const json_t *images)
{
    json_t *results = json_array();
    auto_buf struct buf message = {0};
    buf_printf(&message, "content trust: these documents would not be accepted: %s", v->msg);
    for (size_t i = 0; i < json_array_size(images); i++) {
        json_array_append_new(results, json_pack("{s:O, s:b, s:s, s:s, s:s, s:n, s:n}", "image",
                                                 json_array_get(images, i), "allowed", 0, "effect",
                                                 "deny", "reason", "publish_refused", "message",
                                                 message.p, "digest", "pinned"));
    }
    return results;
}

/* In a snapshot of its own: a thread has one at a time, and the dry run takes another. */
static bool may_try(struct question *q, const json_t *images, struct publish_request *out,
                    struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    if (!db_snapshot(q->rq->app->db, &tx, err)) {
        return false;
    }
    q->tx = tx;
    bool may = find_repository(q, images, &out->repo, err) && rights(q, out, err);
    q->tx = NULL;
    return may;
}

static bool answer_accepted(struct question *q, const struct publish_verdict *verdict,
                            const json_t *images, json_t **out, struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    if (!db_snapshot(q->rq->app->db, &tx, err)) {
        return false;
    }
    q->tx = tx;
    *out = json_pack("{s:o, s:o}", "if_published", accepted_json(verdict), "results",
                     question_answers(q, images));
    return true;
}

static bool try_publish(struct question *q, const struct upload *u, json_t **out, struct err *err)
{
    struct actor actor;
    struct publish_verdict *verdict = NULL;
    struct publish_request request = {
        .parts = u->parts, .part_count = u->count, .actor = &actor, .now_us = q->rq->now_us};
    registry_actor(q->rq, &actor);
    if (!may_try(q, u->images, &request, err)) {
        return false;
    }
    bool ok = false;
    if (publish_try(q->rq->app->trust, &request, &verdict, &q->published, err)) {
        ok = answer_accepted(q, verdict, u->images, out, err);
    } else if (verdict) {
        ok = true;
        *out = json_pack("{s:o, s:o}", "if_published", refused_json(verdict), "results",
                         refused_results(verdict, u->images));
    }
    publish_verdict_free(verdict);
    return ok;
}

/* POST /api/v1/deploy/verify/if_published: documents as multipart with ?image=, or JSON
 * {"images":[…],"documents":{"targets":"…"}} */
void api_deploy_verify_published(struct request *rq, struct reply *reply)
{
    auto_upload struct upload upload = {.count = 0};
    auto_question_texts struct question_texts texts = {0};
    auto_question struct question q = {.rq = rq};
    json_t *answer = NULL;
    struct err err = {0};
    if (!read_upload(&q, &texts, &upload, &err)) {
        reply_error(reply, &err);
        return;
    }
    if (!publish_turn(rq, reply, "publishes")) {
        return; /* a dry run costs what a publish costs (attacks P-19) */
    }
    if (!try_publish(&q, &upload, &answer, &err)) {
        reply_error(reply, &err);
        return;
    }
    reply_json(reply, 200, answer);
    reply_header(reply, "Cache-Control", "no-store");
}
