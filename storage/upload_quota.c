#include "storage/repository.h"
#include "storage/upload_internal.h"

/* Room in the index is asked for in steps, so that a large upload does not cost a transaction for
 * each of its pieces. What of it is still empty is taken back when somebody needs it. */
#define STEP (INT64_C(64) * 1024 * 1024)

static bool read_namespace(struct db_tx *tx, const struct upload *u, struct namespace *out,
                           struct err *err)
{
    struct err why = {0};
    if (namespace_get_by_id(tx, u->namespace_id, out, &why)) {
        return out->incarnation == u->namespace_incarnation || upload_unknown(err);
    }
    if (why.code == ERR_NAMESPACE_UNKNOWN) {
        return upload_unknown(err);
    }
    if (err) {
        *err = why;
    }
    return false;
}

/* --- what nobody has filled yet --------------------------------------------------------------- */

static bool shrink_row(struct db_tx *tx, const struct upload_hold *hold, int64_t *freed,
                       struct err *err)
{
    bool found = false;
    int64_t reserved = 0;
    if (!upload_row_reserved(tx, hold->id, &found, &reserved, err)) {
        return false;
    }
    if (reserved <= hold->bytes) {
        return true;
    }
    *freed += reserved - hold->bytes;
    return upload_row_set_reserved(tx, hold->id, hold->bytes, err);
}

/* Takes from the uploads of a namespace what they have reserved and not filled. Their memory goes
 * first: should the transaction fail, they hold more than they know, and never less. The caller has
 * the lock of the reservations. */
static bool take_back(struct db_tx *tx, struct uploads *uploads, int64_t namespace_id,
                      struct err *err)
{
    size_t count = 0;
    int64_t freed = 0;
    auto_free struct upload_hold *holds = upload_table_shrink(uploads, namespace_id, &count);
    for (size_t i = 0; i < count; i++) {
        if (!shrink_row(tx, &holds[i], &freed, err)) {
            return false;
        }
    }
    return namespace_reserve(tx, namespace_id, -freed, err);
}

/* --- a reservation ---------------------------------------------------------------------------- */

struct reservation {
    struct upload *upload;
    int64_t need, want; /* bytes of the whole upload: at least, and rather */
    struct namespace ns;
    bool has_row;
    int64_t before, granted; /* out */
};

static bool read_reservation(struct db_tx *tx, struct reservation *r, struct err *err)
{
    const struct upload *u = r->upload;
    return read_namespace(tx, u, &r->ns, err) &&
           upload_row_reserved(tx, u->id, &r->has_row, &r->before, err) &&
           (r->has_row || (u->kind == UPLOAD_SINGLE && !u->has_row) || upload_unknown(err));
}

static bool store_reservation(struct db_tx *tx, const struct reservation *r, struct err *err)
{
    const struct upload *u = r->upload;
    struct repository repository;
    if (r->has_row) {
        return upload_row_set_reserved(tx, u->id, r->granted, err);
    }
    int64_t now_us = (int64_t)atomic_load(&u->last_used_us);
    return repository_ensure(tx, &u->repo, now_us, &repository, NULL, err) &&
           upload_row_insert(tx, u, &repository, r->granted, now_us, err);
}

static bool write_reservation(struct db_tx *tx, void *arg, struct err *err)
{
    struct reservation *r = arg;
    const struct upload *u = r->upload;
    if (!read_reservation(tx, r, err)) {
        return false;
    }
    if (r->need - r->before > namespace_room(&r->ns) &&
        (!take_back(tx, u->store->uploads, u->namespace_id, err) ||
         !read_reservation(tx, r, err))) {
        return false;
    }
    int64_t room = namespace_room(&r->ns);
    if (r->need - r->before > room) {
        return namespace_refuse(&r->ns, r->need - r->before, err);
    }
    int64_t more = r->want - r->before < room ? r->want - r->before : room;
    r->granted = r->before + (more > 0 ? more : 0);
    return namespace_reserve(tx, u->namespace_id, r->granted - r->before, err) &&
           store_reservation(tx, r, err);
}

bool upload_reserve(struct upload *u, int64_t need, int64_t claimed, struct err *err)
{
    int64_t end = u->announced >= need ? u->announced : need + STEP;
    struct reservation r = {.upload = u, .need = need};
    r.want = end - claimed > STEP ? claimed + STEP : end;
    upload_table_lock_space(u->store->uploads);
    /* relaxed: the bytes that it is for would not survive power loss either */
    bool done = db_write_relaxed(u->store->db, write_reservation, &r, err);
    if (done) {
        u->has_row = true;
        upload_table_set_space(u, r.granted, claimed);
    }
    upload_table_unlock_space(u->store->uploads);
    return done;
}

/* --- others that need room -------------------------------------------------------------------- */

struct roomy_write {
    struct store *store;
    const struct repo_name *repo;
    db_write_fn fn;
    void *arg;
};

static bool write_with_room(struct db_tx *tx, void *arg, struct err *err)
{
    const struct roomy_write *w = arg;
    struct namespace_name name;
    struct namespace ns;
    repo_name_namespace(w->repo, &name);
    return namespace_get(tx, &name, &ns, err) && take_back(tx, w->store->uploads, ns.id, err) &&
           w->fn(tx, w->arg, err);
}

bool upload_make_room(struct store *store, const struct repo_name *repo, db_write_fn fn, void *arg,
                      struct err *err)
{
    struct roomy_write w = {.store = store, .repo = repo, .fn = fn, .arg = arg};
    struct err why = {0};
    bool done = db_write(store->db, fn, arg, &why);
    if (!done && why.code == ERR_QUOTA) {
        upload_table_lock_space(store->uploads);
        done = db_write(store->db, write_with_room, &w, &why);
        upload_table_unlock_space(store->uploads);
    }
    if (!done && err) {
        *err = why;
    }
    return done;
}
