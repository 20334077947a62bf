#include "tests/unit/storage/model/driver.h"

#include "storage/blob.h"
#include "storage/check.h"
#include "storage/gc.h"
#include "storage/manifest.h"
#include "storage/namespace.h"
#include "storage/referrer.h"
#include "storage/tag.h"
#include "tests/unit/storage/world.h"

#include <stdarg.h>

#define ALL 1000 /* more than there is of anything */

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

static struct actor actor_of(const struct operation *op)
{
    struct actor actor = {.account_id = driver_account(op->account), .address = "192.0.2.1"};
    snprintf(actor.name, sizeof(actor.name), "user%d@example.org", op->account);
    return actor;
}

/* --- open and close --------------------------------------------------------------------------- */

bool driver_open(struct driver *d, const char *path, const struct universe *u)
{
    const struct store_limits limits = {.uploads_per_account = SESSIONS_PER_ACCOUNT,
                                        .upload_idle_us = IDLE_US,
                                        .condemned_us = KEEP_US};
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

/* --- one operation ---------------------------------------------------------------------------- */

struct call {
    struct driver *driver;
    const struct model *model; /* before it */
    const struct operation *op;
    char *id_out;
    struct answer answer;
};

static bool ensure(struct db_tx *tx, const struct call *c, struct repository *out, struct err *err)
{
    const struct repo_name *name = &c->driver->universe->repositories[c->op->repository];
    return repository_ensure(tx, name, c->op->now_us, out, NULL, err);
}

/* 0: it has no row */
static int64_t id_of(const struct call *c, int repository)
{
    return c->model->repositories[repository].id;
}

static const struct digest *blob_of(const struct call *c)
{
    return &c->driver->universe->blobs[c->op->blob].digest;
}

static const struct digest *manifest_of(const struct call *c)
{
    return &c->driver->universe->manifests[c->op->manifest].content.digest;
}

/* Runs a transaction as a handler does. */
static void write_call(struct call *c, db_write_fn fn)
{
    struct err err = {0};
    if (!db_write(c->driver->db, fn, c, &err)) {
        c->answer = (struct answer){.code = err.code};
    }
}

static void take_error(struct call *c, bool ok, const struct err *err)
{
    if (!ok) {
        c->answer = (struct answer){.code = err->code};
    }
}

/* --- uploads */

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
    take_error(c, ok, &err);
    return u;
}

static void run_start(struct call *c)
{
    struct upload *u = NULL;
    struct err err = {0};
    struct actor actor = actor_of(c->op);
    bool ok = upload_start(c->driver->store, &c->driver->universe->repositories[c->op->repository],
                           UPLOAD_SESSION, &actor, c->op->now_us, &u, &err);
    take_error(c, ok, &err);
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
           upload_append(u, c->op->junk ? buf_slice_of(&junk) : chunk, c->op->now_us, err);
}

static void run_append(struct call *c)
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
    take_error(c, ok, &err);
    upload_close(u);
}

static void run_finish(struct call *c)
{
    struct err err = {0};
    struct upload *u = open_session(c);
    if (u) {
        bool ok = upload_finish(u, blob_of(c), c->op->now_us, &c->answer.a, &err);
        take_error(c, ok, &err);
        upload_close(u);
    }
}

static void run_cancel(struct call *c)
{
    struct err err = {0};
    bool ok = upload_cancel(c->driver->store, asked_repository(c), session_id(c), asked_account(c),
                            c->op->now_us, &err);
    take_error(c, ok, &err);
}

static void run_hold(struct call *c)
{
    struct upload *u = open_session(c);
    if (u) {
        c->answer.a = upload_received(u);
        c->driver->held[c->op->session] = u;
    }
}

static void run_release(struct call *c)
{
    upload_close(take(c->driver->held[c->op->session]));
}

static void run_expire(struct call *c)
{
    int ended = 0;
    struct err err = {0};
    bool ok = upload_expire(c->driver->store, c->op->now_us, (int)c->op->n, &ended, &err);
    c->answer.a = ended;
    take_error(c, ok, &err);
}

static void run_single(struct call *c)
{
    const struct universe *all = c->driver->universe;
    struct upload *u = NULL;
    struct err err = {0};
    struct actor actor = actor_of(c->op);
    struct slice bytes = all->blobs[c->op->fed].bytes;
    bool ok = upload_start(c->driver->store, &all->repositories[c->op->repository], UPLOAD_SINGLE,
                           &actor, c->op->now_us, &u, &err) &&
              (bytes.n == 0 || upload_append(u, bytes, c->op->now_us, &err)) &&
              upload_finish(u, blob_of(c), c->op->now_us, &c->answer.a, &err);
    take_error(c, ok, &err);
    upload_close(u);
}

/* --- blobs */

static bool mount_from(struct db_tx *tx, struct call *c, int64_t source, struct err *err)
{
    struct repository to;
    struct blob blob;
    if (!ensure(tx, c, &to, err) ||
        !blob_mount(tx, to.id, source, blob_of(c), KEEP_US, c->op->now_us, &blob, err)) {
        return false;
    }
    c->answer.a = blob.size;
    c->answer.b = blob.collect_after_us;
    return true;
}

static bool mount_in(struct db_tx *tx, void *arg, struct err *err)
{
    struct call *c = arg;
    return mount_from(tx, c, id_of(c, c->op->other), err);
}

static bool mount_any_in(struct db_tx *tx, void *arg, struct err *err)
{
    struct call *c = arg;
    const struct reader readers[] = {
        {.account_id = 0}, {.namespace_id = c->model->spaces[0].id}, {.all = true}};
    c->answer = (struct answer){0};
    return blob_find_source(tx, blob_of(c), &readers[c->op->reader], &c->answer.c, err) &&
           mount_from(tx, c, c->answer.c, err);
}

static void run_mount(struct call *c)
{
    write_call(c, mount_in);
}

static void run_mount_any(struct call *c)
{
    write_call(c, mount_any_in);
}

static bool unlink_in(struct db_tx *tx, void *arg, struct err *err)
{
    struct call *c = arg;
    return blob_unlink(tx, id_of(c, c->op->repository), blob_of(c), c->op->now_us, err);
}

static void run_unlink(struct call *c)
{
    write_call(c, unlink_in);
}

static bool keep_in(struct db_tx *tx, void *arg, struct err *err)
{
    struct call *c = arg;
    struct blob blob;
    if (!blob_keep(tx, id_of(c, c->op->repository), blob_of(c), KEEP_US, c->op->now_us, &blob,
                   err)) {
        return false;
    }
    c->answer = (struct answer){.a = blob.size, .b = blob.collect_after_us};
    return true;
}

static void run_keep(struct call *c)
{
    write_call(c, keep_in);
}

static void run_read(struct call *c)
{
    struct blob blob = {0};
    struct err err = {0};
    auto_snapshot struct db_tx *tx = snapshot_of(c->driver->db);
    bool ok = blob_get(tx, id_of(c, c->op->repository), blob_of(c), &blob, &err);
    c->answer.a = blob.size;
    c->answer.b = blob.collect_after_us;
    take_error(c, ok, &err);
}

/* --- manifests and tags */

static bool put_tag(struct db_tx *tx, struct call *c, int64_t repository_id, int tag,
                    int64_t *change_out, struct err *err)
{
    struct actor actor = actor_of(c->op);
    enum tag_change change = TAG_UNCHANGED;
    *change_out = NONE;
    if (tag == NONE) {
        return true;
    }
    bool ok = tag_put(tx, repository_id, &c->driver->universe->tags[tag], manifest_of(c), &actor,
                      c->op->now_us, &change, err);
    *change_out = change;
    return ok;
}

static bool put_in(struct db_tx *tx, void *arg, struct err *err)
{
    struct call *c = arg;
    const struct shape *shape = &c->driver->universe->manifests[c->op->manifest];
    struct actor actor = actor_of(c->op);
    struct repository r;
    bool created = false;
    struct manifest_put put = {.doc = shape->doc,
                               .digest = shape->content.digest,
                               .bytes = shape->content.bytes,
                               .sparse = c->op->sparse};
    bool ok = ensure(tx, c, &r, err) &&
              manifest_put(tx, r.id, &put, &actor, c->op->now_us, &created, err) &&
              put_tag(tx, c, r.id, c->op->tag, &c->answer.b, err) &&
              put_tag(tx, c, r.id, c->op->second_tag, &c->answer.c, err);
    c->answer.a = created;
    return ok;
}

static void run_put(struct call *c)
{
    write_call(c, put_in);
}

static bool delete_in(struct db_tx *tx, void *arg, struct err *err)
{
    struct call *c = arg;
    struct actor actor = actor_of(c->op);
    return manifest_delete(tx, id_of(c, c->op->repository), manifest_of(c), &actor, KEEP_US,
                           c->op->now_us, err);
}

static void run_delete(struct call *c)
{
    write_call(c, delete_in);
}

static bool tag_in(struct db_tx *tx, void *arg, struct err *err)
{
    struct call *c = arg;
    return put_tag(tx, c, id_of(c, c->op->repository), c->op->tag, &c->answer.a, err);
}

static void run_tag(struct call *c)
{
    write_call(c, tag_in);
}

static bool untag_in(struct db_tx *tx, void *arg, struct err *err)
{
    struct call *c = arg;
    struct actor actor = actor_of(c->op);
    return tag_delete(tx, id_of(c, c->op->repository), &c->driver->universe->tags[c->op->tag],
                      &actor, c->op->now_us, err);
}

static void run_untag(struct call *c)
{
    write_call(c, untag_in);
}

/* --- pages */

/* The next tag of the repository after `tag`; TAGS: none. */
static int next_tag(const struct model_repository *r, int tag)
{
    do {
        tag++;
    } while (tag < TAGS && r->tags[tag].manifest == NONE);
    return tag;
}

static void check_tags(struct call *c, const struct tag_list *list)
{
    const struct model_repository *r = &c->model->repositories[c->op->repository];
    int tag = c->op->tag;
    for (size_t i = 0; i < list->count; i++) {
        tag = next_tag(r, tag);
        const char *got = list->items[i].name.text;
        if (tag == TAGS || strcmp(got, c->driver->universe->tags[tag].text) != 0) {
            driver_differs(c->driver, "a page of tags has %s, which does not come next", got);
            return;
        }
    }
}

static void run_tags_page(struct call *c)
{
    struct err err = {0};
    auto_tag_list struct tag_list list = {0};
    auto_snapshot struct db_tx *tx = snapshot_of(c->driver->db);
    struct slice last =
        c->op->tag == NONE ? SLICE_LIT("") : tag_name_slice(&c->driver->universe->tags[c->op->tag]);
    bool ok = tag_list(tx, id_of(c, c->op->repository), last, (int)c->op->n, &list, &err);
    c->answer.a = (int64_t)list.count;
    c->answer.b = list.more;
    take_error(c, ok, &err);
    check_tags(c, &list);
}

/* The manifest that a referrer is; NULL: none of ours. */
static const struct shape *shape_of(const struct call *c, const struct referrer *item)
{
    for (int i = 0; i < MANIFESTS; i++) {
        const struct shape *s = &c->driver->universe->manifests[i];
        bool here = c->model->repositories[c->op->repository].manifests[i].here;
        if (here && digest_equal(&s->content.digest, &item->digest)) {
            return s;
        }
    }
    return NULL;
}

static bool is_described(const struct shape *s, const struct referrer *item)
{
    return item->size == (int64_t)s->content.bytes.n && strcmp(item->media_type, s->type) == 0 &&
           strcmp(item->artifact_type, s->artifact_type) == 0 &&
           strcmp(item->annotations ? item->annotations : "", s->annotations) == 0;
}

static bool comes_after(const struct digest *a, const struct digest *b)
{
    uint8_t x[DIGEST_RAW_MAX], y[DIGEST_RAW_MAX];
    size_t n = digest_to_raw(a, x), k = digest_to_raw(b, y);
    return slice_compare(slice_of_bytes(x, n), slice_of_bytes(y, k)) > 0;
}

static bool check_referrers(struct call *c, const struct referrer_list *list, struct digest *last)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct referrer *item = &list->items[i];
        const struct shape *s = shape_of(c, item);
        if (!s || !digest_equal(&s->subject, manifest_of(c)) || !is_described(s, item)) {
            return driver_differs(c->driver, "a referrer is not what was pushed");
        }
        if (digest_is_set(last) && !comes_after(&item->digest, last)) {
            return driver_differs(c->driver, "the referrers are not in the order of their digests");
        }
        *last = item->digest;
    }
    return true;
}

static int64_t count_referrers(struct call *c, struct slice type)
{
    struct digest last = {0};
    int64_t count = 0;
    bool more = true;
    auto_snapshot struct db_tx *tx = snapshot_of(c->driver->db);
    while (more) {
        struct err err = {0};
        auto_referrer_list struct referrer_list list = {0};
        struct digest after = last;
        bool ok = referrer_list(tx, id_of(c, c->op->repository), manifest_of(c), type, &after,
                                (int)c->op->n, &list, &err);
        take_error(c, ok, &err);
        more = ok && check_referrers(c, &list, &last) && list.more;
        count += (int64_t)list.count;
    }
    return count;
}

static void run_referrers_page(struct call *c)
{
    const char *type =
        c->op->like == NONE ? "" : c->driver->universe->manifests[c->op->like].artifact_type;
    c->answer.a = count_referrers(c, slice_str(type));
    c->answer.b = count_referrers(c, SLICE_LIT(""));
}

/* --- maintenance */

static void collect_step(struct call *c, int max, struct gc_result *step)
{
    struct err err = {0};
    bool ok = gc_run(c->driver->store, c->op->now_us, max, step, &err);
    c->answer.a += step->examined;
    c->answer.b += step->memberships;
    c->answer.c += step->blobs;
    c->answer.d += step->bytes;
    take_error(c, ok, &err);
    if (ok && step->failures > 0) {
        driver_differs(c->driver, "%d entries could not be collected", step->failures);
    }
}

static void run_collect(struct call *c)
{
    struct gc_result step = {0};
    collect_step(c, ALL, &step);
}

static void run_drain(struct call *c)
{
    struct gc_result step = {0};
    do {
        collect_step(c, (int)c->op->n, &step);
    } while (step.examined > 0 && c->answer.code == ERR_NONE);
}

static bool quota_in(struct db_tx *tx, void *arg, struct err *err)
{
    struct call *c = arg;
    return namespace_set_quota(tx, c->model->spaces[c->op->space].id, c->op->n, err);
}

static void run_quota(struct call *c)
{
    write_call(c, quota_in);
}

static void tell_finding(const struct check_finding *finding, void *arg)
{
    driver_differs(arg, "the check found: %s: %s", finding->where, finding->what);
}

static void run_check(struct call *c)
{
    const struct check_listener listener = {.finding = tell_finding, .arg = c->driver};
    struct check_report report;
    struct err err = {0};
    bool ok = store_check(c->driver->store, CHECK_BYTES, &listener, &report, &err);
    take_error(c, ok, &err);
}

typedef void (*run_fn)(struct call *c);
static const run_fn runners[OP_COUNT] = {
    [OP_START] = run_start,
    [OP_APPEND] = run_append,
    [OP_FINISH] = run_finish,
    [OP_CANCEL] = run_cancel,
    [OP_HOLD] = run_hold,
    [OP_RELEASE] = run_release,
    [OP_EXPIRE] = run_expire,
    [OP_SINGLE] = run_single,
    [OP_MOUNT] = run_mount,
    [OP_MOUNT_ANY] = run_mount_any,
    [OP_UNLINK] = run_unlink,
    [OP_READ] = run_read,
    [OP_KEEP] = run_keep,
    [OP_PUT] = run_put,
    [OP_DELETE] = run_delete,
    [OP_TAG] = run_tag,
    [OP_UNTAG] = run_untag,
    [OP_TAGS_PAGE] = run_tags_page,
    [OP_REFERRERS_PAGE] = run_referrers_page,
    [OP_COLLECT] = run_collect,
    [OP_DRAIN] = run_drain,
    [OP_QUOTA] = run_quota,
    [OP_CHECK] = run_check,
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
