/* The check finds what a fault would leave, and nothing in a store that is well. */
#include "storage/check.h"
#include "storage/gc.h"
#include "tests/unit/storage/image.h"

struct told {
    struct buf text;
};

static void note(const char *sentence, void *arg)
{
    struct told *told = arg;
    buf_printf(&told->text, "%s\n", sentence);
}

static struct check_report check(struct world *w, enum check_depth depth, struct buf *text)
{
    struct told told = {{0}};
    struct check_report report;
    OK(store_check(w->store, depth, note, &told, &report, err));
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
        OK(manifest_delete(tx, w->repo.id, &one, &w->alice, T0, err));
    }
    struct check_report r = check(w, CHECK_BYTES, &text);
    if (r.problems) {
        fail_msg("%s", text.p);
    }
    assert_int_equal(r.blobs, 4);
    assert_int_equal(r.manifests, 1);
    for (int i = 0; i < 2; i++) {
        OK(gc_run(w->store, T0 + 100 * 24 * HOUR, 100, &result, err));
    }
    r = check(w, CHECK_BYTES, &text);
    assert_int_equal(r.problems, 0);
    assert_int_equal(r.blobs, 2);
}

/* One statement on the closed index. */
static void run_sql(struct world *w, const char *sql)
{
    static const char *const format[] = {""};
    char path[200];
    struct db *db = NULL;
    store_close(w->store);
    snprintf(path, sizeof(path), "%s/index.db", w->folder.path);
    struct db_options options = {path, &sql, 1, format, 1};
    OK(db_open(&options, &db, err));
    struct write write;
    struct db_tx *tx = write_begin(&write, db);
    struct db_stmt *q = db_stmt(tx, 0);
    OK(db_run(q, err));
    db_stmt_done(q);
    write_end(&write, true);
    db_close(db);
    world_open(w);
}

struct fault {
    const char *sql, *want;
};

static void a_fault_in_the_index_is_found(void **state)
{
    static const struct fault faults[] = {
        {"UPDATE namespace SET used_bytes = used_bytes + 1", "are counted"},
        {"UPDATE repository SET manifest_count = 7", "7 manifests are counted, 1 are there"},
        {"UPDATE manifest SET content = zeroblob(size)", "does not have that digest"},
        {"DELETE FROM condemned", "is named by nothing"},
        {"DELETE FROM repository_blob WHERE digest IN (SELECT digest FROM condemned)",
         "is in no repository"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(faults); i++) {
        void *inner = NULL;
        auto_buf struct buf text = {0};
        world_setup(&inner);
        struct world *w = inner;
        push_image(w, "{}", "one");
        push_blob(w, "alone");
        run_sql(w, faults[i].sql);
        struct check_report r = check(w, CHECK_INDEX, &text);
        world_teardown(&inner);
        CHECK_CASE(r.problems >= 1 && strstr(text.p, faults[i].want), faults[i].sql);
    }
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
    assert_int_equal(check(w, CHECK_INDEX, &text).problems, 0);
    assert_int_equal(check(w, CHECK_BYTES, &text).problems, 1);
    assert_int_equal(write(fd, "yyyyy", 5), 5);
    assert_int_equal(check(w, CHECK_INDEX, &text).problems, 1);
    assert_int_equal(unlinkat(w->folder.fd, whole, 0), 0);
    assert_int_equal(check(w, CHECK_INDEX, &text).problems, 1);
    assert_non_null(strstr(text.p, "missing"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(a_used_store_is_well),
        cmocka_unit_test(a_fault_in_the_index_is_found),
        WORLD_TEST(a_fault_in_a_file_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
