#include "storage/change_record.h"

#include "storage/row.h"
#include "storage/statements.h"

void change_record_list_dispose(struct change_record_list *list)
{
    free(list->items);
    *list = (struct change_record_list){0};
}

bool change_record_put(struct db_tx *tx, struct slice gun, enum change_category category,
                       int64_t version, const uint8_t *sha256, int64_t now_us, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_CHANGE_RECORD_INSERT);
    db_bind_int(q, 1, now_us);
    db_bind_text(q, 2, gun);
    db_bind_int(q, 3, category);
    db_bind_int(q, 4, version);
    if (sha256) {
        db_bind_blob(q, 5, slice_of_bytes(sha256, 32));
    } else {
        db_bind_null(q, 5);
    }
    return db_run(q, err);
}

bool change_record_has(struct db_tx *tx, struct slice gun, enum change_category category,
                       int64_t version, int64_t created_us, bool *out, struct err *err)
{
    int64_t count = 0;
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_CHANGE_RECORD_HAS);
    db_bind_text(q, 1, gun);
    db_bind_int(q, 2, version);
    db_bind_int(q, 3, created_us);
    db_bind_int(q, 4, category);
    bool done = row_int(q, &count, err);
    *out = count > 0;
    return done;
}

static bool read_page(struct db_stmt *q, struct change_record_list *out, struct err *err)
{
    *out = (struct change_record_list){0};
    enum db_result result;
    while ((result = db_step(q, err)) == DB_ROW) {
        out->items = list_room(out->items, out->count, sizeof(*out->items));
        struct change_record *record = &out->items[out->count++];
        record->id = db_col_int(q, 0);
        record->created_us = db_col_int(q, 1);
        row_text(q, 2, record->gun, sizeof(record->gun));
        record->version = db_col_int(q, 3);
        row_hash(q, 4, record->sha256);
        record->category = (enum change_category)db_col_int(q, 5);
    }
    if (result == DB_FAILED) {
        change_record_list_dispose(out);
        return false;
    }
    return true;
}

static bool page(struct db_tx *tx, enum sql of_all, enum sql of_gun, struct slice gun,
                 int64_t from_id, int max, struct change_record_list *out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, gun.n > 0 ? (int)of_gun : (int)of_all);
    db_bind_int(q, 1, from_id);
    db_bind_int(q, 2, max);
    if (gun.n > 0) {
        db_bind_text(q, 3, gun);
    }
    return read_page(q, out, err);
}

bool change_record_forward(struct db_tx *tx, struct slice gun, int64_t change_id, int max,
                           struct change_record_list *out, struct err *err)
{
    return page(tx, SQL_CHANGE_RECORD_FORWARD, SQL_CHANGE_RECORD_FORWARD_GUN, gun, change_id, max,
                out, err);
}

bool change_record_backward(struct db_tx *tx, struct slice gun, int64_t change_id, int max,
                            struct change_record_list *out, struct err *err)
{
    int64_t below = change_id > 0 ? change_id : INT64_MAX;
    if (!page(tx, SQL_CHANGE_RECORD_BACKWARD, SQL_CHANGE_RECORD_BACKWARD_GUN, gun, below, max, out,
              err)) {
        return false;
    }
    for (size_t i = 0, j = out->count; i + 1 < j; i++) { /* read newest first, told oldest first */
        struct change_record swap = out->items[i];
        out->items[i] = out->items[--j];
        out->items[j] = swap;
    }
    return true;
}
