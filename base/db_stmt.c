#include "base/db_internal.h"
#include "base/log.h"

struct db_stmt *db_stmt(struct db_tx *tx, int number)
{
    struct connection *c = tx->connection;
    if (number < 0 || number >= c->db->statement_count) {
        BUG("no such statement");
    }
    struct db_stmt *q = &c->statements[number];
    if (q->borrowed) {
        log_event(LOG_ERROR, "statement", "number=%d", number);
        BUG("a statement borrowed twice");
    }
    if (!q->raw) {
        int result = sqlite3_prepare_v3(c->handle, c->db->statements[number], -1,
                                        SQLITE_PREPARE_PERSISTENT, &q->raw, NULL);
        if (result != SQLITE_OK) {
            log_event(LOG_ERROR, "statement", "number=%d reason=\"%s\"", number,
                      sqlite3_errmsg(c->handle));
            BUG("a statement does not prepare");
        }
        q->connection = c;
    }
    q->borrowed = true;
    c->borrowed++;
    return q;
}

void db_stmt_done(struct db_stmt *q)
{
    if (!q || !q->borrowed) {
        return;
    }
    (void)sqlite3_reset(q->raw); /* repeats the error of the last step, which has been told */
    (void)sqlite3_clear_bindings(q->raw);
    q->borrowed = false;
    q->connection->borrowed--;
}

/* Statements that a function left open would keep its savepoint from being released. */
void db_stmt_return(struct connection *c)
{
    for (int i = 0; c->borrowed > 0 && i < c->db->statement_count; i++) {
        db_stmt_done(&c->statements[i]);
    }
}

/* A bind fails by a wrong index, by a statement in the middle of its rows, or by a value above the
 * engine's limit. */
static void bound(int result)
{
    if (result != SQLITE_OK) {
        BUG("a value could not be bound");
    }
}

void db_bind_int(struct db_stmt *q, int index, int64_t value)
{
    bound(sqlite3_bind_int64(q->raw, index, value));
}

void db_bind_text(struct db_stmt *q, int index, struct slice text)
{
    bound(sqlite3_bind_text64(q->raw, index, text.p ? text.p : "", text.n, SQLITE_STATIC,
                              SQLITE_UTF8));
}

void db_bind_str(struct db_stmt *q, int index, const char *text)
{
    if (text) {
        db_bind_text(q, index, slice_str(text));
    } else {
        db_bind_null(q, index);
    }
}

void db_bind_blob(struct db_stmt *q, int index, struct slice bytes)
{
    bound(sqlite3_bind_blob64(q->raw, index, bytes.p ? bytes.p : "", bytes.n, SQLITE_STATIC));
}

void db_bind_digest(struct db_stmt *q, int index, const struct digest *d)
{
    uint8_t raw[DIGEST_RAW_MAX];
    if (!digest_is_set(d)) {
        db_bind_null(q, index);
        return;
    }
    size_t n = digest_to_raw(d, raw);
    bound(sqlite3_bind_blob64(q->raw, index, raw, n, SQLITE_TRANSIENT));
}

void db_bind_null(struct db_stmt *q, int index)
{
    bound(sqlite3_bind_null(q->raw, index));
}

enum db_result db_step(struct db_stmt *q, struct err *err)
{
    int result = sqlite3_step(q->raw);
    if (result == SQLITE_ROW) {
        return DB_ROW;
    }
    if (result == SQLITE_DONE) {
        return DB_DONE;
    }
    (void)db_engine_error(err, q->connection->handle, result, __func__, sqlite3_sql(q->raw));
    return DB_FAILED;
}

bool db_run(struct db_stmt *q, struct err *err)
{
    return db_step(q, err) != DB_FAILED;
}

int64_t db_changes(struct db_tx *tx)
{
    return sqlite3_changes64(tx->connection->handle);
}

int64_t db_col_int(struct db_stmt *q, int column)
{
    return sqlite3_column_int64(q->raw, column);
}

struct slice db_col_text(struct db_stmt *q, int column)
{
    const char *p = (const char *)sqlite3_column_text(q->raw, column);
    if (!p) {
        return (struct slice){"", 0};
    }
    return (struct slice){p, (size_t)sqlite3_column_bytes(q->raw, column)};
}

struct slice db_col_blob(struct db_stmt *q, int column)
{
    const char *p = sqlite3_column_blob(q->raw, column);
    if (!p) {
        return (struct slice){"", 0};
    }
    return (struct slice){p, (size_t)sqlite3_column_bytes(q->raw, column)};
}

bool db_col_is_null(struct db_stmt *q, int column)
{
    return sqlite3_column_type(q->raw, column) == SQLITE_NULL;
}

bool db_col_digest(struct db_stmt *q, int column, struct digest *out)
{
    *out = (struct digest){0};
    return sqlite3_column_type(q->raw, column) == SQLITE_BLOB &&
           digest_from_raw(db_col_blob(q, column), out);
}
