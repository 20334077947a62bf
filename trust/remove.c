#include "trust/remove.h"

#include "storage/audit.h"
#include "storage/release.h"
#include "storage/removal.h"
#include "storage/repository.h"
#include "storage/tag_rule.h"
#include "trust/forget.h"
#include "trust/trust_internal.h"
#include "trust/wipe.h"

#define REASON_REPOSITORY "the repository was deleted"
#define REASON_NAMESPACE "the namespace was deleted"

struct removal {
    struct trust *trust;
    const struct remove_request *rq;
    json_t *wiped;                /* made anew by every run of the write function */
    struct reached_list *reached; /* likewise */
};

static bool put_audit(struct db_tx *tx, const struct remove_request *rq, const char *action,
                      int64_t namespace_id, struct slice object, struct err *err)
{
    const struct audit_entry entry = {.action = action,
                                      .namespace_id = namespace_id,
                                      .object = object,
                                      .outcome = AUDIT_OK,
                                      .after = rq->keep_pins ? SLICE_LIT("{\"keep_pins\":true}")
                                                             : SLICE_LIT("{\"keep_pins\":false}")};
    return audit_append(tx, rq->actor, &entry, rq->now_us, err);
}

static bool wipe_and_mark(struct db_tx *tx, const struct removal *r, const struct repository *repo,
                          const char *reason, struct err *err)
{
    const struct wipe_request wipe = {.namespace_ = r->rq->namespace_,
                                      .repo = repo->name,
                                      .keep_pin = r->rq->keep_pins,
                                      .reason = reason,
                                      .actor = r->rq->actor,
                                      .now_us = r->rq->now_us};
    return trust_wipe_repository(tx, r->trust, &wipe, repo, r->wiped, r->reached, err) &&
           repository_remove(tx, repo->id, r->rq->actor, r->rq->now_us, err) &&
           put_audit(tx, r->rq, "repository.delete", repo->namespace_id,
                     repo_name_slice(&repo->name), err);
}

/* --- a repository ----------------------------------------------------------------------------- */

/* Whoever may set the rules can take the rule away first. */
static bool is_unprotected(struct db_tx *tx, const struct repository *repo, struct err *err)
{
    struct tag_protection protection = {0};
    if (!tag_rule_protects_repository(tx, repo->id, &protection, err)) {
        return false;
    }
    return !protection.holds ||
           err_set(
               err, ERR_DENIED,
               "the tag %s is immutable by the rule \"%s\" of the namespace: take the rule away "
               "before the repository is deleted",
               protection.tag.text, protection.rule);
}

static bool may_go(struct db_tx *tx, const struct removal *r, const struct repository *repo,
                   struct err *err)
{
    bool has_trust = false;
    if (!repository_has_trust(tx, repo->id, &has_trust, err)) {
        return false;
    }
    return !has_trust || r->rq->may_wipe ||
           err_set(err, ERR_DENIED,
                   "%s is or was signed: deleting it takes an owner of the namespace",
                   repo->name.text);
}

/* What runs elsewhere is pulled again when a node is replaced. */
static bool is_unused(struct db_tx *tx, const struct repository *repo, struct err *err)
{
    return release_may_delete_repository(tx, repo->id, err);
}

static bool write_repository(struct db_tx *tx, void *arg, struct err *err)
{
    struct removal *r = arg;
    struct repository repo;
    json_decref(r->wiped);
    r->wiped = json_array();
    reached_clear(r->reached);
    return repository_get(tx, &r->rq->repo, &repo, err) && may_go(tx, r, &repo, err) &&
           is_unprotected(tx, &repo, err) && is_unused(tx, &repo, err) &&
           wipe_and_mark(tx, r, &repo, REASON_REPOSITORY, err);
}

bool trust_remove_repository(struct trust *trust, const struct remove_request *request,
                             json_t **result_out, struct err *err)
{
    auto_reached struct reached_list reached = {0};
    struct removal r = {.trust = trust, .rq = request, .reached = &reached};
    *result_out = NULL;
    if (!checkpoint_ready(trust->checkpoint, err) ||
        !db_write(trust->db, write_repository, &r, err)) {
        json_decref(r.wiped);
        return false;
    }
    json_t *commands = trust_wipe_commands(trust, r.wiped);
    *result_out = json_pack("{s:s, s:o, s:o}", "repository", request->repo.text, "wiped", r.wiped,
                            "commands", commands);
    reached_tell(&reached, trust->checkpoint, *result_out);
    return true;
}

/* --- a namespace ------------------------------------------------------------------------------ */

static bool has_no_immutable_rule(struct db_tx *tx, int64_t namespace_id, struct err *err)
{
    auto_tag_rule_set struct tag_rule_set set = {0};
    if (!tag_rule_set_get(tx, namespace_id, &set, err)) {
        return false;
    }
    for (size_t i = 0; i < set.rules.count; i++) {
        if (set.rules.items[i].immutable) {
            return err_set(err, ERR_DENIED,
                           "the rule \"%s\" makes tags of the namespace immutable: take the rule "
                           "away before the namespace is deleted",
                           set.rules.items[i].name);
        }
    }
    return true;
}

static bool write_namespace(struct db_tx *tx, void *arg, struct err *err)
{
    const struct removal *r = arg;
    struct namespace ns;
    return namespace_get(tx, &r->rq->namespace_, &ns, err) &&
           has_no_immutable_rule(tx, ns.id, err) &&
           put_audit(tx, r->rq, "namespace.delete", ns.id, namespace_name_slice(&ns.name), err) &&
           namespace_remove(tx, ns.id, r->rq->keep_pins, r->rq->actor, r->rq->now_us, err);
}

bool trust_remove_namespace(struct trust *trust, const struct remove_request *request,
                            json_t **result_out, struct err *err)
{
    struct removal r = {.trust = trust, .rq = request};
    *result_out = NULL;
    if (!db_write(trust->db, write_namespace, &r, err)) {
        return false;
    }
    json_t *commands = json_array();
    forget_namespace(trust, &request->namespace_, commands);
    *result_out = json_pack("{s:s, s:o}", "namespace", request->namespace_.text, "commands",
                            commands);
    return true;
}

/* --- the repositories of namespaces on their way out ------------------------------------------ */

struct remove_step { /* of one namespace */
    struct trust *trust;
    int64_t now_us;
    int64_t after; /* the namespace is the next one behind this */
    int max;
    struct namespace_removal ns; /* out, of the last run, as are the others; id 0 = none */
    int left;                    /* out, of max */
    struct reached_list reached; /* out */
};

/* Rows of a repository are read by id here, since its namespace hides it. */
static bool mark_one(struct db_tx *tx, struct remove_step *step, int64_t repository_id,
                     struct err *err)
{
    struct repository repo;
    bool marked = false;
    const struct remove_request rq = {
        .keep_pins = step->ns.keep_pins, .actor = &step->ns.actor, .now_us = step->now_us};
    auto_json json_t *wiped = json_array();
    const struct removal r = {
        .trust = step->trust, .rq = &rq, .wiped = wiped, .reached = &step->reached};
    if (!repository_get_hidden(tx, repository_id, &repo, &marked, err)) {
        return false;
    }
    return (marked || wipe_and_mark(tx, &r, &repo, REASON_NAMESPACE, err)) &&
           namespace_removal_advance(tx, &step->ns, &repo.name, err);
}

static bool write_step(struct db_tx *tx, void *arg, struct err *err)
{
    struct remove_step *step = arg;
    bool found = false;
    step->left = step->max;
    reached_clear(&step->reached);
    if (!namespace_removal_next(tx, step->after, &step->ns, &found, err)) {
        return false;
    }
    while (found && step->left > 0) {
        int64_t id = 0;
        if (!namespace_removal_repository(tx, &step->ns, &id, &found, err) ||
            (found && !mark_one(tx, step, id, err))) {
            return false;
        }
        step->left -= found;
    }
    return true;
}

/* Goes on behind `after` to the next namespace that has a repository to mark: no writing for those
 * whose rows are only waiting to go. */
static bool find_next(struct remove_step *step, bool *found_out, struct err *err)
{
    struct namespace_removal ns;
    auto_snapshot struct db_tx *tx = NULL;
    bool has_repository = false;
    *found_out = true;
    if (!db_snapshot(step->trust->db, &tx, err)) {
        return false;
    }
    while (*found_out && !has_repository) {
        int64_t id = 0;
        if (!namespace_removal_next(tx, step->after, &ns, found_out, err) ||
            (*found_out && !namespace_removal_repository(tx, &ns, &id, &has_repository, err))) {
            return false;
        }
        step->after = *found_out && !has_repository ? ns.namespace_id : step->after;
    }
    return true;
}

/* What was committed is noted, whatever happens to the next namespace. */
static bool mark_namespace(struct remove_step *step, struct err *err)
{
    bool ok = checkpoint_ready(step->trust->checkpoint, err) &&
              db_write(step->trust->db, write_step, step, err) &&
              reached_note(&step->reached, step->trust->checkpoint, err);
    reached_clear(&step->reached);
    return ok;
}

bool trust_remove_step(struct trust *trust, int64_t now_us, int max, bool *more_out,
                       struct err *err)
{
    struct remove_step step = {.trust = trust, .now_us = now_us, .left = max};
    struct err first = {0};
    bool found = true;
    *more_out = false;
    while (step.left > 0) {
        struct err why = {0};
        if (!find_next(&step, &found, err)) {
            return false;
        }
        if (!found) {
            break;
        }
        step.max = step.left;
        step.ns = (struct namespace_removal){0};
        if (!mark_namespace(&step, &why)) {
            first = first.code == ERR_NONE ? why : first;
            step.left = step.max; /* its share is for the others */
        }
        if (step.ns.namespace_id == 0) {
            break; /* nothing can be written */
        }
        step.after = step.ns.namespace_id;
    }
    *more_out = step.left == 0;
    if (first.code != ERR_NONE) {
        *err = first;
    }
    return first.code == ERR_NONE;
}
