/* A gate view's parts, shared by view.c (building) and views.c (keeping). Not for others. */
#ifndef TRUST_VIEW_INTERNAL_H
#define TRUST_VIEW_INTERNAL_H

#include "storage/override.h"
#include "storage/tombstone.h"
#include "trust/checkpoint.h"
#include "trust/reach.h"
#include "trust/view.h"
#include "trust/view_history.h"

#include <stdatomic.h>

struct view_override {
    struct override row;
    struct reach reach; /* of its digest */
    bool released;      /* its digest is: it is not needed, and does not act */
};

struct gate_view {
    atomic_int references;
    int64_t repository_id, generation;
    int64_t valid_from_us, valid_until_us; /* between two moments at which the answer changes */
    size_t bytes;                          /* heap, roughly */
    struct repo_name name;
    const char *host; /* borrowed from struct trust, which outlives */
    char scope[POLICY_SCOPE_SIZE];
    struct policy policy;
    struct trust_state *state;
    struct view_history history;
    struct trust_state *before;   /* of an assumed publish: what is stored; NULL without */
    struct gate_listing *assumed; /* and the history after it */
    size_t assumed_count;
    struct tombstone tombstone_row;
    struct gate_tombstone tombstone; /* who NULL: none */
    struct reach reach;
    bool denies_sha256, denies_sha512; /* the deny lists that concern it have such digests */
    struct view_override *overrides; /* whose end had not come */
    size_t override_count;
    const struct checkpoint *checkpoint; /* as host */
    char suspicion[SUSPICION_MAX];       /* of this repository */
    unsigned acceptances;                /* when it was suspected */

    struct gate_view *next_in_bucket, *older,
        *newer; /* of the views that keep it; under their lock */
};

/* The overrides of a view: what each reaches. After the view's own reach is built. */
bool view_overrides_build(struct gate_view *v, struct db_tx *tx, int64_t now_us,
                          const struct denied_set *denied, struct err *err) MUST_USE;
void view_overrides_free(struct gate_view *v);

/* A reference to the kept view of this very generation that is still valid, or NULL. */
struct gate_view *gate_views_find(struct gate_views *views, int64_t repository_id,
                                  int64_t generation, int64_t now_us);
/* Keeps a view (takes a reference of its own), in place of an older one of the repository. */
void gate_views_keep(struct gate_views *views, struct gate_view *view);

#endif
