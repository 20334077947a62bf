#include "server/deletion.h"

#include "server/app.h"
#include "server/registry.h"
#include "storage/audit.h"
#include "trust/door.h"

/* By an administrator, whose token is for images as everybody's is here. */
static bool is_forced(const struct request *rq)
{
    auto_buf struct buf force = {0};
    return rq->identity->administrator && !rq->identity->gated &&
           request_query(rq, "force", 0, &force) && slice_is(buf_slice_of(&force), "1");
}

void deletion_begin(struct deletion *d, const struct request *rq, const char *forced_action)
{
    *d = (struct deletion){.rq = rq, .forced_action = forced_action, .force = is_forced(rq)};
    registry_actor(rq, &d->actor);
    gate_prepare_delete(rq->app->trust, rq->app->db, &rq->repo, &rq->digest, rq->now_us);
}

static bool audit_forced(struct db_tx *tx, const struct deletion *d, const struct repository *repo,
                         struct err *err)
{
    auto_buf struct buf object = {0};
    char digest[DIGEST_STR_MAX];
    buf_printf(&object, "%s@%s", repo->name.text, digest_format(&d->rq->digest, digest));
    struct audit_entry entry = {.action = d->forced_action,
                                .namespace_id = repo->namespace_id,
                                .object = buf_slice_of(&object),
                                .outcome = AUDIT_OK};
    return audit_append(tx, &d->actor, &entry, d->rq->now_us, err);
}

static bool gate_lets_go(struct db_tx *tx, struct deletion *d, const struct repository *repo,
                         struct err *err)
{
    const struct request *rq = d->rq;
    struct err denied = {0};
    d->refusal = (struct decision){.reason = REASON_INDETERMINATE}; /* of a run before */
    if (gate_may_delete(rq->app->trust, tx, repo, &rq->digest, rq->now_us, &d->refusal, &denied)) {
        return true;
    }
    if (!d->force || denied.code != ERR_DENIED) {
        *err = denied;
        return false;
    }
    return audit_forced(tx, d, repo, err);
}

bool deletion_allowed(struct db_tx *tx, struct deletion *d, struct repository *repo_out,
                      struct err *err)
{
    return request_may_still(d->rq, tx, err) &&
           repository_get(tx, &d->rq->repo, repo_out, err) && gate_lets_go(tx, d, repo_out, err);
}
