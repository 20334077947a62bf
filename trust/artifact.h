/* Metadata artifacts that a gated identity may read (gate.md 6 d): not runnable, and about an
 * allowed digest. */
#ifndef TRUST_ARTIFACT_H
#define TRUST_ARTIFACT_H

#include "storage/manifest_doc.h"
#include "trust/view.h"

#define ARTIFACT_PARENTS_MAX 200

/* Pure: a manifest that no runtime takes for an image. An index, or an unknown media type, is not
 * "not runnable". */
bool artifact_not_runnable(const struct manifest_doc *doc);
/* True in *out when the manifest is such an artifact. False only on failure. */
bool artifact_allowed(struct db_tx *tx, int64_t repository_id, const struct gate_view *view,
                      const struct digest *digest, bool *out, struct err *err) MUST_USE;
/* True in *out when the blob is the config or a layer of such an artifact. */
bool artifact_blob_allowed(struct db_tx *tx, int64_t repository_id, const struct gate_view *view,
                           const struct digest *blob, bool *out, struct err *err) MUST_USE;

#endif
