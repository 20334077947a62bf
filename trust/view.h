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
 * Expected errors: ERR_INTERNAL. Any thread; the lock is not held while building. */
bool gate_view_get(struct trust *trust, struct db_tx *tx, const struct repository *repo,
                   int64_t now_us, struct gate_view **out, struct err *err) MUST_USE;
/* The same, built for this caller alone and not kept: inside a write transaction, whose generation
 * may never become true. Writer too. */
bool gate_view_build(struct trust *trust, struct db_tx *tx, const struct repository *repo,
                     int64_t now_us, struct gate_view **out, struct err *err) MUST_USE;
void gate_view_unref(struct gate_view *view); /* accepts NULL */
/* Fills the facts of the view (borrowed from it); `enforced` is left false. */
void gate_view_facts(const struct gate_view *view, int64_t now_us, struct gate_facts *out);
/* Point lookup in the reachable set. */
void gate_view_reached(const struct gate_view *view, const struct digest *digest,
                       struct gate_reached *out);
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
