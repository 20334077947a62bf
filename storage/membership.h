/* Memberships: which account has which role in which namespace.
 * Owns: the membership table. Refuses to know: what a role may do (auth).
 * Invariant: one role per account and namespace. */
#ifndef STORAGE_MEMBERSHIP_H
#define STORAGE_MEMBERSHIP_H

#include "base/db.h"
#include "storage/actor.h"

enum member_role {
    MEMBER_NONE = 0,
    MEMBER_READER,
    MEMBER_DEVELOPER,
    MEMBER_MAINTAINER,
    MEMBER_OWNER
};
/* "none", "reader", "developer", "maintainer", "owner" */
const char *member_role_name(enum member_role role);
/* Everything but "none". */
bool member_role_parse(struct slice text, enum member_role *out);

struct membership {
    enum member_role role; /* MEMBER_NONE: no member */
    bool signer;           /* a developer who may publish trust data */
};

/* The membership of an account; {MEMBER_NONE, false} when it has none (that is no error). Any
 * tx. */
bool membership_get(struct db_tx *tx, int64_t namespace_id, int64_t account_id,
                    struct membership *out, struct err *err) MUST_USE;
/* Makes or replaces it. `m->role` is not MEMBER_NONE. Writer. */
bool membership_put(struct db_tx *tx, int64_t namespace_id, int64_t account_id,
                    const struct membership *m, int64_t now_us, struct err *err) MUST_USE;
/* Expected errors: ERR_NOT_FOUND. Writer. */
bool membership_delete(struct db_tx *tx, int64_t namespace_id, int64_t account_id,
                       struct err *err) MUST_USE;
/* How many owners the namespace has. Any tx. */
bool membership_owners(struct db_tx *tx, int64_t namespace_id, int64_t *count_out,
                       struct err *err) MUST_USE;

struct membership_item {
    int64_t account_id;
    char name[ACTOR_NAME_MAX + 1];
    struct membership m;
    int64_t created_us;
};
struct membership_list {
    struct membership_item *items;
    size_t count;
};
/* All members of a namespace, by name. Any tx. */
bool membership_list(struct db_tx *tx, int64_t namespace_id, struct membership_list *out,
                     struct err *err) MUST_USE;
void membership_list_dispose(struct membership_list *list);
static inline void cleanup_membership_list(struct membership_list *list)
{
    membership_list_dispose(list);
}
#define auto_membership_list __attribute__((cleanup(cleanup_membership_list)))

#endif
