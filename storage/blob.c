#include "storage/blob.h"

#include "storage/blob_journal.h"
#include "storage/gc.h"
#include "storage/release.h"
#include "storage/row.h"
#include "storage/statements.h"
#include "storage/tag_rule.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

const char *blob_path(const struct digest *digest, char out[BLOB_PATH_MAX])
{
    char hex[DIGEST_STR_MAX];
    digest_hex(digest, hex);
    snprintf(out, BLOB_PATH_MAX, "%s/%.2s/%s", digest_algorithm_name(digest->algorithm), hex, hex);
    return out;
}

static bool unknown(const struct digest *digest, struct err *err)
{
    char text[DIGEST_STR_MAX];
    return err_set(err, ERR_BLOB_UNKNOWN, "there is no blob %s here", digest_format(digest, text));
}

int blob_open_file(const struct store *store, const struct digest *digest, struct err *err)
{
    char path[BLOB_PATH_MAX];
    int fd = openat(store_blobs_dir(store), blob_path(digest, path), O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        return fd;
    }
    if (errno == ENOENT) {
        unknown(digest, err);
    } else {
        err_sys(err, errno, "open the blob %s", path);
    }
    return -1;
}

int blob_open(const struct store *store, struct db_tx *tx, const struct digest *digest,
              struct err *err)
{
    int fd = -1;
    if (!blob_journal_open(tx, digest, &fd, err) || fd >= 0) {
        return fd;
    }
    return blob_open_file(store, digest, err);
}

/* The membership, whether the blob is marked missing or not. */
static bool member_get(struct db_tx *tx, int64_t repository_id, const struct digest *digest,
                       struct blob *out, bool *missing_out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_BLOB_GET_MEMBER);
    db_bind_int(q, 1, repository_id);
    db_bind_digest(q, 2, digest);

    switch (db_step(q, err)) {
    case DB_ROW:
        out->size = db_col_int(q, 0);
        out->collect_after_us = db_col_int(q, 1);
        *missing_out = db_col_int(q, 2) != 0;
        return true;
    case DB_DONE:
        return unknown(digest, err);
    case DB_FAILED:
        return false;
    }
    BUG("db_step has no fourth answer");
}

bool blob_get(struct db_tx *tx, int64_t repository_id, const struct digest *digest,
              struct blob *out, struct err *err)
{
    bool missing = false;
    return member_get(tx, repository_id, digest, out, &missing, err) &&
           (!missing || unknown(digest, err));
}

static bool is_named(struct db_tx *tx, int64_t repository_id, const struct digest *digest,
                     bool *out, struct err *err)
{
    int64_t named = 0;
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_BLOB_NAMED);
    db_bind_int(q, 1, repository_id);
    db_bind_digest(q, 2, digest);
    bool done = row_int(q, &named, err);
    *out = named != 0;
    return done;
}

/* True in *added_out when the repository did not have it. */
static bool link_row(struct db_tx *tx, int64_t repository_id, const struct digest *digest,
                     int64_t now_us, bool *added_out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_BLOB_LINK);
    db_bind_int(q, 1, repository_id);
    db_bind_digest(q, 2, digest);
    db_bind_int(q, 3, now_us);
    if (!db_run(q, err)) {
        return false;
    }
    *added_out = db_changes(tx) > 0;
    return true;
}

/* The membership, its cost, and how long it may stay unnamed. */
static bool add_member(struct db_tx *tx, int64_t repository_id, const struct digest *digest,
                       int64_t size, int64_t keep_us, int64_t now_us, struct err *err)
{
    bool added = false;
    bool named = false;
    if (!link_row(tx, repository_id, digest, now_us, &added, err) ||
        !is_named(tx, repository_id, digest, &named, err)) {
        return false;
    }
    if (added && !repository_charge(tx, repository_id, size, err)) {
        return false;
    }
    if (!named &&
        !gc_condemn(tx, CONDEMNED_MEMBERSHIP, repository_id, digest, now_us + keep_us, err)) {
        return false;
    }
    return gc_spare(tx, CONDEMNED_BLOB, 0, digest, err);
}

bool blob_mount(struct db_tx *tx, int64_t repository_id, int64_t source_repository_id,
                const struct digest *digest, int64_t keep_us, int64_t now_us, struct blob *out,
                struct err *err)
{
    return blob_get(tx, source_repository_id, digest, out, err) &&
           add_member(tx, repository_id, digest, out->size, keep_us, now_us, err) &&
           blob_get(tx, repository_id, digest, out, err);
}

bool blob_find_source(struct db_tx *tx, const struct digest *digest, const struct reader *reader,
                      int64_t before, int64_t *repository_id_out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_BLOB_FIND_SOURCE);
    db_bind_int(q, 1, reader->account_id);
    db_bind_int(q, 2, reader->namespace_id);
    db_bind_int(q, 3, reader->signed_in);
    db_bind_digest(q, 4, digest);
    db_bind_int(q, 5, reader->all);
    db_bind_int(q, 6, BLOB_SOURCES_MAX);
    db_bind_int(q, 7, before);

    enum db_result result;
    while ((result = db_step(q, err)) == DB_ROW) {
        if (db_col_int(q, 1) != 0) {
            *repository_id_out = db_col_int(q, 0);
            return true;
        }
    }
    return result == DB_DONE && unknown(digest, err);
}

bool blob_keep(struct db_tx *tx, int64_t repository_id, const struct digest *digest,
               int64_t keep_us, int64_t now_us, struct blob *out, struct err *err)
{
    return gc_postpone(tx, CONDEMNED_MEMBERSHIP, repository_id, digest, now_us + keep_us, err) &&
           blob_get(tx, repository_id, digest, out, err);
}

static bool unlink_row(struct db_tx *tx, int64_t repository_id, const struct digest *digest,
                       struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_BLOB_UNLINK);
    db_bind_int(q, 1, repository_id);
    db_bind_digest(q, 2, digest);
    return db_run(q, err);
}

static bool is_held(struct db_tx *tx, const struct digest *digest, bool *out, struct err *err)
{
    int64_t held = 0;
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_BLOB_HELD);
    db_bind_digest(q, 1, digest);
    bool done = row_int(q, &held, err);
    *out = held != 0;
    return done;
}

bool blob_unlink(struct db_tx *tx, int64_t repository_id, const struct digest *digest,
                 int64_t now_us, struct err *err)
{
    struct blob blob = {0};
    bool missing = false;
    bool held = false;
    if (!member_get(tx, repository_id, digest, &blob, &missing, err) ||
        !tag_rule_may_delete(tx, repository_id, digest, err) ||
        !release_may_delete(tx, repository_id, digest, err) ||
        !unlink_row(tx, repository_id, digest, err) ||
        !repository_charge(tx, repository_id, -blob.size, err) ||
        !gc_spare(tx, CONDEMNED_MEMBERSHIP, repository_id, digest, err) ||
        !is_held(tx, digest, &held, err)) {
        return false;
    }
    return held || gc_condemn(tx, CONDEMNED_BLOB, 0, digest, now_us, err);
}

bool blob_put(struct db_tx *tx, int64_t repository_id, const struct digest *digest,
              struct blob_new *blob, int64_t now_us, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_BLOB_INSERT);
    db_bind_digest(q, 1, digest);
    db_bind_int(q, 2, blob->size);
    db_bind_int(q, 3, now_us);
    if (!db_run(q, err)) {
        return false;
    }
    blob->journalled = false;
    if (blob->bytes && db_changes(tx) > 0) { /* new, or missing until now */
        if (!blob_journal_put(tx, digest, *blob->bytes, err)) {
            return false;
        }
        blob->journalled = db_changes(tx) > 0;
    }
    return add_member(tx, repository_id, digest, blob->size, blob->keep_us, now_us, err);
}

/* --- blobs that are marked missing ------------------------------------------------------------ */

bool blob_state(struct db_tx *tx, const struct digest *digest, struct blob_state *out,
                struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_BLOB_STATE);
    db_bind_digest(q, 1, digest);
    *out = (struct blob_state){0};
    if (!row_exists(q, &out->known, err)) {
        return false;
    }
    if (out->known) {
        out->size = db_col_int(q, 0);
        out->missing_us = db_col_int(q, 1);
        out->journalled = db_col_int(q, 2) != 0;
    }
    return true;
}

bool blob_mark_missing(struct db_tx *tx, const struct digest *digest, int64_t now_us,
                       bool *marked_out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_BLOB_MARK_MISSING);
    db_bind_digest(q, 1, digest);
    db_bind_int(q, 2, now_us);
    if (!db_run(q, err)) {
        return false;
    }
    *marked_out = db_changes(tx) > 0;
    return true;
}

static void read_missing(struct db_stmt *q, void *item)
{
    struct missing_blob *blob = item;
    (void)db_col_digest(q, 0, &blob->digest);
    blob->size = db_col_int(q, 1);
    blob->missing_us = db_col_int(q, 2);
}

bool blob_list_missing(struct db_tx *tx, const struct digest *after, int max,
                       struct missing_blob_list *out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_BLOB_LIST_MISSING);
    struct row_page page;
    row_bind_after(q, 1, after);
    db_bind_int(q, 2, (int64_t)max + 1);
    bool ok = row_page(q, max, sizeof(*out->items), read_missing, &page, err);
    *out = (struct missing_blob_list){page.items, page.count, page.more};
    if (!ok) {
        missing_blob_list_dispose(out);
    }
    return ok;
}

bool blob_count_missing(struct db_tx *tx, int64_t *out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_BLOB_COUNT_MISSING);
    db_bind_blob(q, 1, SLICE_LIT(""));
    return row_int(q, out, err);
}

void missing_blob_list_dispose(struct missing_blob_list *list)
{
    free(list->items);
    *list = (struct missing_blob_list){0};
}
