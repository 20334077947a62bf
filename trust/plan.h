/* What a changed policy would refuse of that which is served now: tags, what services run, what was
 * pulled lately (gate.md 8); and of which repositories it would refuse the next root. Every question is put to the gate twice, by the policy in force and by the changed one;
 * nothing is stored. Owns: which repositories a policy is about, and in what order they are gone
 * through. Refuses to know: who may ask. */
#ifndef TRUST_PLAN_H
#define TRUST_PLAN_H

#include "storage/release.h"
#include "storage/repository.h"
#include "trust/gate.h"
#include "trust/trust.h"

struct plan {
    const char *scope;       /* of the changed policy */
    struct slice policy;     /* JSON text of what would apply, as policy_read_text takes it */
    const char *policy_scope; /* whose it is: `scope`, or the next wider one when it is removed */
    int64_t namespace_id;    /* that of the scope; 0: scope is "*" */
    int64_t pulled_since_us; /* a pull at or after then is a recent one */
    int64_t now_us;
};

/* Where a page ended: what comes behind it is next. Zero: at the start. */
struct plan_place {
    char repo[REPO_NAME_MAX + 1];
    char tag[TAG_NAME_MAX + 1]; /* in the middle of the tags */
    struct digest digest;       /* in the middle of the digests */
};
/* "ns/app" (done), "ns/app:tag", "ns/app@sha256:…". Expected errors: ERR_INVALID. */
bool plan_place_read(struct slice text, struct plan_place *out, struct err *err) MUST_USE;
void plan_place_write(const struct plan_place *place, struct buf *out);

enum plan_kind { PLAN_TAG = 0, PLAN_RUNNING, PLAN_PULLED };
#define PLAN_SERVICES_MAX 20
/* One image that is served now and would be refused. All pointers borrowed. */
struct plan_finding {
    enum plan_kind kind;
    const struct repo_name *repo;
    const char *tag;         /* "" for digests */
    struct digest digest;    /* what is served now */
    int64_t pulled_us;       /* of a digest: when last; 0 = not lately */
    const struct release_use_list *services; /* PLAN_RUNNING: whose current release it is, at most
                                                PLAN_SERVICES_MAX */
    bool deployers, readers; /* whom it would be refused to: gated identities, those who neither are
                                 nor push or sign */
    const struct decision *now, *then;
};
typedef void (*plan_finding_fn)(void *arg, const struct plan_finding *finding);

/* A repository whose next root could be published now and would be refused then, if it had the keys of
 * the one in force (root_policy.h). What is signed stays as it is. */
struct plan_root {
    const struct repo_name *repo;
    int64_t version;         /* of the root in force */
    const struct spki *keys; /* its root keys; borrowed */
    size_t key_count;
};
typedef void (*plan_root_fn)(void *arg, const struct plan_root *root);

/* A page's bounds; each look and each finding takes from them, a repository takes several looks. */
struct plan_budget {
    int looks, findings;
};
#define PLAN_REPOSITORY_LOOKS 20

/* Whether a policy of this scope would be the one that applies to the repository, whose policy now is
 * that of `stored_scope`. Pure. */
bool plan_concerns(const char *scope, const struct repo_name *repo, const char *stored_scope);

/* Goes on from `place` until everything was looked at or the budget is used up.
 *   place      in and out: where to begin, where it ended
 *   done_out   nothing is left behind `place`
 * Expected errors: ERR_INTERNAL. A worker's: views are built. */
bool plan_page(struct trust *trust, struct db_tx *tx, const struct plan *plan,
               struct plan_place *place, struct plan_budget *budget, plan_finding_fn found,
               plan_root_fn found_root, void *arg, bool *done_out, struct err *err) MUST_USE;

#endif
