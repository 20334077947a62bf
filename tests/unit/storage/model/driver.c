#include "storage/blob.h"
#include "storage/check.h"
#include "storage/gc.h"
#include "storage/manifest.h"
#include "storage/namespace.h"
#include "storage/referrer.h"
#include "storage/row.h"
#include "storage/statements.h"
#include "storage/tag.h"
#include "tests/unit/storage/model/run.h"
#include "tests/unit/storage/world.h"

#include <stdarg.h>

bool driver_differs(struct driver *d, const char *fmt, ...)
{
    char text[600];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (d->why.n == 0) {
        buf_str(&d->why, text);
    }
    return false;
}

int64_t driver_account(int account)
{
    return account + 1;
}

/* --- open and close --------------------------------------------------------------------------- */

bool driver_open(struct driver *d, const char *path, const struct universe *u)
{
    const struct store_limits limits = {.uploads_per_account = SESSIONS_PER_ACCOUNT,
                                        .upload_idle_us = IDLE_US,
                                        .condemned_us = KEEP_US,
                                        .journal_bytes = 12000};
    struct err err = {0};
    *d = (struct driver){.path = path, .universe = u};
    if (!store_open(path, &d->store, &err)) {
        return driver_differs(d, "the store does not open: %s (%s)", err.msg, err.detail);
    }
    d->db = store_db(d->store);
    store_set_limits(d->store, &limits);
    return true;
}

void driver_close(struct driver *d)
{
    for (int i = 0; i < SESSIONS; i++) {
        upload_close(d->held[i]);
    }
    store_close(d->store);
    buf_dispose(&d->why);
}

struct founding {
    struct driver *driver;
    struct model *model;
};

static bool found_all(struct db_tx *tx, void *arg, struct err *err)
{
    struct founding *f = arg;
    for (int i = 0; i < NAMESPACES; i++) {
        struct namespace ns;
        enum visibility visibility = i == NAMESPACES - 1 ? VISIBILITY_PUBLIC : VISIBILITY_PRIVATE;
        if (!namespace_create(tx, &f->driver->universe->namespaces[i], visibility, 0,
                              f->model->now_us, NULL, err) ||
            !namespace_get(tx, &f->driver->universe->namespaces[i], &ns, err)) {
            return false;
        }
        f->model->spaces[i].id = ns.id;
    }
    return true;
}

void driver_found(struct driver *d, struct model *m)
{
    struct founding f = {d, m};
    struct err err = {0};
    if (!db_write(d->db, found_all, &f, &err)) {
        driver_differs(d, "the namespaces could not be made: %s (%s)", err.msg, err.detail);
    }
}

void driver_learn(struct driver *d, struct model *m)
{
    for (int i = 0; i < REPOSITORIES; i++) {
        struct model_repository *r = &m->repositories[i];
        struct repository repository;
        struct err err = {0};
        if (!r->exists || r->id != 0) {
            continue;
        }
        auto_snapshot struct db_tx *tx = snapshot_of(d->db);
        if (repository_get(tx, &d->universe->repositories[i], &repository, &err)) {
            r->id = repository.id;
        } else {
            driver_differs(d, "the repository %s is missing: %s", d->universe->repositories[i].text,
                           err.msg);
        }
    }
}

/* --- one operation --------------------------------------------------------------------------- */

bool call_ensure(struct db_tx *tx, const struct call *c, struct repository *out, struct err *err)
{
    const struct repo_name *name = &c->driver->universe->repositories[c->op->repository];
    return repository_ensure(tx, name, c->op->now_us, out, NULL, err);
}

/* 0: it has no row */
int64_t call_id(const struct call *c, int repository)
{
    return c->model->repositories[repository].id;
}

const struct digest *call_blob(const struct call *c)
{
    return &c->driver->universe->blobs[c->op->blob].digest;
}

const struct digest *call_manifest(const struct call *c)
{
    return &c->driver->universe->manifests[c->op->manifest].content.digest;
}

/* Runs a transaction as a handler does. */
void call_write(struct call *c, db_write_fn fn)
{
    struct err err = {0};
    if (!upload_make_room(c->driver->store, &c->driver->universe->repositories[c->op->repository],
                          fn, c, &err)) {
        c->answer = (struct answer){.code = err.code};
    }
}

void call_refuse(struct call *c, bool ok, const struct err *err)
{
    if (!ok) {
        c->answer = (struct answer){.code = err->code};
    }
}

struct actor call_actor(const struct operation *op)
{
    struct actor actor = {.account_id = driver_account(op->account), .address = "192.0.2.1"};
    snprintf(actor.name, sizeof(actor.name), "user%d@example.org", op->account);
    return actor;
}

typedef void (*run_fn)(struct call *c);
static const run_fn runners[OP_COUNT] = {
#define OPERATION(symbol, stem, name, weight) [OP_##symbol] = run_##stem,
    OPERATIONS(OPERATION)
#undef OPERATION
};

struct answer driver_run(struct driver *d, const struct model *m, const struct operation *op,
                         char id_out[UPLOAD_ID_MAX])
{
    struct call c = {.driver = d, .model = m, .op = op, .id_out = id_out};
    id_out[0] = '\0';
    runners[op->kind](&c);
    return c.answer;
}

bool driver_is_sealed(const struct driver *d, const struct model_session *s)
{
    struct stat st;
    return fstatat(store_uploads_dir(d->store), s->id, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           st.st_nlink > 1;
}

int64_t driver_reserved(const struct driver *d, const struct model_session *s)
{
    bool found = false;
    struct err err = {0};
    auto_snapshot struct db_tx *tx = snapshot_of(d->db);
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_UPLOAD_RESERVED);
    db_bind_str(q, 1, s->id);
    return row_exists(q, &found, &err) && found ? db_col_int(q, 0) : 0;
}

bool driver_has_file(const struct driver *d, int blob)
{
    char path[BLOB_PATH_MAX];
    struct stat st;
    blob_path(&d->universe->blobs[blob].digest, path);
    return fstatat(store_blobs_dir(d->store), path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

void driver_look_at_files(const struct driver *d, struct model *m)
{
    for (int b = 0; b < BLOBS; b++) {
        m->blobs[b].file = !m->blobs[b].row && driver_has_file(d, b);
    }
}
