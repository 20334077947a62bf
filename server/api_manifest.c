#include "auth/access.h"
#include "base/clock.h"
#include "base/hash.h"
#include "server/api.h"
#include "server/api_refusal.h"
#include "server/app.h"
#include "server/deletion.h"
#include "server/record.h"
#include "server/registry.h"
#include "storage/manifest.h"
#include "storage/pull.h"
#include "storage/store.h"
#include "storage/tag.h"
#include "storage/upload.h"
#include "trust/view.h"

#define TAG_PARAMETERS_MAX 10

/* --- reading ---------------------------------------------------------------------------------------------------- */

/* A manifest on its way to the client. */
struct reading {
    struct request *rq;
    struct db_tx *tx;
    struct repository repo;
    struct gate_view *view; /* when it was ready */
    struct gate_caller caller;
    struct decision decision;
    /* what was read so far; by tag it comes with the tag, before the gate says what to serve */
    struct manifest_info info; /* digest unset: nothing */
    struct manifest *manifest; /* with its content; NULL when that is not wanted */
};

static bool wants_content(const struct request *rq)
{
    return rq->method != METHOD_HEAD;
}

/* The tag and what it points to, in one statement. */
static bool read_tagged(struct reading *r, struct tag *tag, struct err *err)
{
    if (!wants_content(r->rq)) {
        return manifest_stat_by_tag(r->tx, r->repo.id, &r->rq->tag, tag, &r->info, err);
    }
    if (!manifest_get_by_tag(r->tx, r->repo.id, &r->rq->tag, tag, &r->manifest, err)) {
        return false;
    }
    r->info = r->manifest->info;
    return true;
}

static bool read_by_digest(struct reading *r, const struct digest *digest, struct err *err)
{
    manifest_free(r->manifest);
    r->manifest = NULL;
    if (!wants_content(r->rq)) {
        return manifest_stat(r->tx, r->repo.id, digest, &r->info, err);
    }
    if (!manifest_get(r->tx, r->repo.id, digest, &r->manifest, err)) {
        return false;
    }
    r->info = r->manifest->info;
    return true;
}

/* The gate's answer to the request; by tag it says what to serve, by digest what was asked for is what is served. */
static bool decide(struct reading *r, struct err *err)
{
    const struct request *rq = r->rq;
    struct tag tag;
    struct err missing = {0};
    if (!registry_gate_caller(rq, r->tx, &r->caller, err)) {
        return false;
    }
    r->caller.kept = r->view;
    if (rq->reference == REFERENCE_DIGEST) {
        gate_decide_digest(rq->app->trust, r->tx, &r->caller, &r->repo, &rq->repo, &rq->digest,
                           rq->now_us, &r->decision);
        return true;
    }
    bool exists = read_tagged(r, &tag, &missing);
    if (!exists && missing.code != ERR_TAG_UNKNOWN) {
        *err = missing;
        return false;
    }
    gate_decide_tag(rq->app->trust, r->tx, &r->caller, &r->repo, &rq->repo, &rq->tag,
                    exists ? &tag : NULL, exists ? tag.size : -1, rq->now_us, &r->decision);
    return true;
}

static void manifest_headers(const struct request *rq, struct reply *reply,
                             const struct digest *digest, const struct decision *d)
{
    registry_digest_headers(reply, digest);
    reply_gated(reply, d, rq->reference == REFERENCE_TAG);
}

static void send_manifest(struct reading *r, struct reply *reply)
{
    const struct request *rq = r->rq;
    const struct digest *digest =
        rq->reference == REFERENCE_TAG ? &r->decision.serve : &rq->digest;
    struct err err = {0};

    if (!digest_equal(&r->info.digest, digest) && !read_by_digest(r, digest, &err)) {
        return reply_undecided(reply, &err);
    }
    pull_log_note(rq->app->pulls, r->repo.id, digest, rq->now_us);
    bool unchanged = registry_not_modified(rq, digest);
    if (unchanged || !wants_content(rq)) {
        reply_head(reply, unchanged ? 304 : 200, r->info.media_type, r->info.size);
    } else {
        reply_bytes(reply, 200, r->info.media_type, manifest_content(r->manifest));
    }
    manifest_headers(rq, reply, digest, &r->decision);
}

static void read_and_answer(struct reading *r, struct reply *reply)
{
    struct err err = {0};
    int64_t began_us = clock_mono_us();
    if (!repository_get(r->tx, &r->rq->repo, &r->repo, &err)) {
        return reply_undecided(reply, &err);
    }
    if (!registry_gate_ready(r->rq, &r->repo, &r->view)) {
        return; /* a worker goes on */
    }
    if (!decide(r, &err)) {
        return reply_undecided(reply, &err);
    }
    if (!registry_gate_finished(r->rq, &r->decision) ||
        !registry_use_override(r->rq, &r->repo, &r->decision, reply)) {
        return;
    }
    const struct record record = {r->rq, r->tx, "pull", &r->caller, &r->repo, began_us, NULL};
    if (!record_decision(&record, &r->decision)) {
        return; /* a worker goes on */
    }
    registry_count_decision(r->rq, "manifest", &r->decision);
    if (r->decision.effect != EFFECT_ALLOW) {
        return reply_refusal(r->rq, reply, &r->decision);
    }
    send_manifest(r, reply);
}

/* GET, HEAD /v2/NAME/manifests/REFERENCE. The gate comes before If-None-Match (gate.md 10.3). */
void api_manifest_get(struct request *rq, struct reply *reply)
{
    auto_snapshot struct db_tx *tx = NULL;
    struct reading r = {.rq = rq};
    struct err err = {0};
    if (!request_snapshot(rq, &tx, &err)) {
        return reply_undecided(reply, &err);
    }
    r.tx = tx;
    read_and_answer(&r, reply);
    manifest_free(r.manifest);
    gate_view_unref(r.view);
}

/* --- writing ---------------------------------------------------------------------------------------------------- */

struct put {
    const struct request *rq;
    struct manifest_put manifest;
    struct tag_name tags[TAG_PARAMETERS_MAX];
    int tag_count;
    struct actor actor;
    struct decision refusal; /* the gate's, when it is the reason of a failure */
};

/* Creating a tag and moving one are different rights; which it is can only be known inside the transaction. */
static bool may_move(struct db_tx *tx, const struct put *put, int64_t repository_id,
                     const struct tag_name *tag, struct err *err)
{
    struct tag current;
    struct access_answer answer;
    struct err missing = {0};
    if (!tag_get(tx, repository_id, tag, &current, &missing)) {
        *err = missing;
        return missing.code == ERR_TAG_UNKNOWN;
    }
    if (digest_equal(&current.digest, &put->manifest.digest)) {
        return true;
    }
    if (!access_check(tx, put->rq->identity, &put->rq->repo, ACTION_OVERWRITE, false, &answer,
                      err)) {
        return false;
    }
    if (answer.result == ACCESS_ALLOWED) {
        return true;
    }
    return err_set(err, ERR_DENIED, "the tag %s exists and you may not move it: %s", tag->text,
                   answer.sentence);
}

static bool put_tag(struct db_tx *tx, struct put *put, const struct repository *repo,
                    const struct tag_name *tag, struct err *err)
{
    const struct digest *digest = &put->manifest.digest;
    int64_t now = put->rq->now_us;
    return may_move(tx, put, repo->id, tag, err) &&
           gate_may_tag(put->rq->app->trust, tx, repo, tag, digest, now, &put->refusal, err) &&
           tag_put(tx, repo->id, tag, digest, &put->actor, now, NULL, err);
}

static bool put_transaction(struct db_tx *tx, void *arg, struct err *err)
{
    struct put *put = arg;
    struct repository repo;
    int64_t now = put->rq->now_us;
    put->refusal = (struct decision){.reason = REASON_INDETERMINATE}; /* of a run before */
    if (!request_may_still(put->rq, tx, err) ||
        !repository_ensure(tx, &put->rq->repo, now, &repo, NULL, err) ||
        !manifest_put(tx, repo.id, &put->manifest, &put->actor, now, NULL, err)) {
        return false;
    }
    for (int i = 0; i < put->tag_count; i++) {
        if (!put_tag(tx, put, &repo, &put->tags[i], err)) {
            return false;
        }
    }
    return true;
}

/* `?tag=` beside a digest (OCI distribution 1.1, end-7b), or the tag of the address. */
static bool read_tags(const struct request *rq, struct put *put, struct err *err)
{
    auto_buf struct buf value = {0};
    if (rq->reference == REFERENCE_TAG) {
        put->tags[put->tag_count++] = rq->tag;
        return true;
    }
    for (int i = 0; request_query(rq, "tag", i, &value); i++) {
        if (i == TAG_PARAMETERS_MAX) {
            return err_set(err, ERR_TOO_MANY_TAGS, "at most %d tag parameters are accepted",
                           TAG_PARAMETERS_MAX);
        }
        if (!tag_name_parse(buf_slice_of(&value), &put->tags[i], err)) {
            return false;
        }
        put->tag_count = i + 1;
        buf_clear(&value);
    }
    return true;
}

/* The digest that the manifest is stored under: the client's algorithm when it named one. */
static bool read_digest(const struct request *rq, struct digest *out, struct err *err)
{
    bool named = rq->reference == REFERENCE_DIGEST;
    char text[DIGEST_STR_MAX];
    hash_bytes(named ? rq->digest.algorithm : DIGEST_SHA256, rq->body, out);
    if (named && !digest_equal(out, &rq->digest)) {
        return err_set(err, ERR_DIGEST_INVALID, "the manifest's bytes have the digest %s",
                       digest_format(out, text));
    }
    return true;
}

static void put_reply(const struct put *put, struct reply *reply)
{
    char digest[DIGEST_STR_MAX];
    char subject[DIGEST_STR_MAX];
    digest_format(&put->manifest.digest, digest);
    reply_empty(reply, 201);
    reply_header(reply, "Location", "/v2/%s/manifests/%s", put->rq->repo.text, digest);
    reply_header_text(reply, "Docker-Content-Digest", digest);
    if (digest_is_set(&put->manifest.doc->subject)) {
        reply_header_text(reply, "OCI-Subject",
                          digest_format(&put->manifest.doc->subject, subject));
    }
    for (int i = 0; put->rq->reference == REFERENCE_DIGEST && i < put->tag_count; i++) {
        reply_header_text(reply, "OCI-Tag", put->tags[i].text);
    }
}

/* PUT /v2/NAME/manifests/REFERENCE */
void api_manifest_put(struct request *rq, struct reply *reply)
{
    auto_manifest_doc struct manifest_doc *doc = NULL;
    struct put put = {.rq = rq};
    struct err err = {0};

    if (!read_digest(rq, &put.manifest.digest, &err) || !read_tags(rq, &put, &err) ||
        !manifest_parse(rq->body, slice_str(request_header(rq, "Content-Type")), &doc, &err)) {
        return reply_error(reply, &err);
    }
    put.manifest.doc = doc;
    put.manifest.bytes = rq->body;
    put.manifest.sparse = rq->app->config->sparse_manifests;
    registry_actor(rq, &put.actor);
    if (put.tag_count > 0) {
        gate_prepare_tag(rq->app->trust, rq->app->db, &rq->repo, rq->now_us);
    }
    if (!upload_make_room(rq->app->store, &rq->repo, put_transaction, &put, &err)) {
        return reply_write_failed(rq, reply, &put.refusal, &err);
    }
    put_reply(&put, reply);
}

static bool delete_transaction(struct db_tx *tx, void *arg, struct err *err)
{
    struct deletion *d = arg;
    const struct request *rq = d->rq;
    struct repository repo;
    return deletion_allowed(tx, d, &repo, err) &&
           manifest_delete(tx, repo.id, &rq->digest, &d->actor,
                           store_get_limits(rq->app->store)->condemned_us, rq->now_us, err);
}

static bool delete_tag_transaction(struct db_tx *tx, void *arg, struct err *err)
{
    const struct request *rq = arg;
    struct repository repo;
    struct actor actor;
    registry_actor(rq, &actor);
    return request_may_still(rq, tx, err) && repository_get(tx, &rq->repo, &repo, err) &&
           tag_delete(tx, repo.id, &rq->tag, &actor, rq->now_us, err);
}

static void delete_tag(struct request *rq, struct reply *reply)
{
    struct err err = {0};
    if (!db_write(rq->app->db, delete_tag_transaction, rq, &err)) {
        return reply_error(reply, &err);
    }
    reply_empty(reply, 202);
}

/* DELETE /v2/NAME/manifests/REFERENCE[?force=1]: a tag alone, or a manifest with its tags. */
void api_manifest_delete(struct request *rq, struct reply *reply)
{
    struct deletion deletion;
    struct err err = {0};
    if (rq->reference == REFERENCE_TAG) {
        return delete_tag(rq, reply);
    }
    deletion_begin(&deletion, rq, "manifest.delete_signed");
    if (!db_write(rq->app->db, delete_transaction, &deletion, &err)) {
        return reply_write_failed(rq, reply, &deletion.refusal, &err);
    }
    reply_empty(reply, 202);
}
