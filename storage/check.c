#include "storage/check.h"

#include "base/hash.h"
#include "storage/artifact.h"
#include "storage/audit.h"
#include "storage/check_internal.h"
#include "storage/decision.h"
#include "storage/manifest.h"
#include "storage/row.h"
#include "storage/statements.h"

#include <stdarg.h>
#include <stdio.h>

void check_tell(struct check *c, enum check_kind kind, const char *where, const char *name,
                const char *what_fmt, ...)
{
    char place[512];
    char what[256];
    va_list args;
    va_start(args, what_fmt);
    (void)vsnprintf(what, sizeof(what), what_fmt, args);
    va_end(args);
    snprintf(place, sizeof(place), "%s%s%s", where, where[0] ? " " : "", name);
    c->report->findings++;
    const struct check_finding finding = {.kind = kind, .where = place, .what = what};
    c->listener->finding(&finding, c->listener->arg);
}

void check_progress(const struct check *c)
{
    if (c->listener->progress) {
        c->listener->progress(c->report, c->listener->arg);
    }
}

static int compare_numbers(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int compare_digests(const struct digest *a, const struct digest *b)
{
    uint8_t raw_a[DIGEST_RAW_MAX], raw_b[DIGEST_RAW_MAX];
    size_t n_a = digest_is_set(a) ? digest_to_raw(a, raw_a) : 0;
    size_t n_b = digest_is_set(b) ? digest_to_raw(b, raw_b) : 0;
    return slice_compare(slice_of_bytes(raw_a, n_a), slice_of_bytes(raw_b, n_b));
}

bool check_goes_on(struct check *c, const struct check *before)
{
    int order = compare_numbers(before->after_kind, c->after_kind);
    order = order != 0 ? order : compare_numbers(before->after, c->after);
    order = order != 0 ? order : compare_digests(&before->after_digest, &c->after_digest);
    order = order != 0 ? order : strcmp(before->after_tag, c->after_tag);
    if (order >= 0) {
        check_tell(c, CHECK_INDEX_FILE, "", "index.db",
                   "the rows of a table are not in their order: the rest of them was not looked at");
    }
    return order < 0;
}

bool check_pages(struct check *c, check_page_fn page, struct err *err)
{
    bool more = true;
    c->after = 0;
    c->after_digest = (struct digest){0};
    c->after_kind = 0;
    c->after_tag[0] = '\0';
    while (more) {
        auto_snapshot struct db_tx *tx = NULL;
        const struct check before = *c;
        more = false;
        if (!db_snapshot(store_db(c->store), &tx, err) || !page(c, tx, &more, err)) {
            return false;
        }
        more = more && check_goes_on(c, &before);
        check_progress(c);
    }
    return true;
}

void check_bind_page(struct check *c, struct db_stmt *q, int index)
{
    row_bind_after(q, index, &c->after_digest);
    db_bind_int(q, index + 1, CHECK_PAGE);
}

static struct db_stmt *page_by_id(struct check *c, struct db_tx *tx, enum sql statement)
{
    struct db_stmt *q = db_stmt(tx, (int)statement);
    db_bind_int(q, 1, c->after);
    db_bind_int(q, 2, CHECK_PAGE);
    return q;
}

/* For rows that each cost a count over everything they own. */
static struct db_stmt *one_by_id(struct check *c, struct db_tx *tx, enum sql statement)
{
    struct db_stmt *q = page_by_id(c, tx, statement);
    db_bind_int(q, 2, 1);
    return q;
}

/* --- usage and counts ------------------------------------------------------------------------- */

static bool sum_of(struct db_tx *tx, enum sql sum, int64_t namespace_id, int64_t *out,
                   struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, (int)sum);
    db_bind_int(q, 1, namespace_id);
    return row_int(q, out, err);
}

static bool namespaces_page(struct check *c, struct db_tx *tx, bool *more_out, struct err *err)
{
    auto_stmt struct db_stmt *q = one_by_id(c, tx, SQL_CHECK_NAMESPACES);
    enum db_result result;
    while ((result = db_step(q, err)) == DB_ROW) {
        char name[REPO_NAME_MAX + 1];
        int64_t used = 0;
        int64_t reserved = 0;
        int64_t shown = 0;
        int64_t trust = 0;
        c->after = db_col_int(q, 0);
        row_text(q, 1, name, sizeof(name));
        c->report->namespaces++;
        *more_out = true;
        if (!sum_of(tx, SQL_CHECK_USED, c->after, &used, err) ||
            !sum_of(tx, SQL_CHECK_RESERVED, c->after, &reserved, err) ||
            !sum_of(tx, SQL_CHECK_SHOWN, c->after, &shown, err) ||
            !sum_of(tx, SQL_CHECK_TRUST_SPACE, c->after, &trust, err)) {
            return false;
        }
        if (used != db_col_int(q, 2)) {
            check_tell(c, CHECK_USAGE, "namespace", name, "%lld bytes are counted, %lld are used",
                       (long long)db_col_int(q, 2), (long long)used);
        }
        if (reserved != db_col_int(q, 3)) {
            check_tell(c, CHECK_USAGE, "namespace", name,
                       "%lld bytes are counted for unfinished uploads, they have reserved %lld",
                       (long long)db_col_int(q, 3), (long long)reserved);
        }
        if (shown != db_col_int(q, 4)) {
            check_tell(c, CHECK_USAGE, "namespace", name,
                       "%lld repositories are counted, %lld hold a manifest",
                       (long long)db_col_int(q, 4), (long long)shown);
        }
        if (trust != db_col_int(q, 5)) {
            check_tell(c, CHECK_USAGE, "namespace", name,
                       "%lld bytes are counted for trust data, it takes %lld",
                       (long long)db_col_int(q, 5), (long long)trust);
        }
    }
    return result != DB_FAILED;
}

static bool repositories_page(struct check *c, struct db_tx *tx, bool *more_out, struct err *err)
{
    auto_stmt struct db_stmt *q = page_by_id(c, tx, SQL_CHECK_REPOSITORIES);
    enum db_result result;
    while ((result = db_step(q, err)) == DB_ROW) {
        char name[REPO_NAME_MAX + 1];
        c->after = db_col_int(q, 0);
        row_text(q, 1, name, sizeof(name));
        c->report->repositories++;
        *more_out = true;
        if (db_col_int(q, 2) != db_col_int(q, 3)) {
            check_tell(c, CHECK_USAGE, "repository", name,
                       "%lld manifests are counted, %lld are there", (long long)db_col_int(q, 2),
                       (long long)db_col_int(q, 3));
        }
    }
    return result != DB_FAILED;
}

/* --- manifests -------------------------------------------------------------------------------- */

/* Kind and stored digest, which is the order of the index. */
struct edge_key {
    uint8_t bytes[1 + DIGEST_RAW_MAX];
    size_t n;
};

static struct edge_key key_of(enum edge_kind kind, const struct digest *digest)
{
    struct edge_key key = {.bytes = {(uint8_t)kind}};
    key.n = 1 + digest_to_raw(digest, key.bytes + 1);
    return key;
}

static int compare_keys(const void *a, const void *b)
{
    const struct edge_key *x = a;
    const struct edge_key *y = b;
    return slice_compare(slice_of_bytes(x->bytes, x->n), slice_of_bytes(y->bytes, y->n));
}

/* Each edge of the document once, sorted. Returns how many. */
static size_t document_keys(const struct manifest_doc *doc, struct edge_key *keys)
{
    size_t n = 0;
    for (size_t i = 0; i < doc->edge_count; i++) {
        keys[i] = key_of(doc->edges[i].kind, &doc->edges[i].digest);
    }
    qsort(keys, doc->edge_count, sizeof(*keys), compare_keys);
    for (size_t i = 0; i < doc->edge_count; i++) {
        if (n == 0 || compare_keys(&keys[n - 1], &keys[i]) != 0) {
            keys[n++] = keys[i];
        }
    }
    return n;
}

static bool same_edges(const struct manifest_doc *doc, const struct edge_list *stored)
{
    auto_free struct edge_key *keys = xcalloc(doc->edge_count + 1, sizeof(*keys));
    size_t n = document_keys(doc, keys);
    bool same = n == stored->count;
    for (size_t i = 0; same && i < n; i++) {
        struct edge_key key = key_of(stored->items[i].kind, &stored->items[i].digest);
        same = compare_keys(&key, &keys[i]) == 0;
    }
    return same;
}

struct manifest_row {
    int64_t repository_id;
    struct digest digest;
    char where[REPO_NAME_MAX + DIGEST_STR_MAX + 2];
    char media_type[MEDIA_TYPE_MAX + 1];
    struct slice content;
    /* taken out of the document when it was stored */
    struct digest subject, config; /* unset: none */
    struct slice artifact_type, annotations;
};

static bool same_columns(const struct manifest_row *m, const struct manifest_doc *doc)
{
    struct slice annotations = doc->annotations ? slice_str(doc->annotations) : (struct slice){0};
    return digest_equal(&m->subject, &doc->subject) && digest_equal(&m->config, &doc->config) &&
           slice_equal(m->artifact_type, slice_str(doc->artifact_type)) &&
           slice_equal(m->annotations, annotations);
}

static bool check_manifest(struct check *c, struct db_tx *tx, const struct manifest_row *m,
                           struct err *err)
{
    struct digest real;
    auto_manifest_doc struct manifest_doc *doc = NULL;
    auto_edge_list struct edge_list edges = {0};
    struct err why = {0};
    bool noted = false;

    hash_bytes(m->digest.algorithm, m->content, &real);
    if (!digest_equal(&m->digest, &real)) {
        check_tell(c, CHECK_MANIFEST, "manifest", m->where, "its bytes do not have that digest");
        return true;
    }
    if (!manifest_parse(m->content, slice_str(m->media_type), &doc, &why)) {
        check_tell(c, CHECK_MANIFEST, "manifest", m->where, "it does not read: %s", why.msg);
        return true;
    }
    if (!same_columns(m, doc)) {
        check_tell(c, CHECK_COLUMNS, "manifest", m->where,
                   "subject, type or annotations in the index are not those of its bytes");
    }
    if (!manifest_edges(tx, m->repository_id, &m->digest, &edges, err)) {
        return false;
    }
    if (!same_edges(doc, &edges)) {
        check_tell(c, CHECK_EDGES, "manifest", m->where,
                   "the index does not believe that it names what it names");
    }
    if (!artifact_notes_fit(tx, m->repository_id, &m->digest, doc, &noted, err)) {
        return false;
    }
    if (!noted) {
        check_tell(c, CHECK_EDGES, "manifest", m->where,
                   "the index does not believe that it is about what it is about");
    }
    return true;
}

static bool manifests_page(struct check *c, struct db_tx *tx, bool *more_out, struct err *err)
{
    auto_stmt struct db_stmt *q = page_by_id(c, tx, SQL_CHECK_MANIFESTS);
    enum db_result result;
    while ((result = db_step(q, err)) == DB_ROW) {
        struct manifest_row m = {.repository_id = db_col_int(q, 1), .content = db_col_blob(q, 5)};
        char text[DIGEST_STR_MAX];
        char name[REPO_NAME_MAX + 1];
        c->after = db_col_int(q, 0);
        c->report->manifests++;
        *more_out = true;
        row_text(q, 2, name, sizeof(name));
        row_text(q, 4, m.media_type, sizeof(m.media_type));
        (void)db_col_digest(q, 6, &m.subject);
        (void)db_col_digest(q, 7, &m.config);
        m.artifact_type = db_col_text(q, 8);
        m.annotations = db_col_text(q, 9);
        if (!db_col_digest(q, 3, &m.digest)) {
            check_tell(c, CHECK_MANIFEST, "repository", name, "manifest row %lld has no digest",
                       (long long)c->after);
            continue;
        }
        snprintf(m.where, sizeof(m.where), "%s@%s", name, digest_format(&m.digest, text));
        if (!check_manifest(c, tx, &m, err)) {
            return false;
        }
    }
    return result != DB_FAILED;
}

/* --- tags ------------------------------------------------------------------------------------- */

bool check_tags_page(struct check *c, struct db_tx *tx, bool *more_out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_CHECK_TAGS);
    db_bind_int(q, 1, c->repository_id);
    db_bind_str(q, 2, c->after_tag);
    db_bind_int(q, 3, CHECK_PAGE);
    char last[TAG_NAME_MAX + 1] = "";
    enum db_result result;
    while ((result = db_step(q, err)) == DB_ROW) {
        char where[REPO_NAME_MAX + TAG_NAME_MAX + 2];
        row_text(q, 0, last, sizeof(last));
        snprintf(where, sizeof(where), "%s:%s", c->repository, last);
        c->report->tags++;
        *more_out = true;
        if (db_col_int(q, 1) == 0) {
            check_tell(c, CHECK_TAG, "tag", where, "the manifest that it points to is not there");
        } else if (db_col_int(q, 2) == 0) {
            check_tell(c, CHECK_TAG, "tag", where, "its history ends with something else");
        }
    }
    memcpy(c->after_tag, last, sizeof(last));
    return result != DB_FAILED;
}

static bool history_page(struct check *c, struct db_tx *tx, bool *more_out, struct err *err)
{
    auto_stmt struct db_stmt *q = page_by_id(c, tx, SQL_CHECK_HISTORY);
    enum db_result result;
    while ((result = db_step(q, err)) == DB_ROW) {
        char where[REPO_NAME_MAX + TAG_NAME_MAX + 2];
        c->after = db_col_int(q, 0);
        c->report->history++;
        *more_out = true;
        snprintf(where, sizeof(where), "%.*s:%.*s", SLICE_FMT(db_col_text(q, 1)),
                 SLICE_FMT(db_col_text(q, 2)));
        if (db_col_int(q, 3) != 0) {
            check_tell(c, CHECK_TAG, "tag", where, "its history says that it exists, it does not");
        }
    }
    return result != DB_FAILED;
}

/* --- signed documents and the audit log ------------------------------------------------------- */

static bool trust_docs_page(struct check *c, struct db_tx *tx, bool *more_out, struct err *err)
{
    auto_stmt struct db_stmt *q = page_by_id(c, tx, SQL_CHECK_TRUST_DOCS);
    enum db_result result;
    while ((result = db_step(q, err)) == DB_ROW) {
        uint8_t want[32], real[32];
        char name[REPO_NAME_MAX + 1];
        c->after = db_col_int(q, 0);
        c->report->trust_docs++;
        *more_out = true;
        row_text(q, 1, name, sizeof(name));
        row_hash(q, 4, want);
        hash_sha256(db_col_blob(q, 5), real);
        bool collected = db_col_int(q, 6) == 1; /* 2: one that may not be */
        if (!collected &&
            !slice_equal(slice_of_bytes(want, sizeof(want)), slice_of_bytes(real, sizeof(real)))) {
            check_tell(c, CHECK_TRUST_DOC, "repository", name,
                       "the signed document %.*s, version %lld, does not have its hash",
                       SLICE_FMT(slice_first(db_col_text(q, 2), 128)), (long long)db_col_int(q, 3));
        }
    }
    return result != DB_FAILED;
}

static bool audit_page(struct check *c, struct db_tx *tx, bool *more_out, struct err *err)
{
    int64_t bad = 0;
    auto_audit_list struct audit_list list = {0};
    if (!audit_verify(tx, c->after, CHECK_PAGE, &bad, err) ||
        !audit_list(tx, 0, c->after, CHECK_PAGE, &list, err)) {
        return false;
    }
    c->report->audit_entries += (int64_t)list.count;
    if (bad != 0) {
        check_tell(c, CHECK_AUDIT, "", "audit log", "its chain is broken at entry %lld",
                   (long long)bad);
        return true; /* everything behind it would be told again */
    }
    *more_out = list.count == CHECK_PAGE;
    c->after = list.count > 0 ? list.items[list.count - 1].id : 0;
    return true;
}

static bool decisions_page(struct check *c, struct db_tx *tx, bool *more_out, struct err *err)
{
    struct decision_proof proof;
    if (!decision_proof_from(tx, c->after, &proof, err) ||
        !decision_verify(tx, CHECK_PAGE, &proof, err)) {
        return false;
    }
    c->report->decisions += proof.records;
    if (proof.bad != 0) {
        check_tell(c, CHECK_AUDIT, "", "decisions", "their chain is broken at record %lld: %s",
                   (long long)proof.bad, proof.what);
    }
    *more_out = !proof.done;
    c->after = proof.after;
    return true;
}

/* --- all of it -------------------------------------------------------------------------------- */

static void tell_damage(const char *what, void *arg)
{
    check_tell(arg, CHECK_INDEX_FILE, "", "index.db", "%s", what);
}

static void show_life(void *arg)
{
    check_progress(arg);
}

static bool check_rows(struct check *c, struct err *err)
{
    static const check_page_fn pages[] = {namespaces_page, repositories_page, manifests_page,
                                          history_page,    trust_docs_page,   audit_page,
                                          decisions_page,  check_queue_page};
    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
        if (!check_pages(c, pages[i], err)) {
            return false;
        }
    }
    return check_contents(c, err) && check_blobs(c, err) && check_files(c, err);
}

bool store_check(struct store *store, enum check_depth depth, const struct check_listener *listener,
                 struct check_report *out, struct err *err)
{
    *out = (struct check_report){0};
    struct check c = {.store = store, .depth = depth, .listener = listener, .report = out};
    const struct db_damage_listener damage = {tell_damage, show_life, &c};
    struct err why = {0};
    if (!db_damage_look(store_db(store), &damage, err)) {
        return false;
    }
    bool damaged = out->findings > 0;
    if (check_rows(&c, damaged ? &why : err)) {
        return true;
    }
    if (damaged) { /* which is what to tell, not that it stopped the check */
        check_tell(&c, CHECK_INDEX_FILE, "", "index.db", "the rest of it could not be read");
    }
    return damaged;
}
