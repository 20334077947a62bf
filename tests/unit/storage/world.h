/* A store in a folder that vanishes, with a namespace, a repository and people, and write
 * transactions that a test can hold open while it asks questions. */
#ifndef TESTS_UNIT_STORAGE_WORLD_H
#define TESTS_UNIT_STORAGE_WORLD_H

#include "base/hash.h"
#include "storage/account.h"
#include "storage/manifest.h"
#include "storage/namespace.h"
#include "storage/repository.h"
#include "storage/schema.h"
#include "storage/store.h"
#include "tests/unit/base/check.h"

#include <pthread.h>

#define T0 INT64_C(1800000000000000) /* some moment of 2027 */
#define HOUR (INT64_C(3600) * 1000000)
#define KEEP (24 * HOUR) /* what nothing names is kept so long, unless a test says otherwise */

struct world {
    struct folder folder;
    bool files; /* small blobs do not wait in the journal */
    struct store *store;
    struct db *db;
    struct actor alice;
    struct namespace ns;
    struct repository repo;
};

/* A write transaction whose function waits until the test lets it go. */
struct write {
    struct db *db;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t moved;
    struct db_tx *tx;
    bool go, commit, result;
    struct err err;
};

static inline bool write_gate(struct db_tx *tx, void *arg, struct err *err)
{
    struct write *w = arg;
    pthread_mutex_lock(&w->lock);
    w->tx = tx;
    pthread_cond_signal(&w->moved);
    while (!w->go) {
        pthread_cond_wait(&w->moved, &w->lock);
    }
    bool commit = w->commit;
    pthread_mutex_unlock(&w->lock);
    return commit || err_set(err, ERR_INVALID, "rolled back");
}

static inline void *write_main(void *arg)
{
    struct write *w = arg;
    w->result = db_write(w->db, write_gate, w, &w->err);
    return NULL;
}

/* Transactions that a test holds open: an assertion that fails inside one jumps out of it. */
static inline int *writes_open(void)
{
    static int count;
    return &count;
}

static inline struct db_tx *write_begin(struct write *w, struct db *db)
{
    *w = (struct write){.db = db};
    ++*writes_open();
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->moved, NULL);
    assert_int_equal(pthread_create(&w->thread, NULL, write_main, w), 0);
    pthread_mutex_lock(&w->lock);
    while (!w->tx) {
        pthread_cond_wait(&w->moved, &w->lock);
    }
    pthread_mutex_unlock(&w->lock);
    return w->tx;
}

static inline void write_end(struct write *w, bool commit)
{
    pthread_mutex_lock(&w->lock);
    w->go = true;
    w->commit = commit;
    pthread_cond_signal(&w->moved);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    pthread_cond_destroy(&w->moved);
    pthread_mutex_destroy(&w->lock);
    --*writes_open();
    assert_int_equal(w->result, commit);
}

/* Runs a block inside a committed write transaction named tx. */
#define WRITE(world)                                                                               \
    for (struct write write_ = {.go = false}, *once_ = &write_; once_;                             \
         write_end(&write_, true), once_ = NULL)                                                   \
        for (struct db_tx *tx = write_begin(&write_, (world)->db); tx; tx = NULL)
/* And inside a snapshot. */
static inline struct db_tx *snapshot_of(struct db *db)
{
    struct db_tx *tx = NULL;
    struct err err = {0};
    if (!db_snapshot(db, &tx, &err)) {
        fail_msg("snapshot: %s", err.msg);
    }
    return tx;
}
#define READ(world)                                                                                \
    for (struct db_tx *tx = snapshot_of((world)->db); tx; db_snapshot_end(tx), tx = NULL)

/* The call succeeds; a failure is told with its sentence. */
#define OK(call)                                                                                   \
    do {                                                                                           \
        struct err e_ = {0};                                                                       \
        struct err *err = &e_;                                                                     \
        if (!(call)) {                                                                             \
            fail_msg("%s: %s (%s)", #call, e_.msg, e_.detail);                                     \
        }                                                                                          \
    } while (0)
/* The call fails with this code. */
#define FAILS(expected, call)                                                                      \
    do {                                                                                           \
        struct err e_ = {0};                                                                       \
        struct err *err = &e_;                                                                     \
        assert_false(call);                                                                        \
        if (e_.code != (expected)) {                                                               \
            fail_msg("%s: %s instead of %s: %s (%s)", #call, err_info(e_.code)->symbol,            \
                     err_info(expected)->symbol, e_.msg, e_.detail);                               \
        }                                                                                          \
    } while (0)

static inline struct repo_name repo_of(const char *text)
{
    struct repo_name name;
    OK(repo_name_parse(slice_str(text), &name, err));
    return name;
}

static inline struct tag_name tag_of(const char *text)
{
    struct tag_name name;
    OK(tag_name_parse(slice_str(text), &name, err));
    return name;
}

static inline struct namespace_name ns_of(const char *text)
{
    struct namespace_name name;
    OK(namespace_name_parse(slice_str(text), &name, err));
    return name;
}

static inline struct digest digest_of(struct slice bytes)
{
    struct digest d;
    hash_bytes(DIGEST_SHA256, bytes, &d);
    return d;
}

static inline void world_open(struct world *w)
{
    OK(store_open(w->folder.path, &w->store, err));
    w->db = store_db(w->store);
    if (w->files) {
        struct store_limits limits = *store_get_limits(w->store);
        limits.journal_bytes = 0;
        store_set_limits(w->store, &limits);
    }
}

static inline void world_reopen(struct world *w)
{
    store_close(w->store);
    world_open(w);
}

/* One statement on the closed index, such as a fault or a crash could have left it. */
static inline void world_run_sql(struct world *w, const char *sql)
{
    char path[200];
    struct db *db = NULL;
    store_close(w->store);
    w->store = NULL;
    snprintf(path, sizeof(path), "%s/index.db", w->folder.path);
    struct db_options options = {path, &sql, 1, schema_migrations, schema_migration_count};
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

static inline int world_make(void **state, bool files)
{
    struct world *w = xcalloc(1, sizeof(*w));
    w->files = files;
    folder_make(&w->folder);
    world_open(w);
    w->alice =
        (struct actor){.name = "alice@example.org", .address = "192.0.2.7", .proof = "bearer"};
    struct account_new alice = {.kind = ACCOUNT_USER, .name = slice_str(w->alice.name)};
    struct namespace_name ns = ns_of("ns");
    struct repo_name repo = repo_of("ns/app");
    WRITE(w)
    {
        OK(account_create(tx, &alice, T0, &w->alice.account_id, err));
        OK(namespace_create(tx, &ns, VISIBILITY_PRIVATE, w->alice.account_id, T0, &w->ns, err));
        OK(repository_ensure(tx, &repo, T0, &w->repo, NULL, err));
    }
    *state = w;
    return 0;
}

static inline int world_setup(void **state)
{
    return world_make(state, false);
}

static inline int world_setup_files(void **state)
{
    return world_make(state, true);
}

static inline int world_teardown(void **state)
{
    struct world *w = *state;
    if (*writes_open() > 0) { /* its thread waits on a stack that is gone: nothing can be closed */
        folder_remove(&w->folder);
        fprintf(stderr, "a write transaction was left open by the failure above\n");
        fflush(NULL);
        _exit(1);
    }
    store_close(w->store);
    folder_remove(&w->folder);
    free(w);
    return 0;
}

#define WORLD_TEST(fn) cmocka_unit_test_setup_teardown(fn, world_setup, world_teardown)
/* With each blob in its file before its push ends, however small it is; and both ways. */
#define FILES_TEST(fn) cmocka_unit_test_setup_teardown(fn, world_setup_files, world_teardown)
#define BOTH_TESTS(fn) WORLD_TEST(fn), FILES_TEST(fn)

#endif
