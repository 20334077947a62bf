#include "storage/session.h"

#include "storage/row.h"
#include "storage/statements.h"

/* SESSION_COLUMNS */
static void read_row(struct db_stmt *q, struct session *out)
{
    *out = (struct session){0};
    out->id = db_col_int(q, 0);
    out->account_id = db_col_int(q, 1);
    out->created_us = db_col_int(q, 2);
    out->last_used_us = db_col_int(q, 3);
    out->idle_us = db_col_int(q, 4);
    out->absolute_us = db_col_int(q, 5);
    out->revoked_us = db_col_int(q, 6);
    row_text(q, 7, out->revoked_why, sizeof(out->revoked_why));
    row_text(q, 8, out->client_id, sizeof(out->client_id));
    row_text(q, 9, out->user_agent, sizeof(out->user_agent));
    row_text(q, 10, out->address, sizeof(out->address));
    row_text(q, 11, out->amr, sizeof(out->amr));
}

static bool read_one(struct db_stmt *q, struct session *out, struct err *err)
{
    switch (db_step(q, err)) {
    case DB_ROW:
        read_row(q, out);
        return true;
    case DB_DONE:
        return err_set(err, ERR_NOT_FOUND, "there is no such session");
    case DB_FAILED:
        return false;
    }
    BUG("db_step has no fourth answer");
}

bool session_create(struct db_tx *tx, const uint8_t sha256[32], struct session *s, int64_t now_us,
                    struct err *err)
{
    int64_t lives_us = s->idle_us < s->absolute_us ? s->idle_us : s->absolute_us;
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_SESSION_INSERT);
    db_bind_int(q, 1, s->account_id);
    db_bind_blob(q, 2, slice_of_bytes(sha256, 32));
    db_bind_int(q, 3, now_us);
    db_bind_int(q, 4, s->idle_us);
    db_bind_int(q, 5, s->absolute_us);
    db_bind_int(q, 6, now_us + lives_us);
    db_bind_str(q, 7, s->client_id);
    db_bind_str(q, 8, s->user_agent);
    db_bind_str(q, 9, s->address);
    db_bind_str(q, 10, s->amr);
    s->created_us = s->last_used_us = now_us;
    return row_int(q, &s->id, err);
}

bool session_find(struct db_tx *tx, const uint8_t sha256[32], struct session *out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_SESSION_FIND);
    db_bind_blob(q, 1, slice_of_bytes(sha256, 32));
    return read_one(q, out, err);
}

bool session_get(struct db_tx *tx, int64_t id, struct session *out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_SESSION_GET);
    db_bind_int(q, 1, id);
    return read_one(q, out, err);
}

bool session_touch(struct db_tx *tx, int64_t id, const char *address, int64_t now_us,
                   struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_SESSION_TOUCH);
    db_bind_int(q, 1, id);
    db_bind_int(q, 2, now_us);
    db_bind_str(q, 3, address);
    return db_run(q, err);
}

static bool end_rows(struct db_tx *tx, enum sql statement, int64_t id, const char *why,
                     int64_t now_us, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, (int)statement);
    db_bind_int(q, 1, id);
    db_bind_int(q, 2, now_us);
    db_bind_str(q, 3, why);
    return db_run(q, err);
}

bool session_revoke(struct db_tx *tx, int64_t id, const char *why, int64_t now_us, struct err *err)
{
    struct session s;
    return session_get(tx, id, &s, err) && end_rows(tx, SQL_SESSION_REVOKE, id, why, now_us, err);
}

bool session_revoke_account(struct db_tx *tx, int64_t account_id, const char *why, int64_t now_us,
                            struct err *err)
{
    return end_rows(tx, SQL_SESSION_REVOKE_ACCOUNT, account_id, why, now_us, err);
}

bool session_purge(struct db_tx *tx, int64_t now_us, int64_t keep_us, int max, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_SESSION_PURGE);
    db_bind_int(q, 1, now_us - keep_us);
    db_bind_int(q, 2, max);
    return db_run(q, err);
}

bool session_list(struct db_tx *tx, int64_t account_id, int max, struct session_list *out,
                  struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_SESSION_LIST);
    db_bind_int(q, 1, account_id);
    db_bind_int(q, 2, max);

    *out = (struct session_list){0};
    enum db_result result;
    while ((result = db_step(q, err)) == DB_ROW) {
        out->items = list_room(out->items, out->count, sizeof(*out->items));
        read_row(q, &out->items[out->count++]);
    }
    if (result == DB_FAILED) {
        session_list_dispose(out);
        return false;
    }
    return true;
}

void session_list_dispose(struct session_list *list)
{
    free(list->items);
    *list = (struct session_list){0};
}
