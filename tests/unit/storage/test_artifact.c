/* What the index says of metadata artifacts: when they are put, after a migration, and what the check finds. */
#include "storage/artifact.h"
#include "storage/check.h"
#include "tests/unit/storage/image.h"

#define SIGNATURE "application/vnd.cncf.notary.signature"
#define COSIGN "application/vnd.dev.cosign.simplesigning.v1+json"
#define LAYER "application/vnd.oci.image.layer.v1.tar"
#define EMPTY "application/vnd.oci.empty.v1+json"
#define CONFIG "application/vnd.oci.image.config.v1+json"

static struct digest put_about(struct world *w, const char *config_type, const char *layer_type,
                               const struct digest *subject)
{
    auto_buf struct buf text = {0};
    struct digest c = push_blob(w, "{}"), l = push_blob(w, "sig");
    buf_str(&text, "{\"schemaVersion\":2,\"config\":");
    descriptor(&text, config_type, &c, 2);
    buf_str(&text, ",\"layers\":[");
    descriptor(&text, layer_type, &l, 3);
    buf_str(&text, "]");
    if (subject) {
        buf_str(&text, ",\"subject\":");
        descriptor(&text, TYPE_IMAGE, subject, 9);
    }
    buf_str(&text, "}");
    return store_manifest(w, TYPE_IMAGE, buf_slice_of(&text));
}

static void put_finds_its_subject(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *label, *config_type, *layer_type;
        bool subject, found, unsure;
    } table[] = {
        {"a signature", EMPTY, SIGNATURE, true, true, false},
        {"one without a subject", EMPTY, SIGNATURE, false, false, false},
        {"cosign's legacy form", CONFIG, COSIGN, true, true, true},
        {"an image", CONFIG, LAYER, true, false, false},
        {"an image behind another config", EMPTY, LAYER, true, false, false},
    };
    for (size_t i = 0; i < COUNT(table); i++) {
        struct digest subject = digest_of(slice_str(table[i].label)), c = digest_of(SLICE_LIT("{}")),
                      l = digest_of(SLICE_LIT("sig"));
        const struct digest *const blobs[] = {&c, &l};
        struct digest d = put_about(w, table[i].config_type, table[i].layer_type,
                                    table[i].subject ? &subject : NULL);
        for (size_t k = 0; k < COUNT(blobs); k++) {
            struct artifact_candidate found[4];
            size_t count = 9;
            READ(w)
            {
                OK(artifact_candidates(tx, w->repo.id, blobs[k], &subject, COUNT(found), found, &count, err));
            }
            CHECK_CASE(count == (table[i].found ? 1 : 0), table[i].label);
            CHECK_CASE(count == 0 || digest_equal(&found[0].digest, &d), table[i].label);
            CHECK_CASE(count == 0 || found[0].unsure == table[i].unsure, table[i].label);
        }
    }
}

static void subjects_come_one_by_one(void **state)
{
    struct world *w = *state;
    struct digest blob = push_blob(w, "{}"), next = {0}, last = {0};
    int count = 0;
    static const char *const names[] = {"a", "b", "c"};
    for (size_t i = 0; i < COUNT(names); i++) {
        struct digest subject = digest_of(slice_str(names[i]));
        (void)put_about(w, EMPTY, SIGNATURE, &subject);
        (void)put_about(w, EMPTY, "text/plain", &subject);
    }
    READ(w)
    {
        do {
            last = next;
            OK(artifact_next_subject(tx, w->repo.id, &blob, &last, &next, err));
            assert_true(!digest_is_set(&next) || digest_compare(&last, &next) < 0);
            count += digest_is_set(&next);
        } while (digest_is_set(&next));
    }
    assert_int_equal(count, 3);
}

/* Those that are sure come first, and a manifest that is gone is no candidate. */
static void candidates_are_sorted_and_go_with_their_manifest(void **state)
{
    struct world *w = *state;
    struct digest blob = push_blob(w, "sig"), subject = digest_of(SLICE_LIT("about"));
    struct artifact_candidate found[4];
    size_t count = 0;
    (void)put_about(w, CONFIG, COSIGN, &subject);
    struct digest sure = put_about(w, EMPTY, SIGNATURE, &subject);
    (void)put_about(w, CONFIG, "application/vnd.dsse.envelope.v1+json", &subject);
    READ(w)
    {
        OK(artifact_candidates(tx, w->repo.id, &blob, &subject, COUNT(found), found, &count, err));
    }
    assert_int_equal(count, 3);
    assert_true(digest_equal(&found[0].digest, &sure) && !found[0].unsure && found[1].unsure && found[2].unsure);
    WRITE(w)
    {
        OK(manifest_delete(tx, w->repo.id, &sure, &w->alice, KEEP, T0, err));
    }
    READ(w)
    {
        OK(artifact_candidates(tx, w->repo.id, &blob, &subject, 1, found, &count, err));
    }
    assert_true(count == 1 && found[0].unsure);
}

/* --- the check ---------------------------------------------------------------------------------- */

static void note(const struct check_finding *finding, void *arg)
{
    buf_printf(arg, "%s: %s\n", finding->where, finding->what);
}

static void check_text(struct world *w, struct buf *out)
{
    struct check_report report;
    const struct check_listener listener = {note, NULL, out};
    OK(store_check(w->store, CHECK_INDEX, &listener, &report, err));
}

static void the_check_finds_wrong_notes(void **state)
{
    static const struct {
        const char *sql;
        bool wrong;
    } table[] = {
        {"UPDATE edge SET unsure = 1 WHERE about IS NOT NULL", false}, /* as after the migration */
        {"UPDATE edge SET about = NULL", true},
        {"UPDATE edge SET unsure = 0", true},
        {"UPDATE edge SET about = parent WHERE about IS NOT NULL", true},
        {"UPDATE edge SET about = child WHERE about IS NULL AND kind IN (1, 2)", true},
        {"UPDATE edge SET about = child WHERE kind = 4", true},
        {"UPDATE edge SET about = child, unsure = 1 WHERE kind = 4", true},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(table); i++) {
        void *inner = NULL;
        auto_buf struct buf before = {0};
        auto_buf struct buf after = {0};
        world_setup(&inner);
        struct world *w = inner;
        struct digest subject = push_image(w, "{}", "one");
        (void)put_about(w, EMPTY, SIGNATURE, &subject);
        (void)put_about(w, CONFIG, COSIGN, &subject);
        check_text(w, &before);
        world_run_sql(w, table[i].sql);
        check_text(w, &after);
        world_teardown(&inner);
        CHECK_CASE(before.n == 0, before.p ? before.p : "");
        CHECK_CASE((after.n > 0 && strstr(after.p, "that it is about")) == table[i].wrong, table[i].sql);
    }
}

/* --- the migration ------------------------------------------------------------------------------ */

static int migration_of_notes(void)
{
    int i = 0;
    while (i < schema_migration_count && !strstr(schema_migrations[i], "edge_of_artifact")) {
        i++;
    }
    assert_true(i < schema_migration_count);
    return i;
}

#define D(n) "x'01" n n n n n n n n n n n n n n n n n n n n n n n n n n n n n n n n "'"
static const char *const of_before[] = {
    "INSERT INTO namespace (id, name, prefix, visibility, incarnation, created_us) VALUES (7, 'ns', 'ns/', 0, 1, 1)",
    "INSERT INTO repository (id, namespace_id, name, created_us) VALUES (7, 7, 'ns/app', 1)",
    "INSERT INTO manifest (repository_id, digest, media_type, artifact_type, subject, size, created_us, pushed_by, content) "
    "VALUES (7, " D("aa") ", 't', '', " D("cc") ", 1, 1, 1, x'00'), (7, " D("bb") ", 't', '', NULL, 1, 1, 1, x'00')",
    "INSERT INTO edge VALUES (7, " D("aa") ", 1, " D("11") "), (7, " D("aa") ", 4, " D("cc") "), "
    "(7, " D("bb") ", 1, " D("11") "), (7, " D("bb") ", 2, " D("22") ")",
    "SELECT COUNT(*) FROM edge WHERE about = " D("cc") " AND unsure = 1 AND kind = 1 AND parent = " D("aa"),
    "SELECT COUNT(*) FROM edge WHERE about IS NOT NULL OR unsure = 1",
};
enum { BEFORE = 4 };

static int64_t number_of(struct db *db, int statement)
{
    int64_t n = -1;
    struct db_tx *tx = snapshot_of(db);
    struct db_stmt *q = db_stmt(tx, statement);
    struct err err = {0};
    assert_int_equal(db_step(q, &err), DB_ROW);
    n = db_col_int(q, 0);
    db_stmt_done(q);
    db_snapshot_end(tx);
    return n;
}

static void what_was_stored_before_is_unsure(void **state)
{
    struct folder folder;
    struct db *db = NULL;
    char path[200];
    (void)state;
    folder_make(&folder);
    (void)snprintf(path, sizeof(path), "%s/old.db", folder.path);
    struct db_options options = {path, of_before, BEFORE, schema_migrations, migration_of_notes()};
    OK(db_open(&options, &db, err));
    struct write write;
    struct db_tx *tx = write_begin(&write, db);
    for (int i = 0; i < BEFORE; i++) {
        struct db_stmt *q = db_stmt(tx, i);
        OK(db_run(q, err));
        db_stmt_done(q);
    }
    write_end(&write, true);
    db_close(db);
    options = (struct db_options){path, of_before, COUNT(of_before), schema_migrations, schema_migration_count};
    OK(db_open(&options, &db, err));
    assert_int_equal(number_of(db, BEFORE), 1);
    assert_int_equal(number_of(db, BEFORE + 1), 1);
    db_close(db);
    folder_remove(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(put_finds_its_subject),
        WORLD_TEST(subjects_come_one_by_one),
        WORLD_TEST(candidates_are_sorted_and_go_with_their_manifest),
        cmocka_unit_test(the_check_finds_wrong_notes),
        cmocka_unit_test(what_was_stored_before_is_unsure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
