#include "storage/role_target.h"

#include "storage/row.h"
#include "storage/statements.h"

void role_target_list_dispose(struct role_target_list *list)
{
    free(list->items);
    *list = (struct role_target_list){0};
}

/* --- bringing the history up to date ---------------------------------------------------------- */

/* An open row, as far as the comparison needs it. */
struct open_row {
    int64_t id;
    char tag[TARGET_NAME_MAX + 1];
    struct digest sha256, sha512;
    int64_t length;
    bool outside;
};
struct open_list {
    struct open_row *items;
    size_t count;
};

static void open_list_dispose(struct open_list *list)
{
    free(list->items);
}
#define auto_open_list __attribute__((cleanup(open_list_dispose)))

/* One update: what stays the same for all of its rows. */
struct update {
    struct db_tx *tx;
    int64_t repository_id;
    struct slice role;
    int64_t incarnation;
    int64_t version, previous_version;
    struct slice signers;
    int64_t now_us;
};

static bool read_open(const struct update *u, struct open_list *out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(u->tx, SQL_ROLE_TARGET_OPEN);
    db_bind_int(q, 1, u->repository_id);
    db_bind_text(q, 2, u->role);

    enum db_result result;
    while ((result = db_step(q, err)) == DB_ROW) {
        out->items = list_room(out->items, out->count, sizeof(*out->items));
        struct open_row *row = &out->items[out->count++];
        row->id = db_col_int(q, 0);
        row_text(q, 1, row->tag, sizeof(row->tag));
        (void)db_col_digest(q, 2, &row->sha256);
        (void)db_col_digest(q, 3, &row->sha512);
        row->length = db_col_int(q, 4);
        row->outside = db_col_int(q, 5) != 0;
    }
    return result != DB_FAILED;
}

static bool read_life(struct update *u, struct err *err)
{
    auto_stmt struct db_stmt *life = db_stmt(u->tx, SQL_TRUST_ROLE_GET);
    db_bind_int(life, 1, u->repository_id);
    db_bind_text(life, 2, u->role);
    if (!row_int(life, &u->incarnation, err)) {
        return false;
    }
    auto_stmt struct db_stmt *previous = db_stmt(u->tx, SQL_TRUST_DOC_PREVIOUS_VERSION);
    db_bind_int(previous, 1, u->repository_id);
    db_bind_text(previous, 2, u->role);
    db_bind_int(previous, 3, u->incarnation);
    db_bind_int(previous, 4, u->version);
    return row_int(previous, &u->previous_version, err);
}

static bool close_row(const struct update *u, const struct open_row *row, enum role_target_why why,
                      struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(u->tx, SQL_ROLE_TARGET_CLOSE);
    db_bind_int(q, 1, row->id);
    db_bind_int(q, 2, u->now_us);
    db_bind_int(q, 3, why);
    db_bind_int(q, 4, u->previous_version);
    return db_run(q, err);
}

static bool open_row(const struct update *u, const struct role_target_entry *entry, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(u->tx, SQL_ROLE_TARGET_INSERT);
    db_bind_int(q, 1, u->repository_id);
    db_bind_text(q, 2, u->role);
    db_bind_int(q, 3, u->incarnation);
    db_bind_text(q, 4, entry->tag);
    db_bind_digest(q, 5, &entry->sha256);
    db_bind_digest(q, 6, &entry->sha512);
    db_bind_int(q, 7, entry->length);
    db_bind_int(q, 8, u->now_us);
    db_bind_int(q, 9, u->version);
    db_bind_blob(q, 10, u->signers);
    db_bind_int(q, 11, entry->outside);
    return db_run(q, err);
}

static bool is_same(const struct open_row *row, const struct role_target_entry *entry)
{
    return row->length == entry->length && row->outside == entry->outside &&
           digest_equal(&row->sha256, &entry->sha256) &&
           digest_equal(&row->sha512, &entry->sha512);
}

static bool replace_row(const struct update *u, const struct open_row *row,
                        const struct role_target_entry *entry, struct err *err)
{
    return is_same(row, entry) ||
           (close_row(u, row, ROLE_TARGET_REPLACED, err) && open_row(u, entry, err));
}

/* Both are sorted by name: one pass over them side by side. */
static bool merge(const struct update *u, const struct open_list *open,
                  const struct role_target_entry *entries, size_t entry_count, struct err *err)
{
    size_t i = 0;
    size_t j = 0;
    while (i < open->count || j < entry_count) {
        if (j < entry_count && entries[j].tag.n > TARGET_NAME_MAX) {
            j++;
            continue;
        }
        int order = i == open->count ? 1
                    : j == entry_count
                        ? -1
                        : slice_compare(slice_str(open->items[i].tag), entries[j].tag);
        bool done = order < 0   ? close_row(u, &open->items[i], ROLE_TARGET_WITHDRAWN, err)
                    : order > 0 ? open_row(u, &entries[j], err)
                                : replace_row(u, &open->items[i], &entries[j], err);
        if (!done) {
            return false;
        }
        i += order <= 0;
        j += order >= 0;
    }
    return true;
}

/* What stays listed was released by this document too. */
static bool sign_open(const struct update *u, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(u->tx, SQL_ROLE_TARGET_SIGN);
    db_bind_int(q, 1, u->repository_id);
    db_bind_text(q, 2, u->role);
    db_bind_blob(q, 3, u->signers);
    return db_run(q, err);
}

bool role_target_update(struct db_tx *tx, int64_t repository_id, struct slice role, int64_t version,
                        const struct role_target_entry *entries, size_t entry_count,
                        const uint8_t (*signers)[32], int signer_count, int64_t now_us,
                        struct err *err)
{
    int kept = signer_count < TARGET_SIGNERS_MAX ? signer_count : TARGET_SIGNERS_MAX;
    struct update u = {
        .tx = tx,
        .repository_id = repository_id,
        .role = role,
        .version = version,
        .signers = slice_of_bytes(signers, (size_t)kept * 32),
        .now_us = now_us,
    };
    auto_open_list struct open_list open = {0};
    return read_life(&u, err) && read_open(&u, &open, err) &&
           merge(&u, &open, entries, entry_count, err) && sign_open(&u, err);
}

static bool turn_row(struct db_tx *tx, int64_t id, int64_t now_us, struct err *err)
{
    auto_stmt struct db_stmt *old = db_stmt(tx, SQL_ROLE_TARGET_TURN_OLD);
    auto_stmt struct db_stmt *new = db_stmt(tx, SQL_ROLE_TARGET_TURN_NEW);
    db_bind_int(old, 1, id);
    db_bind_int(old, 2, now_us);
    db_bind_int(old, 3, ROLE_TARGET_REPLACED);
    db_bind_int(new, 1, id);
    return db_run(old, err) && db_run(new, err);
}

bool role_target_turn(struct db_tx *tx, int64_t repository_id, struct slice role,
                      bool (*covers)(const void *arg, struct slice tag), const void *arg, int64_t now_us,
                      struct err *err)
{
    const struct update u = {.tx = tx, .repository_id = repository_id, .role = role};
    auto_open_list struct open_list open = {0};
    if (!read_open(&u, &open, err)) {
        return false;
    }
    for (size_t i = 0; i < open.count; i++) {
        const struct open_row *row = &open.items[i];
        bool outside = !covers(arg, slice_str(row->tag));
        if (outside != row->outside && !turn_row(tx, row->id, now_us, err)) {
            return false;
        }
    }
    return true;
}

bool role_target_close(struct db_tx *tx, int64_t repository_id, struct slice role,
                       enum role_target_why why, int64_t now_us, struct err *err)
{
    bool all = role.n == 0;
    auto_stmt struct db_stmt *q =
        db_stmt(tx, all ? SQL_ROLE_TARGET_CLOSE_ALL : SQL_ROLE_TARGET_CLOSE_ROLE);
    db_bind_int(q, 1, repository_id);
    if (!all) {
        db_bind_text(q, 2, role);
    }
    db_bind_int(q, all ? 2 : 3, now_us);
    db_bind_int(q, all ? 3 : 4, why);
    return db_run(q, err);
}

/* --- reading ---------------------------------------------------------------------------------- */

/* TARGET_COLUMNS */
static void read_target(struct db_stmt *q, struct role_target *out)
{
    *out = (struct role_target){0};
    row_text(q, 0, out->role, sizeof(out->role));
    out->incarnation = db_col_int(q, 1);
    row_text(q, 2, out->tag, sizeof(out->tag));
    (void)db_col_digest(q, 3, &out->sha256);
    (void)db_col_digest(q, 4, &out->sha512);
    out->length = db_col_int(q, 5);
    out->since_us = db_col_int(q, 6);
    out->since_version = db_col_int(q, 7);
    out->last_version = db_col_int(q, 8);
    out->until_us = db_col_int(q, 9);
    out->why = (enum role_target_why)db_col_int(q, 10);

    struct slice signers = slice_first(db_col_blob(q, 11), sizeof(out->signers));
    memcpy(out->signers, signers.p, signers.n);
    out->signer_count = (int)(signers.n / 32);
    out->outside = db_col_int(q, 12) != 0;
}

static bool read_targets(struct db_stmt *q, struct role_target_list *out, struct err *err)
{
    *out = (struct role_target_list){0};
    enum db_result result;
    while ((result = db_step(q, err)) == DB_ROW) {
        out->items = list_room(out->items, out->count, sizeof(*out->items));
        read_target(q, &out->items[out->count++]);
    }
    if (result == DB_FAILED) {
        role_target_list_dispose(out);
        return false;
    }
    return true;
}

bool role_target_history(struct db_tx *tx, int64_t repository_id, struct slice role,
                         struct slice tag, int64_t until_us, int max, struct role_target_list *out,
                         struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_ROLE_TARGET_HISTORY);
    db_bind_int(q, 1, repository_id);
    db_bind_text(q, 2, role);
    db_bind_text(q, 3, tag);
    db_bind_int(q, 4, until_us);
    db_bind_int(q, 5, max);
    return read_targets(q, out, err);
}

bool role_target_walk(struct db_tx *tx, int64_t repository_id, struct slice role,
                      void (*visit)(void *arg, const struct role_target *row), void *arg,
                      struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_ROLE_TARGET_WALK);
    struct role_target row;
    enum db_result result;
    db_bind_int(q, 1, repository_id);
    db_bind_text(q, 2, role);
    while ((result = db_step(q, err)) == DB_ROW) {
        read_target(q, &row);
        visit(arg, &row);
    }
    return result != DB_FAILED;
}

bool role_target_listed(struct db_tx *tx, int64_t repository_id, struct slice role,
                        struct role_target_list *out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_ROLE_TARGET_LISTED);
    db_bind_int(q, 1, repository_id);
    db_bind_text(q, 2, role);
    return read_targets(q, out, err);
}

bool role_target_ended_since(struct db_tx *tx, int64_t repository_id, int64_t since_us,
                             struct role_target_list *out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_ROLE_TARGET_ENDED_SINCE);
    db_bind_int(q, 1, repository_id);
    db_bind_int(q, 2, since_us);
    return read_targets(q, out, err);
}

bool role_target_names(struct db_tx *tx, int64_t repository_id, const struct digest *digest,
                       bool *out, struct err *err)
{
    auto_stmt struct db_stmt *q =
        db_stmt(tx, digest->algorithm == DIGEST_SHA512 ? SQL_ROLE_TARGET_NAMES_SHA512
                                                       : SQL_ROLE_TARGET_NAMES_SHA256);
    db_bind_int(q, 1, repository_id);
    db_bind_digest(q, 2, digest);
    return row_exists(q, out, err);
}

bool role_target_next_repository(struct db_tx *tx, const struct digest *digest, int64_t after,
                                 int64_t *id_out, struct err *err)
{
    bool found = false;
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_ROLE_TARGET_NEXT_REPOSITORY);
    db_bind_digest(q, 1, digest);
    db_bind_int(q, 2, after);
    bool ok = row_exists(q, &found, err);
    *id_out = ok && found ? db_col_int(q, 0) : 0;
    return ok;
}

bool role_target_tags(struct db_tx *tx, int64_t repository_id, const struct digest *digest, int max,
                      struct role_target_tag *out, int *count_out, struct err *err)
{
    auto_stmt struct db_stmt *q =
        db_stmt(tx, digest->algorithm == DIGEST_SHA512 ? SQL_ROLE_TARGET_TAGS_SHA512
                                                       : SQL_ROLE_TARGET_TAGS_SHA256);
    db_bind_int(q, 1, repository_id);
    db_bind_digest(q, 2, digest);
    db_bind_int(q, 3, max);

    enum db_result result;
    *count_out = 0;
    while ((result = db_step(q, err)) == DB_ROW) {
        row_text(q, 0, out[*count_out].text, sizeof(out->text));
        (*count_out)++;
    }
    return result != DB_FAILED;
}

bool role_target_any(struct db_tx *tx, int64_t repository_id, bool *out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_ROLE_TARGET_ANY);
    db_bind_int(q, 1, repository_id);
    return row_exists(q, out, err);
}

bool role_target_lists_tag(struct db_tx *tx, int64_t repository_id, struct slice tag, bool *out,
                           struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_ROLE_TARGET_LISTS_TAG);
    db_bind_int(q, 1, repository_id);
    db_bind_text(q, 2, tag);
    return row_exists(q, out, err);
}

bool role_target_end(struct db_tx *tx, int64_t repository_id, const struct digest *digest,
                     int64_t since_us, int64_t *end_out, struct err *err)
{
    auto_stmt struct db_stmt *q =
        db_stmt(tx, digest->algorithm == DIGEST_SHA512 ? SQL_ROLE_TARGET_END_SHA512
                                                       : SQL_ROLE_TARGET_END_SHA256);
    db_bind_int(q, 1, repository_id);
    db_bind_digest(q, 2, digest);
    db_bind_int(q, 3, since_us);
    return row_int(q, end_out, err);
}
