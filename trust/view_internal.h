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
    bool was_asked; /* for a decision, since it is kept; under the lock of the views */

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
/* The same for whoever decides by it. */
struct gate_view *gate_views_find_asked(struct gate_views *views, int64_t repository_id, int64_t generation,
                                        int64_t now_us);
/* A reference to the kept view of the repository, whatever its generation; NULL: none.
 *   asked_out   somebody has decided by it */
struct gate_view *gate_views_last(struct gate_views *views, int64_t repository_id, bool *asked_out);

/* That this thread builds the view of a generation, and others need not. It lies with its owner, who
 * ends it on every path and keeps the view before. */
struct view_claim {
    struct gate_views *views; /* NULL: there is none */
    int64_t repository_id, generation;
    struct view_claim *next;
};
/* gate_views_find for whoever decides, which waits while somebody builds just that. NULL: it is the
 * caller's to build. It has the claim, or none where that would make others wait in a row: when a newer view is kept,
 * and after it waited in vain. Not where the builder may wait for the caller: by the writer never. */
struct gate_view *gate_views_find_or_claim(struct gate_views *views, int64_t repository_id,
                                           int64_t generation, int64_t now_us,
                                           struct view_claim *claim) MUST_USE;
/* Claims a generation that is still to come. False: somebody has. Waits for nobody. */
bool gate_views_claim(struct gate_views *views, int64_t repository_id, int64_t generation,
                      struct view_claim *claim) MUST_USE;
void view_claim_end(struct view_claim *claim); /* accepts one that is none */
#define auto_view_claim __attribute__((cleanup(view_claim_end)))

/* Keeps a view (takes a reference of its own), in place of an older one of the repository; not in
 * place of a newer one.
 *   asked   somebody decides by it */
void gate_views_keep(struct gate_views *views, struct gate_view *view, bool asked);

/* What a build need not find out again. It saves reading, never verifying: a document is taken for
 * read when the very bytes that are stored were. */
struct heritage {
    const struct gate_view *last; /* of the same repository; NULL: none */
    bool same_content; /* since `last` no manifest came or went: what they name is taken from it */
    const struct tuf_doc *const *docs; /* further documents that were read */
    size_t doc_count;
};
/* A view of the store as tx sees it, built for the caller alone; errors as gate_view_assume. */
bool gate_view_inherit(const struct trust *trust, struct db_tx *tx, const struct repository *repo,
                       int64_t now_us, const struct heritage *from, struct gate_view **out,
                       struct err *err) MUST_USE;

#endif
