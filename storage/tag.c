#include "storage/tag.h"

#include "storage/manifest.h"
#include "storage/row.h"
#include "storage/statements.h"
#include "storage/tag_rule.h"

static bool unknown(const struct tag_name *name, struct err *err)
{
    return err_set(err, ERR_TAG_UNKNOWN, "there is no tag %s here", name->text);
}

/* TAG_COLUMNS without the name */
static void read_tag(struct db_stmt *q, struct tag *out)
{
    *out = (struct tag){0};
    (void)db_col_digest(q, 1, &out->digest);
    out->size = db_col_int(q, 2);
    out->updated_us = db_col_int(q, 3);
    out->updated_by = db_col_int(q, 4);
    row_text(q, 5, out->updated_by_name, sizeof(out->updated_by_name));
}

bool tag_get(struct db_tx *tx, int64_t repository_id, const struct tag_name *name, struct tag *out,
             struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_TAG_GET);
    db_bind_int(q, 1, repository_id);
    db_bind_text(q, 2, tag_name_slice(name));

    switch (db_step(q, err)) {
    case DB_ROW:
        read_tag(q, out);
        return true;
    case DB_DONE:
        return unknown(name, err);
    case DB_FAILED:
        return false;
    }
    BUG("db_step has no fourth answer");
}

static bool add_history(struct db_tx *tx, int64_t repository_id, const struct tag_name *name,
                        const struct digest *digest, const struct actor *actor, int64_t now_us,
                        struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_TAG_HISTORY_INSERT);
    db_bind_int(q, 1, repository_id);
    db_bind_text(q, 2, tag_name_slice(name));
    db_bind_digest(q, 3, digest);
    db_bind_int(q, 4, now_us);
    db_bind_int(q, 5, actor->account_id);
    db_bind_str(q, 6, actor->name);
    return db_run(q, err);
}

static bool write_row(struct db_tx *tx, int64_t repository_id, const struct tag_name *name,
                      const struct digest *digest, const struct actor *actor, int64_t now_us,
                      struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_TAG_PUT);
    db_bind_int(q, 1, repository_id);
    db_bind_text(q, 2, tag_name_slice(name));
    db_bind_digest(q, 3, digest);
    db_bind_int(q, 4, now_us);
    db_bind_int(q, 5, actor->account_id);
    db_bind_str(q, 6, actor->name);
    return db_run(q, err);
}

static bool check_manifest(struct db_tx *tx, int64_t repository_id, const struct digest *digest,
                           struct err *err)
{
    bool here = false;
    if (!manifest_exists(tx, repository_id, digest, &here, err)) {
        return false;
    }
    return here || err_set(err, ERR_MANIFEST_UNKNOWN, "");
}

/* The time of a change: a clock that was set back is no reason for it to be older than the one before. */
static int64_t change_us(const struct tag *before, int64_t now_us)
{
    return before->updated_us > now_us ? before->updated_us : now_us;
}

bool tag_put(struct db_tx *tx, int64_t repository_id, const struct tag_name *name,
             const struct digest *digest, const struct actor *actor, int64_t now_us,
             enum tag_change *change_out, struct err *err)
{
    struct tag old = {0};
    struct err why = {0};
    enum tag_change change = TAG_CREATED;
    if (tag_get(tx, repository_id, name, &old, &why)) {
        change = digest_equal(&old.digest, digest) ? TAG_UNCHANGED : TAG_MOVED;
    } else if (why.code != ERR_TAG_UNKNOWN) {
        if (err) {
            *err = why;
        }
        return false;
    }
    if (change_out) {
        *change_out = change;
    }
    if (change == TAG_UNCHANGED) {
        return true;
    }
    int64_t at_us = change_us(&old, now_us); /* a new one has no time before */
    return check_manifest(tx, repository_id, digest, err) &&
           (change == TAG_CREATED || tag_rule_may_move(tx, repository_id, name, err)) &&
           write_row(tx, repository_id, name, digest, actor, at_us, err) &&
           add_history(tx, repository_id, name, digest, actor, at_us, err);
}

bool tag_delete(struct db_tx *tx, int64_t repository_id, const struct tag_name *name,
                const struct actor *actor, int64_t now_us, struct err *err)
{
    static const struct digest removed = {0};
    struct tag current;
    if (!tag_get(tx, repository_id, name, &current, err) ||
        !tag_rule_may_move(tx, repository_id, name, err)) {
        return false;
    }
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_TAG_DELETE);
    db_bind_int(q, 1, repository_id);
    db_bind_text(q, 2, tag_name_slice(name));
    if (!db_run(q, err)) {
        return false;
    }
    return add_history(tx, repository_id, name, &removed, actor, change_us(&current, now_us), err);
}

/* A row of a list. */
static void read_name(struct db_stmt *q, void *out)
{
    struct tag_item *item = out;
    row_text(q, 0, item->name.text, sizeof(item->name.text));
    item->name.n = (uint8_t)strlen(item->name.text);
}

static void read_item(struct db_stmt *q, void *out)
{
    struct tag_item *item = out;
    read_name(q, item);
    read_tag(q, &item->tag);
}

static bool read_page(struct db_stmt *q, int max, row_fn read, struct tag_list *out,
                      struct err *err)
{
    struct row_page page;
    bool ok = row_page(q, max, sizeof(*out->items), read, &page, err);
    *out = (struct tag_list){page.items, page.count, page.more};
    if (!ok) {
        tag_list_dispose(out);
    }
    return ok;
}

static struct db_stmt *page_after(struct db_tx *tx, enum sql statement, int64_t repository_id,
                                  struct slice last, int max)
{
    struct db_stmt *q = db_stmt(tx, (int)statement);
    db_bind_int(q, 1, repository_id);
    db_bind_text(q, 2, last);
    db_bind_int(q, 3, (int64_t)max + 1);
    return q;
}

bool tag_list(struct db_tx *tx, int64_t repository_id, struct slice last, int max,
              struct tag_list *out, struct err *err)
{
    auto_stmt struct db_stmt *q = page_after(tx, SQL_TAG_LIST, repository_id, last, max);
    return read_page(q, max, read_item, out, err);
}

bool tag_list_names(struct db_tx *tx, int64_t repository_id, struct slice last, int max,
                    struct tag_list *out, struct err *err)
{
    auto_stmt struct db_stmt *q = page_after(tx, SQL_TAG_LIST_NAMES, repository_id, last, max);
    return read_page(q, max, read_name, out, err);
}

bool tag_list_of_manifest(struct db_tx *tx, int64_t repository_id, const struct digest *digest,
                          int max, struct tag_list *out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_TAG_LIST_OF_MANIFEST);
    db_bind_int(q, 1, repository_id);
    db_bind_digest(q, 2, digest);
    db_bind_int(q, 3, (int64_t)max + 1);
    return read_page(q, max, read_item, out, err);
}

bool tag_history(struct db_tx *tx, int64_t repository_id, const struct tag_name *name, int max,
                 struct tag_list *out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_TAG_HISTORY_LIST);
    db_bind_int(q, 1, repository_id);
    db_bind_text(q, 2, tag_name_slice(name));
    db_bind_int(q, 3, (int64_t)max + 1);
    return read_page(q, max, read_item, out, err);
}

void tag_list_dispose(struct tag_list *list)
{
    free(list->items);
    *list = (struct tag_list){0};
}
