#include "storage/manifest.h"

#include "storage/artifact.h"
#include "storage/gc.h"
#include "storage/override.h"
#include "storage/release.h"
#include "storage/repository.h"
#include "storage/role_target.h"
#include "storage/row.h"
#include "storage/statements.h"
#include "storage/tag_rule.h"

#include <strings.h>

/* Behind MANIFEST_COLUMNS. By tag the change of the tag comes first. */
#define CONTENT_COLUMN 7
#define CHANGE_COLUMN 7
#define CONTENT_BY_TAG_COLUMN 10

void manifest_free(struct manifest *m)
{
    if (m) {
        free(m->content);
        free(m);
    }
}

void edge_list_dispose(struct edge_list *list)
{
    free(list->items);
    *list = (struct edge_list){0};
}

/* --- reading ---------------------------------------------------------------------------------- */

/* MANIFEST_COLUMNS */
static void read_info(struct db_stmt *q, struct manifest_info *out)
{
    *out = (struct manifest_info){0};
    (void)db_col_digest(q, 0, &out->digest);
    out->size = db_col_int(q, 1);
    row_text(q, 2, out->media_type, sizeof(out->media_type));
    row_text(q, 3, out->artifact_type, sizeof(out->artifact_type));
    (void)db_col_digest(q, 4, &out->subject);
    out->pushed_us = db_col_int(q, 5);
    out->pushed_by = db_col_int(q, 6);
}

static bool unknown_digest(const struct digest *digest, struct err *err)
{
    char text[DIGEST_STR_MAX];
    return err_set(err, ERR_MANIFEST_UNKNOWN, "there is no manifest %s here",
                   digest_format(digest, text));
}

static bool unknown_tag(const struct tag_name *tag, struct err *err)
{
    return err_set(err, ERR_TAG_UNKNOWN, "there is no tag %s here", tag->text);
}

static struct db_stmt *by_digest(struct db_tx *tx, enum sql statement, int64_t repository_id,
                                 const struct digest *digest)
{
    struct db_stmt *q = db_stmt(tx, (int)statement);
    db_bind_int(q, 1, repository_id);
    db_bind_digest(q, 2, digest);
    return q;
}

static struct db_stmt *by_tag(struct db_tx *tx, enum sql statement, int64_t repository_id,
                              const struct tag_name *tag)
{
    struct db_stmt *q = db_stmt(tx, (int)statement);
    db_bind_int(q, 1, repository_id);
    db_bind_text(q, 2, tag_name_slice(tag));
    return q;
}

static struct manifest *read_manifest(struct db_stmt *q, int content_column)
{
    struct manifest *m = xcalloc(1, sizeof(*m));
    read_info(q, &m->info);
    m->content = row_dup(q, content_column);
    return m;
}

/* TAG_CHANGE, beside the manifest that the tag points to. */
static void read_tag(struct db_stmt *q, const struct manifest_info *info, struct tag *out)
{
    if (out == NULL) {
        return;
    }
    *out = (struct tag){.digest = info->digest, .size = info->size};
    out->updated_us = db_col_int(q, CHANGE_COLUMN);
    out->updated_by = db_col_int(q, CHANGE_COLUMN + 1);
    row_text(q, CHANGE_COLUMN + 2, out->updated_by_name, sizeof(out->updated_by_name));
}

/* Steps to the row; refuses when there is none. */
static bool found_digest(struct db_stmt *q, const struct digest *digest, struct err *err)
{
    bool found = false;
    return row_exists(q, &found, err) && (found || unknown_digest(digest, err));
}

static bool found_tag(struct db_stmt *q, const struct tag_name *tag, struct err *err)
{
    bool found = false;
    return row_exists(q, &found, err) && (found || unknown_tag(tag, err));
}

bool manifest_get(struct db_tx *tx, int64_t repository_id, const struct digest *digest,
                  struct manifest **out, struct err *err)
{
    auto_stmt struct db_stmt *q = by_digest(tx, SQL_MANIFEST_GET, repository_id, digest);
    *out = NULL;
    if (!found_digest(q, digest, err)) {
        return false;
    }
    *out = read_manifest(q, CONTENT_COLUMN);
    return true;
}

bool manifest_get_by_tag(struct db_tx *tx, int64_t repository_id, const struct tag_name *name,
                         struct tag *tag_out, struct manifest **out, struct err *err)
{
    auto_stmt struct db_stmt *q = by_tag(tx, SQL_MANIFEST_GET_BY_TAG, repository_id, name);
    *out = NULL;
    if (!found_tag(q, name, err)) {
        return false;
    }
    *out = read_manifest(q, CONTENT_BY_TAG_COLUMN);
    read_tag(q, &(*out)->info, tag_out);
    return true;
}

bool manifest_stat(struct db_tx *tx, int64_t repository_id, const struct digest *digest,
                   struct manifest_info *out, struct err *err)
{
    auto_stmt struct db_stmt *q = by_digest(tx, SQL_MANIFEST_STAT, repository_id, digest);
    if (!found_digest(q, digest, err)) {
        return false;
    }
    read_info(q, out);
    return true;
}

bool manifest_stat_by_tag(struct db_tx *tx, int64_t repository_id, const struct tag_name *name,
                          struct tag *tag_out, struct manifest_info *out, struct err *err)
{
    auto_stmt struct db_stmt *q = by_tag(tx, SQL_MANIFEST_STAT_BY_TAG, repository_id, name);
    if (!found_tag(q, name, err)) {
        return false;
    }
    read_info(q, out);
    read_tag(q, out, tag_out);
    return true;
}

bool manifest_exists(struct db_tx *tx, int64_t repository_id, const struct digest *digest,
                     bool *out, struct err *err)
{
    auto_stmt struct db_stmt *q = by_digest(tx, SQL_MANIFEST_EXISTS, repository_id, digest);
    return row_exists(q, out, err);
}

/* Rows of (kind, digest). */
static bool read_edges(struct db_stmt *q, struct edge_list *out, struct err *err)
{
    *out = (struct edge_list){0};
    enum db_result result;
    while ((result = db_step(q, err)) == DB_ROW) {
        out->items = list_room(out->items, out->count, sizeof(*out->items));
        struct edge *edge = &out->items[out->count++];
        edge->kind = (enum edge_kind)db_col_int(q, 0);
        (void)db_col_digest(q, 1, &edge->digest);
    }
    if (result == DB_FAILED) {
        edge_list_dispose(out);
        return false;
    }
    return true;
}

bool manifest_edges(struct db_tx *tx, int64_t repository_id, const struct digest *parent,
                    struct edge_list *out, struct err *err)
{
    auto_stmt struct db_stmt *q = by_digest(tx, SQL_EDGE_LIST, repository_id, parent);
    return read_edges(q, out, err);
}

bool manifest_parents(struct db_tx *tx, int64_t repository_id, const struct digest *child, int max,
                      struct edge_list *out, struct err *err)
{
    auto_stmt struct db_stmt *q = by_digest(tx, SQL_EDGE_PARENTS, repository_id, child);
    db_bind_int(q, 3, max);
    return read_edges(q, out, err);
}

/* --- storing ---------------------------------------------------------------------------------- */

static bool has_blob(struct db_tx *tx, int64_t repository_id, const struct digest *digest,
                     bool *out, struct err *err)
{
    auto_stmt struct db_stmt *q = by_digest(tx, SQL_BLOB_GET_MEMBER, repository_id, digest);
    return row_exists(q, out, err);
}

static bool names_blob(enum edge_kind kind)
{
    switch (kind) {
    case EDGE_CONFIG:
    case EDGE_LAYER:
    case EDGE_BLOB:
        return true;
    case EDGE_CHILD:
    case EDGE_SUBJECT:
        return false;
    }
    BUG("edge kinds are five");
}

/* What the repository is asked about: a subject may come later or never, and what a document of a
 * type we do not know says of a blob may mean something else. */
static bool is_checked(enum edge_kind kind)
{
    switch (kind) {
    case EDGE_CONFIG:
    case EDGE_LAYER:
    case EDGE_CHILD:
        return true;
    case EDGE_SUBJECT:
    case EDGE_BLOB:
        return false;
    }
    BUG("edge kinds are five");
}

/* -1 in *size_out: it is not here. */
static bool size_of_edge(struct db_tx *tx, int64_t repository_id, const struct manifest_edge *edge,
                         int64_t *size_out, struct err *err)
{
    bool here = false;
    auto_stmt struct db_stmt *q =
        by_digest(tx, edge->kind == EDGE_CHILD ? SQL_MANIFEST_SIZE : SQL_BLOB_GET_MEMBER,
                  repository_id, &edge->digest);
    if (!row_exists(q, &here, err)) {
        return false;
    }
    bool missing = here && edge->kind != EDGE_CHILD && db_col_int(q, 2) != 0;
    *size_out = here && !missing ? db_col_int(q, 0) : -1;
    return true;
}

static bool check_edge(struct db_tx *tx, int64_t repository_id, const struct manifest_edge *edge,
                       bool may_be_absent, struct err *err)
{
    char text[DIGEST_STR_MAX];
    int64_t size = -1;
    if (!is_checked(edge->kind)) {
        return true;
    }
    if (!size_of_edge(tx, repository_id, edge, &size, err)) {
        return false;
    }
    if (size < 0) {
        return may_be_absent ||
               err_set(err, ERR_MANIFEST_BLOB_UNKNOWN, "the manifest names %s, which is not here",
                       digest_format(&edge->digest, text));
    }
    if (size != edge->size) {
        return err_set(err, ERR_SIZE_INVALID,
                       "the manifest says that %s has %lld bytes, it has %lld",
                       digest_format(&edge->digest, text), (long long)edge->size, (long long)size);
    }
    return true;
}

/* Of every push: what a manifest names may have gone since it was stored. */
static bool check_edges(struct db_tx *tx, int64_t repository_id, const struct manifest_put *put,
                        struct err *err)
{
    for (size_t i = 0; i < put->doc->edge_count; i++) {
        const struct manifest_edge *edge = &put->doc->edges[i];
        if (!check_edge(tx, repository_id, edge, put->sparse || edge->foreign, err)) {
            return false;
        }
    }
    return true;
}

static bool insert_edge(struct db_tx *tx, int64_t repository_id, const struct digest *parent,
                        const struct manifest_edge *edge, const struct artifact_note *note,
                        struct err *err)
{
    bool noted = artifact_is_noted(edge->kind);
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_EDGE_INSERT);
    db_bind_int(q, 1, repository_id);
    db_bind_digest(q, 2, parent);
    db_bind_int(q, 3, edge->kind);
    db_bind_digest(q, 4, &edge->digest);
    if (noted) {
        db_bind_digest(q, 5, &note->about);
    } else {
        db_bind_null(q, 5);
    }
    db_bind_int(q, 6, noted && note->unsure);
    return db_run(q, err);
}

static bool insert_edges(struct db_tx *tx, int64_t repository_id, const struct manifest_put *put,
                         struct err *err)
{
    struct artifact_note note;
    artifact_note_of(put->doc, &note);
    for (size_t i = 0; i < put->doc->edge_count; i++) {
        const struct manifest_edge *edge = &put->doc->edges[i];
        if (!insert_edge(tx, repository_id, &put->digest, edge, &note, err)) {
            return false;
        }
        if (names_blob(edge->kind) &&
            !gc_spare(tx, CONDEMNED_MEMBERSHIP, repository_id, &edge->digest, err)) {
            return false;
        }
    }
    return true;
}

static bool insert_manifest(struct db_tx *tx, int64_t repository_id, const struct manifest_put *put,
                            const struct actor *actor, int64_t now_us, struct err *err)
{
    const struct manifest_doc *doc = put->doc;
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_MANIFEST_INSERT);
    db_bind_int(q, 1, repository_id);
    db_bind_digest(q, 2, &put->digest);
    db_bind_str(q, 3, doc->media_type);
    db_bind_str(q, 4, doc->artifact_type);
    db_bind_digest(q, 5, &doc->subject);
    db_bind_digest(q, 6, &doc->config);
    db_bind_int(q, 7, (int64_t)put->bytes.n);
    db_bind_int(q, 8, now_us);
    db_bind_int(q, 9, actor->account_id);
    db_bind_str(q, 10, doc->annotations);
    db_bind_blob(q, 11, put->bytes);
    return db_run(q, err);
}

/* A child or subject that comes after what names it changes what a gate view reaches. */
static bool is_named(struct db_tx *tx, int64_t repository_id, const struct digest *digest,
                     bool *out, struct err *err)
{
    int64_t named = 0;
    auto_stmt struct db_stmt *q = by_digest(tx, SQL_MANIFEST_NAMED, repository_id, digest);
    bool done = row_int(q, &named, err);
    *out = named != 0;
    return done;
}

static bool bump_when_named(struct db_tx *tx, int64_t repository_id, const struct digest *digest,
                            int64_t now_us, struct err *err)
{
    bool named = false;
    if (!is_named(tx, repository_id, digest, &named, err)) {
        return false;
    }
    if (!named && !role_target_names(tx, repository_id, digest, &named, err)) {
        return false;
    }
    if (!named && !override_names_digest(tx, repository_id, digest, now_us, &named, err)) {
        return false;
    }
    return !named || repository_gate_bump(tx, repository_id, err);
}

/* A document that does not say what it is has the type of its first push: readers and edges go by
 * it, and it is not for a second one to change what the first one meant. */
static bool check_type(struct db_tx *tx, int64_t repository_id, const struct manifest_put *put,
                       struct err *err)
{
    struct manifest_info stored;
    if (!manifest_stat(tx, repository_id, &put->digest, &stored, err)) {
        return false;
    }
    return strcasecmp(stored.media_type, put->doc->media_type) == 0 ||
           err_set(err, ERR_MANIFEST_INVALID,
                   "the manifest is stored here as %.100s: push it as that, or delete it first",
                   stored.media_type);
}

/* The same manifest again. Bytes that rotted in the index are replaced by those of the push; they
 * have the digest. */
static bool mend(struct db_tx *tx, int64_t repository_id, const struct manifest_put *put,
                 struct err *err)
{
    bool found = false;
    auto_stmt struct db_stmt *q =
        by_digest(tx, SQL_MANIFEST_CONTENT, repository_id, &put->digest);
    if (!row_exists(q, &found, err)) {
        return false;
    }
    struct slice stored = db_col_blob(q, 0);
    if (slice_equal(stored, put->bytes)) {
        return true;
    }
    int64_t grown = (int64_t)put->bytes.n - (int64_t)stored.n;
    auto_stmt struct db_stmt *u = by_digest(tx, SQL_MANIFEST_MEND, repository_id, &put->digest);
    db_bind_blob(u, 3, put->bytes);
    db_bind_int(u, 4, (int64_t)put->bytes.n);
    return db_run(u, err) && repository_charge(tx, repository_id, grown, err);
}

bool manifest_put(struct db_tx *tx, int64_t repository_id, const struct manifest_put *put,
                  const struct actor *actor, int64_t now_us, bool *created_out, struct err *err)
{
    bool exists = false;
    if (!manifest_exists(tx, repository_id, &put->digest, &exists, err) ||
        (exists && !check_type(tx, repository_id, put, err)) ||
        !check_edges(tx, repository_id, put, err)) {
        return false;
    }
    if (created_out) {
        *created_out = !exists;
    }
    if (exists) {
        return mend(tx, repository_id, put, err);
    }
    return insert_manifest(tx, repository_id, put, actor, now_us, err) &&
           insert_edges(tx, repository_id, put, err) &&
           repository_charge(tx, repository_id, (int64_t)put->bytes.n, err) &&
           repository_count_manifests(tx, repository_id, 1, err) &&
           bump_when_named(tx, repository_id, &put->digest, now_us, err);
}

/* --- deleting --------------------------------------------------------------------------------- */

static bool remove_tags(struct db_tx *tx, int64_t repository_id, const struct digest *digest,
                        const struct actor *actor, int64_t now_us, struct err *err)
{
    auto_stmt struct db_stmt *history =
        by_digest(tx, SQL_TAG_HISTORY_OF_MANIFEST, repository_id, digest);
    db_bind_int(history, 3, now_us);
    db_bind_int(history, 4, actor->account_id);
    db_bind_str(history, 5, actor->name);
    if (!db_run(history, err)) {
        return false;
    }
    auto_stmt struct db_stmt *tags =
        by_digest(tx, SQL_TAG_DELETE_OF_MANIFEST, repository_id, digest);
    return db_run(tags, err);
}

/* After the edges of the manifest are gone: what no other manifest of the repository names. */
static bool condemn_unnamed(struct db_tx *tx, int64_t repository_id, const struct digest *digest,
                            int64_t not_before_us, struct err *err)
{
    bool here = false;
    int64_t named = 0;
    auto_stmt struct db_stmt *q = by_digest(tx, SQL_BLOB_NAMED, repository_id, digest);
    if (!row_int(q, &named, err) || !has_blob(tx, repository_id, digest, &here, err)) {
        return false;
    }
    if (named != 0 || !here) {
        return true;
    }
    return gc_condemn(tx, CONDEMNED_MEMBERSHIP, repository_id, digest, not_before_us, err);
}

static bool remove_rows(struct db_tx *tx, int64_t repository_id, const struct digest *digest,
                        struct err *err)
{
    auto_stmt struct db_stmt *edges =
        by_digest(tx, SQL_EDGE_DELETE_OF_PARENT, repository_id, digest);
    if (!db_run(edges, err)) {
        return false;
    }
    auto_stmt struct db_stmt *row = by_digest(tx, SQL_MANIFEST_DELETE, repository_id, digest);
    return db_run(row, err);
}

bool manifest_delete(struct db_tx *tx, int64_t repository_id, const struct digest *digest,
                     const struct actor *actor, int64_t keep_us, int64_t now_us, struct err *err)
{
    struct manifest_info info;
    auto_edge_list struct edge_list edges = {0};
    if (!manifest_stat(tx, repository_id, digest, &info, err) ||
        !tag_rule_may_delete(tx, repository_id, digest, err) ||
        !release_may_delete(tx, repository_id, digest, err) ||
        !manifest_edges(tx, repository_id, digest, &edges, err) ||
        !remove_tags(tx, repository_id, digest, actor, now_us, err) ||
        !remove_rows(tx, repository_id, digest, err)) {
        return false;
    }
    for (size_t i = 0; i < edges.count; i++) {
        if (names_blob(edges.items[i].kind) &&
            !condemn_unnamed(tx, repository_id, &edges.items[i].digest, now_us + keep_us, err)) {
            return false;
        }
    }
    return repository_charge(tx, repository_id, -info.size, err) &&
           repository_count_manifests(tx, repository_id, -1, err) &&
           repository_may_be_empty(tx, repository_id, now_us + REPOSITORY_IDLE_US, err) &&
           repository_gate_bump(tx, repository_id, err);
}
