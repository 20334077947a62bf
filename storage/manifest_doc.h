/* Reading a manifest: OCI image manifest and index, docker schema 2 manifest and list, and any
 * other JSON that names descriptors. Pure. Owns: the syntax. Refuses to know: whether what it names
 * exists. */
#ifndef STORAGE_MANIFEST_DOC_H
#define STORAGE_MANIFEST_DOC_H

#include "base/digest.h"
#include "base/json.h"

#define MANIFEST_DESCRIPTORS_MAX 4096
#define MEDIA_TYPE_MAX 255

enum manifest_form {
    MANIFEST_IMAGE, /* config + layers */
    MANIFEST_INDEX, /* manifests */
    MANIFEST_OTHER  /* unknown media type: every descriptor is kept */
};

enum edge_kind {
    EDGE_CONFIG = 1,
    EDGE_LAYER = 2,
    EDGE_CHILD = 3, /* a manifest of an index */
    EDGE_SUBJECT = 4,
    EDGE_BLOB = 5 /* a descriptor of an unknown media type */
};

struct manifest_edge {
    enum edge_kind kind;
    struct digest digest;
    int64_t size; /* as the descriptor says; -1 when absent */
    bool foreign; /* has `urls`, or a non-distributable / foreign layer type: need not be here; never a config,
                     which clients ask for here */
    const char *media_type; /* "" when absent */
    char platform[96];      /* EDGE_CHILD: "linux/amd64", "linux/arm/v7", "" when absent */
};

struct manifest_doc {
    enum manifest_form form;
    /* The manifest's own: type/subtype as RFC 6838 4.2 has it, without parameters; the types that we
     * know in their own case only. */
    char media_type[MEDIA_TYPE_MAX + 1];
    /* As referrers list it (OCI distribution 1.1, "Listing Referrers"): an image without one has
     * its config's media type; "" = none. */
    char artifact_type[MEDIA_TYPE_MAX + 1];
    bool artifact_type_own;      /* it was written in the document, not taken from the config */
    struct digest subject;       /* unset when absent */
    struct digest config;        /* unset when absent */
    struct manifest_edge *edges; /* in document order */
    size_t edge_count;
    char *annotations; /* JSON text of the object, NULL when absent */
    json_t *json;      /* owned; edges borrow from it */
};

/* Reads a manifest strictly: one JSON object, no duplicate members, depth 64, well-formed digests,
 * sizes >= 0.
 *   content_type   of the request, parameters allowed; may be empty when the document has a
 *                  mediaType
 * Expected errors: ERR_MANIFEST_INVALID with the reason (not JSON, mediaType and Content-Type
 * differ, schema 1, too many descriptors, a malformed digest). Any thread. Ownership:
 * manifest_doc_free. */
bool manifest_parse(struct slice bytes, struct slice content_type, struct manifest_doc **out,
                    struct err *err) MUST_USE;
void manifest_doc_free(struct manifest_doc *doc); /* accepts NULL */
static inline void cleanup_manifest_doc(struct manifest_doc **doc)
{
    manifest_doc_free(*doc);
}
#define auto_manifest_doc __attribute__((cleanup(cleanup_manifest_doc)))

/* Whether some runtime takes the content for part of an image (gate.md 6 d). Wider than the
 * specifications: docker compares without case and by prefix, and takes what old registries said of
 * any file, the empty type too.
 *   layer    of a layer: an OCI or docker layer, any compression, foreign too
 *   config   of a configuration */
bool media_type_runs_as_layer(struct slice media_type);
bool media_type_runs_as_config(struct slice media_type);
/* An index or a manifest list. */
bool media_type_is_index(struct slice media_type);

#endif
