/* Documents that stay read: what is found is what the bytes say, whatever a row says of them. */
#include "tests/unit/trust/bench.h"
#include "trust/documents.h"
#include "trust/load.h"
#include "trust/publish.h"
#include "trust/trust_internal.h"
#include "trust/view.h"

/* A targets file that nobody signed, and that differs with its version. */
static struct tuf_doc *doc_of(const char *role, int64_t version)
{
    auto_buf struct buf text = {0};
    struct tuf_doc *doc = NULL;
    struct err err = {0};
    buf_printf(&text,
               "{\"signed\":{\"_type\":\"Targets\",\"expires\":\"" MADE_EXPIRES
               "\",\"targets\":{},\"version\":%lld},\"signatures\":[]}",
               (long long)version);
    if (tuf_doc_read(slice_str(role), buf_slice_of(&text), &doc, &err) != DOC_OK) {
        fail_msg("%s", err.msg);
    }
    return doc;
}

static bool has(struct documents *d, const char *role, const struct tuf_doc *doc)
{
    struct tuf_doc *found = documents_find(d, slice_str(role), doc->sha256);
    bool same = found && slice_equal(found->bytes, doc->bytes) && strcmp(found->role, role) == 0;
    assert_int_equal(same, found != NULL);
    tuf_doc_free(found);
    return same;
}

static void a_document_is_found_by_role_and_hash(void **unused)
{
    struct documents *d = documents_new(1 << 20);
    struct tuf_doc *one = doc_of("targets", 1), *two = doc_of("targets", 2),
                   *other = doc_of("targets/a", 1);
    (void)unused;
    documents_keep(d, one);
    documents_keep(d, one); /* again is once */
    assert_true(has(d, "targets", one));
    assert_false(has(d, "targets", two));
    assert_false(has(d, "targets/a", one)); /* the same bytes in another role are another document */
    documents_keep(d, other);
    assert_true(has(d, "targets/a", other));
    documents_forget(d, SLICE_LIT("targets/b"), one->sha256);
    documents_forget(d, SLICE_LIT("targets"), one->sha256);
    assert_false(has(d, "targets", one));
    assert_true(has(d, "targets/a", other));
    tuf_doc_free(one);
    tuf_doc_free(two);
    tuf_doc_free(other);
    documents_free(d);
}

static void the_least_used_give_way(void **unused)
{
    struct tuf_doc *docs[8];
    struct tuf_doc *held = NULL;
    (void)unused;
    for (int i = 0; i < 8; i++) {
        docs[i] = doc_of("targets", i + 1);
    }
    struct documents *d = documents_new(4 * (tuf_doc_bytes(docs[0]) + 256));
    for (int i = 0; i < 4; i++) {
        documents_keep(d, docs[i]);
    }
    held = documents_find(d, SLICE_LIT("targets"), docs[0]->sha256);
    for (int i = 4; i < 7; i++) {
        documents_keep(d, docs[i]);
    }
    for (int i = 0; i < 8; i++) {
        assert_int_equal(has(d, "targets", docs[i]), i == 0 || (i >= 4 && i < 7));
    }
    for (int i = 0; i < 8; i++) {
        tuf_doc_free(docs[i]);
    }
    documents_free(d);
    assert_int_equal(held->version, 1); /* who uses one has it as long as he likes */
    tuf_doc_free(held);
}

static void one_that_is_larger_than_the_room_is_kept_alone(void **unused)
{
    struct documents *d = documents_new(1);
    struct tuf_doc *one = doc_of("targets", 1), *two = doc_of("targets", 2);
    (void)unused;
    documents_keep(d, one);
    assert_true(has(d, "targets", one));
    documents_keep(d, two);
    assert_false(has(d, "targets", one));
    assert_true(has(d, "targets", two));
    tuf_doc_free(one);
    tuf_doc_free(two);
    documents_free(d);
}

static void build_view(struct bench *b)
{
    struct gate_view *view = NULL;
    READ(b->w)
    {
        struct repository repo;
        OK(repository_get_by_id(tx, b->w->repo.id, &repo, err));
        OK(gate_view_get(b->trust, tx, &repo, b->now_us, &view, err));
    }
    gate_view_unref(view);
}

static const struct trust_file *file_of(const struct trust_loaded *l, const char *role)
{
    for (size_t i = 0; i < l->set.file_count; i++) {
        if (strcmp(l->files[i].role, role) == 0) {
            return &l->files[i];
        }
    }
    fail_msg("no %s", role);
    return NULL;
}

/* How many of the files come read; what comes read says what the row's bytes say. */
static size_t load_read(struct bench *b)
{
    auto_trust_loaded struct trust_loaded l = {0};
    size_t n = 0;
    READ(b->w)
    {
        OK(trust_load(b->trust, tx, &b->w->repo, &l, err));
    }
    for (size_t i = 0; i < l.set.file_count; i++) {
        const struct tuf_doc *doc = l.files[i].parsed;
        n += doc != NULL;
        assert_true(!doc || (slice_equal(doc->bytes, l.files[i].bytes) &&
                             strcmp(doc->role, l.files[i].role) == 0));
    }
    return n;
}

static void a_publish_leaves_its_documents_read(void **state)
{
    struct bench b;
    struct made m;
    bench_open(&b, *state);
    struct digest one = push_image(b.w, "{}", "one"), two = push_image(b.w, "[]", "two");
    begin(&b, "ns/app", &keys.root, &one, size_of(&b, &one), &m);
    publish(&b, &m);
    assert_int_equal(load_read(&b), 3);
    sign_again(&b, 2, "v1", &two, size_of(&b, &two));
    assert_int_equal(load_read(&b), 3);
    server_restart(&b);
    assert_int_equal(load_read(&b), 0);
    build_view(&b);
    assert_int_equal(load_read(&b), 3);
    bench_close(&b);
}

/* What a document is kept under is its own hash: a row that names it beside other bytes, as somebody with
 * the database could write it, does not get it. */
static void a_row_with_other_bytes_is_read_anew(void **state)
{
    struct bench b;
    struct made m;
    auto_trust_loaded struct trust_loaded l = {0};
    bench_open(&b, *state);
    struct digest one = push_image(b.w, "{}", "one");
    begin(&b, "ns/app", &keys.root, &one, size_of(&b, &one), &m);
    publish(&b, &m);
    struct tuf_doc *foreign = doc_of("targets", 9);
    READ(b.w)
    {
        OK(trust_load(b.trust, tx, &b.w->repo, &l, err));
    }
    const struct tuf_doc *own = file_of(&l, "targets")->parsed;
    assert_non_null(own);
    memcpy(foreign->sha256, own->sha256, sizeof foreign->sha256);
    documents_keep(b.trust->documents, foreign);
    tuf_doc_free(foreign);
    assert_int_equal(load_read(&b), 2); /* all but targets */
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_document_is_found_by_role_and_hash),
        cmocka_unit_test(the_least_used_give_way),
        cmocka_unit_test(one_that_is_larger_than_the_room_is_kept_alone),
        WORLD_TEST(a_publish_leaves_its_documents_read),
        WORLD_TEST(a_row_with_other_bytes_is_read_anew),
    };
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
