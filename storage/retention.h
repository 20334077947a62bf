/* Retention: which tags the rules of a namespace let go, and the rounds that remove them.
 * Owns: the decision about a tag, the tables retention and retired_manifest. Refuses to know: how
 * long a policy's grace is (the caller tells), what a signature says (every role that lists
 * something keeps it, whoever signed).
 * Invariants
 *   1. One function decides, for the preview and for the removal.
 *   2. The decision is taken again inside the transaction that removes: a tag that was moved or
 *      signed meanwhile stays, and so does everything of a repository in which somebody removed a
 *      tag meanwhile (it may have been one of the newest), until it has been counted again.
 *   3. A manifest that lost its last tag so goes unless an index names it, or its subject is here,
 *      or it is signed, in grace, overridden or of a current release; then its children and its referrers are looked at
 *      likewise.
 *   4. No transaction does more than a bounded amount; a round goes on where it was after a
 *      restart. */
#ifndef STORAGE_RETENTION_H
#define STORAGE_RETENTION_H

#include "storage/repository.h"
#include "storage/store.h"
#include "storage/tag.h"
#include "storage/tag_rule.h"

enum retention_reason {
#define REASON(symbol, word, sentence) symbol,
#include "storage/retention_reasons.h"
#undef REASON
    RETENTION_REASON_COUNT
};
const char *retention_reason_word(enum retention_reason reason);
const char *retention_reason_sentence(enum retention_reason reason);

struct retention_verdict {
    enum retention_reason reason;
    const struct tag_rule *rule; /* NULL: none. Borrowed from the rules */
};

/* How long the content of a repository that was released stays pullable after its release ended:
 * microseconds, DURATION_FOREVER. */
typedef bool (*retention_grace_fn)(struct db_tx *tx, const struct repo_name *repo, int64_t *us_out,
                                   struct err *err);

/* --- one repository --------------------------------------------------------------------------- */

struct retention_plan; /* the rules over one repository; one thread */

/*   rules   borrowed, must outlive the plan
 * Any tx. Owned by the caller. */
bool retention_plan_new(struct db_tx *tx, const struct repository *repo,
                        const struct tag_rule_set *rules, retention_grace_fn grace,
                        struct retention_plan **out, struct err *err) MUST_USE;
void retention_plan_free(struct retention_plan *plan); /* accepts NULL */
static inline void cleanup_retention_plan(struct retention_plan **plan)
{
    retention_plan_free(*plan);
}
#define auto_retention_plan __attribute__((cleanup(cleanup_retention_plan)))

/* Counts a page of tags, which has to be done until *more_out is false before anything is decided.
 * The transactions may be different ones. Any tx. */
bool retention_plan_count(struct retention_plan *plan, struct db_tx *tx, int max, bool *more_out,
                          struct err *err) MUST_USE;
/* Reads again what may have changed since the plan was made; false in *out when it is worth nothing
 * any more: other rules, or a tag was removed. Any tx. */
bool retention_plan_renew(struct retention_plan *plan, struct db_tx *tx, bool *out,
                          struct err *err) MUST_USE;
/* What was removed until now is looked for here, so that renewals need not look there again and
 * stay short in a repository that loses many tags. Only in a snapshot: what a write transaction
 * sees may be rolled back. */
bool retention_plan_follow(struct retention_plan *plan, struct db_tx *tx,
                           struct err *err) MUST_USE;
bool retention_decide(const struct retention_plan *plan, struct db_tx *tx,
                      const struct tag_item *item, int64_t now_us, struct retention_verdict *out,
                      struct err *err) MUST_USE;
/* Whether a manifest is of a current release (KEPT_RELEASE), named by an override that has not ended
 * (KEPT_OVERRIDE), signed
 * (KEPT_SIGNED), in grace (KEPT_GRACE), or none of them (RETENTION_GOES). */
bool retention_decide_manifest(struct db_tx *tx, int64_t repository_id, const struct digest *digest,
                               int64_t grace_us, int64_t now_us, enum retention_reason *out,
                               struct err *err) MUST_USE;

/* --- what would happen ------------------------------------------------------------------------ */

struct retention_line {
    struct repo_name repo;
    struct tag_item item;
    struct retention_verdict verdict;
};
struct retention_lines {
    struct retention_line *items;
    size_t count;
    bool more; /* go on after the last one */
};
void retention_lines_dispose(struct retention_lines *lines);
static inline void cleanup_retention_lines(struct retention_lines *lines)
{
    retention_lines_dispose(lines);
}
#define auto_retention_lines __attribute__((cleanup(cleanup_retention_lines)))

/* Decides about all tags of a namespace, by repository and tag, changing nothing.
 *   rules       stored or proposed ones; the lines borrow from them
 *   after_repo, after_tag   lines after this one; "" = from the start
 *   max         1 … 1,000
 * Any tx; counts all tags of every repository that it touches. */
bool retention_preview(struct db_tx *tx, int64_t namespace_id, const struct tag_rule_set *rules,
                       retention_grace_fn grace, struct slice after_repo, struct slice after_tag,
                       int max, int64_t now_us, struct retention_lines *out,
                       struct err *err) MUST_USE;

/* --- rounds ----------------------------------------------------------------------------------- */

#define RETENTION_ACTOR "retention" /* in the audit log and in the history of tags */

struct retention; /* maintenance thread */

/*   store         borrowed, must outlive
 *   interval_us   from the beginning of a round to that of the next */
struct retention *retention_new(struct store *store, retention_grace_fn grace, int64_t interval_us);
void retention_free(struct retention *r); /* accepts NULL */

struct retention_result {
    bool more;           /* call again */
    int tags, manifests; /* removed */
};
/* One step: a page of tags is counted or decided about, a few manifests are removed, or the next
 * repository is looked for. Every removal is an entry of the audit log. */
bool retention_step(struct retention *r, int64_t now_us, struct retention_result *out,
                    struct err *err) MUST_USE;

#endif
