/* What the files upload*.c share: an upload as it is in memory, and the steps that one of them does
 * for another. Private to them.
 *   upload_table.c   the uploads in memory, who uses which, and what each of them may hold
 *   upload_quota.c   the same in the index: what of a namespace's quota its uploads have reserved
 *   upload_row.c     the rows of the table upload
 *   upload_file.c    the files of uploads/, their hashes, their way to blobs/ and back
 *   upload_end.c     an end without a blob
 *   upload_start.c, upload_finish.c, upload_expire.c, upload.c   the calls of upload.h */
#ifndef STORAGE_UPLOAD_INTERNAL_H
#define STORAGE_UPLOAD_INTERNAL_H

#include "base/hash.h"
#include "storage/repository.h"
#include "storage/store_private.h"
#include "storage/upload.h"

#include <stdatomic.h>

/* How much a session may hold without asking the index again; reserved when it begins. */
#define UPLOAD_FIRST_STEP (INT64_C(1024) * 1024)
/* Idle sessions whose hash is kept in memory; the files of others are read again. */
#define UPLOAD_HASHES_MAX 1024

struct upload {
    struct store *store;
    char id[UPLOAD_ID_MAX];
    enum upload_kind kind;
    struct repo_name repo;
    int64_t repository_id; /* 0: a single one, its repository is made when it is finished */
    int64_t namespace_id;
    int64_t namespace_incarnation;
    int64_t account_id;

    /* of the request that uses it */
    int fd; /* -1: it has no file, what was received is in `held` */
    struct buf held;
    bool rest;                   /* upload_bring_rest */
    upload_question_fn question; /* upload_ask; NULL: none */
    const void *asker;
    struct hash *sha256; /* NULL: its file was not read back yet */
    int64_t written_back;
    int64_t announced; /* where this request will end; -1: it does not say */
    bool has_row;      /* in the table upload: always, but for a single one that is small */
    bool sealed; /* the file has a name under blobs/ too: what it holds may be somebody's blob */

    atomic_int_fast64_t received;
    atomic_int_fast64_t last_used_us;

    /* under the table's lock */
    bool busy;
    bool over;
    int64_t claimed;  /* bytes received and about to be written */
    int64_t reserved; /* how far it may go; never more than its row says. A single one without a row
                         may go a first step, and the transaction of its end decides */
    struct upload *next;
    struct upload *colder, *warmer; /* idle ones with a hash, by their last use */
};

/* --- upload_table.c: any thread --------------------------------------------------------------- */

/* An upload that no table knows yet, in use by the caller. Ownership: upload_free, or the table's
 * after upload_table_add. */
struct upload *upload_new(struct store *store, const char *id, enum upload_kind kind);
void upload_free(struct upload *u);

/* Puts an upload whose namespace, received bytes and reservation are known into memory. False when its id is
 * there already; it stays the caller's. */
bool upload_table_add(struct upload *u) MUST_USE;
/* Takes an upload out and frees it. */
void upload_table_remove(struct upload *u);

enum upload_found {
    UPLOAD_ABSENT, /* not in memory */
    UPLOAD_HIDDEN, /* there, but it is over or another's */
    UPLOAD_SEEN
};
/* Marks a session as in use. *out is NULL when it is not in memory.
 * Expected errors: ERR_UPLOAD_UNKNOWN (another's, or over), ERR_UPLOAD_BUSY (in use). */
bool upload_table_take(struct uploads *uploads, const struct repo_name *repo, const char *id,
                       int64_t account_id, struct upload **out, struct err *err) MUST_USE;
void upload_table_give_back(struct upload *u);
/* From here on it does not exist for anybody. */
void upload_table_end(struct upload *u);
enum upload_found upload_table_look(struct uploads *uploads, const struct repo_name *repo,
                                    const char *id, int64_t account_id, int64_t *received_out);
/* False when it is not in memory. INT64_MAX in *out when a request is using it. */
bool upload_table_last_used(struct uploads *uploads, const char *id, int64_t *out);

/* May it grow to `end` bytes? Then they are claimed. */
bool upload_table_claim(struct upload *u, int64_t end) MUST_USE;
/* It holds what it has received: nothing more is about to be written. */
void upload_table_unclaim(struct upload *u);
bool upload_table_is_reserved(struct upload *u, int64_t end);
void upload_table_set_space(struct upload *u, int64_t reserved, int64_t claimed);
/* What it may hold, at most `room` of it; less is remembered. */
int64_t upload_table_limit_space(struct upload *u, int64_t room);
/* Nobody's reservation grows or shrinks while another thread has this, but for uploads that begin:
 * their row is written on the writer thread, where the shrinking is done too. Held over
 * transactions; never taken on the writer thread. */
void upload_table_lock_space(struct uploads *uploads);
void upload_table_unlock_space(struct uploads *uploads);
/* One at a time ends sessions to begin another one. Held over transactions; never taken on the writer
 * thread. */
void upload_table_lock_starts(struct uploads *uploads);
void upload_table_unlock_starts(struct uploads *uploads);
struct upload_hold {
    char id[UPLOAD_ID_MAX];
    int64_t bytes;
};
/* Lets every upload of a namespace hold what it has claimed and no more. Returns how much that is
 * for each; the caller frees. */
struct upload_hold *upload_table_shrink(struct uploads *uploads, int64_t namespace_id,
                                        size_t *count_out);

/* Files whose upload nobody knows, and that have a row or are published: kept until somebody has
 * time to find under which digest. */
void upload_table_leave(struct uploads *uploads, const char *id);
/* False when there is none. */
bool upload_table_next_left(struct uploads *uploads, char id_out[UPLOAD_ID_MAX]);

/* --- upload_row.c ----------------------------------------------------------------------------- */

struct upload_row {
    int64_t repository_id, namespace_id, namespace_incarnation, account_id, started_us;
    bool single; /* its request died with the process that it ran in */
    int64_t reserved;
    char repo[REPO_NAME_MAX + 1];
};

/* The form of our own ids, so that nothing else is ever looked for as a file. */
bool upload_row_id(struct slice text, char out[UPLOAD_ID_MAX]) MUST_USE;
/* Expected errors: ERR_UPLOAD_UNKNOWN. */
bool upload_row_get(struct db *db, const char *id, struct upload_row *out,
                    struct err *err) MUST_USE;
bool upload_row_is_of(const struct upload_row *row, const struct repo_name *repo,
                      int64_t account_id);
/* The session a row describes, without its bytes. As upload_new. */
struct upload *upload_row_session(struct store *store, const char *id, const struct repo_name *repo,
                                  const struct upload_row *row);
/* The caller has reserved the bytes in the namespace. Writer. */
bool upload_row_insert(struct db_tx *tx, const struct upload *u,
                       const struct repository *repository, int64_t reserved, int64_t now_us,
                       struct err *err) MUST_USE;
/* What the row has reserved; *found_out: there is a row. Writer. */
bool upload_row_reserved(struct db_tx *tx, const char *id, bool *found_out, int64_t *out,
                         struct err *err) MUST_USE;
/* The namespace's sum is the caller's. Writer. */
bool upload_row_set_reserved(struct db_tx *tx, const char *id, int64_t bytes,
                             struct err *err) MUST_USE;
/* Removes the row, if there is one, and gives back what it had reserved. A db_write_fn; arg is the
 * id. */
bool upload_row_delete(struct db_tx *tx, void *id, struct err *err) MUST_USE;

/* --- upload_file.c: the request that uses the upload ------------------------------------------ */

/* Makes the file unless it has one, with what is held. Expected errors: ERR_NO_SPACE; then it is
 * as before. */
bool upload_file_need(struct upload *u, struct err *err) MUST_USE;
/* Without bytes there need be no file. Expected errors: ERR_UPLOAD_UNKNOWN (no file). */
bool upload_file_open(struct upload *u, struct err *err) MUST_USE;
void upload_file_close(struct upload *u);
/* Writes at `at`, the end; after an error the file is as long as before. Expected errors:
 * ERR_NO_SPACE. */
bool upload_file_write(struct upload *u, struct slice bytes, int64_t at, struct err *err) MUST_USE;
/* The hash of what is there; reads the file only after a restart. */
bool upload_file_read_back(struct upload *u, struct err *err) MUST_USE;
bool upload_file_digest(const struct upload *u, enum digest_algorithm algorithm, struct digest *out,
                        struct err *err) MUST_USE;
/* All bytes: those that are held, or those of its file, read into `room`. At most
 * BLOB_JOURNAL_BLOB_MAX were received. */
bool upload_file_bytes(const struct upload *u, struct buf *room, struct slice *out,
                       struct err *err) MUST_USE;
/* The two halves of publishing, with the digest's lock held. upload_file_publish gives the file its
 * name under blobs/, durably. A file that has the name already and that a row holds stays; one
 * without a row is what a crash left, not to be believed, and goes.
 *   existed_out   a row holds the file that has the name
 * upload_file_take_back takes the name away again when no row holds it; what is left is sealed. */
bool upload_file_publish(struct upload *u, const struct digest *digest, bool *existed_out,
                         struct err *err) MUST_USE;
void upload_file_take_back(struct upload *u, const struct digest *digest);
/* True in *out when the file that stands under the digest's name has the size of this upload and
 * its row, if there is one, is not marked missing. */
bool upload_file_is_believed(const struct upload *u, const struct digest *digest, bool *out,
                             struct err *err) MUST_USE;
/* Finds the file's name under blobs/, if it has one, and takes it away when no row holds it. Reads
 * the file only when it has one. */
bool upload_file_remove_published(struct store *store, int fd, struct err *err) MUST_USE;
/* What stays behind is removed by the next start. */
void upload_file_unlink(const struct upload *u);
/* When it was last written; 0 when it is not there. */
int64_t upload_file_written_us(const struct store *store, const char *id);

/* --- upload_quota.c --------------------------------------------------------------------------- */

/* Sees that an upload can become `need` bytes, and reserves in the index what is claimed of them
 * and a step more when there is room. What other uploads of the namespace have reserved and not
 * filled makes room.
 *   claimed   bytes that it holds from then on; need, or what it has received
 * Expected errors: ERR_QUOTA, ERR_UPLOAD_UNKNOWN (ended, or its namespace is gone). */
bool upload_reserve(struct upload *u, int64_t need, int64_t claimed, struct err *err) MUST_USE;

/* --- upload_end.c, upload.c ------------------------------------------------------------------- */

/* Ends an upload for good: what it published without a row, its row, its file, in this order, so
 * that a crash leaves enough to begin again. The caller uses it, and still has to remove it from
 * the table. */
bool upload_end(struct upload *u, struct err *err) MUST_USE;
void upload_end_quietly(struct upload *u);
/* The same for a session that was taken without its file; removes it from the table in any case. */
bool upload_end_taken(struct upload *u, struct err *err) MUST_USE;
/* Takes a session by its id, whoever it belongs to, ends and removes it.
 *   ended_out   false: somebody took it meanwhile, or it is gone; it is left alone */
bool upload_end_by_id(struct store *store, const char *id, bool *ended_out,
                      struct err *err) MUST_USE;
/* Takes a session, from memory or from its row. Expected errors: those of upload_open. */
bool upload_take(struct store *store, const struct repo_name *repo, struct slice id,
                 int64_t account_id, struct upload **out, struct err *err) MUST_USE;

static inline bool upload_unknown(struct err *err)
{
    return err_set(err, ERR_UPLOAD_UNKNOWN, "");
}

#endif
