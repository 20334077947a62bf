/* File names below /_trust/tuf/ (Notary v1, "Routes"): ROLE.json, N.ROLE.json, ROLE.HEX.json.
 * Pure. */
#ifndef SERVER_TRUST_PATH_H
#define SERVER_TRUST_PATH_H

#include "base/slice.h"

enum trust_path_kind { TRUST_PATH_CURRENT, TRUST_PATH_VERSION, TRUST_PATH_CHECKSUM };

struct trust_path {
    enum trust_path_kind kind;
    struct slice
        role; /* root, snapshot, timestamp, targets, or targets/…; borrowed from the text */
    int64_t version;  /* TRUST_PATH_VERSION */
    struct slice hex; /* TRUST_PATH_CHECKSUM: 64, 96 or 128 hexadecimal digits of either case */
};

/* Checksum, version and current form are tried in this order. False when the text is none of them:
 * such a path belongs to no route. */
bool trust_path_parse(struct slice text, struct trust_path *out);

#endif
