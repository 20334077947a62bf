/* Manifests with their edges, tags and their history, referrers. */
#include "storage/referrer.h"
#include "storage/role_target.h"
#include "storage/tag.h"
#include "storage/trust_doc.h"
#include "tests/unit/storage/image.h"

static void an_image_is_stored_byte_for_byte(void **state)
{
    struct world *w = *state;
    struct digest c = push_blob(w, "{}");
    struct digest l = push_blob(w, "abc");
    auto_buf struct buf text = {0};
    image_text(&text, &c, &l, ",\"x\":1,\"annotations\":{\"a\":\"b\"}");
    buf_str(&text, "  \n");
    struct digest d = store_manifest(w, TYPE_IMAGE, buf_slice_of(&text));

    auto_manifest struct manifest *m = NULL;
    struct manifest_info info;
    bool here = false;
    READ(w)
    {
        OK(manifest_get(tx, w->repo.id, &d, &m, err));
        OK(manifest_stat(tx, w->repo.id, &d, &info, err));
        OK(manifest_exists(tx, w->repo.id, &d, &here, err));
    }
    assert_true(here);
    assert_true(slice_equal(manifest_content(m), buf_slice_of(&text)));
    assert_string_equal(m->info.media_type, TYPE_IMAGE);
    assert_int_equal(info.size, text.n);
    assert_int_equal(info.pushed_by, w->alice.account_id);
    assert_true(digest_equal(&info.digest, &d));
    assert_false(digest_is_set(&info.subject));
}

static void what_it_names_must_be_here(void **state)
{
    struct world *w = *state;
    struct digest c = push_blob(w, "{}");
    struct digest missing = digest_of(SLICE_LIT("never pushed"));
    char named[DIGEST_STR_MAX];
    digest_format(&missing, named);

    auto_buf struct buf text = {0};
    image_text(&text, &c, &missing, "");
    struct manifest_put put = put_of(TYPE_IMAGE, buf_slice_of(&text));
    auto_buf struct buf list = {0};
    index_text(&list, &missing);
    struct manifest_put index = put_of(TYPE_INDEX, buf_slice_of(&list));
    struct err why = {0};
    WRITE(w)
    {
        assert_false(manifest_put(tx, w->repo.id, &put, &w->alice, T0, NULL, &why));
    }
    assert_int_equal(why.code, ERR_MANIFEST_BLOB_UNKNOWN);
    assert_non_null(strstr(why.msg, named));

    struct write write;
    struct db_tx *open = write_begin(&write, w->db);
    FAILS(ERR_MANIFEST_BLOB_UNKNOWN,
          manifest_put(open, w->repo.id, &index, &w->alice, T0, NULL, err));
    write_end(&write, false);
    index.sparse = true;
    open = write_begin(&write, w->db);
    OK(manifest_put(open, w->repo.id, &index, &w->alice, T0, NULL, err));
    write_end(&write, true);
    manifest_doc_free((struct manifest_doc *)put.doc);
    manifest_doc_free((struct manifest_doc *)index.doc);
}

static void refused_put(struct world *w, const struct manifest_put *put, enum err_code want)
{
    struct write write;
    struct db_tx *open = write_begin(&write, w->db);
    FAILS(want, manifest_put(open, w->repo.id, put, &w->alice, T0, NULL, err));
    write_end(&write, false);
}

static void what_it_names_must_be_here_when_it_comes_again(void **state)
{
    struct world *w = *state;
    struct digest c = push_blob(w, "{}");
    struct digest l = push_blob(w, "abc");
    auto_buf struct buf text = {0};
    auto_buf struct buf list = {0};
    image_text(&text, &c, &l, "");
    struct digest image = store_manifest(w, TYPE_IMAGE, buf_slice_of(&text));
    index_text(&list, &image);
    store_manifest(w, TYPE_INDEX, buf_slice_of(&list));
    struct manifest_put put = put_of(TYPE_IMAGE, buf_slice_of(&text));
    struct manifest_put index = put_of(TYPE_INDEX, buf_slice_of(&list));
    WRITE(w)
    {
        OK(blob_unlink(tx, w->repo.id, &l, T0, err));
    }
    refused_put(w, &put, ERR_MANIFEST_BLOB_UNKNOWN);
    put.sparse = true;
    WRITE(w)
    {
        OK(manifest_put(tx, w->repo.id, &put, &w->alice, T0, NULL, err));
        OK(manifest_delete(tx, w->repo.id, &image, &w->alice, KEEP, T0, err));
    }
    refused_put(w, &index, ERR_MANIFEST_BLOB_UNKNOWN);
    push_blob(w, "abc");
    store_manifest(w, TYPE_IMAGE, buf_slice_of(&text));
    store_manifest(w, TYPE_INDEX, buf_slice_of(&list));
    manifest_doc_free((struct manifest_doc *)put.doc);
    manifest_doc_free((struct manifest_doc *)index.doc);
}

static void its_type_is_that_of_its_first_push(void **state)
{
    struct world *w = *state;
    struct manifest_info info;
    struct digest c = push_blob(w, "{}");
    struct digest l = push_blob(w, "abc");
    auto_buf struct buf text = {0};
    image_text(&text, &c, &l, "");
    struct digest d = store_manifest(w, "application/json", buf_slice_of(&text));
    struct manifest_put put = put_of(TYPE_IMAGE, buf_slice_of(&text));
    refused_put(w, &put, ERR_MANIFEST_INVALID);
    store_manifest(w, "Application/JSON", buf_slice_of(&text));
    READ(w)
    {
        OK(manifest_stat(tx, w->repo.id, &d, &info, err));
    }
    assert_string_equal(info.media_type, "application/json");
    manifest_doc_free((struct manifest_doc *)put.doc);
}

static void another_repositorys_blob_is_not_here(void **state)
{
    struct world *w = *state;
    struct digest c = push_blob(w, "{}");
    struct digest l = push_blob(w, "abc");
    struct repo_name name = repo_of("ns/other");
    struct repository other;
    auto_buf struct buf text = {0};
    image_text(&text, &c, &l, "");
    struct manifest_put put = put_of(TYPE_IMAGE, buf_slice_of(&text));
    struct write write;
    struct db_tx *open = write_begin(&write, w->db);
    OK(repository_ensure(open, &name, T0, &other, NULL, err));
    FAILS(ERR_MANIFEST_BLOB_UNKNOWN, manifest_put(open, other.id, &put, &w->alice, T0, NULL, err));
    write_end(&write, false);
    manifest_doc_free((struct manifest_doc *)put.doc);
}

static void foreign_layers_and_subjects_are_exempt(void **state)
{
    struct world *w = *state;
    struct digest c = push_blob(w, "{}");
    char a[DIGEST_STR_MAX], b[DIGEST_STR_MAX];
    struct digest far = digest_of(SLICE_LIT("elsewhere")), subject = digest_of(SLICE_LIT("later"));
    auto_buf struct buf text = {0};
    buf_str(&text, "{\"schemaVersion\":2,\"config\":");
    descriptor(&text, "application/vnd.oci.image.config.v1+json", &c, 2);
    buf_printf(&text,
               ",\"layers\":[{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar\","
               "\"digest\":\"%s\",\"size\":1,\"urls\":[\"https://example.org\"]}],"
               "\"subject\":{\"mediaType\":\"" TYPE_IMAGE "\",\"digest\":\"%s\",\"size\":9}}",
               digest_format(&far, a), digest_format(&subject, b));
    struct digest d = store_manifest(w, TYPE_IMAGE, buf_slice_of(&text));

    auto_edge_list struct edge_list edges = {0};
    auto_edge_list struct edge_list parents = {0};
    READ(w)
    {
        OK(manifest_edges(tx, w->repo.id, &d, &edges, err));
        OK(manifest_parents(tx, w->repo.id, &subject, 10, &parents, err));
    }
    assert_int_equal(edges.count, 3);
    assert_int_equal(edges.items[0].kind, EDGE_CONFIG);
    assert_int_equal(edges.items[2].kind, EDGE_SUBJECT);
    assert_int_equal(parents.count, 1);
    assert_true(digest_equal(&parents.items[0].digest, &d));
}

static void one_blob_twice_is_one_edge(void **state)
{
    struct world *w = *state;
    struct digest empty = push_blob(w, "{}");
    auto_buf struct buf text = {0};
    image_text_of(&text, &empty, &empty, 2, "");
    struct digest d = store_manifest(w, TYPE_IMAGE, buf_slice_of(&text));
    auto_edge_list struct edge_list edges = {0};
    READ(w)
    {
        OK(manifest_edges(tx, w->repo.id, &d, &edges, err));
    }
    assert_int_equal(edges.count, 2); /* as config and as layer */
}

struct sized {
    const char *label;
    size_t config, layer;
    bool config_pushed, layer_pushed, sparse;
    enum err_code want; /* ERR_NONE: it is stored */
};

/* What a client is told to expect is what it gets, as far as it is here. */
static void a_descriptor_has_the_size_of_what_is_here(void **state)
{
    static const struct sized cases[] = {
        {"right", 2, 3, true, true, false, ERR_NONE},
        {"config too long", 3, 3, true, true, false, ERR_SIZE_INVALID},
        {"config too short", 1, 3, true, true, false, ERR_SIZE_INVALID},
        {"layer too long", 2, 4, true, true, false, ERR_SIZE_INVALID},
        {"layer of nothing", 2, 0, true, true, false, ERR_SIZE_INVALID},
        {"sparse does not excuse it", 2, 4, true, true, true, ERR_SIZE_INVALID},
        {"nothing to compare with", 2, 4, true, false, true, ERR_NONE},
        {"absence comes first", 2, 4, true, false, false, ERR_MANIFEST_BLOB_UNKNOWN},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct sized *c = &cases[i];
        void *inner = NULL;
        auto_buf struct buf text = {0};
        struct err why = {0};
        world_setup(&inner);
        struct world *w = inner;
        struct digest config = digest_of(SLICE_LIT("{}")), layer = digest_of(SLICE_LIT("abc"));
        if (c->config_pushed) {
            push_blob(w, "{}");
        }
        if (c->layer_pushed) {
            push_blob(w, "abc");
        }
        buf_str(&text, "{\"schemaVersion\":2,\"config\":");
        descriptor(&text, "application/vnd.oci.image.config.v1+json", &config, c->config);
        buf_str(&text, ",\"layers\":[");
        descriptor(&text, "application/vnd.oci.image.layer.v1.tar+gzip", &layer, c->layer);
        buf_str(&text, "]}");
        struct manifest_put put = put_of(TYPE_IMAGE, buf_slice_of(&text));
        put.sparse = c->sparse;
        struct write write;
        struct db_tx *open = write_begin(&write, w->db);
        bool stored = manifest_put(open, w->repo.id, &put, &w->alice, T0, NULL, &why);
        write_end(&write, stored);
        manifest_doc_free((struct manifest_doc *)put.doc);
        world_teardown(&inner);
        CHECK_CASE(stored == (c->want == ERR_NONE) && why.code == c->want, c->label);
    }
}

static void an_index_has_the_size_of_its_children(void **state)
{
    struct world *w = *state;
    struct digest child = push_image(w, "{}", "abc");
    auto_buf struct buf right = {0};
    auto_buf struct buf wrong = {0};
    index_text(&right, &child);
    store_manifest(w, TYPE_INDEX, buf_slice_of(&right));
    buf_str(&wrong, "{\"schemaVersion\":2,\"manifests\":[");
    descriptor(&wrong, TYPE_IMAGE, &child, IMAGE_TEXT_SIZE + 1);
    buf_str(&wrong, "]}");
    struct manifest_put put = put_of(TYPE_INDEX, buf_slice_of(&wrong));
    struct write write;
    struct db_tx *open = write_begin(&write, w->db);
    FAILS(ERR_SIZE_INVALID, manifest_put(open, w->repo.id, &put, &w->alice, T0, NULL, err));
    write_end(&write, false);
    manifest_doc_free((struct manifest_doc *)put.doc);
}

static void counts_follow(void **state)
{
    struct world *w = *state;
    struct namespace before, after;
    struct repository r;
    struct digest d = push_image(w, "{}", "abc");
    READ(w)
    {
        OK(namespace_get_by_id(tx, w->ns.id, &before, err));
        OK(repository_get_by_id(tx, w->repo.id, &r, err));
    }
    assert_int_equal(r.manifest_count, 1);
    struct manifest_info info;
    READ(w)
    {
        OK(manifest_stat(tx, w->repo.id, &d, &info, err));
    }
    assert_int_equal(before.used_bytes, 2 + 3 + info.size);
    assert_true(digest_equal(&d, &info.digest));
    d = push_image(w, "{}", "abc"); /* the same again */
    WRITE(w)
    {
        OK(manifest_delete(tx, w->repo.id, &d, &w->alice, KEEP, T0, err));
        FAILS(ERR_MANIFEST_UNKNOWN, manifest_delete(tx, w->repo.id, &d, &w->alice, KEEP, T0, err));
    }
    READ(w)
    {
        OK(namespace_get_by_id(tx, w->ns.id, &after, err));
        OK(repository_get_by_id(tx, w->repo.id, &r, err));
    }
    assert_int_equal(r.manifest_count, 0);
    assert_int_equal(after.used_bytes, 5); /* the blobs wait for the collector */
}

/* --- the gate's generation -------------------------------------------------------------------- */

static int64_t repositories_of_alice(struct world *w)
{
    auto_namespace_list struct namespace_list list = {0};
    READ(w)
    {
        OK(namespace_list(tx, w->alice.account_id, false, SLICE_LIT(""), 10, &list, err));
    }
    assert_int_equal(list.count, 1);
    return list.items[0].repositories;
}

static void delete_manifest(struct world *w, const struct digest *digest)
{
    WRITE(w)
    {
        OK(manifest_delete(tx, w->repo.id, digest, &w->alice, KEEP, T0, err));
    }
}

static void a_repository_counts_from_its_first_manifest_to_its_last(void **state)
{
    struct world *w = *state;
    assert_int_equal(repositories_of_alice(w), 0); /* the row alone is no repository */
    struct digest one = push_image(w, "{}", "one");
    assert_int_equal(repositories_of_alice(w), 1);
    struct digest two = push_image(w, "{}", "two");
    assert_int_equal(repositories_of_alice(w), 1);
    struct digest again = push_image(w, "{}", "two");
    assert_true(digest_equal(&two, &again));
    delete_manifest(w, &one);
    assert_int_equal(repositories_of_alice(w), 1);
    delete_manifest(w, &two);
    assert_int_equal(repositories_of_alice(w), 0);
    (void)push_image(w, "{}", "one");
    assert_int_equal(repositories_of_alice(w), 1);
}

static void a_push_that_nobody_waited_for_moves_no_view(void **state)
{
    struct world *w = *state;
    int64_t before = gate_of(w);
    push_image(w, "{}", "abc");
    assert_int_equal(gate_of(w), before);
}

static void a_child_that_comes_late_moves_it(void **state)
{
    struct world *w = *state;
    struct digest c = push_blob(w, "{}");
    struct digest l = push_blob(w, "abc");
    auto_buf struct buf image = {0};
    auto_buf struct buf list = {0};
    image_text(&image, &c, &l, "");
    struct digest child = digest_of(buf_slice_of(&image));
    index_text(&list, &child);
    struct manifest_put put = put_of(TYPE_INDEX, buf_slice_of(&list));
    put.sparse = true;
    WRITE(w)
    {
        OK(manifest_put(tx, w->repo.id, &put, &w->alice, T0, NULL, err));
    }
    manifest_doc_free((struct manifest_doc *)put.doc);

    int64_t before = gate_of(w);
    store_manifest(w, TYPE_IMAGE, buf_slice_of(&image));
    assert_int_equal(gate_of(w), before + 1);
    store_manifest(w, TYPE_IMAGE, buf_slice_of(&image)); /* it is there already */
    assert_int_equal(gate_of(w), before + 1);
    WRITE(w)
    {
        OK(manifest_delete(tx, w->repo.id, &child, &w->alice, KEEP, T0, err));
    }
    assert_int_equal(gate_of(w), before + 2);
}

static void a_signed_target_that_comes_late_moves_it(void **state)
{
    struct world *w = *state;
    struct digest c = push_blob(w, "{}");
    struct digest l = push_blob(w, "abc");
    auto_buf struct buf image = {0};
    image_text(&image, &c, &l, "");
    struct role_target_entry entry = {.tag = SLICE_LIT("v1"), .length = (int64_t)image.n};
    hash_bytes(DIGEST_SHA256, buf_slice_of(&image), &entry.sha256);
    struct trust_doc_new doc = {
        .role = SLICE_LIT("targets"), .version = 1, .bytes = SLICE_LIT("x")};
    WRITE(w)
    {
        OK(trust_doc_put(tx, w->repo.id, &doc, T0, err));
        OK(role_target_update(tx, w->repo.id, doc.role, 1, &entry, 1, NULL, 0, T0, err));
    }
    int64_t before = gate_of(w);
    store_manifest(w, TYPE_IMAGE, buf_slice_of(&image));
    assert_int_equal(gate_of(w), before + 1);
}

/* --- tags ------------------------------------------------------------------------------------- */

static enum tag_change put_tag(struct world *w, const char *text, const struct digest *digest,
                               int64_t now_us)
{
    struct tag_name name = tag_of(text);
    enum tag_change change = TAG_UNCHANGED;
    WRITE(w)
    {
        OK(tag_put(tx, w->repo.id, &name, digest, &w->alice, now_us, &change, err));
    }
    return change;
}

static void a_tag_is_made_moved_and_removed(void **state)
{
    struct world *w = *state;
    struct digest one = push_image(w, "{}", "one");
    struct digest two = push_image(w, "{}", "two");
    struct tag_name name = tag_of("v1");
    assert_int_equal(put_tag(w, "v1", &one, T0), TAG_CREATED);
    assert_int_equal(put_tag(w, "v1", &one, T0 + 1), TAG_UNCHANGED);
    assert_int_equal(put_tag(w, "v1", &two, T0 + 2), TAG_MOVED);

    struct tag tag, tags[3]; /* alone, with the manifest, with what is known of it */
    auto_manifest struct manifest *m = NULL;
    struct manifest_info info;
    READ(w)
    {
        OK(tag_get(tx, w->repo.id, &name, &tags[0], err));
        OK(manifest_get_by_tag(tx, w->repo.id, &name, &tags[1], &m, err));
        OK(manifest_stat_by_tag(tx, w->repo.id, &name, &tags[2], &info, err));
    }
    assert_true(digest_equal(&m->info.digest, &two));
    assert_true(digest_equal(&info.digest, &two));
    struct digest content;
    hash_bytes(DIGEST_SHA256, manifest_content(m), &content);
    assert_true(digest_equal(&content, &two));
    for (int i = 0; i < 3; i++) {
        assert_true(digest_equal(&tags[i].digest, &two));
        assert_int_equal(tags[i].size, m->info.size);
        assert_int_equal(tags[i].updated_us, T0 + 2);
        assert_int_equal(tags[i].updated_by, w->alice.account_id);
        assert_string_equal(tags[i].updated_by_name, "alice@example.org");
    }

    struct manifest *gone = NULL;
    auto_tag_list struct tag_list history = {0};
    WRITE(w)
    {
        OK(tag_delete(tx, w->repo.id, &name, &w->alice, T0 + 3, err));
        FAILS(ERR_TAG_UNKNOWN, tag_delete(tx, w->repo.id, &name, &w->alice, T0 + 4, err));
        FAILS(ERR_TAG_UNKNOWN, tag_get(tx, w->repo.id, &name, &tag, err));
        FAILS(ERR_TAG_UNKNOWN, manifest_get_by_tag(tx, w->repo.id, &name, NULL, &gone, err));
        OK(tag_history(tx, w->repo.id, &name, 10, &history, err));
        OK(manifest_stat(tx, w->repo.id, &two, &info, err)); /* the manifest stays */
    }
    assert_int_equal(history.count, 3);
    assert_false(digest_is_set(&history.items[0].tag.digest));
    assert_true(digest_equal(&history.items[1].tag.digest, &two));
    assert_true(digest_equal(&history.items[2].tag.digest, &one));
}

/* The clock is set back by an hour between the changes. */
static void a_change_is_never_older_than_the_one_before_it(void **state)
{
    const int64_t back = T0 - INT64_C(3600000000);
    struct world *w = *state;
    struct digest one = push_image(w, "{}", "one");
    struct digest two = push_image(w, "{}", "two");
    struct tag_name v1 = tag_of("v1");
    struct tag_name v2 = tag_of("v2");
    struct tag_name v3 = tag_of("v3");
    auto_tag_list struct tag_list by_name = {0};
    auto_tag_list struct tag_list by_digest = {0};
    struct tag moved, fresh;
    assert_int_equal(put_tag(w, "v1", &one, T0), TAG_CREATED);
    assert_int_equal(put_tag(w, "v1", &two, back), TAG_MOVED);
    assert_int_equal(put_tag(w, "v2", &one, T0), TAG_CREATED);
    assert_int_equal(put_tag(w, "v3", &two, back), TAG_CREATED);
    WRITE(w)
    {
        OK(tag_get(tx, w->repo.id, &v1, &moved, err));
        OK(tag_get(tx, w->repo.id, &v3, &fresh, err));
        OK(tag_delete(tx, w->repo.id, &v1, &w->alice, back, err));
        OK(manifest_delete(tx, w->repo.id, &one, &w->alice, KEEP, back, err));
        OK(tag_history(tx, w->repo.id, &v1, 10, &by_name, err));
        OK(tag_history(tx, w->repo.id, &v2, 10, &by_digest, err));
    }
    assert_int_equal(moved.updated_us, T0);
    assert_int_equal(fresh.updated_us, back); /* nothing was before it */
    assert_int_equal(by_name.count, 3);
    assert_int_equal(by_digest.count, 2);
    for (size_t i = 0; i < by_name.count; i++) {
        assert_int_equal(by_name.items[i].tag.updated_us, T0);
    }
    assert_int_equal(by_digest.items[0].tag.updated_us, T0);
}

static void a_tag_needs_its_manifest(void **state)
{
    struct world *w = *state;
    struct tag_name name = tag_of("v1");
    struct digest nothing = digest_of(SLICE_LIT("nothing"));
    struct repo_name other_name = repo_of("ns/other");
    struct repository other;
    struct digest one = push_image(w, "{}", "one");
    struct write write;
    struct db_tx *open = write_begin(&write, w->db);
    FAILS(ERR_MANIFEST_UNKNOWN,
          tag_put(open, w->repo.id, &name, &nothing, &w->alice, T0, NULL, err));
    OK(repository_ensure(open, &other_name, T0, &other, NULL, err));
    FAILS(ERR_MANIFEST_UNKNOWN, tag_put(open, other.id, &name, &one, &w->alice, T0, NULL, err));
    write_end(&write, false);
}

static void tags_are_listed_by_bytes(void **state)
{
    struct world *w = *state;
    struct digest one = push_image(w, "{}", "one");
    static const char *const names[] = {"b", "A", "a", "Z", "1.0", "_x", "a-b"};
    for (size_t i = 0; i < COUNT(names); i++) {
        put_tag(w, names[i], &one, T0);
    }
    auto_tag_list struct tag_list all = {0};
    auto_tag_list struct tag_list page = {0};
    auto_tag_list struct tag_list alone = {0};
    auto_tag_list struct tag_list of = {0};
    READ(w)
    {
        OK(tag_list(tx, w->repo.id, SLICE_LIT(""), 100, &all, err));
        OK(tag_list(tx, w->repo.id, SLICE_LIT("Z"), 2, &page, err));
        OK(tag_list_names(tx, w->repo.id, SLICE_LIT("Z"), 2, &alone, err));
        OK(tag_list_of_manifest(tx, w->repo.id, &one, 3, &of, err));
    }
    static const char *const sorted[] = {"1.0", "A", "Z", "_x", "a", "a-b", "b"};
    assert_int_equal(all.count, COUNT(sorted));
    for (size_t i = 0; i < COUNT(sorted); i++) {
        assert_string_equal(all.items[i].name.text, sorted[i]);
    }
    assert_int_equal(page.count, 2);
    assert_true(page.more);
    assert_string_equal(page.items[0].name.text, "_x");
    assert_true(digest_equal(&page.items[0].tag.digest, &one));
    assert_int_equal(alone.count, 2);
    assert_true(alone.more);
    assert_string_equal(alone.items[0].name.text, "_x");
    assert_string_equal(alone.items[1].name.text, "a");
    assert_int_equal(alone.items[1].name.n, 1);
    assert_int_equal(of.count, 3);
    assert_true(of.more);
}

static void a_deleted_manifest_takes_its_tags(void **state)
{
    struct world *w = *state;
    struct digest one = push_image(w, "{}", "one");
    struct digest two = push_image(w, "{}", "two");
    struct tag_name v1 = tag_of("v1"), v2 = tag_of("v2");
    struct tag tag;
    auto_tag_list struct tag_list history = {0};
    put_tag(w, "v1", &one, T0);
    put_tag(w, "v2", &two, T0);
    WRITE(w)
    {
        OK(manifest_delete(tx, w->repo.id, &one, &w->alice, KEEP, T0 + 1, err));
        FAILS(ERR_TAG_UNKNOWN, tag_get(tx, w->repo.id, &v1, &tag, err));
        OK(tag_get(tx, w->repo.id, &v2, &tag, err));
        OK(tag_history(tx, w->repo.id, &v1, 10, &history, err));
    }
    assert_int_equal(history.count, 2);
    assert_int_equal(history.items[0].tag.updated_us, T0 + 1);
    assert_false(digest_is_set(&history.items[0].tag.digest));
    assert_int_equal(history.items[1].tag.size, 0); /* that manifest is gone */
}

/* --- referrers -------------------------------------------------------------------------------- */

static struct digest push_referrer(struct world *w, const struct digest *subject, int number,
                                   const char *type)
{
    auto_buf struct buf more = {0};
    auto_buf struct buf text = {0};
    struct digest empty = push_blob(w, "{}");
    buf_str(&more, ",\"subject\":");
    descriptor(&more, TYPE_IMAGE, subject, 3);
    buf_printf(&more, ",\"annotations\":{\"n\":\"%d\"}", number);
    if (type) {
        buf_printf(&more, ",\"artifactType\":\"%s\"", type);
    }
    image_text_of(&text, &empty, &empty, 2, more.p);
    return store_manifest(w, TYPE_IMAGE, buf_slice_of(&text));
}

static void referrers_are_listed_filtered_and_paged(void **state)
{
    struct world *w = *state;
    struct digest subject = digest_of(SLICE_LIT("not here"));
    for (int i = 0; i < 5; i++) {
        push_referrer(w, &subject, i, i < 2 ? "application/x-sbom" : NULL);
    }
    auto_referrer_list struct referrer_list all = {0};
    auto_referrer_list struct referrer_list sboms = {0};
    auto_referrer_list struct referrer_list first = {0};
    auto_referrer_list struct referrer_list rest = {0};
    auto_referrer_list struct referrer_list none = {0};
    struct digest other = digest_of(SLICE_LIT("other"));
    READ(w)
    {
        OK(referrer_list(tx, w->repo.id, &subject, SLICE_LIT(""), NULL, 100, &all, err));
        OK(referrer_list(tx, w->repo.id, &subject, SLICE_LIT("application/x-sbom"), NULL, 100,
                         &sboms, err));
        OK(referrer_list(tx, w->repo.id, &subject, SLICE_LIT(""), NULL, 2, &first, err));
        OK(referrer_list(tx, w->repo.id, &subject, SLICE_LIT(""), &first.items[1].digest, 100,
                         &rest, err));
        OK(referrer_list(tx, w->repo.id, &other, SLICE_LIT(""), NULL, 100, &none, err));
    }
    assert_int_equal(all.count, 5);
    assert_int_equal(sboms.count, 2);
    assert_string_equal(sboms.items[0].artifact_type, "application/x-sbom");
    assert_int_equal(first.count, 2);
    assert_true(first.more);
    assert_int_equal(rest.count, 3);
    assert_false(rest.more);
    assert_int_equal(none.count, 0);
    assert_non_null(strstr(all.items[0].annotations, "{\"n\":\""));
    bool image_type = false;
    for (size_t i = 0; i < all.count; i++) {
        image_type |=
            strcmp(all.items[i].artifact_type, "application/vnd.oci.image.config.v1+json") == 0;
    }
    assert_true(image_type);
}

static void a_deleted_referrer_vanishes(void **state)
{
    struct world *w = *state;
    struct digest subject = digest_of(SLICE_LIT("not here"));
    struct digest d = push_referrer(w, &subject, 1, NULL);
    auto_referrer_list struct referrer_list list = {0};
    WRITE(w)
    {
        OK(manifest_delete(tx, w->repo.id, &d, &w->alice, KEEP, T0, err));
        OK(referrer_list(tx, w->repo.id, &subject, SLICE_LIT(""), NULL, 100, &list, err));
    }
    assert_int_equal(list.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(an_image_is_stored_byte_for_byte),
        WORLD_TEST(what_it_names_must_be_here),
        WORLD_TEST(what_it_names_must_be_here_when_it_comes_again),
        WORLD_TEST(its_type_is_that_of_its_first_push),
        WORLD_TEST(another_repositorys_blob_is_not_here),
        WORLD_TEST(foreign_layers_and_subjects_are_exempt),
        WORLD_TEST(one_blob_twice_is_one_edge),
        cmocka_unit_test(a_descriptor_has_the_size_of_what_is_here),
        WORLD_TEST(an_index_has_the_size_of_its_children),
        WORLD_TEST(counts_follow),
        WORLD_TEST(a_repository_counts_from_its_first_manifest_to_its_last),
        WORLD_TEST(a_push_that_nobody_waited_for_moves_no_view),
        WORLD_TEST(a_child_that_comes_late_moves_it),
        WORLD_TEST(a_signed_target_that_comes_late_moves_it),
        WORLD_TEST(a_tag_is_made_moved_and_removed),
        WORLD_TEST(a_change_is_never_older_than_the_one_before_it),
        WORLD_TEST(a_tag_needs_its_manifest),
        WORLD_TEST(tags_are_listed_by_bytes),
        WORLD_TEST(a_deleted_manifest_takes_its_tags),
        WORLD_TEST(referrers_are_listed_filtered_and_paged),
        WORLD_TEST(a_deleted_referrer_vanishes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
