#include "storage/blob_user.h"

#include "storage/manifest.h"
#include "storage/row.h"
#include "storage/statements.h"
#include "storage/tag.h"

#include <stdio.h>

#define TAGS_ASKED 16    /* of one manifest */
#define INDEXES_ASKED 16 /* that name one manifest */

/* --- tags ------------------------------------------------------------------------------------- */

/* Appends a tag to a text that has room for it, or else says that there are more. */
static void add_tag(struct blob_user *user, const char *name)
{
    size_t n = strlen(user->tags);
    size_t more = strlen(name) + (n > 0);
    if (n + more + sizeof(" ...") <= sizeof(user->tags)) {
        snprintf(user->tags + n, sizeof(user->tags) - n, "%s%s", n > 0 ? " " : "", name);
    } else if (n < 4 || strcmp(user->tags + n - 4, " ...") != 0) {
        snprintf(user->tags + n, sizeof(user->tags) - n, " ...");
    }
}

static bool add_tags(struct db_tx *tx, int64_t repository_id, const struct digest *manifest,
                     struct blob_user *user, struct err *err)
{
    auto_tag_list struct tag_list tags = {0};
    if (!tag_list_of_manifest(tx, repository_id, manifest, TAGS_ASKED, &tags, err)) {
        return false;
    }
    for (size_t i = 0; i < tags.count; i++) {
        add_tag(user, tags.items[i].name.text);
    }
    return true;
}

bool manifest_user(struct db_tx *tx, int64_t repository_id, const struct digest *digest,
                   struct blob_user *out, struct err *err)
{
    auto_edge_list struct edge_list parents = {0};
    out->manifest = *digest;
    if (!add_tags(tx, repository_id, digest, out, err) ||
        !manifest_parents(tx, repository_id, digest, INDEXES_ASKED, &parents, err)) {
        return false;
    }
    for (size_t i = 0; i < parents.count; i++) {
        if (parents.items[i].kind == EDGE_CHILD &&
            !add_tags(tx, repository_id, &parents.items[i].digest, out, err)) {
            return false;
        }
    }
    return true;
}

/* --- repositories ----------------------------------------------------------------------------- */

struct holder {
    int64_t repository_id;
    struct blob_user user; /* without a manifest */
};

static void read_holder(struct db_stmt *q, void *item)
{
    struct holder *holder = item;
    holder->repository_id = db_col_int(q, 0);
    holder->user.namespace_id = db_col_int(q, 1);
    row_text(q, 2, holder->user.repository, sizeof(holder->user.repository));
}

static struct blob_user *add_user(struct blob_user_list *list, const struct blob_user *user)
{
    list->items = list_room(list->items, list->count, sizeof(*list->items));
    list->items[list->count] = *user;
    return &list->items[list->count++];
}

static bool add_holder(struct db_tx *tx, const struct holder *holder, const struct digest *digest,
                       size_t max, struct blob_user_list *out, struct err *err)
{
    auto_edge_list struct edge_list parents = {0};
    bool named = false;
    if (!manifest_parents(tx, holder->repository_id, digest, (int)(max - out->count) + 1, &parents,
                          err)) {
        return false;
    }
    for (size_t i = 0; i < parents.count; i++) {
        if (out->count == max) {
            out->more = true;
            return true;
        }
        named = true;
        if (!manifest_user(tx, holder->repository_id, &parents.items[i].digest,
                           add_user(out, &holder->user), err)) {
            return false;
        }
    }
    if (!named) {
        add_user(out, &holder->user);
    }
    return true;
}

bool blob_users(struct db_tx *tx, const struct digest *digest, int max, struct blob_user_list *out,
                struct err *err)
{
    struct row_page page;
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_BLOB_HOLDERS);
    *out = (struct blob_user_list){0};
    db_bind_digest(q, 1, digest);
    db_bind_int(q, 2, (int64_t)max + 1);
    bool ok = row_page(q, max, sizeof(struct holder), read_holder, &page, err);
    auto_free struct holder *holders = page.items;
    out->more = page.more;
    for (size_t i = 0; ok && i < page.count; i++) {
        if (out->count == (size_t)max) {
            out->more = true;
            break;
        }
        ok = add_holder(tx, &holders[i], digest, (size_t)max, out, err);
    }
    if (!ok) {
        blob_user_list_dispose(out);
    }
    return ok;
}

void blob_user_list_dispose(struct blob_user_list *list)
{
    free(list->items);
    *list = (struct blob_user_list){0};
}

const char *blob_user_format(const struct blob_user *user, char out[BLOB_USER_TEXT_MAX])
{
    char digest[DIGEST_STR_MAX];
    if (!digest_is_set(&user->manifest)) {
        snprintf(out, BLOB_USER_TEXT_MAX, "%s", user->repository);
        return out;
    }
    snprintf(out, BLOB_USER_TEXT_MAX, "%s@%s%s%s%s", user->repository,
             digest_format(&user->manifest, digest), user->tags[0] ? " (" : "", user->tags,
             user->tags[0] ? ")" : "");
    return out;
}
