/* A manifest that is read keeps its bounds, is one thing only, and reads the same under the type it
 * was given: what is served later under that type is what was checked. The first byte chooses the
 * Content-Type of the request. */
#include "storage/manifest_doc.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static const char *const types[] = {
    "",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json; charset=utf-8",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
    "application/x-else",
    "a b",
};

static bool kind_fits(enum manifest_form form, enum edge_kind kind)
{
    switch (kind) {
    case EDGE_CONFIG:
    case EDGE_LAYER:
        return form == MANIFEST_IMAGE;
    case EDGE_CHILD:
        return form == MANIFEST_INDEX;
    case EDGE_BLOB:
        return form == MANIFEST_OTHER;
    case EDGE_SUBJECT:
        return true;
    }
    return false;
}

static void check_edges(const struct manifest_doc *doc)
{
    size_t configs = 0;
    size_t subjects = 0;
    for (size_t i = 0; i < doc->edge_count; i++) {
        const struct manifest_edge *edge = &doc->edges[i];
        HOLDS(kind_fits(doc->form, edge->kind));
        HOLDS(digest_is_set(&edge->digest) && edge->media_type != NULL);
        HOLDS(edge->kind == EDGE_BLOB || edge->size >= 0);
        HOLDS(memchr(edge->platform, '\0', sizeof(edge->platform)) != NULL);
        configs += edge->kind == EDGE_CONFIG;
        subjects += edge->kind == EDGE_SUBJECT;
        HOLDS(edge->kind != EDGE_CONFIG || digest_equal(&edge->digest, &doc->config));
        HOLDS(edge->kind != EDGE_SUBJECT || digest_equal(&edge->digest, &doc->subject));
    }
    HOLDS(configs == (doc->form == MANIFEST_IMAGE) &&
          digest_is_set(&doc->config) == (configs == 1));
    HOLDS(subjects <= 1 && digest_is_set(&doc->subject) == (subjects == 1));
}

static void check_texts(const struct manifest_doc *doc)
{
    HOLDS(doc->media_type[0] != '\0');
    for (const char *p = doc->media_type; *p; p++) { /* it becomes a header's value */
        HOLDS(*p > ' ' && *p <= '~');
    }
    HOLDS(slice_is_utf8(slice_str(doc->artifact_type)));
    if (doc->annotations) {
        auto_json json_t *read = json_loads(doc->annotations, 0, NULL);
        HOLDS(json_is_object(read) && json_equal(read, json_object_get(doc->json, "annotations")));
    }
}

static bool same_edge(const struct manifest_edge *a, const struct manifest_edge *b)
{
    return a->kind == b->kind && digest_equal(&a->digest, &b->digest) && a->size == b->size &&
           a->foreign == b->foreign && strcmp(a->media_type, b->media_type) == 0;
}

static void check_again(const struct manifest_doc *doc, struct slice bytes)
{
    struct manifest_doc *again = NULL;
    HOLDS(manifest_parse(bytes, slice_str(doc->media_type), &again, NULL));
    HOLDS(again->form == doc->form && again->edge_count == doc->edge_count);
    HOLDS(strcmp(again->media_type, doc->media_type) == 0);
    HOLDS(strcmp(again->artifact_type, doc->artifact_type) == 0);
    for (size_t i = 0; i < doc->edge_count; i++) {
        HOLDS(same_edge(&again->edges[i], &doc->edges[i]));
    }
    manifest_doc_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct manifest_doc *doc = NULL;
    struct err err = {0};
    if (size == 0) {
        return 0;
    }
    const char *type = types[data[0] % (sizeof(types) / sizeof(types[0]))];
    struct slice bytes = slice_of_bytes(data + 1, size - 1);
    bool read = manifest_parse(bytes, slice_str(type), &doc, &err);
    HOLDS(read == (doc != NULL));
    HOLDS(read || (err.code == ERR_MANIFEST_INVALID && err.msg[0] != '\0' &&
                   slice_is_utf8(slice_str(err.msg))));
    if (doc) {
        HOLDS(doc->edge_count <= MANIFEST_DESCRIPTORS_MAX);
        check_edges(doc);
        check_texts(doc);
        check_again(doc, bytes);
    }
    manifest_doc_free(doc);
    return 0;
}
