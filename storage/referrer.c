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

/* A row of a list. */
static void read_item(struct db_stmt *q, void *out)
{
    struct referrer *item = out;
    (void)db_col_digest(q, 0, &item->digest);
    item->size = db_col_int(q, 1);
    row_text(q, 2, item->media_type, sizeof(item->media_type));
    row_text(q, 3, item->artifact_type, sizeof(item->artifact_type));
    item->annotations = row_dup(q, 4);
}

bool referrer_list(struct db_tx *tx, int64_t repository_id, const struct digest *subject,
                   struct slice artifact_type, const struct digest *after, int max,
                   struct referrer_list *out, struct err *err)
{
    auto_stmt struct db_stmt *q = page(tx, repository_id, subject, artifact_type, after, max);

    struct row_page page;
    bool ok = row_page(q, max, sizeof(*out->items), read_item, &page, err);
    *out = (struct referrer_list){page.items, page.count, page.more};
    if (!ok) {
        referrer_list_dispose(out);
    }
    return ok;
}

void referrer_list_dispose(struct referrer_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i].annotations);
    }
    free(list->items);
    *list = (struct referrer_list){0};
}
