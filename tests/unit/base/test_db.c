#include "base/db.h"
#include "tests/unit/base/check.h"
#include "tests/unit/base/gate.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>

enum {
    SQL_INSERT,
    SQL_COUNT_ROWS,
    SQL_GET,
    SQL_ALL,
    SQL_UPDATE,
    SQL_CHILD,
    SQL_ROLLBACK,
    SQL_SCAN,
    SQL_LATE,
    SQL_BLOB,
    SQL_LIMIT,
    SQL_NO_LIMIT,
    SQL_STATEMENTS
};

static const char *const statements[SQL_STATEMENTS] = {
    [SQL_INSERT] = "INSERT INTO item(name, bytes, digest, number) VALUES(?1, ?2, ?3, ?4)",
    [SQL_COUNT_ROWS] = "SELECT count(*) FROM item",
    [SQL_GET] = "SELECT name, bytes, digest, number FROM item WHERE name = ?1",
    [SQL_ALL] = "SELECT name FROM item ORDER BY name",
    [SQL_UPDATE] = "UPDATE item SET number = number + 1",
    [SQL_CHILD] = "INSERT INTO child(item_id) VALUES(?1)",
    [SQL_ROLLBACK] = "INSERT OR ROLLBACK INTO item(name) VALUES(?1), (?1)",
    [SQL_LATE] = "INSERT INTO late(item_id) VALUES(?1)",
    [SQL_BLOB] = "INSERT INTO item(name, bytes) VALUES(?1, zeroblob(?2))",
    [SQL_LIMIT] = "PRAGMA max_page_count=40",
    [SQL_NO_LIMIT] = "PRAGMA max_page_count=1000000",
    [SQL_SCAN] = "SELECT name FROM item WHERE number = ?1",
};

static const char *const migrations[] = {
    "CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, bytes BLOB, digest BLOB,"
    " number INTEGER) STRICT;"
    "CREATE TABLE child(id INTEGER PRIMARY KEY, item_id INTEGER NOT NULL REFERENCES item(id)) "
    "STRICT;"
    "CREATE TABLE late(id INTEGER PRIMARY KEY, item_id INTEGER NOT NULL REFERENCES item(id) "
    "DEFERRABLE INITIALLY DEFERRED) STRICT;",
    "CREATE TABLE second(id INTEGER PRIMARY KEY) STRICT;",
    "CREATE TABLE third(id INTEGER PRIMARY KEY) STRICT; this is no SQL",
};

struct world {
    struct folder folder;
    char path[128];
    struct db *db;
};

static struct db_options options_of(const struct world *w, int versions)
{
    return (struct db_options){w->path, statements, SQL_STATEMENTS, migrations, versions};
}

static void world_open(struct world *w, int versions)
{
    struct err err = {0};
    struct db_options options = options_of(w, versions);
    if (!db_open(&options, &w->db, &err)) {
        fail_msg("%s (%s)", err.msg, err.detail);
    }
}

static int setup(void **state)
{
    struct world *w = xcalloc(1, sizeof(*w));
    folder_make(&w->folder);
    snprintf(w->path, sizeof(w->path), "%s/index.db", w->folder.path);
    world_open(w, 2);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    db_close(w->db);
    folder_remove(&w->folder);
    free(w);
    return 0;
}

/* --- what the tests write --- */

static bool insert(struct db_tx *tx, const char *name, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_INSERT);
    db_bind_str(q, 1, name);
    return db_run(q, err);
}

static bool write_name(struct db_tx *tx, void *arg, struct err *err)
{
    return insert(tx, arg, err);
}

static bool write_name_then_refuse(struct db_tx *tx, void *arg, struct err *err)
{
    return insert(tx, arg, err) && err_set(err, ERR_DENIED, "not after all");
}

static bool write_nothing_silently(struct db_tx *tx, void *arg, struct err *err)
{
    (void)err;
    return insert(tx, arg, NULL) && false;
}

static bool store(struct db *db, db_write_fn fn, const char *name, struct err *err)
{
    char copy[32];
    snprintf(copy, sizeof(copy), "%s", name);
    return db_write(db, fn, copy, err);
}

static int64_t count_in(struct db_tx *tx)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_COUNT_ROWS);
    assert_int_equal(db_step(q, NULL), DB_ROW);
    return db_col_int(q, 0);
}

static int64_t count(struct db *db)
{
    auto_snapshot struct db_tx *tx = NULL;
    assert_true(db_snapshot(db, &tx, NULL));
    return count_in(tx);
}

static bool has(struct db *db, const char *name)
{
    auto_snapshot struct db_tx *tx = NULL;
    assert_true(db_snapshot(db, &tx, NULL));
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_GET);
    db_bind_str(q, 1, name);
    return db_step(q, NULL) == DB_ROW;
}

/* --- values --- */

struct values {
    struct digest digest;
    int64_t changes;
};

static bool write_values(struct db_tx *tx, void *arg, struct err *err)
{
    struct values *v = arg;
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_INSERT);
    db_bind_text(q, 1, SLICE_LIT("n\xC3\xA4me"));
    db_bind_blob(q, 2, SLICE_LIT("a\0b"));
    db_bind_digest(q, 3, &v->digest);
    db_bind_int(q, 4, INT64_MIN);
    bool done = db_run(q, err);
    v->changes = db_changes(tx);
    return done;
}

static bool write_empty_values(struct db_tx *tx, void *arg, struct err *err)
{
    (void)arg;
    struct digest none = {0};
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_INSERT);
    db_bind_text(q, 1, (struct slice){NULL, 0});
    db_bind_blob(q, 2, (struct slice){NULL, 0});
    db_bind_digest(q, 3, &none);
    db_bind_null(q, 4);
    return db_run(q, err);
}

static void values_come_back(void **state)
{
    struct world *w = *state;
    struct values v = {0};
    struct digest d;
    assert_true(digest_from_hash(DIGEST_SHA256, "0123456789abcdef0123456789abcdef", 32, &v.digest));
    assert_true(db_write(w->db, write_values, &v, NULL));
    assert_int_equal(v.changes, 1);
    assert_true(db_write(w->db, write_empty_values, NULL, NULL));

    auto_snapshot struct db_tx *tx = NULL;
    assert_true(db_snapshot(w->db, &tx, NULL));
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_GET);
    db_bind_str(q, 1, "n\xC3\xA4me");
    assert_int_equal(db_step(q, NULL), DB_ROW);
    assert_true(slice_is(db_col_text(q, 0), "n\xC3\xA4me"));
    assert_true(slice_equal(db_col_blob(q, 1), SLICE_LIT("a\0b")));
    assert_true(db_col_digest(q, 2, &d));
    assert_true(digest_equal(&d, &v.digest));
    assert_int_equal(db_col_int(q, 3), INT64_MIN);
    assert_false(db_col_is_null(q, 3));
    assert_false(db_col_digest(q, 1, &d)); /* a blob, but no stored digest */
    assert_false(db_col_digest(q, 0, &d)); /* text */
    assert_int_equal(db_step(q, NULL), DB_DONE);
    db_stmt_done(q);

    q = db_stmt(tx, SQL_GET);
    db_bind_text(q, 1, SLICE_LIT(""));
    assert_int_equal(db_step(q, NULL), DB_ROW);
    assert_int_equal(db_col_text(q, 0).n, 0);
    assert_false(db_col_is_null(q, 0));
    assert_int_equal(db_col_blob(q, 1).n, 0);
    assert_false(db_col_is_null(q, 1));
    assert_true(db_col_is_null(q, 2));
    assert_false(db_col_digest(q, 2, &d));
    assert_false(digest_is_set(&d));
    assert_true(db_col_is_null(q, 3));
    assert_int_equal(db_col_int(q, 3), 0);
}

static void bindings_do_not_survive(void **state)
{
    struct world *w = *state;
    assert_true(store(w->db, write_name, "a", NULL));
    auto_snapshot struct db_tx *tx = NULL;
    assert_true(db_snapshot(w->db, &tx, NULL));
    struct db_stmt *q = db_stmt(tx, SQL_GET);
    db_bind_str(q, 1, "a");
    assert_int_equal(db_step(q, NULL), DB_ROW);
    db_stmt_done(q);
    db_stmt_done(q);
    db_stmt_done(NULL);
    q = db_stmt(tx, SQL_GET);
    assert_int_equal(db_step(q, NULL), DB_DONE); /* NULL equals nothing */
    db_stmt_done(q);
}

/* --- errors --- */

static bool write_orphan(struct db_tx *tx, void *arg, struct err *err)
{
    (void)arg;
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_CHILD);
    db_bind_int(q, 1, 77);
    return db_run(q, err);
}

static bool write_wrong_type(struct db_tx *tx, void *arg, struct err *err)
{
    (void)arg;
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_INSERT);
    db_bind_str(q, 1, "typed");
    db_bind_str(q, 4, "no number");
    return db_run(q, err);
}

/* Goes on after a failed statement: what it did before stays in the savepoint. */
static bool write_around_a_conflict(struct db_tx *tx, void *arg, struct err *err)
{
    struct err ignored = {0};
    assert_false(insert(tx, "a", &ignored));
    assert_int_equal(ignored.code, ERR_CONFLICT);
    return insert(tx, arg, err);
}

static void errors_are_told_apart(void **state)
{
    struct world *w = *state;
    struct err err = {0};
    assert_true(store(w->db, write_name, "a", &err));
    assert_false(store(w->db, write_name, "a", &err));
    assert_int_equal(err.code, ERR_CONFLICT);
    assert_null(strstr(err.msg, "UNIQUE")); /* the engine's words are for the log */
    assert_non_null(strstr(err.detail, "UNIQUE"));

    assert_false(db_write(w->db, write_orphan, NULL, &err));
    assert_int_equal(err.code, ERR_CONFLICT);
    assert_false(db_write(w->db, write_wrong_type, NULL, &err));
    assert_int_equal(err.code, ERR_CONFLICT);
    assert_false(store(w->db, write_name_then_refuse, "b", &err));
    assert_int_equal(err.code, ERR_DENIED);
    assert_string_equal(err.msg, "not after all");
    assert_false(store(w->db, write_nothing_silently, "c", &err));
    assert_int_equal(err.code, ERR_INTERNAL);
    assert_false(store(w->db, write_name_then_refuse, "b", NULL));
    assert_int_equal(count(w->db), 1);

    err = (struct err){0};
    assert_true(store(w->db, write_around_a_conflict, "d", &err));
    assert_int_equal(err.code, ERR_NONE);
    assert_int_equal(count(w->db), 2);
}

static bool write_from_a_snapshot(struct db *db, struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    return db_snapshot(db, &tx, err) && insert(tx, "forbidden", err);
}

static void a_snapshot_cannot_write(void **state)
{
    struct world *w = *state;
    struct err err = {0};
    assert_false(write_from_a_snapshot(w->db, &err));
    assert_int_equal(err.code, ERR_INTERNAL);
    assert_int_equal(count(w->db), 0);
    assert_true(store(w->db, write_name, "a", &err));
}

static bool leave_a_statement_open(struct db_tx *tx, void *arg, struct err *err)
{
    (void)arg;
    struct db_stmt *q = db_stmt(tx, SQL_ALL);
    return db_step(q, err) == DB_ROW && insert(tx, "b", err);
}

static void a_forgotten_statement_hurts_nobody(void **state)
{
    struct world *w = *state;
    assert_true(store(w->db, write_name, "a", NULL));
    assert_true(db_write(w->db, leave_a_statement_open, NULL, NULL));
    struct db_tx *tx = NULL;
    assert_true(db_snapshot(w->db, &tx, NULL));
    assert_int_equal(db_step(db_stmt(tx, SQL_ALL), NULL), DB_ROW);
    db_snapshot_end(tx);
    assert_true(db_snapshot(w->db, &tx, NULL));
    struct db_stmt *q = db_stmt(tx, SQL_ALL);
    assert_int_equal(db_step(q, NULL), DB_ROW);
    assert_true(slice_is(db_col_text(q, 0), "a"));
    db_snapshot_end(tx);
    db_snapshot_end(NULL);
    assert_int_equal(count(w->db), 2);
}

/* --- snapshots --- */

static void *write_other(void *arg)
{
    struct world *w = arg;
    return store(w->db, write_name, "other", NULL) ? w : NULL;
}

static void a_snapshot_sees_one_state(void **state)
{
    struct world *w = *state;
    pthread_t thread;
    void *done = NULL;
    struct db_tx *tx = NULL;
    assert_true(store(w->db, write_name, "a", NULL));
    assert_true(db_snapshot(w->db, &tx, NULL));
    /* nothing was read yet: the state must be that of the begin, not that of the first read */
    assert_int_equal(pthread_create(&thread, NULL, write_other, w), 0);
    assert_int_equal(pthread_join(thread, &done), 0);
    assert_ptr_equal(done, w);
    assert_int_equal(count_in(tx), 1);
    assert_true(store(w->db, write_name, "b", NULL)); /* by the reading thread too */
    assert_int_equal(count_in(tx), 1);
    db_snapshot_end(tx);
    assert_int_equal(count(w->db), 3);
}

/* --- groups --- */

#define GROUP 24

struct member {
    struct world *world;
    db_write_fn fn;
    char name[16];
    struct err err;
    bool ok;
    pthread_t thread;
};

static void *member_main(void *arg)
{
    struct member *m = arg;
    m->ok = db_write(m->world->db, m->fn, m->name, &m->err);
    return NULL;
}

struct holder {
    struct world *world;
    struct gate *gate;
};

static void *hold(void *arg)
{
    struct holder *h = arg;
    return db_write(h->world->db, write_at_gate, h->gate, NULL) ? h : NULL;
}

/* Queues all members behind a held writer, lets go, waits for all. */
static void run_as_group(struct world *w, struct member *members, size_t n)
{
    struct gate gate = GATE;
    struct holder holder = {w, &gate};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, hold, &holder), 0);
    gate_await(&gate);
    for (size_t i = 0; i < n; i++) {
        members[i].world = w;
        assert_int_equal(pthread_create(&members[i].thread, NULL, member_main, &members[i]), 0);
    }
    usleep(100000); /* so that they are queued; if one is late, it joins the next group */
    gate_open(&gate);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(pthread_join(members[i].thread, NULL), 0);
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void one_refusal_in_a_group_is_its_own(void **state)
{
    struct world *w = *state;
    struct member members[GROUP] = {0};
    for (size_t i = 0; i < GROUP; i++) {
        members[i].fn = i % 3 == 1 ? write_name_then_refuse : write_name;
        snprintf(members[i].name, sizeof(members[i].name), "m%zu", i);
    }
    run_as_group(w, members, GROUP);
    for (size_t i = 0; i < GROUP; i++) {
        bool good = i % 3 != 1;
        assert_int_equal(members[i].ok, good);
        assert_int_equal(members[i].err.code, good ? ERR_NONE : ERR_DENIED);
        assert_int_equal(has(w->db, members[i].name), good);
    }
}

/* Stands for an engine error that rolls the whole transaction back under a request. */
static bool end_the_transaction(struct db_tx *tx, void *arg, struct err *err)
{
    if (!insert(tx, arg, err)) {
        return false;
    }
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_ROLLBACK);
    db_bind_str(q, 1, "twice");
    return db_run(q, err);
}

/* A constraint that is checked at the commit only: the commit of all must not fail for one. */
static bool write_late_orphan(struct db_tx *tx, void *arg, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_LATE);
    db_bind_int(q, 1, 77);
    return insert(tx, arg, err) && db_run(q, err);
}

static bool write_too_much(struct db_tx *tx, void *arg, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_BLOB);
    db_bind_str(q, 1, arg);
    db_bind_int(q, 2, 1 << 20);
    return db_run(q, err);
}

static bool set_limit(struct db_tx *tx, void *arg, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, *(const int *)arg);
    return db_run(q, err);
}

static void one_fails_the_others_do_not(struct world *w, db_write_fn fn, enum err_code code)
{
    struct member members[GROUP] = {0};
    for (size_t i = 0; i < GROUP; i++) {
        members[i].fn = i == 5 ? fn : write_name;
        snprintf(members[i].name, sizeof(members[i].name), "m%zu", i);
    }
    run_as_group(w, members, GROUP);
    for (size_t i = 0; i < GROUP; i++) {
        assert_int_equal(members[i].ok, i != 5);
        assert_int_equal(members[i].err.code, i != 5 ? ERR_NONE : code);
        assert_int_equal(has(w->db, members[i].name), i != 5);
    }
}

static void a_request_that_takes_the_transaction_down(void **state)
{
    struct world *w = *state;
    one_fails_the_others_do_not(w, end_the_transaction, ERR_CONFLICT);
    assert_false(has(w->db, "twice"));
}

static void a_deferred_constraint_in_a_group(void **state)
{
    struct err err = {0};
    struct world *w = *state;
    one_fails_the_others_do_not(w, write_late_orphan, ERR_CONFLICT);
    assert_false(store(w->db, write_late_orphan, "alone", &err));
    assert_int_equal(err.code, ERR_CONFLICT);
    assert_false(has(w->db, "alone"));
}

static void a_full_disk(void **state)
{
    struct err err = {0};
    struct world *w = *state;
    int limit = SQL_LIMIT;
    int no_limit = SQL_NO_LIMIT;
    assert_true(db_write(w->db, set_limit, &limit, NULL));
    assert_null(db_trouble(w->db));
    one_fails_the_others_do_not(w, write_too_much, ERR_NO_SPACE);
    assert_true(store(w->db, write_name, "after", &err)); /* of the group it may have been the last */
    assert_null(db_trouble(w->db));
    assert_false(store(w->db, write_too_much, "big", &err));
    assert_int_equal(err.code, ERR_NO_SPACE);
    assert_string_equal(db_trouble(w->db), "the index cannot be written: the disk is full");
    assert_true(db_write(w->db, set_limit, &no_limit, NULL));
    assert_non_null(db_trouble(w->db)); /* it stored nothing */
    assert_true(store(w->db, write_too_much, "big", NULL));
    assert_null(db_trouble(w->db));
}

static void what_a_function_refuses_is_no_trouble_of_the_disk(void **state)
{
    struct err err = {0};
    struct world *w = *state;
    assert_false(store(w->db, write_name_then_refuse, "refused", &err));
    assert_false(store(w->db, write_late_orphan, "orphan", &err));
    assert_null(db_trouble(w->db));
    assert_true(db_try(w->db, &err));
}

#define WRITERS 8
#define WRITES_EACH 50

struct hammer {
    struct world *world;
    int id;
    atomic_int *failures;
};

static bool write_number(struct db_tx *tx, void *arg, struct err *err)
{
    char name[32];
    const int *pair = arg;
    snprintf(name, sizeof(name), "%d-%d", pair[0], pair[1]);
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_INSERT);
    db_bind_str(q, 1, name);
    return db_run(q, err);
}

static void *hammer_main(void *arg)
{
    struct hammer *h = arg;
    for (int i = 0; i < WRITES_EACH; i++) {
        int pair[2] = {h->id, i};
        char name[32];
        snprintf(name, sizeof(name), "%d-%d", h->id, i);
        if (!db_write(h->world->db, write_number, pair, NULL) || !has(h->world->db, name)) {
            atomic_fetch_add(h->failures, 1);
        }
    }
    return NULL;
}

static void many_threads_write_and_read_their_own(void **state)
{
    struct world *w = *state;
    pthread_t threads[WRITERS];
    struct hammer hammers[WRITERS];
    atomic_int failures = 0;
    for (int i = 0; i < WRITERS; i++) {
        hammers[i] = (struct hammer){w, i, &failures};
        assert_int_equal(pthread_create(&threads[i], NULL, hammer_main, &hammers[i]), 0);
    }
    for (int i = 0; i < WRITERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(failures, 0);
    assert_int_equal(count(w->db), WRITERS * WRITES_EACH);
}

/* Another process holds the write lock and does not let go: everybody is told, nothing is stored,
 * life goes on. */
static void a_group_that_cannot_begin(void **state)
{
    struct world *w = *state;
    sqlite3 *other = NULL;
    struct err err = {0};
    assert_int_equal(sqlite3_open(w->path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    assert_false(store(w->db, write_name, "a", &err));
    assert_int_equal(err.code, ERR_BUSY);
    assert_int_equal(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(other), SQLITE_OK);
    assert_int_equal(count(w->db), 0);
    assert_true(store(w->db, write_name, "a", &err));
}

/* --- opening --- */

static void it_is_still_there_after_reopening(void **state)
{
    struct world *w = *state;
    assert_true(store(w->db, write_name, "a", NULL));
    db_close(w->db);
    world_open(w, 2);
    assert_true(has(w->db, "a"));
}

/* Acknowledged means on disk: a process that is killed at once loses nothing. */
static void it_is_still_there_after_a_kill(void **state)
{
    struct world *w = *state;
    db_close(w->db);
    w->db = NULL;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct db_options options = options_of(w, 2);
        struct db *db = NULL;
        if (db_open(&options, &db, NULL) && store(db, write_name, "a", NULL) &&
            !store(db, write_name_then_refuse, "b", NULL)) {
            (void)kill(getpid(), SIGKILL);
        }
        _exit(1);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    world_open(w, 2);
    assert_true(has(w->db, "a"));
    assert_false(has(w->db, "b"));
}

static void versions(void **state)
{
    struct world *w = *state;
    struct err err = {0};
    struct db *db = NULL;
    struct db_options older = options_of(w, 1);
    struct db_options broken = options_of(w, 3);
    assert_true(store(w->db, write_name, "a", NULL));
    db_close(w->db);
    w->db = NULL;

    assert_false(db_open(&older, &db, &err));
    assert_null(db);
    assert_int_equal(err.code, ERR_CONFLICT);
    assert_non_null(strstr(err.msg, "the database was written by a newer version of Bondstore"));

    assert_false(db_open(&broken, &db, &err));
    assert_int_equal(err.code, ERR_INTERNAL);
    assert_non_null(strstr(err.msg, "migration 3"));

    world_open(w, 2); /* the step that broke left nothing behind */
    assert_true(has(w->db, "a"));
}

static void the_file_is_private(void **state)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    struct world *w = *state;
    assert_true(store(w->db, write_name, "a", NULL));
    for (size_t i = 0; i < COUNT(suffixes); i++) {
        char path[160];
        struct stat st;
        snprintf(path, sizeof(path), "%s%s", w->path, suffixes[i]);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
    }
}

static void what_cannot_be_opened(void **state)
{
    struct world *w = *state;
    struct err err = {0};
    struct db *db = NULL;
    struct db_options options = options_of(w, 2);
    char path[160];
    snprintf(path, sizeof(path), "%s/absent/index.db", w->folder.path);
    options.path = path;
    assert_false(db_open(&options, &db, &err));
    assert_int_equal(err.code, ERR_INTERNAL);

    snprintf(path, sizeof(path), "%s/text.db", w->folder.path);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    for (int i = 0; i < 200; i++) {
        fputs("this is no database, only text\n", f);
    }
    assert_int_equal(fclose(f), 0);
    assert_false(db_open(&options, &db, &err));
    assert_int_equal(err.code, ERR_INTERNAL);
    db_close(NULL);
}

static bool fails_once;

static int no_writing(const char *path, int flags, int mode)
{
    if ((flags & O_ACCMODE) == O_RDWR && fails_once) {
        fails_once = false;
        errno = EIO;
        return -1;
    }
    return open(path, flags, mode);
}

static void what_can_only_be_read_is_not_opened(void **state)
{
    struct world *w = *state;
    struct err err = {0};
    struct db *db = NULL;
    struct db_options options = options_of(w, 2);
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    db_close(w->db);
    w->db = NULL;
    fails_once = true;
    assert_int_equal(vfs->xSetSystemCall(vfs, "open", (sqlite3_syscall_ptr)no_writing), SQLITE_OK);
    bool opened = db_open(&options, &db, &err);
    assert_int_equal(vfs->xSetSystemCall(vfs, "open", NULL), SQLITE_OK);
    db_close(db);
    assert_false(fails_once);
    assert_false(opened);
    assert_int_equal(err.code, ERR_INTERNAL);
    world_open(w, 2); /* it was for a moment only */
    assert_true(store(w->db, write_name, "a", NULL));
}

/* --- settings and maintenance --- */

static void plans_and_checkpoints(void **state)
{
    struct world *w = *state;
    auto_buf struct buf plan = {0};
    assert_true(db_explain(w->db, SQL_GET, &plan, NULL));
    assert_non_null(strstr(plan.p, "SEARCH item USING INDEX"));
    buf_clear(&plan);
    assert_true(db_explain(w->db, SQL_SCAN, &plan, NULL));
    assert_non_null(strstr(plan.p, "SCAN item"));

    char path[160];
    struct stat st;
    snprintf(path, sizeof(path), "%s-wal", w->path);
    assert_true(store(w->db, write_name, "a", NULL));
    assert_int_equal(stat(path, &st), 0);
    assert_true(st.st_size > 0);
    assert_true(db_checkpoint(w->db, NULL));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 0);
    assert_int_equal(count(w->db), 1);
}

/* --- misuse --- */

static bool write_inside_a_write(struct db_tx *tx, void *arg, struct err *err)
{
    (void)tx;
    return store(arg, write_name, "inner", err);
}

static bool snapshot_inside_a_write(struct db_tx *tx, void *arg, struct err *err)
{
    struct db_tx *inner = NULL;
    (void)tx;
    return db_snapshot(arg, &inner, err);
}

static struct db *fresh(const void *arg)
{
    struct db_options options = options_of(arg, 2);
    struct db *db = NULL;
    return db_open(&options, &db, NULL) ? db : NULL;
}

static void nest_writes(void *arg)
{
    struct db *db = fresh(arg);
    (void)!db_write(db, write_inside_a_write, db, NULL);
}

static void snapshot_in_writer(void *arg)
{
    struct db *db = fresh(arg);
    (void)!db_write(db, snapshot_inside_a_write, db, NULL);
}

static void two_snapshots(void *arg)
{
    struct db *db = fresh(arg);
    struct db_tx *tx = NULL;
    (void)!db_snapshot(db, &tx, NULL);
    (void)!db_snapshot(db, &tx, NULL);
}

static void borrow_twice(void *arg)
{
    struct db *db = fresh(arg);
    struct db_tx *tx = NULL;
    if (db_snapshot(db, &tx, NULL)) {
        (void)db_stmt(tx, SQL_ALL);
        (void)db_stmt(tx, SQL_ALL);
    }
}

static void bind_out_of_range(void *arg)
{
    struct db *db = fresh(arg);
    struct db_tx *tx = NULL;
    if (db_snapshot(db, &tx, NULL)) {
        db_bind_int(db_stmt(tx, SQL_GET), 2, 1);
    }
}

static void no_such_statement(void *arg)
{
    struct db *db = fresh(arg);
    struct db_tx *tx = NULL;
    if (db_snapshot(db, &tx, NULL)) {
        (void)db_stmt(tx, SQL_STATEMENTS);
    }
}

static void misuse_is_a_bug(void **state)
{
    struct world *w = *state;
    db_close(w->db); /* the children open it anew: nothing of the engine may cross a fork */
    w->db = NULL;
    assert_true(aborts(nest_writes, w));
    assert_true(aborts(snapshot_in_writer, w));
    assert_true(aborts(two_snapshots, w));
    assert_true(aborts(borrow_twice, w));
    assert_true(aborts(bind_out_of_range, w));
    assert_true(aborts(no_such_statement, w));
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(values_come_back),
        TEST(bindings_do_not_survive),
        TEST(errors_are_told_apart),
        TEST(a_snapshot_cannot_write),
        TEST(a_forgotten_statement_hurts_nobody),
        TEST(a_snapshot_sees_one_state),
        TEST(one_refusal_in_a_group_is_its_own),
        TEST(a_request_that_takes_the_transaction_down),
        TEST(a_deferred_constraint_in_a_group),
        TEST(a_full_disk),
        TEST(what_a_function_refuses_is_no_trouble_of_the_disk),
        TEST(many_threads_write_and_read_their_own),
        TEST(a_group_that_cannot_begin),
        TEST(it_is_still_there_after_reopening),
        TEST(it_is_still_there_after_a_kill),
        TEST(versions),
        TEST(the_file_is_private),
        TEST(what_cannot_be_opened),
        TEST(what_can_only_be_read_is_not_opened),
        TEST(plans_and_checkpoints),
        TEST(misuse_is_a_bug),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
