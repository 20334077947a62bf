/* What ends soon and the server may not renew: the list for administrators and owners, and warnings
 * for whoever publishes (gate.md 4.1). */
#include "base/duration.h"
#include "base/json.h"
#include "server/administration.h"
#include "server/api.h"
#include "server/api_trust.h"
#include "server/app.h"
#include "server/trust_scope.h"
#include "storage/namespace.h"
#include "storage/repository.h"
#include "trust/expiry.h"

#define PAGE_MAX 100

/* --- the list --------------------------------------------------------------------------------- */

/* END.REPOSITORY.KIND.ROLE: roles hold no dot, and are last. */
static json_t *place_json(const struct expiry *e)
{
    return json_sprintf("%lld.%lld.%d.%s", (long long)e->expires_us, (long long)e->repository_id,
                        (int)e->kind, e->role);
}

static bool place_read(struct slice text, struct expiry_place *out)
{
    struct slice end, repository, kind;
    int64_t number = 0;
    if (!slice_next(&text, '.', &end) || !slice_next(&text, '.', &repository) ||
        !slice_next(&text, '.', &kind) || !slice_to_int64(end, &out->expires_us) ||
        !slice_to_int64(repository, &out->repository_id) || !slice_to_int64(kind, &number) ||
        number < 1 || number > EXPIRY_KINDS || text.n > TRUST_ROLE_NAME_MAX) {
        return false;
    }
    out->kind = (enum expiry_kind)number;
    memcpy(out->role, text.p, text.n);
    out->role[text.n] = '\0';
    return true;
}

static json_t *item_json(const struct request *rq, const struct expiry *e)
{
    auto_buf struct buf who = {0}, command = {0};
    expiry_who(e, rq->now_us, &who);
    expiry_command(rq->app->trust, e, rq->now_us, &command);
    return json_pack("{s:s, s:s, s:s, s:o, s:b, s:s, s:s, s:o}", "repository", e->repo.text, "kind",
                     expiry_kind_name(e->kind), "role", e->role, "expires",
                     administration_time(e->expires_us), "expired",
                     (int)(e->expires_us <= rq->now_us), "who", who.p, "command", command.p,
                     "place", place_json(e));
}

struct expiry_query {
    bool scoped;
    struct trust_scope scope;
    struct expiry_place after;
    bool within_given;
    int64_t within_us;
};

static bool query_read(const struct request *rq, struct expiry_query *out, struct err *err)
{
    auto_buf struct buf scope = {0}, within = {0}, last = {0};
    bool goes_on = request_query(rq, "last", 0, &last);
    *out = (struct expiry_query){.scoped = request_query(rq, "scope", 0, &scope),
                                 .within_given = request_query(rq, "within", 0, &within)};
    if (out->scoped && !trust_scope_read(buf_slice_of(&scope), &out->scope, err)) {
        return false;
    }
    if (out->within_given && !duration_read(buf_slice_of(&within), &out->within_us)) {
        return err_set(err, ERR_INVALID, "the parameter within is a length of time such as 90d");
    }
    if (goes_on && !place_read(buf_slice_of(&last), &out->after)) {
        return err_set(err, ERR_INVALID, "the parameter last is the place of an entry");
    }
    return true;
}

static bool query_allowed(struct db_tx *tx, const struct request *rq, const struct expiry_query *q,
                          struct err *err)
{
    if (q->scoped) {
        return trust_scope_may_read(tx, rq, &q->scope, err);
    }
    return access_is_admin(rq->identity) ||
           err_set(err, ERR_INVALID, "the parameter scope is needed: ns or ns/app");
}

static bool query_within(struct db_tx *tx, struct expiry_query *q, struct err *err)
{
    const struct namespace_name *ns =
        q->scoped && q->scope.whole_namespace ? &q->scope.namespace_ : NULL;
    const struct repo_name *repo = q->scoped && !q->scope.whole_namespace ? &q->scope.repo : NULL;
    return q->within_given || expiry_within(tx, repo, ns, &q->within_us, err);
}

static bool is_after(const struct expiry *e, const struct expiry_place *place)
{
    return place->role[0] == '\0' || e->kind > place->kind ||
           (e->kind == place->kind && strcmp(e->role, place->role) > 0);
}

/* One repository has few roles; they come in the order of their kinds. */
static bool list_repository(struct db_tx *tx, const struct expiry_query *q, int64_t before_us,
                            struct expiry_list *out, struct err *err)
{
    struct repository repo;
    size_t n = 0;
    if (!repository_get(tx, &q->scope.repo, &repo, err) ||
        !expiry_list_repository(tx, repo.id, out, err)) {
        return false;
    }
    for (size_t i = 0; i < out->count && n < PAGE_MAX; i++) {
        const struct expiry *e = &out->items[i];
        if (e->expires_us > 0 && e->expires_us < before_us && is_after(e, &q->after)) {
            out->items[n++] = *e;
        }
    }
    out->count = n;
    return true;
}

static bool list_scope(struct db_tx *tx, const struct expiry_query *q, int64_t before_us,
                       struct expiry_list *out, struct err *err)
{
    struct namespace ns = {0};
    if (q->scoped && !q->scope.whole_namespace) {
        return list_repository(tx, q, before_us, out, err);
    }
    return (!q->scoped || namespace_get(tx, &q->scope.namespace_, &ns, err)) &&
           expiry_list_before(tx, ns.id, before_us, &q->after, PAGE_MAX, out, err);
}

/* GET /api/v1/trust/expiring?scope=&within=&last= */
void api_trust_expiring(struct request *rq, struct reply *reply)
{
    auto_snapshot struct db_tx *tx = NULL;
    auto_expiry_list struct expiry_list found = {0};
    struct expiry_query q;
    struct err err = {0};
    json_t *list = json_array();
    bool ok = query_read(rq, &q, &err) && db_snapshot(rq->app->db, &tx, &err) &&
              query_allowed(tx, rq, &q, &err) && query_within(tx, &q, &err) &&
              list_scope(tx, &q, expiry_before(rq->now_us, q.within_us), &found, &err);
    for (size_t i = 0; ok && i < found.count; i++) {
        json_array_append_new(list, item_json(rq, &found.items[i]));
    }
    administration_reply_list(reply, ok, "expiring", list, &err);
}

/* --- warnings --------------------------------------------------------------------------------- */

static bool list_for_warnings(const struct request *rq, struct expiry_list *out, struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    struct expiry_query q = {.scoped = true, .scope = {.repo = rq->repo}};
    return db_snapshot(rq->app->db, &tx, err) && query_within(tx, &q, err) &&
           list_repository(tx, &q, expiry_before(rq->now_us, q.within_us), out, err);
}

void reply_expiry_warnings(const struct request *rq, struct reply *reply)
{
    auto_expiry_list struct expiry_list list = {0};
    struct err why = {0};
    if (!list_for_warnings(rq, &list, &why)) {
        return; /* what was published is published */
    }
    for (size_t i = 0; i < list.count && i < EXPIRY_KINDS; i++) {
        auto_buf struct buf sentence = {0};
        expiry_sentence(rq->app->trust, &list.items[i], rq->now_us, &sentence);
        reply_header(reply, "Warning", "299 - \"%s\"", sentence.p);
    }
}
