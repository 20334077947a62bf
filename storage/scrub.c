#include "storage/scrub.h"

#include "base/hash.h"
#include "storage/row.h"
#include "storage/scrub_internal.h"
#include "storage/statements.h"
#include "storage/store_private.h"

#include <stdio.h>

#define BLOBS_PAGE 64
#define MANIFESTS_PAGE 16
/* After so much was read the cursor is stored in the middle of a page too. */
#define STORE_EVERY ((int64_t)64 * 1024 * 1024)

/* --- the round -------------------------------------------------------------------------------- */

bool scrub_round_get(struct db_tx *tx, struct scrub_round *out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_SCRUB_GET);
    bool found = false;
    *out = (struct scrub_round){0};
    if (!row_exists(q, &found, err)) {
        return false;
    }
    if (!found) {
        return err_internal(err, "the table scrub has lost its row");
    }
    out->phase = (enum scrub_phase)db_col_int(q, 0);
    (void)db_col_digest(q, 1, &out->after_digest);
    out->after_id = db_col_int(q, 2);
    out->started_us = db_col_int(q, 3);
    out->finished_us = db_col_int(q, 4);
    out->blobs = db_col_int(q, 5);
    out->manifests = db_col_int(q, 6);
    out->bytes = db_col_int(q, 7);
    out->findings = db_col_int(q, 8);
    return true;
}

int scrub_round_percent(const struct scrub_round *round)
{
    if (round->phase != SCRUB_BLOBS) {
        return 100;
    }
    /* sha512 comes after sha256 and is rare */
    bool last_kind = round->after_digest.algorithm == DIGEST_SHA512;
    return last_kind ? 99 : round->after_digest.bytes[0] * 100 / 256;
}

static bool write_begin(struct db_tx *tx, void *arg, struct err *err)
{
    const int64_t *now_us = arg;
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_SCRUB_BEGIN);
    db_bind_int(q, 1, *now_us);
    db_bind_blob(q, 2, SLICE_LIT(""));
    return db_run(q, err);
}

bool scrub_begin(struct store *store, int64_t now_us, struct err *err)
{
    return db_write(store->db, write_begin, &now_us, err);
}

/* A round that was begun anew meanwhile is left alone. */
static bool write_advance(struct db_tx *tx, void *arg, struct err *err)
{
    const struct scrub_round *round = arg;
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_SCRUB_ADVANCE);
    db_bind_int(q, 1, round->phase);
    row_bind_after(q, 2, &round->after_digest);
    db_bind_int(q, 3, round->after_id);
    db_bind_int(q, 4, round->finished_us);
    db_bind_int(q, 5, round->blobs);
    db_bind_int(q, 6, round->manifests);
    db_bind_int(q, 7, round->bytes);
    db_bind_int(q, 8, round->findings);
    db_bind_int(q, 9, round->started_us);
    return db_run(q, err);
}

static bool advance(struct store *store, struct scrub_round *round, struct err *err)
{
    return db_write(store->db, write_advance, round, err);
}

/* --- blobs ------------------------------------------------------------------------------------ */

struct blob_page {
    size_t count;
    struct {
        struct digest digest;
        int64_t size;
    } rows[BLOBS_PAGE];
};

static bool read_blobs(struct store *store, const struct digest *after, struct blob_page *page,
                       struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    page->count = 0;
    if (!db_snapshot(store->db, &tx, err)) {
        return false;
    }
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_BLOB_LIST_PRESENT);
    row_bind_after(q, 1, after);
    db_bind_int(q, 2, BLOBS_PAGE);
    enum db_result result = DB_DONE;
    while (page->count < BLOBS_PAGE && (result = db_step(q, err)) == DB_ROW) {
        if (!db_col_digest(q, 0, &page->rows[page->count].digest)) {
            return err_internal(err, "a blob row has no digest");
        }
        page->rows[page->count++].size = db_col_int(q, 1);
    }
    return result != DB_FAILED;
}

static bool step_blobs(struct store *store, const struct scrub_listener *listener, int64_t now_us,
                       struct scrub_round *round, bool *more_out, struct err *err)
{
    auto_free struct blob_page *page = xcalloc(1, sizeof(*page));
    int64_t read = 0;
    if (!read_blobs(store, &round->after_digest, page, err)) {
        return false;
    }
    for (size_t i = 0; i < page->count && read < STORE_EVERY; i++) {
        enum scrub_verdict verdict;
        if (!scrub_blob(store, &page->rows[i].digest, listener, now_us, &verdict, err)) {
            return false;
        }
        if (verdict == SCRUB_INTERRUPTED) {
            *more_out = false;
            break;
        }
        round->blobs++;
        round->bytes += page->rows[i].size;
        round->findings += verdict != SCRUB_SOUND;
        read += page->rows[i].size;
        round->after_digest = page->rows[i].digest;
    }
    if (page->count == 0) {
        round->phase = SCRUB_MANIFESTS;
    }
    return true;
}

/* --- manifests -------------------------------------------------------------------------------- */

struct bad_manifest {
    int64_t repository_id;
    struct digest digest;
    struct blob_user user;
};

struct manifest_page {
    size_t count, bad_count;
    int64_t bytes, last_id;
    struct bad_manifest bad[MANIFESTS_PAGE];
};

static void read_manifest(struct db_stmt *q, struct manifest_page *page)
{
    struct digest want;
    struct digest real;
    struct slice content = db_col_blob(q, 5);
    page->count++;
    page->last_id = db_col_int(q, 0);
    page->bytes += (int64_t)content.n;
    bool named = db_col_digest(q, 4, &want);
    if (named) {
        hash_bytes(want.algorithm, content, &real);
    }
    if (named && !digest_equal(&want, &real)) {
        struct bad_manifest *bad = &page->bad[page->bad_count++];
        bad->repository_id = db_col_int(q, 1);
        bad->digest = want;
        bad->user.namespace_id = db_col_int(q, 2);
        row_text(q, 3, bad->user.repository, sizeof(bad->user.repository));
    }
}

static bool read_manifests(struct store *store, int64_t after_id, struct manifest_page *page,
                           struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    if (!db_snapshot(store->db, &tx, err)) {
        return false;
    }
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_SCRUB_MANIFESTS);
    db_bind_int(q, 1, after_id);
    db_bind_int(q, 2, MANIFESTS_PAGE);
    enum db_result result = DB_DONE;
    while (page->count < MANIFESTS_PAGE && (result = db_step(q, err)) == DB_ROW) {
        read_manifest(q, page);
    }
    return result != DB_FAILED;
}

struct damage {
    struct bad_manifest *bad;
    struct scrub_finding finding;
    int64_t now_us;
};

static bool write_damage(struct db_tx *tx, void *arg, struct err *err)
{
    struct damage *d = arg;
    d->bad->user.tags[0] = '\0';
    return manifest_user(tx, d->bad->repository_id, &d->bad->digest, &d->bad->user, err) &&
           scrub_audit(tx, &d->finding, d->now_us, err);
}

static bool tell_manifest(struct store *store, const struct scrub_listener *listener,
                          int64_t now_us, struct bad_manifest *bad, struct err *err)
{
    const struct blob_user_list users = {.items = &bad->user, .count = 1};
    struct damage d = {.bad = bad,
                       .finding = {.verdict = SCRUB_MANIFEST,
                                   .digest = bad->digest,
                                   .users = &users,
                                   .quarantined = ""},
                       .now_us = now_us};
    if (!db_write(store->db, write_damage, &d, err)) {
        return false;
    }
    listener->found(&d.finding, listener->arg);
    return true;
}

static bool step_manifests(struct store *store, const struct scrub_listener *listener,
                           int64_t now_us, struct scrub_round *round, bool *more_out,
                           struct err *err)
{
    auto_free struct manifest_page *page = xcalloc(1, sizeof(*page));
    if (!read_manifests(store, round->after_id, page, err)) {
        return false;
    }
    for (size_t i = 0; i < page->bad_count; i++) {
        if (!tell_manifest(store, listener, now_us, &page->bad[i], err)) {
            return false;
        }
    }
    round->manifests += (int64_t)page->count;
    round->bytes += page->bytes;
    round->findings += (int64_t)page->bad_count;
    if (page->count < MANIFESTS_PAGE) {
        round->phase = SCRUB_IDLE;
        round->finished_us = now_us;
        *more_out = false;
    } else {
        round->after_id = page->last_id;
        *more_out = listener->pace(page->bytes, listener->arg);
    }
    return true;
}

/* --- a step ----------------------------------------------------------------------------------- */

static bool read_round(struct store *store, struct scrub_round *out, struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    return db_snapshot(store->db, &tx, err) && scrub_round_get(tx, out, err);
}

bool scrub_step(struct store *store, const struct scrub_listener *listener, int64_t now_us,
                struct scrub_round *out, bool *more_out, struct err *err)
{
    *more_out = true;
    if (!read_round(store, out, err)) {
        return false;
    }
    switch (out->phase) {
    case SCRUB_IDLE:
        *more_out = false;
        return true;
    case SCRUB_BLOBS:
        return step_blobs(store, listener, now_us, out, more_out, err) && advance(store, out, err);
    case SCRUB_MANIFESTS:
        return step_manifests(store, listener, now_us, out, more_out, err) &&
               advance(store, out, err);
    }
    return err_internal(err, "the round of scrub is in phase %d", (int)out->phase);
}
