#include "storage/blob.h"
#include "tests/unit/storage/model/run.h"
#include "tests/unit/storage/world.h"

static bool mount_from(struct db_tx *tx, struct call *c, int64_t source, struct err *err)
{
    struct repository to;
    struct blob blob;
    if (!call_ensure(tx, c, &to, err) ||
        !blob_mount(tx, to.id, source, call_blob(c), KEEP_US, c->op->now_us, &blob, err)) {
        return false;
    }
    c->answer.a = blob.size;
    c->answer.b = blob.collect_after_us;
    return true;
}

static bool mount_in(struct db_tx *tx, void *arg, struct err *err)
{
    struct call *c = arg;
    return mount_from(tx, c, call_id(c, c->op->other), err);
}

static bool mount_any_in(struct db_tx *tx, void *arg, struct err *err)
{
    struct call *c = arg;
    const struct reader readers[] = {
        {.account_id = 0}, {.namespace_id = c->model->spaces[0].id}, {.all = true}};
    c->answer = (struct answer){0};
    return blob_find_source(tx, call_blob(c), &readers[c->op->reader], INT64_MAX, &c->answer.c, err) &&
           mount_from(tx, c, c->answer.c, err);
}

void run_mount(struct call *c)
{
    call_write(c, mount_in);
}

void run_mount_any(struct call *c)
{
    call_write(c, mount_any_in);
}

static bool unlink_in(struct db_tx *tx, void *arg, struct err *err)
{
    struct call *c = arg;
    return blob_unlink(tx, call_id(c, c->op->repository), call_blob(c), c->op->now_us, err);
}

void run_unlink(struct call *c)
{
    call_write(c, unlink_in);
}

static bool keep_in(struct db_tx *tx, void *arg, struct err *err)
{
    struct call *c = arg;
    struct blob blob;
    if (!blob_keep(tx, call_id(c, c->op->repository), call_blob(c), KEEP_US, c->op->now_us, &blob,
                   err)) {
        return false;
    }
    c->answer = (struct answer){.a = blob.size, .b = blob.collect_after_us};
    return true;
}

void run_keep(struct call *c)
{
    call_write(c, keep_in);
}

void run_read(struct call *c)
{
    struct blob blob = {0};
    struct err err = {0};
    auto_snapshot struct db_tx *tx = snapshot_of(c->driver->db);
    bool ok = blob_get(tx, call_id(c, c->op->repository), call_blob(c), &blob, &err);
    c->answer.a = blob.size;
    c->answer.b = blob.collect_after_us;
    call_refuse(c, ok, &err);
}
