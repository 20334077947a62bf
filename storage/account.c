#include "storage/account.h"

#include "storage/row.h"
#include "storage/statements.h"

/* ACCOUNT_COLUMNS */
static void read_row(struct db_stmt *q, struct account *out)
{
    *out = (struct account){0};
    out->id = db_col_int(q, 0);
    out->kind = (enum account_kind)db_col_int(q, 1);
    row_text(q, 2, out->name, sizeof(out->name));
    out->administrator = db_col_int(q, 3) != 0;
    out->disabled = db_col_int(q, 4) != 0;
    out->namespace_id = db_col_int(q, 5);
    out->actions = (unsigned)db_col_int(q, 6);
    row_text(q, 7, out->password_hash, sizeof(out->password_hash));
    out->password_version = db_col_int(q, 8);
    out->created_us = db_col_int(q, 9);
}

static bool read_one(struct db_stmt *q, struct account *out, struct err *err)
{
    switch (db_step(q, err)) {
    case DB_ROW:
        read_row(q, out);
        return true;
    case DB_DONE:
        return err_set(err, ERR_ACCOUNT_UNKNOWN, "");
    case DB_FAILED:
        return false;
    }
    BUG("db_step has no fourth answer");
}

static bool insert(struct db_tx *tx, const struct account_new *a, int64_t now_us, int64_t *id_out,
                   struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_ACCOUNT_INSERT);
    db_bind_int(q, 1, a->kind);
    db_bind_text(q, 2, a->name);
    db_bind_int(q, 3, a->administrator);
    if (a->namespace_id != 0) {
        db_bind_int(q, 4, a->namespace_id);
    } else {
        db_bind_null(q, 4);
    }
    db_bind_int(q, 5, a->actions);
    db_bind_str(q, 6, a->password_hash ? a->password_hash : "");
    db_bind_int(q, 7, now_us);
    return row_int(q, id_out, err);
}

bool account_create(struct db_tx *tx, const struct account_new *new_account, int64_t now_us,
                    int64_t *id_out, struct err *err)
{
    struct account taken;
    struct err why = {0};
    if (account_get_by_name(tx, new_account->name, &taken, &why)) {
        return err_set(err, ERR_CONFLICT, "there is an account %.*s already",
                       SLICE_FMT(new_account->name));
    }
    if (why.code != ERR_ACCOUNT_UNKNOWN) {
        if (err) {
            *err = why;
        }
        return false;
    }
    return insert(tx, new_account, now_us, id_out, err);
}

bool account_get(struct db_tx *tx, int64_t id, struct account *out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_ACCOUNT_GET);
    db_bind_int(q, 1, id);
    return read_one(q, out, err);
}

bool account_get_by_name(struct db_tx *tx, struct slice name, struct account *out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_ACCOUNT_GET_BY_NAME);
    db_bind_text(q, 1, name);
    return read_one(q, out, err);
}

bool account_set_password(struct db_tx *tx, int64_t id, const char *password_hash, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_ACCOUNT_SET_PASSWORD);
    db_bind_int(q, 1, id);
    db_bind_str(q, 2, password_hash);
    return row_changed(tx, q, ERR_ACCOUNT_UNKNOWN, err);
}

static bool set_flag(struct db_tx *tx, enum sql statement, int64_t id, bool value, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, (int)statement);
    db_bind_int(q, 1, id);
    db_bind_int(q, 2, value);
    return row_changed(tx, q, ERR_ACCOUNT_UNKNOWN, err);
}

bool account_set_disabled(struct db_tx *tx, int64_t id, bool disabled, struct err *err)
{
    return set_flag(tx, SQL_ACCOUNT_SET_DISABLED, id, disabled, err);
}

bool account_set_administrator(struct db_tx *tx, int64_t id, bool administrator, struct err *err)
{
    return set_flag(tx, SQL_ACCOUNT_SET_ADMINISTRATOR, id, administrator, err);
}

bool account_delete(struct db_tx *tx, int64_t id, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_ACCOUNT_DELETE);
    db_bind_int(q, 1, id);
    return row_changed(tx, q, ERR_ACCOUNT_UNKNOWN, err);
}

static void read_item(struct db_stmt *q, void *item)
{
    read_row(q, item);
}

static bool read_page(struct db_stmt *q, int max, struct account_list *out, struct err *err)
{
    struct row_page page;
    bool ok = row_page(q, max, sizeof(*out->items), read_item, &page, err);
    *out = (struct account_list){page.items, page.count, page.more};
    if (!ok) {
        account_list_dispose(out);
    }
    return ok;
}

static bool list_users(struct db_tx *tx, struct slice last, int max, struct account_list *out,
                       struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_ACCOUNT_LIST_USERS);
    db_bind_text(q, 1, last);
    db_bind_int(q, 2, (int64_t)max + 1);
    return read_page(q, max, out, err);
}

bool account_list(struct db_tx *tx, enum account_kind kind, int64_t namespace_id, struct slice last,
                  int max, struct account_list *out, struct err *err)
{
    if (kind == ACCOUNT_USER) {
        return list_users(tx, last, max, out, err);
    }
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_ACCOUNT_LIST_NAMESPACE);
    db_bind_int(q, 1, namespace_id);
    db_bind_int(q, 2, kind);
    db_bind_text(q, 3, last);
    db_bind_int(q, 4, (int64_t)max + 1);
    return read_page(q, max, out, err);
}

void account_list_dispose(struct account_list *list)
{
    free(list->items);
    *list = (struct account_list){0};
}
