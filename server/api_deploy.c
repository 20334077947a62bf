/* The verify API (gate.md 13): would a deployer get this image? The same decision as at the pull
 * door, formatted. */
#include "auth/access.h"
#include "auth/live.h"
#include "base/clock.h"
#include "server/administration.h"
#include "server/api.h"
#include "server/api_refusal.h"
#include "server/app.h"
#include "server/image_name.h"
#include "server/record.h"
#include "server/registry.h"
#include "server/verify.h"
#include "storage/manifest.h"
#include "storage/tag.h"

#include <stdio.h>

#define IMAGE_TEXT_MAX 600
#define PLATFORMS_SHOWN_MAX 16 /* in a sentence */

/* --- the image -------------------------------------------------------------------------------- */

/* Whether a name begins with a registry, as docker tells one from a namespace. */
static bool begins_with_host(struct slice text)
{
    ptrdiff_t slash = slice_index(text, '/');
    struct slice first = slice_first(text, slash > 0 ? (size_t)slash : 0);
    return slice_index(first, '.') >= 0 || slice_index(first, ':') >= 0 ||
           slice_is(first, "localhost");
}

/* An image that is not found because it names another registry: say which one this is (gate.md
 * 11.4). Namespaces may look like hosts, so the name is looked up first. */
static void explain_host(const struct trust *trust, struct slice text, struct err *err)
{
    bool missing = err->code == ERR_NAME_UNKNOWN || err->code == ERR_NAME_INVALID;
    if (missing && begins_with_host(text) && !trust_gun_is_own(trust, text)) {
        (void)err_set(err, ERR_NAME_UNKNOWN,
                      "no such image here: it names another registry; this one signs as %s",
                      trust_host(trust));
    }
}

/* --- whom the answer is for ------------------------------------------------------------------- */

/* Who may not pull here gets no image, signed or not: the answer is that of its pull. */
static bool named_may_pull(struct question *q, const struct identity *who, bool disabled,
                           struct err *err)
{
    struct access_answer answer;
    if (!access_check(q->tx, who, &q->image.repo, ACTION_PULL, false, &answer, err)) {
        return false;
    }
    return (answer.result == ACCESS_ALLOWED && !disabled) ||
           err_set(err, ERR_NAME_UNKNOWN, "no such image for %.*s: it may not pull from %s",
                   SLICE_FMT(q->as), q->image.repo.text);
}

static bool caller_named(struct question *q, struct err *err)
{
    struct account account;
    struct identity who;
    const struct identity *self = q->rq->identity;
    if (slice_is(q->as, self->name)) {
        return registry_gate_caller_of(self, q->tx, &q->image.repo, &q->caller, err);
    }
    if (!access_is_admin(self)) {
        return err_set(err, ERR_DENIED, "only an administrator may ask as somebody else");
    }
    if (!account_get_by_name(q->tx, q->as, &account, err)) {
        return false;
    }
    live_identity(&account, &who);
    return named_may_pull(q, &who, account.disabled, err) &&
           registry_gate_caller_of(&who, q->tx, &q->image.repo, &q->caller, err);
}

/* Without `as` the question is that of a deployer, whoever asks: that is what the answer is for. Of
 * no particular one, unless one asks, so that nobody's override counts. */
static bool set_caller(struct question *q, struct err *err)
{
    const struct identity *self = q->rq->identity;
    q->caller = (struct gate_caller){.gated = true,
                                     .account_id = self->gated ? self->account_id : 0};
    if (q->as.n > 0 && !caller_named(q, err)) {
        return false;
    }
    registry_gate_told(q->rq, &q->caller);
    return true;
}

/* --- the decision ----------------------------------------------------------------------------- */

bool question_may_read(struct question *q, struct err *err)
{
    struct access_answer answer;
    if (!access_check(q->tx, q->rq->identity, &q->image.repo, ACTION_PULL, false, &answer, err)) {
        return false;
    }
    return answer.result == ACCESS_ALLOWED || access_is_admin(q->rq->identity) ||
           err_set(err, ERR_NAME_UNKNOWN, "");
}

/* True when the answer is not about what is: another moment, or an upload that is not stored. */
static bool is_supposed(const struct question *q)
{
    return q->at_us != q->rq->now_us || q->view || q->published;
}

/* Such a question is decided by a view of its own, once made for all images of a repository. */
static bool suppose(struct question *q, struct err *err)
{
    if (!is_supposed(q)) {
        return true;
    }
    if (!q->view || q->view_repository != q->repo.id) {
        struct gate_assumption assume = {.published = take(q->published),
                                         .present_us = q->rq->now_us};
        gate_view_unref(q->view);
        bool ok =
            gate_view_assume(q->rq->app->trust, q->tx, &q->repo, q->at_us, &assume, &q->view, err);
        trust_state_free(assume.published);
        if (!ok) {
            return false;
        }
        q->view_repository = q->repo.id;
    }
    q->caller.view = q->view;
    return true;
}

static void decide_by_tag(struct question *q)
{
    struct tag current;
    struct err why = {0};
    bool exists = tag_get(q->tx, q->repo.id, &q->image.tag, &current, &why);
    if (!exists && why.code != ERR_TAG_UNKNOWN) {
        return; /* the zero decision: could not decide */
    }
    gate_decide_tag(q->rq->app->trust, q->tx, &q->caller, &q->repo, &q->repo.name, &q->image.tag,
                    exists ? &current : NULL, -1, q->at_us, &q->decision);
}

static void decide(struct question *q)
{
    struct trust *trust = q->rq->app->trust;
    if (q->image.has_tag && q->image.has_digest) {
        gate_decide_tag_and_digest(trust, q->tx, &q->caller, &q->repo, &q->repo.name, &q->image.tag,
                                   &q->image.digest, q->at_us, &q->decision);
    } else if (q->image.has_digest) {
        gate_decide_digest(trust, q->tx, &q->caller, &q->repo, &q->repo.name, &q->image.digest,
                           q->at_us, &q->decision);
    } else {
        decide_by_tag(q);
    }
}

/* --- the answer ------------------------------------------------------------------------------- */

static json_t *digest_json(const struct digest *digest)
{
    char text[DIGEST_STR_MAX];
    return digest_is_set(digest) ? json_string(digest_format(digest, text)) : json_null();
}

/* docker's rule: a platform without a variant takes one with any. */
static bool platform_matches(struct slice wanted, const char *platform)
{
    struct slice there = slice_str(platform);
    return wanted.n == 0 || slice_equal(wanted, there) ||
           (there.n > wanted.n && there.p[wanted.n] == '/' &&
            slice_equal(wanted, slice_first(there, wanted.n)));
}

/* An index without the platform that is asked for is no image for it. */
static bool has_platform(const struct question *q, struct err *err)
{
    auto_manifest struct manifest *m = NULL;
    auto_manifest_doc struct manifest_doc *doc = NULL;
    auto_buf struct buf there = {0};
    int shown = 0;
    const struct decision *d = &q->decision;
    if (q->platform.n == 0 || d->effect != EFFECT_ALLOW ||
        !manifest_get(q->tx, q->repo.id, &d->serve, &m, NULL) ||
        !manifest_parse(manifest_content(m), slice_str(m->info.media_type), &doc, NULL) ||
        doc->form != MANIFEST_INDEX) {
        return true; /* one manifest is taken whatever it is for, as clients take it */
    }
    for (size_t i = 0; i < doc->edge_count; i++) {
        const struct manifest_edge *e = &doc->edges[i];
        if (e->kind != EDGE_CHILD || !e->platform[0]) {
            continue;
        }
        if (platform_matches(q->platform, e->platform)) {
            return true;
        }
        if (shown++ < PLATFORMS_SHOWN_MAX) {
            buf_printf(&there, "%s%s", there.n ? ", " : "", e->platform);
        }
    }
    return err_set(err, ERR_MANIFEST_UNKNOWN, "the image is not for %.*s; it is for %s",
                   SLICE_FMT(q->platform), there.n ? there.p : "no platform that it names");
}

static json_t *platforms_of(struct question *q, const struct digest *digest)
{
    json_t *list = json_array();
    auto_manifest struct manifest *m = NULL;
    auto_manifest_doc struct manifest_doc *doc = NULL;
    if (!digest_is_set(digest) || !manifest_get(q->tx, q->repo.id, digest, &m, NULL) ||
        !manifest_parse(manifest_content(m), slice_str(m->info.media_type), &doc, NULL)) {
        return list;
    }
    for (size_t i = 0; i < doc->edge_count; i++) {
        const struct manifest_edge *e = &doc->edges[i];
        bool wanted = platform_matches(q->platform, e->platform);
        if (e->kind == EDGE_CHILD && e->platform[0] && wanted) {
            json_array_append_new(list, json_pack("{s:s, s:o}", "platform", e->platform, "digest",
                                                  digest_json(&e->digest)));
        }
    }
    return list;
}

static json_t *signers_json(const struct decision *d)
{
    json_t *list = json_array();
    for (int i = 0; i < d->signer_count; i++) {
        json_array_append_new(list, json_pack("{s:s, s:b}", "name", d->signers[i], "signed", 1));
    }
    for (int i = 0; i < d->missing_count; i++) {
        json_array_append_new(list, json_pack("{s:s, s:b}", "name", d->missing[i], "signed", 0));
    }
    return list;
}

static json_t *pinned_json(const struct question *q)
{
    auto_buf struct buf text = {0};
    char digest[DIGEST_STR_MAX];
    if (q->decision.effect != EFFECT_ALLOW || !digest_is_set(&q->decision.serve)) {
        return json_null();
    }
    trust_gun_write(q->rq->app->trust, &q->image.repo, &text);
    buf_printf(&text, "@%s", digest_format(&q->decision.serve, digest));
    return json_string(text.p);
}

static void allow_message(const struct question *q, struct buf *out)
{
    const struct decision *d = &q->decision;
    if (d->warning[0]) {
        buf_str(out, d->warning);
    } else if (d->reason == REASON_ALLOWED && d->role[0]) {
        buf_printf(out, "content trust: %s:%s is signed (role %s)", d->repo, d->tag, d->role);
    } else if (d->reason == REASON_ALLOWED) {
        buf_printf(out, "content trust: signed in %s, or part of a signed image", d->repo);
    } else if (d->reason == REASON_SUPERSEDED) {
        buf_printf(out, "content trust: signed in %s until it was replaced, and within grace",
                   d->repo);
    } else {
        buf_str(out, "content trust: the gate does not apply");
    }
}

static json_t *verdict_json(struct question *q)
{
    const struct decision *d = &q->decision;
    auto_buf struct buf image = {0}, message = {0};
    bool allowed = d->effect == EFFECT_ALLOW;
    image_name_write(q->rq->app->trust, &q->image, &image);
    if (allowed) {
        allow_message(q, &message);
    } else {
        buf_str(&message, d->message);
    }
    const struct digest *shown = allowed ? &d->serve : &d->signed_digest;
    json_t *out =
        json_pack("{s:s, s:b, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o}", "image", image.p, "allowed",
                  (int)allowed, "effect", allowed ? "allow" : "deny", "reason",
                  gate_reason_info(d->reason)->name, "message", message.p, "digest",
                  allowed ? digest_json(&d->serve) : json_null(), "pinned", pinned_json(q),
                  "signed_digest", digest_json(&d->signed_digest), "registry_digest",
                  digest_json(&d->registry_digest), "platforms", platforms_of(q, shown));
    json_object_set_new(out, "role", d->role[0] ? json_string(d->role) : json_null());
    json_object_set_new(out, "signers", signers_json(d));
    json_object_set_new(out, "valid_until",
                        d->valid_until_us > 0 && d->valid_until_us < INT64_MAX
                            ? administration_time(d->valid_until_us)
                            : json_null());
    if (q->at_us != q->rq->now_us) {
        json_object_set_new(out, "at", administration_time(q->at_us));
    }
    json_object_set_new(out, "policy", json_string(d->policy_scope));
    json_object_set_new(out, "decision", d->record[0] ? json_string(d->record) : json_null());
    json_object_set_new(out, "detail", decision_detail(d));
    if (q->explain) {
        json_object_set_new(out, "explain",
                            gate_explain_for(q->rq->app->trust, q->tx, &q->caller, &q->repo,
                                             &q->repo.name, d, q->at_us));
    }
    return out;
}

/* What is no verdict is an error: no such image (404), not decidable now (503). */
static bool is_verdict(const struct decision *d, struct err *err)
{
    if (d->reason == REASON_UNKNOWN && d->effect == EFFECT_DENY) {
        return err_set(err, ERR_MANIFEST_UNKNOWN, "no such image");
    }
    if (d->reason == REASON_INDETERMINATE) {
        return err_set(err, ERR_INDETERMINATE, "%s", d->message);
    }
    return true;
}

static bool open_question(struct question *q, struct slice text, struct err *err)
{
    return image_name_parse(q->rq->app->trust, text, &q->image, err) && question_may_read(q, err) &&
           set_caller(q, err) && repository_get(q->tx, &q->image.repo, &q->repo, err) &&
           suppose(q, err);
}

/* An answer that is about what is has a record, and counts. */
static bool note_decision(struct question *q, int64_t began_us, struct err *err)
{
    auto_buf struct buf as = {0};
    if (is_supposed(q)) {
        return true;
    }
    buf_put(&as, q->as.p, q->as.n);
    const struct record record = {.rq = q->rq,
                                  .tx = q->tx,
                                  .door = "verify",
                                  .caller = &q->caller,
                                  .repo = &q->repo,
                                  .began_us = began_us,
                                  .as = q->as.n > 0 ? as.p : NULL};
    if (!record_decision(&record, &q->decision)) {
        return err_internal(err, "the verify API does not run on a worker");
    }
    registry_count_decision(q->rq, "verify", &q->decision);
    return true;
}

bool question_answer(struct question *q, struct slice text, json_t **out, struct err *err)
{
    *out = NULL;
    q->decision = (struct decision){.effect = EFFECT_DENY};
    if (text.n > IMAGE_TEXT_MAX) {
        return err_set(err, ERR_INVALID, "an image name has at most %d bytes", IMAGE_TEXT_MAX);
    }
    if (!open_question(q, text, err)) {
        explain_host(q->rq->app->trust, text, err);
        return false;
    }
    int64_t began_us = clock_mono_us();
    decide(q);
    if (!note_decision(q, began_us, err) || !is_verdict(&q->decision, err) ||
        !has_platform(q, err)) {
        return false;
    }
    *out = verdict_json(q);
    return true;
}

/* --- several images --------------------------------------------------------------------------- */

static const char *failure_word(enum err_code code)
{
    enum err_class class_ = err_info(code)->class_;
    if (class_ == ERR_CLASS_BUSY || class_ == ERR_CLASS_INTERNAL) {
        return "indeterminate";
    }
    return err_info(code)->status == 404 ? "unknown" : "invalid";
}

static json_t *item(struct question *q, const json_t *name)
{
    struct err err = {0};
    json_t *verdict = NULL;
    struct slice text = {json_string_value(name), json_string_length(name)};
    if (question_answer(q, text, &verdict, &err)) {
        return verdict;
    }
    const char *word = failure_word(err.code);
    return json_pack("{s:O, s:b, s:s, s:s, s:s, s:n, s:n}", "image", name, "allowed", 0, "effect",
                     word, "reason", word, "message",
                     err.msg[0] ? err.msg : err_info(err.code)->sentence, "digest", "pinned");
}

json_t *question_answers(struct question *q, const json_t *images)
{
    json_t *results = json_array();
    for (size_t i = 0; i < json_array_size(images); i++) {
        json_array_append_new(results, item(q, json_array_get(images, i)));
    }
    return results;
}

/* --- the routes ------------------------------------------------------------------------------- */

/* GET /api/v1/deploy/verify?image=[&platform=][&as=][&at=][&explain=1] */
void api_deploy_verify(struct request *rq, struct reply *reply)
{
    auto_snapshot struct db_tx *tx = NULL;
    auto_buf struct buf image = {0};
    auto_question_texts struct question_texts texts = {0};
    auto_question struct question q = {.rq = rq};
    struct err err = {0};
    json_t *verdict = NULL;
    if (!request_query(rq, "image", 0, &image)) {
        (void)err_set(&err, ERR_INVALID, "the parameter image is needed: ?image=ns/app:tag");
        reply_error(reply, &err);
        return;
    }
    if (!question_read_query(&q, &texts, &err) || !db_snapshot(rq->app->db, &tx, &err)) {
        reply_error(reply, &err);
        return;
    }
    q.tx = tx;
    if (!question_answer(&q, buf_slice_of(&image), &verdict, &err)) {
        reply_error(reply, &err);
        return;
    }
    reply_json(reply, 200, verdict);
    reply_header(reply, "Cache-Control", "no-store");
}

/* POST /api/v1/deploy/verify {"images":[…],"as","platform","at","explain"} */
void api_deploy_verify_batch(struct request *rq, struct reply *reply)
{
    static const char *const members[] = {"images", "explain", "as", "platform", "at", NULL};
    auto_snapshot struct db_tx *tx = NULL;
    auto_json json_t *body = NULL;
    auto_question struct question q = {.rq = rq};
    struct err err = {0};
    if (!administration_body(rq, members, &body, &err) || !question_read_body(&q, body, &err) ||
        !question_images_check(json_object_get(body, "images"), &err) ||
        !db_snapshot(rq->app->db, &tx, &err)) {
        reply_error(reply, &err);
        return;
    }
    q.tx = tx;
    json_t *results = question_answers(&q, json_object_get(body, "images"));
    reply_json(reply, 200, json_pack("{s:o}", "results", results));
    reply_header(reply, "Cache-Control", "no-store");
}
