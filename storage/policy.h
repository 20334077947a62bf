/* Policies as rows: a scope and a JSON text.
 * Owns: the policy table and which row applies to a repository. Refuses to know: what a policy says
 * (trust/policy).
 * Invariants
 *   1. The row of scope "*" always exists (made with the schema, level deploy).
 *   2. Exactly one row applies to a repository: its own, else the longest pattern that matches,
 *      else its namespace's, else "*" (gate.md 2). */
#ifndef STORAGE_POLICY_H
#define STORAGE_POLICY_H

#include "base/db.h"
#include "base/name.h"
#include "storage/actor.h"

#define POLICY_ROW_SCOPE_MAX 257 /* bytes: a repository name or a prefix, an asterisk */

struct policy_row {
    char scope[POLICY_ROW_SCOPE_MAX + 1];
    int64_t generation; /* rises with every change; no two changes of any policy have the same */
    int64_t updated_us;
    char updated_by[ACTOR_NAME_MAX + 1];
    char *json; /* owned */
};
void policy_row_dispose(struct policy_row *row);
static inline void cleanup_policy_row(struct policy_row *row)
{
    policy_row_dispose(row);
}
#define auto_policy_row __attribute__((cleanup(cleanup_policy_row)))

/* The row of exactly this scope. Expected errors: ERR_NOT_FOUND. Any tx. */
bool policy_row_get(struct db_tx *tx, const char *scope, struct policy_row *out,
                    struct err *err) MUST_USE;
/* The row that applies to a repository. Any tx. */
bool policy_row_find(struct db_tx *tx, const struct repo_name *repo, struct policy_row *out,
                     struct err *err) MUST_USE;
/* The row that applies to a scope as a whole: its own, else the one that would be next. Expected
 * errors: ERR_INVALID (no such scope). Any tx. */
bool policy_row_find_scope(struct db_tx *tx, const char *scope, struct policy_row *out,
                           struct err *err) MUST_USE;
/* The same as if the scope had no row of its own. It is one for all repositories to which the
 * scope's own applies. Expected errors: ERR_INVALID (no such scope, or "*"). Any tx. */
bool policy_row_find_wider(struct db_tx *tx, const char *scope, struct policy_row *out,
                           struct err *err) MUST_USE;
/* Makes or replaces a row and throws the gate views it may concern away.
 *   scope   an asterisk alone (global), "ns", "ns/app", or a pattern: "ns/", a prefix of the rest
 *           that may be empty, and an asterisk at the end ("ns/web-*")
 * Expected errors: ERR_INVALID (no such scope), ERR_NAMESPACE_UNKNOWN. Writer; the caller
 * audits. */
bool policy_row_put(struct db_tx *tx, const char *scope, struct slice json,
                    const struct actor *actor, int64_t now_us, struct err *err) MUST_USE;
/* Removes a row; that of "*" stays (ERR_INVALID). Expected errors: ERR_NOT_FOUND. Writer. */
bool policy_row_delete(struct db_tx *tx, const char *scope, struct err *err) MUST_USE;

struct policy_row_list {
    struct policy_row *items;
    size_t count;
    bool more;
};
/* Rows by scope after `last`, at most `max` (1 … 1,000). Any tx. */
bool policy_row_list(struct db_tx *tx, struct slice last, int max, struct policy_row_list *out,
                     struct err *err) MUST_USE;
void policy_row_list_dispose(struct policy_row_list *list);
static inline void cleanup_policy_row_list(struct policy_row_list *list)
{
    policy_row_list_dispose(list);
}
#define auto_policy_row_list __attribute__((cleanup(cleanup_policy_row_list)))

#endif
