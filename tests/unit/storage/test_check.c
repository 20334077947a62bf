/* The check finds what a fault would leave, and nothing in a store that is well. */
#include "storage/check.h"
#include "storage/gc.h"
#include "storage/tag.h"
#include "storage/schema.h"
#include "tests/unit/storage/image.h"

struct told {
    struct buf text;
    int progress;
};

static void note(const struct check_finding *finding, void *arg)
{
    struct told *told = arg;
    assert_in_range(finding->kind, 0, CHECK_KIND_COUNT - 1);
    assert_null(strchr(finding->where, '\n'));
    assert_null(strchr(finding->what, '\n'));
    buf_printf(&told->text, "%s: %s\n", finding->where, finding->what);
}

static void count_progress(const struct check_report *so_far, void *arg)
{
    struct told *told = arg;
    assert_true(so_far->blobs >= 0);
    told->progress++;
}

static struct check_report check(struct world *w, enum check_depth depth, struct buf *text)
{
    struct told told = {{0}, 0};
    struct check_report report;
    const struct check_listener listener = {note, count_progress, &told};
    OK(store_check(w->store, depth, &listener, &report, err));
    assert_true(told.progress > 0);
    buf_slice(text, buf_slice_of(&told.text));
    buf_dispose(&told.text);
    return report;
}

static void a_used_store_is_well(void **state)
{
    struct world *w = *state;
    auto_buf struct buf text = {0};
    struct gc_result result;
    struct digest one = push_image(w, "{}", "one");
    push_image(w, "{}", "two");
    push_blob(w, "alone");
    WRITE(w)
    {
        OK(manifest_delete(tx, w->repo.id, &one, &w->alice, KEEP, T0, err));
    }
    struct check_report r = check(w, CHECK_BYTES, &text);
    if (r.findings) {
        fail_msg("%s", text.p);
    }
    assert_int_equal(r.blobs, 4);
    assert_int_equal(r.manifests, 1);
    for (int i = 0; i < 2; i++) {
        OK(gc_run(w->store, T0 + 100 * 24 * HOUR, 100, &result, err));
    }
    r = check(w, CHECK_BYTES, &text);
    assert_int_equal(r.findings, 0);
    assert_int_equal(r.blobs, 2);
}

struct fault {
    const char *sql, *want;
};

static void a_fault_in_the_index_is_found(void **state)
{
    static const struct fault faults[] = {
        {"UPDATE namespace SET used_bytes = used_bytes + 1", "are counted"},
        {"UPDATE namespace SET repository_count = 9", "9 repositories are counted, 1 hold a"},
        {"UPDATE namespace SET reserved_bytes = 5", "they have reserved 0"},
        {"UPDATE repository SET manifest_count = 7", "7 manifests are counted, 1 are there"},
        {"UPDATE manifest SET content = zeroblob(size)", "its bytes do not have that digest"},
        {"UPDATE manifest SET media_type = 'text/x y'", "it does not read: "},
        {"DELETE FROM edge WHERE kind = 2", "does not believe that it names"},
        {"UPDATE edge SET kind = 5 WHERE kind = 2", "does not believe that it names"},
        {"INSERT INTO edge SELECT repository_id, parent, 4, child, NULL, 0 FROM edge WHERE kind = 2",
         "does not believe that it names"},
        {"DELETE FROM condemned", "nothing names its blob"},
        {"UPDATE condemned SET kind = 2, repository_id = 0", "nothing names its blob"},
        {"UPDATE manifest SET subject = config_digest", "are not those of its bytes"},
        {"UPDATE manifest SET annotations = '{\"a\":\"b\"}'", "are not those of its bytes"},
        {"UPDATE manifest SET artifact_type = 'text/plain'", "are not those of its bytes"},
        {"UPDATE tag_history SET digest = NULL", "its history ends with something else"},
        {"DELETE FROM tag_history", "its history ends with something else"},
        {"DELETE FROM tag", "its history says that it exists, it does not"},
        {"INSERT INTO condemned SELECT 1, repository_id, child, 5 FROM edge WHERE kind = 2",
         "although a manifest of the repository names it"},
        {"INSERT INTO condemned SELECT 2, 0, child, 5 FROM edge WHERE kind = 2",
         "although a repository holds it"},
        {"INSERT INTO condemned SELECT 1, repository_id, digest, 5 FROM manifest",
         "for a repository that does not hold it"},
        {"UPDATE decision_chain SET total_bytes = 5",
         "their chain is broken at record 1: records at the end are missing"},
        {"UPDATE blob SET missing_us = 1800000000000000", "marked missing since 2027-01-15T"},
        {"DELETE FROM repository_blob WHERE digest IN (SELECT digest FROM condemned)",
         "is in no repository"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(faults); i++) {
        void *inner = NULL;
        auto_buf struct buf text = {0};
        world_setup(&inner);
        struct world *w = inner;
        struct digest image = push_image(w, "{}", "one");
        struct tag_name v1 = tag_of("v1");
        WRITE(w)
        {
            OK(tag_put(tx, w->repo.id, &v1, &image, &w->alice, T0, NULL, err));
        }
        push_blob(w, "alone");
        world_run_sql(w, faults[i].sql);
        struct check_report r = check(w, CHECK_INDEX, &text);
        world_teardown(&inner);
        CHECK_CASE(r.findings >= 1 && strstr(text.p, faults[i].want), faults[i].sql);
    }
}

static void read_index(const struct world *w, struct buf *out)
{
    char piece[4096];
    ssize_t n = 0;
    auto_fd int fd = openat(w->folder.fd, "index.db", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    while ((n = read(fd, piece, sizeof(piece))) > 0) {
        buf_slice(out, slice_of_bytes(piece, (size_t)n));
    }
    assert_int_equal(n, 0);
}

static void write_index(const struct world *w, const struct buf *bytes)
{
    auto_fd int fd = openat(w->folder.fd, "index.db", O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, bytes->p, bytes->n, 0), bytes->n);
}

/* The store is closed. What the check tells of it when one bit of the byte `at` is another. */
static void check_flipped(struct world *w, struct buf *whole, size_t at, struct buf *text)
{
    whole->p[at] ^= 1;
    write_index(w, whole);
    whole->p[at] ^= 1;
    world_open(w);
    (void)check(w, CHECK_INDEX, text);
    store_close(w->store);
    w->store = NULL;
}

/* Each place that holds an image's digest, in the tables and in the indexes of tables. One that is wrong
 * in an index hides the row: a tag, an image, or that a blob is in use. */
static void a_wrong_bit_in_the_file_of_the_index_is_found(void **state)
{
    struct world *w = *state;
    auto_buf struct buf whole = {0};
    uint8_t raw[1 + DIGEST_RAW_MAX];
    struct tag_name v1 = tag_of("v1");
    struct digest image = push_image(w, "{}", "one");
    size_t n = digest_to_raw(&image, raw);
    size_t places = 0;
    WRITE(w)
    {
        OK(tag_put(tx, w->repo.id, &v1, &image, &w->alice, T0, NULL, err));
    }
    store_close(w->store);
    w->store = NULL;
    read_index(w, &whole);
    for (size_t i = 0; i + n <= whole.n; i++) {
        auto_buf struct buf text = {0};
        if (memcmp(whole.p + i, raw, n) != 0) {
            continue;
        }
        places++;
        check_flipped(w, &whole, i + n - 1, &text);
        CHECK_CASE(text.n > 0, text.p);
    }
    assert_in_range(places, 6, 20); /* manifest, tag and edge with an index each, and more */
    write_index(w, &whole);
    world_open(w);
    auto_buf struct buf text = {0};
    assert_int_equal(check(w, CHECK_INDEX, &text).findings, 0);
}

/* The last tag of a page of the check is read back as one that lies before them all: the next page would be the same
 * again, for ever. */
static void rows_out_of_their_order_end_the_look_at_their_table(void **state)
{
    enum { TAGS = 250, OF_A_PAGE = 200 };
    struct world *w = *state;
    auto_buf struct buf whole = {0}, text = {0};
    char name[8];
    struct digest image = push_image(w, "{}", "one");
    for (int i = 0; i < TAGS; i++) {
        snprintf(name, sizeof(name), "t%03d", i);
        struct tag_name tag = tag_of(name);
        WRITE(w)
        {
            OK(tag_put(tx, w->repo.id, &tag, &image, &w->alice, T0, NULL, err));
        }
    }
    store_close(w->store);
    w->store = NULL;
    read_index(w, &whole);
    snprintf(name, sizeof(name), "t%03d", OF_A_PAGE - 1);
    for (size_t i = 0; i + strlen(name) <= whole.n; i++) {
        whole.p[i] = memcmp(whole.p + i, name, strlen(name)) == 0 ? 'a' : whole.p[i];
    }
    write_index(w, &whole);
    world_open(w);
    struct check_report report = check(w, CHECK_INDEX, &text);
    assert_non_null(strstr(text.p, "row not in PRIMARY KEY order for tag"));
    assert_non_null(strstr(text.p, "the rows of a table are not in their order"));
    assert_int_equal(report.tags, 2 * OF_A_PAGE);
    assert_true(report.blobs > 0); /* it went on with the next */
}

static void a_fault_in_a_file_is_found(void **state)
{
    struct world *w = *state;
    auto_buf struct buf text = {0};
    char path[BLOB_PATH_MAX], whole[BLOB_PATH_MAX + 8];
    struct digest d = push_blob(w, "abc");
    snprintf(whole, sizeof(whole), "blobs/%s", blob_path(&d, path));
    auto_fd int fd = openat(w->folder.fd, whole, O_WRONLY | O_CLOEXEC);
    assert_int_equal(write(fd, "x", 1), 1);
    assert_int_equal(check(w, CHECK_INDEX, &text).findings, 0);
    assert_int_equal(check(w, CHECK_BYTES, &text).findings, 1);
    assert_int_equal(write(fd, "yyyyy", 5), 5);
    assert_int_equal(check(w, CHECK_INDEX, &text).findings, 1);
    assert_int_equal(unlinkat(w->folder.fd, whole, 0), 0);
    assert_int_equal(check(w, CHECK_INDEX, &text).findings, 1);
    assert_non_null(strstr(text.p, "missing"));
}

static void put_file(struct world *w, const char *path)
{
    auto_fd int fd = openat(w->folder.fd, path, O_CREAT | O_EXCL | O_WRONLY, 0600);
    assert_true(fd >= 0);
}

static void a_file_that_nothing_names_is_found(void **state)
{
    struct world *w = *state;
    auto_buf struct buf text = {0};
    char path[BLOB_PATH_MAX], whole[BLOB_PATH_MAX + 8], folder[32];
    push_image(w, "{}", "one");
    struct digest nobody = digest_of(SLICE_LIT("a stray"));
    snprintf(whole, sizeof(whole), "blobs/%s", blob_path(&nobody, path));
    snprintf(folder, sizeof(folder), "%.*s", 15, whole);
    assert_int_equal(mkdirat(w->folder.fd, folder, 0700), 0);
    put_file(w, whole);
    assert_int_equal(check(w, CHECK_INDEX, &text).findings, 1);
    assert_non_null(strstr(text.p, path));

    /* an upload that still has it will take it away */
    assert_int_equal(linkat(w->folder.fd, whole, w->folder.fd, "uploads/x", 0), 0);
    assert_int_equal(check(w, CHECK_INDEX, &text).findings, 0);
    assert_int_equal(unlinkat(w->folder.fd, "uploads/x", 0), 0);
    /* so will the collector */
    WRITE(w)
    {
        OK(gc_condemn(tx, CONDEMNED_BLOB, 0, &nobody, T0, err));
    }
    assert_int_equal(check(w, CHECK_INDEX, &text).findings, 0);

    snprintf(whole, sizeof(whole), "%s/notes.txt", folder);
    put_file(w, whole);
    struct check_report r = check(w, CHECK_INDEX, &text);
    assert_int_equal(r.findings, 1);
    assert_int_equal(r.files, 4);
    assert_non_null(strstr(text.p, "notes.txt"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH_TESTS(a_used_store_is_well),
        cmocka_unit_test(a_fault_in_the_index_is_found),
        FILES_TEST(a_wrong_bit_in_the_file_of_the_index_is_found),
        FILES_TEST(rows_out_of_their_order_end_the_look_at_their_table),
        FILES_TEST(a_fault_in_a_file_is_found),
        FILES_TEST(a_file_that_nothing_names_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
