#include "server/deployment.h"

#include "auth/access.h"
#include "base/clock.h"
#include "server/app.h"
#include "server/record.h"
#include "server/registry.h"
#include "storage/manifest.h"
#include "storage/tag.h"

#include <stdio.h>

#define ATTEMPTS 4
#define DOOR "deploy"

/* One try: the snapshot that the decision was made in, and what must still be so when it counts. */
struct attempt {
    struct deployment *d;
    struct db_tx *tx;
    struct repository repo;
    struct gate_caller caller;
    bool tag_exists;
    struct tag tag;
    struct digest digest; /* what is released */
    struct decision_draft *draft;
    struct actor actor;
};

static void attempt_dispose(struct attempt *a)
{
    db_snapshot_end(a->tx);
    decision_draft_free(a->draft);
}
#define auto_attempt __attribute__((cleanup(attempt_dispose)))

/* --- what is decided on ----------------------------------------------------------------------- */

static bool may_deploy(struct db_tx *tx, const struct deployment *d, int64_t *namespace_id,
                       struct err *err)
{
    struct access_answer answer;
    struct namespace_name ns;
    repo_name_namespace(&d->image.repo, &ns);
    if (!access_check_namespace(tx, d->rq->identity, &ns, ACTION_DEPLOY, &answer, err) ||
        !access_require(d->rq->identity, &answer, err)) {
        return false;
    }
    *namespace_id = answer.facts.namespace_id;
    return true;
}

/* By tag alone the tag may move before the release is recorded. */
static bool is_by_tag(const struct attempt *a)
{
    return !a->d->image.has_digest;
}

static bool read_tag(struct db_tx *tx, const struct attempt *a, struct tag *tag, bool *exists,
                     struct err *err)
{
    struct err why = {0};
    *exists = tag_get(tx, a->repo.id, &a->d->image.tag, tag, &why);
    if (!*exists && why.code != ERR_TAG_UNKNOWN) {
        *err = why;
        return false;
    }
    return true;
}

static bool decide(struct attempt *a, struct err *err)
{
    struct trust *trust = a->d->rq->app->trust;
    const struct image_name *image = &a->d->image;
    struct decision *out = &a->d->decision;
    int64_t now_us = a->d->rq->now_us;
    if (image->has_tag && image->has_digest) {
        gate_decide_tag_and_digest(trust, a->tx, &a->caller, &a->repo, &a->repo.name, &image->tag,
                                   &image->digest, now_us, out);
        return true;
    }
    if (image->has_digest) {
        gate_decide_digest(trust, a->tx, &a->caller, &a->repo, &a->repo.name, &image->digest,
                           now_us, out);
        return true;
    }
    if (!read_tag(a->tx, a, &a->tag, &a->tag_exists, err)) {
        return false;
    }
    gate_decide_tag(trust, a->tx, &a->caller, &a->repo, &a->repo.name, &image->tag,
                    a->tag_exists ? &a->tag : NULL, -1, now_us, out);
    return true;
}

/* What the decision lets through: by tag it says so, by digest it is what was asked for. */
static bool is_deployable(struct attempt *a, struct err *err)
{
    const struct decision *decision = &a->d->decision;
    if (decision->reason == REASON_UNKNOWN) {
        return err_set(err, ERR_MANIFEST_UNKNOWN, "there is no such image in %s",
                       a->repo.name.text);
    }
    a->digest = digest_is_set(&decision->serve) ? decision->serve : a->d->image.digest;
    return true;
}

/* --- the release ------------------------------------------------------------------------------ */

static bool is_unchanged(struct db_tx *tx, const struct attempt *a, bool *out, struct err *err)
{
    struct repository repo;
    struct tag tag = {0};
    bool exists = false;
    if (!repository_get(tx, &a->d->image.repo, &repo, err) ||
        (is_by_tag(a) && !read_tag(tx, a, &tag, &exists, err)) ||
        !manifest_exists(tx, a->repo.id, &a->digest, out, err)) {
        return false;
    }
    bool same_tag = !is_by_tag(a) || (exists == a->tag_exists &&
                                      (!exists || digest_equal(&tag.digest, &a->tag.digest)));
    *out = *out && same_tag && repo.id == a->repo.id &&
           repo.gate_generation == a->repo.gate_generation;
    return true;
}

/* The decision was made outside, where the gate may renew what has expired: it counts when nothing
 * that it was made from has changed since. */
static bool write_release(struct db_tx *tx, void *arg, struct err *err)
{
    struct attempt *a = arg;
    struct deployment *d = a->d;
    bool unchanged = false;
    if (!actor_may_still(tx, &a->actor, err) ||
        !may_deploy(tx, d, &d->release.namespace_id, err) ||
        !is_unchanged(tx, a, &unchanged, err)) {
        return false;
    }
    if (!unchanged) {
        return err_set(err, ERR_BUSY, "%s changed while it was deployed, try again",
                       a->repo.name.text);
    }
    return decision_append(tx, a->draft, err) &&
           release_add(tx, &d->release, &a->actor, d->rq->now_us, err);
}

static void fill_release(struct attempt *a)
{
    struct release *r = &a->d->release;
    const struct decision *decision = &a->d->decision;
    r->repository_id = a->repo.id;
    r->digest = a->digest;
    (void)snprintf(r->repository, sizeof(r->repository), "%s", a->repo.name.text);
    (void)snprintf(r->tag, sizeof(r->tag), "%s", a->d->image.has_tag ? a->d->image.tag.text : "");
    (void)snprintf(r->decision, sizeof(r->decision), "%s", decision->record);
    (void)snprintf(r->reason, sizeof(r->reason), "%s", gate_reason_info(decision->reason)->name);
}

static enum deployment_result refuse(struct attempt *a, const struct record *record)
{
    return record_decision(record, &a->d->decision) ? DEPLOYMENT_REFUSED : DEPLOYMENT_AGAIN;
}

static enum deployment_result attempt_run(struct attempt *a, struct err *err)
{
    struct deployment *d = a->d;
    int64_t began_us = clock_mono_us();
    int64_t namespace_id = 0;
    if (!db_snapshot(d->rq->app->db, &a->tx, err) || !may_deploy(a->tx, d, &namespace_id, err) ||
        !repository_get(a->tx, &d->image.repo, &a->repo, err) || !decide(a, err) ||
        !is_deployable(a, err)) {
        return DEPLOYMENT_FAILED;
    }
    const struct record record = {d->rq, a->tx, DOOR, &a->caller, &a->repo, began_us, NULL};
    if (d->decision.effect != EFFECT_ALLOW) {
        return refuse(a, &record);
    }
    a->draft = record_draft(&record, &d->decision);
    fill_release(a);
    db_snapshot_end(a->tx);
    a->tx = NULL;
    return registry_count_override(d->rq, &a->repo, &d->decision, err) &&
                   db_write(d->rq->app->db, write_release, a, err)
               ? DEPLOYMENT_DONE
               : DEPLOYMENT_FAILED;
}

enum deployment_result deployment_run(struct deployment *d, struct err *err)
{
    enum deployment_result result = DEPLOYMENT_FAILED;
    for (int i = 0; i < ATTEMPTS; i++) {
        auto_attempt struct attempt a = {
            .d = d, .caller = {.gated = true, .account_id = d->rq->identity->account_id}};
        registry_actor(d->rq, &a.actor);
        *err = (struct err){0};
        result = attempt_run(&a, err);
        if (result != DEPLOYMENT_FAILED || err->code != ERR_BUSY) {
            break;
        }
    }
    if (result == DEPLOYMENT_REFUSED || result == DEPLOYMENT_DONE) {
        registry_count_decision(d->rq, DOOR, &d->decision);
    }
    return result;
}
