/* Namespaces as acts of people: making one, with the audit entry.
 * Owns: which names are refused, who becomes owner. Refuses to know: rows (storage/namespace.h). */
#ifndef AUTH_SPACE_H
#define AUTH_SPACE_H

#include "auth/auth.h"
#include "storage/actor.h"
#include "storage/namespace.h"

/* Makes a namespace. Instance administrators only.
 *   owner   the acting user becomes owner when it is an account; the control socket makes one
 * without owner Expected errors: ERR_DENIED, ERR_CONFLICT (exists), ERR_INVALID (named like a host
 * of this registry: its images could not be told from trust scopes). Durable on true. */
bool space_create(struct auth *a, const struct identity *who, const struct actor *actor,
                  const struct namespace_name *name, enum visibility visibility, int64_t now_us,
                  struct namespace *out, struct err *err) MUST_USE;
/* The same by the first push of an instance administrator (access_answer.creates_namespace):
 * private; one that has come into being meanwhile is success. */
bool space_create_by_push(struct auth *a, const struct identity *who, const struct actor *actor,
                          const struct namespace_name *name, int64_t now_us,
                          struct err *err) MUST_USE;

#endif
