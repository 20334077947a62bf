/* The audit log for those who may read it: an administrator all of it, whoever has the right in a
 * namespace its entries. And the proof of both chains, page by page. */
#include "auth/access.h"
#include "base/clock.h"
#include "base/hex.h"
#include "server/administration.h"
#include "server/api.h"
#include "server/app.h"
#include "storage/audit.h"
#include "storage/decision.h"

#define PAGE_ENTRIES 1000   /* in memory at once */
#define PROOF_ENTRIES 10000 /* of one answer */

static const char *outcome_name(enum audit_outcome outcome)
{
    switch (outcome) {
    case AUDIT_OK:
        return "ok";
    case AUDIT_ERROR:
        return "error";
    case AUDIT_DENIED:
        break;
    }
    return "denied";
}

static json_t *hash_json(const uint8_t sha256[32])
{
    char hex[65];
    return json_sprintf("sha256:%s", hex_encode(sha256, 32, hex));
}

/* Every member that the hash of the entry covers, and the hashes. */
static json_t *entry_json(const struct audit_record *r)
{
    return json_pack("{s:I, s:o, s:I, s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o}", "id",
                     (json_int_t)r->id, "time", administration_time(r->created_us), "namespace",
                     (json_int_t)r->namespace_id, "account", (json_int_t)r->actor.account_id,
                     "actor", r->actor.name, "addr", r->actor.address, "proof", r->actor.proof,
                     "action", r->action, "object", r->object, "outcome", outcome_name(r->outcome),
                     "before", r->before, "after", r->after, "prev", hash_json(r->prev), "sha256",
                     hash_json(r->sha256));
}

/* --- whose log -------------------------------------------------------------------------------- */

static bool read_namespace(const struct request *rq, struct db_tx *tx, int64_t *out,
                           struct err *err)
{
    auto_buf struct buf text = {0};
    struct namespace_name name;
    struct access_answer answer;
    *out = 0;
    bool given = request_query(rq, "namespace", 0, &text);
    if (!given) {
        return access_is_admin(rq->identity) ||
               err_set(err, ERR_DENIED,
                       "the log of the instance is its administrators'; ?namespace=NS gives that "
                       "of a namespace");
    }
    if (!namespace_name_parse(buf_slice_of(&text), &name, NULL)) {
        return err_set(err, ERR_NAMESPACE_UNKNOWN, "");
    }
    if (!access_check_namespace(tx, rq->identity, &name, ACTION_AUDIT, &answer, err) ||
        !access_require(rq->identity, &answer, err)) {
        return false;
    }
    *out = answer.facts.namespace_id;
    return answer.facts.found || err_set(err, ERR_NAMESPACE_UNKNOWN, "");
}

/* `after` goes on behind an entry; `since` begins at a time. */
static bool read_start(const struct request *rq, struct db_tx *tx, int64_t *after, struct err *err)
{
    auto_buf struct buf text = {0}, since = {0};
    int64_t since_us = 0;
    bool goes_on = request_query(rq, "after", 0, &text);
    bool begins = request_query(rq, "since", 0, &since);
    *after = 0;
    if (goes_on) {
        return (slice_to_int64(buf_slice_of(&text), after) && *after >= 0) ||
               err_set(err, ERR_INVALID, "the parameter after is the id of an entry");
    }
    if (!begins) {
        return true;
    }
    if (!time_parse(buf_slice_of(&since), &since_us)) {
        return err_set(err, ERR_INVALID, "the parameter since is a time like 2026-11-24T00:12:15Z");
    }
    return audit_before(tx, since_us, after, err);
}

/* --- lists ------------------------------------------------------------------------------------ */

static json_t *page_json(const struct audit_list *list, struct slice action)
{
    json_t *entries = json_array();
    bool more = list->count == PAGE_ENTRIES;
    for (size_t i = 0; i < list->count; i++) {
        if (action.n == 0 || slice_is(action, list->items[i].action)) {
            (void)json_array_append_new(entries, entry_json(&list->items[i]));
        }
    }
    return json_pack("{s:o, s:o}", "entries", entries, "next",
                     more ? json_integer((json_int_t)list->items[list->count - 1].id)
                          : json_null());
}

/* GET /api/v1/audit?namespace=&action=&since=&after=: oldest first; 1,000 entries are looked at, so
 * a page may be short and another one follow (`next`) */
void api_audit_list(struct request *rq, struct reply *reply)
{
    auto_snapshot struct db_tx *tx = NULL;
    auto_audit_list struct audit_list list = {0};
    auto_buf struct buf action = {0};
    struct err err = {0};
    int64_t namespace_id = 0, after = 0;
    (void)request_query(rq, "action", 0, &action);
    if (!db_snapshot(rq->app->db, &tx, &err) || !read_namespace(rq, tx, &namespace_id, &err) ||
        !read_start(rq, tx, &after, &err) ||
        !audit_list(tx, namespace_id, after, PAGE_ENTRIES, &list, &err)) {
        reply_error(reply, &err);
        return;
    }
    reply_json(reply, 200, page_json(&list, buf_slice_of(&action)));
    reply_header(reply, "Cache-Control", "no-store");
}

/* --- proofs ----------------------------------------------------------------------------------- */

static json_t *proof_json(const char *chain, const struct decision_proof *p)
{
    return json_pack("{s:s, s:I, s:o, s:b, s:o, s:o, s:o, s:o}", "chain", chain, "records",
                     (json_int_t)p->records, "next",
                     p->done ? json_null() : json_integer((json_int_t)p->after), "proved",
                     (int)(p->bad == 0), "bad",
                     p->bad ? json_integer((json_int_t)p->bad) : json_null(), "bad_id",
                     p->bad_id[0] ? json_string(p->bad_id) : json_null(), "what",
                     p->what ? json_string(p->what) : json_null(), "head", hash_json(p->head));
}

/* The entries behind out->after. */
static bool prove_audit_page(struct db_tx *tx, struct decision_proof *out, struct err *err)
{
    auto_audit_list struct audit_list list = {0};
    if (!audit_verify(tx, out->after, PAGE_ENTRIES, &out->bad, err) ||
        !audit_list(tx, 0, out->after, PAGE_ENTRIES, &list, err)) {
        return false;
    }
    out->records += (int64_t)list.count;
    out->what = out->bad ? "it, or the end of the log behind it, is not what was written" : NULL;
    out->done = out->bad != 0 || list.count < PAGE_ENTRIES;
    if (list.count > 0) {
        out->after = list.items[list.count - 1].id;
        memcpy(out->head, list.items[list.count - 1].sha256, sizeof(out->head));
    }
    return true;
}

static bool prove_audit(struct db_tx *tx, int64_t after, struct decision_proof *out,
                        struct err *err)
{
    bool ok = true;
    *out = (struct decision_proof){.after = after};
    while (ok && !out->done && out->records < PROOF_ENTRIES) {
        ok = prove_audit_page(tx, out, err);
    }
    return ok;
}

static bool prove_decisions(struct db_tx *tx, int64_t after, struct decision_proof *out,
                            struct err *err)
{
    bool ok = decision_proof_from(tx, after, out, err);
    while (ok && !out->done && out->records < PROOF_ENTRIES) {
        ok = decision_verify(tx, PAGE_ENTRIES, out, err);
    }
    return ok;
}

/* GET /api/v1/audit/proof?chain=audit|decisions&after= */
void api_audit_proof(struct request *rq, struct reply *reply)
{
    auto_snapshot struct db_tx *tx = NULL;
    auto_buf struct buf chain = {0};
    struct decision_proof proof;
    struct err err = {0};
    int64_t after = 0;
    (void)request_query(rq, "chain", 0, &chain);
    bool decisions = slice_is(buf_slice_of(&chain), "decisions");
    if (!decisions && !slice_is(buf_slice_of(&chain), "audit")) {
        (void)err_set(&err, ERR_INVALID, "the parameter chain is audit or decisions");
        reply_error(reply, &err);
        return;
    }
    if (!db_snapshot(rq->app->db, &tx, &err) || !read_start(rq, tx, &after, &err) ||
        !(decisions ? prove_decisions : prove_audit)(tx, after, &proof, &err)) {
        reply_error(reply, &err);
        return;
    }
    reply_json(reply, 200, proof_json(chain.p, &proof));
    reply_header(reply, "Cache-Control", "no-store");
}

/* GET /api/v1/audit/decisions?after=: the chain of decisions as it is, oldest first */
void api_audit_decisions(struct request *rq, struct reply *reply)
{
    auto_snapshot struct db_tx *tx = NULL;
    auto_decision_list struct decision_list list = {0};
    auto_json json_t *records = json_array();
    struct err err = {0};
    int64_t after = 0;
    bool ok = db_snapshot(rq->app->db, &tx, &err) && read_start(rq, tx, &after, &err) &&
              decision_chain(tx, after, PAGE_ENTRIES, &list, &err);
    for (size_t i = 0; ok && i < list.count; i++) {
        json_t *record = NULL;
        ok = json_read(slice_str(list.items[i].text), JSON_DEPTH_DEFAULT, &record, &err);
        (void)json_array_append_new(records, record ? record : json_null());
    }
    if (!ok) {
        reply_error(reply, &err);
        return;
    }
    reply_json(reply, 200,
               json_pack("{s:O, s:o}", "records", records, "next",
                         list.next ? json_integer((json_int_t)list.next) : json_null()));
    reply_header(reply, "Cache-Control", "no-store");
}
