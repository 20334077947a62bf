/* What a changed policy would refuse (gate.md 8): asked before it is set. */
#include "server/administration.h"
#include "server/api.h"
#include "server/app.h"
#include "server/policy_scope.h"
#include "trust/plan.h"
#include "trust/roots.h"

#include <stdio.h>

#define FINDINGS_DEFAULT 100
#define FINDINGS_MAX 500
#define LOOKS_MAX 2000 /* of a page: each is four decisions */
#define SINCE_DEFAULT_US (30 * US_PER_DAY)

struct plan_request {
    struct request *rq;
    struct policy_scope scope;
    struct plan plan;
    struct plan_place place;
    struct plan_budget budget;
    struct buf policy;       /* owned */
    bool removal;
    struct policy_row wider; /* of a removal; owned */
    json_t *refused, *roots;
};

/* --- what is asked ---------------------------------------------------------------------------- */

static bool read_page(struct plan_request *p, struct err *err)
{
    auto_buf struct buf last = {0}, count = {0};
    int64_t n = FINDINGS_DEFAULT;
    if (request_query(p->rq, "last", 0, &last) &&
        !plan_place_read(buf_slice_of(&last), &p->place, err)) {
        return false;
    }
    if (request_query(p->rq, "n", 0, &count) &&
        (!slice_to_int64(buf_slice_of(&count), &n) || n < 1 || n > FINDINGS_MAX)) {
        return err_set(err, ERR_INVALID, "the parameter n is a number from 1 to %d", FINDINGS_MAX);
    }
    p->budget = (struct plan_budget){.looks = LOOKS_MAX, .findings = (int)n};
    return true;
}

static bool read_since(struct plan_request *p, struct err *err)
{
    auto_buf struct buf since = {0};
    int64_t back_us = SINCE_DEFAULT_US;
    if (request_query(p->rq, "since", 0, &since) &&
        !duration_read(buf_slice_of(&since), &back_us)) {
        return err_set(err, ERR_INVALID,
                       "the parameter since says how far to look back, such as 30d or 24h");
    }
    p->plan.pulled_since_us = back_us >= p->rq->now_us ? 1 : p->rq->now_us - back_us;
    return true;
}

static bool read_policy(struct plan_request *p, struct err *err)
{
    auto_json json_t *body = NULL;
    auto_json json_t *full = NULL;
    auto_policy struct policy policy = {0};
    if (!request_json(p->rq, &body, err) || !policy_read(body, &policy, err)) {
        return false;
    }
    full = policy_write(&policy);
    json_write(&p->policy, full);
    p->plan.policy = buf_slice_of(&p->policy);
    return true;
}

/* ?remove=1: the scope's own policy would go, and the next wider one apply. */
static bool is_removal(const struct plan_request *p)
{
    auto_buf struct buf remove = {0};
    return request_query(p->rq, "remove", 0, &remove) && slice_is(buf_slice_of(&remove), "1");
}

static bool find_wider(struct plan_request *p, struct db_tx *tx, struct err *err)
{
    auto_policy_row struct policy_row own = {0};
    if (!policy_scope_own(tx, &p->scope, &own, err) ||
        !policy_row_find_wider(tx, p->scope.text, &p->wider, err)) {
        return false;
    }
    p->plan.policy = slice_str(p->wider.json);
    p->plan.policy_scope = p->wider.scope;
    return true;
}

/* --- the answer ------------------------------------------------------------------------------- */

static json_t *whom(const struct plan_finding *f)
{
    json_t *list = json_array();
    if (f->deployers) {
        json_array_append_new(list, json_string("deployers"));
    }
    if (f->readers) {
        json_array_append_new(list, json_string("readers"));
    }
    return list;
}

static const char *kind_name(enum plan_kind kind)
{
    static const char *const names[] = {
        [PLAN_TAG] = "tag", [PLAN_RUNNING] = "running", [PLAN_PULLED] = "pulled"};
    return names[kind];
}

static json_t *services_json(const struct release_use_list *list)
{
    json_t *out = json_array();
    for (size_t i = 0; list && i < list->count; i++) {
        json_array_append_new(out, json_string(list->items[i].service.text));
    }
    return out;
}

static void add_finding(void *arg, const struct plan_finding *f)
{
    struct plan_request *p = arg;
    auto_buf struct buf image = {0};
    char digest[DIGEST_STR_MAX];
    digest_format(&f->digest, digest);
    buf_printf(&image, "%s%s%s", f->repo->text, f->kind == PLAN_TAG ? ":" : "@",
               f->kind == PLAN_TAG ? f->tag : digest);
    json_t *item = json_pack("{s:s, s:s, s:s, s:o, s:s, s:s, s:s, s:s}", "image", image.p, "kind",
                             kind_name(f->kind), "digest", digest, "for",
                             whom(f), "now", gate_reason_info(f->now->reason)->name, "reason",
                             gate_reason_info(f->then->reason)->name, "message", f->then->message,
                             "hint", f->then->hint);
    json_object_set_new(item, "pulled",
                        f->pulled_us > 0 ? administration_time(f->pulled_us) : json_null());
    json_object_set_new(item, "services", services_json(f->services));
    json_array_append_new(p->refused, item);
}

static void add_root(void *arg, const struct plan_root *root)
{
    struct plan_request *p = arg;
    json_t *keys = json_array();
    for (size_t i = 0; i < root->key_count; i++) {
        char key[ROOT_KEY_TEXT_SIZE];
        json_array_append_new(keys, json_string(trust_root_key_format(root->keys[i].sha256, key)));
    }
    json_array_append_new(p->roots,
                          json_pack("{s:s, s:I, s:o}", "repository", root->repo->text, "version",
                                    (json_int_t)root->version, "root_keys", keys));
}

static json_t *next_json(const struct plan_request *p, bool done)
{
    auto_buf struct buf next = {0};
    if (done) {
        return json_null();
    }
    plan_place_write(&p->place, &next);
    return json_stringn(next.p ? next.p : "", next.n);
}

static bool run(struct plan_request *p, json_t **out, struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    bool done = false;
    const struct app *app = p->rq->app;
    p->plan.scope = p->plan.policy_scope = p->scope.text;
    p->plan.now_us = p->rq->now_us;
    if (!db_snapshot(app->db, &tx, err) ||
        !policy_scope_allowed(tx, p->rq, &p->scope, ACTION_POLICY_SET, &p->plan.namespace_id,
                              err) ||
        (p->removal && !find_wider(p, tx, err)) ||
        !plan_page(app->trust, tx, &p->plan, &p->place, &p->budget, add_finding, add_root, p, &done,
                   err)) {
        return false;
    }
    *out = json_pack("{s:s, s:O, s:O, s:o}", "scope", p->scope.text, "refused", p->refused, "roots",
                     p->roots, "next", next_json(p, done));
    return true;
}

/* POST /api/v1/policy/plan?scope=[&since=][&last=][&n=], the policy as body; or &remove=1 without */
void api_policy_plan(struct request *rq, struct reply *reply)
{
    struct err err = {0};
    json_t *answer = NULL;
    struct plan_request p = {.rq = rq, .refused = json_array(), .roots = json_array()};
    bool ok = policy_scope_of_request(rq, &p.scope, &err) && read_page(&p, &err) &&
              read_since(&p, &err);
    p.removal = is_removal(&p);
    ok = ok && (p.removal || read_policy(&p, &err)) && run(&p, &answer, &err);
    if (ok) {
        reply_json(reply, 200, answer);
    } else {
        reply_error(reply, &err);
    }
    json_decref(p.refused);
    json_decref(p.roots);
    buf_dispose(&p.policy);
    policy_row_dispose(&p.wider);
}
