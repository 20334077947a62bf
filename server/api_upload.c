#include "server/api.h"
#include "server/app.h"
#include "server/mount.h"
#include "server/range.h"
#include "server/registry.h"
#include "storage/upload.h"

/* --- answers ---------------------------------------------------------------------------------------------------- */

/* The session's address never changes, so that a repeated or late request still finds it. */
static void session_headers(const struct request *rq, struct reply *reply, const char *id,
                            int64_t received)
{
    reply_header(reply, "Location", "/v2/%s/blobs/uploads/%s", rq->repo.text, id);
    reply_header_text(reply, "Docker-Upload-UUID", id);
    reply_header(reply, "Range", "0-%lld", (long long)(received > 0 ? received - 1 : 0));
}

static void session_reply(const struct request *rq, struct reply *reply, int status, const char *id,
                          int64_t received)
{
    reply_empty(reply, status);
    session_headers(rq, reply, id, received);
}

static void created_reply(const struct request *rq, struct reply *reply,
                          const struct digest *digest)
{
    char text[DIGEST_STR_MAX];
    digest_format(digest, text);
    reply_empty(reply, 201);
    reply_header(reply, "Location", "/v2/%s/blobs/%s", rq->repo.text, text);
    reply_header_text(reply, "Docker-Content-Digest", text);
}

/* --- what the query says ---------------------------------------------------------------------------------------- */

static bool query_digest(const struct request *rq, const char *name, struct digest *out,
                         struct err *err)
{
    auto_buf struct buf text = {0};
    if (!request_query(rq, name, 0, &text)) {
        return err_set(err, ERR_DIGEST_INVALID, "the parameter %s=<digest> is missing", name);
    }
    return digest_parse(buf_slice_of(&text), out, err);
}

/* Only an announcement: the PUT's digest decides. */
static bool query_algorithm_known(const struct request *rq, struct err *err)
{
    auto_buf struct buf text = {0};
    enum digest_algorithm algorithm;
    if (!request_query(rq, "digest-algorithm", 0, &text) ||
        digest_algorithm_parse(buf_slice_of(&text), &algorithm)) {
        return true;
    }
    return err_set(err, ERR_DIGEST_INVALID, "digest algorithms here are sha256 and sha512");
}

/* --- POST: a session, a whole blob, or a mount -------------------------------------------------------------------- */

/* `?digest=` without `mount`: the body is the blob. */
static bool is_single(const struct request *rq)
{
    return request_has_query(rq, "digest") && !request_has_query(rq, "mount");
}

/* What the body will hold, when the request says so; refused before it is read when it cannot fit. */
static bool announce(const struct request *rq, struct upload *upload, int64_t length,
                     struct err *err)
{
    int64_t whole = length >= 0 ? length : request_content_length(rq);
    return whole <= 0 || upload_announce(upload, whole, err);
}

static bool post_open(struct request *rq, struct reply *refusal, struct err *err)
{
    (void)refusal;
    struct digest digest;
    struct actor actor;
    struct upload *upload = NULL;
    if (!query_algorithm_known(rq, err)) {
        return false;
    }
    if (!is_single(rq)) {
        return true;
    }
    registry_actor(rq, &actor);
    if (!query_digest(rq, "digest", &digest, err) ||
        !upload_start(rq->app->store, &rq->repo, UPLOAD_SINGLE, &actor, rq->now_us, &upload, err)) {
        return false;
    }
    if (!announce(rq, upload, -1, err)) {
        upload_close(upload);
        return false;
    }
    upload_bring_rest(upload);
    rq->stream = upload;
    return true;
}

static bool append(struct request *rq, struct slice bytes, struct err *err)
{
    if (rq->stream == NULL) {
        return err_set(err, ERR_SIZE_INVALID, "a POST that opens a session has no body");
    }
    return upload_append(rq->stream, bytes, rq->now_us, err);
}

static void give_back(struct request *rq)
{
    upload_close(rq->stream);
    rq->stream = NULL;
}

const struct stream_sink api_upload_post_sink = {post_open, append, give_back};

static void start_session(struct request *rq, struct reply *reply)
{
    struct upload *upload = NULL;
    struct actor actor;
    struct err err = {0};
    registry_actor(rq, &actor);
    if (!upload_start(rq->app->store, &rq->repo, UPLOAD_SESSION, &actor, rq->now_us, &upload,
                      &err)) {
        return reply_error(reply, &err);
    }
    session_reply(rq, reply, 202, upload_id(upload), 0);
    upload_close(upload);
}

static bool may_still(struct db_tx *tx, const void *rq, struct err *err)
{
    return request_may_still(rq, tx, err);
}

static void finish(struct request *rq, struct reply *reply)
{
    struct digest digest;
    struct err err = {0};
    upload_ask(rq->stream, may_still, rq);
    bool ok = query_digest(rq, "digest", &digest, &err) && upload_expect_end(rq->stream, &err) &&
              upload_finish(rq->stream, &digest, rq->now_us, NULL, &err);
    give_back(rq);
    if (!ok) {
        return reply_error(reply, &err);
    }
    created_reply(rq, reply, &digest);
}

/* POST /v2/NAME/blobs/uploads/ */
void api_upload_post(struct request *rq, struct reply *reply)
{
    struct digest mounted;
    struct err err = {0};
    if (rq->stream != NULL) {
        return finish(rq, reply);
    }
    if (mount_try(rq, &mounted, &err)) {
        return created_reply(rq, reply, &mounted);
    }
    if (err.code != ERR_NONE) {
        return reply_error(reply, &err);
    }
    start_session(rq, reply);
}

/* --- PATCH and PUT ------------------------------------------------------------------------------------------------ */

/* Content-Range must continue the upload and agree with Content-Length; a chunk out of order, or one
 * for which there is no room, leaves the session alive. */
static bool chunk_fits(const struct request *rq, struct upload *upload, struct err *err)
{
    const char *header = request_header(rq, "Content-Range");
    int64_t first = 0;
    int64_t last = 0;
    if (header == NULL) {
        return announce(rq, upload, -1, err);
    }
    if (!content_range_parse(header, &first, &last)) {
        return err_set(err, ERR_UPLOAD_INVALID, "Content-Range of a chunk has the form first-last");
    }
    if (!upload_expect(upload, first, err)) {
        return false;
    }
    int64_t length = request_content_length(rq);
    if (length >= 0 && length != last - first + 1) {
        return err_set(err, ERR_SIZE_INVALID, "Content-Length and Content-Range do not agree");
    }
    return announce(rq, upload, last - first + 1, err);
}

static bool append_open(struct request *rq, struct reply *refusal, struct err *err)
{
    struct digest digest;
    struct upload *upload = NULL;
    if (rq->method == METHOD_PUT && !query_digest(rq, "digest", &digest, err)) {
        return false;
    }
    if (!upload_open(rq->app->store, &rq->repo, rq->params[0], rq->identity->account_id, rq->now_us,
                     &upload, err)) {
        return false;
    }
    if (!chunk_fits(rq, upload, err)) {
        /* a proxy may have repeated the request: its client learns where to go on */
        session_headers(rq, refusal, upload_id(upload), upload_received(upload));
        upload_close(upload);
        return false;
    }
    if (rq->method == METHOD_PUT) {
        upload_bring_rest(upload);
    }
    rq->stream = upload;
    return true;
}

const struct stream_sink api_upload_append_sink = {append_open, append, give_back};

/* PATCH /v2/NAME/blobs/uploads/ID */
void api_upload_patch(struct request *rq, struct reply *reply)
{
    struct err err = {0};
    if (upload_expect_end(rq->stream, &err)) {
        session_reply(rq, reply, 202, upload_id(rq->stream), upload_received(rq->stream));
    } else {
        reply_error(reply, &err);
        session_headers(rq, reply, upload_id(rq->stream), upload_received(rq->stream));
    }
    give_back(rq);
}

/* PUT /v2/NAME/blobs/uploads/ID?digest=… */
void api_upload_put(struct request *rq, struct reply *reply)
{
    finish(rq, reply);
}

/* --- GET and DELETE ----------------------------------------------------------------------------------------------- */

void api_upload_get(struct request *rq, struct reply *reply)
{
    char id[UPLOAD_ID_MAX];
    int64_t received = 0;
    struct err err = {0};
    if (!upload_status(rq->app->store, &rq->repo, rq->params[0], rq->identity->account_id,
                       &received, &err)) {
        return reply_error(reply, &err);
    }
    snprintf(id, sizeof(id), "%.*s", SLICE_FMT(rq->params[0]));
    session_reply(rq, reply, 204, id, received);
}

void api_upload_delete(struct request *rq, struct reply *reply)
{
    struct err err = {0};
    if (!upload_cancel(rq->app->store, &rq->repo, rq->params[0], rq->identity->account_id,
                       rq->now_us, &err)) {
        return reply_error(reply, &err);
    }
    reply_empty(reply, 204);
}
