#include "server/decision_today.h"

#include "auth/access.h"
#include "auth/live.h"
#include "server/app.h"
#include "server/registry.h"
#include "storage/tag.h"

#include <stdarg.h>
#include <stdio.h>

struct today {
    const struct request *rq;
    struct db_tx *tx;
    const struct decision_row *row;
    const json_t *record;
    struct repository repo;
    struct gate_caller caller;
    bool has_tag, has_digest;
    struct tag_name tag;
    struct digest digest;
    char why[400]; /* there is no answer */
};

static const char *text_of(const json_t *object, const char *member)
{
    const char *text = json_get_string(object, member);
    return text ? text : "";
}

static const char *door_of(const struct today *t)
{
    return text_of(t->record, "door");
}

/* Whom the question was asked for by name; "": for nobody. */
static const char *as_of(const struct today *t)
{
    return text_of(json_get_object(t->record, "request"), "as");
}

static const char *name_of(const struct today *t)
{
    return as_of(t)[0] ? as_of(t) : text_of(json_get_object(t->record, "identity"), "id");
}

/* There is no answer: the sentence that says why. Returns false. */
static bool say(struct today *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
static bool say(struct today *t, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(t->why, sizeof t->why, fmt, args);
    va_end(args);
    return false;
}

static bool say_unread(struct today *t)
{
    return say(t, "it cannot be decided at this moment, ask again");
}

/* --- what is asked ---------------------------------------------------------------------------- */

static bool read_request(struct today *t)
{
    const json_t *request = json_get_object(t->record, "request");
    t->has_tag = tag_name_parse(json_get_slice(request, "tag"), &t->tag, NULL);
    t->has_digest = digest_parse(json_get_slice(request, "digest"), &t->digest, NULL);
    return t->has_tag || t->has_digest;
}

static bool find_repository(struct today *t)
{
    struct err why = {0};
    if (repository_get_by_id(t->tx, t->row->repository_id, &t->repo, &why)) {
        return true;
    }
    return why.code != ERR_NAME_UNKNOWN
               ? say_unread(t)
               : say(t, "the repository %s of this decision does not exist any more",
                     text_of(json_get_object(t->record, "request"), "repo"));
}

/* --- for whom --------------------------------------------------------------------------------- */

static bool find_account(struct today *t, struct identity *out)
{
    struct account account;
    struct err why = {0};
    bool found = as_of(t)[0] ? account_get_by_name(t->tx, slice_str(as_of(t)), &account, &why)
                             : account_get(t->tx, t->row->account_id, &account, &why);
    if (!found) {
        return why.code != ERR_ACCOUNT_UNKNOWN
                   ? say_unread(t)
                   : say(t, "the account %s does not exist any more", name_of(t));
    }
    live_identity(&account, out);
    return !account.disabled || say(t, "the account %s is disabled", name_of(t));
}

/* Nobody, or the control socket, else the account. */
static bool find_identity(struct today *t, struct identity *out)
{
    const char *kind = text_of(json_get_object(t->record, "identity"), "kind");
    *out = (struct identity){.kind = IDENTITY_ANONYMOUS};
    if (as_of(t)[0] || t->row->account_id != 0) {
        return find_account(t, out);
    }
    if (strcmp(kind, "control") == 0) {
        *out = (struct identity){.kind = IDENTITY_CONTROL, .administrator = true};
    }
    return true;
}

static bool may_pull(struct today *t, const struct identity *who)
{
    struct access_answer answer;
    struct err why = {0};
    if (!access_check(t->tx, who, &t->repo.name, ACTION_PULL, false, &answer, &why)) {
        return say_unread(t);
    }
    return answer.result == ACCESS_ALLOWED ||
           say(t, "%s may not pull from %s any more",
               name_of(t)[0] ? name_of(t) : "whoever does not sign in", t->repo.name.text);
}

/* Whether the door decides for a deployer, whoever asks; and then, whose overrides count. */
static bool is_for_a_deployer(const struct today *t, bool gated, int64_t *account_id)
{
    const char *door = door_of(t);
    bool deploy = strcmp(door, "deploy") == 0, verify = strcmp(door, "verify") == 0;
    *account_id = deploy || (verify && gated) ? t->row->account_id : 0;
    return deploy || verify || strcmp(door, "release") == 0;
}

static bool find_caller(struct today *t)
{
    struct identity who;
    struct err why = {0};
    bool gated = false;
    int64_t account_id = 0;
    (void)json_get_bool(json_get_object(t->record, "identity"), "gated", &gated);
    if (!as_of(t)[0] && is_for_a_deployer(t, gated, &account_id)) {
        t->caller = (struct gate_caller){.gated = true, .account_id = account_id};
        return account_id == 0 || find_account(t, &who);
    }
    if (!find_identity(t, &who) || !may_pull(t, &who)) {
        return false;
    }
    return registry_gate_caller_of(&who, t->tx, &t->repo.name, &t->caller, &why) ||
           say_unread(t);
}

/* --- the answer ------------------------------------------------------------------------------- */

static bool decide_by_tag(struct today *t, struct decision *d)
{
    struct tag current;
    struct err why = {0};
    bool exists = tag_get(t->tx, t->repo.id, &t->tag, &current, &why);
    if (!exists && why.code != ERR_TAG_UNKNOWN) {
        return say_unread(t);
    }
    gate_decide_tag(t->rq->app->trust, t->tx, &t->caller, &t->repo, &t->repo.name, &t->tag,
                    exists ? &current : NULL, -1, t->rq->now_us, d);
    return true;
}

static bool decide(struct today *t, struct decision *d)
{
    struct trust *trust = t->rq->app->trust;
    int64_t now_us = t->rq->now_us;
    if (!t->has_digest) {
        return decide_by_tag(t, d);
    }
    if (t->has_tag) {
        gate_decide_tag_and_digest(trust, t->tx, &t->caller, &t->repo, &t->repo.name, &t->tag,
                                   &t->digest, now_us, d);
    } else if (strcmp(door_of(t), "blob") == 0) {
        gate_decide_blob(trust, t->tx, &t->caller, &t->repo, &t->repo.name, &t->digest, now_us, d);
    } else {
        gate_decide_digest(trust, t->tx, &t->caller, &t->repo, &t->repo.name, &t->digest, now_us,
                           d);
    }
    return true;
}

json_t *decision_today(const struct request *rq, struct db_tx *tx, const struct decision_row *row,
                       const json_t *record)
{
    struct today t = {.rq = rq, .tx = tx, .row = row, .record = record};
    struct decision d = {0};
    if (!read_request(&t)) {
        return NULL;
    }
    if (!find_repository(&t) || !find_caller(&t) || !decide(&t, &d)) {
        return json_pack("{s:n, s:n, s:s}", "effect", "reason", "message", t.why);
    }
    bool allowed = d.effect == EFFECT_ALLOW;
    return json_pack("{s:s, s:s, s:s}", "effect", allowed ? "allow" : "deny", "reason",
                     gate_reason_info(d.reason)->name, "message",
                     allowed && d.warning[0] ? d.warning : d.message);
}
