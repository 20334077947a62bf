/* What the files upload*.c share: an upload as it is in memory, and the steps that one of them does
 * for another. Private to them.
 *   upload_table.c   the uploads in memory, who uses which, and what a namespace's uploads hold
 *   upload_row.c     the rows of the table upload
 *   upload_file.c    the files of uploads/, their hashes, their way to blobs/ and back
 *   upload_end.c     an end without a blob
 *   upload_start.c, upload_finish.c, upload_expire.c, upload.c   the calls of upload.h */
#ifndef STORAGE_UPLOAD_INTERNAL_H
#define STORAGE_UPLOAD_INTERNAL_H

#include "base/hash.h"
#include "storage/namespace.h"
#include "storage/store_private.h"
#include "storage/upload.h"

#include <stdatomic.h>

struct space; /* upload_table.c */

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
    int fd;
    struct hash *sha256; /* NULL: its file was not read back yet */
    int64_t written_back;
    bool sealed; /* the file has a name under blobs/ too: what it holds may be somebody's blob */

    atomic_int_fast64_t received;
    atomic_int_fast64_t last_used_us;

    /* under the table's lock */
    bool busy;
    bool over;
    int64_t reserved; /* bytes of its namespace's space */
    struct space *space;
    struct upload *next;
};

/* --- upload_table.c: any thread --------------------------------------------------------------- */

/* An upload that no table knows yet, in use by the caller. Ownership: upload_free, or the table's
 * after upload_table_add. */
struct upload *upload_new(struct store *store, const char *id, enum upload_kind kind);
void upload_free(struct upload *u);

/* Puts an upload whose namespace and received bytes are known into memory. False when its id is
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
 * Expected errors: ERR_UPLOAD_UNKNOWN (another's, or over), ERR_UPLOAD_INVALID (in use). */
bool upload_table_take(struct uploads *uploads, const struct repo_name *repo, const char *id,
                       int64_t account_id, struct upload **out, struct err *err) MUST_USE;
void upload_table_give_back(struct upload *u);
/* From here on it does not exist for anybody, and holds no space. */
void upload_table_end(struct upload *u);
enum upload_found upload_table_look(struct uploads *uploads, const struct repo_name *repo,
                                    const char *id, int64_t account_id, int64_t *received_out);
/* False when it is not in memory. INT64_MAX in *out when a request is using it. */
bool upload_table_last_used(struct uploads *uploads, const char *id, int64_t *out);

/* What the index says of the namespace: more unfinished bytes than fit beside `used_bytes` are
 * refused. An upload's namespace has been told of before the first upload_table_reserve. */
void upload_table_set_space(struct upload *u, const struct namespace *ns);
/* Bytes that are about to be written. Expected errors: ERR_QUOTA. */
bool upload_table_reserve(struct upload *u, int64_t bytes, struct err *err) MUST_USE;
void upload_table_release(struct upload *u, int64_t bytes);
/* It holds what it has received, whatever it held before. */
void upload_table_hold(struct upload *u);

/* Files whose upload nobody knows and that are published: kept until somebody has time to find
 * under which digest. */
void upload_table_leave(struct uploads *uploads, const char *id);
/* False when there is none. */
bool upload_table_next_left(struct uploads *uploads, char id_out[UPLOAD_ID_MAX]);

/* --- upload_row.c ----------------------------------------------------------------------------- */

struct upload_row {
    int64_t repository_id, namespace_id, namespace_incarnation, account_id, started_us;
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
/* A db_write_fn; arg is the id. */
bool upload_row_delete(struct db_tx *tx, void *id, struct err *err) MUST_USE;

/* --- upload_file.c: the request that uses the upload ------------------------------------------ */

bool upload_file_create(struct upload *u, struct err *err) MUST_USE;
/* Expected errors: ERR_UPLOAD_UNKNOWN (no file). */
bool upload_file_open(struct upload *u, struct err *err) MUST_USE;
void upload_file_close(struct upload *u);
/* Writes at `at`, the end; after an error the file is as long as before. Expected errors:
 * ERR_NO_SPACE. */
bool upload_file_write(struct upload *u, struct slice bytes, int64_t at, struct err *err) MUST_USE;
/* The hash of what is there; reads the file only after a restart. */
bool upload_file_read_back(struct upload *u, struct err *err) MUST_USE;
bool upload_file_digest(const struct upload *u, enum digest_algorithm algorithm, struct digest *out,
                        struct err *err) MUST_USE;
/* The two halves of publishing, with the digest's lock held. upload_file_publish gives the file its
 * name under blobs/, durably.
 *   existed_out   somebody else's file has the name already
 * upload_file_take_back takes the name away again when no row holds it; what is left is sealed. */
bool upload_file_publish(struct upload *u, const struct digest *digest, bool *existed_out,
                         struct err *err) MUST_USE;
void upload_file_take_back(struct upload *u, const struct digest *digest);
/* Finds the file's name under blobs/, if it has one, and takes it away when no row holds it. Reads
 * the file only when it has one. */
bool upload_file_remove_published(struct store *store, int fd, struct err *err) MUST_USE;
/* What stays behind is removed by the next start. */
void upload_file_unlink(const struct upload *u);
/* When it was last written; 0 when it is not there. */
int64_t upload_file_written_us(const struct store *store, const char *id);

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
