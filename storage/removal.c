#include "storage/removal.h"

#include "storage/blob.h"
#include "storage/override.h"
#include "storage/repository.h"
#include "storage/row.h"
#include "storage/statements.h"
#include "storage/store_private.h"
#include "storage/upload_internal.h"

#include <stdio.h>

enum removal_kind { REMOVAL_REPOSITORY = 1, REMOVAL_NAMESPACE = 2 };

/* --- the mark --------------------------------------------------------------------------------- */

static bool put_removal(struct db_tx *tx, enum removal_kind kind, int64_t id, bool keep_pins,
                        const struct actor *actor, int64_t now_us, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_REMOVAL_INSERT);
    db_bind_int(q, 1, kind);
    db_bind_int(q, 2, id);
    db_bind_int(q, 3, keep_pins);
    db_bind_int(q, 4, now_us);
    db_bind_int(q, 5, actor->account_id);
    db_bind_str(q, 6, actor->name);
    return db_run(q, err);
}

static bool mark(struct db_tx *tx, enum sql statement, int64_t id, int64_t now_us,
                 enum err_code unknown, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, (int)statement);
    db_bind_int(q, 1, id);
    db_bind_int(q, 2, now_us);
    return row_changed(tx, q, unknown, err);
}

bool repository_remove(struct db_tx *tx, int64_t repository_id, const struct actor *actor,
                       int64_t now_us, struct err *err)
{
    return repository_count_deleted(tx, repository_id, err) &&
           mark(tx, SQL_REPOSITORY_MARK_DELETED, repository_id, now_us, ERR_NAME_UNKNOWN, err) &&
           override_end_repository(tx, repository_id, "the repository was deleted", actor, now_us,
                                   err) &&
           put_removal(tx, REMOVAL_REPOSITORY, repository_id, true, actor, now_us, err);
}

bool namespace_remove(struct db_tx *tx, int64_t namespace_id, bool keep_pins,
                      const struct actor *actor, int64_t now_us, struct err *err)
{
    return mark(tx, SQL_NAMESPACE_MARK_DELETED, namespace_id, now_us, ERR_NAMESPACE_UNKNOWN, err) &&
           put_removal(tx, REMOVAL_NAMESPACE, namespace_id, keep_pins, actor, now_us, err);
}

static bool drop_removal(struct db_tx *tx, enum removal_kind kind, int64_t id, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_REMOVAL_DELETE);
    db_bind_int(q, 1, kind);
    db_bind_int(q, 2, id);
    return db_run(q, err);
}

/* --- what is on its way out ------------------------------------------------------------------- */

static bool next_removal(struct db_tx *tx, enum removal_kind kind, int64_t after,
                         struct namespace_removal *out, bool *found_out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_REMOVAL_NEXT);
    db_bind_int(q, 1, kind);
    db_bind_int(q, 2, after);
    *out = (struct namespace_removal){0};
    if (!row_exists(q, found_out, err)) {
        return false;
    }
    if (*found_out) {
        out->namespace_id = db_col_int(q, 0);
        row_text(q, 1, out->after_name, sizeof(out->after_name));
        out->keep_pins = db_col_int(q, 2) != 0;
        out->since_us = db_col_int(q, 3);
        out->actor.account_id = db_col_int(q, 4);
        row_text(q, 5, out->actor.name, sizeof(out->actor.name));
    }
    return true;
}

bool namespace_removal_next(struct db_tx *tx, int64_t after_namespace_id,
                            struct namespace_removal *out, bool *found_out, struct err *err)
{
    return next_removal(tx, REMOVAL_NAMESPACE, after_namespace_id, out, found_out, err);
}

bool namespace_removal_repository(struct db_tx *tx, const struct namespace_removal *r,
                                  int64_t *repository_id_out, bool *found_out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_REPOSITORY_OF_NAMESPACE);
    db_bind_int(q, 1, r->namespace_id);
    db_bind_str(q, 2, r->after_name);
    if (!row_exists(q, found_out, err)) {
        return false;
    }
    *repository_id_out = *found_out ? db_col_int(q, 0) : 0;
    return true;
}

bool namespace_removal_advance(struct db_tx *tx, struct namespace_removal *r,
                               const struct repo_name *repository, struct err *err)
{
    snprintf(r->after_name, sizeof(r->after_name), "%s", repository->text);
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_REMOVAL_ADVANCE);
    db_bind_int(q, 1, REMOVAL_NAMESPACE);
    db_bind_int(q, 2, r->namespace_id);
    db_bind_str(q, 3, r->after_name);
    return db_run(q, err);
}

/* --- a page of a repository ------------------------------------------------------------------- */

struct page {
    int64_t id; /* of the repository or namespace */
    int64_t now_us;
    int max;
    bool keep_pins;
    int removed; /* out: rows; 0: nothing was left of it, and it is gone or waits for an upload */
};

typedef bool (*page_fn)(struct db_tx *tx, struct page *page, struct err *err);

/* Statements that remove at most ?2 rows of ?1. */
static bool remove_some(struct db_tx *tx, enum sql statement, struct page *page, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, (int)statement);
    db_bind_int(q, 1, page->id);
    db_bind_int(q, 2, page->max);
    if (!db_run(q, err)) {
        return false;
    }
    page->removed += (int)db_changes(tx);
    return true;
}

static bool remove_tags(struct db_tx *tx, struct page *page, struct err *err)
{
    return remove_some(tx, SQL_REMOVAL_TAGS, page, err);
}

static bool remove_history(struct db_tx *tx, struct page *page, struct err *err)
{
    return remove_some(tx, SQL_REMOVAL_HISTORY, page, err);
}

struct sized_digest {
    struct digest digest;
    int64_t size; /* manifests only */
};

static void read_sized(struct db_stmt *q, void *item)
{
    struct sized_digest *out = item;
    (void)db_col_digest(q, 0, &out->digest);
    out->size = db_col_int(q, 1);
}

static void read_digest(struct db_stmt *q, void *item)
{
    (void)db_col_digest(q, 0, &((struct sized_digest *)item)->digest);
}

static bool read_page(struct db_tx *tx, enum sql statement, const struct page *page, row_fn read,
                      struct row_page *out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, (int)statement);
    db_bind_int(q, 1, page->id);
    db_bind_int(q, 2, page->max);
    return row_page(q, page->max, sizeof(struct sized_digest), read, out, err);
}

static bool by_digest(struct db_tx *tx, enum sql statement, int64_t repository_id,
                      const struct digest *digest, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, (int)statement);
    db_bind_int(q, 1, repository_id);
    db_bind_digest(q, 2, digest);
    return db_run(q, err);
}

/* Their blobs are not condemned one by one: all memberships go next. */
static bool remove_manifests(struct db_tx *tx, struct page *page, struct err *err)
{
    struct row_page rows;
    int64_t bytes = 0;
    bool ok = read_page(tx, SQL_REMOVAL_MANIFESTS, page, read_sized, &rows, err);
    auto_free struct sized_digest *manifests = rows.items;
    for (size_t i = 0; ok && i < rows.count; i++) {
        const struct digest *digest = &manifests[i].digest;
        bytes += manifests[i].size;
        ok = by_digest(tx, SQL_EDGE_DELETE_OF_PARENT, page->id, digest, err) &&
             by_digest(tx, SQL_MANIFEST_DELETE, page->id, digest, err);
    }
    page->removed += (int)rows.count;
    return ok && repository_charge(tx, page->id, -bytes, err) &&
           repository_count_manifests(tx, page->id, -(int64_t)rows.count, err);
}

static bool remove_memberships(struct db_tx *tx, struct page *page, struct err *err)
{
    struct row_page rows;
    bool ok = read_page(tx, SQL_REMOVAL_MEMBERSHIPS, page, read_digest, &rows, err);
    auto_free struct sized_digest *blobs = rows.items;
    for (size_t i = 0; ok && i < rows.count; i++) {
        ok = blob_unlink(tx, page->id, &blobs[i].digest, page->now_us, err);
    }
    page->removed += (int)rows.count;
    return ok;
}

static bool has_upload(struct db_tx *tx, int64_t repository_id, bool *out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_REMOVAL_UPLOADS);
    db_bind_int(q, 1, repository_id);
    db_bind_int(q, 2, 1);
    return row_exists(q, out, err);
}

static bool run_id(struct db_tx *tx, enum sql statement, int64_t id, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, (int)statement);
    db_bind_int(q, 1, id);
    return db_run(q, err);
}

/* The last step. The row stays for the trust history that hangs on it. */
static bool finish_repository(struct db_tx *tx, struct page *page, struct err *err)
{
    bool waits = false; /* a request is using an upload */
    bool has_trust = false;
    if (!has_upload(tx, page->id, &waits, err) ||
        !repository_has_trust(tx, page->id, &has_trust, err)) {
        return false;
    }
    return waits || (run_id(tx, has_trust ? SQL_REPOSITORY_KEEP_NAME : SQL_REPOSITORY_DELETE,
                            page->id, err) &&
                     drop_removal(tx, REMOVAL_REPOSITORY, page->id, err));
}

/* Runs the steps in their order until one of them found something. */
static bool first_that_removes(struct db_tx *tx, const page_fn *steps, size_t count,
                               struct page *page, struct err *err)
{
    page->removed = 0;
    for (size_t i = 0; i < count && page->removed == 0; i++) {
        if (!steps[i](tx, page, err)) {
            return false;
        }
    }
    return true;
}

static bool write_repository_page(struct db_tx *tx, void *arg, struct err *err)
{
    static const page_fn steps[] = {remove_tags, remove_manifests, remove_memberships,
                                    remove_history, finish_repository};
    return first_that_removes(tx, steps, sizeof(steps) / sizeof(steps[0]), arg, err);
}

/* --- uploads of a repository ------------------------------------------------------------------ */

struct upload_ids {
    size_t count;
    char ids[][UPLOAD_ID_MAX];
};

static bool read_uploads(struct store *store, int64_t repository_id, int max,
                         struct upload_ids *out, struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    out->count = 0;
    if (!db_snapshot(store->db, &tx, err)) {
        return false;
    }
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_REMOVAL_UPLOADS);
    db_bind_int(q, 1, repository_id);
    db_bind_int(q, 2, max);
    enum db_result result = DB_DONE;
    while (out->count < (size_t)max && (result = db_step(q, err)) == DB_ROW) {
        row_text(q, 0, out->ids[out->count++], UPLOAD_ID_MAX);
    }
    return result != DB_FAILED;
}

/* Those that a request is using end with their next request. */
static bool end_uploads(struct store *store, int64_t repository_id, int max, struct err *err)
{
    auto_free struct upload_ids *uploads =
        xcalloc(1, sizeof(*uploads) + (size_t)max * UPLOAD_ID_MAX);
    if (!read_uploads(store, repository_id, max, uploads, err)) {
        return false;
    }
    for (size_t i = 0; i < uploads->count; i++) {
        bool ended = false;
        if (!upload_end_by_id(store, uploads->ids[i], &ended, err)) {
            return false;
        }
    }
    return true;
}

/* --- a page of a namespace -------------------------------------------------------------------- */

static bool remove_policies(struct db_tx *tx, struct page *page, struct err *err)
{
    return remove_some(tx, SQL_REMOVAL_POLICIES, page, err);
}

static bool remove_members(struct db_tx *tx, struct page *page, struct err *err)
{
    return remove_some(tx, SQL_REMOVAL_MEMBERS, page, err);
}

static bool remove_releases(struct db_tx *tx, struct page *page, struct err *err)
{
    return remove_some(tx, SQL_REMOVAL_RELEASES, page, err);
}

static bool remove_accounts(struct db_tx *tx, struct page *page, struct err *err)
{
    return remove_some(tx, SQL_REMOVAL_ACCOUNTS, page, err);
}

static bool finish_namespace(struct db_tx *tx, struct page *page, struct err *err)
{
    return (page->keep_pins || run_id(tx, SQL_NAMESPACE_ROOT_CLEAR, page->id, err)) &&
           run_id(tx, SQL_REMOVAL_TAG_RULES, page->id, err) &&
           run_id(tx, SQL_NAMESPACE_DELETE, page->id, err) &&
           drop_removal(tx, REMOVAL_NAMESPACE, page->id, err);
}

static bool write_namespace_page(struct db_tx *tx, void *arg, struct err *err)
{
    static const page_fn steps[] = {remove_accounts, remove_members, remove_policies,
                                    remove_releases, finish_namespace};
    return first_that_removes(tx, steps, sizeof(steps) / sizeof(steps[0]), arg, err);
}

/* Everything in it is marked and gone. */
static bool is_empty(struct db_tx *tx, const struct namespace_removal *r, bool *out,
                     struct err *err)
{
    int64_t repository_id = 0;
    bool unmarked = false;
    bool on_its_way = false;
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_REMOVAL_IN_NAMESPACE);
    db_bind_int(q, 1, r->namespace_id);
    if (!namespace_removal_repository(tx, r, &repository_id, &unmarked, err) ||
        !row_exists(q, &on_its_way, err)) {
        return false;
    }
    *out = !unmarked && !on_its_way;
    return true;
}

/* --- a step ----------------------------------------------------------------------------------- */

/* Pages are written without a sync each: what a power cut takes back is removed again, since the
 * mark was durable. */

static bool step_repository(struct store *store, int64_t id, int64_t now_us, int max,
                            bool *more_out, struct err *err)
{
    struct page page = {.id = id, .now_us = now_us, .max = max};
    if (!end_uploads(store, id, max, err) ||
        !db_write_relaxed(store->db, write_repository_page, &page, err)) {
        return false;
    }
    *more_out = *more_out || page.removed > 0;
    return true;
}

static bool find(struct store *store, enum removal_kind kind, int64_t after,
                 struct namespace_removal *out, bool *found_out, struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    return db_snapshot(store->db, &tx, err) && next_removal(tx, kind, after, out, found_out, err);
}

/* One that fails does not stand in the way of the others; the first of the failures is told. */
static bool told(const struct err *first, struct err *err)
{
    if (first->code != ERR_NONE && err) {
        *err = *first;
    }
    return first->code == ERR_NONE;
}

static bool step_repositories(struct store *store, int64_t now_us, int max, bool *more_out,
                              struct err *err)
{
    struct namespace_removal r = {0};
    struct err first = {0};
    bool found = true;
    while (found) {
        struct err why = {0};
        if (!find(store, REMOVAL_REPOSITORY, r.namespace_id, &r, &found, err)) {
            return false;
        }
        if (found && !step_repository(store, r.namespace_id, now_us, max, more_out, &why)) {
            first = first.code == ERR_NONE ? why : first;
        }
    }
    return told(&first, err);
}

static bool find_empty(struct store *store, const struct namespace_removal *r, bool *out,
                       struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    return db_snapshot(store->db, &tx, err) && is_empty(tx, r, out, err);
}

static bool step_namespace(struct store *store, const struct namespace_removal *r, int64_t now_us,
                           int max, bool *more_out, struct err *err)
{
    struct page page = {
        .id = r->namespace_id, .now_us = now_us, .max = max, .keep_pins = r->keep_pins};
    bool empty = false;
    if (!find_empty(store, r, &empty, err) ||
        (empty && !db_write_relaxed(store->db, write_namespace_page, &page, err))) {
        return false;
    }
    *more_out = *more_out || page.removed > 0;
    return true;
}

bool removal_step(struct store *store, int64_t now_us, int max, bool *more_out, struct err *err)
{
    struct namespace_removal r = {0};
    struct err first = {0};
    bool found = true;
    *more_out = false;
    (void)step_repositories(store, now_us, max, more_out, &first);
    while (found) {
        struct err why = {0};
        if (!find(store, REMOVAL_NAMESPACE, r.namespace_id, &r, &found, err)) {
            return false;
        }
        if (found && !step_namespace(store, &r, now_us, max, more_out, &why)) {
            first = first.code == ERR_NONE ? why : first;
        }
    }
    return told(&first, err);
}
