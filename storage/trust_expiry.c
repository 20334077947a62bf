#include "storage/trust_expiry.h"

#include "storage/row.h"
#include "storage/statements.h"

void expiry_list_dispose(struct expiry_list *list)
{
    free(list->items);
    *list = (struct expiry_list){0};
}

/* EXPIRY_COLUMNS */
static bool read_row(struct db_stmt *q, struct expiry *out, struct err *err)
{
    *out = (struct expiry){.repository_id = db_col_int(q, 0),
                           .kind = (enum expiry_kind)db_col_int(q, 2),
                           .expires_us = db_col_int(q, 4)};
    row_text(q, 3, out->role, sizeof(out->role));
    return repo_name_parse(db_col_text(q, 1), &out->repo, err);
}

static bool read_rows(struct db_stmt *q, struct expiry_list *out, struct err *err)
{
    *out = (struct expiry_list){0};
    enum db_result result;
    while ((result = db_step(q, err)) == DB_ROW) {
        out->items = list_room(out->items, out->count, sizeof(*out->items));
        if (!read_row(q, &out->items[out->count++], err)) {
            result = DB_FAILED;
            break;
        }
    }
    if (result == DB_FAILED) {
        expiry_list_dispose(out);
        return false;
    }
    return true;
}

bool expiry_put(struct db_tx *tx, int64_t repository_id, enum expiry_kind kind, struct slice role,
                int64_t expires_us, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_EXPIRY_PUT);
    db_bind_int(q, 1, repository_id);
    db_bind_int(q, 2, kind);
    db_bind_text(q, 3, role);
    db_bind_int(q, 4, expires_us);
    return db_run(q, err);
}

bool expiry_remove(struct db_tx *tx, int64_t repository_id, enum expiry_kind kind,
                   struct slice role, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_EXPIRY_REMOVE);
    db_bind_int(q, 1, repository_id);
    db_bind_int(q, 2, kind);
    db_bind_text(q, 3, role);
    return db_run(q, err);
}

bool expiry_remove_role(struct db_tx *tx, int64_t repository_id, struct slice role, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_EXPIRY_REMOVE_ROLE);
    db_bind_int(q, 1, repository_id);
    db_bind_text(q, 2, role);
    return db_run(q, err);
}

bool expiry_list_before(struct db_tx *tx, int64_t namespace_id, int64_t before_us,
                        const struct expiry_place *after, int max, struct expiry_list *out,
                        struct err *err)
{
    auto_stmt struct db_stmt *q =
        db_stmt(tx, namespace_id ? SQL_EXPIRY_LIST_NAMESPACE : SQL_EXPIRY_LIST);
    db_bind_int(q, 1, before_us);
    db_bind_int(q, 2, after->expires_us);
    db_bind_int(q, 3, after->repository_id);
    db_bind_int(q, 4, after->kind);
    db_bind_str(q, 5, after->role);
    db_bind_int(q, 6, max);
    if (namespace_id) {
        db_bind_int(q, 7, namespace_id);
    }
    return read_rows(q, out, err);
}

bool expiry_list_repository(struct db_tx *tx, int64_t repository_id, struct expiry_list *out,
                            struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_EXPIRY_LIST_REPOSITORY);
    db_bind_int(q, 1, repository_id);
    return read_rows(q, out, err);
}

bool expiry_count(struct db_tx *tx, enum expiry_kind kind, int64_t before_us, int64_t *out,
                  struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_EXPIRY_COUNT);
    db_bind_int(q, 1, kind);
    db_bind_int(q, 2, before_us);
    return row_int(q, out, err);
}

bool expiry_unknown(struct db_tx *tx, int max, struct expiry_list *out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_EXPIRY_UNKNOWN);
    db_bind_int(q, 1, max);
    return read_rows(q, out, err);
}
