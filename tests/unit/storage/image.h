/* Images made of text, for the tests of what stores them. */
#ifndef TESTS_UNIT_STORAGE_IMAGE_H
#define TESTS_UNIT_STORAGE_IMAGE_H

#include "storage/blob.h"
#include "storage/upload.h"
#include "tests/unit/storage/world.h"

#define TYPE_IMAGE "application/vnd.oci.image.manifest.v1+json"
#define TYPE_INDEX "application/vnd.oci.image.index.v1+json"

/* Pushes a blob into ns/app. */
static inline struct digest push_blob(struct world *w, const char *text)
{
    struct repo_name repo = repo_of("ns/app");
    struct upload *u = NULL;
    struct digest digest = digest_of(slice_str(text));
    OK(upload_start(w->store, &repo, UPLOAD_SINGLE, &w->alice, T0, &u, err));
    OK(upload_append(u, slice_str(text), T0, err));
    OK(upload_finish(u, &digest, T0, NULL, err));
    upload_close(u);
    return digest;
}

static inline void descriptor(struct buf *b, const char *type, const struct digest *digest,
                              size_t size)
{
    char text[DIGEST_STR_MAX];
    buf_printf(b, "{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%zu}", type,
               digest_format(digest, text), size);
}

/* An image manifest of a config of two bytes and a layer; `more` is put before the closing brace. */
static inline void image_text_of(struct buf *b, const struct digest *config,
                                 const struct digest *layer, size_t layer_size, const char *more)
{
    buf_str(b, "{\"schemaVersion\":2,\"config\":");
    descriptor(b, "application/vnd.oci.image.config.v1+json", config, 2);
    buf_str(b, ",\"layers\":[");
    descriptor(b, "application/vnd.oci.image.layer.v1.tar+gzip", layer, layer_size);
    buf_printf(b, "]%s}", more);
}

/* The same with a layer of three bytes. */
static inline void image_text(struct buf *b, const struct digest *config,
                              const struct digest *layer, const char *more)
{
    image_text_of(b, config, layer, 3, more);
}
#define IMAGE_TEXT_SIZE 340 /* without `more` */

/* An index of one image_text. */
static inline void index_text(struct buf *b, const struct digest *child)
{
    buf_str(b, "{\"schemaVersion\":2,\"manifests\":[");
    descriptor(b, TYPE_IMAGE, child, IMAGE_TEXT_SIZE);
    buf_str(b, "]}");
}

/* The caller frees put->doc. */
static inline struct manifest_put put_of(const char *type, struct slice bytes)
{
    struct manifest_doc *doc = NULL;
    OK(manifest_parse(bytes, slice_str(type), &doc, err));
    return (struct manifest_put){.doc = doc, .digest = digest_of(bytes), .bytes = bytes};
}

static inline struct digest store_manifest(struct world *w, const char *type, struct slice bytes)
{
    struct manifest_put put = put_of(type, bytes);
    WRITE(w)
    {
        OK(manifest_put(tx, w->repo.id, &put, &w->alice, T0, NULL, err));
    }
    manifest_doc_free((struct manifest_doc *)put.doc);
    return put.digest;
}

/* An image of its own blobs, stored in ns/app. */
static inline struct digest push_image(struct world *w, const char *config, const char *layer)
{
    auto_buf struct buf text = {0};
    struct digest c = push_blob(w, config);
    struct digest l = push_blob(w, layer);
    image_text(&text, &c, &l, "");
    return store_manifest(w, TYPE_IMAGE, buf_slice_of(&text));
}

static inline int64_t gate_of(struct world *w)
{
    struct repository r;
    READ(w)
    {
        OK(repository_get_by_id(tx, w->repo.id, &r, err));
    }
    return r.gate_generation;
}

#endif
