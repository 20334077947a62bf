/* Metadata artifacts that a gated identity may read (gate.md 6 d): not runnable, and about an
 * allowed digest. */
#ifndef TRUST_ARTIFACT_H
#define TRUST_ARTIFACT_H

#include "storage/manifest_doc.h"
#include "storage/store.h"
#include "trust/view.h"

#define ARTIFACT_PARENTS_MAX 200

enum artifact_form {
    ARTIFACT_RUNNABLE, /* some runtime takes it for an image; also an index, and what is unknown */
    ARTIFACT_NOT_RUNNABLE,
    /* cosign's legacy form: an image configuration, and layers of types that it made up. podman runs
     * layers of whatever type under such a configuration, so their bytes decide
     * (artifact_payload.h). */
    ARTIFACT_BY_CONTENT,
};
/* Pure: what the media types say. */
enum artifact_form artifact_form_of(const struct manifest_doc *doc);

/* Where an artifact lies. Borrowed. */
struct artifact_place {
    const struct store *store;
    struct db_tx *tx; /* any */
    int64_t repository_id;
};
/* True in *out when the manifest is such an artifact. False only on failure. */
bool artifact_allowed(const struct artifact_place *place, const struct gate_view *view,
                      const struct digest *digest, bool *out, struct err *err) MUST_USE;
/* True in *out when the blob is the config or a layer of such an artifact. */
bool artifact_blob_allowed(const struct artifact_place *place, const struct gate_view *view,
                           const struct digest *blob, bool *out, struct err *err) MUST_USE;

#endif
