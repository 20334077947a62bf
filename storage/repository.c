#include "storage/repository.h"

#include "storage/row.h"
#include "storage/statements.h"

/* REPOSITORY_COLUMNS */
static void read_row(struct db_stmt *q, struct repository *out)
{
    *out = (struct repository){0};
    out->id = db_col_int(q, 0);
    out->namespace_id = db_col_int(q, 1);
    row_text(q, 2, out->name.text, sizeof(out->name.text));
    struct slice name = slice_str(out->name.text);
    ptrdiff_t slash = slice_index(name, '/');
    out->name.n = (uint16_t)name.n;
    out->name.namespace_n = (uint16_t)(slash > 0 ? slash : 0);
    out->visibility = (enum visibility)db_col_int(q, 3);
    out->namespace_incarnation = db_col_int(q, 4);
    out->gate_generation = db_col_int(q, 5);
    out->manifest_count = db_col_int(q, 6);
    out->created_us = db_col_int(q, 7);
}

static bool read_one(struct db_stmt *q, struct repository *out, struct err *err)
{
    switch (db_step(q, err)) {
    case DB_ROW:
        read_row(q, out);
        return true;
    case DB_DONE:
        return err_set(err, ERR_NAME_UNKNOWN, "");
    case DB_FAILED:
        return false;
    }
    BUG("db_step has no fourth answer");
}

bool repository_get(struct db_tx *tx, const struct repo_name *name, struct repository *out,
                    struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_REPOSITORY_GET);
    db_bind_text(q, 1, repo_name_slice(name));
    return read_one(q, out, err);
}

bool repository_get_by_id(struct db_tx *tx, int64_t id, struct repository *out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_REPOSITORY_GET_BY_ID);
    db_bind_int(q, 1, id);
    return read_one(q, out, err);
}

bool repository_get_hidden(struct db_tx *tx, int64_t id, struct repository *out, bool *marked_out,
                           struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_REPOSITORY_GET_HIDDEN);
    db_bind_int(q, 1, id);
    if (!read_one(q, out, err)) {
        return false;
    }
    *marked_out = db_col_int(q, 8) != 0;
    return true;
}

static bool refuse_deleted(struct db_tx *tx, const struct repo_name *name, struct err *err)
{
    bool deleted = false;
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_REPOSITORY_IS_DELETED);
    db_bind_text(q, 1, repo_name_slice(name));
    if (!row_exists(q, &deleted, err)) {
        return false;
    }
    return !deleted || err_set(err, ERR_BUSY,
                               "the repository %s is being deleted, try again when that is done",
                               name->text);
}

static bool insert(struct db_tx *tx, const struct repo_name *name, int64_t now_us, struct err *err)
{
    struct namespace_name ns;
    repo_name_namespace(name, &ns);
    if (!refuse_deleted(tx, name, err)) {
        return false;
    }

    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_REPOSITORY_INSERT);
    db_bind_text(q, 1, namespace_name_slice(&ns));
    db_bind_text(q, 2, repo_name_slice(name));
    db_bind_int(q, 3, now_us);
    if (!db_run(q, err)) {
        return false;
    }
    if (db_changes(tx) == 0) {
        return err_set(err, ERR_NAMESPACE_UNKNOWN, "there is no namespace %s", ns.text);
    }
    return true;
}

bool repository_ensure(struct db_tx *tx, const struct repo_name *name, int64_t now_us,
                       struct repository *out, bool *created_out, struct err *err)
{
    struct err why = {0};
    bool found = repository_get(tx, name, out, &why);
    if (created_out) {
        *created_out = !found;
    }
    if (found) {
        return true;
    }
    if (why.code != ERR_NAME_UNKNOWN) {
        if (err) {
            *err = why;
        }
        return false;
    }
    /* what makes it is about to put something there; if not, it is looked at again */
    return insert(tx, name, now_us, err) && repository_get(tx, name, out, err) &&
           repository_may_be_empty(tx, out->id, now_us + REPOSITORY_IDLE_US, err);
}

static bool bump(struct db_tx *tx, enum sql statement, int64_t id, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, (int)statement);
    if (statement != SQL_REPOSITORY_GATE_BUMP_ALL) {
        db_bind_int(q, 1, id);
    }
    return db_run(q, err);
}

bool repository_gate_bump(struct db_tx *tx, int64_t repository_id, struct err *err)
{
    return bump(tx, SQL_REPOSITORY_GATE_BUMP, repository_id, err);
}

bool repository_gate_bump_namespace(struct db_tx *tx, int64_t namespace_id, struct err *err)
{
    return bump(tx, SQL_REPOSITORY_GATE_BUMP_NAMESPACE, namespace_id, err);
}

bool repository_gate_bump_all(struct db_tx *tx, struct err *err)
{
    return bump(tx, SQL_REPOSITORY_GATE_BUMP_ALL, 0, err);
}

static bool refuse_charge(struct db_tx *tx, int64_t repository_id, int64_t bytes, struct err *err)
{
    struct repository repository;
    struct namespace ns;
    return repository_get_by_id(tx, repository_id, &repository, err) &&
           namespace_get_by_id(tx, repository.namespace_id, &ns, err) &&
           namespace_refuse(&ns, bytes, err);
}

bool repository_charge(struct db_tx *tx, int64_t repository_id, int64_t bytes, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_REPOSITORY_CHARGE);
    db_bind_int(q, 1, repository_id);
    db_bind_int(q, 2, bytes);
    if (!db_run(q, err)) {
        return false;
    }
    return db_changes(tx) > 0 || refuse_charge(tx, repository_id, bytes, err);
}

bool repository_may_be_empty(struct db_tx *tx, int64_t repository_id, int64_t not_before_us,
                             struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_REPOSITORY_IDLE_PUT);
    db_bind_int(q, 1, repository_id);
    db_bind_int(q, 2, not_before_us);
    return db_run(q, err);
}

bool repository_has_trust(struct db_tx *tx, int64_t repository_id, bool *out, struct err *err)
{
    int64_t has = 0;
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_REPOSITORY_HAS_TRUST);
    db_bind_int(q, 1, repository_id);
    bool done = row_int(q, &has, err);
    *out = has != 0;
    return done;
}

/* The namespace is 0 when it does not count the repository, since it is deleted. */
static bool change_counts(struct db_tx *tx, int64_t repository_id, int64_t change,
                          int64_t *now_out, int64_t *namespace_out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_REPOSITORY_COUNT_MANIFEST);
    db_bind_int(q, 1, repository_id);
    db_bind_int(q, 2, change);
    if (!row_int(q, now_out, err)) {
        return false;
    }
    *namespace_out = db_col_int(q, 2) == 0 ? db_col_int(q, 1) : 0;
    return true;
}

bool repository_count_deleted(struct db_tx *tx, int64_t repository_id, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_REPOSITORY_COUNT_HIDDEN);
    db_bind_int(q, 1, repository_id);
    return db_run(q, err);
}

bool repository_count_manifests(struct db_tx *tx, int64_t repository_id, int64_t change,
                                struct err *err)
{
    int64_t now = 0;
    int64_t namespace_id = 0;
    if (!change_counts(tx, repository_id, change, &now, &namespace_id, err)) {
        return false;
    }
    int64_t appeared = (now > 0) - (now - change > 0);
    if (appeared == 0 || namespace_id == 0) {
        return true;
    }
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_REPOSITORY_COUNT_SHOWN);
    db_bind_int(q, 1, namespace_id);
    db_bind_int(q, 2, appeared);
    return db_run(q, err);
}

static void read_item(struct db_stmt *q, void *item)
{
    read_row(q, item);
}

static bool read_page(struct db_stmt *q, int max, struct repository_list *out, struct err *err)
{
    struct row_page page;
    bool ok = row_page(q, max, sizeof(*out->items), read_item, &page, err);
    *out = (struct repository_list){page.items, page.count, page.more};
    if (!ok) {
        repository_list_dispose(out);
    }
    return ok;
}

static bool list_all(struct db_tx *tx, struct slice last, int max, struct repository_list *out,
                     struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_REPOSITORY_LIST_ALL);
    db_bind_text(q, 1, last);
    db_bind_int(q, 2, (int64_t)max + 1);
    return read_page(q, max, out, err);
}

bool repository_list(struct db_tx *tx, const struct reader *reader, struct slice last, int max,
                     struct repository_list *out, struct err *err)
{
    if (reader->all) {
        return list_all(tx, last, max, out, err);
    }
    /* no name after `last` is in a namespace whose prefix sorts before that of `last` */
    ptrdiff_t slash = slice_index(last, '/');
    struct slice prefix = slash < 0 ? last : slice_first(last, (size_t)slash + 1);

    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_REPOSITORY_LIST_READABLE);
    db_bind_int(q, 1, reader->account_id);
    db_bind_int(q, 2, reader->namespace_id);
    db_bind_int(q, 3, reader->signed_in);
    db_bind_text(q, 4, last);
    db_bind_text(q, 5, prefix);
    db_bind_int(q, 6, (int64_t)max + 1);
    return read_page(q, max, out, err);
}

bool repository_list_namespace(struct db_tx *tx, int64_t namespace_id, bool empty_too,
                               struct slice last, int max, struct repository_list *out,
                               struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_REPOSITORY_LIST_NAMESPACE);
    db_bind_int(q, 1, namespace_id);
    db_bind_text(q, 2, last);
    db_bind_int(q, 3, empty_too);
    db_bind_int(q, 4, (int64_t)max + 1);
    return read_page(q, max, out, err);
}

bool repository_list_trusted(struct db_tx *tx, int64_t after, int max, struct repository_list *out,
                             struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_REPOSITORY_LIST_TRUSTED);
    db_bind_int(q, 1, after);
    db_bind_int(q, 2, (int64_t)max + 1);
    return read_page(q, max, out, err);
}

void repository_list_dispose(struct repository_list *list)
{
    free(list->items);
    *list = (struct repository_list){0};
}
