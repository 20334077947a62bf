/* Members of a namespace as acts of people: who may give which role, with the audit entry. */
#ifndef AUTH_MEMBER_H
#define AUTH_MEMBER_H

#include "auth/access.h"
#include "auth/auth.h"
#include "storage/actor.h"

/* Gives a user a role. Maintainers give reader and developer, owners and administrators every role;
 * a namespace that has an owner keeps one unless an administrator says otherwise. Expected errors:
 * ERR_NAMESPACE_UNKNOWN, ERR_ACCOUNT_UNKNOWN, ERR_DENIED, ERR_CONFLICT (last owner). Durable on
 * true. */
bool member_set(struct auth *a, const struct identity *who, const struct actor *actor,
                const struct namespace_name *name, struct slice user,
                const struct membership *membership, int64_t now_us, struct err *err) MUST_USE;
/* Takes the role away. The same errors, and ERR_NOT_FOUND when the user is no member. */
bool member_remove(struct auth *a, const struct identity *who, const struct actor *actor,
                   const struct namespace_name *name, struct slice user, int64_t now_us,
                   struct err *err) MUST_USE;

#endif
