/* Rules for tags, per namespace: which tags never move, and which are kept for how long.
 * Owns: the tables tag_rule and tag_rule_set, and which rule applies to a tag. Refuses to know: who
 * may set them (auth), signatures, when retention runs (retention.h).
 * Invariants
 *   1. A tag under an immutable rule can be made and put again as it is; it is not moved or
 *      removed, and nothing that its image consists of is deleted, whatever the door. storage/tag,
 *      storage/manifest and storage/blob ask inside the transaction that would do it.
 *   2. Immutable rules all apply; of the others the first that matches a tag decides about it. */
#ifndef STORAGE_TAG_RULE_H
#define STORAGE_TAG_RULE_H

#include "base/db.h"
#include "base/digest.h"
#include "base/name.h"
#include "storage/actor.h"

#define TAG_RULE_NAME_MAX 64
#define TAG_RULES_MAX 64         /* of one namespace */
#define TAG_RULE_NEWEST_MAX 1000 /* so many times are held in memory while a repository is read */

struct tag_rule {
    char name[TAG_RULE_NAME_MAX + 1];
    char repository[REPO_NAME_MAX + 1]; /* pattern of the whole name: "*", "ns/app", "ns/web-*" */
    char tag[TAG_NAME_MAX + 1];         /* pattern */
    bool immutable;
    /* Otherwise: what is kept, any one of these is enough; 0 = no such condition. */
    int64_t newest;     /* so many tags that were set last, in each repository */
    int64_t younger_us; /* set less than this ago */
    int64_t pulled_us;  /* pulled, or set, less than this ago */
};
struct tag_rule_list {
    struct tag_rule *items; /* in the order in which they were given */
    size_t count;
};
void tag_rule_list_dispose(struct tag_rule_list *list);
static inline void cleanup_tag_rule_list(struct tag_rule_list *list)
{
    tag_rule_list_dispose(list);
}
#define auto_tag_rule_list __attribute__((cleanup(cleanup_tag_rule_list)))

struct tag_rule_set {
    int64_t generation; /* rises with every change; 0: never set */
    int64_t updated_us;
    char updated_by[ACTOR_NAME_MAX + 1];
    struct tag_rule_list rules;
};
static inline void cleanup_tag_rule_set(struct tag_rule_set *set)
{
    tag_rule_list_dispose(&set->rules);
}
#define auto_tag_rule_set __attribute__((cleanup(cleanup_tag_rule_set)))

/* The rules of a namespace, none when it has none. Any tx. */
bool tag_rule_set_get(struct db_tx *tx, int64_t namespace_id, struct tag_rule_set *out,
                      struct err *err) MUST_USE;
/* The generation alone: has anything changed? Any tx. */
bool tag_rule_generation(struct db_tx *tx, int64_t namespace_id, int64_t *out,
                         struct err *err) MUST_USE;
/* Replaces all rules of a namespace by these (checked by tag_rule_doc.h). They hold from this
 * transaction on, for tags that are there already too. Writer; the caller audits. */
bool tag_rule_set_put(struct db_tx *tx, int64_t namespace_id, const struct tag_rule_list *rules,
                      const struct actor *actor, int64_t now_us, struct err *err) MUST_USE;
/* The first namespace from this id on that has a rule of retention; 0 = none. Any tx. */
bool tag_rule_next_namespace(struct db_tx *tx, int64_t namespace_id, int64_t *out,
                             struct err *err) MUST_USE;

/* The first immutable rule that matches, and the first other one; NULL = none. Borrowed from the
 * list. */
const struct tag_rule *tag_rule_immutable(const struct tag_rule_list *rules,
                                          struct slice repository, struct slice tag);
const struct tag_rule *tag_rule_retention(const struct tag_rule_list *rules,
                                          struct slice repository, struct slice tag);

/* --- what immutable rules protect (tag_rule_protect.c) ---------------------------------------- */

struct tag_protection {
    bool holds;
    char rule[TAG_RULE_NAME_MAX + 1];
    struct tag_name tag; /* the immutable tag */
};
/* Whether any tag of the repository is immutable: then the repository is not deleted. Reads all
 * names of tags, by pages, when a rule matches the repository. Any tx. */
bool tag_rule_protects_repository(struct db_tx *tx, int64_t repository_id,
                                  struct tag_protection *out, struct err *err) MUST_USE;

/* Refusals, naming the rule and the tag. Expected errors: ERR_DENIED. Any tx; one statement when no
 * rule is about the repository. */
/* Of moving or removing a tag of this name that is there. */
bool tag_rule_may_move(struct db_tx *tx, int64_t repository_id, const struct tag_name *tag,
                       struct err *err) MUST_USE;
/* Of deleting a manifest or blob that belongs to the image of an immutable tag: the tag points to
 * it, or to what names it as config, layer or child, to any depth. What is only about an image (its
 * referrers) does not belong to it. */
bool tag_rule_may_delete(struct db_tx *tx, int64_t repository_id, const struct digest *digest,
                         struct err *err) MUST_USE;

#endif
