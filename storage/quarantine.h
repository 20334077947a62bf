/* Files of blobs/ that are not what their name says, moved out of the way and kept for people to
 * look at. Nothing reads them and nothing removes them but the operator.
 * Owns: DIR/quarantine. Refuses to know: what is wrong with them. */
#ifndef STORAGE_QUARANTINE_H
#define STORAGE_QUARANTINE_H

#include "base/digest.h"
#include "storage/store.h"

/* "quarantine/sha256-<hex>" and a NUL */
#define QUARANTINE_PATH_MAX (DIGEST_STR_MAX + 16)

/* Moves the file of a blob aside, durably; of each digest the last bad file is kept. The digest's
 * lock is held by the caller.
 *   path_out   its new place, relative to the data folder; "" when there was no file
 * Any thread but the writer's. */
bool quarantine_file(struct store *store, const struct digest *digest,
                     char path_out[QUARANTINE_PATH_MAX], struct err *err) MUST_USE;

#endif
