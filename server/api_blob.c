#include "base/clock.h"
#include "server/api.h"
#include "server/api_refusal.h"
#include "server/app.h"
#include "server/range.h"
#include "server/registry.h"
#include "storage/blob.h"

#define BLOB_TYPE "application/octet-stream"

/* A blob that nothing names may go soon: who asks before a push is told to send it again. */
#define COLLECTION_MARGIN_US (INT64_C(3600) * US_PER_SECOND)

static bool soon_collected(const struct request *rq, const struct blob *blob)
{
    return rq->method == METHOD_HEAD && blob->collect_after_us != 0 &&
           blob->collect_after_us - rq->now_us < COLLECTION_MARGIN_US;
}

static void blob_headers(const struct request *rq, struct reply *reply, const struct decision *d)
{
    registry_digest_headers(reply, &rq->digest);
    reply_header(reply, "Accept-Ranges", "bytes");
    reply_gated(reply, d, false);
}

static void send_blob(const struct request *rq, struct reply *reply, const struct blob *blob,
                      const struct decision *d)
{
    int64_t first = 0;
    int64_t length = blob->size;
    struct err err = {0};
    enum range_verdict range =
        range_parse(request_header(rq, "Range"), blob->size, &first, &length);
    if (range == RANGE_UNSATISFIABLE) {
        err_set(&err, ERR_RANGE, "the blob has %lld bytes", (long long)blob->size);
        reply_error(reply, &err);
        return reply_header(reply, "Content-Range", "bytes */%lld", (long long)blob->size);
    }
    auto_fd int fd = blob_open(rq->app->store, &rq->digest, &err);
    if (fd < 0) {
        return reply_error(reply, &err);
    }
    reply_file(reply, range == RANGE_OK ? 206 : 200, BLOB_TYPE, take_fd(&fd), first, length);
    if (range == RANGE_OK) {
        reply_header(reply, "Content-Range", "bytes %lld-%lld/%lld", (long long)first,
                     (long long)(first + length - 1), (long long)blob->size);
    }
    blob_headers(rq, reply, d);
}

/* The gate comes first: a manifest's digest is no blob for a gated identity even if the same bytes were uploaded. */
static bool decide(const struct request *rq, struct db_tx *tx, const struct repository *repo,
                   struct decision *out, struct err *err)
{
    struct gate_caller caller;
    if (!registry_gate_caller(rq, tx, &caller, err)) {
        return false;
    }
    gate_decide_blob(rq->app->trust, tx, &caller, repo, &rq->repo, &rq->digest, rq->now_us, out);
    return true;
}

/* GET, HEAD /v2/NAME/blobs/DIGEST */
void api_blob_get(struct request *rq, struct reply *reply)
{
    auto_snapshot struct db_tx *tx = NULL;
    struct repository repo;
    struct blob blob;
    struct decision d = {0};
    struct err err = {0};

    if (!registry_open(rq, &tx, &repo, &err) || !decide(rq, tx, &repo, &d, &err)) {
        return reply_error(reply, &err);
    }
    registry_count_decision(rq, "blob", &d);
    if (d.effect != EFFECT_ALLOW) {
        return reply_refusal(rq, reply, &d);
    }
    if (!blob_get(tx, repo.id, &rq->digest, &blob, &err)) {
        return reply_error(reply, &err);
    }
    if (soon_collected(rq, &blob)) {
        err_set(&err, ERR_BLOB_UNKNOWN, "");
        return reply_error(reply, &err);
    }
    if (registry_not_modified(rq, &rq->digest)) {
        reply_head(reply, 304, NULL, blob.size);
        return blob_headers(rq, reply, &d);
    }
    send_blob(rq, reply, &blob, &d);
}

static bool delete_transaction(struct db_tx *tx, void *arg, struct err *err)
{
    const struct request *rq = arg;
    struct repository repo;
    return repository_get(tx, &rq->repo, &repo, err) &&
           blob_unlink(tx, repo.id, &rq->digest, rq->now_us, err);
}

/* DELETE /v2/NAME/blobs/DIGEST */
void api_blob_delete(struct request *rq, struct reply *reply)
{
    struct err err = {0};
    if (!db_write(rq->app->db, delete_transaction, rq, &err)) {
        return reply_error(reply, &err);
    }
    reply_empty(reply, 202);
}
