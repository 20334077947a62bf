#include "storage/check.h"

#include "base/hash.h"
#include "storage/audit.h"
#include "storage/blob.h"
#include "storage/row.h"
#include "storage/statements.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#define PAGE 200
#define READ_UNIT ((size_t)256 * 1024)

struct check {
    struct store *store;
    enum check_depth depth;
    check_problem_fn problem;
    void *arg;
    struct check_report *report;
    /* where the next page of the present table begins */
    int64_t after;
    struct digest after_digest;
    int64_t repository_id; /* whose memberships */
};

/* One page inside a snapshot. *more_out: there may be another. */
typedef bool (*page_fn)(struct check *c, struct db_tx *tx, bool *more_out, struct err *err);

static void tell(struct check *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void tell(struct check *c, const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    c->report->problems++;
    c->problem(text, c->arg);
}

static bool run_pages(struct check *c, page_fn page, struct err *err)
{
    bool more = true;
    c->after = 0;
    c->after_digest = (struct digest){0};
    while (more) {
        auto_snapshot struct db_tx *tx = NULL;
        more = false;
        if (!db_snapshot(store_db(c->store), &tx, err) || !page(c, tx, &more, err)) {
            return false;
        }
    }
    return true;
}

/* Rows in digest order after the last one seen. */
static void bind_digest_page(struct check *c, struct db_stmt *q, int index)
{
    if (digest_is_set(&c->after_digest)) {
        db_bind_digest(q, index, &c->after_digest);
    } else {
        db_bind_blob(q, index, SLICE_LIT(""));
    }
    db_bind_int(q, index + 1, PAGE);
}

/* --- usage and counts ------------------------------------------------------------------------- */

static bool used_of(struct db_tx *tx, int64_t namespace_id, int64_t *out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_CHECK_USED);
    db_bind_int(q, 1, namespace_id);
    return row_int(q, out, err);
}

static bool namespaces_page(struct check *c, struct db_tx *tx, bool *more_out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_CHECK_NAMESPACES);
    db_bind_int(q, 1, c->after);
    db_bind_int(q, 2, PAGE);

    enum db_result result;
    while ((result = db_step(q, err)) == DB_ROW) {
        int64_t real = 0;
        c->after = db_col_int(q, 0);
        c->report->namespaces++;
        *more_out = true;
        if (!used_of(tx, c->after, &real, err)) {
            return false;
        }
        if (real != db_col_int(q, 2)) {
            tell(c, "namespace %.*s: %lld bytes are counted, %lld are used",
                 SLICE_FMT(db_col_text(q, 1)), (long long)db_col_int(q, 2), (long long)real);
        }
    }
    return result != DB_FAILED;
}

static bool repositories_page(struct check *c, struct db_tx *tx, bool *more_out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_CHECK_REPOSITORIES);
    db_bind_int(q, 1, c->after);
    db_bind_int(q, 2, PAGE);

    enum db_result result;
    while ((result = db_step(q, err)) == DB_ROW) {
        c->after = db_col_int(q, 0);
        c->report->repositories++;
        *more_out = true;
        if (db_col_int(q, 2) != db_col_int(q, 3)) {
            tell(c, "repository %.*s: %lld manifests are counted, %lld are there",
                 SLICE_FMT(db_col_text(q, 1)), (long long)db_col_int(q, 2),
                 (long long)db_col_int(q, 3));
        }
    }
    return result != DB_FAILED;
}

/* --- bytes in the index ----------------------------------------------------------------------- */

static bool manifests_page(struct check *c, struct db_tx *tx, bool *more_out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_CHECK_MANIFESTS);
    db_bind_int(q, 1, c->after);
    db_bind_int(q, 2, PAGE);

    enum db_result result;
    while ((result = db_step(q, err)) == DB_ROW) {
        struct digest digest, real;
        char text[DIGEST_STR_MAX];
        c->after = db_col_int(q, 0);
        c->report->manifests++;
        *more_out = true;
        if (!db_col_digest(q, 2, &digest)) {
            tell(c, "manifest row %lld has no digest", (long long)c->after);
            continue;
        }
        hash_bytes(digest.algorithm, db_col_blob(q, 3), &real);
        if (!digest_equal(&digest, &real)) {
            tell(c, "manifest %s of repository %lld does not have that digest",
                 digest_format(&digest, text), (long long)db_col_int(q, 1));
        }
    }
    return result != DB_FAILED;
}

static bool trust_docs_page(struct check *c, struct db_tx *tx, bool *more_out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_CHECK_TRUST_DOCS);
    db_bind_int(q, 1, c->after);
    db_bind_int(q, 2, PAGE);

    enum db_result result;
    while ((result = db_step(q, err)) == DB_ROW) {
        uint8_t want[32], real[32];
        c->after = db_col_int(q, 0);
        c->report->trust_docs++;
        *more_out = true;
        row_hash(q, 4, want);
        hash_sha256(db_col_blob(q, 5), real);
        if (!slice_equal(slice_of_bytes(want, sizeof(want)), slice_of_bytes(real, sizeof(real)))) {
            tell(c, "trust document %.*s version %lld of repository %lld does not have its hash",
                 SLICE_FMT(db_col_text(q, 2)), (long long)db_col_int(q, 3),
                 (long long)db_col_int(q, 1));
        }
    }
    return result != DB_FAILED;
}

static bool audit_page(struct check *c, struct db_tx *tx, bool *more_out, struct err *err)
{
    int64_t bad = 0;
    auto_audit_list struct audit_list list = {0};
    if (!audit_verify(tx, c->after, PAGE, &bad, err) ||
        !audit_list(tx, 0, c->after, PAGE, &list, err)) {
        return false;
    }
    c->report->audit_entries += (int64_t)list.count;
    if (bad != 0) {
        tell(c, "the audit log is broken at entry %lld", (long long)bad);
        return true; /* everything behind it would be told again */
    }
    *more_out = list.count == PAGE;
    c->after = list.count > 0 ? list.items[list.count - 1].id : 0;
    return true;
}

/* --- blobs ------------------------------------------------------------------------------------ */

static bool file_has_digest(int fd, const struct digest *digest)
{
    auto_hash struct hash *h = hash_new(digest->algorithm);
    auto_free char *unit = xmalloc(READ_UNIT);
    struct digest real;
    ssize_t n;
    while ((n = read(fd, unit, READ_UNIT)) > 0) {
        hash_update(h, unit, (size_t)n);
    }
    hash_peek(h, &real);
    return n == 0 && digest_equal(&real, digest);
}

static void check_file(struct check *c, const struct digest *digest, int64_t size)
{
    char text[DIGEST_STR_MAX];
    struct stat st;
    struct err err = {0};
    digest_format(digest, text);
    auto_fd int fd = blob_open(c->store, digest, &err);
    if (fd < 0) {
        tell(c, "blob %s: its file is missing", text);
    } else if (fstat(fd, &st) != 0 || st.st_size != size) {
        tell(c, "blob %s: its file has another size than the index says", text);
    } else if (c->depth == CHECK_BYTES && !file_has_digest(fd, digest)) {
        tell(c, "blob %s: its file does not have that digest", text);
    }
}

static bool blobs_page(struct check *c, struct db_tx *tx, bool *more_out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_BLOB_LIST);
    bind_digest_page(c, q, 1);

    enum db_result result;
    while ((result = db_step(q, err)) == DB_ROW) {
        char text[DIGEST_STR_MAX];
        c->report->blobs++;
        *more_out = true;
        if (!db_col_digest(q, 0, &c->after_digest)) {
            return err_internal(err, "a blob row has no digest");
        }
        if (db_col_int(q, 2) == 0) {
            tell(c, "blob %s is in no repository and will never be collected",
                 digest_format(&c->after_digest, text));
        }
        check_file(c, &c->after_digest, db_col_int(q, 1));
    }
    return result != DB_FAILED;
}

static bool memberships_page(struct check *c, struct db_tx *tx, bool *more_out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_CHECK_MEMBERSHIPS);
    db_bind_int(q, 1, c->repository_id);
    bind_digest_page(c, q, 2);

    enum db_result result;
    while ((result = db_step(q, err)) == DB_ROW) {
        char text[DIGEST_STR_MAX];
        *more_out = true;
        if (!db_col_digest(q, 0, &c->after_digest)) {
            return err_internal(err, "a membership row has no digest");
        }
        if (db_col_int(q, 1) == 0) {
            tell(c, "blob %s in repository %lld is named by nothing and will never be collected",
                 digest_format(&c->after_digest, text), (long long)c->repository_id);
        }
    }
    return result != DB_FAILED;
}

/* The next repository after `after`; 0 when there is none. */
static bool next_repository(struct check *c, int64_t after, int64_t *out, struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    if (!db_snapshot(store_db(c->store), &tx, err)) {
        return false;
    }
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_CHECK_REPOSITORIES);
    db_bind_int(q, 1, after);
    db_bind_int(q, 2, 1);
    bool found = false;
    if (!row_exists(q, &found, err)) {
        return false;
    }
    *out = found ? db_col_int(q, 0) : 0;
    return true;
}

static bool all_memberships(struct check *c, struct err *err)
{
    int64_t id = 0;
    do {
        if (!next_repository(c, id, &id, err)) {
            return false;
        }
        c->repository_id = id;
        if (id != 0 && !run_pages(c, memberships_page, err)) {
            return false;
        }
    } while (id != 0);
    return true;
}

bool store_check(struct store *store, enum check_depth depth, check_problem_fn problem, void *arg,
                 struct check_report *out, struct err *err)
{
    static const page_fn pages[] = {namespaces_page, repositories_page, manifests_page,
                                    trust_docs_page, audit_page,        blobs_page};
    *out = (struct check_report){0};
    struct check c = {
        .store = store, .depth = depth, .problem = problem, .arg = arg, .report = out};
    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
        if (!run_pages(&c, pages[i], err)) {
            return false;
        }
    }
    return all_memberships(&c, err);
}
