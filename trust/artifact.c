#include "trust/artifact.h"
#include "base/artifact_tag.h"
#include "storage/manifest.h"
#include "storage/tag.h"
#include "trust/artifact_payload.h"

#define ARTIFACT_TAGS_MAX 16
#define ARTIFACT_MANIFEST_MAX (4 * 1024 * 1024)

static bool is_cosign_layer(const char *media_type)
{
    return strcmp(media_type, "application/vnd.dev.cosign.simplesigning.v1+json") == 0 ||
           strcmp(media_type, "application/vnd.dsse.envelope.v1+json") == 0;
}

enum artifact_form artifact_form_of(const struct manifest_doc *doc)
{
    size_t layers = 0, cosign_layers = 0, configs = 0;
    bool image_config = false;
    if (doc->form != MANIFEST_IMAGE) {
        return ARTIFACT_RUNNABLE;
    }
    for (size_t i = 0; i < doc->edge_count; i++) {
        const struct manifest_edge *e = &doc->edges[i];
        if (e->kind == EDGE_CONFIG) {
            configs++;
            image_config = image_config || media_type_runs_as_config(slice_str(e->media_type));
        } else if (e->kind == EDGE_LAYER) {
            layers++;
            cosign_layers += is_cosign_layer(e->media_type) ? 1 : 0;
            if (media_type_runs_as_layer(slice_str(e->media_type))) {
                return ARTIFACT_RUNNABLE;
            }
        }
    }
    if (configs != 1) {
        return ARTIFACT_RUNNABLE;
    }
    if (!image_config) {
        return ARTIFACT_NOT_RUNNABLE;
    }
    return layers > 0 && cosign_layers == layers ? ARTIFACT_BY_CONTENT : ARTIFACT_RUNNABLE;
}

static bool is_allowed(const struct gate_view *view, const struct digest *digest)
{
    struct gate_reached reached;
    gate_view_reached(view, digest, &reached);
    return gate_reached_allows(&reached) && reached.is_manifest;
}

/* What connects a manifest with an allowed digest. */
struct artifact_link {
    bool subject;
    bool tag, bare_tag; /* it is the target of an artifact tag; of one without a suffix */
};

static bool find_link(struct db_tx *tx, int64_t repository_id, const struct gate_view *view,
                      const struct manifest_info *info, struct artifact_link *out, struct err *err)
{
    auto_tag_list struct tag_list tags = {0};
    *out = (struct artifact_link){.subject = digest_is_set(&info->subject) &&
                                             is_allowed(view, &info->subject)};
    if (!tag_list_of_manifest(tx, repository_id, &info->digest, ARTIFACT_TAGS_MAX, &tags, err)) {
        return false;
    }
    for (size_t i = 0; i < tags.count; i++) {
        struct slice name = tag_name_slice(&tags.items[i].name);
        struct digest subject;
        if (artifact_tag_subject(name, &subject) && is_allowed(view, &subject)) {
            out->tag = true;
            out->bare_tag = out->bare_tag || slice_index(name, '.') < 0;
        }
    }
    return true;
}

/* The bytes have the last word: what they are, and what they are about. An index counts only as the
 * referrers list under the bare tag. False only on failure. */
static bool bytes_agree(const struct artifact_place *place, const struct manifest *m,
                        const struct gate_view *view, const struct artifact_link *link, bool *out,
                        struct err *err)
{
    auto_manifest_doc struct manifest_doc *doc = NULL;
    if (!manifest_parse(manifest_content(m), slice_str(m->info.media_type), &doc, NULL)) {
        return true;
    }
    if (doc->form == MANIFEST_INDEX) {
        *out = link->bare_tag;
        return true;
    }
    bool about = digest_is_set(&doc->subject) && is_allowed(view, &doc->subject);
    if (!about && !link->tag) {
        return true;
    }
    switch (artifact_form_of(doc)) {
    case ARTIFACT_RUNNABLE:
        return true;
    case ARTIFACT_NOT_RUNNABLE:
        *out = true;
        return true;
    case ARTIFACT_BY_CONTENT:
        return artifact_payloads_are_documents(place, doc, out, err);
    }
    return true;
}

/* On the deny list itself. What it is about is asked by is_allowed. */
static bool is_denied(struct db_tx *tx, const struct gate_view *view, const struct digest *digest,
                      bool *out, struct err *err)
{
    struct gate_exception_rows rows;
    struct gate_exceptions exceptions = {0};
    bool ok = !gate_view_has_denied(view) ||
              gate_view_exceptions(view, tx, 0, digest, 0, &rows, &exceptions, err);
    *out = exceptions.denial != NULL;
    return ok;
}

bool artifact_allowed(const struct artifact_place *place, const struct gate_view *view,
                      const struct digest *digest, bool *out, struct err *err)
{
    struct db_tx *tx = place->tx;
    int64_t repository_id = place->repository_id;
    auto_manifest struct manifest *m = NULL;
    struct manifest_info info;
    struct artifact_link link;
    struct err why = {0};
    bool denied = false;
    *out = false;
    if (!is_denied(tx, view, digest, &denied, err)) {
        return false;
    }
    if (denied) {
        return true;
    }
    if (!manifest_stat(tx, repository_id, digest, &info, &why)) {
        if (why.code == ERR_MANIFEST_UNKNOWN) {
            return true;
        }
        *err = why;
        return false;
    }
    if (!find_link(tx, repository_id, view, &info, &link, err)) {
        return false;
    }
    /* Most manifests are about nothing: they are not read. */
    if ((!link.subject && !link.tag) || info.size > ARTIFACT_MANIFEST_MAX) {
        return true;
    }
    if (!manifest_get(tx, repository_id, digest, &m, err)) {
        return false;
    }
    return bytes_agree(place, m, view, &link, out, err);
}

bool artifact_blob_allowed(const struct artifact_place *place, const struct gate_view *view,
                           const struct digest *blob, bool *out, struct err *err)
{
    auto_edge_list struct edge_list parents = {0};
    *out = false;
    if (!manifest_parents(place->tx, place->repository_id, blob, ARTIFACT_PARENTS_MAX, &parents, err)) {
        return false;
    }
    for (size_t i = 0; i < parents.count && !*out; i++) {
        bool content = parents.items[i].kind == EDGE_CONFIG || parents.items[i].kind == EDGE_LAYER;
        if (content &&
            !artifact_allowed(place, view, &parents.items[i].digest, out, err)) {
            return false;
        }
    }
    return true;
}
