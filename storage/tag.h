/* Tags: names that point to manifests, one row per (repository, name).
 * Owns: the tag table and its history. Refuses to know: who may move a tag (auth), what a signature
 * says (trust).
 * Invariants
 *   1. A tag points to a manifest that exists in the same repository.
 *   2. Every change of a tag is one row of history, written in the same transaction.
 *   3. A change is not older than the one before it, even when the clock was set back between them:
 *      it has the later of its own time and the tag's. A tag that was removed begins anew. */
#ifndef STORAGE_TAG_H
#define STORAGE_TAG_H

#include "base/db.h"
#include "base/digest.h"
#include "base/name.h"
#include "storage/actor.h"

struct tag {
    struct digest digest; /* of the manifest, in the algorithm it was pushed under */
    int64_t size;         /* bytes of that manifest */
    int64_t updated_us;
    int64_t updated_by; /* account id */
    char updated_by_name[ACTOR_NAME_MAX + 1];
};

enum tag_change { TAG_CREATED, TAG_MOVED, TAG_UNCHANGED };

/* Expected errors: ERR_TAG_UNKNOWN. Any tx. */
bool tag_get(struct db_tx *tx, int64_t repository_id, const struct tag_name *name, struct tag *out,
             struct err *err) MUST_USE;
/* Points a tag at a manifest, creating it when needed (OCI distribution 1.1, "Pushing Manifests").
 *   change_out   what happened; may be NULL. The caller has decided beforehand that it may
 * Expected errors: ERR_MANIFEST_UNKNOWN; ERR_DENIED when it would move a tag that is immutable
 * (tag_rule.h). Writer. */
bool tag_put(struct db_tx *tx, int64_t repository_id, const struct tag_name *name,
             const struct digest *digest, const struct actor *actor, int64_t now_us,
             enum tag_change *change_out, struct err *err) MUST_USE;
/* Removes a tag; the manifest stays. Expected errors: ERR_TAG_UNKNOWN, ERR_DENIED (tag_rule.h).
 * Writer. */
bool tag_delete(struct db_tx *tx, int64_t repository_id, const struct tag_name *name,
                const struct actor *actor, int64_t now_us, struct err *err) MUST_USE;

struct tag_item {
    struct tag_name name;
    struct tag tag;
};
struct tag_list {
    struct tag_item *items;
    size_t count;
    bool more; /* a next page exists */
};
/* A page of tags, ascending by bytes of the name.
 *   last   names after this one; "" = from the start
 *   max    1 … 1,000
 * Any tx. */
bool tag_list(struct db_tx *tx, int64_t repository_id, struct slice last, int max,
              struct tag_list *out, struct err *err) MUST_USE;
/* The same with the names alone: item.tag is zero. Costs a third. */
bool tag_list_names(struct db_tx *tx, int64_t repository_id, struct slice last, int max,
                    struct tag_list *out, struct err *err) MUST_USE;
/* The tags that point to a manifest, by name, at most `max`. Any tx. */
bool tag_list_of_manifest(struct db_tx *tx, int64_t repository_id, const struct digest *digest,
                          int max, struct tag_list *out, struct err *err) MUST_USE;
/* What a tag pointed to, newest first, at most `max`: item.tag.digest unset = removed (size 0 when
 * the manifest is gone). Any tx. */
bool tag_history(struct db_tx *tx, int64_t repository_id, const struct tag_name *name, int max,
                 struct tag_list *out, struct err *err) MUST_USE;
void tag_list_dispose(struct tag_list *list);
static inline void cleanup_tag_list(struct tag_list *list)
{
    tag_list_dispose(list);
}
#define auto_tag_list __attribute__((cleanup(cleanup_tag_list)))

#endif
