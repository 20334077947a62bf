/* Blobs: content-addressed files, and which repository holds which.
 * Owns: blobs/, the tables blob and repository_blob. Refuses to know: rights, manifests' syntax.
 * Invariants
 *   1. A blob row exists only when its file is durable, or its bytes are in the journal
 *      (blob_journal.h). The file goes after the row.
 *   2. Content-addressed does not mean accessible: every reading goes through a repository's
 *      membership.
 *   3. A membership that no manifest of the repository names is condemned from some time on
 *      (gc.h).
 *   4. A blob whose file turned out not to be what it should be is marked missing: its row and its
 *      memberships stay, for readers, mounts and new manifests it is not there, and the next push
 *      of its bytes brings it back for every repository that holds it. */
#ifndef STORAGE_BLOB_H
#define STORAGE_BLOB_H

#include "base/db.h"
#include "base/digest.h"
#include "storage/repository.h"
#include "storage/store.h"

#define BLOB_PATH_MAX (DIGEST_STR_MAX + 16)

struct blob {
    int64_t size; /* bytes */
    /* 0: some manifest of the repository names it. Otherwise nothing does, and it may be collected
     * after that time: whoever tells a pusher that it exists calls blob_keep when that time comes
     * near. */
    int64_t collect_after_us;
};

/* Membership: is the blob in this repository? Expected errors: ERR_BLOB_UNKNOWN (also when it is
 * marked missing). Any tx. */
bool blob_get(struct db_tx *tx, int64_t repository_id, const struct digest *digest,
              struct blob *out, struct err *err) MUST_USE;
/* Opens the bytes for reading: O_CLOEXEC, caller closes. The caller has proved membership in tx,
 * and needs tx no more when he has the descriptor. -1 on failure.
 * Expected errors: ERR_BLOB_UNKNOWN (collected meanwhile). Any tx. */
int blob_open(const struct store *store, struct db_tx *tx, const struct digest *digest,
              struct err *err) MUST_USE;
/* The half of it for what is not in the journal (blob_journal_open has said so): errors speak of the file. */
int blob_open_file(const struct store *store, const struct digest *digest,
                   struct err *err) MUST_USE;
/* "sha256/ab/abcd…" relative to blobs/. Returns out. */
const char *blob_path(const struct digest *digest, char out[BLOB_PATH_MAX]);

/* Cross-repository mount (OCI distribution 1.1, "Mounting a blob from another repository"): adds
 * the membership.
 *   source_repository_id   the caller may read it
 *   keep_us                how long it is kept when no manifest names it
 *                          (store_get_limits()->condemned_us)
 * Expected errors: ERR_BLOB_UNKNOWN (the source does not hold it), ERR_QUOTA. Writer. */
bool blob_mount(struct db_tx *tx, int64_t repository_id, int64_t source_repository_id,
                const struct digest *digest, int64_t keep_us, int64_t now_us, struct blob *out,
                struct err *err) MUST_USE;
/* For a mount without `from`: the newest repository older than `before` (an id; INT64_MAX: any) that
 * holds the blob and that `reader` may read, among the BLOB_SOURCES_MAX newest of those that hold
 * it: the empty layer is everywhere, and nobody shall make the server walk all of them.
 * Expected errors: ERR_BLOB_UNKNOWN. Any tx. */
#define BLOB_SOURCES_MAX 256
bool blob_find_source(struct db_tx *tx, const struct digest *digest, const struct reader *reader,
                      int64_t before, int64_t *repository_id_out, struct err *err) MUST_USE;
/* For a pusher who is about to be told that the blob exists, so that he will not send it: when no
 * manifest names it, it is kept for at least `keep_us` from now on.
 *   out   the blob as it is then
 * Expected errors: ERR_BLOB_UNKNOWN (collected meanwhile). Writer. */
bool blob_keep(struct db_tx *tx, int64_t repository_id, const struct digest *digest,
               int64_t keep_us, int64_t now_us, struct blob *out, struct err *err) MUST_USE;
/* Takes the blob out of the repository, named by manifests or not; other repositories keep it. The
 * file goes later (gc).
 * Expected errors: ERR_BLOB_UNKNOWN; ERR_DENIED when an immutable tag needs it (tag_rule.h).
 * Writer. */
bool blob_unlink(struct db_tx *tx, int64_t repository_id, const struct digest *digest,
                 int64_t now_us, struct err *err) MUST_USE;

struct blob_new {
    int64_t size;              /* bytes */
    const struct slice *bytes; /* for the journal; NULL: its file is durable */
    int64_t keep_us;           /* how long it is kept when no manifest names it */
    bool journalled;           /* out: the bytes went into the journal, tell blob_journal_added */
};
/* For upload_finish.c: writes the blob row and the membership. A blob that is there already stays
 * as it is; one that was marked missing is there again, for all who hold it. Expected errors: ERR_QUOTA. Writer. */
bool blob_put(struct db_tx *tx, int64_t repository_id, const struct digest *digest,
              struct blob_new *blob, int64_t now_us, struct err *err) MUST_USE;

/* What the index says of a blob, whoever holds it. */
struct blob_state {
    bool known;         /* there is a row */
    int64_t size;       /* bytes */
    int64_t missing_us; /* since when it is marked missing; 0: it is there */
    bool journalled;    /* its bytes wait in the journal: its file is not to be believed */
};
bool blob_state(struct db_tx *tx, const struct digest *digest, struct blob_state *out,
                struct err *err) MUST_USE;
/* Marks a blob missing. *marked_out: it was there and not marked before. Writer; the digest's lock
 * is held by the caller, so that no push is bringing it back. */
bool blob_mark_missing(struct db_tx *tx, const struct digest *digest, int64_t now_us,
                       bool *marked_out, struct err *err) MUST_USE;

struct missing_blob {
    struct digest digest;
    int64_t size;
    int64_t missing_us; /* since when */
};
struct missing_blob_list {
    struct missing_blob *items;
    size_t count;
    bool more; /* a next page exists */
};
/* A page of the blobs that are marked missing, in the order of stored digests.
 *   after   unset = from the start
 * Any tx. */
bool blob_list_missing(struct db_tx *tx, const struct digest *after, int max,
                       struct missing_blob_list *out, struct err *err) MUST_USE;
bool blob_count_missing(struct db_tx *tx, int64_t *out, struct err *err) MUST_USE;
void missing_blob_list_dispose(struct missing_blob_list *list);
static inline void cleanup_missing_blob_list(struct missing_blob_list *list)
{
    missing_blob_list_dispose(list);
}
#define auto_missing_blob_list __attribute__((cleanup(cleanup_missing_blob_list)))

#endif
