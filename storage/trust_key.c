#include "storage/trust_key.h"

#include "storage/row.h"
#include "storage/statements.h"

void trust_key_dispose(struct trust_key *key)
{
    buf_dispose(&key->public_der);
    buf_wipe(&key->sealed);
    *key = (struct trust_key){0};
}

void trust_key_list_dispose(struct trust_key_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        trust_key_dispose(&list->items[i]);
    }
    free(list->items);
    *list = (struct trust_key_list){0};
}

/* KEY_COLUMNS */
static void read_key(struct db_stmt *q, struct trust_key *out)
{
    *out = (struct trust_key){0};
    out->id = db_col_int(q, 0);
    row_text(q, 1, out->role, sizeof(out->role));
    row_text(q, 2, out->key_id, sizeof(out->key_id));
    out->state = (enum trust_key_state)db_col_int(q, 3);
    out->created_us = db_col_int(q, 4);
    buf_slice(&out->public_der, db_col_blob(q, 5));
    buf_slice(&out->sealed, db_col_blob(q, 6));
    row_text(q, 7, out->sealed_by, sizeof(out->sealed_by));
}

static bool read_one(struct db_stmt *q, struct trust_key *out, struct err *err)
{
    *out = (struct trust_key){0};
    switch (db_step(q, err)) {
    case DB_ROW:
        read_key(q, out);
        return true;
    case DB_DONE:
        return err_set(err, ERR_NOT_FOUND, "there is no such key");
    case DB_FAILED:
        return false;
    }
    BUG("db_step has no fourth answer");
}

bool trust_key_put(struct db_tx *tx, int64_t repository_id, const struct trust_key_new *key,
                   int64_t now_us, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_TRUST_KEY_INSERT);
    db_bind_int(q, 1, repository_id);
    db_bind_text(q, 2, key->role);
    db_bind_str(q, 3, key->key_id);
    db_bind_int(q, 4, now_us);
    db_bind_blob(q, 5, key->public_der);
    db_bind_blob(q, 6, key->sealed);
    db_bind_str(q, 7, key->sealed_by);
    return db_run(q, err);
}

bool trust_key_pending(struct db_tx *tx, int64_t repository_id, struct slice role,
                       struct trust_key *out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_TRUST_KEY_PENDING);
    db_bind_int(q, 1, repository_id);
    db_bind_text(q, 2, role);
    return read_one(q, out, err);
}

bool trust_key_get(struct db_tx *tx, int64_t repository_id, struct slice role, const char *key_id,
                   struct trust_key *out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_TRUST_KEY_GET);
    db_bind_int(q, 1, repository_id);
    db_bind_text(q, 2, role);
    db_bind_str(q, 3, key_id);
    return read_one(q, out, err);
}

bool trust_key_set_state(struct db_tx *tx, int64_t id, enum trust_key_state state, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_TRUST_KEY_SET_STATE);
    db_bind_int(q, 1, id);
    db_bind_int(q, 2, state);
    return row_changed(tx, q, ERR_NOT_FOUND, err);
}

bool trust_key_list(struct db_tx *tx, int64_t repository_id, struct trust_key_list *out,
                    struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_TRUST_KEY_LIST);
    db_bind_int(q, 1, repository_id);

    *out = (struct trust_key_list){0};
    enum db_result result;
    while ((result = db_step(q, err)) == DB_ROW) {
        out->items = list_room(out->items, out->count, sizeof(*out->items));
        read_key(q, &out->items[out->count++]);
    }
    if (result == DB_FAILED) {
        trust_key_list_dispose(out);
        return false;
    }
    return true;
}

void trust_key_page_dispose(struct trust_key_page *page)
{
    for (size_t i = 0; i < page->count; i++) {
        trust_key_dispose(&page->items[i].key);
    }
    free(page->items);
    *page = (struct trust_key_page){0};
}

bool trust_key_page_read(struct db_tx *tx, bool unbound, int64_t after_id, int max,
                         struct trust_key_page *out, struct err *err)
{
    auto_stmt struct db_stmt *q =
        db_stmt(tx, unbound ? SQL_TRUST_KEY_PAGE_UNBOUND : SQL_TRUST_KEY_PAGE);
    db_bind_int(q, 1, after_id);
    db_bind_int(q, 2, max);

    *out = (struct trust_key_page){0};
    enum db_result result;
    while ((result = db_step(q, err)) == DB_ROW) {
        out->items = list_room(out->items, out->count, sizeof(*out->items));
        struct trust_key_owned *item = &out->items[out->count++];
        read_key(q, &item->key);
        row_text(q, 8, item->repository, sizeof(item->repository));
    }
    if (result == DB_FAILED) {
        trust_key_page_dispose(out);
        return false;
    }
    return true;
}

bool trust_key_reseal(struct db_tx *tx, int64_t id, const char *before, struct slice sealed,
                      const char *sealed_by, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_TRUST_KEY_RESEAL);
    db_bind_int(q, 1, id);
    db_bind_str(q, 2, before);
    db_bind_blob(q, 3, sealed);
    db_bind_str(q, 4, sealed_by);
    return row_changed(tx, q, ERR_NOT_FOUND, err);
}
