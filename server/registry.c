#include "server/registry.h"

#include "auth/access.h"
#include "auth/auth.h"
#include "base/log.h"
#include "server/app.h"
#include "server/metrics.h"
#include "server/override_notice.h"
#include "trust/override.h"
#include "trust/view.h"

#include <stdio.h>

#define LOOKS_MIN 64 /* small pages of much that is hidden would make many requests */

bool registry_open(const struct request *rq, struct db_tx **tx_out, struct repository *out,
                   struct err *err)
{
    return request_snapshot(rq, tx_out, err) && repository_get(*tx_out, &rq->repo, out, err);
}

static bool holds_still(struct db_tx *tx, const void *arg, struct err *err)
{
    return request_may_still(arg, tx, err);
}

void registry_actor(const struct request *rq, struct actor *out)
{
    identity_actor(rq->identity, rq->address, out);
    out->still = holds_still;
    out->still_arg = rq;
}

static void gate_caller(const struct identity *who, const struct access_facts *facts,
                        struct gate_caller *out)
{
    *out = (struct gate_caller){.gated = who->gated,
                                .account_id = who->account_id,
                                .reads_unsigned =
                                    (access_permitted(who, facts) & ACTIONS_PAST_LEVEL_ALL) != 0};
}

bool registry_account_may_pull(const struct identity *who, struct db_tx *tx, const struct repo_name *repo)
{
    struct namespace_name ns;
    struct access_facts facts;
    struct err why = {0};
    repo_name_namespace(repo, &ns);
    return access_facts_load(tx, who, &ns, &facts, &why) &&
           (access_permitted(who, &facts) & ACTION_BIT(ACTION_PULL)) != 0;
}

static bool told_may_pull(const void *told, struct db_tx *tx, const struct repo_name *repo)
{
    return registry_account_may_pull(told, tx, repo);
}

void registry_gate_told(const struct request *rq, struct gate_caller *caller)
{
    caller->may_pull = told_may_pull;
    caller->told = rq->identity;
}

bool registry_gate_caller(const struct request *rq, struct db_tx *tx, struct gate_caller *out,
                          struct err *err)
{
    struct access_facts facts = {0};
    if (!rq->identity->gated && !request_facts(rq, tx, &facts, err)) {
        return false;
    }
    gate_caller(rq->identity, &facts, out); /* who is gated never writes */
    registry_gate_told(rq, out);
    return true;
}

bool registry_gate_caller_of(const struct identity *who, struct db_tx *tx,
                             const struct repo_name *repo, struct gate_caller *out, struct err *err)
{
    struct namespace_name ns;
    struct access_facts facts;
    repo_name_namespace(repo, &ns);
    if (!access_facts_load(tx, who, &ns, &facts, err)) {
        return false;
    }
    gate_caller(who, &facts, out);
    return true;
}

bool registry_gate_ready(struct request *rq, const struct repository *repo, struct gate_view **out)
{
    *out = rq->on_worker ? NULL : gate_view_find_ready(rq->app->trust, repo, rq->now_us);
    return *out || request_on_worker_surely(rq);
}

bool registry_gate_finished(struct request *rq, const struct decision *d)
{
    return !d->unfinished || request_on_worker_surely(rq);
}

void registry_reader(const struct request *rq, struct reader *out)
{
    access_reader(rq->identity, out);
}

bool registry_is_listed(const struct decision *d, bool *out, struct err *err)
{
    *out = d->effect == EFFECT_ALLOW;
    return d->reason != REASON_INDETERMINATE || err_set(err, ERR_INDETERMINATE, "%s", d->message);
}

void registry_count_decision(const struct request *rq, const char *door, const struct decision *d)
{
    metrics_gate(rq->app->metrics, door, d->effect == EFFECT_ALLOW ? "allow" : "deny",
                 gate_reason_info(d->reason)->name);
}

bool registry_count_override(const struct request *rq, const struct repository *repo,
                             const struct decision *d, struct err *err)
{
    struct actor actor;
    if (!d->override_counts) {
        return true;
    }
    if (!override_notice_send(rq, repo, d, err)) {
        return false; /* told first: a use that is counted lets further requests through */
    }
    registry_actor(rq, &actor);
    if (override_use(rq->app->trust, repo->namespace_id, d->override_id, &d->serve, &actor,
                     rq->now_us, err)) {
        return true;
    }
    log_err(LOG_WARN, "override_use", err);
    return err->code != ERR_INDETERMINATE /* what cannot be recorded is not served */
               ? err_set(err, ERR_INDETERMINATE, "the use of override %lld cannot be recorded now",
                         (long long)d->override_id)
               : false;
}

bool registry_use_override(struct request *rq, const struct repository *repo,
                           const struct decision *d, struct reply *reply)
{
    struct err err = {0};
    if (!d->override_counts) {
        return true;
    }
    if (!request_on_worker(rq)) {
        return false;
    }
    if (!registry_count_override(rq, repo, d, &err)) {
        reply_error(reply, &err);
        return false;
    }
    return true;
}

void registry_digest_headers(struct reply *reply, const struct digest *digest)
{
    char text[DIGEST_STR_MAX];
    digest_format(digest, text);
    reply_header_text(reply, "Docker-Content-Digest", text);
    reply_header(reply, "ETag", "\"%s\"", text);
}

bool registry_not_modified(const struct request *rq, const struct digest *digest)
{
    auto_buf struct buf all = {0};
    char text[DIGEST_STR_MAX];
    struct slice item;
    digest_format(digest, text);
    request_header_all(rq, "If-None-Match", &all);
    struct slice rest = buf_slice_of(&all);
    while (rest.p != NULL && slice_next(&rest, ',', &item)) {
        item = slice_trim(item);
        item = slice_starts(item, "W/") ? slice_from(item, 2) : item;
        bool quoted = item.n > 2 && item.p[0] == '"' && item.p[item.n - 1] == '"';
        struct slice tag = quoted ? slice_from(slice_first(item, item.n - 1), 1) : item;
        if (slice_is(item, "*") || (quoted && slice_is(tag, text))) {
            return true;
        }
    }
    return false;
}

bool registry_may_range(const struct request *rq, const struct digest *digest)
{
    char text[DIGEST_STR_MAX];
    char etag[DIGEST_STR_MAX + 2];
    const char *wanted = request_header(rq, "If-Range");
    (void)snprintf(etag, sizeof(etag), "\"%s\"", digest_format(digest, text));
    return rq->method == METHOD_GET &&
           (wanted == NULL || slice_is(slice_trim(slice_str(wanted)), etag));
}

bool registry_page(const struct request *rq, struct page *out, struct err *err)
{
    auto_buf struct buf n = {0};
    int64_t max = PAGE_MAX;
    *out = (struct page){.max = PAGE_MAX};
    if (request_has_query(rq, "n") &&
        (!request_query(rq, "n", 0, &n) || !slice_to_int64(buf_slice_of(&n), &max))) {
        return err_set(err, ERR_REQUEST_INVALID, "the parameter n is a number of entries, 0 to %d",
                       PAGE_MAX);
    }
    out->max = max < PAGE_MAX ? (int)max : PAGE_MAX;
    (void)request_query(rq, "last", 0, &out->last);
    return true;
}

int registry_looks(const struct page *page)
{
    return page->max > LOOKS_MIN ? page->max : LOOKS_MIN;
}

void registry_next_link(const struct request *rq, struct reply *reply, const struct page *page,
                        struct slice last, const char *keep, struct slice value)
{
    auto_buf struct buf url = {0};
    buf_slice(&url, rq->path);
    buf_printf(&url, "?n=%d&last=", page->max);
    buf_url(&url, last);
    if (value.n > 0) {
        buf_printf(&url, "&%s=", keep);
        buf_url(&url, value);
    }
    reply_header(reply, "Link", "<%s>; rel=\"next\"", url.p);
}
