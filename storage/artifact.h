/* Metadata artifacts (signatures, statements, bills of materials) as the index finds them: which manifests may
 * be one, what they are about, and the artifact tags on them (gate.md 6 d). Ways to find one without looking at
 * whatever else names the same blob, and no proof: the bytes of a manifest have the last word
 * (trust/artifact.h).
 * Owns: the columns about and unsure of the table edge. Refuses to know: what is allowed.
 * Invariants
 *   1. The config and layer edges of a manifest that has a subject, and that no runtime takes for an image by its
 *      types, have that subject as `about`; all other edges have none.
 *   2. Where the types alone do not tell, such edges are `unsure`. Those that were stored before this was written
 *      down are, whatever their types say. */
#ifndef STORAGE_ARTIFACT_H
#define STORAGE_ARTIFACT_H

#include "base/artifact_tag.h"
#include "base/db.h"
#include "storage/manifest_doc.h"

enum artifact_form {
    ARTIFACT_RUNNABLE, /* some runtime takes it for an image; also an index, and what is unknown */
    ARTIFACT_NOT_RUNNABLE,
    /* cosign's legacy form: an image configuration, and layers of types that it made up. podman runs layers of
     * whatever type under such a configuration, so their bytes decide. */
    ARTIFACT_BY_CONTENT,
};
/* Pure: what the media types say. */
enum artifact_form artifact_form_of(const struct manifest_doc *doc);

/* What the config and layer edges of a manifest say of it (invariants 1 and 2). */
struct artifact_note {
    struct digest about; /* unset: nothing */
    bool unsure;
};
/* The note of a manifest's config and layer edges; further edges have none. */
void artifact_note_of(const struct manifest_doc *doc, struct artifact_note *out);
bool artifact_is_noted(enum edge_kind kind); /* a config or a layer */
/* True when every stored edge of a manifest has the note that it should; an old one may be unsure. Any tx. */
bool artifact_notes_fit(struct db_tx *tx, int64_t repository_id, const struct digest *manifest,
                        const struct manifest_doc *doc, bool *out, struct err *err) MUST_USE;

/* The next digest that manifests which name `blob` are about, in the order of the index, after `after` (unset: the
 * first). *out unset: there is none. One step in the index, however many manifests name the blob. Any tx. */
bool artifact_next_subject(struct db_tx *tx, int64_t repository_id, const struct digest *blob,
                           const struct digest *after, struct digest *out, struct err *err) MUST_USE;

struct artifact_candidate {
    struct digest digest; /* of the manifest */
    bool unsure;
};
/* Manifests that name `blob` and are about `subject`, those that are sure first.
 *   max   room in `out`
 * Any tx. */
bool artifact_candidates(struct db_tx *tx, int64_t repository_id, const struct digest *blob,
                         const struct digest *subject, size_t max, struct artifact_candidate *out,
                         size_t *count_out, struct err *err) MUST_USE;
/* True in *out when `blob` is the config or a layer of the manifest. Any tx. */
bool artifact_names(struct db_tx *tx, int64_t repository_id, const struct digest *manifest,
                    const struct digest *blob, bool *out, struct err *err) MUST_USE;

/* An artifact tag and what it points to. */
struct artifact_mark {
    struct digest subject;  /* by the name of the tag */
    struct digest manifest; /* that it points to */
    bool bare;              /* the name has no suffix */
};
/* The artifact tags on a manifest.
 *   max        tags to look at, and room in `out`
 *   more_out   there may be others
 * Any tx. */
bool artifact_marks_on(struct db_tx *tx, int64_t repository_id, const struct digest *manifest, size_t max,
                       struct artifact_mark *out, size_t *count_out, bool *more_out,
                       struct err *err) MUST_USE;
/* The artifact tags of a subject. Any tx. */
bool artifact_marks_of(struct db_tx *tx, int64_t repository_id, const struct digest *subject,
                       struct artifact_mark out[ARTIFACT_TAG_NAMES], size_t *count_out,
                       struct err *err) MUST_USE;

#endif
