/* The Notary v1 API (notary-api 3 to 13): server keys, publishing, deletion, the changefeed.
 * Reading metadata: api_trust_read.c. */
#include "server/api_trust.h"

#include "auth/access.h"
#include "auth/auth.h"
#include "auth/rate.h"
#include "base/clock.h"
#include "base/hex.h"
#include "server/api.h"
#include "server/app.h"
#include "server/multipart.h"
#include "server/registry.h"
#include "storage/change_record.h"
#include "trust/gate.h"
#include "trust/keys.h"
#include "trust/publish.h"
#include "trust/wipe.h"

#include <stdio.h>

#define DOCUMENT_TYPE "application/json"
#define ERROR_BODY_MAX 1000 /* clients read 1,024 bytes of it */
#define RECORDS_DEFAULT 100
#define RECORDS_MAX 1000

/* --- errors ----------------------------------------------------------------------------------- */

static json_t *publish_detail(const char *errname, const char *msg, const char *reason,
                              bool missing_snapshot)
{
    json_t *error = json_pack("{s:s}", "Msg", msg);
    if (missing_snapshot) {
        json_object_set_new(error, "Missing", json_string("snapshot"));
    }
    json_t *detail = json_pack("{s:s, s:o}", "Name", errname, "Error", error);
    if (reason[0]) {
        json_object_set_new(detail, "reason", json_string(reason));
    }
    return detail;
}

/* Every 400 of a publish has the detail that clients print (gate.md 9.1), and fits into what they
 * read. */
static void reply_publish_error(struct reply *reply, enum err_code code, const char *errname,
                                const char *msg, const char *reason, bool missing_snapshot)
{
    struct err err = {0};
    char cut[601];
    (void)err_set(&err, code, "");
    (void)snprintf(cut, sizeof cut, "%s", msg);
    reply_error_detail(reply, &err, publish_detail(errname, cut, reason, missing_snapshot));
    if (reply->body.n > ERROR_BODY_MAX) {
        cut[200] = '\0'; /* what escaping has blown up is no sentence of ours */
        for (char *p = cut; *p; p++) {
            *p = (*p >= 0x20 && *p <= 0x7e) ? *p : '?';
        }
        reply_error_detail(reply, &err, publish_detail(errname, cut, reason, missing_snapshot));
    }
}

/* --- server keys ------------------------------------------------------------------------------ */

static void answer_key(struct request *rq, struct reply *reply, bool rotate)
{
    auto_buf struct buf json = {0};
    struct err err = {0};
    bool timestamp = slice_is(rq->params[0], "timestamp.key");
    enum role_kind role = timestamp ? ROLE_TIMESTAMP : ROLE_SNAPSHOT;
    if (!timestamp && !slice_is(rq->params[0], "snapshot.key")) {
        reply_trust_missing(reply);
        return;
    }
    struct actor actor;
    registry_actor(rq, &actor);
    bool ok = (rotate ? server_key_rotate : server_key_current)(rq->app->trust, &rq->repo, role,
                                                                &actor, rq->now_us, &json, &err);
    if (!ok) {
        reply_trust_error(reply, &err);
        return;
    }
    reply_buf(reply, 200, DOCUMENT_TYPE, &json);
}

/* GET /v2/GUN/_trust/tuf/(timestamp|snapshot).key */
void api_trust_key_get(struct request *rq, struct reply *reply)
{
    answer_key(rq, reply, false);
}

/* POST /v2/GUN/_trust/tuf/(timestamp|snapshot).key */
void api_trust_key_post(struct request *rq, struct reply *reply)
{
    answer_key(rq, reply, true);
}

/* --- publishing ------------------------------------------------------------------------------- */

static struct upload_part part_of(const struct multipart_part *part)
{
    struct upload_part out = {
        .has_name = part->has_filename, .role = part->filename, .bytes = part->bytes};
    if (slice_ends(out.role, ".json")) {
        out.role.n -= strlen(".json");
    }
    return out;
}

bool publish_rights(const struct request *rq, struct publish_request *out, struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    struct access_answer answer = {0};
    if (!db_snapshot(rq->app->db, &tx, err) ||
        !access_check(tx, rq->identity, &out->repo, ACTION_TRUST_ADMIN, true, &answer, err)) {
        return false;
    }
    out->may_administer = answer.result == ACCESS_ALLOWED;
    out->is_owner = answer.facts.role == MEMBER_OWNER || rq->identity->administrator ||
                    rq->identity->kind == IDENTITY_CONTROL;
    return true;
}

/* The rights that the publish was checked by, in its write. */
struct publisher {
    const struct request *rq;
    const struct publish_request *publish;
};

static bool may_still_publish(struct db_tx *tx, const void *arg, struct err *err)
{
    const struct publisher *p = arg;
    struct access_answer answer = {0};
    if (!request_may_still(p->rq, tx, err)) {
        return false;
    }
    if (!p->publish->may_administer) {
        return true;
    }
    return access_check(tx, p->rq->identity, &p->publish->repo, ACTION_TRUST_ADMIN, true, &answer, err) &&
           (answer.result == ACCESS_ALLOWED || err_set(err, ERR_DENIED, "%s", answer.sentence));
}

static void reply_no_right(struct request *rq, struct reply *reply, const char *msg)
{
    auto_buf struct buf scope = {0};
    buf_printf(&scope, "repository:%.*s:push,pull", SLICE_FMT(rq->gun));
    reply_challenge(rq, reply, scope.p, msg);
}

static void reply_verdict(struct request *rq, struct reply *reply, const struct publish_verdict *v)
{
    if (v->code == ERR_UNAUTHORIZED) {
        return reply_no_right(rq, reply, v->msg);
    }
    reply_publish_error(reply, v->code, v->errname, v->msg, v->reason, v->missing_snapshot);
}

static void run_publish(struct request *rq, struct reply *reply, struct publish_request *publish)
{
    struct publish_verdict *verdict = NULL;
    struct err err = {0};
    if (publish_run(rq->app->trust, publish, &verdict, &err)) {
        reply_empty(reply, 200);
        for (int i = 0; i < verdict->warning_count; i++) {
            reply_header(reply, "Warning", "299 - \"%s\"", verdict->warnings[i]);
        }
        reply_expiry_warnings(rq, reply);
    } else if (verdict) {
        reply_verdict(rq, reply, verdict);
    } else if (err.code == ERR_DENIED) {
        reply_no_right(rq, reply, err.msg);
    } else {
        reply_error(reply, &err);
    }
    publish_verdict_free(verdict);
}

/* Publishing under an alias would make documents whose certificates name another collection
 * (gate.md 11.4). */
static bool is_canonical(const struct request *rq, struct reply *reply)
{
    struct repo_name repo;
    bool canonical = false;
    auto_buf struct buf msg = {0};
    if (trust_gun_parse(rq->app->trust, rq->gun, &repo, &canonical) && canonical) {
        return true;
    }
    buf_str(&msg, "signatures name the host of the image, and this is only another name of it: sign ");
    trust_gun_write(rq->app->trust, &rq->repo, &msg);
    reply_publish_error(reply, ERR_TRUST_INVALID_UPDATE, "ErrValidation", msg.p, "", false);
    return false;
}

#define BODY_VALUES_MAX (MULTIPART_PARTS_MAX + 1000) /* and what stands beside them */

bool publish_body_within(const struct request *rq, struct err *err)
{
    return json_is_within(rq->body, BODY_VALUES_MAX) ||
           err_set(err, ERR_INVALID, "the body holds at most %d documents, each as one text",
                   MULTIPART_PARTS_MAX);
}

int publish_wait_s(const struct request *rq)
{
    bool control = rq->identity->kind == IDENTITY_CONTROL;
    return control ? 0
                   : rate_take(rq->app->publishes, rq->identity->account_id, clock_mono_us());
}

bool publish_turn(const struct request *rq, struct reply *reply, const char *what)
{
    struct err err = {0};
    int wait_s = publish_wait_s(rq);
    if (wait_s == 0) {
        return true;
    }
    (void)err_set(&err, ERR_TOO_MANY_REQUESTS, "too many %s, try again in %d s", what, wait_s);
    reply_error(reply, &err);
    reply_retry_after(reply, wait_s);
    return false;
}

/* Told as a refusal that clients print: they show nothing of a 429 (attacks P-19). */
static bool may_publish_now(const struct request *rq, struct reply *reply)
{
    char msg[80];
    int wait_s = publish_wait_s(rq);
    if (wait_s == 0) {
        return true;
    }
    (void)snprintf(msg, sizeof msg, "too many publishes, try again in %d s", wait_s);
    reply_publish_error(reply, ERR_TRUST_INVALID_UPDATE, "ErrValidation", msg, "", false);
    return false;
}

/* POST /v2/GUN/_trust/tuf/ */
void api_trust_publish(struct request *rq, struct reply *reply)
{
    auto_multipart struct multipart body = {0};
    struct err err = {0};
    struct actor actor;
    if (!is_canonical(rq, reply) || !may_publish_now(rq, reply)) {
        return;
    }
    if (!multipart_parse(request_header(rq, "Content-Type"), rq->body, &body, &err)) {
        reply_publish_error(reply, ERR_TRUST_MALFORMED_UPLOAD, "ErrValidation", err.msg, "", false);
        return;
    }
    auto_free struct upload_part *parts = xcalloc(body.count + 1, sizeof *parts);
    for (size_t i = 0; i < body.count; i++) {
        parts[i] = part_of(&body.parts[i]);
    }
    registry_actor(rq, &actor);
    struct publish_request publish = {.repo = rq->repo,
                                      .parts = parts,
                                      .part_count = body.count,
                                      .actor = &actor,
                                      .now_us = rq->now_us};
    const struct publisher publisher = {rq, &publish};
    if (!publish_rights(rq, &publish, &err)) {
        reply_error(reply, &err);
        return;
    }
    actor.still = may_still_publish;
    actor.still_arg = &publisher;
    run_publish(rq, reply, &publish);
}

/* The answer of a deletion has no body, so it tells this as a publish tells what it has to say. */
static void warn_of_wipe(const struct request *rq, struct reply *reply, const json_t *result)
{
    auto_buf struct buf gun = {0};
    const char *warning = json_get_string(result, "warning");
    if (warning) {
        reply_header(reply, "Warning", "299 - \"%s\"", warning);
    }
    if (json_array_size(json_get_array(result, "wiped")) > 0) {
        trust_gun_write(rq->app->trust, &rq->repo, &gun);
        reply_header(reply, "Warning",
                     "299 - \"docker and notary refuse what is signed here anew until tuf/%s/metadata "
                     "is removed from ~/.docker/trust and ~/.notary\"",
                     gun.p);
    }
}

/* DELETE /v2/GUN/_trust/tuf/: a wipe (gate.md 11.3); of nothing it is fine too. A store that may be a
 * restored one refuses it as it refuses a publish: clients print that, and nothing of a 409. */
void api_trust_delete(struct request *rq, struct reply *reply)
{
    auto_json json_t *result = NULL;
    struct err err = {0};
    struct actor actor;
    struct wipe_request wipe = {.repo = rq->repo,
                                .reason = "DELETE by the Notary API",
                                .actor = &actor,
                                .now_us = rq->now_us};
    registry_actor(rq, &actor);
    repo_name_namespace(&rq->repo, &wipe.namespace_);
    bool wiped = trust_wipe(rq->app->trust, &wipe, &result, &err);
    auth_changed(rq->app->auth); /* it ends what older tokens may change, also of requests that were admitted before it */
    if (wiped || err.code == ERR_NAMESPACE_UNKNOWN) {
        reply_empty(reply, 200);
        warn_of_wipe(rq, reply, result);
    } else if (err.code == ERR_CONFLICT) {
        const char *reason = gate_reason_info(REASON_ROLLBACK_SUSPECTED)->name;
        reply_publish_error(reply, ERR_TRUST_INVALID_UPDATE, "ErrValidation", err.msg, reason,
                            false);
    } else {
        reply_trust_error(reply, &err);
    }
}

/* --- changefeed ------------------------------------------------------------------------------- */

static json_t *record_json(const struct change_record *r)
{
    char when[TIME_STR_MAX], id[24], hex[65] = "";
    bool update = r->category == CHANGE_UPDATE;
    if (update) {
        (void)hex_encode(r->sha256, sizeof r->sha256, hex);
    }
    (void)snprintf(id, sizeof id, "%lld", (long long)r->id);
    return json_pack("{s:s, s:s, s:s, s:I, s:s, s:s}", "ID", id, "CreatedAt",
                     time_format(r->created_us / US_PER_SECOND * US_PER_SECOND, when), "GUN",
                     r->gun, "Version", (json_int_t)(update ? r->version : 0), "SHA256", hex,
                     "Category", update ? "update" : "deletion");
}

/* A signed decimal of -max - 1 to max; of 64 bits their very least number is none. */
static bool parse_number(const struct buf *text, int64_t max, int64_t *out)
{
    struct slice digits = buf_slice_of(text);
    bool negative = slice_starts(digits, "-");
    if (negative) {
        digits = slice_from(digits, 1);
    }
    if (!slice_to_int64(digits, out) || *out - negative > max) {
        return false;
    }
    *out = negative ? -*out : *out;
    return true;
}

struct feed_query {
    int64_t records, change_id;
};

static bool read_query(const struct request *rq, struct reply *reply, struct feed_query *out)
{
    auto_buf struct buf records = {0}, change_id = {0};
    struct err err = {0};
    (void)err_set(&err, ERR_TRUST_INVALID_PARAMETERS, "");
    *out = (struct feed_query){0};
    if (!request_query(rq, "records", 0, &records) || !parse_number(&records, INT32_MAX, &out->records)) {
        reply_error_detail(reply, &err,
                           json_string("the parameter records is a number, and required"));
        return false;
    }
    if (request_has_query(rq, "change_id") && (!request_query(rq, "change_id", 0, &change_id) ||
                                               !parse_number(&change_id, INT64_MAX, &out->change_id))) {
        reply_error_detail(reply, &err, json_object());
        return false;
    }
    return true;
}

static void answer_feed(struct request *rq, struct reply *reply, struct slice gun)
{
    auto_change_record_list struct change_record_list list = {0};
    auto_snapshot struct db_tx *tx = NULL;
    struct feed_query query;
    struct err err = {0};
    if (!read_query(rq, reply, &query)) {
        return;
    }
    bool backward = query.records < 0 || query.change_id < 0;
    int64_t wanted = query.records < 0 ? -query.records : query.records;
    int max = wanted == 0 ? RECORDS_DEFAULT : (int)(wanted < RECORDS_MAX ? wanted : RECORDS_MAX);
    bool ok = db_snapshot(rq->app->db, &tx, &err) &&
              (backward ? change_record_backward(tx, gun, query.change_id, max, &list, &err)
                        : change_record_forward(tx, gun, query.change_id, max, &list, &err));
    if (!ok) {
        reply_error(reply, &err);
        return;
    }
    json_t *records = json_array();
    for (size_t i = 0; i < list.count; i++) {
        json_array_append_new(records, record_json(&list.items[i]));
    }
    reply_json(reply, 200,
               json_pack("{s:I, s:o}", "count", (json_int_t)list.count, "records", records));
}

/* GET /v2/GUN/_trust/changefeed */
void api_trust_changefeed(struct request *rq, struct reply *reply)
{
    auto_buf struct buf gun = {0};
    trust_gun_write(rq->app->trust, &rq->repo, &gun);
    answer_feed(rq, reply, buf_slice_of(&gun));
}

/* GET /v2/_trust/changefeed */
void api_trust_changefeed_all(struct request *rq, struct reply *reply)
{
    answer_feed(rq, reply, (struct slice){0});
}

/* GET /_notary_server/health: 503 names what fails (notary-api 13). Reads go on then. */
void api_trust_health(struct request *rq, struct reply *reply)
{
    auto_snapshot struct db_tx *tx = NULL;
    struct err err = {0};
    json_t *failing = json_object();
    const char *trouble = trust_trouble(rq->app->trust, rq->now_us);
    if (trouble) {
        json_object_set_new(failing, "Trust operational", json_string(trouble));
    }
    if (!db_snapshot(rq->app->db, &tx, &err)) {
        json_object_set_new(failing, "DB operational", json_string("the database does not answer"));
    }
    reply_json(reply, json_object_size(failing) == 0 ? 200 : 503, failing);
}
