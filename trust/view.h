/* Gate views: per repository, the verified trust state and the set of digests reachable from
 * allowed roots, kept in memory under the repository's gate generation (architecture.md 6).
 * Bounded, least recently used first. Invariants
 *   1. A view is built from stored bytes inside the caller's snapshot, never from derived rows.
 *   2. A view is used only with the generation it was built for, and only between the two moments
 *      around its making at which time alone changes the answer. */
#ifndef TRUST_VIEW_H
#define TRUST_VIEW_H

#include "storage/denied_digest.h"
#include "trust/gate.h"
#include "trust/trust.h"

struct repository;
struct gate_views;
struct gate_view; /* reference counted; immutable once built */

struct gate_views *gate_views_new(size_t max_bytes, size_t max_count);
void gate_views_free(struct gate_views *views);

/* The view of a repository, built when missing or stale.
 *   out   a reference: gate_view_unref
 * One thread builds the view of a repository's generation, and the others who ask for it wait for him, once; those
 * who ask for another repository do not, nor those whose snapshot is older than the kept view. Expected errors:
 * ERR_INTERNAL. Any thread but the writer, not inside a write. */
bool gate_view_get(struct trust *trust, struct db_tx *tx, const struct repository *repo,
                   int64_t now_us, struct gate_view **out, struct err *err) MUST_USE;
/* The view of a repository when deciding by it waits for nothing now: it is kept, and nothing has to be renewed first.
 * A reference; NULL: it is not so. Any thread. */
struct gate_view *gate_view_find_ready(struct trust *trust, const struct repository *repo, int64_t now_us) MUST_USE;
/* The same inside a write transaction: the kept view is used when it is of the generation that the
 * transaction sees. What has to be built is not kept, since that generation may never become true:
 * whoever will ask gets the view before he writes, so that the writer seldom builds one. Writer. */
bool gate_view_get_for_write(struct trust *trust, struct db_tx *tx, const struct repository *repo,
                             int64_t now_us, struct gate_view **out, struct err *err) MUST_USE;

/* What a view is built on in the place of what is stored: for questions of the kind "what if". Zero:
 * nothing. */
struct gate_assumption {
    struct slice policy; /* JSON text of the policy to decide by; empty: the one that applies */
    const char *scope;   /* its scope */
    struct trust_state *published; /* what a publish would leave behind (publish_try); it is taken */
    int64_t present_us; /* the time it is, when the view's lies ahead; 0: the view's */
};
/* A view built for this caller alone and not kept.
 *   now_us   may lie ahead, with assume->present_us: what will the answer be then?
 *   assume   may be NULL
 * Expected errors: ERR_INVALID (the policy does not read), ERR_INTERNAL. Any thread. */
bool gate_view_assume(struct trust *trust, struct db_tx *tx, const struct repository *repo,
                      int64_t now_us, struct gate_assumption *assume, struct gate_view **out,
                      struct err *err) MUST_USE;
void gate_view_unref(struct gate_view *view); /* accepts NULL */
struct gate_view *gate_view_ref(struct gate_view *view); /* one more reference to the same view */
/* Fills the facts of the view (borrowed from it); `enforced` is left false. */
void gate_view_facts(const struct gate_view *view, int64_t now_us, struct gate_facts *out);
/* Point lookup in the reachable set. */
void gate_view_reached(const struct gate_view *view, const struct digest *digest,
                       struct gate_reached *out);
/* The next manifest that is allowed by what is signed (gate.md 6 a to c), in no order; false after the last.
 *   at   0 to begin with */
bool gate_view_next_manifest(const struct gate_view *view, size_t *at, struct digest *out);
/* Where the texts of exceptions live while a decision is made. */
struct gate_exception_rows {
    struct denied_digest denied;
    struct gate_denial denial;
    struct gate_override override;
};
/* What the deny list and the overrides say of a digest, for this account.
 *   tx     the snapshot of the view: uses of an override are read in it
 *   out    borrows from rows, and from the view */
bool gate_view_exceptions(const struct gate_view *view, struct db_tx *tx, int64_t account_id,
                          const struct digest *digest, int64_t now_us,
                          struct gate_exception_rows *rows, struct gate_exceptions *out,
                          struct err *err) MUST_USE;
/* True when some digest is denied here, so that a part of an allowed image may be. */
bool gate_view_has_denied(const struct gate_view *view);
/* Verified but for an expired timestamp or snapshot that the server can renew: do that before
 * deciding (resign.h). */
bool gate_view_needs_renewal(const struct gate_view *view);
/* True in *out when `digest` is, or is below, a release of this tag (now or in grace). */
bool gate_view_of_tag(const struct gate_view *view, struct db_tx *tx, int64_t now_us,
                      struct slice tag, const struct digest *digest, bool *out,
                      struct err *err) MUST_USE;

static inline void cleanup_gate_view(struct gate_view **view)
{
    gate_view_unref(*view);
}
#define auto_gate_view __attribute__((cleanup(cleanup_gate_view)))

#endif
