#include "trust/second_name.h"

#include "base/hash.h"
#include "storage/manifest.h"

bool second_name(struct db_tx *tx, int64_t repository_id, const struct digest *digest,
                 struct digest *out, struct err *err)
{
    auto_manifest struct manifest *m = NULL;
    struct err why = {0};
    *out = (struct digest){0};
    if (!manifest_get(tx, repository_id, digest, &m, &why)) {
        *err = why;
        return why.code == ERR_MANIFEST_UNKNOWN;
    }
    hash_bytes(second_name_algorithm(digest), manifest_content(m), out);
    return true;
}
