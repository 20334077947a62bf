#include "storage/row.h"
#include "storage/statements.h"
#include "storage/upload_internal.h"

bool upload_row_id(struct slice text, char out[UPLOAD_ID_MAX])
{
    if (text.n != UPLOAD_ID_MAX - 1) {
        return false;
    }
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? c != '-' : !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) {
            return false;
        }
    }
    memcpy(out, text.p, text.n);
    out[text.n] = '\0';
    return true;
}

static bool read_row(struct db_tx *tx, const char *id, struct upload_row *out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_UPLOAD_GET);
    db_bind_str(q, 1, id);
    switch (db_step(q, err)) {
    case DB_ROW:
        out->repository_id = db_col_int(q, 0);
        row_text(q, 1, out->repo, sizeof(out->repo));
        out->namespace_id = db_col_int(q, 2);
        out->namespace_incarnation = db_col_int(q, 3);
        out->account_id = db_col_int(q, 4);
        out->started_us = db_col_int(q, 5);
        out->single = db_col_int(q, 6) != 0;
        out->reserved = db_col_int(q, 7);
        return true;
    case DB_DONE:
        return upload_unknown(err);
    case DB_FAILED:
        return false;
    }
    BUG("db_step has no fourth answer");
}

bool upload_row_get(struct db *db, const char *id, struct upload_row *out, struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    return db_snapshot(db, &tx, err) && read_row(tx, id, out, err);
}

bool upload_row_is_of(const struct upload_row *row, const struct repo_name *repo,
                      int64_t account_id)
{
    return slice_is(repo_name_slice(repo), row->repo) && row->account_id == account_id;
}

struct upload *upload_row_session(struct store *store, const char *id, const struct repo_name *repo,
                                  const struct upload_row *row)
{
    struct upload *u = upload_new(store, id, UPLOAD_SESSION);
    u->repo = *repo;
    u->repository_id = row->repository_id;
    u->namespace_id = row->namespace_id;
    u->namespace_incarnation = row->namespace_incarnation;
    u->account_id = row->account_id;
    u->has_row = true;
    u->reserved = row->reserved;
    atomic_store(&u->last_used_us, row->started_us);
    return u;
}

bool upload_row_insert(struct db_tx *tx, const struct upload *u,
                       const struct repository *repository, int64_t reserved, int64_t now_us,
                       struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_UPLOAD_INSERT);
    db_bind_str(q, 1, u->id);
    db_bind_int(q, 2, repository->id);
    db_bind_int(q, 3, repository->namespace_incarnation);
    db_bind_int(q, 4, u->account_id);
    db_bind_int(q, 5, now_us);
    db_bind_int(q, 6, u->kind == UPLOAD_SINGLE);
    db_bind_int(q, 7, reserved);
    return db_run(q, err);
}

bool upload_row_reserved(struct db_tx *tx, const char *id, bool *found_out, int64_t *out,
                         struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_UPLOAD_RESERVED);
    db_bind_str(q, 1, id);
    bool done = row_exists(q, found_out, err);
    *out = done && *found_out ? db_col_int(q, 0) : 0;
    return done;
}

bool upload_row_set_reserved(struct db_tx *tx, const char *id, int64_t bytes, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_UPLOAD_SET_RESERVED);
    db_bind_str(q, 1, id);
    db_bind_int(q, 2, bytes);
    return db_run(q, err);
}

bool upload_row_delete(struct db_tx *tx, void *id, struct err *err)
{
    struct upload_row row;
    struct err why = {0};
    if (!read_row(tx, id, &row, &why)) {
        if (why.code != ERR_UPLOAD_UNKNOWN) {
            *err = why;
        }
        return why.code == ERR_UPLOAD_UNKNOWN;
    }
    if (!namespace_reserve(tx, row.namespace_id, -row.reserved, err)) {
        return false;
    }
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_UPLOAD_DELETE);
    db_bind_str(q, 1, id);
    return db_run(q, err);
}
