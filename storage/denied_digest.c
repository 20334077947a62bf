#include "storage/denied_digest.h"

#include "storage/namespace.h"
#include "storage/repository.h"
#include "storage/row.h"
#include "storage/statements.h"

#define SET_PAGE 1000

void denied_digest_list_dispose(struct denied_digest_list *list)
{
    free(list->items);
    *list = (struct denied_digest_list){0};
}

/* DENIED_COLUMNS */
static void read_row(struct db_stmt *q, void *item)
{
    struct denied_digest *out = item;
    row_text(q, 0, out->scope, sizeof(out->scope));
    (void)db_col_digest(q, 1, &out->digest);
    out->changes = db_col_int(q, 2);
    out->lifted_us = db_col_int(q, 3);
    out->since_us = db_col_int(q, 4);
    row_text(q, 5, out->denied_by, sizeof(out->denied_by));
    row_text(q, 6, out->reason, sizeof(out->reason));
}

static bool is_everywhere(const char *scope)
{
    return strcmp(scope, DENIED_EVERYWHERE) == 0;
}

static bool look_up(struct db_tx *tx, struct slice scope, const struct digest *digest,
                    struct denied_digest *out, bool *found_out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_DENIED_GET);
    db_bind_text(q, 1, scope);
    db_bind_digest(q, 2, digest);
    *out = (struct denied_digest){0};
    if (!row_exists(q, found_out, err)) {
        return false;
    }
    if (*found_out) {
        read_row(q, out);
    }
    return true;
}

static bool in_force(struct db_tx *tx, struct slice scope, const struct digest *digest,
                     struct denied_digest *out, bool *found_out, struct err *err)
{
    if (!look_up(tx, scope, digest, out, found_out, err)) {
        return false;
    }
    *found_out = *found_out && out->lifted_us == 0;
    return true;
}

/* --- changing --------------------------------------------------------------------------------- */

static bool bump(struct db_tx *tx, const char *scope, struct err *err)
{
    struct namespace_name name;
    struct namespace ns;
    if (is_everywhere(scope)) {
        return repository_gate_bump_all(tx, err);
    }
    if (!namespace_name_parse(slice_str(scope), &name, NULL)) {
        return err_set(err, ERR_NAMESPACE_UNKNOWN, "");
    }
    return namespace_get(tx, &name, &ns, err) && repository_gate_bump_namespace(tx, ns.id, err);
}

static bool has_room(struct db_tx *tx, const char *scope, struct err *err)
{
    int64_t count = 0;
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_DENIED_COUNT);
    db_bind_str(q, 1, scope);
    if (!row_int(q, &count, err)) {
        return false;
    }
    return count < DENIED_SCOPE_MAX ||
           err_set(
               err, ERR_CONFLICT,
               "the deny list is full with %d entries; delete old images and lift their entries",
               DENIED_SCOPE_MAX);
}

bool denied_digest_put(struct db_tx *tx, const char *scope, const struct digest *digest,
                       const char *reason, const struct actor *actor, int64_t now_us,
                       struct denied_digest *out, struct err *err)
{
    bool found = false;
    if (!in_force(tx, slice_str(scope), digest, out, &found, err) ||
        !(found || has_room(tx, scope, err)) || !bump(tx, scope, err)) {
        return false;
    }
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_DENIED_PUT);
    db_bind_str(q, 1, scope);
    db_bind_digest(q, 2, digest);
    db_bind_int(q, 3, now_us);
    db_bind_str(q, 4, actor->name);
    db_bind_str(q, 5, reason);
    return db_run(q, err) && look_up(tx, slice_str(scope), digest, out, &found, err);
}

bool denied_digest_lift(struct db_tx *tx, const char *scope, const struct digest *digest,
                        int64_t now_us, struct denied_digest *out, struct err *err)
{
    bool found = false;
    if (!bump(tx, scope, err)) {
        return false;
    }
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_DENIED_LIFT);
    db_bind_str(q, 1, scope);
    db_bind_digest(q, 2, digest);
    db_bind_int(q, 3, now_us);
    return row_changed(tx, q, ERR_NOT_FOUND, err) &&
           look_up(tx, slice_str(scope), digest, out, &found, err);
}

/* --- reading ---------------------------------------------------------------------------------- */

bool denied_digest_find(struct db_tx *tx, struct slice namespace_name, const struct digest *digest,
                        struct denied_digest *out, bool *found_out, struct err *err)
{
    if (!in_force(tx, SLICE_LIT(DENIED_EVERYWHERE), digest, out, found_out, err)) {
        return false;
    }
    return *found_out || in_force(tx, namespace_name, digest, out, found_out, err);
}

static bool list_by(struct db_tx *tx, enum sql statement, const char *scope,
                    const struct digest *after, int max, struct denied_digest_list *out,
                    struct err *err)
{
    struct row_page page;
    auto_stmt struct db_stmt *q = db_stmt(tx, (int)statement);
    db_bind_str(q, 1, scope);
    row_bind_after(q, 2, after);
    db_bind_int(q, 3, (int64_t)max + 1);
    bool ok = row_page(q, max, sizeof(*out->items), read_row, &page, err);
    *out = (struct denied_digest_list){page.items, page.count, page.more};
    if (!ok) {
        denied_digest_list_dispose(out);
    }
    return ok;
}

bool denied_digest_list(struct db_tx *tx, const char *scope, const struct digest *after, int max,
                        struct denied_digest_list *out, struct err *err)
{
    return list_by(tx, SQL_DENIED_LIST, scope, after, max, out, err);
}

bool denied_digest_list_all(struct db_tx *tx, const char *scope, const struct digest *after,
                            int max, struct denied_digest_list *out, struct err *err)
{
    return list_by(tx, SQL_DENIED_LIST_ALL, scope, after, max, out, err);
}

/* --- the set ---------------------------------------------------------------------------------- */

static int compare_digests(const void *a, const void *b)
{
    return digest_compare(a, b);
}

static bool add_scope(struct db_tx *tx, const char *scope, struct denied_set *out, struct err *err)
{
    struct digest last = {0};
    bool more = true;
    while (more) {
        auto_denied_digest_list struct denied_digest_list page = {0};
        if (!denied_digest_list(tx, scope, &last, SET_PAGE, &page, err)) {
            return false;
        }
        if (page.count > 0) {
            out->items = xrealloc(out->items, (out->count + page.count) * sizeof(*out->items));
        }
        for (size_t i = 0; i < page.count; i++) {
            out->items[out->count++] = last = page.items[i].digest;
        }
        more = page.more;
    }
    return true;
}

bool denied_set_load(struct db_tx *tx, struct slice namespace_name, struct denied_set *out,
                     struct err *err)
{
    auto_free char *scope = xstrndup(namespace_name.p, namespace_name.n);
    *out = (struct denied_set){0};
    if (!add_scope(tx, DENIED_EVERYWHERE, out, err) || !add_scope(tx, scope, out, err)) {
        denied_set_dispose(out);
        return false;
    }
    if (out->count > 1) {
        qsort(out->items, out->count, sizeof(*out->items), compare_digests);
    }
    return true;
}

bool denied_set_has(const struct denied_set *set, const struct digest *digest)
{
    return set->count > 0 &&
           bsearch(digest, set->items, set->count, sizeof(*set->items), compare_digests) != NULL;
}

/* Sorted by algorithm first, and there are two. */
bool denied_set_uses(const struct denied_set *set, enum digest_algorithm algorithm)
{
    return set->count > 0 && (set->items[0].algorithm == algorithm ||
                              set->items[set->count - 1].algorithm == algorithm);
}

void denied_set_dispose(struct denied_set *set)
{
    free(set->items);
    *set = (struct denied_set){0};
}
