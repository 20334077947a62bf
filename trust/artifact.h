/* Metadata artifacts that a gated identity may read (gate.md 6 d): not runnable, and about an
 * allowed digest.
 * Invariants
 *   1. What a manifest's bytes say decides; the index only tells where to look (storage/artifact.h).
 *   2. However many manifests share a blob, and however many tags are on a manifest, they do not hide the one that
 *      allows it: beyond a few, the search begins at what is allowed, and is bounded by the size of the view. Of
 *      manifests whose types do not say what they are it reads a number. */
#ifndef TRUST_ARTIFACT_H
#define TRUST_ARTIFACT_H

#include "storage/store.h"
#include "trust/view.h"

/* Where an artifact lies. Borrowed. */
struct artifact_place {
    const struct store *store;
    struct db_tx *tx; /* any */
    int64_t repository_id;
};
/* True in *out when the manifest is such an artifact. False only on failure. */
bool artifact_allowed(const struct artifact_place *place, const struct gate_view *view,
                      const struct digest *digest, bool *out, struct err *err) MUST_USE;
/* True in *out when the blob is the config or a layer of such an artifact. False only on failure. */
bool artifact_blob_allowed(const struct artifact_place *place, const struct gate_view *view,
                           const struct digest *blob, bool *out, struct err *err) MUST_USE;

#endif
