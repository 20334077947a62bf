#include "storage/row.h"

#define LIST_FIRST 8

void row_text(struct db_stmt *q, int column, char *out, size_t n)
{
    struct slice text = slice_first(db_col_text(q, column), n - 1);
    memcpy(out, text.p, text.n);
    out[text.n] = '\0';
}

char *row_dup(struct db_stmt *q, int column)
{
    if (db_col_is_null(q, column)) {
        return NULL;
    }
    struct slice bytes = db_col_blob(q, column);
    char *copy = xmalloc(bytes.n + 1); /* not xstrndup: there may be NULs inside */
    memcpy(copy, bytes.p, bytes.n);
    copy[bytes.n] = '\0';
    return copy;
}

void row_bind_after(struct db_stmt *q, int index, const struct digest *after)
{
    if (digest_is_set(after)) {
        db_bind_digest(q, index, after);
    } else {
        db_bind_blob(q, index, SLICE_LIT(""));
    }
}

void row_hash(struct db_stmt *q, int column, uint8_t out[32])
{
    struct slice bytes = db_col_blob(q, column);
    memset(out, 0, 32);
    if (bytes.n == 32) {
        memcpy(out, bytes.p, 32);
    }
}

void *list_room(void *items, size_t count, size_t size)
{
    if (count == 0) {
        items = xrealloc(items, LIST_FIRST * size);
    } else if (count >= LIST_FIRST && (count & (count - 1)) == 0) {
        items = xrealloc(items, 2 * count * size);
    }
    memset((char *)items + count * size, 0, size);
    return items;
}

bool row_page(struct db_stmt *q, int max, size_t size, row_fn read, struct row_page *out,
              struct err *err)
{
    enum db_result result;
    *out = (struct row_page){0};
    while ((result = db_step(q, err)) == DB_ROW) {
        if (out->count == (size_t)max) {
            out->more = true;
            return true;
        }
        out->items = list_room(out->items, out->count, size);
        read(q, (char *)out->items + out->count++ * size);
    }
    return result == DB_DONE;
}

bool row_exists(struct db_stmt *q, bool *out, struct err *err)
{
    enum db_result result = db_step(q, err);
    *out = result == DB_ROW;
    return result != DB_FAILED;
}

bool row_int(struct db_stmt *q, int64_t *out, struct err *err)
{
    switch (db_step(q, err)) {
    case DB_ROW:
        *out = db_col_int(q, 0);
        return true;
    case DB_DONE:
        return err_internal(err, "a row was expected");
    case DB_FAILED:
        return false;
    }
    BUG("db_step has no fourth answer");
}

bool row_changed(struct db_tx *tx, struct db_stmt *q, enum err_code code, struct err *err)
{
    if (!db_run(q, err)) {
        return false;
    }
    return db_changes(tx) > 0 || err_set(err, code, "");
}
