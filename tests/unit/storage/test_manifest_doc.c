/* Reading manifests: what the image specs allow, and what tries to be two things at once. */
#include "storage/manifest_doc.h"
#include "tests/unit/storage/world.h"

#define OCI_IMAGE "application/vnd.oci.image.manifest.v1+json"
#define OCI_INDEX "application/vnd.oci.image.index.v1+json"
#define DOCKER_IMAGE "application/vnd.docker.distribution.manifest.v2+json"
#define DOCKER_LIST "application/vnd.docker.distribution.manifest.list.v2+json"
#define A "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C "sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
#define CONFIG                                                                                     \
    "\"config\":{\"mediaType\":\"application/vnd.oci.image.config.v1+json\",\"digest\":\"" A       \
    "\",\"size\":2}"
#define LAYER(digest)                                                                              \
    "{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar+gzip\",\"digest\":\"" digest          \
    "\",\"size\":10}"
#define IMAGE(more) "{\"schemaVersion\":2," CONFIG ",\"layers\":[" LAYER(B) "]" more "}"

struct doc_case {
    const char *name;
    const char *content_type;
    const char *text;
    int edges; /* -1: refused */
};

static const struct doc_case cases[] = {
    {"an image", OCI_IMAGE, IMAGE(""), 2},
    {"an image whose type is in the document", "", IMAGE(",\"mediaType\":\"" OCI_IMAGE "\""), 2},
    {"both, equal", OCI_IMAGE, IMAGE(",\"mediaType\":\"" OCI_IMAGE "\""), 2},
    {"parameters of the header do not count", OCI_IMAGE "; charset=utf-8", IMAGE(""), 2},
    {"both, different", DOCKER_IMAGE, IMAGE(",\"mediaType\":\"" OCI_IMAGE "\""), -1},
    {"neither", "", IMAGE(""), -1},
    {"no layers", OCI_IMAGE, "{\"schemaVersion\":2," CONFIG ",\"layers\":[]}", 1},
    {"unknown members", OCI_IMAGE, IMAGE(",\"org.example\":{\"x\":[1,2]}"), 2},
    {"a subject", OCI_IMAGE,
     IMAGE(",\"subject\":{\"mediaType\":\"" OCI_IMAGE "\",\"digest\":\"" C "\",\"size\":3}"), 3},
    {"an index", OCI_INDEX, "{\"schemaVersion\":2,\"manifests\":[" LAYER(A) "," LAYER(B) "]}", 2},
    {"an empty index", OCI_INDEX, "{\"schemaVersion\":2,\"manifests\":[]}", 0},
    {"a docker list", DOCKER_LIST, "{\"schemaVersion\":2,\"manifests\":[" LAYER(A) "]}", 1},
    {"trailing blanks", OCI_INDEX, "{\"schemaVersion\":2,\"manifests\":[]}  \n", 0},
    {"sha512", OCI_INDEX,
     "{\"schemaVersion\":2,\"manifests\":[{\"digest\":\"sha512:"
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\",\"size\":1}]}",
     1},
    /* what an unknown type mentions is kept, wherever it is */
    {"another type", "application/vnd.example.thing+json",
     "{\"a\":[{\"b\":" LAYER(A) "}],\"c\":" LAYER(B) ",\"digest\":\"" C "\"}", 3},
    {"another type with a subject", "application/vnd.oci.artifact.manifest.v1+json",
     "{\"blobs\":[" LAYER(A) "],\"subject\":" LAYER(B) "}", 2},
    {"another type whose digest is none", "application/vnd.example.thing+json",
     "{\"digest\":\"sha256:short\"}", 0},

    {"not JSON", OCI_IMAGE, "schemaVersion: 2", -1},
    {"empty", OCI_IMAGE, "", -1},
    {"a list", OCI_IMAGE, "[]", -1},
    {"a second value behind it", OCI_INDEX, "{\"schemaVersion\":2,\"manifests\":[]}{}", -1},
    {"a member twice", OCI_INDEX, "{\"schemaVersion\":2,\"manifests\":[],\"manifests\":[]}", -1},
    {"schema 1 by number", OCI_IMAGE, "{\"schemaVersion\":1,\"fsLayers\":[]}", -1},
    {"schema 1 by type", "application/vnd.docker.distribution.manifest.v1+prettyjws", IMAGE(""),
     -1},
    {"no schemaVersion", OCI_INDEX, "{\"manifests\":[]}", -1},
    {"schemaVersion as a text", OCI_INDEX, "{\"schemaVersion\":\"2\",\"manifests\":[]}", -1},
    {"an image that is an index too", OCI_IMAGE, IMAGE(",\"manifests\":[]"), -1},
    {"an index that is an image too", OCI_INDEX, IMAGE(",\"manifests\":[]"), -1},
    {"an index with layers", OCI_INDEX, "{\"schemaVersion\":2,\"manifests\":[],\"layers\":[]}", -1},
    {"an image of schema 1 too", OCI_IMAGE, IMAGE(",\"fsLayers\":[]"), -1},
    {"no config", OCI_IMAGE, "{\"schemaVersion\":2,\"layers\":[]}", -1},
    {"no list of layers", OCI_IMAGE, "{\"schemaVersion\":2," CONFIG "}", -1},
    {"no list of manifests", OCI_INDEX, "{\"schemaVersion\":2}", -1},
    {"a digest that is none", OCI_INDEX,
     "{\"schemaVersion\":2,\"manifests\":[{\"digest\":\"sha256:abc\",\"size\":1}]}", -1},
    {"a digest of another kind", OCI_INDEX,
     "{\"schemaVersion\":2,\"manifests\":[{\"digest\":\"md5:d41d8cd98f00b204e9800998ecf8427e\","
     "\"size\":1}]}",
     -1},
    {"a size below zero", OCI_INDEX,
     "{\"schemaVersion\":2,\"manifests\":[{\"digest\":\"" A "\",\"size\":-1}]}", -1},
    {"no size", OCI_INDEX, "{\"schemaVersion\":2,\"manifests\":[{\"digest\":\"" A "\"}]}", -1},
    {"a descriptor that is none", OCI_INDEX, "{\"schemaVersion\":2,\"manifests\":[\"" A "\"]}", -1},
    {"a subject that is none", OCI_IMAGE, IMAGE(",\"subject\":\"" C "\""), -1},
    {"artifactType as a number", OCI_IMAGE, IMAGE(",\"artifactType\":1"), -1},
    {"annotations as a list", OCI_IMAGE, IMAGE(",\"annotations\":[]"), -1},
    {"an annotation as a number", OCI_IMAGE, IMAGE(",\"annotations\":{\"a\":1}"), -1},
    {"mediaType as a number", OCI_IMAGE, IMAGE(",\"mediaType\":1"), -1},
    {"a type that would break a header", "a/b\r\nX: y", "{}", -1},
    {"a type with blanks inside", "", "{\"mediaType\":\"a b\"}", -1},
    /* a client would take these for an index, and we would not */
    {"a type with a parameter inside", "",
     "{\"schemaVersion\":2,\"mediaType\":\"" OCI_INDEX ";v=1\",\"manifests\":[]}", -1},
    {"a known type in another case", "Application/vnd.oci.image.INDEX.v1+json",
     "{\"schemaVersion\":2,\"manifests\":[]}", -1},
    {"schema 1 in another case", "application/vnd.docker.distribution.manifest.V1+json", "{}", -1},
    {"an unknown type in any case", "application/X-Thing", "{}", 0},
    {"a type without a subtype", "application", "{}", -1},
    {"a type with an empty subtype", "application/", "{}", -1},
    {"a subtype alone", "/x", "{}", -1},
    {"a type of three parts", "a/b/c", "{}", -1},
    {"a type that begins with a sign", "a/.b", "{}", -1},
    {"a type of all that is allowed", "a1!#$&-^_.+/b", "{}", 0},
};

static void every_case(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        auto_manifest_doc struct manifest_doc *doc = NULL;
        struct err err = {0};
        bool ok =
            manifest_parse(slice_str(cases[i].text), slice_str(cases[i].content_type), &doc, &err);
        CHECK_CASE(ok == (cases[i].edges >= 0), cases[i].name);
        if (ok) {
            CHECK_CASE(doc->edge_count == (size_t)cases[i].edges, cases[i].name);
        } else {
            CHECK_CASE(err.code == ERR_MANIFEST_INVALID && err.msg[0] && !doc, cases[i].name);
        }
    }
}

static struct manifest_doc *parse(const char *type, const char *text)
{
    struct manifest_doc *doc = NULL;
    OK(manifest_parse(slice_str(text), slice_str(type), &doc, err));
    return doc;
}

static void an_image_has_its_configs_type_as_artifact_type(void **state)
{
    (void)state;
    auto_manifest_doc struct manifest_doc *plain = parse(OCI_IMAGE, IMAGE(""));
    assert_string_equal(plain->artifact_type, "application/vnd.oci.image.config.v1+json");
    assert_false(plain->artifact_type_own);
    auto_manifest_doc struct manifest_doc *own =
        parse(OCI_IMAGE, IMAGE(",\"artifactType\":\"application/x-sbom\""));
    assert_string_equal(own->artifact_type, "application/x-sbom");
    assert_true(own->artifact_type_own);
    auto_manifest_doc struct manifest_doc *empty =
        parse(OCI_IMAGE, IMAGE(",\"artifactType\":\"\""));
    assert_string_equal(empty->artifact_type, "application/vnd.oci.image.config.v1+json");
    auto_manifest_doc struct manifest_doc *list =
        parse(OCI_INDEX, "{\"schemaVersion\":2,\"manifests\":[]}");
    assert_string_equal(list->artifact_type, "");
}

static void children_say_their_platform(void **state)
{
    (void)state;
    auto_manifest_doc struct manifest_doc *doc =
        parse(OCI_INDEX, "{\"schemaVersion\":2,\"manifests\":["
                         "{\"digest\":\"" A "\",\"size\":1,\"platform\":{\"os\":\"linux\","
                         "\"architecture\":\"arm\",\"variant\":\"v7\"}},"
                         "{\"digest\":\"" B "\",\"size\":1,\"platform\":{\"os\":\"linux\","
                         "\"architecture\":\"amd64\"}},"
                         "{\"digest\":\"" C "\",\"size\":1}]}");
    assert_string_equal(doc->edges[0].platform, "linux/arm/v7");
    assert_string_equal(doc->edges[1].platform, "linux/amd64");
    assert_string_equal(doc->edges[2].platform, "");
    assert_int_equal(doc->edges[0].kind, EDGE_CHILD);
}

static void foreign_layers_need_not_be_here(void **state)
{
    (void)state;
    auto_manifest_doc struct manifest_doc *doc = parse(
        OCI_IMAGE,
        "{\"schemaVersion\":2," CONFIG ",\"layers\":["
        "{\"mediaType\":\"application/vnd.oci.image.layer.nondistributable.v1.tar\",\"digest\":\"" A
        "\",\"size\":1},"
        "{\"mediaType\":\"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip\",\"digest\":\"" B
        "\",\"size\":1,\"urls\":[\"https://example.org/x\"]}," LAYER(C) "]}");
    assert_false(doc->edges[0].foreign); /* the config */
    assert_true(doc->edges[1].foreign);
    assert_true(doc->edges[2].foreign);
    assert_false(doc->edges[3].foreign);
}

/* Clients fetch layers by their `urls`, but a config from the registry alone. */
static void a_config_has_to_be_here_whatever_it_says(void **state)
{
    (void)state;
    auto_manifest_doc struct manifest_doc *doc =
        parse(OCI_IMAGE, "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"application/"
                         "vnd.oci.image.layer.nondistributable.v1.tar\",\"digest\":\"" A
                         "\",\"size\":1,\"urls\":[\"https://example.org/x\"]},\"layers\":[" LAYER(C) "]}");
    assert_int_equal(doc->edges[0].kind, EDGE_CONFIG);
    assert_false(doc->edges[0].foreign);
}

static void annotations_are_kept_as_text(void **state)
{
    (void)state;
    auto_manifest_doc struct manifest_doc *doc =
        parse(OCI_IMAGE, IMAGE(",\"annotations\":{\"b\":\"2\",\"a\":\"\\u00e4\"}"));
    assert_string_equal(doc->annotations, "{\"b\":\"2\",\"a\":\"\303\244\"}");
    auto_manifest_doc struct manifest_doc *none = parse(OCI_IMAGE, IMAGE(""));
    assert_null(none->annotations);
}

static void list_of(struct buf *b, int n)
{
    buf_str(b, "{\"schemaVersion\":2,\"manifests\":[");
    for (int i = 0; i < n; i++) {
        buf_printf(b, "%s" LAYER(A), i ? "," : "");
    }
    buf_str(b, "]}");
}

static void descriptors_are_counted(void **state)
{
    (void)state;
    auto_buf struct buf most = {0};
    auto_buf struct buf more = {0};
    struct manifest_doc *doc = NULL;
    list_of(&most, MANIFEST_DESCRIPTORS_MAX);
    list_of(&more, MANIFEST_DESCRIPTORS_MAX + 1);
    OK(manifest_parse(buf_slice_of(&most), SLICE_LIT(OCI_INDEX), &doc, err));
    assert_int_equal(doc->edge_count, MANIFEST_DESCRIPTORS_MAX);
    manifest_doc_free(doc);
    FAILS(ERR_MANIFEST_INVALID,
          manifest_parse(buf_slice_of(&more), SLICE_LIT(OCI_INDEX), &doc, err));
}

static void depth_is_bounded(void **state)
{
    (void)state;
    auto_buf struct buf b = {0};
    struct manifest_doc *doc = NULL;
    buf_str(&b, "{\"a\":");
    for (int i = 0; i < 100; i++) {
        buf_char(&b, '[');
    }
    for (int i = 0; i < 100; i++) {
        buf_char(&b, ']');
    }
    buf_char(&b, '}');
    FAILS(ERR_MANIFEST_INVALID,
          manifest_parse(buf_slice_of(&b), SLICE_LIT("application/x-thing"), &doc, err));
}

/* {"x":["",…]}: what is no descriptor costs memory too. */
static void values_of(struct buf *b, int n, size_t size)
{
    buf_str(b, "{\"x\":[\"\"");
    for (int i = 2; i < n; i++) {
        buf_str(b, ",\"\"");
    }
    buf_str(b, "]");
    while (b->n + 1 < size) {
        buf_char(b, ' ');
    }
    buf_char(b, '}');
}

static void values_are_bounded_by_the_size(void **state)
{
    static const struct {
        int values;
        size_t size;
        bool ok;
    } sizes[] = {
        {16384, 65536, true},
        {16384 + 4096, 65536, true},
        {16384 + 4097, 65536, false},
        {16384 + 16384, 262144, true},
        {16384 + 16385, 262144, false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        auto_buf struct buf b = {0};
        auto_manifest_doc struct manifest_doc *doc = NULL;
        values_of(&b, sizes[i].values, sizes[i].size);
        assert_int_equal(b.n, sizes[i].size);
        struct err why = {0};
        bool ok = manifest_parse(buf_slice_of(&b), SLICE_LIT("application/x-thing"), &doc, &why);
        assert_int_equal(ok, sizes[i].ok);
        assert_int_equal(why.code == ERR_MANIFEST_INVALID, !ok);
    }
}

static void kinds_of_media_types(void **state)
{
    (void)state;
    /* What docker 20.10, podman 4.3 and containerd 1.6 start from when a manifest says so. */
    static const struct {
        const char *type;
        bool layer, config;
    } table[] = {
        {"application/vnd.oci.image.layer.v1.tar+zstd", true, true},
        {"application/vnd.OCI.image.layer.v1.tar+gzip", true, true},
        {"application/vnd.oci.image.layer.v1.tar+gzip;a=b", true, true},
        {"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", true, true},
        {"application/vnd.docker.container.image.rootfs.diff+x-gtar", true, true},
        {"application/vnd.docker.container.image.v1+json", true, true},
        {"application/vnd.oci.image.config.v1+json", true, true},
        {"APPLICATION/VND.OCI.IMAGE.CONFIG.V1+JSON", true, true},
        {"", true, true},
        {"application/octet-stream", false, true},
        {"Application/JSON", false, true},
        {"text/html; charset=utf-8", false, true},
        {"application/vnd.oci.empty.v1+json", false, false},
        {"application/vnd.dev.cosign.simplesigning.v1+json", false, false},
        {"application/vnd.dsse.envelope.v1+json", false, false},
        {"application/vnd.cncf.notary.signature", false, false},
        {"application/spdx+json", false, false},
        {"application/jose+json", false, false},
        {"application/vnd.oci", false, false},
    };
    for (size_t i = 0; i < COUNT(table); i++) {
        struct slice type = slice_str(table[i].type);
        assert_int_equal(media_type_runs_as_layer(type), table[i].layer);
        assert_int_equal(media_type_runs_as_config(type), table[i].config);
    }
    assert_true(media_type_is_index(SLICE_LIT(DOCKER_LIST)));
    assert_false(media_type_is_index(SLICE_LIT(OCI_IMAGE)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case),
        cmocka_unit_test(an_image_has_its_configs_type_as_artifact_type),
        cmocka_unit_test(children_say_their_platform),
        cmocka_unit_test(foreign_layers_need_not_be_here),
        cmocka_unit_test(a_config_has_to_be_here_whatever_it_says),
        cmocka_unit_test(annotations_are_kept_as_text),
        cmocka_unit_test(descriptors_are_counted),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(values_are_bounded_by_the_size),
        cmocka_unit_test(kinds_of_media_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
