#include "tests/unit/storage/model/universe.h"

#include "base/hash.h"
#include "tests/unit/storage/world.h"

#define TYPE_CONFIG "application/vnd.oci.image.config.v1+json"
#define TYPE_LAYER "application/vnd.oci.image.layer.v1.tar+gzip"
#define TYPE_FOREIGN "application/vnd.oci.image.layer.nondistributable.v1.tar"
#define TYPE_IMAGE "application/vnd.oci.image.manifest.v1+json"
#define TYPE_INDEX "application/vnd.oci.image.index.v1+json"
#define TYPE_OTHER "application/vnd.example.bundle.v1+json"

static const char *const namespace_names[NAMESPACES] = {"a", "b", "open"};

static const struct {
    const char *name;
    int space;
} repository_names[REPOSITORIES] = {
    {"a/app", 0},          {"a/app/blobs/b", 0}, {"a/tool", 0},     {"b/app", 1},
    {"b/deep/er/name", 1}, {"open/base", 2},     {"open/b-ase", 2},
};

static const char *const tag_names[TAGS] = {"1", "A", "_", "a", "a-b", "a.b"};

/* Sizes in bytes; two of them beyond what a store may treat as small. */
#define SIZED 14
static const int64_t sizes[SIZED] = {0,   1,    2,    3,    17,   100,   512,
                                     999, 1000, 4096, 5000, 9000, 70000, 200000};

/* The others: the bytes of these under their other digest, and the bytes of manifests. */
static const int as_sha512[] = {3, 12};
static const int as_manifest[] = {0, 5};

static void seal(struct content *c, enum digest_algorithm algorithm)
{
    c->bytes = buf_slice_of(&c->own);
    hash_bytes(algorithm, c->bytes, &c->digest);
}

static void fill(struct content *c, int64_t size, int number)
{
    struct dice d = {.state = (uint64_t)number};
    buf_put(&c->own, "", 0);
    for (int64_t i = 0; i < size; i++) {
        buf_char(&c->own, (char)dice_below(&d, 256));
    }
    seal(c, DIGEST_SHA256);
}

static void copy(struct content *c, const struct content *of, enum digest_algorithm algorithm)
{
    buf_slice(&c->own, of->bytes);
    seal(c, algorithm);
}

/* --- documents -------------------------------------------------------------------------------- */

static void write_descriptor(struct buf *b, const char *type, const struct name_edge *edge)
{
    char text[DIGEST_STR_MAX];
    buf_printf(b, "{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%lld%s}", type,
               digest_format(&edge->digest, text), (long long)edge->size,
               edge->foreign ? ",\"urls\":[\"https://elsewhere.example/x\"]" : "");
}

static const struct name_edge *add_edge(struct shape *s, enum edge_kind kind,
                                        const struct content *to)
{
    struct name_edge *edge = &s->edges[s->edge_count++];
    *edge = (struct name_edge){
        .kind = kind, .digest = to->digest, .size = (int64_t)to->bytes.n, .foreign = false};
    return edge;
}

/* One that is made already. */
static const struct content *any_blob(const struct universe *u, struct dice *d)
{
    const struct content *blob = NULL;
    do {
        blob = &u->blobs[dice_below(d, BLOBS)];
    } while (!digest_is_set(&blob->digest));
    return blob;
}

static const struct name_edge *add_layer(struct shape *s, const struct universe *u, struct dice *d)
{
    add_edge(s, EDGE_LAYER, any_blob(u, d));
    struct name_edge *edge = &s->edges[s->edge_count - 1];
    edge->foreign = dice_once_in(d, 6);
    edge->size += dice_once_in(d, 7); /* a descriptor that lies */
    return edge;
}

static void write_subject(struct shape *s, const struct universe *u, int below, struct dice *d)
{
    if (below == 0 || !dice_once_in(d, 2)) {
        return;
    }
    const struct name_edge *edge =
        add_edge(s, EDGE_SUBJECT, &u->manifests[dice_below(d, below)].content);
    s->subject = edge->digest;
    buf_str(&s->content.own, ",\"subject\":");
    write_descriptor(&s->content.own, TYPE_IMAGE, edge);
}

/* The number makes each of them another one. */
static void write_tail(struct shape *s, int number, struct dice *d)
{
    struct buf *b = &s->content.own;
    if (dice_once_in(d, 2)) {
        snprintf(s->annotations, sizeof(s->annotations), "{\"number\":\"%d\"}", number);
        buf_printf(b, ",\"annotations\":%s}", s->annotations);
    } else {
        buf_printf(b, ",\"number\":%d}", number);
    }
}

static void write_artifact_type(struct shape *s, struct dice *d, const char *otherwise)
{
    static const char *const types[] = {"application/x.sbom", "application/x.signature"};
    int which = dice_below(d, 3);
    s->artifact_type = which < 2 ? types[which] : otherwise;
    if (which < 2) {
        buf_printf(&s->content.own, ",\"artifactType\":\"%s\"", types[which]);
    }
}

static void write_image(struct shape *s, const struct universe *u, int below, struct dice *d)
{
    struct buf *b = &s->content.own;
    s->type = TYPE_IMAGE;
    buf_printf(b, "{\"schemaVersion\":2,\"mediaType\":\"%s\",\"config\":", s->type);
    write_descriptor(b, TYPE_CONFIG, add_edge(s, EDGE_CONFIG, &u->blobs[dice_below(d, SIZED)]));
    buf_str(b, ",\"layers\":[");
    for (int i = 0, n = dice_below(d, 4); i < n; i++) {
        const struct name_edge *edge = add_layer(s, u, d);
        buf_str(b, i ? "," : "");
        write_descriptor(b, edge->foreign ? TYPE_FOREIGN : TYPE_LAYER, edge);
    }
    buf_str(b, "]");
    write_artifact_type(s, d, TYPE_CONFIG);
    write_subject(s, u, below, d);
}

static void write_index(struct shape *s, const struct universe *u, int below, struct dice *d)
{
    struct buf *b = &s->content.own;
    s->type = TYPE_INDEX;
    buf_printf(b, "{\"schemaVersion\":2,\"mediaType\":\"%s\",\"manifests\":[", s->type);
    for (int i = 0, n = dice_below(d, 4); i < n; i++) {
        buf_str(b, i ? "," : "");
        write_descriptor(b, TYPE_IMAGE,
                         add_edge(s, EDGE_CHILD, &u->manifests[dice_below(d, below)].content));
    }
    buf_str(b, "]");
    write_artifact_type(s, d, "");
    write_subject(s, u, below, d);
}

/* A type that nobody knows, which names a blob and a manifest. */
static void write_other(struct shape *s, const struct universe *u, int below, struct dice *d)
{
    struct buf *b = &s->content.own;
    s->type = TYPE_OTHER;
    s->artifact_type = "";
    buf_printf(b, "{\"mediaType\":\"%s\",\"parts\":[", s->type);
    write_descriptor(b, "x/y", add_edge(s, EDGE_BLOB, any_blob(u, d)));
    buf_str(b, ",{\"deeper\":");
    write_descriptor(b, "x/z", add_edge(s, EDGE_BLOB, &u->manifests[dice_below(d, below)].content));
    buf_str(b, "}]");
    write_subject(s, u, below, d);
}

static void write_shape(struct universe *u, int number, struct dice *d)
{
    struct shape *s = &u->manifests[number];
    int which = number < 2 ? 0 : dice_below(d, 10);
    if (which < 6) {
        write_image(s, u, number, d);
    } else if (which < 9) {
        write_index(s, u, number, d);
    } else {
        write_other(s, u, number, d);
    }
    write_tail(s, number, d);
    seal(&s->content, dice_once_in(d, 6) ? DIGEST_SHA512 : DIGEST_SHA256);
}

/* What the store is going to be given must be what was meant. */
static void read_shape(struct shape *s)
{
    OK(manifest_parse(s->content.bytes, slice_str(s->type), &s->doc, err));
    assert_int_equal(s->doc->edge_count, s->edge_count);
    assert_string_equal(s->doc->artifact_type, s->artifact_type);
    for (int i = 0; i < s->edge_count; i++) {
        const struct manifest_edge *edge = &s->doc->edges[i];
        assert_int_equal(edge->kind, s->edges[i].kind);
        assert_true(digest_equal(&edge->digest, &s->edges[i].digest));
        assert_int_equal(edge->size, s->edges[i].size);
        assert_int_equal(edge->foreign, s->edges[i].foreign);
    }
}

static void find_names(struct universe *u, struct shape *s)
{
    for (int i = 0; i < s->edge_count; i++) {
        const struct name_edge *edge = &s->edges[i];
        bool keeps =
            edge->kind == EDGE_CONFIG || edge->kind == EDGE_LAYER || edge->kind == EDGE_BLOB;
        bool moves =
            edge->kind == EDGE_CHILD || edge->kind == EDGE_SUBJECT || edge->kind == EDGE_BLOB;
        for (int b = 0; keeps && b < BLOBS; b++) {
            s->keeps_blob[b] |= digest_equal(&edge->digest, &u->blobs[b].digest);
        }
        for (int m = 0; moves && m < MANIFESTS; m++) {
            s->names_manifest[m] |= digest_equal(&edge->digest, &u->manifests[m].content.digest);
        }
    }
}

/* --- all of it -------------------------------------------------------------------------------- */

static void name_all(struct universe *u)
{
    for (int i = 0; i < NAMESPACES; i++) {
        u->namespaces[i] = ns_of(namespace_names[i]);
    }
    for (int i = 0; i < REPOSITORIES; i++) {
        u->repositories[i] = repo_of(repository_names[i].name);
        u->namespace_of[i] = repository_names[i].space;
    }
    for (int i = 0; i < TAGS; i++) {
        u->tags[i] = tag_of(tag_names[i]);
    }
}

void universe_init(struct universe *u, uint64_t seed)
{
    struct dice d = {.state = seed};
    *u = (struct universe){0};
    name_all(u);
    for (int i = 0; i < SIZED; i++) {
        fill(&u->blobs[i], sizes[i], i);
    }
    for (size_t i = 0; i < COUNT(as_sha512); i++) {
        copy(&u->blobs[SIZED + i], &u->blobs[as_sha512[i]], DIGEST_SHA512);
    }
    for (int i = 0; i < MANIFESTS; i++) {
        for (size_t k = 0; k < COUNT(as_manifest); k++) { /* before anybody can name them */
            if (as_manifest[k] == i - 1) {
                copy(&u->blobs[SIZED + COUNT(as_sha512) + k], &u->manifests[i - 1].content,
                     u->manifests[i - 1].content.digest.algorithm);
            }
        }
        write_shape(u, i, &d);
    }
    for (int i = 0; i < MANIFESTS; i++) {
        read_shape(&u->manifests[i]);
        find_names(u, &u->manifests[i]);
    }
}

void universe_dispose(struct universe *u)
{
    for (int i = 0; i < BLOBS; i++) {
        buf_dispose(&u->blobs[i].own);
    }
    for (int i = 0; i < MANIFESTS; i++) {
        manifest_doc_free(u->manifests[i].doc);
        buf_dispose(&u->manifests[i].content.own);
    }
}

bool universe_is(const struct universe *u, int fed, int64_t received, int claimed)
{
    struct slice got = slice_first(u->blobs[fed].bytes, (size_t)received);
    return slice_equal(got, u->blobs[claimed].bytes);
}
