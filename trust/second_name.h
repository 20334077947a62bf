/* A manifest that was pushed under its sha512 digest has a second name, the sha256 one, and what is
 * denied is denied by both. Most manifests have no second name, and nothing is read for them. */
#ifndef TRUST_SECOND_NAME_H
#define TRUST_SECOND_NAME_H

#include "base/db.h"
#include "base/digest.h"

/* The sha256 digest of the manifest's bytes when `digest` is another one and the repository holds the
 * manifest; otherwise *out is DIGEST_NONE. False only on failure. Any tx. */
bool second_name(struct db_tx *tx, int64_t repository_id, const struct digest *digest,
                 struct digest *out, struct err *err) MUST_USE;

#endif
