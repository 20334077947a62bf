#include "trust/artifact.h"

#include "storage/manifest.h"
#include "storage/tag.h"

#define ARTIFACT_TAGS_MAX 16
#define ARTIFACT_MANIFEST_MAX (4 * 1024 * 1024)

static bool is_cosign_layer(const char *media_type)
{
    return strcmp(media_type, "application/vnd.dev.cosign.simplesigning.v1+json") == 0 ||
           strcmp(media_type, "application/vnd.dsse.envelope.v1+json") == 0;
}

bool artifact_not_runnable(const struct manifest_doc *doc)
{
    size_t layers = 0, cosign_layers = 0, configs = 0;
    bool image_config = false;
    if (doc->form != MANIFEST_IMAGE) {
        return false;
    }
    for (size_t i = 0; i < doc->edge_count; i++) {
        const struct manifest_edge *e = &doc->edges[i];
        if (e->kind == EDGE_CONFIG) {
            configs++;
            image_config = image_config || e->media_type[0] == '\0' ||
                           media_type_is_image_config(slice_str(e->media_type));
        } else if (e->kind == EDGE_LAYER) {
            layers++;
            cosign_layers += is_cosign_layer(e->media_type) ? 1 : 0;
            if (e->media_type[0] == '\0' || media_type_is_image_layer(slice_str(e->media_type))) {
                return false;
            }
        }
    }
    if (configs != 1) {
        return false;
    }
    /* The cosign legacy form wears an image config; nothing runs layers of its kind. */
    return !image_config || (layers > 0 && cosign_layers == layers);
}

static bool is_allowed(const struct gate_view *view, const struct digest *digest)
{
    struct gate_reached reached;
    gate_view_reached(view, digest, &reached);
    return reached.kind != REACH_NONE && reached.is_manifest;
}

/* The target of an artifact tag of an allowed digest. An index counts only as the referrers list
 * under the bare tag. */
static bool tagged_for_allowed(struct db_tx *tx, int64_t repository_id,
                               const struct gate_view *view, const struct digest *digest,
                               bool index, bool *out, struct err *err)
{
    auto_tag_list struct tag_list tags = {0};
    if (!tag_list_of_manifest(tx, repository_id, digest, ARTIFACT_TAGS_MAX, &tags, err)) {
        return false;
    }
    for (size_t i = 0; i < tags.count && !*out; i++) {
        struct slice name = tag_name_slice(&tags.items[i].name);
        struct digest subject;
        bool bare = slice_index(name, '.') < 0;
        *out = gate_artifact_tag(name, &subject) && (!index || bare) && is_allowed(view, &subject);
    }
    return true;
}

bool artifact_allowed(struct db_tx *tx, int64_t repository_id, const struct gate_view *view,
                      const struct digest *digest, bool *out, struct err *err)
{
    auto_manifest struct manifest *m = NULL;
    auto_manifest_doc struct manifest_doc *doc = NULL;
    struct err why = {0};
    *out = false;
    if (!manifest_get(tx, repository_id, digest, &m, &why)) {
        if (why.code == ERR_MANIFEST_UNKNOWN) {
            return true;
        }
        *err = why;
        return false;
    }
    if (m->info.size > ARTIFACT_MANIFEST_MAX ||
        !manifest_parse(manifest_content(m), slice_str(m->info.media_type), &doc, &why)) {
        return true;
    }
    bool index = doc->form == MANIFEST_INDEX;
    if (!index && !artifact_not_runnable(doc)) {
        return true;
    }
    if (!index && digest_is_set(&doc->subject) && is_allowed(view, &doc->subject)) {
        *out = true;
        return true;
    }
    return tagged_for_allowed(tx, repository_id, view, digest, index, out, err);
}

bool artifact_blob_allowed(struct db_tx *tx, int64_t repository_id, const struct gate_view *view,
                           const struct digest *blob, bool *out, struct err *err)
{
    auto_edge_list struct edge_list parents = {0};
    *out = false;
    if (!manifest_parents(tx, repository_id, blob, ARTIFACT_PARENTS_MAX, &parents, err)) {
        return false;
    }
    for (size_t i = 0; i < parents.count && !*out; i++) {
        bool content = parents.items[i].kind == EDGE_CONFIG || parents.items[i].kind == EDGE_LAYER;
        if (content &&
            !artifact_allowed(tx, repository_id, view, &parents.items[i].digest, out, err)) {
            return false;
        }
    }
    return true;
}
