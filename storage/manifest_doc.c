#include "storage/manifest_doc.h"

#include "storage/row.h"

#include <stdio.h>

#define OCI_IMAGE "application/vnd.oci.image.manifest.v1+json"
#define OCI_INDEX "application/vnd.oci.image.index.v1+json"
#define DOCKER_IMAGE "application/vnd.docker.distribution.manifest.v2+json"
#define DOCKER_LIST "application/vnd.docker.distribution.manifest.list.v2+json"
#define DOCKER_SCHEMA1 "application/vnd.docker.distribution.manifest.v1+"
#define OCI_FOREIGN "application/vnd.oci.image.layer.nondistributable."
#define DOCKER_FOREIGN "application/vnd.docker.image.rootfs.foreign."

bool media_type_runs_as_layer(struct slice media_type)
{
    return media_type.n == 0 || slice_starts_nocase(media_type, "application/vnd.oci.image") ||
           slice_starts_nocase(media_type, "application/vnd.docker");
}

bool media_type_runs_as_config(struct slice media_type)
{
    static const char *const of_any_file[] = {"application/octet-stream", "application/json",
                                              "text/html", NULL};
    for (const char *const *type = of_any_file; *type; type++) {
        if (slice_starts_nocase(media_type, *type)) {
            return true;
        }
    }
    return media_type_runs_as_layer(media_type);
}

bool media_type_is_index(struct slice media_type)
{
    return slice_is(media_type, OCI_INDEX) || slice_is(media_type, DOCKER_LIST);
}

static bool is_foreign_layer(struct slice media_type)
{
    return slice_starts(media_type, OCI_FOREIGN) || slice_starts(media_type, DOCKER_FOREIGN);
}

static enum manifest_form form_of(struct slice media_type)
{
    if (media_type_is_index(media_type)) {
        return MANIFEST_INDEX;
    }
    if (slice_is(media_type, OCI_IMAGE) || slice_is(media_type, DOCKER_IMAGE)) {
        return MANIFEST_IMAGE;
    }
    return MANIFEST_OTHER;
}

/* Borrowed until the next is added: the list moves. */
static struct manifest_edge *add_edge(struct manifest_doc *doc, enum edge_kind kind,
                                      struct err *err)
{
    if (doc->edge_count == MANIFEST_DESCRIPTORS_MAX) {
        err_set(err, ERR_MANIFEST_INVALID, "the manifest names more than %d descriptors",
                MANIFEST_DESCRIPTORS_MAX);
        return NULL;
    }
    doc->edges = list_room(doc->edges, doc->edge_count, sizeof(*doc->edges));
    struct manifest_edge *edge = &doc->edges[doc->edge_count++];
    *edge = (struct manifest_edge){.kind = kind, .size = -1, .media_type = ""};
    return edge;
}

static void read_platform(const json_t *descriptor, struct manifest_edge *edge)
{
    const json_t *platform = json_get_object(descriptor, "platform");
    const char *os = platform ? json_get_string(platform, "os") : NULL;
    const char *architecture = platform ? json_get_string(platform, "architecture") : NULL;
    const char *variant = platform ? json_get_string(platform, "variant") : NULL;
    if (!os || !architecture) {
        return;
    }
    snprintf(edge->platform, sizeof(edge->platform), "%s/%s%s%s", os, architecture,
             variant && *variant ? "/" : "", variant ? variant : "");
}

/* A descriptor of a known place (OCI image spec 1.1, "Content Descriptors").
 *   where   member name, for the message */
static bool read_descriptor(struct manifest_doc *doc, const json_t *value, enum edge_kind kind,
                            const char *where, struct manifest_edge **edge_out, struct err *err)
{
    struct manifest_edge *edge = add_edge(doc, kind, err);
    if (!edge) {
        return false;
    }
    *edge_out = edge;
    if (!json_is_object(value)) {
        return err_set(err, ERR_MANIFEST_INVALID, "%s: a descriptor is an object", where);
    }
    if (!digest_parse(json_get_slice(value, "digest"), &edge->digest, NULL)) {
        return err_set(err, ERR_MANIFEST_INVALID, "%s: the descriptor has no well-formed digest",
                       where);
    }
    if (!json_get_int(value, "size", &edge->size) || edge->size < 0) {
        return err_set(err, ERR_MANIFEST_INVALID, "%s: the descriptor has no size", where);
    }
    const char *media_type = json_get_string(value, "mediaType");
    if (media_type) {
        edge->media_type = media_type;
    }
    if (slice_str(edge->media_type).n > MEDIA_TYPE_MAX) {
        return err_set(err, ERR_MANIFEST_INVALID, "%s: the media type is longer than %d bytes",
                       where, MEDIA_TYPE_MAX);
    }
    edge->foreign = kind != EDGE_CONFIG && (json_array_size(json_get_array(value, "urls")) > 0 ||
                                            is_foreign_layer(slice_str(edge->media_type)));
    if (kind == EDGE_CHILD) {
        read_platform(value, edge);
    }
    return true;
}

static bool read_array(struct manifest_doc *doc, const char *member, enum edge_kind kind,
                       struct err *err)
{
    const json_t *array = json_get_array(doc->json, member);
    if (!array) {
        return err_set(err, ERR_MANIFEST_INVALID, "the manifest has no list \"%s\"", member);
    }
    for (size_t i = 0; i < json_array_size(array); i++) {
        struct manifest_edge *edge = NULL;
        if (!read_descriptor(doc, json_array_get(array, i), kind, member, &edge, err)) {
            return false;
        }
    }
    return true;
}

/* A document that reads as two things is refused: clients would not agree on which one was signed
 * (CVE-2021-41190). */
static bool refuse_member(const struct manifest_doc *doc, const char *member, struct err *err)
{
    if (json_object_get(doc->json, member)) {
        return err_set(err, ERR_MANIFEST_INVALID, "a manifest of type %s cannot have \"%s\"",
                       doc->media_type, member);
    }
    return true;
}

static bool read_schema_version(const struct manifest_doc *doc, struct err *err)
{
    int64_t version = 0;
    if (!json_get_int(doc->json, "schemaVersion", &version) || version != 2) {
        return err_set(err, ERR_MANIFEST_INVALID, "the manifest's schemaVersion is not 2");
    }
    return true;
}

static bool read_image(struct manifest_doc *doc, struct err *err)
{
    struct manifest_edge *config = NULL;
    if (!read_schema_version(doc, err) || !refuse_member(doc, "manifests", err) ||
        !refuse_member(doc, "fsLayers", err)) {
        return false;
    }
    if (!json_get_object(doc->json, "config")) {
        return err_set(err, ERR_MANIFEST_INVALID, "the manifest has no \"config\" descriptor");
    }
    if (!read_descriptor(doc, json_object_get(doc->json, "config"), EDGE_CONFIG, "config", &config,
                         err)) {
        return false;
    }
    doc->config = config->digest;
    if (!doc->artifact_type_own) {
        snprintf(doc->artifact_type, sizeof(doc->artifact_type), "%s", config->media_type);
    }
    return read_array(doc, "layers", EDGE_LAYER, err);
}

static bool read_index(struct manifest_doc *doc, struct err *err)
{
    return read_schema_version(doc, err) && refuse_member(doc, "config", err) &&
           refuse_member(doc, "layers", err) && refuse_member(doc, "fsLayers", err) &&
           read_array(doc, "manifests", EDGE_CHILD, err);
}

/* Anything that looks like a descriptor, wherever it is: what a document of a type we do not know
 * may need. The depth is bounded by the parser. */
static bool keep_descriptors(struct manifest_doc *doc, const json_t *value, struct err *err)
{
    size_t i = 0;
    const json_t *item = NULL;
    json_array_foreach(value, i, item)
    {
        if (!keep_descriptors(doc, item, err)) {
            return false;
        }
    }
    struct digest digest;
    if (digest_parse(json_get_slice(value, "digest"), &digest, NULL)) {
        struct manifest_edge *edge = add_edge(doc, EDGE_BLOB, err);
        if (!edge) {
            return false;
        }
        edge->digest = digest;
        (void)json_get_int(value, "size", &edge->size);
        const char *media_type = json_get_string(value, "mediaType");
        edge->media_type = media_type ? media_type : "";
    }
    for (void *at = json_object_iter((json_t *)value); at;
         at = json_object_iter_next((json_t *)value, at)) {
        bool is_subject = value == doc->json && strcmp(json_object_iter_key(at), "subject") == 0;
        if (!is_subject && !keep_descriptors(doc, json_object_iter_value(at), err)) {
            return false;
        }
    }
    return true;
}

static bool read_subject(struct manifest_doc *doc, struct err *err)
{
    const json_t *subject = json_object_get(doc->json, "subject");
    struct manifest_edge *edge = NULL;
    if (!subject || json_is_null(subject)) {
        return true;
    }
    if (!read_descriptor(doc, subject, EDGE_SUBJECT, "subject", &edge, err)) {
        return false;
    }
    doc->subject = edge->digest;
    return true;
}

static bool read_artifact_type(struct manifest_doc *doc, struct err *err)
{
    const json_t *value = json_object_get(doc->json, "artifactType");
    if (!value || json_is_null(value)) {
        return true;
    }
    if (!json_is_string(value) || json_string_length(value) > MEDIA_TYPE_MAX) {
        return err_set(err, ERR_MANIFEST_INVALID, "artifactType is a text of at most %d bytes",
                       MEDIA_TYPE_MAX);
    }
    snprintf(doc->artifact_type, sizeof(doc->artifact_type), "%s", json_string_value(value));
    doc->artifact_type_own = doc->artifact_type[0] != '\0';
    return true;
}

static bool read_annotations(struct manifest_doc *doc, struct err *err)
{
    const json_t *value = json_object_get(doc->json, "annotations");
    const char *key = NULL;
    const json_t *text = NULL;
    if (!value || json_is_null(value)) {
        return true;
    }
    if (!json_is_object(value)) {
        return err_set(err, ERR_MANIFEST_INVALID, "annotations is an object");
    }
    json_object_foreach((json_t *)value, key, text)
    {
        if (!json_is_string(text)) {
            return err_set(err, ERR_MANIFEST_INVALID, "an annotation is a text");
        }
    }
    auto_buf struct buf b = {0};
    json_write(&b, value);
    doc->annotations = buf_steal(&b, NULL);
    return true;
}

static bool set_media_type(struct manifest_doc *doc, struct slice type, struct err *err)
{
    if (type.n == 0) {
        return err_set(err, ERR_MANIFEST_INVALID,
                       "neither the Content-Type header nor mediaType says what the manifest is");
    }
    if (type.n > MEDIA_TYPE_MAX || memchr(type.p, '\0', type.n)) {
        return err_set(err, ERR_MANIFEST_INVALID, "the media type is longer than %d bytes",
                       MEDIA_TYPE_MAX);
    }
    memcpy(doc->media_type, type.p, type.n);
    doc->media_type[type.n] = '\0';
    return true;
}

/* RFC 6838 4.2: type "/" subtype, no parameters. */
static bool is_media_type(const char *text)
{
    static const char also[] = "!#$&-^_.+";
    size_t slashes = 0;
    size_t part = 0;
    for (const char *p = text; *p; p++) {
        bool letter = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z');
        if (*p == '/') {
            slashes++;
            part = 0;
        } else if (letter || (*p >= '0' && *p <= '9') || (part > 0 && strchr(also, *p))) {
            part++;
        } else {
            return false;
        }
        if (*p == '/' && (slashes > 1 || p == text)) {
            return false;
        }
    }
    return slashes == 1 && part > 0;
}

/* It is sent back as the Content-Type. What a client takes for a type that we know must be that
 * type for us too, and clients ignore case and parameters. */
static bool check_media_type(const struct manifest_doc *doc, struct err *err)
{
    static const char *const known[] = {OCI_IMAGE, OCI_INDEX, DOCKER_IMAGE, DOCKER_LIST};
    if (!is_media_type(doc->media_type)) {
        return err_set(err, ERR_MANIFEST_INVALID, "the media type is malformed");
    }
    struct slice type = slice_str(doc->media_type);
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (slice_is_nocase(type, known[i]) && !slice_is(type, known[i])) {
            return err_set(err, ERR_MANIFEST_INVALID, "the media type is written %s", known[i]);
        }
    }
    if (slice_is_nocase(slice_first(type, sizeof(DOCKER_SCHEMA1) - 1), DOCKER_SCHEMA1)) {
        return err_set(err, ERR_MANIFEST_INVALID,
                       "schema 1 manifests are not accepted; push with a newer client");
    }
    return true;
}

static bool read_media_type(struct manifest_doc *doc, struct slice content_type, struct err *err)
{
    struct slice rest = content_type;
    struct slice header = {0};
    (void)slice_next(&rest, ';', &header);
    header = slice_trim(header);

    const json_t *value = json_object_get(doc->json, "mediaType");
    if (value && !json_is_string(value)) {
        return err_set(err, ERR_MANIFEST_INVALID, "mediaType is a text");
    }
    struct slice own = value ? json_get_slice(doc->json, "mediaType") : header;
    if (value && own.n > 0 && header.n > 0 && !slice_equal(own, header)) {
        return err_set(err, ERR_MANIFEST_INVALID,
                       "the manifest says it is %.*s, the Content-Type header %.*s",
                       SLICE_FMT(slice_first(own, 200)), SLICE_FMT(slice_first(header, 200)));
    }
    return set_media_type(doc, own.n > 0 ? own : header, err) && check_media_type(doc, err);
}

static bool read_form(struct manifest_doc *doc, struct err *err)
{
    doc->form = form_of(slice_str(doc->media_type));
    switch (doc->form) {
    case MANIFEST_IMAGE:
        return read_image(doc, err);
    case MANIFEST_INDEX:
        return read_index(doc, err);
    case MANIFEST_OTHER:
        return keep_descriptors(doc, doc->json, err);
    }
    BUG("manifest forms are three");
}

/* Descriptors have forty bytes and more for each of their values. A manifest of nothing but brackets
 * would take fifty times its size when it is parsed. */
#define VALUES_FREE 16384
#define BYTES_PER_VALUE 16

static bool read_json(struct manifest_doc *doc, struct slice bytes, struct err *err)
{
    struct err why = {0};
    if (!json_is_within(bytes, VALUES_FREE + bytes.n / BYTES_PER_VALUE)) {
        return err_set(err, ERR_MANIFEST_INVALID,
                       "the manifest has more JSON values than a manifest of its size may have: "
                       "beyond %d, one for every %d bytes",
                       VALUES_FREE, BYTES_PER_VALUE);
    }
    return json_read(bytes, JSON_DEPTH_DEFAULT, &doc->json, &why) ||
           err_set(err, ERR_MANIFEST_INVALID, "the manifest does not read: %s", why.msg);
}

static bool read_document(struct manifest_doc *doc, struct slice bytes, struct slice content_type,
                          struct err *err)
{
    if (!read_json(doc, bytes, err)) {
        return false;
    }
    if (!json_is_object(doc->json)) {
        return err_set(err, ERR_MANIFEST_INVALID, "a manifest is a JSON object");
    }
    int64_t version = 0;
    if (json_get_int(doc->json, "schemaVersion", &version) && version == 1) {
        return err_set(err, ERR_MANIFEST_INVALID,
                       "schema 1 manifests are not accepted; push with a newer client");
    }
    return read_media_type(doc, content_type, err) && read_artifact_type(doc, err) &&
           read_annotations(doc, err) && read_form(doc, err) && read_subject(doc, err);
}

bool manifest_parse(struct slice bytes, struct slice content_type, struct manifest_doc **out,
                    struct err *err)
{
    auto_manifest_doc struct manifest_doc *doc = xcalloc(1, sizeof(*doc));
    *out = NULL;
    if (!read_document(doc, bytes, content_type, err)) {
        return false;
    }
    *out = take(doc);
    return true;
}

void manifest_doc_free(struct manifest_doc *doc)
{
    if (!doc) {
        return;
    }
    free(doc->edges);
    free(doc->annotations);
    json_decref(doc->json);
    free(doc);
}
