/* Manifests of a repository: their bytes live in the index, with what they name as edges.
 * Owns: the tables manifest and edge (two columns of which are artifact.h's). Refuses to know: tags'
 * rights, signatures.
 * Invariants
 *   1. The stored bytes hash to the digest under which they are stored.
 *   2. Every descriptor of a manifest is an edge, written in the same transaction.
 *   3. A blob or manifest that a manifest names exists in the repository when it is put, unless it
 *      is foreign, a subject, or sparse manifests are allowed.
 *   4. A config, layer or child that exists there has the size that its descriptor says (OCI image
 *      spec 1.1, "Descriptors": content of another length is not to be trusted; clients refuse
 *      it). */
#ifndef STORAGE_MANIFEST_H
#define STORAGE_MANIFEST_H

#include "base/db.h"
#include "base/name.h"
#include "storage/actor.h"
#include "storage/manifest_doc.h"
#include "storage/tag.h"

struct manifest_info {
    struct digest digest; /* in the algorithm under which it was pushed */
    int64_t size;         /* bytes of the content */
    char media_type[MEDIA_TYPE_MAX + 1];
    char artifact_type[MEDIA_TYPE_MAX + 1];
    struct digest subject; /* unset when none */
    int64_t pushed_us;     /* first time */
    int64_t pushed_by;     /* account id */
};

struct manifest {
    struct manifest_info info;
    char *content; /* info.size bytes and a NUL; owned */
};
void manifest_free(struct manifest *m); /* accepts NULL */
static inline void cleanup_manifest(struct manifest **m)
{
    manifest_free(*m);
}
#define auto_manifest __attribute__((cleanup(cleanup_manifest)))
static inline struct slice manifest_content(const struct manifest *m)
{
    return (struct slice){m->content, (size_t)m->info.size};
}

/* One statement each. Expected errors: ERR_MANIFEST_UNKNOWN, or ERR_TAG_UNKNOWN by tag. Any tx.
 *   tag_out   the tag itself, as tag_get gives it; may be NULL */
bool manifest_get(struct db_tx *tx, int64_t repository_id, const struct digest *digest,
                  struct manifest **out, struct err *err) MUST_USE;
bool manifest_get_by_tag(struct db_tx *tx, int64_t repository_id, const struct tag_name *name,
                         struct tag *tag_out, struct manifest **out, struct err *err) MUST_USE;
/* The same without the content (HEAD, existence). */
bool manifest_stat(struct db_tx *tx, int64_t repository_id, const struct digest *digest,
                   struct manifest_info *out, struct err *err) MUST_USE;
bool manifest_stat_by_tag(struct db_tx *tx, int64_t repository_id, const struct tag_name *name,
                          struct tag *tag_out, struct manifest_info *out, struct err *err) MUST_USE;
/* True in *out when the repository holds a manifest of this digest. False only on failure. */
bool manifest_exists(struct db_tx *tx, int64_t repository_id, const struct digest *digest,
                     bool *out, struct err *err) MUST_USE;

struct manifest_put {
    const struct manifest_doc *doc; /* of `bytes` */
    struct digest digest; /* of `bytes`; checked by the caller against what the client asked for */
    struct slice bytes;
    bool sparse; /* accept children and blobs that are not here */
};
/* Stores a manifest; storing it again asks the same of what it names and changes nothing, unless its
 * stored bytes have rotted. Bumps the gate generation when the digest was already named here (as a
 * signed target, a child or a subject).
 *   created_out   it was not here before; may be NULL
 * Expected errors: ERR_MANIFEST_BLOB_UNKNOWN and ERR_SIZE_INVALID naming the digest, ERR_QUOTA,
 * ERR_MANIFEST_INVALID (it is stored under another media type, which its bytes do not say).
 * Writer. */
bool manifest_put(struct db_tx *tx, int64_t repository_id, const struct manifest_put *put,
                  const struct actor *actor, int64_t now_us, bool *created_out,
                  struct err *err) MUST_USE;
/* Deletes a manifest with its tags (each a row of history) and edges; what no manifest of the
 * repository names any more is condemned; bumps the gate generation.
 *   keep_us   how long such a blob is kept (store_get_limits()->condemned_us)
 * Expected errors: ERR_MANIFEST_UNKNOWN; ERR_DENIED when an immutable tag needs it (tag_rule.h),
 * or a current release (release.h).
 * Writer. */
bool manifest_delete(struct db_tx *tx, int64_t repository_id, const struct digest *digest,
                     const struct actor *actor, int64_t keep_us, int64_t now_us,
                     struct err *err) MUST_USE;

struct edge {
    enum edge_kind kind;
    struct digest digest;
};
struct edge_list {
    struct edge *items;
    size_t count;
};
void edge_list_dispose(struct edge_list *list);
static inline void cleanup_edge_list(struct edge_list *list)
{
    edge_list_dispose(list);
}
#define auto_edge_list __attribute__((cleanup(cleanup_edge_list)))

/* What a manifest of this repository names, each (kind, digest) once; empty when the manifest is
 * not here. Any tx. */
bool manifest_edges(struct db_tx *tx, int64_t repository_id, const struct digest *parent,
                    struct edge_list *out, struct err *err) MUST_USE;
/* Which manifests of this repository name `child` (digest = the parent's), at most `max`. Any
 * tx. */
bool manifest_parents(struct db_tx *tx, int64_t repository_id, const struct digest *child, int max,
                      struct edge_list *out, struct err *err) MUST_USE;

#endif
