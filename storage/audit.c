#include "storage/audit.h"

#include "base/hash.h"
#include "storage/row.h"
#include "storage/statements.h"

#include <stdio.h>

/* Everything an entry's hash covers, in this order. Texts are preceded by their length, so that no
 * two entries have the same bytes. */
struct fields {
    int64_t created_us, namespace_id, account_id, outcome;
    struct slice actor, address, proof, action, object, before, after;
};

static void put_int(struct buf *b, int64_t value)
{
    buf_printf(b, "%lld;", (long long)value);
}

static void put_text(struct buf *b, struct slice text)
{
    buf_printf(b, "%zu:", text.n);
    buf_slice(b, text);
}

static void chain(const uint8_t prev[32], const struct fields *f, uint8_t out[32])
{
    auto_buf struct buf b = {0};
    buf_put(&b, prev, 32);
    put_int(&b, f->created_us);
    put_int(&b, f->namespace_id);
    put_int(&b, f->account_id);
    put_int(&b, f->outcome);
    const struct slice texts[] = {f->actor,  f->address, f->proof, f->action,
                                  f->object, f->before,  f->after};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        put_text(&b, texts[i]);
    }
    hash_sha256(buf_slice_of(&b), out);
}

static bool read_head(struct db_tx *tx, uint8_t out[32], struct err *err)
{
    bool found = false;
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_AUDIT_HEAD);
    if (!row_exists(q, &found, err)) {
        return false;
    }
    row_hash(q, 0, out);
    return found || err_internal(err, "the instance row is missing");
}

static bool set_head(struct db_tx *tx, const uint8_t sha256[32], struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_AUDIT_SET_HEAD);
    db_bind_blob(q, 1, slice_of_bytes(sha256, 32));
    return db_run(q, err);
}

static bool insert(struct db_tx *tx, const struct fields *f, const uint8_t prev[32],
                   const uint8_t sha256[32], struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_AUDIT_INSERT);
    db_bind_int(q, 1, f->created_us);
    db_bind_int(q, 2, f->namespace_id);
    db_bind_int(q, 3, f->account_id);
    db_bind_text(q, 4, f->actor);
    db_bind_text(q, 5, f->address);
    db_bind_text(q, 6, f->proof);
    db_bind_text(q, 7, f->action);
    db_bind_text(q, 8, f->object);
    db_bind_int(q, 9, f->outcome);
    db_bind_text(q, 10, f->before);
    db_bind_text(q, 11, f->after);
    db_bind_blob(q, 12, slice_of_bytes(prev, 32));
    db_bind_blob(q, 13, slice_of_bytes(sha256, 32));
    return db_run(q, err);
}

bool audit_append(struct db_tx *tx, const struct actor *actor, const struct audit_entry *entry,
                  int64_t now_us, struct err *err)
{
    const struct fields f = {
        .created_us = now_us,
        .namespace_id = entry->namespace_id,
        .account_id = actor->account_id,
        .outcome = entry->outcome,
        .actor = slice_str(actor->name),
        .address = slice_str(actor->address),
        .proof = slice_str(actor->proof),
        .action = slice_str(entry->action),
        .object = entry->object,
        .before = entry->before,
        .after = entry->after,
    };
    uint8_t prev[32];
    uint8_t sha256[32];
    if (!actor_may_still(tx, actor, err) || !read_head(tx, prev, err)) {
        return false;
    }
    chain(prev, &f, sha256);
    return insert(tx, &f, prev, sha256, err) && set_head(tx, sha256, err);
}

/* --- reading ---------------------------------------------------------------------------------- */

/* AUDIT_COLUMNS */
static void read_record(struct db_stmt *q, struct audit_record *out)
{
    out->id = db_col_int(q, 0);
    out->created_us = db_col_int(q, 1);
    out->namespace_id = db_col_int(q, 2);
    out->actor.account_id = db_col_int(q, 3);
    row_text(q, 4, out->actor.name, sizeof(out->actor.name));
    row_text(q, 5, out->actor.address, sizeof(out->actor.address));
    row_text(q, 6, out->actor.proof, sizeof(out->actor.proof));
    out->action = row_dup(q, 7);
    out->object = row_dup(q, 8);
    out->outcome = (enum audit_outcome)db_col_int(q, 9);
    out->before = row_dup(q, 10);
    out->after = row_dup(q, 11);
    row_hash(q, 12, out->prev);
    row_hash(q, 13, out->sha256);
}

static bool read_records(struct db_stmt *q, struct audit_list *out, struct err *err)
{
    *out = (struct audit_list){0};
    enum db_result result;
    while ((result = db_step(q, err)) == DB_ROW) {
        out->items = list_room(out->items, out->count, sizeof(*out->items));
        read_record(q, &out->items[out->count++]);
    }
    if (result == DB_FAILED) {
        audit_list_dispose(out);
        return false;
    }
    return true;
}

bool audit_list(struct db_tx *tx, int64_t namespace_id, int64_t after, int max,
                struct audit_list *out, struct err *err)
{
    auto_stmt struct db_stmt *q =
        db_stmt(tx, namespace_id != 0 ? SQL_AUDIT_LIST_NAMESPACE : SQL_AUDIT_LIST);
    db_bind_int(q, 1, after);
    db_bind_int(q, 2, max);
    if (namespace_id != 0) {
        db_bind_int(q, 3, namespace_id);
    }
    return read_records(q, out, err);
}

bool audit_last(struct db_tx *tx, const char *action, struct slice object, int64_t at_us,
                struct audit_list *out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_AUDIT_LAST);
    db_bind_str(q, 1, action);
    db_bind_text(q, 2, object);
    db_bind_int(q, 3, at_us);
    return read_records(q, out, err);
}

bool audit_before(struct db_tx *tx, int64_t since_us, int64_t *id_out, struct err *err)
{
    bool found = false;
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_AUDIT_SINCE);
    db_bind_int(q, 1, since_us);
    if (!row_exists(q, &found, err)) {
        return false;
    }
    *id_out = found ? db_col_int(q, 0) - 1 : INT64_MAX - 1;
    return true;
}

void audit_list_dispose(struct audit_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        struct audit_record *r = &list->items[i];
        free(r->action);
        free(r->object);
        free(r->before);
        free(r->after);
    }
    free(list->items);
    *list = (struct audit_list){0};
}

/* --- checking --------------------------------------------------------------------------------- */

static bool same_hash(const uint8_t a[32], const uint8_t b[32])
{
    return slice_equal(slice_of_bytes(a, 32), slice_of_bytes(b, 32));
}

static bool record_fits(const struct audit_record *r, const uint8_t prev[32])
{
    const struct fields f = {
        .created_us = r->created_us,
        .namespace_id = r->namespace_id,
        .account_id = r->actor.account_id,
        .outcome = r->outcome,
        .actor = slice_str(r->actor.name),
        .address = slice_str(r->actor.address),
        .proof = slice_str(r->actor.proof),
        .action = slice_str(r->action),
        .object = slice_str(r->object),
        .before = slice_str(r->before),
        .after = slice_str(r->after),
    };
    uint8_t sha256[32];
    chain(prev, &f, sha256);
    return same_hash(prev, r->prev) && same_hash(sha256, r->sha256);
}

/* The hash before the first entry to check: zero at the very start, else its predecessor's. */
static bool read_prev(struct db_tx *tx, int64_t after, uint8_t out[32], struct err *err)
{
    memset(out, 0, 32);
    if (after == 0) {
        return true;
    }
    auto_audit_list struct audit_list list = {0};
    if (!audit_list(tx, 0, after - 1, 1, &list, err)) {
        return false;
    }
    if (list.count == 1 && list.items[0].id == after) {
        memcpy(out, list.items[0].sha256, 32);
    }
    return true;
}

bool audit_verify(struct db_tx *tx, int64_t after, int max, int64_t *bad_out, struct err *err)
{
    uint8_t prev[32];
    auto_audit_list struct audit_list list = {0};
    *bad_out = 0;
    if (!read_prev(tx, after, prev, err) || !audit_list(tx, 0, after, max, &list, err)) {
        return false;
    }
    for (size_t i = 0; i < list.count; i++) {
        if (!record_fits(&list.items[i], prev)) {
            *bad_out = list.items[i].id;
            return true;
        }
        memcpy(prev, list.items[i].sha256, 32);
    }
    if (list.count == (size_t)max) {
        return true;
    }
    /* the end was read: it must be the head, else something was cut off behind it */
    uint8_t head[32];
    if (!read_head(tx, head, err)) {
        return false;
    }
    int64_t last = list.count > 0 ? list.items[list.count - 1].id : after;
    *bad_out = same_hash(head, prev) ? 0 : last + 1;
    return true;
}
