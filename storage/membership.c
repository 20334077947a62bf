#include "storage/membership.h"

#include "storage/row.h"
#include "storage/statements.h"

static const char *const role_names[] = {
    [MEMBER_NONE] = "none",           [MEMBER_READER] = "reader",
    [MEMBER_DEVELOPER] = "developer", [MEMBER_MAINTAINER] = "maintainer",
    [MEMBER_OWNER] = "owner",
};

const char *member_role_name(enum member_role role)
{
    return role_names[role];
}

bool member_role_parse(struct slice text, enum member_role *out)
{
    for (size_t i = MEMBER_READER; i <= MEMBER_OWNER; i++) {
        if (slice_is(text, role_names[i])) {
            *out = (enum member_role)i;
            return true;
        }
    }
    return false;
}

bool membership_get(struct db_tx *tx, int64_t namespace_id, int64_t account_id,
                    struct membership *out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_MEMBERSHIP_GET);
    db_bind_int(q, 1, namespace_id);
    db_bind_int(q, 2, account_id);

    *out = (struct membership){.role = MEMBER_NONE};
    switch (db_step(q, err)) {
    case DB_ROW:
        out->role = (enum member_role)db_col_int(q, 0);
        out->signer = db_col_int(q, 1) != 0;
        return true;
    case DB_DONE:
        return true;
    case DB_FAILED:
        return false;
    }
    BUG("db_step has no fourth answer");
}

bool membership_put(struct db_tx *tx, int64_t namespace_id, int64_t account_id,
                    const struct membership *m, int64_t now_us, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_MEMBERSHIP_PUT);
    db_bind_int(q, 1, namespace_id);
    db_bind_int(q, 2, account_id);
    db_bind_int(q, 3, m->role);
    db_bind_int(q, 4, m->signer);
    db_bind_int(q, 5, now_us);
    return db_run(q, err);
}

bool membership_delete(struct db_tx *tx, int64_t namespace_id, int64_t account_id, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_MEMBERSHIP_DELETE);
    db_bind_int(q, 1, namespace_id);
    db_bind_int(q, 2, account_id);
    return row_changed(tx, q, ERR_NOT_FOUND, err);
}

bool membership_owners(struct db_tx *tx, int64_t namespace_id, int64_t *count_out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_MEMBERSHIP_OWNERS);
    db_bind_int(q, 1, namespace_id);
    return row_int(q, count_out, err);
}

bool membership_list(struct db_tx *tx, int64_t namespace_id, struct membership_list *out,
                     struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_MEMBERSHIP_LIST);
    db_bind_int(q, 1, namespace_id);

    *out = (struct membership_list){0};
    enum db_result result;
    while ((result = db_step(q, err)) == DB_ROW) {
        out->items = list_room(out->items, out->count, sizeof(*out->items));
        struct membership_item *item = &out->items[out->count++];
        item->account_id = db_col_int(q, 0);
        row_text(q, 1, item->name, sizeof(item->name));
        item->m.role = (enum member_role)db_col_int(q, 2);
        item->m.signer = db_col_int(q, 3) != 0;
        item->created_us = db_col_int(q, 4);
    }
    if (result == DB_FAILED) {
        membership_list_dispose(out);
        return false;
    }
    return true;
}

void membership_list_dispose(struct membership_list *list)
{
    free(list->items);
    *list = (struct membership_list){0};
}
