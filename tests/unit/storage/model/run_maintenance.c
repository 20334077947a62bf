#include "storage/blob_journal.h"
#include "storage/check.h"
#include "storage/gc.h"
#include "storage/namespace.h"
#include "tests/unit/storage/model/run.h"
#include "tests/unit/storage/world.h"

#define ALL 1000 /* more than there is in any queue */

static void collect_step(struct call *c, int max, struct gc_result *step)
{
    struct err err = {0};
    bool ok = gc_run(c->driver->store, c->op->now_us, max, step, &err);
    c->answer.a += step->examined;
    c->answer.b += step->memberships;
    c->answer.c += step->blobs;
    c->answer.d += step->bytes;
    call_refuse(c, ok, &err);
    if (ok && step->failures > 0) {
        driver_differs(c->driver, "%d entries could not be collected", step->failures);
    }
}

void run_collect(struct call *c)
{
    struct gc_result step = {0};
    collect_step(c, ALL, &step);
}

void run_drain(struct call *c)
{
    struct gc_result step = {0};
    do {
        collect_step(c, (int)c->op->n, &step);
    } while (step.examined > 0 && c->answer.code == ERR_NONE);
}

void run_settle(struct call *c)
{
    bool more = true;
    while (more) {
        struct err err = {0};
        bool ok = blob_journal_settle(c->driver->store, NULL, &more, &err);
        call_refuse(c, ok, &err);
        more = ok && more;
    }
    if (c->answer.code == ERR_NONE && blob_journal_waiting(c->driver->store)) {
        driver_differs(c->driver, "the journal is settled and something waits in it");
    }
}

static bool quota_in(struct db_tx *tx, void *arg, struct err *err)
{
    struct call *c = arg;
    return namespace_set_quota(tx, c->model->spaces[c->op->space].id, c->op->n, err);
}

void run_quota(struct call *c)
{
    call_write(c, quota_in);
}

static void tell_finding(const struct check_finding *finding, void *arg)
{
    driver_differs(arg, "the check found: %s: %s", finding->where, finding->what);
}

void run_check(struct call *c)
{
    const struct check_listener listener = {.finding = tell_finding, .arg = c->driver};
    struct check_report report;
    struct err err = {0};
    bool ok = store_check(c->driver->store, CHECK_BYTES, &listener, &report, &err);
    call_refuse(c, ok, &err);
}
