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
    FAILS(ERR_INVALID, store_open("/tmp/bondstore-no-such-folder", &store, err));
    assert_null(store);
}

/* In a process of its own, since who is root may write everywhere. */
static void a_folder_of_somebody_else_is_refused_with_a_sentence(void **state)
{
    struct world *w = *state;
    store_close(w->store);
    w->store = NULL;
    assert_int_equal(fchmod(w->folder.fd, 0555), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct store *store = NULL;
        struct err err = {0};
        bool other = geteuid() != 0 || setuid(65534) == 0;
        bool refused = other && !store_open(w->folder.path, &store, &err) && err.code == ERR_INVALID &&
                       strstr(err.msg, "cannot be written") != NULL;
        _exit(refused ? 0 : 1);
    }
    int status = 1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(fchmod(w->folder.fd, 0700), 0);
    assert_int_equal(status, 0);
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
        WORLD_TEST(a_folder_of_somebody_else_is_refused_with_a_sentence),
        WORLD_TEST(what_was_stored_is_there_after_reopening),
        WORLD_TEST(a_newer_database_is_refused),
        WORLD_TEST(files_are_private),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
