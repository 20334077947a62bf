/* Metadata artifacts that a gated identity may read (gate.md 6 d): not runnable, and about an
 * allowed digest.
 * Invariants
 *   1. What a manifest's bytes say decides; the index only tells where to look (storage/artifact.h).
 *   2. However many manifests share a blob, and however many tags are on a manifest, they do not hide the one that
 *      allows it: beyond a few, the search begins at what is allowed, and is bounded by the size of the view. Of
 *      manifests whose types do not say what they are it reads a number.
 *   3. What one request reads of manifests and payloads is bounded, however many questions it asks; what is not read
 *      for that allows nothing. Large ones leave a part for small ones, as real signatures are.
 *   4. That longer search, some ten thousand look-ups in a large repository, is not made for who is in a hurry, and
 *      neither are large manifests and payloads read for him. */
#ifndef TRUST_ARTIFACT_H
#define TRUST_ARTIFACT_H

#include "storage/store.h"
#include "trust/view.h"

/* Bytes of manifests and payloads that one request reads and parses in search of artifacts; those of more than
 * ARTIFACT_SMALL_MAX bytes take only the first ARTIFACT_READ_LARGE_MAX of it. */
#define ARTIFACT_READ_MAX ((size_t)16 * 1024 * 1024)
#define ARTIFACT_READ_LARGE_MAX ((size_t)12 * 1024 * 1024)
#define ARTIFACT_SMALL_MAX ((size_t)64 * 1024)
#define ARTIFACT_JUDGED_MAX 16
/* A list ends its page when its entries have taken so much: the next one has as much as it can need. */
#define ARTIFACT_READ_PAGE_MAX ((size_t)4 * 1024 * 1024)

/* A payload that was read. */
struct artifact_judged {
    int64_t repository_id;
    struct digest digest;
    size_t size;
    bool document;
};
/* What a request has read so far. Begins filled with zeros; one thread at a time. */
struct artifact_reading {
    size_t spent; /* bytes */
    struct artifact_judged judged[ARTIFACT_JUDGED_MAX];
    size_t judged_count; /* of all: the last ones are kept */
};
/* Takes `size` bytes from what may be read. False: they may not be read any more. */
bool artifact_may_read(struct artifact_reading *reading, size_t size) MUST_USE;

/* Where an artifact lies. Borrowed. */
struct artifact_place {
    const struct store *store;
    struct db_tx *tx; /* any */
    int64_t repository_id;
    struct artifact_reading *reading; /* of the request */
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
