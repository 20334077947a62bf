/* Repositories: the rows that blobs, manifests, tags and trust data belong to.
 * Owns: the repository table and the gate generations. Refuses to know: rights (auth), what a
 * generation guards (trust).
 * Invariants
 *   1. A repository's namespace exists.
 *   2. A deleted repository (removal.h), or one of a deleted namespace, is found by nothing here.
 *   3. A row that may hold nothing is queued to be looked at, and collected when it does
 *      (repository_idle.h).
 *   4. gate_generation as read here changes with every bump of the repository, of its namespace or
 *      of the instance, and never takes a value twice.
 *   5. manifest_count is the number of manifests in the repository, repository_count of a namespace
 *      the number of its repositories that hold one and are not deleted; kept by the transaction
 *      that changes them. */
#ifndef STORAGE_REPOSITORY_H
#define STORAGE_REPOSITORY_H

#include "base/db.h"
#include "base/name.h"
#include "storage/namespace.h"

struct repository {
    int64_t id;
    int64_t namespace_id;
    struct repo_name name;
    enum visibility visibility; /* of the namespace */
    int64_t namespace_incarnation;
    int64_t gate_generation;
    int64_t manifest_count; /* 0: the catalog does not show it */
    int64_t created_us;
};

/* Expected errors: ERR_NAME_UNKNOWN. Any tx. */
bool repository_get(struct db_tx *tx, const struct repo_name *name, struct repository *out,
                    struct err *err) MUST_USE;
bool repository_get_by_id(struct db_tx *tx, int64_t id, struct repository *out,
                          struct err *err) MUST_USE;
/* Of one whose namespace is deleted, for its removal. *marked_out: it is marked itself. Expected
 * errors: ERR_NAME_UNKNOWN. Any tx. */
bool repository_get_hidden(struct db_tx *tx, int64_t id, struct repository *out, bool *marked_out,
                           struct err *err) MUST_USE;
/* Gets the repository, making its row when needed. The namespace must exist.
 *   created_out   may be NULL
 * Expected errors: ERR_NAMESPACE_UNKNOWN, ERR_BUSY (the last one of that name is still being
 * removed). Writer. */
bool repository_ensure(struct db_tx *tx, const struct repo_name *name, int64_t now_us,
                       struct repository *out, bool *created_out, struct err *err) MUST_USE;

/* Throws gate views away: of one repository, of all in a namespace, of all. Constant cost.
 * Writer. */
bool repository_gate_bump(struct db_tx *tx, int64_t repository_id, struct err *err) MUST_USE;
bool repository_gate_bump_namespace(struct db_tx *tx, int64_t namespace_id,
                                    struct err *err) MUST_USE;
bool repository_gate_bump_all(struct db_tx *tx, struct err *err) MUST_USE;

/* How long a row without content is left alone. */
#define REPOSITORY_IDLE_US (INT64_C(24) * 3600 * 1000000)
/* Queues the row to be looked at: for whoever makes it or takes its last manifest away. Writer. */
bool repository_may_be_empty(struct db_tx *tx, int64_t repository_id, int64_t not_before_us,
                             struct err *err) MUST_USE;
/* Whether there is or was trust data: documents, keys, pins, a tombstone. What a GUN was must not
 * be forgotten (gate.md 11.3), so such a row stays. Any tx. */
bool repository_has_trust(struct db_tx *tx, int64_t repository_id, bool *out,
                          struct err *err) MUST_USE;

/* Adds to (or with a negative number takes from) the usage of the repository's namespace: to the
 * quota counts what it has, and what its unfinished uploads have reserved. Expected errors:
 * ERR_QUOTA. Writer; called by the nouns that store bytes. */
bool repository_charge(struct db_tx *tx, int64_t repository_id, int64_t bytes,
                       struct err *err) MUST_USE;

/* `change` manifests more (or with a negative number fewer) are in the repository; with the first
 * and the last of them the namespace's count of repositories changes (invariant 5). Writer; called
 * by the nouns that store and remove manifests. */
bool repository_count_manifests(struct db_tx *tx, int64_t repository_id, int64_t change,
                                struct err *err) MUST_USE;

/* The repository is about to be marked as deleted: its namespace counts it no more. Writer; for
 * removal.c. */
bool repository_count_deleted(struct db_tx *tx, int64_t repository_id, struct err *err) MUST_USE;

/* Whose eyes a list is for. Zero = anonymous. */
struct reader {
    int64_t account_id;   /* memberships of this account count; 0 = none */
    int64_t namespace_id; /* robots and deployers: their namespace; 0 = none */
    bool signed_in;       /* a user: sees internal namespaces */
    bool all;             /* instance administrator */
};

struct repository_list {
    struct repository *items;
    size_t count;
    bool more; /* a next page exists */
};
/* A page of the repositories that hold a manifest and that `reader` may read, ascending by bytes of
 * the full name.
 *   last   names after this one; "" = from the start
 *   max    1 … 1,000
 * Any tx. */
bool repository_list(struct db_tx *tx, const struct reader *reader, struct slice last, int max,
                     struct repository_list *out, struct err *err) MUST_USE;
/* The same for one namespace, whoever asks; `empty_too`: also those without a manifest (trust data
 * may come first). */
bool repository_list_namespace(struct db_tx *tx, int64_t namespace_id, bool empty_too,
                               struct slice last, int max, struct repository_list *out,
                               struct err *err) MUST_USE;
/* All repositories that have or had trust data, by id: id > after. Any tx. */
bool repository_list_trusted(struct db_tx *tx, int64_t after, int max, struct repository_list *out,
                             struct err *err) MUST_USE;
void repository_list_dispose(struct repository_list *list);
static inline void cleanup_repository_list(struct repository_list *list)
{
    repository_list_dispose(list);
}
#define auto_repository_list __attribute__((cleanup(cleanup_repository_list)))

#endif
