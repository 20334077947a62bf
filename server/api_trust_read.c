/* The Notary v1 API (notary-api 7, 10): reading metadata, current, by version and by checksum. */
#include "base/clock.h"
#include "base/hex.h"
#include "base/log.h"
#include "server/api.h"
#include "server/api_trust.h"
#include "server/app.h"
#include "server/trust_path.h"
#include "storage/repository.h"
#include "storage/tombstone.h"
#include "storage/trust_doc.h"
#include "trust/documents.h"
#include "trust/resign.h"
#include "trust/verify/doc.h"

#define DOCUMENT_TYPE "application/json"

void reply_trust_missing(struct reply *reply)
{
    struct err err = {0};
    (void)err_set(&err, ERR_TRUST_NOT_FOUND, "");
    reply_error_detail(reply, &err, json_object());
}

/* What storage does not have is 404 here, whatever noun is missing. */
void reply_trust_error(struct reply *reply, const struct err *err)
{
    if (err->code == ERR_TRUST_NOT_FOUND || err->code == ERR_NAME_UNKNOWN ||
        err->code == ERR_NAMESPACE_UNKNOWN) {
        reply_trust_missing(reply);
    } else {
        reply_error(reply, err);
    }
}

/* --- reading ---------------------------------------------------------------------------------- */

static int64_t end_by_bytes(struct db_tx *tx, int64_t repository_id, struct slice role)
{
    auto_trust_doc struct trust_doc doc = {0};
    struct tuf_doc *parsed = NULL;
    struct err why = {0};
    int64_t expires_us = INT64_MAX;
    if (trust_doc_current_role(tx, repository_id, role, &doc, &why) &&
        tuf_doc_read(role, doc.bytes, &parsed, NULL) == DOC_OK) {
        expires_us = parsed->expires_us;
    }
    tuf_doc_free(parsed);
    return expires_us;
}

/* The current document of a role, if there is one. */
static bool is_expired(struct db_tx *tx, int64_t repository_id, struct slice role, int64_t now_us)
{
    int64_t expires_us = 0;
    struct err why = {0};
    if (!trust_doc_expires(tx, repository_id, role, &expires_us, &why)) {
        return false;
    }
    return (expires_us ? expires_us : end_by_bytes(tx, repository_id, role)) <= now_us;
}

/* What is handed out: the row as storage gave it, or, when its bytes are in memory, its times alone. */
struct document {
    struct trust_doc row;
    struct tuf_doc *kept;
};

static void document_dispose(struct document *doc)
{
    trust_doc_dispose(&doc->row);
    tuf_doc_free(doc->kept);
    doc->kept = NULL;
}
#define auto_document __attribute__((cleanup(document_dispose)))

/* The clock may have been turned back since the wipe: what belongs to the life that a role leads now
 * came after it, whatever its date. */
static bool is_of_this_life(struct db_tx *tx, int64_t repository_id, const char *role,
                            int64_t incarnation)
{
    auto_trust_role_life_list struct trust_role_life_list lives = {0};
    if (!trust_role_lives(tx, repository_id, &lives, NULL)) {
        return false;
    }
    const struct trust_role_life *life = trust_role_life_find(&lives, role);
    return life && !life->ended && life->incarnation == incarnation;
}

/* A document of a life before a wipe is not told of any more (attacks P-28). */
static bool is_wiped(struct db_tx *tx, int64_t repository_id, const char *role,
                     const struct trust_doc *doc)
{
    auto_tombstone struct tombstone stone = {0};
    struct err why = {0};
    if (tombstone_get(tx, repository_id, &stone, &why)) {
        return doc->accepted_us <= stone.wiped_us &&
               !is_of_this_life(tx, repository_id, role, doc->incarnation);
    }
    return why.code != ERR_NOT_FOUND;
}

static bool read_by_checksum(const struct request *rq, struct db_tx *tx, int64_t repository_id,
                             const struct trust_path *file, struct document *out, struct err *err)
{
    uint8_t sha256[32];
    char lower[65];
    if (file->hex.n != 64) {
        return err_set(err, ERR_TRUST_NOT_FOUND, ""); /* only sha256 finds anything */
    }
    for (size_t i = 0; i < 64; i++) {
        char c = file->hex.p[i];
        lower[i] = c >= 'A' && c <= 'F' ? (char)(c - 'A' + 'a') : c;
    }
    if (!hex_decode((struct slice){lower, 64}, sha256, sizeof sha256)) {
        return err_set(err, ERR_TRUST_NOT_FOUND, "");
    }
    out->kept = trust_document(rq->app->trust, file->role, sha256);
    bool found = out->kept ? trust_doc_accepted(tx, repository_id, file->role, sha256,
                                                &out->row, err)
                           : trust_doc_by_sha256(tx, repository_id, file->role, sha256, &out->row,
                                                 err);
    const char *role = out->kept ? out->kept->role : out->row.role;
    return found && (!is_wiped(tx, repository_id, role, &out->row) ||
                     err_set(err, ERR_TRUST_NOT_FOUND, ""));
}

static bool read_document(const struct request *rq, struct db_tx *tx, int64_t repository_id,
                          const struct trust_path *file, struct document *out, struct err *err)
{
    switch (file->kind) {
    case TRUST_PATH_CURRENT:
        return trust_doc_current_role(tx, repository_id, file->role, &out->row, err);
    case TRUST_PATH_VERSION:
        return trust_doc_by_version(tx, repository_id, file->role, file->version, &out->row, err);
    case TRUST_PATH_CHECKSUM:
        return read_by_checksum(rq, tx, repository_id, file, out, err);
    }
    return err_set(err, ERR_TRUST_NOT_FOUND, "");
}

/* notary-api 10: an expired timestamp, or one over an expired snapshot, is renewed before it is
 * handed out. */
static bool needs_renewal(struct db_tx *tx, int64_t repository_id, const struct trust_path *file,
                          int64_t now_us)
{
    bool timestamp = slice_is(file->role, "timestamp");
    if (file->kind != TRUST_PATH_CURRENT || (!timestamp && !slice_is(file->role, "snapshot"))) {
        return false;
    }
    return is_expired(tx, repository_id, file->role, now_us) ||
           (timestamp && is_expired(tx, repository_id, SLICE_LIT("snapshot"), now_us));
}

/*   renewal_out   the document should be renewed first; may be NULL */
static bool open_document(const struct request *rq, const struct trust_path *file,
                          struct repository *repo, struct document *out, bool *renewal_out,
                          struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    if (!db_snapshot(rq->app->db, &tx, err) || !repository_get(tx, &rq->repo, repo, err) ||
        !read_document(rq, tx, repo->id, file, out, err)) {
        return false;
    }
    if (renewal_out) {
        *renewal_out = needs_renewal(tx, repo->id, file, rq->now_us);
    }
    return true;
}

static void put_caching(struct reply *reply, const struct trust_path *file,
                        enum visibility visibility)
{
    bool open = visibility == VISIBILITY_PUBLIC;
    if (file->kind == TRUST_PATH_CHECKSUM || (open && file->kind == TRUST_PATH_VERSION)) {
        reply_header(reply, "Cache-Control", "public, max-age=2592000, s-maxage=2592000");
    } else if (open) {
        reply_header(reply, "Cache-Control", "public, max-age=300, s-maxage=300, must-revalidate");
    } else {
        reply_header(reply, "Cache-Control", "private, no-cache");
    }
}

static void renew_then_read(const struct request *rq, const struct trust_path *file,
                            struct repository *repo, struct document *doc)
{
    auto_document struct document fresh = {0};
    struct err why = {0};
    if (trust_resign(rq->app->trust, repo->id, false, rq->now_us, &why) == RESIGN_FAILED) {
        log_err(LOG_ERROR, "trust_renewal", &why); /* what there is can still be handed out */
        return;
    }
    if (open_document(rq, file, repo, &fresh, NULL, &why)) {
        struct document old = *doc;
        *doc = fresh;
        fresh = old;
    }
}

static void release(void *of)
{
    tuf_doc_free(of);
}

/* Takes the bytes out of the document. */
static void reply_document(struct reply *reply, struct document *doc)
{
    if (doc->kept) {
        struct slice bytes = doc->kept->bytes;
        reply_shared(reply, 200, DOCUMENT_TYPE, bytes, release, take(doc->kept));
        return;
    }
    struct slice bytes = doc->row.bytes;
    struct buf body = {.p = (char *)(uintptr_t)bytes.p, .n = bytes.n, .cap = bytes.n + 1};
    doc->row.bytes = (struct slice){0};
    reply_buf(reply, 200, DOCUMENT_TYPE, &body);
}

/* GET /v2/GUN/_trust/tuf/FILE */
void api_trust_get(struct request *rq, struct reply *reply)
{
    auto_document struct document doc = {0};
    struct trust_path file;
    struct repository repo;
    struct err err = {0};
    bool renewal = false;
    char modified[TIME_STR_MAX];
    if (!trust_path_parse(rq->params[0], &file) || role_parse(file.role) == ROLE_NONE) {
        reply_trust_missing(reply);
        return;
    }
    if (!open_document(rq, &file, &repo, &doc, &renewal, &err)) {
        reply_trust_error(reply, &err);
        return;
    }
    if (renewal && !request_on_worker(rq)) {
        return; /* a worker goes on: it must write */
    }
    if (renewal) {
        renew_then_read(rq, &file, &repo, &doc);
    }
    reply_document(reply, &doc);
    reply_header_text(reply, "Last-Modified", time_format_http(doc.row.accepted_us, modified));
    put_caching(reply, &file, repo.visibility);
}
