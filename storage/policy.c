#include "storage/policy.h"

#include "storage/namespace.h"
#include "storage/repository.h"
#include "storage/row.h"
#include "storage/statements.h"

#define GLOBAL_SCOPE "*"

enum scope_kind {
    SCOPE_BAD = 0,
    SCOPE_IS_GLOBAL,
    SCOPE_IS_NAMESPACE,
    SCOPE_IS_REPOSITORY,
    SCOPE_IS_PATTERN
};

void policy_row_dispose(struct policy_row *row)
{
    free(row->json);
    *row = (struct policy_row){0};
}

void policy_row_list_dispose(struct policy_row_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        policy_row_dispose(&list->items[i]);
    }
    free(list->items);
    *list = (struct policy_row_list){0};
}

/* "ns/" and anything without an asterisk, then one asterisk. */
static bool is_pattern(struct slice scope)
{
    return scope.n <= POLICY_ROW_SCOPE_MAX && slice_ends(scope, "*") &&
           slice_index(scope, '*') == (ptrdiff_t)scope.n - 1;
}

/* What kind of scope it is, and its namespace. */
static enum scope_kind scope_kind_of(struct slice scope, struct namespace_name *ns_out)
{
    struct repo_name repo;
    ptrdiff_t slash = slice_index(scope, '/');
    if (slice_is(scope, GLOBAL_SCOPE)) {
        return SCOPE_IS_GLOBAL;
    }
    struct slice first = slash < 0 ? scope : slice_first(scope, (size_t)slash);
    if (!namespace_name_parse(first, ns_out, NULL)) {
        return SCOPE_BAD;
    }
    if (slash < 0) {
        return SCOPE_IS_NAMESPACE;
    }
    if (repo_name_parse(scope, &repo, NULL)) {
        return SCOPE_IS_REPOSITORY;
    }
    return is_pattern(scope) ? SCOPE_IS_PATTERN : SCOPE_BAD;
}

static bool bad_scope(struct err *err)
{
    return err_set(err, ERR_INVALID,
                   "a policy's scope is * or a namespace, a repository, or a prefix ending in *");
}

static bool stays(struct err *err)
{
    return err_set(err, ERR_INVALID, "the global policy cannot be removed, only changed");
}

/* --- reading ---------------------------------------------------------------------------------- */

/* POLICY_COLUMNS */
static void read_row(struct db_stmt *q, struct policy_row *out)
{
    *out = (struct policy_row){0};
    row_text(q, 0, out->scope, sizeof(out->scope));
    out->generation = db_col_int(q, 1);
    out->updated_us = db_col_int(q, 2);
    row_text(q, 3, out->updated_by, sizeof(out->updated_by));
    out->json = row_dup(q, 4);
}

/* *found_out false: there is no such row. */
static bool look_up(struct db_tx *tx, struct slice scope, struct policy_row *out, bool *found_out,
                    struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_POLICY_GET);
    db_bind_text(q, 1, scope);
    *out = (struct policy_row){0};
    if (!row_exists(q, found_out, err)) {
        return false;
    }
    if (*found_out) {
        read_row(q, out);
    }
    return true;
}

bool policy_row_get(struct db_tx *tx, const char *scope, struct policy_row *out, struct err *err)
{
    bool found = false;
    if (!look_up(tx, slice_str(scope), out, &found, err)) {
        return false;
    }
    return found || err_set(err, ERR_NOT_FOUND, "there is no policy %s", scope);
}

/* What stands before the asterisk of a pattern begins the text, and has at most `max` bytes. */
static bool begins(struct slice pattern, struct slice text, size_t max)
{
    struct slice prefix = slice_first(pattern, pattern.n - 1);
    return prefix.n <= max && text.n >= prefix.n &&
           slice_equal(slice_first(text, prefix.n), prefix);
}

/* Where to look, in the order of what wins. */
struct search {
    struct slice own;       /* the scope itself; empty: leave it out */
    struct slice text;      /* what patterns are compared with; empty: with none */
    size_t prefix_max;      /* bytes of a pattern before its asterisk */
    struct slice namespace; /* empty: only the global one */
};

/* The longest pattern of the namespace that fits; empty when none does. */
static bool longest_pattern(struct db_tx *tx, const struct search *s,
                            char out[POLICY_ROW_SCOPE_MAX + 1], struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_POLICY_PATTERNS);
    db_bind_text(q, 1, s->namespace);

    size_t longest = 0;
    enum db_result result;
    out[0] = '\0';
    while ((result = db_step(q, err)) == DB_ROW) {
        struct slice pattern = db_col_text(q, 0);
        if (pattern.n > longest && begins(pattern, s->text, s->prefix_max)) {
            longest = pattern.n;
            row_text(q, 0, out, POLICY_ROW_SCOPE_MAX + 1);
        }
    }
    return result != DB_FAILED;
}

static bool first_of(struct db_tx *tx, const struct slice *scopes, size_t count,
                     struct policy_row *out, struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        bool found = false;
        if (scopes[i].n > 0 && !look_up(tx, scopes[i], out, &found, err)) {
            return false;
        }
        if (found) {
            return true;
        }
    }
    return err_internal(err, "the global policy is missing");
}

static bool search(struct db_tx *tx, const struct search *s, struct policy_row *out,
                   struct err *err)
{
    char pattern[POLICY_ROW_SCOPE_MAX + 1] = "";
    *out = (struct policy_row){0};
    if (s->text.n > 0 && !longest_pattern(tx, s, pattern, err)) {
        return false;
    }
    const struct slice scopes[] = {s->own, slice_str(pattern), s->namespace,
                                   SLICE_LIT(GLOBAL_SCOPE)};
    return first_of(tx, scopes, sizeof(scopes) / sizeof(scopes[0]), out, err);
}

bool policy_row_find(struct db_tx *tx, const struct repo_name *repo, struct policy_row *out,
                     struct err *err)
{
    struct slice name = repo_name_slice(repo);
    const struct search s = {.own = name,
                             .text = name,
                             .prefix_max = name.n,
                             .namespace = slice_first(name, repo->namespace_n)};
    return search(tx, &s, out, err);
}

/* What is around a scope, itself left out. False: there is no such scope. */
static bool search_around(struct slice scope, struct search *out)
{
    struct namespace_name unused;
    ptrdiff_t slash = slice_index(scope, '/');
    *out = (struct search){.namespace = slice_first(scope, slash < 0 ? 0 : (size_t)slash)};
    switch (scope_kind_of(scope, &unused)) {
    case SCOPE_BAD:
        return false;
    case SCOPE_IS_GLOBAL:
    case SCOPE_IS_NAMESPACE:
        return true;
    case SCOPE_IS_REPOSITORY:
        out->text = scope;
        out->prefix_max = scope.n;
        return true;
    case SCOPE_IS_PATTERN:
        out->text = slice_first(scope, scope.n - 1);
        out->prefix_max = out->text.n - 1;
        return true;
    }
    return false;
}

bool policy_row_find_scope(struct db_tx *tx, const char *scope, struct policy_row *out,
                           struct err *err)
{
    struct search s;
    *out = (struct policy_row){0};
    if (!search_around(slice_str(scope), &s)) {
        return bad_scope(err);
    }
    s.own = slice_str(scope);
    return search(tx, &s, out, err);
}

bool policy_row_find_wider(struct db_tx *tx, const char *scope, struct policy_row *out,
                           struct err *err)
{
    struct search s;
    *out = (struct policy_row){0};
    if (strcmp(scope, GLOBAL_SCOPE) == 0) {
        return stays(err);
    }
    return search_around(slice_str(scope), &s) ? search(tx, &s, out, err) : bad_scope(err);
}

static void read_item(struct db_stmt *q, void *item)
{
    read_row(q, item);
}

bool policy_row_list(struct db_tx *tx, struct slice last, int max, struct policy_row_list *out,
                     struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_POLICY_LIST);
    db_bind_text(q, 1, last);
    db_bind_int(q, 2, (int64_t)max + 1);

    struct row_page page;
    bool ok = row_page(q, max, sizeof(*out->items), read_item, &page, err);
    *out = (struct policy_row_list){page.items, page.count, page.more};
    if (!ok) {
        policy_row_list_dispose(out);
    }
    return ok;
}

/* --- writing ---------------------------------------------------------------------------------- */

/* Checks the scope and finds its namespace; id 0 for the global one. */
static bool resolve(struct db_tx *tx, struct slice scope, enum scope_kind *kind_out,
                    int64_t *namespace_id_out, struct err *err)
{
    struct namespace_name name;
    struct namespace ns = {0};
    *kind_out = scope_kind_of(scope, &name);
    if (*kind_out == SCOPE_BAD) {
        return bad_scope(err);
    }
    if (*kind_out != SCOPE_IS_GLOBAL && !namespace_get(tx, &name, &ns, err)) {
        return false;
    }
    *namespace_id_out = ns.id;
    return true;
}

static bool bump(struct db_tx *tx, int64_t namespace_id, struct err *err)
{
    return namespace_id == 0 ? repository_gate_bump_all(tx, err)
                             : repository_gate_bump_namespace(tx, namespace_id, err);
}

static bool next_generation(struct db_tx *tx, int64_t *out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_POLICY_NEXT_GENERATION);
    return row_int(q, out, err);
}

bool policy_row_put(struct db_tx *tx, const char *scope, struct slice json,
                    const struct actor *actor, int64_t now_us, struct err *err)
{
    enum scope_kind kind = SCOPE_BAD;
    int64_t namespace_id = 0;
    int64_t generation = 0;
    if (!resolve(tx, slice_str(scope), &kind, &namespace_id, err) ||
        !next_generation(tx, &generation, err)) {
        return false;
    }
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_POLICY_PUT);
    db_bind_str(q, 1, scope);
    if (namespace_id != 0) {
        db_bind_int(q, 2, namespace_id);
    } else {
        db_bind_null(q, 2);
    }
    db_bind_int(q, 3, kind == SCOPE_IS_PATTERN);
    db_bind_int(q, 4, generation);
    db_bind_int(q, 5, now_us);
    db_bind_str(q, 6, actor->name);
    db_bind_text(q, 7, json);
    return db_run(q, err) && bump(tx, namespace_id, err);
}

bool policy_row_delete(struct db_tx *tx, const char *scope, struct err *err)
{
    enum scope_kind kind = SCOPE_BAD;
    int64_t namespace_id = 0;
    if (!resolve(tx, slice_str(scope), &kind, &namespace_id, err)) {
        return false;
    }
    if (kind == SCOPE_IS_GLOBAL) {
        return stays(err);
    }
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_POLICY_DELETE);
    db_bind_str(q, 1, scope);
    return row_changed(tx, q, ERR_NOT_FOUND, err) && bump(tx, namespace_id, err);
}
