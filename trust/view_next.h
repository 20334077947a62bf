/* The next view of a repository, built by whoever publishes right after his commit, so that those who
 * ask for images neither wait for nor pay for more than that. Owns: that promise. Refuses to know: how
 * a view is built (view.h), what a publish is. Invariants
 *   1. It is built as any other, from what is stored, in a snapshot after the commit.
 *   2. Whoever asks in between waits for this builder, and builds himself when nothing comes of it. */
#ifndef TRUST_VIEW_NEXT_H
#define TRUST_VIEW_NEXT_H

#include "storage/repository.h"
#include "trust/trust.h"
#include "trust/verify/doc.h"

struct view_next;

/* Before a write that moves the gate generation of `repo` from what it is there by one, and changes no
 * manifests. NULL: nobody decided by the repository's last view, so nobody will miss the next; or
 * somebody else builds it. Free it on every path, soon after the write: others wait for it. Any thread
 * but the writer. */
struct view_next *view_next_expect(struct trust *trust, const struct repository *repo);
/* After the commit; makes others find the view. What fails here fails again where it is needed, and
 * is told there.
 *   next   may be NULL
 *   docs   what was just stored, as it was read; borrowed */
void view_next_build(struct view_next *next, const struct tuf_doc *const *docs, size_t doc_count,
                     int64_t now_us);
void view_next_free(struct view_next *next); /* accepts NULL */

static inline void cleanup_view_next(struct view_next **next)
{
    view_next_free(*next);
}
#define auto_view_next __attribute__((cleanup(cleanup_view_next)))

#endif
