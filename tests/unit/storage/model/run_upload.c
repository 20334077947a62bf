#include "storage/upload.h"
#include "tests/unit/storage/model/run.h"
#include "tests/unit/storage/world.h"

static const struct model_session *session_of(const struct call *c)
{
    return &c->model->sessions[c->op->session];
}

static struct slice session_id(const struct call *c)
{
    static const char unknown[] = "00000000-0000-4000-8000-000000000000";
    return slice_str(session_of(c)->open ? session_of(c)->id : unknown);
}

/* Whom and where the request is of. */
static const struct repo_name *asked_repository(const struct call *c)
{
    int repository = session_of(c)->repository + c->op->elsewhere;
    return &c->driver->universe->repositories[repository % REPOSITORIES];
}

static int64_t asked_account(const struct call *c)
{
    return driver_account((session_of(c)->account + c->op->strange) % ACCOUNTS);
}

static struct upload *open_session(struct call *c)
{
    struct upload *u = NULL;
    struct err err = {0};
    bool ok = upload_open(c->driver->store, asked_repository(c), session_id(c), asked_account(c),
                          c->op->now_us, &u, &err);
    call_refuse(c, ok, &err);
    return u;
}

void run_start(struct call *c)
{
    struct upload *u = NULL;
    struct err err = {0};
    struct actor actor = call_actor(c->op);
    bool ok = upload_start(c->driver->store, &c->driver->universe->repositories[c->op->repository],
                           UPLOAD_SESSION, &actor, c->op->now_us, &u, &err);
    call_refuse(c, ok, &err);
    snprintf(c->id_out, UPLOAD_ID_MAX, "%s", ok ? upload_id(u) : "");
    upload_close(u);
}

/* The file's time is what the next process knows of when the session was used. */
static void stamp(const struct driver *d, const char *id, int64_t now_us)
{
    const struct timespec when = {.tv_sec = now_us / 1000000, .tv_nsec = now_us % 1000000 * 1000};
    const struct timespec times[2] = {when, when};
    (void)utimensat(store_uploads_dir(d->store), id, times, AT_SYMLINK_NOFOLLOW);
}

static bool append(struct call *c, struct upload *u, struct err *err)
{
    const struct model_session *s = session_of(c);
    struct slice all = c->driver->universe->blobs[s->fed].bytes;
    auto_buf struct buf junk = {0};
    struct slice chunk = slice_first(slice_from(all, (size_t)s->received), (size_t)c->op->n);
    for (int64_t i = 0; c->op->junk && i < c->op->n; i++) {
        buf_char(&junk, '#');
    }
    return upload_expect(u, s->received + c->op->out_of_order, err) &&
           (!c->op->announced || c->op->sealed || upload_announce(u, c->op->n, err)) &&
           upload_append(u, c->op->junk ? buf_slice_of(&junk) : chunk, c->op->now_us, err);
}

void run_append(struct call *c)
{
    struct err err = {0};
    struct upload *u = open_session(c);
    if (!u) {
        return;
    }
    bool ok = append(c, u, &err);
    if (ok) {
        stamp(c->driver, session_of(c)->id, c->op->now_us);
    }
    c->answer.a = upload_received(u);
    call_refuse(c, ok, &err);
    upload_close(u);
}

/* The last request of a session may bring the last bytes. */
static bool append_rest(struct call *c, struct upload *u, bool *brought_out, struct err *err)
{
    const struct model_session *s = session_of(c);
    struct slice rest = slice_from(c->driver->universe->blobs[s->fed].bytes, (size_t)s->received);
    *brought_out = false;
    if (!c->op->rest || rest.n == 0) {
        return true;
    }
    upload_bring_rest(u);
    *brought_out = upload_append(u, rest, c->op->now_us, err);
    return *brought_out;
}

void run_finish(struct call *c)
{
    struct err err = {0};
    bool brought = false;
    struct upload *u = open_session(c);
    if (!u) {
        return;
    }
    bool ok = append_rest(c, u, &brought, &err) &&
              upload_finish(u, call_blob(c), c->op->now_us, &c->answer.a, &err);
    call_refuse(c, ok, &err);
    upload_close(u);
    if (brought) {
        stamp(c->driver, session_of(c)->id, c->op->now_us);
    }
}

void run_cancel(struct call *c)
{
    struct err err = {0};
    bool ok = upload_cancel(c->driver->store, asked_repository(c), session_id(c), asked_account(c),
                            c->op->now_us, &err);
    call_refuse(c, ok, &err);
}

void run_hold(struct call *c)
{
    struct upload *u = open_session(c);
    if (u) {
        c->answer.a = upload_received(u);
        c->driver->held[c->op->session] = u;
    }
}

void run_release(struct call *c)
{
    upload_close(take(c->driver->held[c->op->session]));
}

void run_expire(struct call *c)
{
    int ended = 0;
    struct err err = {0};
    bool ok = upload_expire(c->driver->store, c->op->now_us, (int)c->op->n, &ended, &err);
    c->answer.a = ended;
    call_refuse(c, ok, &err);
}

static bool promise(const struct call *c, struct upload *u)
{
    if (c->op->rest) {
        upload_bring_rest(u);
    }
    return true;
}

void run_single(struct call *c)
{
    const struct universe *all = c->driver->universe;
    struct upload *u = NULL;
    struct err err = {0};
    struct actor actor = call_actor(c->op);
    struct slice bytes = all->blobs[c->op->fed].bytes;
    bool ok = upload_start(c->driver->store, &all->repositories[c->op->repository], UPLOAD_SINGLE,
                           &actor, c->op->now_us, &u, &err) &&
              promise(c, u) && (bytes.n == 0 || upload_append(u, bytes, c->op->now_us, &err)) &&
              upload_finish(u, call_blob(c), c->op->now_us, &c->answer.a, &err);
    call_refuse(c, ok, &err);
    upload_close(u);
}
