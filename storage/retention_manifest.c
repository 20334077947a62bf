#include "base/clock.h"
#include "base/log.h"
#include "storage/audit.h"
#include "storage/manifest.h"
#include "storage/retention_internal.h"
#include "storage/row.h"
#include "storage/statements.h"

#include <stdio.h>

#define MANIFESTS_MAX 10     /* of one transaction: each may name thousands of blobs */
#define SIGNED_US US_PER_DAY /* what is signed or in grace is looked at again after so long */
#define RETRY_US (INT64_C(3600) * US_PER_SECOND) /* and what could not be removed */

struct retired {
    int64_t repository_id;
    struct digest digest;
    char rule[TAG_RULE_NAME_MAX + 1];
};

struct batch {
    struct retired items[MANIFESTS_MAX];
    int count;
    retention_grace_fn grace;
    int64_t keep_us; /* blobs that nothing names then */
    int64_t now_us;
    int removed; /* out */
};

void retention_actor(struct actor *out)
{
    *out = (struct actor){.name = RETENTION_ACTOR};
}

bool retention_audit(struct db_tx *tx, const struct repository *repo, const char *what,
                     const char *object, const struct digest *digest, const char *rule,
                     int64_t now_us, struct err *err)
{
    struct actor actor;
    char text[DIGEST_STR_MAX];
    auto_buf struct buf name = {0};
    auto_buf struct buf before = {0};
    retention_actor(&actor);
    buf_printf(&name, "%s%s", repo->name.text, object);
    buf_printf(&before, "{\"digest\":\"%s\",\"rule\":\"%s\"}", digest_format(digest, text), rule);
    const struct audit_entry entry = {.action = what,
                                      .namespace_id = repo->namespace_id,
                                      .object = buf_slice_of(&name),
                                      .outcome = AUDIT_OK,
                                      .before = buf_slice_of(&before)};
    return audit_append(tx, &actor, &entry, now_us, err);
}

/* --- the queue -------------------------------------------------------------------------------- */

static struct db_stmt *by_key(struct db_tx *tx, enum sql statement, int64_t repository_id,
                              const struct digest *digest)
{
    struct db_stmt *q = db_stmt(tx, (int)statement);
    db_bind_int(q, 1, repository_id);
    db_bind_digest(q, 2, digest);
    return q;
}

static bool retire_by(struct db_tx *tx, enum sql statement, int64_t repository_id,
                      const struct digest *digest, const char *rule, int64_t now_us,
                      struct err *err)
{
    auto_stmt struct db_stmt *q = by_key(tx, statement, repository_id, digest);
    db_bind_str(q, 3, rule);
    db_bind_int(q, 4, now_us);
    return db_run(q, err);
}

bool retention_retire(struct db_tx *tx, int64_t repository_id, const struct digest *digest,
                      const char *rule, int64_t now_us, struct err *err)
{
    return retire_by(tx, SQL_RETIRE, repository_id, digest, rule, now_us, err);
}

static bool read_due(struct db *db, int64_t now_us, struct batch *out, struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    if (!db_snapshot(db, &tx, err)) {
        return false;
    }
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_RETIRED_DUE);
    db_bind_int(q, 1, now_us);
    db_bind_int(q, 2, MANIFESTS_MAX);
    enum db_result result = DB_DONE;
    while (out->count < MANIFESTS_MAX && (result = db_step(q, err)) == DB_ROW) {
        struct retired *r = &out->items[out->count++];
        r->repository_id = db_col_int(q, 0);
        (void)db_col_digest(q, 1, &r->digest);
        row_text(q, 2, r->rule, sizeof(r->rule));
    }
    return result != DB_FAILED;
}

/* --- one manifest ----------------------------------------------------------------------------- */

static bool is_due(struct db_tx *tx, const struct retired *r, int64_t now_us, bool *out,
                   struct err *err)
{
    auto_stmt struct db_stmt *q = by_key(tx, SQL_RETIRED_IS_DUE, r->repository_id, &r->digest);
    db_bind_int(q, 3, now_us);
    return row_exists(q, out, err);
}

static bool is_held(struct db_tx *tx, const struct retired *r, bool *out, struct err *err)
{
    int64_t held = 0;
    auto_stmt struct db_stmt *q = by_key(tx, SQL_RETIRED_HELD, r->repository_id, &r->digest);
    bool done = row_int(q, &held, err);
    *out = held != 0;
    return done;
}

static bool forget(struct db_tx *tx, const struct retired *r, struct err *err)
{
    auto_stmt struct db_stmt *q = by_key(tx, SQL_RETIRED_FORGET, r->repository_id, &r->digest);
    return db_run(q, err);
}

static bool put_off(struct db_tx *tx, const struct retired *r, int64_t until_us, struct err *err)
{
    auto_stmt struct db_stmt *q = by_key(tx, SQL_RETIRED_PUT_OFF, r->repository_id, &r->digest);
    db_bind_int(q, 3, until_us);
    return db_run(q, err);
}

/* Deletes it as anybody would, by which its own entry goes too; what hung on it is looked at
 * next. */
static bool remove_manifest(struct db_tx *tx, const struct batch *batch, const struct retired *r,
                            const struct repository *repo, struct err *err)
{
    int64_t now_us = batch->now_us;
    struct actor actor;
    char object[DIGEST_STR_MAX + 1] = "@";
    retention_actor(&actor);
    (void)digest_format(&r->digest, object + 1);
    return retire_by(tx, SQL_RETIRE_CHILDREN, r->repository_id, &r->digest, r->rule, now_us, err) &&
           retire_by(tx, SQL_RETIRE_REFERRERS, r->repository_id, &r->digest, r->rule, now_us,
                     err) &&
           manifest_delete(tx, r->repository_id, &r->digest, &actor, batch->keep_us, now_us, err) &&
           retention_audit(tx, repo, "retention.manifest", object, &r->digest, r->rule, now_us,
                           err);
}

static bool look_at(struct db_tx *tx, struct batch *batch, const struct retired *r, struct err *err)
{
    struct repository repo;
    int64_t grace_us = 0;
    bool due = false;
    bool held = false;
    enum retention_reason reason = KEPT_SIGNED;
    struct err why = {0};
    if (!is_due(tx, r, batch->now_us, &due, err)) {
        return false;
    }
    if (!due) {
        return true;
    }
    if (!is_held(tx, r, &held, err)) {
        return false;
    }
    bool gone = !repository_get_by_id(tx, r->repository_id, &repo, &why);
    if (held || (gone && why.code == ERR_NAME_UNKNOWN)) { /* it is being deleted, with all it has */
        return forget(tx, r, err);
    }
    if (gone) {
        *err = why;
        return false;
    }
    if (!batch->grace(tx, &repo.name, &grace_us, err) ||
        !retention_decide_manifest(tx, r->repository_id, &r->digest, grace_us, batch->now_us,
                                   &reason, err)) {
        return false;
    }
    if (reason != RETENTION_GOES) {
        return put_off(tx, r, batch->now_us + SIGNED_US, err);
    }
    batch->removed++;
    return remove_manifest(tx, batch, r, &repo, err);
}

static bool look_at_all(struct db_tx *tx, void *arg, struct err *err)
{
    struct batch *batch = arg;
    batch->removed = 0;
    for (int i = 0; i < batch->count; i++) {
        if (!look_at(tx, batch, &batch->items[i], err)) {
            return false;
        }
    }
    return true;
}

static bool put_off_first(struct db_tx *tx, void *arg, struct err *err)
{
    const struct batch *batch = arg;
    return put_off(tx, &batch->items[0], batch->now_us + RETRY_US, err);
}

/* One that fails is put off, so that it does not stand in the way of the others. False when even
 * that cannot be written. */
static bool look_at_each(struct db *db, struct batch *all, struct err *err)
{
    all->removed = 0;
    for (int i = 0; i < all->count; i++) {
        struct batch one = *all;
        one.items[0] = all->items[i];
        one.count = 1;
        struct err why = {0};
        if (db_write(db, look_at_all, &one, &why)) {
            all->removed += one.removed;
            continue;
        }
        log_err(LOG_WARN, "retention_put_off", &why);
        if (!db_write(db, put_off_first, &one, err)) {
            return false;
        }
    }
    return true;
}

bool retention_manifests(struct store *store, retention_grace_fn grace, int64_t now_us,
                         int *examined_out, int *removed_out, struct err *err)
{
    struct db *db = store_db(store);
    struct batch batch = {
        .grace = grace, .keep_us = store_get_limits(store)->condemned_us, .now_us = now_us};
    struct err why = {0};
    *examined_out = *removed_out = 0;
    if (!read_due(db, now_us, &batch, err)) {
        return false;
    }
    if (batch.count > 0 && !db_write(db, look_at_all, &batch, &why) &&
        !look_at_each(db, &batch, err)) {
        return false;
    }
    *examined_out = batch.count;
    *removed_out = batch.removed;
    return true;
}
