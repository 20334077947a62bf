/* Namespaces: the first component of a repository name; they own repositories, members, robots,
 * quota and visibility.
 * Owns: the namespace table and the usage counted in it. Refuses to know: who may see one (auth).
 * Invariants
 *   1. used_bytes is the sum over its repositories of the blobs and manifests they hold, kept by
 *      the transaction that changes it; a blob in two repositories counts twice.
 *   2. reserved_bytes is the sum of what its unfinished uploads have reserved, kept in the same way.
 *   3. No transaction makes used_bytes + reserved_bytes larger and leaves them above a quota.
 *   4. incarnation never goes down and never repeats for a name.
 *   5. A deleted namespace (removal.h) is found by nothing here; its name can be taken again when
 *      its removal is done. */
#ifndef STORAGE_NAMESPACE_H
#define STORAGE_NAMESPACE_H

#include "base/db.h"
#include "base/name.h"
#include "storage/actor.h"
#include "storage/membership.h"

enum visibility {
    VISIBILITY_PRIVATE = 0, /* members */
    VISIBILITY_INTERNAL,    /* any signed-in user reads */
    VISIBILITY_PUBLIC       /* anybody reads */
};
/* "private", "internal", "public" */
const char *visibility_name(enum visibility v);
bool visibility_parse(struct slice text, enum visibility *out);

struct namespace {
    int64_t id;
    struct namespace_name name;
    enum visibility visibility;
    int64_t incarnation;
    int64_t quota_bytes; /* 0 = no limit */
    int64_t used_bytes;
    int64_t trust_bytes; /* of signatures, beside used_bytes (trust_doc.h) */
    int64_t reserved_bytes; /* for unfinished uploads */
    int64_t created_us;
};

/* Makes a namespace.
 *   owner_account_id   becomes its owner; 0 = nobody yet
 *   out                filled on true; may be NULL
 * Expected errors: ERR_CONFLICT, ERR_BUSY (the last one of that name is still being removed).
 * Writer. */
bool namespace_create(struct db_tx *tx, const struct namespace_name *name,
                      enum visibility visibility, int64_t owner_account_id, int64_t now_us,
                      struct namespace *out, struct err *err) MUST_USE;
/* Expected errors: ERR_NAMESPACE_UNKNOWN. Any tx. */
bool namespace_get(struct db_tx *tx, const struct namespace_name *name, struct namespace *out,
                   struct err *err) MUST_USE;
bool namespace_get_by_id(struct db_tx *tx, int64_t id, struct namespace *out,
                         struct err *err) MUST_USE;
/* Expected errors: ERR_NAMESPACE_UNKNOWN. Writer. */
bool namespace_set_visibility(struct db_tx *tx, int64_t id, enum visibility visibility,
                              struct err *err) MUST_USE;
/*   quota_bytes   0 = no limit; what is below the present usage only stops it from growing */
bool namespace_set_quota(struct db_tx *tx, int64_t id, int64_t quota_bytes,
                         struct err *err) MUST_USE;

/* What still fits; INT64_MAX without a quota, 0 when it is used up or was lowered below that. */
int64_t namespace_room(const struct namespace *ns);
/* Always false with ERR_QUOTA: `more` bytes do not fit; says what the quota is and what holds it. */
bool namespace_refuse(const struct namespace *ns, int64_t more, struct err *err);
/* Adds to (or with a negative number takes from) what unfinished uploads have reserved. The caller
 * has seen in the same transaction that it fits. Writer. */
bool namespace_reserve(struct db_tx *tx, int64_t id, int64_t bytes, struct err *err) MUST_USE;

struct namespace_item {
    struct namespace ns;
    enum member_role role; /* of the account asked for; MEMBER_NONE otherwise */
    bool signer;
    int64_t repositories; /* that hold a manifest */
};
/* One namespace as a list would show it. Expected errors: ERR_NAMESPACE_UNKNOWN. Any tx. */
bool namespace_item(struct db_tx *tx, int64_t account_id, const struct namespace_name *name,
                    struct namespace_item *out, struct err *err) MUST_USE;

struct namespace_list {
    struct namespace_item *items;
    size_t count;
    bool more; /* a next page exists */
};
/* Namespaces by name, ascending by bytes.
 *   account_id   role is that of this account; 0 = none
 *   all          true: every namespace; false: those in which the account is a member
 *   last         names after this one; "" = from the start
 *   max          1 … 1,000
 * Any tx. */
bool namespace_list(struct db_tx *tx, int64_t account_id, bool all, struct slice last, int max,
                    struct namespace_list *out, struct err *err) MUST_USE;
void namespace_list_dispose(struct namespace_list *list);
static inline void cleanup_namespace_list(struct namespace_list *list)
{
    namespace_list_dispose(list);
}
#define auto_namespace_list __attribute__((cleanup(cleanup_namespace_list)))

#endif
