/* TUF role names of the Notary v1 dialect: root, targets, snapshot, timestamp, and delegations
 * targets/a[/b…]. */
#ifndef TRUST_VERIFY_ROLE_H
#define TRUST_VERIFY_ROLE_H

#include "base/err.h"
#include "base/slice.h"

#define ROLE_NAME_MAX 255
#define ROLE_DEPTH_MAX 8

enum role_kind {
    ROLE_NONE = 0,
    ROLE_ROOT,
    ROLE_TARGETS,
    ROLE_SNAPSHOT,
    ROLE_TIMESTAMP,
    ROLE_DELEGATION
};

/* notary-api 1: base roles, or targets/<seg>…: [-a-z0-9_/], at most 255 bytes, no empty, "." or
 * ".." segment. ROLE_NONE when it is no valid role name. */
enum role_kind role_parse(struct slice name);
/* Number of segments: root 1, targets/a 2. */
int role_depth(struct slice name);
/* True when child is parent + '/' + one segment. */
bool role_is_direct_child(struct slice parent, struct slice child);
/* The parent of a delegation ("targets/a" -> "targets"); empty for base roles. */
struct slice role_parent(struct slice name);
/* "Root", "Targets", "Snapshot", "Timestamp": the exact `_type`. */
const char *role_type_name(enum role_kind kind);

#endif
