#include "tests/unit/storage/model/recover.h"

#include "storage/blob.h"
#include "storage/gc.h"
#include "storage/row.h"
#include "storage/statements.h"
#include "tests/unit/storage/world.h"

static bool fits(struct driver *d, const struct model *candidate, struct buf *against)
{
    buf_clear(&d->why);
    if (driver_compare(d, candidate)) {
        return true;
    }
    buf_printf(against, "%s[%s]", against->n ? " and " : "", d->why.p);
    buf_clear(&d->why);
    return false;
}

/* --- what an operation that takes several steps has done --------------------------------------- */

static bool has_session(struct driver *d, const struct model_session *s)
{
    int64_t received = 0;
    struct err err = {0};
    return upload_status(d->store, &d->universe->repositories[s->repository], slice_str(s->id),
                         driver_account(s->account), &received, &err);
}

/* Bytes that arrived, and nothing else. */
static void look_at_received(struct driver *d, struct model_session *s)
{
    int64_t size = (int64_t)d->universe->blobs[s->fed].bytes.n;
    int64_t received = 0;
    struct err err = {0};
    bool here =
        s->open && upload_status(d->store, &d->universe->repositories[s->repository],
                                 slice_str(s->id), driver_account(s->account), &received, &err);
    if (here && received > s->received && received == size) {
        s->received = received;
        s->written_us = 0; /* as in complete() */
    }
}

/* Sessions that the operation ends, each for itself. */
static void look_at_sessions(struct driver *d, struct model *m, const struct model *after)
{
    for (int i = 0; i < SESSIONS; i++) {
        bool ends = m->sessions[i].open && !after->sessions[i].open;
        if (ends && !has_session(d, &m->sessions[i])) {
            m->sessions[i] = (struct model_session){0};
        }
    }
}

static bool has_row(struct db_tx *tx, enum sql statement, const struct digest *digest)
{
    bool found = false;
    struct err err = {0};
    auto_stmt struct db_stmt *q = db_stmt(tx, (int)statement);
    db_bind_digest(q, 1, digest);
    return row_exists(q, &found, &err) && found;
}

static bool is_queued(struct db_tx *tx, const struct digest *digest)
{
    bool found = false;
    struct err err = {0};
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_CONDEMNED_IS_DUE);
    db_bind_int(q, 1, CONDEMNED_BLOB);
    db_bind_int(q, 2, 0);
    db_bind_digest(q, 3, digest);
    db_bind_int(q, 4, INT64_MAX);
    return row_exists(q, &found, &err) && found;
}

static void look_at_members(struct driver *d, struct db_tx *tx, struct model *m,
                            const struct operation *op, int b)
{
    for (int r = 0; r < REPOSITORIES; r++) {
        struct model_repository *repo = &m->repositories[r];
        bool due = repo->blobs[b].due_us != 0 && repo->blobs[b].due_us <= op->now_us;
        struct blob blob;
        struct err err = {0};
        if (due && !blob_get(tx, repo->id, &d->universe->blobs[b].digest, &blob, &err)) {
            model_remove_member(m, d->universe, r, b, op->now_us);
        }
    }
}

/* Memberships and blobs that were due: each is still there, or gone by the rules. */
static void look_at_collection(struct driver *d, struct model *m, const struct operation *op)
{
    auto_snapshot struct db_tx *tx = snapshot_of(d->db);
    for (int b = 0; b < BLOBS; b++) {
        const struct digest *digest = &d->universe->blobs[b].digest;
        struct model_blob *blob = &m->blobs[b];
        look_at_members(d, tx, m, op, b);
        if (blob->due_us != 0 && blob->due_us <= op->now_us) {
            blob->row = has_row(tx, SQL_BLOB_SIZE, digest);
            blob->due_us = blob->row || is_queued(tx, digest) ? blob->due_us : 0;
        }
    }
}

/* The one session of the account that was not there before; "" when there is none. */
static void look_for_session(struct driver *d, const struct model *before, int account,
                             char id_out[UPLOAD_ID_MAX])
{
    struct err err = {0};
    auto_snapshot struct db_tx *tx = snapshot_of(d->db);
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_UPLOAD_LIST_ACCOUNT);
    db_bind_int(q, 1, driver_account(account));
    id_out[0] = '\0';
    while (db_step(q, &err) == DB_ROW) {
        char id[UPLOAD_ID_MAX];
        bool known = false;
        row_text(q, 0, id, sizeof(id));
        for (int i = 0; i < SESSIONS; i++) {
            known |= before->sessions[i].open && strcmp(before->sessions[i].id, id) == 0;
        }
        if (!known) {
            memcpy(id_out, id, sizeof(id));
        }
    }
}

/* An upload at once has a row when its namespace is nearly full. */
static void look_at_single(struct driver *d, struct model *m, const struct operation *op)
{
    char id[UPLOAD_ID_MAX];
    struct err err = {0};
    look_for_session(d, m, op->account, id);
    if (id[0] == '\0') {
        return;
    }
    int slot = 0;
    while (m->sessions[slot].open) {
        slot++;
    }
    struct model_session *s = &m->sessions[slot];
    *s = (struct model_session){.open = true,
                                .dead = true,
                                .repository = op->repository,
                                .account = op->account,
                                .fed = op->fed,
                                .started_us = op->now_us,
                                .used_us = op->now_us};
    memcpy(s->id, id, sizeof(s->id));
    m->repositories[op->repository].exists = true;
    s->held = driver_reserved(d, s);
    if (!upload_status(d->store, &d->universe->repositories[op->repository], slice_str(id),
                       driver_account(op->account), &s->received, &err)) {
        driver_differs(d, "the row of an upload that was cut short: %s", err.msg);
    }
}

/* --- by kind ---------------------------------------------------------------------------------- */

/* What there is when the operation was cut between its steps; the others are one transaction. */
static void look(struct driver *d, const struct model *after, const struct operation *op,
                 struct model *m)
{
    if (op->kind == OP_START || op->kind == OP_EXPIRE) { /* who had to make room went first */
        look_at_sessions(d, m, after);
    }
    if (op->kind == OP_SINGLE) {
        look_at_single(d, m, op);
        driver_learn(d, m);
    }
    if (op->kind == OP_FINISH && op->rest) { /* the rest came first */
        look_at_received(d, &m->sessions[op->session]);
    }
    if (op->kind == OP_COLLECT || op->kind == OP_DRAIN) {
        look_at_collection(d, m, op);
    }
}

/* What the dead process could not tell: the id of a session that it began; and the time of a chunk is that of the
 * machine's clock, which is before everything here. */
static void complete(struct driver *d, const struct model *before, const struct operation *op, struct model *m)
{
    if (op->kind == OP_START) { /* not the one that should have made room for it */
        look_for_session(d, before, op->account, m->sessions[op->session].id);
    }
    if (op->kind == OP_APPEND) {
        m->sessions[op->session].written_us = 0;
    }
    driver_learn(d, m);
    buf_clear(&d->why);
}

bool recover(struct driver *d, const struct model *before, const struct model *after,
             const struct operation *op, struct model *out)
{
    auto_buf struct buf against = {0};
    *out = *after;
    complete(d, before, op, out);
    model_restart(out);
    if (fits(d, out, &against)) {
        return true;
    }
    *out = *before;
    out->now_us = op->now_us;
    look(d, after, op, out);
    out->sessions[op->session].cut |= op->kind == OP_FINISH && out->sessions[op->session].open;
    model_restart(out);
    if (fits(d, out, &against)) {
        return true;
    }
    return driver_differs(d, "after a crash in it the store is neither as before nor as after: %s",
                          against.p);
}
