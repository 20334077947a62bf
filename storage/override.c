#include "storage/override.h"

#include "storage/repository.h"
#include "storage/row.h"
#include "storage/statements.h"

void override_dispose(struct override *o)
{
    free(o->identities);
    *o = (struct override){0};
}

void override_list_dispose(struct override_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        override_dispose(&list->items[i]);
    }
    free(list->items);
    *list = (struct override_list){0};
}

void override_change_list_dispose(struct override_change_list *list)
{
    free(list->items);
    *list = (struct override_change_list){0};
}

enum override_state override_state_of(const struct override *o, int64_t now_us)
{
    if (o->ended.us > 0) {
        return OVERRIDE_ENDED;
    }
    if (now_us >= o->end_us) {
        return OVERRIDE_EXPIRED;
    }
    if (o->max_uses > 0 && o->uses >= o->max_uses) {
        return OVERRIDE_USED_UP;
    }
    if (o->two_person && o->approved.us == 0) {
        return OVERRIDE_WAITING;
    }
    return now_us < o->start_us ? OVERRIDE_AHEAD : OVERRIDE_ACTIVE;
}

bool override_names_account(const struct override *o, int64_t account_id)
{
    for (size_t i = 0; i < o->identity_count; i++) {
        if (account_id != 0 && o->identities[i].account_id == account_id) {
            return true;
        }
    }
    return false;
}

/* --- reading ---------------------------------------------------------------------------------- */

static void read_act(struct db_stmt *q, int column, struct override_act *out)
{
    out->us = db_col_int(q, column);
    out->account_id = db_col_int(q, column + 1);
    row_text(q, column + 2, out->name, sizeof(out->name));
}

/* OVERRIDE_COLUMNS */
static void read_row(struct db_stmt *q, void *item)
{
    struct override *out = item;
    out->id = db_col_int(q, 0);
    out->namespace_id = db_col_int(q, 1);
    out->repository_id = db_col_int(q, 2);
    row_text(q, 3, out->repository, sizeof(out->repository));
    (void)db_col_digest(q, 4, &out->digest);
    row_text(q, 5, out->reason, sizeof(out->reason));
    row_text(q, 6, out->ticket, sizeof(out->ticket));
    out->start_us = db_col_int(q, 7);
    out->end_us = db_col_int(q, 8);
    out->max_uses = db_col_int(q, 9);
    out->uses = db_col_int(q, 10);
    out->two_person = db_col_int(q, 11) != 0;
    out->changes = db_col_int(q, 12);
    read_act(q, 13, &out->created);
    read_act(q, 16, &out->approved);
    read_act(q, 19, &out->ended);
    row_text(q, 22, out->ended_why, sizeof(out->ended_why));
}

static void read_identity(struct db_stmt *q, void *item)
{
    struct override_identity *out = item;
    out->account_id = db_col_int(q, 0);
    row_text(q, 1, out->name, sizeof(out->name));
}

static bool add_identities(struct db_tx *tx, struct override *o, struct err *err)
{
    struct row_page page;
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_OVERRIDE_IDENTITIES);
    db_bind_int(q, 1, o->id);
    bool ok =
        row_page(q, OVERRIDE_IDENTITIES_MAX, sizeof(*o->identities), read_identity, &page, err);
    o->identities = page.items;
    o->identity_count = page.count;
    return ok;
}

/* Runs q, which gives OVERRIDE_COLUMNS. */
static bool list_of(struct db_tx *tx, struct db_stmt *q, int max, struct override_list *out,
                    struct err *err)
{
    struct row_page page;
    bool ok = row_page(q, max, sizeof(*out->items), read_row, &page, err);
    *out = (struct override_list){page.items, page.count, page.more};
    for (size_t i = 0; ok && i < out->count; i++) {
        ok = add_identities(tx, &out->items[i], err);
    }
    if (!ok) {
        override_list_dispose(out);
    }
    return ok;
}

bool override_get(struct db_tx *tx, int64_t namespace_id, int64_t id, struct override *out,
                  struct err *err)
{
    bool found = false;
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_OVERRIDE_GET);
    db_bind_int(q, 1, id);
    db_bind_int(q, 2, namespace_id);
    *out = (struct override){0};
    if (!row_exists(q, &found, err)) {
        return false;
    }
    if (!found) {
        return err_set(err, ERR_NOT_FOUND, "there is no override %lld here", (long long)id);
    }
    read_row(q, out);
    if (!add_identities(tx, out, err)) {
        override_dispose(out);
        return false;
    }
    return true;
}

bool override_list_live(struct db_tx *tx, int64_t repository_id, int64_t now_us,
                        struct override_list *out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_OVERRIDE_LIVE);
    db_bind_int(q, 1, repository_id);
    db_bind_int(q, 2, now_us);
    db_bind_int(q, 3, OVERRIDE_LIVE_MAX);
    return list_of(tx, q, OVERRIDE_LIVE_MAX, out, err);
}

bool override_names_digest(struct db_tx *tx, int64_t repository_id, const struct digest *digest,
                           int64_t now_us, bool *out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_OVERRIDE_NAMES);
    db_bind_int(q, 1, repository_id);
    db_bind_digest(q, 2, digest);
    db_bind_int(q, 3, now_us);
    return row_exists(q, out, err);
}

bool override_list_namespace(struct db_tx *tx, int64_t namespace_id, int64_t before, int max,
                             struct override_list *out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_OVERRIDE_LIST);
    db_bind_int(q, 1, namespace_id);
    db_bind_int(q, 2, before > 0 ? before : INT64_MAX);
    db_bind_int(q, 3, (int64_t)max + 1);
    return list_of(tx, q, max, out, err);
}

bool override_count_active(struct db_tx *tx, int64_t now_us, int64_t *out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_OVERRIDE_COUNT_ACTIVE);
    db_bind_int(q, 1, now_us);
    return row_int(q, out, err);
}

bool override_list_changes(struct db_tx *tx, int64_t now_us, struct override_change_list *out,
                           struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_OVERRIDE_CHANGES);
    db_bind_int(q, 1, now_us);
    *out = (struct override_change_list){0};
    enum db_result result;
    while ((result = db_step(q, err)) == DB_ROW) {
        out->items = list_room(out->items, out->count, sizeof(*out->items));
        out->items[out->count++] = (struct override_change){.id = db_col_int(q, 0),
                                                            .repository_id = db_col_int(q, 1),
                                                            .changes = db_col_int(q, 2),
                                                            .end_us = db_col_int(q, 3),
                                                            .ended = db_col_int(q, 4) > 0};
    }
    if (result == DB_FAILED) {
        override_change_list_dispose(out);
        return false;
    }
    return true;
}

/* --- changing --------------------------------------------------------------------------------- */

static bool has_room(struct db_tx *tx, int64_t repository_id, int64_t now_us, struct err *err)
{
    int64_t count = 0;
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_OVERRIDE_COUNT_LIVE);
    db_bind_int(q, 1, repository_id);
    db_bind_int(q, 2, now_us);
    if (!row_int(q, &count, err)) {
        return false;
    }
    return count < OVERRIDE_LIVE_MAX ||
           err_set(err, ERR_CONFLICT,
                   "the repository has %d overrides already; end those that are not needed",
                   OVERRIDE_LIVE_MAX);
}

static bool insert_identity(struct db_tx *tx, int64_t id, const struct override_identity *identity,
                            struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_OVERRIDE_ADD_IDENTITY);
    db_bind_int(q, 1, id);
    db_bind_int(q, 2, identity->account_id);
    db_bind_str(q, 3, identity->name);
    return db_run(q, err);
}

static bool insert_row(struct db_tx *tx, struct override *o, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_OVERRIDE_INSERT);
    db_bind_int(q, 1, o->namespace_id);
    db_bind_int(q, 2, o->repository_id);
    db_bind_str(q, 3, o->repository);
    db_bind_digest(q, 4, &o->digest);
    db_bind_str(q, 5, o->reason);
    db_bind_str(q, 6, o->ticket);
    db_bind_int(q, 7, o->start_us);
    db_bind_int(q, 8, o->end_us);
    db_bind_int(q, 9, o->max_uses);
    db_bind_int(q, 10, o->two_person);
    db_bind_int(q, 11, o->created.us);
    db_bind_int(q, 12, o->created.account_id);
    db_bind_str(q, 13, o->created.name);
    return row_int(q, &o->id, err);
}

bool override_insert(struct db_tx *tx, struct override *o, struct err *err)
{
    if (!has_room(tx, o->repository_id, o->created.us, err) || !insert_row(tx, o, err)) {
        return false;
    }
    for (size_t i = 0; i < o->identity_count; i++) {
        if (!insert_identity(tx, o->id, &o->identities[i], err)) {
            return false;
        }
    }
    return repository_gate_bump(tx, o->repository_id, err);
}

static bool bind_act(struct db_tx *tx, struct db_stmt *q, int64_t id, const struct actor *actor,
                     int64_t now_us, struct err *err)
{
    db_bind_int(q, 1, id);
    db_bind_int(q, 2, now_us);
    db_bind_int(q, 3, actor->account_id);
    db_bind_str(q, 4, actor->name);
    struct err why = {0};
    if (row_changed(tx, q, ERR_CONFLICT, &why)) {
        return true;
    }
    if (why.code == ERR_CONFLICT) {
        return err_set(err, ERR_CONFLICT, "override %lld has ended, or was approved already",
                       (long long)id);
    }
    *err = why;
    return false;
}

bool override_set_approved(struct db_tx *tx, const struct override *o, const struct actor *actor,
                           int64_t now_us, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_OVERRIDE_APPROVE);
    return bind_act(tx, q, o->id, actor, now_us, err) &&
           repository_gate_bump(tx, o->repository_id, err);
}

bool override_set_ended(struct db_tx *tx, const struct override *o, const char *why,
                        const struct actor *actor, int64_t now_us, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_OVERRIDE_END);
    db_bind_str(q, 5, why);
    return bind_act(tx, q, o->id, actor, now_us, err) &&
           repository_gate_bump(tx, o->repository_id, err);
}

bool override_end_repository(struct db_tx *tx, int64_t repository_id, const char *why,
                             const struct actor *actor, int64_t now_us, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_OVERRIDE_END_REPOSITORY);
    db_bind_int(q, 1, repository_id);
    db_bind_int(q, 2, now_us);
    db_bind_int(q, 3, actor->account_id);
    db_bind_str(q, 4, actor->name);
    db_bind_str(q, 5, why);
    return db_run(q, err);
}

/* --- uses ------------------------------------------------------------------------------------- */

bool override_standing_get(struct db_tx *tx, int64_t id, int64_t account_id, int64_t now_us,
                           struct override_standing *out, struct err *err)
{
    bool found = false;
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_OVERRIDE_STANDING);
    db_bind_int(q, 1, id);
    db_bind_int(q, 2, account_id);
    *out = (struct override_standing){0};
    if (!row_exists(q, &found, err)) {
        return false;
    }
    if (found) {
        int64_t used_us = db_col_int(q, 1);
        out->uses = db_col_int(q, 0);
        out->open = used_us > 0 && used_us <= now_us && now_us - used_us < OVERRIDE_USE_US;
    }
    return true;
}

bool override_count_use(struct db_tx *tx, int64_t id, int64_t account_id, int64_t now_us,
                        int64_t *changes_out, struct err *err)
{
    bool counted = false;
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_OVERRIDE_USE);
    auto_stmt struct db_stmt *note = db_stmt(tx, SQL_OVERRIDE_USE_NOTE);
    db_bind_int(q, 1, id);
    db_bind_int(q, 2, now_us);
    if (!row_exists(q, &counted, err)) {
        return false;
    }
    if (!counted) {
        return err_set(err, ERR_CONFLICT, "override %lld does not act any more", (long long)id);
    }
    *changes_out = db_col_int(q, 0);
    db_bind_int(note, 1, id);
    db_bind_int(note, 2, account_id);
    db_bind_int(note, 3, now_us);
    return db_run(note, err);
}
