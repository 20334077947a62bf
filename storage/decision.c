#include "storage/decision.h"

#include "base/hash.h"
#include "storage/decision_internal.h"
#include "storage/row.h"
#include "storage/statements.h"

/* --- appending -------------------------------------------------------------------------------- */

bool decision_head_get(struct db_tx *tx, struct decision_head *out, struct err *err)
{
    bool found = false;
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_DECISION_HEAD);
    *out = (struct decision_head){0};
    if (!row_exists(q, &found, err)) {
        return false;
    }
    row_hash(q, 0, out->sha256);
    out->total_bytes = db_col_int(q, 1);
    return found || err_internal(err, "the row of the decisions' chain is missing");
}

static bool set_head(struct db_tx *tx, const struct decision_head *head, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_DECISION_SET_HEAD);
    db_bind_blob(q, 1, slice_of_bytes(head->sha256, 32));
    db_bind_int(q, 2, head->total_bytes);
    return db_run(q, err);
}

static bool insert(struct db_tx *tx, const struct decision_draft *draft, struct slice text,
                   const struct decision_head *head, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_DECISION_INSERT);
    db_bind_str(q, 1, draft->id);
    db_bind_int(q, 2, draft->time_us);
    db_bind_int(q, 3, draft->repository_id);
    db_bind_int(q, 4, draft->account_id);
    db_bind_int(q, 5, draft->effect);
    db_bind_str(q, 6, draft->identity);
    db_bind_int(q, 7, head->total_bytes);
    db_bind_blob(q, 8, slice_of_bytes(head->sha256, 32));
    db_bind_text(q, 9, text);
    return db_run(q, err);
}

bool decision_append(struct db_tx *tx, const struct decision_draft *draft, struct err *err)
{
    struct decision_head head;
    auto_buf struct buf text = {0};
    if (!decision_head_get(tx, &head, err)) {
        return false;
    }
    decision_finish_text(draft, head.sha256, &text);
    hash_sha256(buf_slice_of(&text), head.sha256);
    head.total_bytes += (int64_t)text.n;
    return insert(tx, draft, buf_slice_of(&text), &head, err) && set_head(tx, &head, err);
}

/* A clock that was set back by no more than this hides no record from a list. */
#define CLOCK_STEP_US (INT64_C(3600) * 1000000)

/* --- reading ---------------------------------------------------------------------------------- */

void decision_row_read(struct db_stmt *q, struct decision_row *out)
{
    out->number = db_col_int(q, 0);
    row_text(q, 1, out->id, sizeof(out->id));
    out->time_us = db_col_int(q, 2);
    out->repository_id = db_col_int(q, 3);
    out->account_id = db_col_int(q, 4);
    out->effect = (enum decision_effect)db_col_int(q, 5);
    out->identity = row_dup(q, 6);
    out->total_bytes = db_col_int(q, 7);
    row_hash(q, 8, out->sha256);
    out->text = row_dup(q, 9);
}

void decision_row_dispose(struct decision_row *row)
{
    free(row->identity);
    free(row->text);
    *row = (struct decision_row){0};
}

void decision_list_dispose(struct decision_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        decision_row_dispose(&list->items[i]);
    }
    free(list->items);
    *list = (struct decision_list){0};
}

bool decision_get(struct db_tx *tx, struct slice id, struct decision_row *out, struct err *err)
{
    bool found = false;
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_DECISION_GET);
    *out = (struct decision_row){0};
    db_bind_text(q, 1, id);
    if (!row_exists(q, &found, err)) {
        return false;
    }
    if (!found) {
        return err_set(err, ERR_NOT_FOUND, "no such decision");
    }
    decision_row_read(q, out);
    return true;
}

/* By the repository, by the account, or all: whatever leaves fewest to look at. */
static struct db_stmt *newest_first(struct db_tx *tx, const struct decision_filter *filter,
                                    int64_t before)
{
    int64_t below = before > 0 ? before : INT64_MAX;
    enum sql number = filter->account_id != 0      ? SQL_DECISION_OF_ACCOUNT
                      : filter->repository_id != 0 ? SQL_DECISION_OF_REPOSITORY
                                                   : SQL_DECISION_NEWEST;
    struct db_stmt *q = db_stmt(tx, (int)number);
    db_bind_int(q, 1, below);
    db_bind_int(q, 2, DECISION_LOOKS);
    if (number != SQL_DECISION_NEWEST) {
        db_bind_int(q, 3, filter->account_id != 0 ? filter->account_id : filter->repository_id);
    }
    return q;
}

static bool is_wanted(struct db_stmt *q, const struct decision_filter *filter)
{
    int64_t effect = db_col_int(q, 5);
    return effect != DECISION_CUT &&
           (filter->repository_id == 0 || db_col_int(q, 3) == filter->repository_id) &&
           (filter->effect == DECISION_CUT || effect == (int64_t)filter->effect) &&
           (filter->identity.n == 0 || slice_equal(db_col_text(q, 6), filter->identity)) &&
           db_col_int(q, 2) >= filter->since_us;
}

static void keep(struct decision_list *out, struct db_stmt *q)
{
    out->items = list_room(out->items, out->count, sizeof(*out->items));
    decision_row_read(q, &out->items[out->count++]);
}

bool decision_list(struct db_tx *tx, const struct decision_filter *filter, int64_t before, int max,
                   struct decision_list *out, struct err *err)
{
    auto_stmt struct db_stmt *q = newest_first(tx, filter, before);
    int64_t last = 0;
    int looks = 0;
    bool past = false;
    enum db_result result = DB_DONE;
    *out = (struct decision_list){0};
    while (!past && out->count < (size_t)max && (result = db_step(q, err)) == DB_ROW) {
        looks++;
        last = db_col_int(q, 0);
        past = db_col_int(q, 2) < filter->since_us - CLOCK_STEP_US;
        if (is_wanted(q, filter)) {
            keep(out, q);
        }
    }
    if (result == DB_FAILED) {
        decision_list_dispose(out);
        return false;
    }
    bool full = out->count == (size_t)max || looks == DECISION_LOOKS;
    out->next = full && !past ? last : 0;
    return true;
}

bool decision_chain(struct db_tx *tx, int64_t after, int max, struct decision_list *out,
                    struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_DECISION_CHAIN);
    enum db_result result;
    *out = (struct decision_list){0};
    db_bind_int(q, 1, after);
    db_bind_int(q, 2, max);
    while ((result = db_step(q, err)) == DB_ROW) {
        keep(out, q);
    }
    if (result == DB_FAILED) {
        decision_list_dispose(out);
        return false;
    }
    out->next = out->count == (size_t)max ? out->items[out->count - 1].number : 0;
    return true;
}
