#include "trust/second_name.h"

#include "base/hash.h"
#include "storage/manifest.h"

bool second_name(struct db_tx *tx, int64_t repository_id, const struct digest *digest,
                 struct digest *out, struct err *err)
{
    auto_manifest struct manifest *m = NULL;
    struct err why = {0};
    *out = (struct digest){0};
    if (digest->algorithm != DIGEST_SHA512) {
        return true;
    }
    if (!manifest_get(tx, repository_id, digest, &m, &why)) {
        *err = why;
        return why.code == ERR_MANIFEST_UNKNOWN;
    }
    hash_bytes(DIGEST_SHA256, manifest_content(m), out);
    return true;
}
