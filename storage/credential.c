#include "storage/credential.h"

#include "storage/row.h"
#include "storage/statements.h"

static bool read_one(struct db_stmt *q, struct credential *out, struct err *err)
{
    switch (db_step(q, err)) {
    case DB_ROW: /* CREDENTIAL_COLUMNS */
        out->id = db_col_int(q, 0);
        out->account_id = db_col_int(q, 1);
        out->kind = (enum credential_kind)db_col_int(q, 2);
        out->created_us = db_col_int(q, 3);
        out->last_used_us = db_col_int(q, 4);
        out->revoked_us = db_col_int(q, 5);
        return true;
    case DB_DONE:
        return err_set(err, ERR_NOT_FOUND, "there is no such secret");
    case DB_FAILED:
        return false;
    }
    BUG("db_step has no fourth answer");
}

bool credential_create(struct db_tx *tx, int64_t account_id, enum credential_kind kind,
                       const uint8_t sha256[32], int64_t now_us, int64_t *id_out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_CREDENTIAL_INSERT);
    db_bind_int(q, 1, account_id);
    db_bind_int(q, 2, kind);
    db_bind_blob(q, 3, slice_of_bytes(sha256, 32));
    db_bind_int(q, 4, now_us);

    int64_t id = 0;
    if (!row_int(q, &id, err)) {
        return false;
    }
    if (id_out) {
        *id_out = id;
    }
    return true;
}

bool credential_find(struct db_tx *tx, const uint8_t sha256[32], struct credential *out,
                     struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_CREDENTIAL_FIND);
    db_bind_blob(q, 1, slice_of_bytes(sha256, 32));
    return read_one(q, out, err);
}

bool credential_get(struct db_tx *tx, int64_t id, struct credential *out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_CREDENTIAL_GET);
    db_bind_int(q, 1, id);
    return read_one(q, out, err);
}

static bool set_time(struct db_tx *tx, enum sql statement, int64_t id, int64_t now_us,
                     struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, (int)statement);
    db_bind_int(q, 1, id);
    db_bind_int(q, 2, now_us);
    return db_run(q, err);
}

bool credential_touch(struct db_tx *tx, int64_t id, int64_t now_us, struct err *err)
{
    return set_time(tx, SQL_CREDENTIAL_TOUCH, id, now_us, err);
}

bool credential_revoke_account(struct db_tx *tx, int64_t account_id, int64_t now_us,
                               struct err *err)
{
    return set_time(tx, SQL_CREDENTIAL_REVOKE_ACCOUNT, account_id, now_us, err);
}
