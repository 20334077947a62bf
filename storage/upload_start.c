#include "storage/repository.h"
#include "storage/row.h"
#include "storage/statements.h"
#include "storage/upload_internal.h"

#include <sodium.h>
#include <stdio.h>

#define START_TRIES_MAX 64 /* more than there are workers by default */

static void make_id(char out[UPLOAD_ID_MAX])
{
    unsigned char r[16];
    randombytes_buf(r, sizeof(r));
    r[6] = (unsigned char)((r[6] & 0x0F) | 0x40); /* version 4 */
    r[8] = (unsigned char)((r[8] & 0x3F) | 0x80); /* variant 1 */
    snprintf(out, UPLOAD_ID_MAX,
             "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", r[0], r[1],
             r[2], r[3], r[4], r[5], r[6], r[7], r[8], r[9], r[10], r[11], r[12], r[13], r[14],
             r[15]);
}

/* --- room among the account's sessions -------------------------------------------------------- */

/* The account's longest idle session; "" when all are in use. */
static bool longest_idle(struct store *store, int64_t account_id, char id_out[UPLOAD_ID_MAX],
                         struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    if (!db_snapshot(store->db, &tx, err)) {
        return false;
    }
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_UPLOAD_LIST_ACCOUNT);
    db_bind_int(q, 1, account_id);

    int64_t oldest = INT64_MAX;
    enum db_result result;
    id_out[0] = '\0';
    while ((result = db_step(q, err)) == DB_ROW) {
        char id[UPLOAD_ID_MAX];
        row_text(q, 0, id, sizeof(id));
        int64_t used = db_col_int(q, 1);
        (void)upload_table_last_used(store->uploads, id, &used);
        if (used < oldest) {
            oldest = used;
            memcpy(id_out, id, sizeof(id));
        }
    }
    return result != DB_FAILED;
}

static bool end_longest_idle(struct upload *u, struct err *err)
{
    char id[UPLOAD_ID_MAX];
    bool ended = false;
    if (!longest_idle(u->store, u->account_id, id, err)) {
        return false;
    }
    if (id[0] == '\0') {
        return err_set(err, ERR_BUSY, "all of your %d uploads are in use, try again shortly",
                       u->store->limits.uploads_per_account);
    }
    return upload_end_by_id(u->store, id, &ended, err);
}

/* --- the row ---------------------------------------------------------------------------------- */

/* The namespace a session is bound to. */
static bool read_start(struct upload *u, struct namespace *ns, struct err *err)
{
    struct namespace_name name;
    repo_name_namespace(&u->repo, &name);

    auto_snapshot struct db_tx *tx = NULL;
    if (!db_snapshot(u->store->db, &tx, err) || !namespace_get(tx, &name, ns, err)) {
        return false;
    }
    u->namespace_id = ns->id;
    u->namespace_incarnation = ns->incarnation;
    return true;
}

struct start_write {
    struct upload *upload;
    int64_t now_us;
    int64_t excess;        /* out: how many have to end before this one may begin */
    int64_t repository_id; /* out */
};

/* In the transaction that adds one: a count of before would let everybody in who begins at once. */
static bool has_place(struct db_tx *tx, struct start_write *start, struct err *err)
{
    int64_t open = 0;
    int64_t max = start->upload->store->limits.uploads_per_account;
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_UPLOAD_COUNT_ACCOUNT);
    db_bind_int(q, 1, start->upload->account_id);
    start->excess = 0;
    if (!row_int(q, &open, err)) {
        return false;
    }
    start->excess = open < max ? 0 : open - max + 1;
    return start->excess == 0 ||
           err_set(err, ERR_BUSY, "you begin uploads faster than others can end, try again shortly");
}

static bool write_start(struct db_tx *tx, void *arg, struct err *err)
{
    struct start_write *start = arg;
    struct upload *u = start->upload;
    struct repository repository;
    struct namespace ns;
    if (!has_place(tx, start, err) ||
        !repository_ensure(tx, &u->repo, start->now_us, &repository, NULL, err) ||
        !namespace_get_by_id(tx, repository.namespace_id, &ns, err)) {
        return false;
    }
    start->repository_id = repository.id;
    int64_t reserved = upload_table_limit_space(u, namespace_room(&ns));
    return namespace_reserve(tx, ns.id, reserved, err) &&
           upload_row_insert(tx, u, &repository, reserved, start->now_us, err);
}

/* Ends as many as are too many and tries again, with nobody else doing so: as many end as begin.
 * Somebody whose transaction comes between finds a place that was made here, and another is made. */
static bool start_in_place(struct start_write *start, struct err *err)
{
    struct upload *u = start->upload;
    for (int i = 0; i < START_TRIES_MAX; i++) {
        struct err why = {0};
        if (db_write_relaxed(u->store->db, write_start, start, &why)) {
            return true;
        }
        if (start->excess == 0) {
            *err = why;
            return false;
        }
        for (int64_t ended = 0; ended < start->excess; ended++) {
            if (!end_longest_idle(u, err)) {
                return false;
            }
        }
    }
    return err_set(err, ERR_BUSY, "you begin uploads faster than others can end, try again shortly");
}

static bool store_start(struct upload *u, int64_t now_us, struct err *err)
{
    struct start_write start = {.upload = u, .now_us = now_us};
    struct err why = {0};
    if (u->kind == UPLOAD_SINGLE) {
        return true;
    }
    /* power loss may take a session: nothing of it was promised, and its bytes were not synced */
    bool done = db_write_relaxed(u->store->db, write_start, &start, &why);
    if (!done && start.excess > 0) {
        upload_table_lock_starts(u->store->uploads);
        done = start_in_place(&start, &why);
        upload_table_unlock_starts(u->store->uploads);
    }
    if (!done) {
        *err = why;
        return false;
    }
    u->repository_id = start.repository_id;
    u->has_row = true;
    return true;
}

bool upload_start(struct store *store, const struct repo_name *repo, enum upload_kind kind,
                  const struct actor *actor, int64_t now_us, struct upload **out, struct err *err)
{
    char id[UPLOAD_ID_MAX];
    struct namespace ns;
    *out = NULL;
    make_id(id);

    struct upload *u = upload_new(store, id, kind);
    u->repo = *repo;
    u->account_id = actor->account_id;
    u->sha256 = hash_new(DIGEST_SHA256);
    atomic_store(&u->last_used_us, now_us);
    if (!read_start(u, &ns, err)) {
        upload_free(u);
        return false;
    }
    /* known before its row: who looks for room finds it */
    u->reserved = namespace_room(&ns) < UPLOAD_FIRST_STEP ? namespace_room(&ns) : UPLOAD_FIRST_STEP;
    if (!upload_table_add(u)) {
        BUG("a random id came twice");
    }
    if (!store_start(u, now_us, err)) {
        upload_table_remove(u);
        return false;
    }
    *out = u;
    return true;
}
