#include "storage/tombstone.h"

#include "storage/row.h"
#include "storage/statements.h"

void tombstone_dispose(struct tombstone *t)
{
    free(t->versions);
    free(t->roots);
    *t = (struct tombstone){0};
}

bool tombstone_put(struct db_tx *tx, int64_t repository_id, struct tombstone *t,
                   const struct actor *actor, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_TOMBSTONE_INSERT);
    db_bind_int(q, 1, repository_id);
    db_bind_int(q, 2, t->wiped_us);
    db_bind_str(q, 3, actor->name);
    db_bind_str(q, 4, t->reason);
    db_bind_int(q, 5, t->pin_kept);
    db_bind_str(q, 6, t->versions);
    db_bind_str(q, 7, t->roots);
    return row_int(q, &t->incarnation, err);
}

bool tombstone_get(struct db_tx *tx, int64_t repository_id, struct tombstone *out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_TOMBSTONE_GET);
    db_bind_int(q, 1, repository_id);

    *out = (struct tombstone){0};
    switch (db_step(q, err)) {
    case DB_ROW:
        out->incarnation = db_col_int(q, 0);
        out->wiped_us = db_col_int(q, 1);
        row_text(q, 2, out->wiped_by, sizeof(out->wiped_by));
        row_text(q, 3, out->reason, sizeof(out->reason));
        out->pin_kept = db_col_int(q, 4) != 0;
        out->versions = row_dup(q, 5);
        out->roots = row_dup(q, 6);
        return true;
    case DB_DONE:
        return err_set(err, ERR_NOT_FOUND, "the trust data was never wiped");
    case DB_FAILED:
        return false;
    }
    BUG("db_step has no fourth answer");
}
