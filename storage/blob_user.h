/* Who needs a blob or a manifest: for messages to people, when it is damaged.
 * Owns: the question. Refuses to know: what is done with the answer. */
#ifndef STORAGE_BLOB_USER_H
#define STORAGE_BLOB_USER_H

#include "base/db.h"
#include "base/digest.h"
#include "base/name.h"

#define BLOB_USER_TAGS_MAX 200

/* One manifest that names it; or, without a manifest, a repository that only holds it. */
struct blob_user {
    int64_t namespace_id;
    char repository[REPO_NAME_MAX + 1];
    struct digest manifest;            /* unset: no manifest of the repository names it */
    char tags[BLOB_USER_TAGS_MAX + 1]; /* "v1 latest": of the manifest and of the indexes that name
                                          it; cut with " ..." */
};
struct blob_user_list {
    struct blob_user *items;
    size_t count;
    bool more; /* there are others */
};
/* Users of a blob in all repositories that hold it, oldest repository first, at most `max`. Any
 * tx. */
bool blob_users(struct db_tx *tx, const struct digest *digest, int max, struct blob_user_list *out,
                struct err *err) MUST_USE;
/* The one user of a manifest of a repository: itself, with its tags. Any tx. */
bool manifest_user(struct db_tx *tx, int64_t repository_id, const struct digest *digest,
                   struct blob_user *out, struct err *err) MUST_USE;
void blob_user_list_dispose(struct blob_user_list *list);
static inline void cleanup_blob_user_list(struct blob_user_list *list)
{
    blob_user_list_dispose(list);
}
#define auto_blob_user_list __attribute__((cleanup(cleanup_blob_user_list)))

/* "ns/app@sha256:… (v1 latest)", or "ns/app" without a manifest. */
#define BLOB_USER_TEXT_MAX (REPO_NAME_MAX + DIGEST_STR_MAX + BLOB_USER_TAGS_MAX + 8)
const char *blob_user_format(const struct blob_user *user, char out[BLOB_USER_TEXT_MAX]);

#endif
