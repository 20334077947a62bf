/* File names below /_trust/tuf/ (Notary v1, "Routes"): ROLE.json, N.ROLE.json, ROLE.HEX.json.
 * Pure. */
#ifndef SERVER_TRUST_FILE_H
#define SERVER_TRUST_FILE_H

#include "base/slice.h"

enum trust_file_kind { TRUST_FILE_CURRENT, TRUST_FILE_VERSION, TRUST_FILE_CHECKSUM };

struct trust_file {
    enum trust_file_kind kind;
    struct slice
        role; /* root, snapshot, timestamp, targets, or targets/…; borrowed from the text */
    int64_t version;  /* TRUST_FILE_VERSION */
    struct slice hex; /* TRUST_FILE_CHECKSUM: 64, 96 or 128 hexadecimal digits of either case */
};

/* Checksum, version and current form are tried in this order. False when the text is none of them:
 * such a path belongs to no route. */
bool trust_file_parse(struct slice text, struct trust_file *out);

#endif
