/* A manifest has two names, the sha256 and the sha512 digest of its bytes, of which the repository
 * knows the one that it was pushed under. What is denied by one name is denied by both: whichever the
 * deny list has, and whether the manifest or the entry came first, since the other name is made from
 * the bytes when it is asked for. Nothing is read where no entry is of the other kind. */
#ifndef TRUST_SECOND_NAME_H
#define TRUST_SECOND_NAME_H

#include "base/db.h"
#include "base/digest.h"

/* The algorithm that the other name has. */
static inline enum digest_algorithm second_name_algorithm(const struct digest *digest)
{
    return digest->algorithm == DIGEST_SHA512 ? DIGEST_SHA256 : DIGEST_SHA512;
}

/* The other name of the manifest that the repository holds as `digest`; DIGEST_NONE when it holds
 * none. Reads and hashes the manifest. False only on failure. Any tx. */
bool second_name(struct db_tx *tx, int64_t repository_id, const struct digest *digest,
                 struct digest *out, struct err *err) MUST_USE;

#endif
