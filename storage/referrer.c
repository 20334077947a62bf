#include "storage/referrer.h"

#include "storage/row.h"
#include "storage/statements.h"

static struct db_stmt *page(struct db_tx *tx, int64_t repository_id, const struct digest *subject,
                            struct slice artifact_type, const struct digest *after, int max)
{
    struct db_stmt *q =
        db_stmt(tx, artifact_type.n > 0 ? SQL_MANIFEST_REFERRERS_OF_TYPE : SQL_MANIFEST_REFERRERS);
    db_bind_int(q, 1, repository_id);
    db_bind_digest(q, 2, subject);
    if (after && digest_is_set(after)) {
        db_bind_digest(q, 3, after);
    } else {
        db_bind_blob(q, 3, SLICE_LIT("")); /* before every stored digest */
    }
    db_bind_int(q, 4, (int64_t)max + 1);
    if (artifact_type.n > 0) {
        db_bind_text(q, 5, artifact_type);
    }
    return q;
}

bool referrer_list(struct db_tx *tx, int64_t repository_id, const struct digest *subject,
                   struct slice artifact_type, const struct digest *after, int max,
                   struct referrer_list *out, struct err *err)
{
    auto_stmt struct db_stmt *q = page(tx, repository_id, subject, artifact_type, after, max);

    *out = (struct referrer_list){0};
    enum db_result result;
    while ((result = db_step(q, err)) == DB_ROW) {
        if (out->count == (size_t)max) {
            out->more = true;
            return true;
        }
        out->items = list_room(out->items, out->count, sizeof(*out->items));
        struct referrer *item = &out->items[out->count++];
        (void)db_col_digest(q, 0, &item->digest);
        item->size = db_col_int(q, 1);
        row_text(q, 2, item->media_type, sizeof(item->media_type));
        row_text(q, 3, item->artifact_type, sizeof(item->artifact_type));
        item->annotations = row_dup(q, 4);
    }
    if (result == DB_FAILED) {
        referrer_list_dispose(out);
        return false;
    }
    return true;
}

void referrer_list_dispose(struct referrer_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i].annotations);
    }
    free(list->items);
    *list = (struct referrer_list){0};
}
