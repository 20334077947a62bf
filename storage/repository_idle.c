#include "storage/repository_idle.h"

#include "storage/repository.h"
#include "storage/row.h"
#include "storage/statements.h"
#include "storage/store_private.h"

enum holds { HOLDS_NOTHING = 0, HOLDS_CONTENT = 1, HOLDS_WHAT_GOES_BY_ITSELF = 2 };

struct idle_step {
    int64_t now_us;
    int max;
    int examined; /* out */
};

static void read_id(struct db_stmt *q, void *item)
{
    *(int64_t *)item = db_col_int(q, 0);
}

static bool run_id(struct db_tx *tx, enum sql statement, int64_t id, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, (int)statement);
    db_bind_int(q, 1, id);
    return db_run(q, err);
}

static bool what_it_holds(struct db_tx *tx, int64_t id, enum holds *out, struct err *err)
{
    int64_t holds = 0;
    bool has_trust = false;
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_REPOSITORY_HOLDS);
    db_bind_int(q, 1, id);
    if (!row_int(q, &holds, err) || !repository_has_trust(tx, id, &has_trust, err)) {
        return false;
    }
    *out = has_trust ? HOLDS_CONTENT : (enum holds)holds;
    return true;
}

static bool look_at(struct db_tx *tx, int64_t id, int64_t now_us, struct err *err)
{
    enum holds holds;
    if (!what_it_holds(tx, id, &holds, err)) {
        return false;
    }
    switch (holds) {
    case HOLDS_NOTHING: /* the entry goes with it */
        return run_id(tx, SQL_REPOSITORY_DELETE, id, err);
    case HOLDS_CONTENT: /* whoever takes its last manifest away queues it again */
        return run_id(tx, SQL_REPOSITORY_IDLE_DROP, id, err);
    case HOLDS_WHAT_GOES_BY_ITSELF:
        return repository_may_be_empty(tx, id, now_us + REPOSITORY_IDLE_US, err);
    }
    BUG("a repository holds one of three things");
}

static bool write_step(struct db_tx *tx, void *arg, struct err *err)
{
    struct idle_step *step = arg;
    struct row_page rows;
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_REPOSITORY_IDLE_DUE);
    db_bind_int(q, 1, step->now_us);
    db_bind_int(q, 2, step->max);
    bool ok = row_page(q, step->max, sizeof(int64_t), read_id, &rows, err);
    auto_free int64_t *ids = rows.items;
    for (size_t i = 0; ok && i < rows.count; i++) {
        ok = look_at(tx, ids[i], step->now_us, err);
    }
    step->examined = (int)rows.count;
    return ok;
}

/* Mostly there is nothing to do: then nothing is written. */
static bool is_any_due(struct store *store, int64_t now_us, bool *out, struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    if (!db_snapshot(store->db, &tx, err)) {
        return false;
    }
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_REPOSITORY_IDLE_DUE);
    db_bind_int(q, 1, now_us);
    db_bind_int(q, 2, 1);
    return row_exists(q, out, err);
}

bool repository_collect_idle(struct store *store, int64_t now_us, int max, int *examined_out,
                             struct err *err)
{
    struct idle_step step = {.now_us = now_us, .max = max};
    bool due = false;
    if (!is_any_due(store, now_us, &due, err) ||
        (due && !db_write_relaxed(store->db, write_step, &step, err))) {
        return false;
    }
    *examined_out = step.examined;
    return true;
}
