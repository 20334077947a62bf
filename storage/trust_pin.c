#include "storage/trust_pin.h"

#include "storage/repository.h"
#include "storage/row.h"
#include "storage/statements.h"

#include <sodium.h>

void pin_list_dispose(struct pin_list *list)
{
    free(list->items);
    *list = (struct pin_list){0};
}

bool pin_list_has(const struct pin_list *list, const uint8_t spki[32])
{
    for (size_t i = 0; i < list->count; i++) {
        if (sodium_memcmp(list->items[i].spki, spki, 32) == 0) {
            return true;
        }
    }
    return false;
}

/* Rows of (spki, time, who, reason). */
static bool read_pins(struct db_stmt *q, struct pin_list *out, struct err *err)
{
    *out = (struct pin_list){0};
    enum db_result result;
    while ((result = db_step(q, err)) == DB_ROW) {
        out->items = list_room(out->items, out->count, sizeof(*out->items));
        struct pin *pin = &out->items[out->count++];
        row_hash(q, 0, pin->spki);
        pin->added_us = db_col_int(q, 1);
        row_text(q, 2, pin->added_by, sizeof(pin->added_by));
        row_text(q, 3, pin->reason, sizeof(pin->reason));
    }
    if (result == DB_FAILED) {
        pin_list_dispose(out);
        return false;
    }
    return true;
}

static bool list_of(struct db_tx *tx, enum sql statement, int64_t owner_id, struct pin_list *out,
                    struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, (int)statement);
    db_bind_int(q, 1, owner_id);
    return read_pins(q, out, err);
}

static bool add_to(struct db_tx *tx, enum sql statement, int64_t owner_id, const uint8_t spki[32],
                   const struct actor *actor, int64_t now_us, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, (int)statement);
    db_bind_int(q, 1, owner_id);
    db_bind_blob(q, 2, slice_of_bytes(spki, 32));
    db_bind_int(q, 3, now_us);
    db_bind_str(q, 4, actor->name);
    return db_run(q, err);
}

static bool clear_of(struct db_tx *tx, enum sql statement, int64_t owner_id, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, (int)statement);
    db_bind_int(q, 1, owner_id);
    return db_run(q, err);
}

bool trust_pin_get(struct db_tx *tx, int64_t repository_id, struct pin_list *out, struct err *err)
{
    return list_of(tx, SQL_TRUST_PIN_LIST, repository_id, out, err);
}

bool trust_pin_set(struct db_tx *tx, int64_t repository_id, const uint8_t (*spki)[32], size_t count,
                   const struct actor *actor, int64_t now_us, struct err *err)
{
    if (!clear_of(tx, SQL_TRUST_PIN_CLEAR, repository_id, err)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!add_to(tx, SQL_TRUST_PIN_INSERT, repository_id, spki[i], actor, now_us, err)) {
            return false;
        }
    }
    return true;
}

bool namespace_root_list(struct db_tx *tx, int64_t namespace_id, struct pin_list *out,
                         struct err *err)
{
    return list_of(tx, SQL_NAMESPACE_ROOT_LIST, namespace_id, out, err);
}

bool namespace_root_add(struct db_tx *tx, int64_t namespace_id, const uint8_t spki[32],
                        const struct actor *actor, int64_t now_us, struct err *err)
{
    return add_to(tx, SQL_NAMESPACE_ROOT_INSERT, namespace_id, spki, actor, now_us, err);
}

bool namespace_root_remove(struct db_tx *tx, int64_t namespace_id, const uint8_t *spki,
                           struct err *err)
{
    if (!spki) {
        return clear_of(tx, SQL_NAMESPACE_ROOT_CLEAR, namespace_id, err);
    }
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_NAMESPACE_ROOT_DELETE);
    db_bind_int(q, 1, namespace_id);
    db_bind_blob(q, 2, slice_of_bytes(spki, 32));
    return db_run(q, err);
}

bool revoked_key_list(struct db_tx *tx, struct pin_list *out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_REVOKED_KEY_LIST);
    return read_pins(q, out, err);
}

bool revoked_key_add(struct db_tx *tx, const uint8_t spki[32], const char *reason,
                     const struct actor *actor, int64_t now_us, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_REVOKED_KEY_INSERT);
    db_bind_blob(q, 1, slice_of_bytes(spki, 32));
    db_bind_int(q, 2, now_us);
    db_bind_str(q, 3, actor->name);
    db_bind_str(q, 4, reason);
    return db_run(q, err) && repository_gate_bump_all(tx, err);
}
