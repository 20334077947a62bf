/* Referrers that a client keeps by itself, in an index under a tag made of the subject's digest, because the registry it
 * pushed to first lacked the referrers API (OCI distribution 1.1, "Referrers Tag Schema"). They are shown beside the
 * repository's own list.
 * Owns: nothing; reads the tag and its index. Invariants of what is given out
 *   1. Each entry is a manifest of the repository that does not name the subject itself: those are in referrer_list.
 *   2. Type, size and artifact type are those of that manifest; only the annotations, and an artifact type that the
 *      manifest does not have, are taken from the client's descriptor.
 *   3. Sorted as referrer_list sorts, each digest once: the first descriptor counts. */
#ifndef STORAGE_REFERRER_FALLBACK_H
#define STORAGE_REFERRER_FALLBACK_H

#include "base/name.h"
#include "storage/referrer.h"

#define REFERRER_FALLBACK_BYTES_MAX (4 << 20) /* of an index; a larger one is ignored */

struct referrer_fallback {
    struct digest index; /* where the entries were read; unset = there is none */
    struct referrer_list list;
};

/* "ALGORITHM-HEX" with at most 64 digits of HEX. */
void referrer_fallback_tag(const struct digest *subject, struct tag_name *out);

/* Reads the entries for a subject.
 *   artifact_type, after   as of referrer_list
 * What the tag names may be anything: no OCI image index, too large, not readable as one, gives no entries and is no
 * error. At most MANIFEST_DESCRIPTORS_MAX entries, one look-up each. Any tx. */
bool referrer_fallback_read(struct db_tx *tx, int64_t repository_id, const struct digest *subject,
                            struct slice artifact_type, const struct digest *after,
                            struct referrer_fallback *out, struct err *err) MUST_USE;
void referrer_fallback_dispose(struct referrer_fallback *fallback);
static inline void cleanup_referrer_fallback(struct referrer_fallback *fallback)
{
    referrer_fallback_dispose(fallback);
}
#define auto_referrer_fallback __attribute__((cleanup(cleanup_referrer_fallback)))

/* Adds copies of those of `also` to a page of referrer_list that belong on it, and cuts it to `max` again. Pure.
 *   also    sorted, no digest of it on the page or on a later one
 *   after   what the page was asked for with; unset = from the start */
void referrer_list_merge(struct referrer_list *page, const struct referrer_list *also,
                         const struct digest *after, int max);

#endif
