/* The data folder: one owner, reopening, private files. */
#include "tests/unit/storage/world.h"

static void a_second_server_is_refused(void **state)
{
    struct world *w = *state;
    struct store *second = NULL;
    struct err err = {0};
    assert_false(store_open(w->folder.path, &second, &err));
    assert_null(second);
    assert_int_equal(err.code, ERR_CONFLICT);
    assert_non_null(strstr(err.msg, "another server is using the folder"));
}

static void a_folder_must_exist(void **state)
{
    (void)state;
    struct store *store = NULL;
    FAILS(ERR_INTERNAL, store_open("/tmp/bondstore-no-such-folder", &store, err));
    assert_null(store);
}

static void what_was_stored_is_there_after_reopening(void **state)
{
    struct world *w = *state;
    struct namespace_name name = ns_of("ns");
    struct namespace ns;
    world_reopen(w);
    READ(w)
    {
        OK(namespace_get(tx, &name, &ns, err));
    }
    assert_int_equal(ns.id, w->ns.id);
}

static void a_newer_database_is_refused(void **state)
{
    struct world *w = *state;
    struct store *store = NULL;
    store_close(w->store);
    w->store = NULL;
    char command[200];
    snprintf(command, sizeof(command), "%s/index.db", w->folder.path);
    struct db *db = NULL;
    int known = schema_migration_count;
    auto_free const char **future = xcalloc((size_t)known + 1, sizeof(*future));
    future[known] = "CREATE TABLE future(id INTEGER) STRICT";
    static const char *const none[] = {"SELECT 1"};
    struct db_options options = {command, none, 1, future, known + 1};
    OK(db_open(&options, &db, err));
    db_close(db);
    FAILS(ERR_CONFLICT, store_open(w->folder.path, &store, err));
}

static void files_are_private(void **state)
{
    struct world *w = *state;
    static const char *const names[] = {"blobs", "uploads", "index.db", "lock"};
    for (size_t i = 0; i < COUNT(names); i++) {
        struct stat st;
        assert_int_equal(fstatat(w->folder.fd, names[i], &st, 0), 0);
        CHECK_CASE((st.st_mode & 077) == 0, names[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(a_second_server_is_refused),
        cmocka_unit_test(a_folder_must_exist),
        WORLD_TEST(what_was_stored_is_there_after_reopening),
        WORLD_TEST(a_newer_database_is_refused),
        WORLD_TEST(files_are_private),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
