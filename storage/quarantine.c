#include "storage/quarantine.h"

#include "base/fsx.h"
#include "storage/blob.h"
#include "storage/store_private.h"

#include <stdio.h>

#define FOLDER "quarantine"

bool quarantine_file(struct store *store, const struct digest *digest,
                     char path_out[QUARANTINE_PATH_MAX], struct err *err)
{
    char hex[DIGEST_STR_MAX];
    char from[BLOB_PATH_MAX];
    struct err why = {0};
    snprintf(path_out, QUARANTINE_PATH_MAX, FOLDER "/%s-%s",
             digest_algorithm_name(digest->algorithm), digest_hex(digest, hex));
    bool moved = fsx_mkdir(store->dir_fd, FOLDER, 0700, &why) &&
                 fsx_move(store->blobs_fd, blob_path(digest, from), store->dir_fd, path_out, &why);
    if (moved) {
        return true;
    }
    path_out[0] = '\0';
    if (why.code == ERR_NOT_FOUND) {
        return true;
    }
    *err = why;
    return false;
}
