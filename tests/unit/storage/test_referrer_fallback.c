/* Referrers that a client keeps in an index under a tag of its own (OCI distribution 1.1, "Referrers Tag Schema"). */
#include "storage/referrer_fallback.h"
#include "storage/tag.h"
#include "tests/unit/storage/image.h"

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define HEX64B "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"

static void the_tag_is_the_digest_cut_to_64_digits(void **state)
{
    static const struct {
        const char *digest, *tag;
    } rows[] = {
        {"sha256:" HEX64, "sha256-" HEX64},
        {"sha512:" HEX64 HEX64B, "sha512-" HEX64},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct digest digest;
        struct tag_name tag;
        struct tag_name parsed;
        OK(digest_parse(slice_str(rows[i].digest), &digest, err));
        referrer_fallback_tag(&digest, &tag);
        assert_string_equal(tag.text, rows[i].tag);
        assert_true(slice_is(tag_name_slice(&tag), rows[i].tag));
        OK(tag_name_parse(tag_name_slice(&tag), &parsed, err));
    }
}

/* --- merging: digests are single letters here --------------------------------------------------- */

static struct digest letter_digest(char letter)
{
    uint8_t raw[32] = {(uint8_t)letter};
    struct digest d;
    assert_true(digest_from_hash(DIGEST_SHA256, raw, sizeof(raw), &d));
    return d;
}

static struct referrer_list list_of(const char *letters, const char *note)
{
    struct referrer_list list = {.items = xcalloc(strlen(letters) + 1, sizeof(*list.items)),
                                 .count = strlen(letters)};
    for (size_t i = 0; i < list.count; i++) {
        list.items[i].digest = letter_digest(letters[i]);
        list.items[i].annotations = xstrdup(note);
    }
    return list;
}

static void pages_are_merged_in_order_and_keep_their_size(void **state)
{
    static const struct {
        const char *own; /* ends in '+': another page follows */
        const char *also;
        char after; /* 0 = from the start */
        int max;
        const char *want; /* as own */
    } rows[] = {
        {"", "", 0, 3, ""},
        {"bd", "", 0, 3, "bd"},
        {"", "ac", 0, 3, "ac"},
        {"bd", "ace", 0, 5, "abcde"},
        {"bd", "ace", 0, 4, "abcd+"},
        {"bd", "ace", 0, 1, "a+"},
        {"d", "ace", 'b', 5, "cde"},
        {"d", "ace", 'c', 5, "de"},
        {"", "ace", 'e', 5, ""},
        {"", "abcd", 0, 2, "ab+"},
        {"", "abcd", 'b', 2, "cd"},
        /* another page follows: what sorts behind it waits for that page */
        {"bd+", "ace", 0, 2, "ab+"},
        {"bd+", "e", 0, 2, "bd+"},
        {"ce+", "ad", 'b', 2, "cd+"},
        {"d+", "c", 'b', 1, "c+"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char own[9] = {0};
        char got[9] = {0};
        bool more = strchr(rows[i].own, '+') != NULL;
        (void)snprintf(own, sizeof(own), "%.*s", (int)strcspn(rows[i].own, "+"), rows[i].own);
        auto_referrer_list struct referrer_list page = list_of(own, "own");
        auto_referrer_list struct referrer_list also = list_of(rows[i].also, "also");
        struct digest after = {0};
        page.more = more;
        if (rows[i].after) {
            after = letter_digest(rows[i].after);
        }
        referrer_list_merge(&page, &also, &after, rows[i].max);
        for (size_t k = 0; k < page.count; k++) {
            bool is_own = strchr(own, page.items[k].digest.bytes[0]) != NULL;
            got[k] = (char)page.items[k].digest.bytes[0];
            assert_string_equal(page.items[k].annotations, is_own ? "own" : "also");
        }
        got[page.count] = page.more ? '+' : '\0';
        if (strcmp(got, rows[i].want) != 0) {
            fail_msg("row %zu: %s instead of %s", i, got, rows[i].want);
        }
    }
}

/* --- reading ------------------------------------------------------------------------------------ */

struct scene {
    struct world *w;
    struct digest subject;
    struct digest plain; /* a manifest without a subject */
    struct digest typed; /* with an artifact type and no subject */
    struct digest own;   /* names the subject */
    size_t plain_size, typed_size, own_size;
};

static struct digest push(struct world *w, const char *layer, const char *more, size_t *size_out)
{
    auto_buf struct buf text = {0};
    struct digest config = push_blob(w, "{}");
    struct digest blob = push_blob(w, layer);
    image_text(&text, &config, &blob, more);
    *size_out = text.n;
    return store_manifest(w, TYPE_IMAGE, buf_slice_of(&text));
}

static void scene_make(struct scene *s, struct world *w)
{
    auto_buf struct buf more = {0};
    *s = (struct scene){.w = w, .subject = digest_of(SLICE_LIT("the subject"))};
    s->plain = push(w, "one", "", &s->plain_size);
    s->typed = push(w, "two", ",\"artifactType\":\"application/x-sbom\"", &s->typed_size);
    buf_str(&more, ",\"subject\":");
    descriptor(&more, TYPE_IMAGE, &s->subject, 3);
    s->own = push(w, "own", more.p, &s->own_size);
}

/* A descriptor with further members. */
static void entry(struct buf *b, const struct digest *digest, size_t size, const char *more)
{
    buf_str(b, b->n == 0 ? "" : ",");
    descriptor(b, TYPE_IMAGE, digest, size);
    b->p[--b->n] = '\0';
    buf_printf(b, "%s}", more);
}

/* The tag of the subject names an index of these entries, pushed by a client that may have lost some of them. */
static struct digest keep(const struct scene *s, const char *type, const char *entries)
{
    auto_buf struct buf text = {0};
    struct tag_name tag;
    buf_printf(&text, "{\"schemaVersion\":2,\"mediaType\":\"%s\",\"manifests\":[%s]}", type,
               entries);
    struct manifest_put put = put_of(type, buf_slice_of(&text));
    put.sparse = true;
    referrer_fallback_tag(&s->subject, &tag);
    WRITE(s->w)
    {
        OK(manifest_put(tx, s->w->repo.id, &put, &s->w->alice, T0, NULL, err));
        OK(tag_put(tx, s->w->repo.id, &tag, &put.digest, &s->w->alice, T0, NULL, err));
    }
    manifest_doc_free((struct manifest_doc *)put.doc);
    return put.digest;
}

static void read_back(const struct scene *s, const char *type, const struct digest *after,
                      struct referrer_fallback *out)
{
    READ(s->w)
    {
        OK(referrer_fallback_read(tx, s->w->repo.id, &s->subject, slice_str(type), after, out,
                                  err));
    }
}

static const struct referrer *find(const struct referrer_fallback *f, const struct digest *digest)
{
    const struct referrer *found = NULL;
    for (size_t i = 0; i < f->list.count; i++) {
        if (digest_equal(&f->list.items[i].digest, digest)) {
            assert_null(found); /* each once */
            found = &f->list.items[i];
        }
    }
    return found;
}

static void what_is_here_is_listed_with_the_descriptors_annotations(void **state)
{
    struct scene s;
    auto_buf struct buf entries = {0};
    auto_referrer_fallback struct referrer_fallback got = {0};
    struct digest absent = digest_of(SLICE_LIT("lost"));
    scene_make(&s, *state);
    entry(&entries, &s.typed, s.typed_size,
          ",\"artifactType\":\"application/a-lie\",\"annotations\":{\"k\":\"v\"}");
    entry(&entries, &s.typed, s.typed_size, ",\"annotations\":{\"k\":\"second\"}");
    entry(&entries, &absent, 9, "");
    entry(&entries, &s.own, s.own_size, ",\"annotations\":{\"k\":\"not the manifest's\"}");
    entry(&entries, &s.plain, s.plain_size, ",\"annotations\":{\"k\":1}");
    struct digest index = keep(&s, TYPE_INDEX, entries.p);

    read_back(&s, "", NULL, &got);
    assert_true(digest_equal(&got.index, &index));
    assert_int_equal(got.list.count, 2);
    assert_true(digest_compare(&got.list.items[0].digest, &got.list.items[1].digest) < 0);
    const struct referrer *typed = find(&got, &s.typed);
    const struct referrer *plain = find(&got, &s.plain);
    assert_non_null(typed);
    assert_string_equal(typed->annotations, "{\"k\":\"v\"}");
    assert_string_equal(typed->artifact_type, "application/x-sbom");
    assert_string_equal(typed->media_type, TYPE_IMAGE);
    assert_int_equal(typed->size, s.typed_size);
    assert_non_null(plain);
    assert_null(plain->annotations); /* a number is no annotation */
    assert_string_equal(plain->artifact_type, "application/vnd.oci.image.config.v1+json");
}

static void the_list_is_filtered_by_type_and_begins_after_a_digest(void **state)
{
    struct scene s;
    auto_buf struct buf entries = {0};
    auto_referrer_fallback struct referrer_fallback sboms = {0};
    auto_referrer_fallback struct referrer_fallback lies = {0};
    auto_referrer_fallback struct referrer_fallback rest = {0};
    scene_make(&s, *state);
    entry(&entries, &s.typed, s.typed_size, ",\"artifactType\":\"application/a-lie\"");
    entry(&entries, &s.plain, s.plain_size, "");
    keep(&s, TYPE_INDEX, entries.p);

    read_back(&s, "application/x-sbom", NULL, &sboms);
    assert_int_equal(sboms.list.count, 1);
    assert_non_null(find(&sboms, &s.typed));
    read_back(&s, "application/a-lie", NULL, &lies);
    assert_int_equal(lies.list.count, 0);
    bool typed_first = digest_compare(&s.typed, &s.plain) < 0;
    read_back(&s, "", typed_first ? &s.typed : &s.plain, &rest);
    assert_int_equal(rest.list.count, 1);
    assert_non_null(find(&rest, typed_first ? &s.plain : &s.typed));
}

/* An index of an unknown artifact names its type only in the descriptor. */
static void a_type_that_the_manifest_lacks_is_the_descriptors(void **state)
{
    struct scene s;
    auto_buf struct buf entries = {0};
    auto_referrer_fallback struct referrer_fallback got = {0};
    scene_make(&s, *state);
    struct slice empty = SLICE_LIT("{\"schemaVersion\":2,\"manifests\":[]}");
    struct digest index = store_manifest(*state, TYPE_INDEX, empty);
    entry(&entries, &index, empty.n, ",\"artifactType\":\"application/x-list\"");
    keep(&s, TYPE_INDEX, entries.p);
    read_back(&s, "application/x-list", NULL, &got);
    assert_int_equal(got.list.count, 1);
    assert_string_equal(got.list.items[0].artifact_type, "application/x-list");
}

static void what_is_no_oci_index_is_ignored(void **state)
{
    static const char docker_list[] = "application/vnd.docker.distribution.manifest.list.v2+json";
    struct scene s;
    struct tag_name tag;
    auto_buf struct buf entries = {0};
    auto_referrer_fallback struct referrer_fallback none = {0};
    auto_referrer_fallback struct referrer_fallback list = {0};
    auto_referrer_fallback struct referrer_fallback image = {0};
    scene_make(&s, *state);
    read_back(&s, "", NULL, &none); /* no tag */
    assert_int_equal(none.list.count, 0);
    assert_false(digest_is_set(&none.index));

    entry(&entries, &s.plain, s.plain_size, "");
    keep(&s, docker_list, entries.p);
    read_back(&s, "", NULL, &list);
    assert_int_equal(list.list.count, 0);

    referrer_fallback_tag(&s.subject, &tag);
    WRITE(s.w)
    {
        OK(tag_put(tx, s.w->repo.id, &tag, &s.plain, &s.w->alice, T0, NULL, err));
    }
    read_back(&s, "", NULL, &image);
    assert_int_equal(image.list.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_tag_is_the_digest_cut_to_64_digits),
        cmocka_unit_test(pages_are_merged_in_order_and_keep_their_size),
        WORLD_TEST(what_is_here_is_listed_with_the_descriptors_annotations),
        WORLD_TEST(the_list_is_filtered_by_type_and_begins_after_a_digest),
        WORLD_TEST(a_type_that_the_manifest_lacks_is_the_descriptors),
        WORLD_TEST(what_is_no_oci_index_is_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
