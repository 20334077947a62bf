#include "storage/namespace.h"

#include "base/size.h"
#include "storage/row.h"
#include "storage/statements.h"

static const char *const visibility_names[] = {
    [VISIBILITY_PRIVATE] = "private",
    [VISIBILITY_INTERNAL] = "internal",
    [VISIBILITY_PUBLIC] = "public",
};

const char *visibility_name(enum visibility v)
{
    return visibility_names[v];
}

bool visibility_parse(struct slice text, enum visibility *out)
{
    for (size_t i = 0; i < sizeof(visibility_names) / sizeof(visibility_names[0]); i++) {
        if (slice_is(text, visibility_names[i])) {
            *out = (enum visibility)i;
            return true;
        }
    }
    return false;
}

/* NAMESPACE_COLUMNS */
static void read_row(struct db_stmt *q, struct namespace *out)
{
    *out = (struct namespace){0};
    out->id = db_col_int(q, 0);
    row_text(q, 1, out->name.text, sizeof(out->name.text));
    out->name.n = (uint16_t)strlen(out->name.text);
    out->visibility = (enum visibility)db_col_int(q, 2);
    out->incarnation = db_col_int(q, 3);
    out->quota_bytes = db_col_int(q, 4);
    out->used_bytes = db_col_int(q, 5);
    out->reserved_bytes = db_col_int(q, 6);
    out->created_us = db_col_int(q, 7);
    out->trust_bytes = db_col_int(q, 8);
}

static bool read_one(struct db_stmt *q, const char *name, struct namespace *out, struct err *err)
{
    switch (db_step(q, err)) {
    case DB_ROW:
        read_row(q, out);
        return true;
    case DB_DONE:
        return name ? err_set(err, ERR_NAMESPACE_UNKNOWN, "there is no namespace %s", name)
                    : err_set(err, ERR_NAMESPACE_UNKNOWN, "");
    case DB_FAILED:
        return false;
    }
    BUG("db_step has no fourth answer");
}

bool namespace_get(struct db_tx *tx, const struct namespace_name *name, struct namespace *out,
                   struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_NAMESPACE_GET);
    db_bind_text(q, 1, namespace_name_slice(name));
    return read_one(q, name->text, out, err);
}

bool namespace_get_by_id(struct db_tx *tx, int64_t id, struct namespace *out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_NAMESPACE_GET_BY_ID);
    db_bind_int(q, 1, id);
    return read_one(q, NULL, out, err);
}

static bool next_incarnation(struct db_tx *tx, int64_t *out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_NAMESPACE_NEXT_INCARNATION);
    return row_int(q, out, err);
}

static bool insert(struct db_tx *tx, struct namespace *ns, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_NAMESPACE_INSERT);
    db_bind_text(q, 1, namespace_name_slice(&ns->name));
    db_bind_int(q, 2, ns->visibility);
    db_bind_int(q, 3, ns->incarnation);
    db_bind_int(q, 4, ns->created_us);
    return row_int(q, &ns->id, err);
}

/* The row of a namespace that was deleted and is done with, if its name is still there. */
static bool revive(struct db_tx *tx, struct namespace *ns, bool *revived_out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_NAMESPACE_REVIVE);
    db_bind_text(q, 1, namespace_name_slice(&ns->name));
    db_bind_int(q, 2, ns->visibility);
    db_bind_int(q, 3, ns->incarnation);
    db_bind_int(q, 4, ns->created_us);
    if (!row_exists(q, revived_out, err)) {
        return false;
    }
    ns->id = *revived_out ? db_col_int(q, 0) : 0;
    return true;
}

static bool is_deleted(struct db_tx *tx, const struct namespace_name *name, bool *out,
                       struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_NAMESPACE_IS_DELETED);
    db_bind_text(q, 1, namespace_name_slice(name));
    return row_exists(q, out, err);
}

static bool take_name(struct db_tx *tx, struct namespace *ns, struct err *err)
{
    bool done = false;
    bool deleted = false;
    struct err why = {0};
    if (!revive(tx, ns, &done, err) || !is_deleted(tx, &ns->name, &deleted, err)) {
        return false;
    }
    if (done) {
        return true;
    }
    if (deleted) {
        return err_set(err, ERR_BUSY,
                       "the namespace %s is being deleted, try again when that is done",
                       ns->name.text);
    }
    if (insert(tx, ns, &why)) {
        return true;
    }
    if (why.code == ERR_CONFLICT) {
        return err_set(err, ERR_CONFLICT, "the namespace %s exists already", ns->name.text);
    }
    if (err) {
        *err = why;
    }
    return false;
}

bool namespace_create(struct db_tx *tx, const struct namespace_name *name,
                      enum visibility visibility, int64_t owner_account_id, int64_t now_us,
                      struct namespace *out, struct err *err)
{
    struct namespace ns = {.name = *name, .visibility = visibility, .created_us = now_us};
    struct membership owner = {.role = MEMBER_OWNER};

    if (!next_incarnation(tx, &ns.incarnation, err) || !take_name(tx, &ns, err)) {
        return false;
    }
    if (owner_account_id != 0 &&
        !membership_put(tx, ns.id, owner_account_id, &owner, now_us, err)) {
        return false;
    }
    if (out) {
        *out = ns;
    }
    return true;
}

static bool set_number(struct db_tx *tx, enum sql statement, int64_t id, int64_t value,
                       struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, (int)statement);
    db_bind_int(q, 1, id);
    db_bind_int(q, 2, value);
    return row_changed(tx, q, ERR_NAMESPACE_UNKNOWN, err);
}

bool namespace_set_visibility(struct db_tx *tx, int64_t id, enum visibility visibility,
                              struct err *err)
{
    return set_number(tx, SQL_NAMESPACE_SET_VISIBILITY, id, visibility, err);
}

bool namespace_set_quota(struct db_tx *tx, int64_t id, int64_t quota_bytes, struct err *err)
{
    return set_number(tx, SQL_NAMESPACE_SET_QUOTA, id, quota_bytes, err);
}

/* --- room ------------------------------------------------------------------------------------- */

int64_t namespace_room(const struct namespace *ns)
{
    int64_t room = ns->quota_bytes - ns->used_bytes - ns->reserved_bytes;
    if (ns->quota_bytes == 0) {
        return INT64_MAX;
    }
    return room > 0 ? room : 0;
}

bool namespace_refuse(const struct namespace *ns, int64_t more, struct err *err)
{
    char quota[SIZE_STR_MAX], used[SIZE_STR_MAX], reserved[SIZE_STR_MAX], asked[SIZE_STR_MAX];
    return err_set(err, ERR_QUOTA,
                   "%s more do not fit in the quota of namespace %s, %s: %s are used, %s held by "
                   "unfinished uploads; delete images or ask an administrator to raise it",
                   size_format(more, asked), ns->name.text, size_format(ns->quota_bytes, quota),
                   size_format(ns->used_bytes, used), size_format(ns->reserved_bytes, reserved));
}

bool namespace_reserve(struct db_tx *tx, int64_t id, int64_t bytes, struct err *err)
{
    return bytes == 0 || set_number(tx, SQL_NAMESPACE_RESERVE, id, bytes, err);
}

/* --- lists ------------------------------------------------------------------------------------ */

/* A row of a list. */
static void read_item(struct db_stmt *q, void *out)
{
    struct namespace_item *item = out;
    read_row(q, &item->ns);
    item->role = (enum member_role)db_col_int(q, 9);
    item->signer = db_col_int(q, 10) != 0;
    item->repositories = db_col_int(q, 11);
}

bool namespace_item(struct db_tx *tx, int64_t account_id, const struct namespace_name *name,
                    struct namespace_item *out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_NAMESPACE_ITEM);
    db_bind_int(q, 1, account_id);
    db_bind_text(q, 2, namespace_name_slice(name));
    bool found = false;
    if (!row_exists(q, &found, err)) {
        return false;
    }
    if (!found) {
        return err_set(err, ERR_NAMESPACE_UNKNOWN, "there is no namespace %s", name->text);
    }
    read_item(q, out);
    return true;
}

bool namespace_list(struct db_tx *tx, int64_t account_id, bool all, struct slice last, int max,
                    struct namespace_list *out, struct err *err)
{
    auto_stmt struct db_stmt *q =
        db_stmt(tx, all ? SQL_NAMESPACE_LIST_ALL : SQL_NAMESPACE_LIST_MEMBER);
    db_bind_int(q, 1, account_id);
    db_bind_text(q, 2, last);
    db_bind_int(q, 3, (int64_t)max + 1);

    struct row_page page;
    bool ok = row_page(q, max, sizeof(*out->items), read_item, &page, err);
    *out = (struct namespace_list){page.items, page.count, page.more};
    if (!ok) {
        namespace_list_dispose(out);
    }
    return ok;
}

void namespace_list_dispose(struct namespace_list *list)
{
    free(list->items);
    *list = (struct namespace_list){0};
}
