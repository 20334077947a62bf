/* Metadata artifacts that a gated identity may read (gate.md 6 d): not runnable, and about an
 * allowed digest.
 * Invariants
 *   1. What a manifest's bytes say decides; the index only tells where to look (storage/artifact.h).
 *   2. However many manifests share a blob, and however many tags are on a manifest, they do not hide the one that
 *      allows it: beyond a few, the search begins at what is allowed, and is bounded by the size of the view. Of
 *      manifests whose types do not say what they are it reads a number.
 *   3. That longer search, some ten thousand look-ups in a large repository, is not made for who is in a hurry, and
 *      neither are large manifests and payloads read for him. */
#ifndef TRUST_ARTIFACT_H
#define TRUST_ARTIFACT_H

#include "storage/store.h"
#include "trust/view.h"

/* Where an artifact lies. Borrowed. */
struct artifact_place {
    const struct store *store;
    struct db_tx *tx; /* any */
    int64_t repository_id;
    bool in_a_hurry;
};
enum artifact_answer {
    ARTIFACT_NONE, /* or none that may be read */
    ARTIFACT_READABLE,
    ARTIFACT_FAR, /* it takes the longer search; only for who is in a hurry */
};
/* Whether the manifest is such an artifact. False only on failure. */
bool artifact_find(const struct artifact_place *place, const struct gate_view *view, const struct digest *digest,
                   enum artifact_answer *out, struct err *err) MUST_USE;
/* Whether the blob is the config or a layer of such an artifact. False only on failure. */
bool artifact_find_blob(const struct artifact_place *place, const struct gate_view *view, const struct digest *blob,
                        enum artifact_answer *out, struct err *err) MUST_USE;

#endif
