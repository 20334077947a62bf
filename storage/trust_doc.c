#include "storage/trust_doc.h"

#include "storage/role_target.h"
#include "storage/row.h"
#include "storage/statements.h"
#include "storage/trust_expiry.h"

void trust_doc_dispose(struct trust_doc *doc)
{
    free((char *)doc->bytes.p);
    *doc = (struct trust_doc){0};
}

void trust_doc_list_dispose(struct trust_doc_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        trust_doc_dispose(&list->items[i]);
    }
    free(list->items);
    *list = (struct trust_doc_list){0};
}

void trust_role_life_list_dispose(struct trust_role_life_list *list)
{
    free(list->items);
    *list = (struct trust_role_life_list){0};
}

void trust_due_list_dispose(struct trust_due_list *list)
{
    free(list->items);
    *list = (struct trust_due_list){0};
}

/* --- reading ---------------------------------------------------------------------------------- */

/* DOC_COLUMNS */
static void read_doc(struct db_stmt *q, struct trust_doc *out)
{
    *out = (struct trust_doc){0};
    row_text(q, 0, out->role, sizeof(out->role));
    out->version = db_col_int(q, 1);
    out->incarnation = db_col_int(q, 2);
    row_hash(q, 3, out->sha256);
    row_hash(q, 4, out->signed_sha256);
    out->accepted_us = db_col_int(q, 5);
    out->superseded_us = db_col_int(q, 6);
    out->bytes.n = db_col_blob(q, 7).n;
    out->bytes.p = row_dup(q, 7);
    out->renew_us = db_col_int(q, 8);
}

static bool read_docs(struct db_stmt *q, struct trust_doc_list *out, struct err *err)
{
    *out = (struct trust_doc_list){0};
    enum db_result result;
    while ((result = db_step(q, err)) == DB_ROW) {
        out->items = list_room(out->items, out->count, sizeof(*out->items));
        read_doc(q, &out->items[out->count++]);
    }
    if (result == DB_FAILED) {
        trust_doc_list_dispose(out);
        return false;
    }
    return true;
}

static bool read_one(struct db_stmt *q, struct trust_doc *out, struct err *err)
{
    *out = (struct trust_doc){0};
    switch (db_step(q, err)) {
    case DB_ROW:
        read_doc(q, out);
        return true;
    case DB_DONE:
        return err_set(err, ERR_TRUST_NOT_FOUND, "");
    case DB_FAILED:
        return false;
    }
    BUG("db_step has no fourth answer");
}

bool trust_doc_current(struct db_tx *tx, int64_t repository_id, struct trust_doc_list *out,
                       struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_TRUST_DOC_CURRENT);
    db_bind_int(q, 1, repository_id);
    return read_docs(q, out, err);
}

bool trust_doc_expires(struct db_tx *tx, int64_t repository_id, struct slice role,
                       int64_t *expires_us_out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_TRUST_DOC_EXPIRES);
    bool found = false;
    db_bind_int(q, 1, repository_id);
    db_bind_text(q, 2, role);
    if (!row_exists(q, &found, err)) {
        return false;
    }
    *expires_us_out = found ? db_col_int(q, 0) : 0;
    return found || err_set(err, ERR_TRUST_NOT_FOUND, "");
}

bool trust_doc_roots(struct db_tx *tx, int64_t repository_id, struct trust_doc_list *out,
                     struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_TRUST_DOC_ROOTS);
    db_bind_int(q, 1, repository_id);
    return read_docs(q, out, err);
}

bool trust_doc_current_role(struct db_tx *tx, int64_t repository_id, struct slice role,
                            struct trust_doc *out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_TRUST_DOC_CURRENT_ROLE);
    db_bind_int(q, 1, repository_id);
    db_bind_text(q, 2, role);
    return read_one(q, out, err);
}

bool trust_doc_by_version(struct db_tx *tx, int64_t repository_id, struct slice role,
                          int64_t version, struct trust_doc *out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_TRUST_DOC_BY_VERSION);
    db_bind_int(q, 1, repository_id);
    db_bind_text(q, 2, role);
    db_bind_int(q, 3, version);
    return read_one(q, out, err);
}

bool trust_doc_by_sha256(struct db_tx *tx, int64_t repository_id, struct slice role,
                         const uint8_t sha256[32], struct trust_doc *out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_TRUST_DOC_BY_SHA256);
    db_bind_int(q, 1, repository_id);
    db_bind_text(q, 2, role);
    db_bind_blob(q, 3, slice_of_bytes(sha256, 32));
    return read_one(q, out, err);
}

bool trust_doc_accepted(struct db_tx *tx, int64_t repository_id, struct slice role,
                        const uint8_t sha256[32], struct trust_doc *out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_TRUST_DOC_ACCEPTED);
    bool found = false;
    db_bind_int(q, 1, repository_id);
    db_bind_text(q, 2, role);
    db_bind_blob(q, 3, slice_of_bytes(sha256, 32));
    if (!row_exists(q, &found, err)) {
        return false;
    }
    if (found) {
        out->accepted_us = db_col_int(q, 0);
        out->incarnation = db_col_int(q, 1);
    }
    return found || err_set(err, ERR_TRUST_NOT_FOUND, "");
}

bool trust_doc_by_life(struct db_tx *tx, int64_t repository_id, struct slice role,
                       int64_t incarnation, int64_t version, struct trust_doc *out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_TRUST_DOC_BY_LIFE);
    db_bind_int(q, 1, repository_id);
    db_bind_text(q, 2, role);
    db_bind_int(q, 3, incarnation);
    db_bind_int(q, 4, version);
    return read_one(q, out, err);
}

bool trust_doc_any(struct db_tx *tx, int64_t repository_id, bool *out, struct err *err)
{
    int64_t any = 0;
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_TRUST_DOC_ANY);
    db_bind_int(q, 1, repository_id);
    bool done = row_int(q, &any, err);
    *out = any != 0;
    return done;
}

bool trust_role_lives(struct db_tx *tx, int64_t repository_id, struct trust_role_life_list *out,
                      struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_TRUST_ROLE_LIST);
    db_bind_int(q, 1, repository_id);

    *out = (struct trust_role_life_list){0};
    enum db_result result;
    while ((result = db_step(q, err)) == DB_ROW) {
        out->items = list_room(out->items, out->count, sizeof(*out->items));
        struct trust_role_life *life = &out->items[out->count++];
        row_text(q, 0, life->role, sizeof(life->role));
        life->incarnation = db_col_int(q, 1);
        life->version = db_col_int(q, 2);
        row_hash(q, 3, life->signed_sha256);
        life->ended = db_col_int(q, 4) != 0;
        life->may_reset = !life->ended && db_col_int(q, 5) != 0;
    }
    if (result == DB_FAILED) {
        trust_role_life_list_dispose(out);
        return false;
    }
    return true;
}

static int compare_role(const void *role, const void *life)
{
    return strcmp(role, ((const struct trust_role_life *)life)->role);
}

const struct trust_role_life *trust_role_life_find(const struct trust_role_life_list *lives,
                                                   const char *role)
{
    return lives->count == 0
               ? NULL
               : bsearch(role, lives->items, lives->count, sizeof(*lives->items), compare_role);
}

bool trust_doc_renewals(struct db_tx *tx, int64_t now_us, const struct trust_due *after, int max,
                        struct trust_due_list *out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_TRUST_DOC_RENEWALS);
    db_bind_int(q, 1, now_us);
    db_bind_int(q, 2, max);
    db_bind_int(q, 3, after ? after->renew_us : 0);
    db_bind_int(q, 4, after ? after->repository_id : 0);

    *out = (struct trust_due_list){0};
    enum db_result result;
    while ((result = db_step(q, err)) == DB_ROW) {
        out->items = list_room(out->items, out->count, sizeof(*out->items));
        struct trust_due *due = &out->items[out->count++];
        due->repository_id = db_col_int(q, 0);
        due->renew_us = db_col_int(q, 1);
    }
    if (result == DB_FAILED) {
        trust_due_list_dispose(out);
        return false;
    }
    return true;
}

/* --- storing ---------------------------------------------------------------------------------- */

/* The incarnation that a new document belongs to; refuses what is not newer in a life that goes
 * on. */
static bool life_of(struct db_tx *tx, int64_t repository_id, const struct trust_doc_new *doc,
                    int64_t *incarnation_out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_TRUST_ROLE_GET);
    db_bind_int(q, 1, repository_id);
    db_bind_text(q, 2, doc->role);

    enum db_result result = db_step(q, err);
    if (result != DB_ROW) {
        *incarnation_out = 1;
        return result == DB_DONE;
    }
    bool ended = db_col_int(q, 2) != 0;
    *incarnation_out = db_col_int(q, 0) + ended;
    if (!ended && db_col_int(q, 1) >= doc->version) {
        return err_set(err, ERR_TRUST_VERSION, "");
    }
    return true;
}

static bool supersede(struct db_tx *tx, int64_t repository_id, struct slice role, int64_t now_us,
                      struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_TRUST_DOC_SUPERSEDE);
    db_bind_int(q, 1, repository_id);
    db_bind_text(q, 2, role);
    db_bind_int(q, 3, now_us);
    return db_run(q, err);
}

static bool insert_doc(struct db_tx *tx, int64_t repository_id, const struct trust_doc_new *doc,
                       int64_t incarnation, int64_t now_us, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_TRUST_DOC_INSERT);
    db_bind_int(q, 1, repository_id);
    db_bind_text(q, 2, doc->role);
    db_bind_int(q, 3, incarnation);
    db_bind_int(q, 4, doc->version);
    db_bind_blob(q, 5, slice_of_bytes(doc->sha256, sizeof(doc->sha256)));
    db_bind_blob(q, 6, slice_of_bytes(doc->signed_sha256, sizeof(doc->signed_sha256)));
    db_bind_int(q, 7, now_us);
    db_bind_blob(q, 8, doc->bytes);
    db_bind_int(q, 9, doc->expires_us);
    db_bind_int(q, 10, doc->renew_us);
    return db_run(q, err);
}

static bool put_life(struct db_tx *tx, int64_t repository_id, const struct trust_doc_new *doc,
                     int64_t incarnation, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_TRUST_ROLE_PUT);
    db_bind_int(q, 1, repository_id);
    db_bind_text(q, 2, doc->role);
    db_bind_int(q, 3, incarnation);
    db_bind_int(q, 4, doc->version);
    db_bind_blob(q, 5, slice_of_bytes(doc->signed_sha256, sizeof(doc->signed_sha256)));
    return db_run(q, err);
}

bool trust_space_add(struct db_tx *tx, int64_t repository_id, int64_t more, int64_t *bytes_out,
                     struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_TRUST_SPACE_ADD);
    db_bind_int(q, 1, repository_id);
    db_bind_int(q, 2, more);
    return row_int(q, bytes_out, err);
}

bool trust_doc_set_renewal(struct db_tx *tx, int64_t repository_id, struct slice role,
                           int64_t renew_us, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_TRUST_DOC_SET_RENEWAL);
    db_bind_int(q, 1, repository_id);
    db_bind_text(q, 2, role);
    db_bind_int(q, 3, renew_us);
    return db_step(q, err) == DB_DONE;
}

bool trust_doc_put(struct db_tx *tx, int64_t repository_id, const struct trust_doc_new *doc,
                   int64_t now_us, struct err *err)
{
    int64_t incarnation = 1, space = 0;
    return trust_space_add(tx, repository_id, (int64_t)doc->bytes.n, &space, err) &&
           life_of(tx, repository_id, doc, &incarnation, err) &&
           supersede(tx, repository_id, doc->role, now_us, err) &&
           insert_doc(tx, repository_id, doc, incarnation, now_us, err) &&
           put_life(tx, repository_id, doc, incarnation, err);
}

bool trust_role_end(struct db_tx *tx, int64_t repository_id, struct slice role, int64_t now_us,
                    struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_TRUST_ROLE_END);
    db_bind_int(q, 1, repository_id);
    db_bind_text(q, 2, role);
    db_bind_int(q, 3, now_us);
    return db_run(q, err) && supersede(tx, repository_id, role, now_us, err) &&
           expiry_remove_role(tx, repository_id, role, err) &&
           role_target_close(tx, repository_id, role, ROLE_TARGET_ROLE_ENDED, now_us, err);
}

bool trust_role_permit_reset(struct db_tx *tx, int64_t repository_id, struct slice role,
                             int64_t now_us, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_TRUST_ROLE_PERMIT_RESET);
    db_bind_int(q, 1, repository_id);
    db_bind_text(q, 2, role);
    db_bind_int(q, 3, now_us);
    return row_changed(tx, q, ERR_TRUST_NOT_FOUND, err);
}

static bool end_all(struct db_tx *tx, enum sql statement, int64_t repository_id, int64_t now_us,
                    struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, (int)statement);
    db_bind_int(q, 1, repository_id);
    db_bind_int(q, 2, now_us);
    return db_run(q, err);
}

bool trust_doc_wipe(struct db_tx *tx, int64_t repository_id, int64_t now_us, bool *had_out,
                    struct err *err)
{
    if (!end_all(tx, SQL_TRUST_DOC_SUPERSEDE_ALL, repository_id, now_us, err)) {
        return false;
    }
    if (had_out) {
        *had_out = db_changes(tx) > 0;
    }
    return end_all(tx, SQL_TRUST_ROLE_END_ALL, repository_id, now_us, err) &&
           expiry_remove_role(tx, repository_id, (struct slice){0}, err) &&
           role_target_close(tx, repository_id, (struct slice){0}, ROLE_TARGET_WIPED, now_us, err);
}

/* --- collecting ------------------------------------------------------------------------------- */

void trust_superseded_list_dispose(struct trust_superseded_list *list)
{
    free(list->items);
    *list = (struct trust_superseded_list){0};
}

static bool read_superseded(struct db_stmt *q, struct trust_superseded *out, struct err *err)
{
    *out = (struct trust_superseded){.id = db_col_int(q, 0),
                                     .repository_id = db_col_int(q, 1),
                                     .superseded_us = db_col_int(q, 4),
                                     .bytes = db_col_int(q, 5)};
    row_text(q, 3, out->role, sizeof(out->role));
    return repo_name_parse(db_col_text(q, 2), &out->repo, err);
}

bool trust_doc_superseded(struct db_tx *tx, int64_t before_us, const struct trust_superseded *after,
                          int max, struct trust_superseded_list *out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_TRUST_DOC_SUPERSEDED);
    db_bind_int(q, 1, before_us);
    db_bind_int(q, 2, after->superseded_us);
    db_bind_int(q, 3, after->id);
    db_bind_int(q, 4, max);

    *out = (struct trust_superseded_list){0};
    enum db_result result;
    while ((result = db_step(q, err)) == DB_ROW) {
        out->items = list_room(out->items, out->count, sizeof(*out->items));
        if (!read_superseded(q, &out->items[out->count++], err)) {
            result = DB_FAILED;
            break;
        }
    }
    if (result == DB_FAILED) {
        trust_superseded_list_dispose(out);
        return false;
    }
    return true;
}

static bool drop_bytes(struct db_tx *tx, const struct trust_superseded *doc, int64_t now_us,
                       struct err *err)
{
    bool timestamp = strcmp(doc->role, "timestamp") == 0;
    auto_stmt struct db_stmt *q =
        db_stmt(tx, timestamp ? SQL_TRUST_DOC_FORGET : SQL_TRUST_DOC_COLLECT);
    db_bind_int(q, 1, doc->id);
    if (!timestamp) {
        db_bind_int(q, 2, now_us);
        db_bind_blob(q, 3, (struct slice){0});
    }
    return db_run(q, err);
}

bool trust_doc_collect(struct db_tx *tx, const struct trust_superseded *doc, int64_t now_us,
                       int64_t *bytes_out, struct err *err)
{
    int64_t space = 0;
    *bytes_out = 0;
    if (!drop_bytes(tx, doc, now_us, err)) {
        return false;
    }
    if (db_changes(tx) == 0) {
        return true;
    }
    *bytes_out = doc->bytes;
    return trust_space_add(tx, doc->repository_id, -doc->bytes, &space, err);
}
