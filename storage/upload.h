/* Upload sessions: bytes on their way to become a blob (OCI distribution 1.1, "Pushing blobs").
 * Owns: uploads/, the upload table and the sessions in memory. Refuses to know: HTTP, rights.
 * Invariants
 *   1. A session belongs to one repository, one incarnation of its namespace and one account; for
 *      everybody else it does not exist.
 *   2. At most one request uses a session at a time.
 *   3. After upload_finish has returned true the blob survives power loss; after a digest mismatch
 *      nothing is kept.
 *   4. A session and the bytes received so far survive a restart of the process, not power loss.
 *   5. What a session has received is reserved in the index, so that its namespace's used and
 *      reserved bytes together stay within the quota (namespace.h). Only a single upload of at most
 *      1 MiB holds nothing before the transaction that makes it a blob.
 *   6. An idle session holds neither a descriptor nor, when there are many, a hash.
 *
 * None of these may be called while the thread has a snapshot open. A request takes a session with
 * upload_start or upload_open and gives it back with upload_close, on every way out. The sessions
 * are in memory; after a restart they are remembered from their rows and files, and upload_open
 * reads the file back to hash it. A session has a file from its first byte on. */
#ifndef STORAGE_UPLOAD_H
#define STORAGE_UPLOAD_H

#include "base/digest.h"
#include "base/name.h"
#include "storage/actor.h"
#include "storage/store.h"

#define UPLOAD_ID_MAX 37 /* UUID text and NUL */

struct upload; /* a session in use by this request */

enum upload_kind {
    UPLOAD_SESSION, /* goes on over several requests: has a row */
    UPLOAD_SINGLE /* POST ?digest=: lives within one request, no row; ends with its upload_close */
};

/* Begins a session; makes the repository's row when needed. When the account has too many open, its
 * longest idle one ends.
 * Expected errors: ERR_NAMESPACE_UNKNOWN, ERR_NO_SPACE, ERR_BUSY. Worker threads. */
bool upload_start(struct store *store, const struct repo_name *repo, enum upload_kind kind,
                  const struct actor *actor, int64_t now_us, struct upload **out,
                  struct err *err) MUST_USE;
/* Takes an existing session.
 *   id          as sent by the client
 *   account_id  of the caller: another account's session does not exist for him
 * Expected errors: ERR_UPLOAD_UNKNOWN (also another repository's), ERR_UPLOAD_BUSY (another
 * request is using it). Worker threads. */
bool upload_open(struct store *store, const struct repo_name *repo, struct slice id,
                 int64_t account_id, int64_t now_us, struct upload **out, struct err *err) MUST_USE;
/* Says that this request brings the rest of the bytes and then calls upload_finish: few bytes wait
 * in memory until then, without a file. */
void upload_bring_rest(struct upload *upload);
/* Asked first in the transaction by which upload_finish makes the blob: has its caller kept the
 * right that he had when the first byte came? Its error is that of upload_finish. Counts until
 * upload_close; `arg` is borrowed as long. */
typedef bool (*upload_question_fn)(struct db_tx *tx, const void *arg, struct err *err);
void upload_ask(struct upload *upload, upload_question_fn question, const void *arg);
/* Gives it back; ends an UPLOAD_SINGLE that was not finished. Accepts NULL. */
void upload_close(struct upload *upload);

/* Lower-case UUID. Borrowed. */
const char *upload_id(const struct upload *upload);
/* Bytes received so far. */
int64_t upload_received(const struct upload *upload);
/* Checks the first byte's position of a chunk. Expected errors: ERR_UPLOAD_RANGE; the session goes on. */
bool upload_expect(const struct upload *upload, int64_t offset, struct err *err) MUST_USE;
/* What the request will append, when it says so: what cannot fit is refused before it is sent, and
 * no more than that is taken. Expected errors: ERR_QUOTA, ERR_UPLOAD_UNKNOWN. Worker threads. */
bool upload_announce(struct upload *upload, int64_t bytes, struct err *err) MUST_USE;
/* After the last byte of the request: did all that was announced come? Expected errors:
 * ERR_SIZE_INVALID; the session goes on with what came. */
bool upload_expect_end(const struct upload *upload, struct err *err) MUST_USE;
/* Appends bytes. After an error nothing of them counts as received.
 * Expected errors: ERR_SIZE_INVALID (more than was announced), ERR_NO_SPACE, ERR_QUOTA (with the unfinished uploads of
 * the namespace beside it), ERR_UPLOAD_UNKNOWN (the namespace was deleted meanwhile), ERR_UPLOAD_INVALID (a crash
 * stopped it while it was being finished: what it holds may be a blob by now, so it can only be finished or given up).
 * Worker threads. */
bool upload_append(struct upload *upload, struct slice bytes, int64_t now_us,
                   struct err *err) MUST_USE;
/* Verifies, publishes the file and writes blob, membership and the end of the session in one
 * transaction. The session is over when it returns true, after ERR_DIGEST_INVALID, and when the
 * bytes could not be made durable (what a disk lost once is not asked for again); after other
 * errors it goes on as it was. upload_close is due in any case.
 *   size_out   bytes of the blob; may be NULL
 * Expected errors: ERR_DIGEST_INVALID, ERR_QUOTA, ERR_NO_SPACE, ERR_UPLOAD_UNKNOWN (the namespace
 * was deleted meanwhile), those of upload_ask's question. Worker threads; durable. */
bool upload_finish(struct upload *upload, const struct digest *digest, int64_t now_us,
                   int64_t *size_out, struct err *err) MUST_USE;

/* Bytes received, without taking the session (GET of a session). No file is read. Expected errors:
 * ERR_UPLOAD_UNKNOWN. Any thread. */
bool upload_status(struct store *store, const struct repo_name *repo, struct slice id,
                   int64_t account_id, int64_t *received_out, struct err *err) MUST_USE;
/* Ends a session and removes its file. Expected errors: ERR_UPLOAD_UNKNOWN, ERR_UPLOAD_BUSY (in
 * use). */
bool upload_cancel(struct store *store, const struct repo_name *repo, struct slice id,
                   int64_t account_id, int64_t now_us, struct err *err) MUST_USE;
/* db_write for what takes room in a repository's namespace (repository_charge): when it does not
 * fit, what unfinished uploads have reserved and not filled is taken back, and it is run again.
 * Expected errors: those of fn. Not the writer. */
bool upload_make_room(struct store *store, const struct repo_name *repo, db_write_fn fn, void *arg,
                      struct err *err) MUST_USE;
/* Ends sessions that were idle too long, at most `max` per call, and removes what a crash left of
 * uploads that nobody knows any more.
 *   ended_out   how many; may be NULL
 * Maintenance thread. */
bool upload_expire(struct store *store, int64_t now_us, int max, int *ended_out,
                   struct err *err) MUST_USE;

#endif
