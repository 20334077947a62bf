#include "auth/access.h"
#include "base/clock.h"
#include "base/log.h"
#include "server/api.h"
#include "server/api_refusal.h"
#include "server/app.h"
#include "server/deletion.h"
#include "server/range.h"
#include "server/record.h"
#include "server/registry.h"
#include "server/scrubber.h"
#include "storage/blob.h"
#include "storage/blob_journal.h"
#include "trust/view.h"

#include <sys/stat.h>

#define BLOB_TYPE "application/octet-stream"

/* A HEAD before a push says "exists" only of what will still be there at its end. */
#define COLLECTION_MARGIN_US (INT64_C(3600) * US_PER_SECOND)

/* --- the HEAD of a pusher ----------------------------------------------------------------------------------------- */

static bool nothing_names(const struct request *rq, const struct blob *blob)
{
    return rq->method == METHOD_HEAD && blob->collect_after_us != 0;
}

/* More than half of the time that a blob without a manifest has is over. */
static bool should_keep(const struct request *rq, const struct blob *blob)
{
    int64_t keep_us = store_get_limits(rq->app->store)->condemned_us;
    return nothing_names(rq, blob) && blob->collect_after_us - rq->now_us < keep_us / 2;
}

/* The last defence: who is told 404 sends it again. */
static bool soon_collected(const struct request *rq, const struct blob *blob)
{
    int64_t half_us = store_get_limits(rq->app->store)->condemned_us / 2;
    int64_t margin_us = half_us < COLLECTION_MARGIN_US ? half_us : COLLECTION_MARGIN_US;
    return nothing_names(rq, blob) && blob->collect_after_us - rq->now_us < margin_us;
}

static bool may_push(const struct request *rq, struct db_tx *tx)
{
    struct access_answer answer;
    struct err err = {0};
    return access_check(tx, rq->identity, &rq->repo, ACTION_PUSH, false, &answer, &err) &&
           answer.result == ACCESS_ALLOWED;
}

struct keeping {
    const struct request *rq;
    int64_t repository_id;
    struct blob blob; /* out */
};

static bool keep_transaction(struct db_tx *tx, void *arg, struct err *err)
{
    struct keeping *keeping = arg;
    const struct request *rq = keeping->rq;
    return blob_keep(tx, keeping->repository_id, &rq->digest,
                     store_get_limits(rq->app->store)->condemned_us, rq->now_us, &keeping->blob,
                     err);
}

/* Keeps the blob for a pusher, as long as a fresh one. What cannot be written leaves it as it is,
 * and soon_collected decides. Goes on with a new snapshot, NULL and err when there is none. False:
 * only a worker can do it. */
static bool keep_for_push(struct request *rq, struct db_tx **tx, int64_t repository_id,
                          struct blob *blob, struct err *err)
{
    struct keeping keeping = {.rq = rq, .repository_id = repository_id};
    struct err why = {0};
    if (!request_on_worker(rq)) {
        return false;
    }
    db_snapshot_end(take(*tx));
    if (db_write(rq->app->db, keep_transaction, &keeping, &why)) {
        *blob = keeping.blob;
    } else if (why.code != ERR_BLOB_UNKNOWN) {
        log_err(LOG_WARN, "blob_keep", &why);
    }
    if (!db_snapshot(rq->app->db, tx, err)) {
        *tx = NULL;
    }
    return true;
}

/* --- GET and HEAD ------------------------------------------------------------------------------------------------- */

static void blob_headers(const struct request *rq, struct reply *reply, const struct decision *d)
{
    registry_digest_headers(reply, &rq->digest);
    reply_header(reply, "Accept-Ranges", "bytes");
    reply_gated(reply, d, false);
}

/* The whole file or none: a file that is cut would end an answer in the middle. It is not marked
 * here; the scrubber looks at it next. An index that cannot be read tells nothing of the blob. */
static int open_blob(const struct request *rq, struct db_tx *tx, const struct blob *blob,
                     struct err *err)
{
    struct stat st;
    auto_fd int fd = -1;
    if (!blob_journal_open(tx, &rq->digest, &fd, err)) {
        return -1;
    }
    if (fd < 0) {
        fd = blob_open_file(rq->app->store, &rq->digest, err);
    }
    if (fd < 0 && err->code == ERR_BLOB_UNKNOWN) { /* or collected in this moment */
        scrubber_suspect(rq->app->scrubber, &rq->digest);
        return -1;
    }
    if (fd < 0 && err->code == ERR_BUSY) { /* no descriptors, say: that tells nothing of the disk */
        return -1;
    }
    if (fd < 0) {
        scrubber_read_failed(rq->app, &rq->digest, err->sys);
        return -1;
    }
    if (fstat(fd, &st) != 0 || st.st_size != blob->size) {
        scrubber_read_failed(rq->app, &rq->digest, 0);
        (void)err_set(err, ERR_BLOB_UNKNOWN, "the blob is damaged here: push it again");
        return -1;
    }
    return take_fd(&fd);
}

static void send_blob(const struct request *rq, struct db_tx *tx, struct reply *reply,
                      const struct blob *blob, const struct decision *d)
{
    int64_t first = 0;
    int64_t length = blob->size;
    struct err err = {0};
    const char *wanted =
        registry_may_range(rq, &rq->digest) ? request_header(rq, "Range") : NULL;
    enum range_verdict range = range_parse(wanted, blob->size, &first, &length);
    if (range == RANGE_UNSATISFIABLE) {
        err_set(&err, ERR_RANGE, "the blob has %lld bytes", (long long)blob->size);
        reply_error(reply, &err);
        return reply_header(reply, "Content-Range", "bytes */%lld", (long long)blob->size);
    }
    auto_fd int fd = open_blob(rq, tx, blob, &err);
    if (fd < 0) {
        return reply_undecided(reply, &err);
    }
    reply_file(reply, range == RANGE_OK ? 206 : 200, BLOB_TYPE, take_fd(&fd), first, length);
    if (range == RANGE_OK) {
        reply_header(reply, "Content-Range", "bytes %lld-%lld/%lld", (long long)first,
                     (long long)(first + length - 1), (long long)blob->size);
    }
    blob_headers(rq, reply, d);
}

/* The gate comes first: a manifest's digest is no blob for a gated identity even if the same bytes were uploaded. */
static bool decide(const struct request *rq, struct db_tx *tx, const struct repository *repo, struct gate_view *view,
                   struct gate_caller *caller, struct decision *out, struct err *err)
{
    if (!registry_gate_caller(rq, tx, caller, err)) {
        return false;
    }
    caller->kept = view;
    gate_decide_blob(rq->app->trust, tx, caller, repo, &rq->repo, &rq->digest, rq->now_us, out);
    return true;
}

/* GET, HEAD /v2/NAME/blobs/DIGEST */
void api_blob_get(struct request *rq, struct reply *reply)
{
    auto_snapshot struct db_tx *tx = NULL;
    auto_gate_view struct gate_view *view = NULL;
    struct repository repo;
    struct blob blob;
    struct gate_caller caller;
    struct decision d = {0};
    struct err err = {0};
    int64_t began_us = clock_mono_us();

    if (!registry_open(rq, &tx, &repo, &err)) {
        return reply_undecided(reply, &err);
    }
    if (!registry_gate_ready(rq, &repo, &view)) {
        return; /* a worker goes on */
    }
    if (!decide(rq, tx, &repo, view, &caller, &d, &err)) {
        return reply_undecided(reply, &err);
    }
    if (!registry_gate_finished(rq, &d) || !registry_use_override(rq, &repo, &d, reply)) {
        return;
    }
    const struct record record = {rq, tx, "blob", &caller, &repo, began_us, NULL};
    if (!record_decision(&record, &d)) {
        return; /* a worker goes on */
    }
    bool here = d.effect == EFFECT_ALLOW && blob_get(tx, repo.id, &rq->digest, &blob, &err);
    if (here && should_keep(rq, &blob) && may_push(rq, tx) &&
        !keep_for_push(rq, &tx, repo.id, &blob, &err)) {
        return; /* a worker goes on, and counts */
    }
    registry_count_decision(rq, "blob", &d);
    if (d.effect != EFFECT_ALLOW) {
        return reply_refusal(rq, reply, &d);
    }
    if (!here || tx == NULL) {
        return reply_undecided(reply, &err);
    }
    if (soon_collected(rq, &blob)) {
        err_set(&err, ERR_BLOB_UNKNOWN, "");
        return reply_undecided(reply, &err);
    }
    if (registry_not_modified(rq, &rq->digest)) {
        reply_head(reply, 304, NULL, blob.size);
        return blob_headers(rq, reply, &d);
    }
    send_blob(rq, tx, reply, &blob, &d);
}

static bool delete_transaction(struct db_tx *tx, void *arg, struct err *err)
{
    struct deletion *d = arg;
    const struct request *rq = d->rq;
    struct repository repo;
    return deletion_allowed(tx, d, &repo, err) &&
           blob_unlink(tx, repo.id, &rq->digest, rq->now_us, err);
}

/* DELETE /v2/NAME/blobs/DIGEST[?force=1] */
void api_blob_delete(struct request *rq, struct reply *reply)
{
    struct deletion deletion;
    struct err err = {0};
    deletion_begin(&deletion, rq, "blob.delete_signed");
    if (!db_write(rq->app->db, delete_transaction, &deletion, &err)) {
        return reply_write_failed(rq, reply, &deletion.refusal, &err);
    }
    reply_empty(reply, 202);
}
