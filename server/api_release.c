/* The release call (gate.md 9.4): signatures and tag of a pushed manifest in one transaction. */
#include "base/clock.h"
#include "server/administration.h"
#include "server/api.h"
#include "server/api_refusal.h"
#include "server/api_trust.h"
#include "server/app.h"
#include "server/image_name.h"
#include "server/multipart.h"
#include "server/record.h"
#include "server/registry.h"
#include "storage/manifest.h"
#include "storage/tag.h"
#include "storage/trust_doc.h"

#define DOOR "release"

struct release_call {
    struct request *rq;
    struct repo_name repo;
    struct tag_name tag;
    struct digest digest;
    struct upload_part *parts; /* owned; borrow from the body */
    size_t part_count;
    struct actor actor;
    struct decision decision; /* out: what a deployer would be told afterwards */
    bool refused;             /* out: by that decision */
    int64_t began_us;         /* monotonic: when deciding began */
};

static void release_call_dispose(struct release_call *c)
{
    free(c->parts);
}
#define auto_release_call __attribute__((cleanup(release_call_dispose)))

static const struct gate_caller deployer = {.gated = true};

/* --- the body --------------------------------------------------------------------------------- */

/* {"targets":"{…}", …}: texts, because hashes and signatures are over the bytes. */
static bool read_files(const json_t *body, struct release_call *c, struct err *err)
{
    json_t *files = json_object_get(body, "tuf");
    const char *role;
    json_t *text;
    if (!json_is_object(files) || json_object_size(files) == 0) {
        return err_set(err, ERR_INVALID,
                       "\"tuf\" must hold the signed documents as texts: {\"targets\":\"{…}\"}");
    }
    if (json_object_size(files) > MULTIPART_PARTS_MAX) {
        return err_set(err, ERR_INVALID, "\"tuf\" has more than %d documents", MULTIPART_PARTS_MAX);
    }
    c->parts = xcalloc(json_object_size(files), sizeof(*c->parts));
    json_object_foreach(files, role, text)
    {
        if (!json_is_string(text)) {
            return err_set(err, ERR_INVALID,
                           "\"tuf\" must hold texts: the document's bytes, not its JSON");
        }
        c->parts[c->part_count++] =
            (struct upload_part){.has_name = true,
                                 .role = slice_str(role),
                                 .bytes = {json_string_value(text), json_string_length(text)}};
    }
    return true;
}

static bool read_call(const json_t *body, struct release_call *c, struct err *err)
{
    struct slice repo;
    struct slice tag;
    struct slice digest;
    return administration_text(body, "repo", NULL, &repo, err) &&
           administration_text(body, "tag", NULL, &tag, err) &&
           administration_text(body, "digest", NULL, &digest, err) &&
           repo_name_parse(repo, &c->repo, err) && tag_name_parse(tag, &c->tag, err) &&
           digest_parse(digest, &c->digest, err) && read_files(body, c, err);
}

/* --- rights ----------------------------------------------------------------------------------- */

static bool may(struct db_tx *tx, const struct release_call *c, enum access_action action,
                struct err *err)
{
    struct access_answer answer;
    return access_check(tx, c->rq->identity, &c->repo, action, action == ACTION_SIGN, &answer,
                        err) &&
           access_require(c->rq->identity, &answer, err);
}

/* Before anything is said about the documents. */
static bool may_release(const struct release_call *c, struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    return db_snapshot(c->rq->app->db, &tx, err) && may(tx, c, ACTION_PUSH, err) &&
           may(tx, c, ACTION_SIGN, err);
}

/* --- the transaction -------------------------------------------------------------------------- */

static bool is_pushed(struct db_tx *tx, const struct release_call *c, int64_t repository_id,
                      struct err *err)
{
    bool exists = false;
    char text[DIGEST_STR_MAX];
    if (!manifest_exists(tx, repository_id, &c->digest, &exists, err)) {
        return false;
    }
    return exists || err_set(err, ERR_MANIFEST_UNKNOWN, "%s is not in %s: push it by digest first",
                             digest_format(&c->digest, text), c->repo.text);
}

/* Creating a tag and moving one are different rights. */
static bool may_move(struct db_tx *tx, const struct release_call *c, int64_t repository_id,
                     struct err *err)
{
    struct tag current;
    struct err why = {0};
    if (!tag_get(tx, repository_id, &c->tag, &current, &why)) {
        *err = why;
        return why.code == ERR_TAG_UNKNOWN;
    }
    return digest_equal(&current.digest, &c->digest) || may(tx, c, ACTION_OVERWRITE, err);
}

static bool move_tag(struct db_tx *tx, struct release_call *c, const struct repository *repo,
                     struct err *err)
{
    int64_t now_us = c->rq->now_us;
    struct err why = {0};
    if (!may_move(tx, c, repo->id, err)) {
        return false;
    }
    if (!gate_may_tag(c->rq->app->trust, tx, repo, &c->tag, &c->digest, now_us, &c->decision,
                      &why)) {
        c->refused = why.code == ERR_DENIED;
        *err = why;
        return false;
    }
    return tag_put(tx, repo->id, &c->tag, &c->digest, &c->actor, now_us, NULL, err);
}

/* A release that the gate would refuse is none. */
static bool is_released(struct db_tx *tx, struct release_call *c, const struct repository *repo,
                        struct err *err)
{
    struct tag current;
    struct decision *d = &c->decision;
    char text[DIGEST_STR_MAX];
    if (!tag_get(tx, repo->id, &c->tag, &current, err)) {
        return false;
    }
    gate_decide_tag_within(c->rq->app->trust, tx, &deployer, repo, &c->tag, &current, c->rq->now_us,
                           d);
    c->refused = d->effect != EFFECT_ALLOW;
    if (c->refused) {
        return err_set(err, gate_reason_info(d->reason)->code, "%s", d->message);
    }
    return digest_equal(&d->serve, &c->digest) ||
           err_set(err, ERR_INVALID, "the documents sign another manifest than %s as %s",
                   digest_format(&c->digest, text), c->tag.text);
}

/* Runs after the documents are stored, in their transaction. */
static bool set_tag(struct db_tx *tx, const struct repository *before, void *arg, struct err *err)
{
    struct release_call *c = arg;
    struct repository repo;
    (void)before;
    c->refused = false;
    c->began_us = clock_mono_us();
    return may(tx, c, ACTION_PUSH, err) && may(tx, c, ACTION_SIGN, err) &&
           repository_get(tx, &c->repo, &repo, err) && is_pushed(tx, c, repo.id, err) &&
           move_tag(tx, c, &repo, err) && is_released(tx, c, &repo, err);
}

/* --- answers ---------------------------------------------------------------------------------- */

/* The versions that the uploaded roles have now. */
static json_t *stored_versions(const struct release_call *c)
{
    auto_snapshot struct db_tx *tx = NULL;
    json_t *out = json_object();
    struct repository repo;
    struct err why = {0};
    if (!db_snapshot(c->rq->app->db, &tx, &why) || !repository_get(tx, &c->repo, &repo, &why)) {
        return out;
    }
    for (size_t i = 0; i < c->part_count; i++) {
        auto_trust_doc struct trust_doc doc = {0};
        if (trust_doc_current_role(tx, repo.id, c->parts[i].role, &doc, &why)) {
            auto_free char *role = xstrndup(c->parts[i].role.p, c->parts[i].role.n);
            json_object_set_new(out, role, json_integer((json_int_t)doc.version));
        }
    }
    return out;
}

/* What the rule of publishing refused, as our API says it (gate.md 9). */
static void reply_unpublished(const struct release_call *c, struct reply *reply,
                              const struct publish_verdict *v)
{
    struct err err = {0};
    if (v->code == ERR_TRUST_VERSION) {
        (void)err_set(&err, ERR_CONFLICT, "%s", v->msg);
        reply_error_detail(
            reply, &err,
            json_pack("{s:s, s:o}", "reason", "version_conflict", "versions", stored_versions(c)));
        return;
    }
    (void)err_set(&err, v->code == ERR_UNAUTHORIZED ? ERR_DENIED : ERR_INVALID, "%s", v->msg);
    reply_error_detail(reply, &err,
                       json_pack("{s:s}", "reason", v->reason[0] ? v->reason : v->errname));
}

/* The refusal is of documents that are not stored; its record tells of them what the decision
 * does. */
static bool record_refusal(struct release_call *c, struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    struct repository repo;
    if (!db_snapshot(c->rq->app->db, &tx, err) || !repository_get(tx, &c->repo, &repo, err)) {
        return false;
    }
    const struct record record = {c->rq, tx, DOOR, &deployer, &repo, c->began_us, NULL};
    return record_decision(&record, &c->decision) || err_set(err, ERR_BUSY, "");
}

static void reply_unreleased(struct release_call *c, struct reply *reply, const struct err *err)
{
    struct err why = *err;
    if (!c->refused || !record_refusal(c, &why)) {
        return reply_error(reply, &why);
    }
    registry_count_decision(c->rq, DOOR, &c->decision);
    reply_refusal(c->rq, reply, &c->decision);
}

static json_t *released_json(const struct release_call *c, const struct publish_verdict *v)
{
    struct image_name image = {.repo = c->repo, .has_tag = true, .tag = c->tag};
    struct image_name pinned = {.repo = c->repo, .has_digest = true, .digest = c->digest};
    auto_buf struct buf name = {0};
    auto_buf struct buf pin = {0};
    char digest[DIGEST_STR_MAX];
    const struct decision *d = &c->decision;
    image_name_write(c->rq->app->trust, &image, &name);
    image_name_write(c->rq->app->trust, &pinned, &pin);
    json_t *out = json_pack("{s:s, s:b, s:s, s:s, s:s, s:s}", "image", name.p, "allowed",
                            (int)(d->effect == EFFECT_ALLOW), "effect",
                            d->effect == EFFECT_ALLOW ? "allow" : "deny", "reason",
                            gate_reason_info(d->reason)->name, "digest",
                            digest_format(&c->digest, digest), "pinned", pin.p);
    json_object_set_new(out, "decision", d->record[0] ? json_string(d->record) : json_null());
    json_object_set_new(out, "detail", decision_detail(d));
    json_t *warnings = json_array();
    for (int i = 0; i < v->warning_count; i++) {
        json_array_append_new(warnings, json_string(v->warnings[i]));
    }
    json_object_set_new(out, "warnings", warnings);
    return out;
}

/* The decision as the doors make it from now on, with its record. */
static bool decide_now(struct release_call *c, struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    struct repository repo;
    struct tag current;
    struct err why = {0};
    if (!db_snapshot(c->rq->app->db, &tx, err) || !repository_get(tx, &c->repo, &repo, err)) {
        return false;
    }
    bool exists = tag_get(tx, repo.id, &c->tag, &current, &why);
    if (!exists && why.code != ERR_TAG_UNKNOWN) {
        *err = why;
        return false;
    }
    const struct record record = {c->rq, tx, DOOR, &deployer, &repo, clock_mono_us(), NULL};
    gate_decide_tag(c->rq->app->trust, tx, &deployer, &repo, &repo.name, &c->tag,
                    exists ? &current : NULL, -1, c->rq->now_us, &c->decision);
    registry_count_decision(c->rq, DOOR, &c->decision);
    return record_decision(&record, &c->decision) || err_set(err, ERR_BUSY, "");
}

static void release(struct release_call *c, struct reply *reply)
{
    struct publish_verdict *verdict = NULL;
    struct err err = {0};
    struct publish_request publish = {.repo = c->repo,
                                      .parts = c->parts,
                                      .part_count = c->part_count,
                                      .actor = &c->actor,
                                      .now_us = c->rq->now_us,
                                      .with = set_tag,
                                      .with_arg = c};
    struct administration_right right = {
        .rq = c->rq, .actions = ACTION_BIT(ACTION_PUSH) | ACTION_BIT(ACTION_SIGN)};
    repo_name_namespace(&c->repo, &right.namespace_);
    administration_actor_by_right(&right, &c->actor);
    if (!publish_turn(c->rq, reply, "publishes")) {
        return;
    }
    if (!publish_rights(c->rq, &publish, &err)) {
        return reply_error(reply, &err);
    }
    right.actions |= publish.may_administer ? ACTION_BIT(ACTION_TRUST_ADMIN) : 0;
    bool stored = publish_run(c->rq->app->trust, &publish, &verdict, &err);
    if (stored && decide_now(c, &err)) {
        reply_json(reply, 200, released_json(c, verdict));
    } else if (!stored && verdict) {
        reply_unpublished(c, reply, verdict);
    } else {
        reply_unreleased(c, reply, &err);
    }
    publish_verdict_free(verdict);
}

/* POST /api/v1/release {"repo","tag","digest","tuf":{ROLE: text}}: all of it or nothing */
void api_release(struct request *rq, struct reply *reply)
{
    static const char *const members[] = {"repo", "tag", "digest", "tuf", NULL};
    auto_json json_t *body = NULL;
    auto_release_call struct release_call c = {.rq = rq};
    struct err err = {0};
    if (!publish_body_within(rq, &err) || !administration_body(rq, members, &body, &err) ||
        !read_call(body, &c, &err) || !may_release(&c, &err)) {
        return reply_error(reply, &err);
    }
    release(&c, reply);
}
