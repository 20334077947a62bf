/* Writes that signatures forbid (door.h). */
#include "storage/manifest.h"
#include "storage/repository.h"
#include "storage/role_target.h"
#include "trust/door.h"
#include "trust/gate_internal.h"
#include "trust/reach.h"
#include "trust/releasing.h"
#include "trust/view.h"

#include <stdio.h>

static bool is_locked(struct db_tx *tx, const struct repository *repo, struct err *err)
{
    auto_policy struct policy policy = {0};
    char scope[POLICY_SCOPE_SIZE];
    return policy_for(tx, &repo->name, scope, &policy, err) && policy.level == LEVEL_LOCK;
}

/* Manifests that are looked at on the way up before the gate is asked after all. */
#define LOOKS_MAX 64

/* Whether a role ever listed the digest or, as far as `looks` allow, a manifest above it; true too when they do not. */
static bool is_below_listed(struct db_tx *tx, const struct repository *repo, const struct digest *digest, int depth,
                            int *looks, bool *out, struct err *err)
{
    auto_edge_list struct edge_list parents = {0};
    if (!role_target_names(tx, repo->id, digest, out, err)) {
        return false;
    }
    if (!*out && (depth > REACH_DEPTH + 1 || *looks <= 0)) {
        *out = true;
        return true;
    }
    if (!*out && !manifest_parents(tx, repo->id, digest, *looks, &parents, err)) {
        return false;
    }
    for (size_t i = 0; i < parents.count && !*out; i++) {
        (*looks)--;
        if (parents.items[i].kind != EDGE_SUBJECT &&
            !is_below_listed(tx, repo, &parents.items[i].digest, depth + 1, looks, out, err)) {
            return false;
        }
    }
    *out = *out || *looks <= 0;
    return true;
}

/* Without a question to the gate, which may have to build its view while everybody who writes waits: what no role ever
 * listed, nor anything above it, is no released image and no part of one. */
static bool may_be_held(struct db_tx *tx, const struct repository *repo,
                        const struct digest *digest, bool *out, struct err *err)
{
    int looks = LOOKS_MAX;
    bool any = false;
    *out = false;
    return role_target_any(tx, repo->id, &any, err) &&
           (!any || is_below_listed(tx, repo, digest, 0, &looks, out, err));
}

static bool needs_view(struct db_tx *tx, const struct repository *repo,
                       const struct digest *deleted, struct err *err)
{
    bool held = false;
    return deleted ? may_be_held(tx, repo, deleted, &held, err) && held : is_locked(tx, repo, err);
}

/* Whatever fails here fails again where it is needed, and is told there. */
static void prepare(struct trust *trust, struct db *db, const struct repo_name *name,
                    const struct digest *deleted, int64_t now_us)
{
    auto_snapshot struct db_tx *tx = NULL;
    auto_gate_view struct gate_view *view = NULL;
    struct repository repo;
    struct err why = {0};
    (void)(db_snapshot(db, &tx, &why) && repository_get(tx, name, &repo, &why) &&
           needs_view(tx, &repo, deleted, &why) &&
           gate_view_get(trust, tx, &repo, now_us, &view, &why));
}

void gate_prepare_tag(struct trust *trust, struct db *db, const struct repo_name *name,
                      int64_t now_us)
{
    prepare(trust, db, name, NULL, now_us);
}

void gate_prepare_delete(struct trust *trust, struct db *db, const struct repo_name *name,
                         const struct digest *digest, int64_t now_us)
{
    prepare(trust, db, name, digest, now_us);
}

bool gate_may_tag(struct trust *trust, struct db_tx *tx, const struct repository *repo,
                  const struct tag_name *tag, const struct digest *digest, int64_t now_us,
                  struct decision *refusal, struct err *err)
{
    auto_policy struct policy policy = {0};
    auto_gate_view struct gate_view *view = NULL;
    struct gate_facts facts;
    char scope[POLICY_SCOPE_SIZE];
    if (!policy_for(tx, &repo->name, scope, &policy, err)) {
        return false;
    }
    if (policy.level != LEVEL_LOCK) {
        return true;
    }
    if (!gate_view_get_for_write(trust, tx, repo, now_us, &view, err)) {
        return false;
    }
    gate_view_facts(view, now_us, &facts);
    *refusal = gate_put(&facts, tag, digest);
    return refusal->effect == EFFECT_ALLOW || err_set(err, ERR_DENIED, "%s", refusal->message);
}

/* --- deleting --------------------------------------------------------------------------------- */

/* What is released now, or what a released image is made of. What is in grace alone is not held: an
 * image that was replaced may go before its time. */
static bool is_held(const struct gate_reached *reached)
{
    return reached->kind == REACH_RELEASED ||
           (reached->kind == REACH_CHILD && !reached->in_grace);
}

/*   tag   that releases it, or the image that it belongs to; "" when it is not known */
static void say_in_use(const struct gate_facts *f, const struct digest *digest,
                       const struct gate_reached *reached, const char *tag, struct decision *out)
{
    const char *what = reached->is_manifest ? "manifest" : "blob";
    bool itself = reached->kind == REACH_RELEASED;
    *out = (struct decision){.reason = REASON_SIGNED_IN_USE,
                             .requested = *digest,
                             .signed_digest = reached->root,
                             .signed_length = -1,
                             .registry_length = -1,
                             .level = f->policy->level};
    (void)snprintf(out->repo, sizeof out->repo, "%s", f->repo->text);
    (void)snprintf(out->tag, sizeof out->tag, "%s", tag);
    (void)snprintf(out->policy_scope, sizeof out->policy_scope, "%s", f->policy_scope);
    (void)snprintf(out->hint, sizeof out->hint,
                   "withdraw its signature first; an administrator may delete it with ?force=1");
    gate_say(out, itself ? "the manifest is signed and released" : "it is part of a released image",
             "this %s of %s is %ssigned and released%s%s; take %s signature away before deleting it "
             "(signed_in_use)",
             what, out->repo, itself ? "" : "part of an image that is ", tag[0] ? " as " : "", tag,
             itself ? "its" : "that");
}

bool gate_may_delete(struct trust *trust, struct db_tx *tx, const struct repository *repo,
                     const struct digest *digest, int64_t now_us, struct decision *refusal,
                     struct err *err)
{
    auto_gate_view struct gate_view *view = NULL;
    struct gate_facts facts;
    struct gate_reached reached;
    char tag[TAG_NAME_MAX + 1];
    bool held = false;
    if (!may_be_held(tx, repo, digest, &held, err)) {
        return false;
    }
    if (!held) {
        return true;
    }
    if (!gate_view_get_for_write(trust, tx, repo, now_us, &view, err)) {
        return false;
    }
    gate_view_facts(view, now_us, &facts);
    gate_view_reached(view, digest, &reached);
    if (!is_held(&reached) || facts.policy->level == LEVEL_OFF) {
        return true;
    }
    if (!releasing_tag(tx, repo->id, &facts, &reached.root, tag, err)) {
        return false;
    }
    say_in_use(&facts, digest, &reached, tag, refusal);
    return err_set(err, ERR_DENIED, "%s", refusal->message);
}
