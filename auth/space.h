/* Namespaces as acts of people: making one, setting its quota, with the audit entry.
 * Owns: which names are refused, who becomes owner. Refuses to know: rows (storage/namespace.h). */
#ifndef AUTH_SPACE_H
#define AUTH_SPACE_H

#include "auth/auth.h"
#include "storage/actor.h"
#include "storage/namespace.h"

struct space_settings {
    enum visibility visibility;
    int64_t quota_bytes; /* 0 = no limit */
};

/* Makes a namespace. Instance administrators only. The acting user becomes owner when it is an
 * account; the control socket makes one without owner.
 * Expected errors: ERR_DENIED, ERR_CONFLICT (exists), ERR_INVALID (named like a host of this
 * registry: its images could not be told from trust scopes). Durable on true. */
bool space_create(struct auth *a, const struct identity *who, const struct actor *actor,
                  const struct namespace_name *name, const struct space_settings *settings,
                  int64_t now_us, struct namespace *out, struct err *err) MUST_USE;
/* Sets the quota of a namespace. Instance administrators only.
 *   quota_bytes   0 = no limit; below the present usage it only stops growth
 *   out           the namespace with it
 * Expected errors: ERR_DENIED, ERR_NAMESPACE_UNKNOWN. Durable on true. */
bool space_set_quota(struct auth *a, const struct identity *who, const struct actor *actor,
                     const struct namespace_name *name, int64_t quota_bytes, int64_t now_us,
                     struct namespace *out, struct err *err) MUST_USE;
/* Makes a namespace by the first push of an instance administrator
 * (access_answer.creates_namespace): private, without a quota; one that has come into being
 * meanwhile is success. */
bool space_create_by_push(struct auth *a, const struct identity *who, const struct actor *actor,
                          const struct namespace_name *name, int64_t now_us,
                          struct err *err) MUST_USE;

#endif
