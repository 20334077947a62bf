#include "base/artifact_tag.h"
#include "base/duration.h"
#include "base/hash.h"
#include "base/pattern.h"
#include "storage/manifest.h"
#include "storage/override.h"
#include "storage/pull.h"
#include "storage/release.h"
#include "storage/retention.h"
#include "storage/role_target.h"
#include "storage/row.h"
#include "storage/statements.h"

static const struct {
    const char *word, *sentence;
} reasons[RETENTION_REASON_COUNT] = {
#define REASON(symbol, word, sentence) [symbol] = {word, sentence},
#include "storage/retention_reasons.h"
#undef REASON
};

const char *retention_reason_word(enum retention_reason reason)
{
    return reasons[reason].word;
}

const char *retention_reason_sentence(enum retention_reason reason)
{
    return reasons[reason].sentence;
}

/* The times of a rule's newest tags, the oldest of them on top (a binary heap). */
struct newest {
    int64_t *times;
    size_t count, max;
};

struct retention_plan {
    struct repository repo;
    const struct tag_rule_set *rules;
    retention_grace_fn grace;
    int64_t grace_us;
    int64_t pulls_since_us; /* 0: pulls are not noted yet */
    int64_t mark; /* a change of any tag; from when counting began until then none was removed */
    struct newest *newest;  /* by rule */
    struct tag_name last;   /* counted up to here */
};

/* --- the newest ------------------------------------------------------------------------------- */

static void sift_down(struct newest *n)
{
    size_t i = 0;
    for (;;) {
        size_t least = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < n->count; child++) {
            least = n->times[child] < n->times[least] ? child : least;
        }
        if (least == i) {
            return;
        }
        int64_t t = n->times[i];
        n->times[i] = n->times[least];
        n->times[least] = t;
        i = least;
    }
}

static void sift_up(struct newest *n, size_t i)
{
    while (i > 0 && n->times[i] < n->times[(i - 1) / 2]) {
        int64_t t = n->times[i];
        n->times[i] = n->times[(i - 1) / 2];
        n->times[(i - 1) / 2] = t;
        i = (i - 1) / 2;
    }
}

static void newest_add(struct newest *n, int64_t time_us)
{
    if (n->count < n->max) {
        n->times[n->count++] = time_us;
        sift_up(n, n->count - 1);
    } else if (n->max > 0 && time_us > n->times[0]) {
        n->times[0] = time_us;
        sift_down(n);
    }
}

/* Tags of one time are all new enough, or none. */
static bool newest_has(const struct newest *n, int64_t time_us)
{
    return n->max > 0 && (n->count < n->max || time_us >= n->times[0]);
}

/* --- the plan --------------------------------------------------------------------------------- */

static bool read_facts(struct retention_plan *plan, struct db_tx *tx, struct err *err)
{
    bool found = false;
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_RETENTION_GET);
    if (!row_exists(q, &found, err)) {
        return false;
    }
    plan->pulls_since_us = found ? db_col_int(q, 3) : 0;
    return plan->grace(tx, &plan->repo.name, &plan->grace_us, err);
}

bool retention_plan_new(struct db_tx *tx, const struct repository *repo,
                        const struct tag_rule_set *rules, retention_grace_fn grace,
                        struct retention_plan **out, struct err *err)
{
    struct retention_plan *plan = xcalloc(1, sizeof(*plan));
    plan->repo = *repo;
    plan->rules = rules;
    plan->grace = grace;
    plan->newest = xcalloc(rules->rules.count + 1, sizeof(*plan->newest));
    for (size_t i = 0; i < rules->rules.count; i++) {
        plan->newest[i].max = (size_t)rules->rules.items[i].newest;
        plan->newest[i].times = xcalloc(plan->newest[i].max + 1, sizeof(int64_t));
    }
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_RETENTION_TAG_MARK);
    if (!row_int(q, &plan->mark, err) || !read_facts(plan, tx, err)) {
        retention_plan_free(plan);
        *out = NULL;
        return false;
    }
    *out = plan;
    return true;
}

void retention_plan_free(struct retention_plan *plan)
{
    if (plan == NULL) {
        return;
    }
    for (size_t i = 0; i < plan->rules->rules.count; i++) {
        free(plan->newest[i].times);
    }
    free(plan->newest);
    free(plan);
}

/* The tag is how clients without referrers attach something to an image, and that image is here. */
static bool is_attached(struct db_tx *tx, int64_t repository_id, const struct tag_name *tag,
                        bool *out, struct err *err)
{
    struct digest subject;
    *out = false;
    return !artifact_tag_subject(tag_name_slice(tag), &subject) ||
           manifest_exists(tx, repository_id, &subject, out, err);
}

/* The rule that decides about a tag: an immutable one first. NULL = none. */
static const struct tag_rule *rule_about(const struct retention_plan *plan, struct slice tag)
{
    const struct tag_rule_list *rules = &plan->rules->rules;
    struct slice repository = repo_name_slice(&plan->repo.name);
    const struct tag_rule *rule = tag_rule_immutable(rules, repository, tag);
    return rule != NULL ? rule : tag_rule_retention(rules, repository, tag);
}

static bool count_tag(struct retention_plan *plan, struct db_tx *tx, const struct tag_item *item,
                      struct err *err)
{
    bool attached = false;
    const struct tag_rule *rule = rule_about(plan, tag_name_slice(&item->name));
    if (rule == NULL || rule->immutable) {
        return true;
    }
    if (!is_attached(tx, plan->repo.id, &item->name, &attached, err)) {
        return false;
    }
    if (!attached) {
        newest_add(&plan->newest[rule - plan->rules->rules.items], item->tag.updated_us);
    }
    return true;
}

bool retention_plan_count(struct retention_plan *plan, struct db_tx *tx, int max, bool *more_out,
                          struct err *err)
{
    auto_tag_list struct tag_list tags = {0};
    if (!tag_list(tx, plan->repo.id, tag_name_slice(&plan->last), max, &tags, err)) {
        return false;
    }
    for (size_t i = 0; i < tags.count; i++) {
        if (!count_tag(plan, tx, &tags.items[i], err)) {
            return false;
        }
        plan->last = tags.items[i].name;
    }
    *more_out = tags.more;
    return true;
}

/* Since the mark, by others than retention. */
static bool tags_were_removed(const struct retention_plan *plan, struct db_tx *tx, bool *out,
                              struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_RETENTION_TAGS_REMOVED);
    db_bind_int(q, 1, plan->mark);
    db_bind_int(q, 2, plan->repo.id);
    db_bind_str(q, 3, RETENTION_ACTOR);
    return row_exists(q, out, err);
}

bool retention_plan_follow(struct retention_plan *plan, struct db_tx *tx, struct err *err)
{
    int64_t mark = 0;
    bool removed = false;
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_RETENTION_TAG_MARK);
    if (!row_int(q, &mark, err) || !tags_were_removed(plan, tx, &removed, err)) {
        return false;
    }
    plan->mark = removed ? plan->mark : mark; /* removed: the next renewal finds it too */
    return true;
}

/* Tags that were made or moved since only add to what is newer; tags that were removed do not. */
bool retention_plan_renew(struct retention_plan *plan, struct db_tx *tx, bool *out, struct err *err)
{
    bool removed = false;
    int64_t generation = 0;
    if (!read_facts(plan, tx, err) || !tags_were_removed(plan, tx, &removed, err) ||
        !tag_rule_generation(tx, plan->repo.namespace_id, &generation, err)) {
        return false;
    }
    *out = !removed && generation == plan->rules->generation;
    return true;
}

/* --- the decision ----------------------------------------------------------------------------- */

static int64_t grace_since(int64_t grace_us, int64_t now_us)
{
    return grace_us == DURATION_FOREVER ? 0 : now_us - grace_us;
}

/* The digest under the other algorithm, which a target may list too. */
static bool other_digest(struct db_tx *tx, int64_t repository_id, const struct digest *digest,
                         struct digest *out, struct err *err)
{
    auto_manifest struct manifest *m = NULL;
    struct err why = {0};
    *out = (struct digest){0};
    if (!manifest_get(tx, repository_id, digest, &m, &why)) {
        *err = why;
        return why.code == ERR_MANIFEST_UNKNOWN;
    }
    hash_bytes(digest->algorithm == DIGEST_SHA512 ? DIGEST_SHA256 : DIGEST_SHA512,
               manifest_content(m), out);
    return true;
}

static enum retention_reason reason_of_end(int64_t end_us)
{
    return end_us < 0 ? RETENTION_GOES : end_us == 0 ? KEPT_SIGNED : KEPT_GRACE;
}

/* Overridden, signed, in grace, or none of them. */
static bool decide_signed(struct db_tx *tx, int64_t repository_id, const struct digest *digest,
                          int64_t grace_us, int64_t now_us, enum retention_reason *out,
                          struct err *err)
{
    struct digest other;
    int64_t end_us = 0;
    bool trusted = false;
    bool overridden = false;
    int64_t since_us = grace_since(grace_us, now_us);
    if (!override_names_digest(tx, repository_id, digest, now_us, &overridden, err) ||
        !role_target_any(tx, repository_id, &trusted, err)) {
        return false;
    }
    *out = overridden ? KEPT_OVERRIDE : RETENTION_GOES;
    if (overridden) {
        return true;
    }
    if (!trusted) {
        return true;
    }
    if (!role_target_end(tx, repository_id, digest, since_us, &end_us, err)) {
        return false;
    }
    *out = reason_of_end(end_us);
    if (*out != RETENTION_GOES) {
        return true;
    }
    if (!other_digest(tx, repository_id, digest, &other, err) ||
        (digest_is_set(&other) &&
         !role_target_end(tx, repository_id, &other, since_us, &end_us, err))) {
        return false;
    }
    *out = reason_of_end(end_us);
    return true;
}

bool retention_decide_manifest(struct db_tx *tx, int64_t repository_id, const struct digest *digest,
                               int64_t grace_us, int64_t now_us, enum retention_reason *out,
                               struct err *err)
{
    struct release_use use;
    if (!release_use_of(tx, repository_id, digest, &use, err)) {
        return false;
    }
    if (use.found) {
        *out = KEPT_RELEASE;
        return true;
    }
    return decide_signed(tx, repository_id, digest, grace_us, now_us, out, err);
}

/* What the rule itself keeps, as far as it can be told without looking anything up. */
static enum retention_reason reason_of_rule(const struct retention_plan *plan,
                                            const struct tag_rule *rule, const struct tag *tag,
                                            int64_t now_us)
{
    if (newest_has(&plan->newest[rule - plan->rules->rules.items], tag->updated_us)) {
        return KEPT_NEWEST;
    }
    if (rule->younger_us > 0 && tag->updated_us > now_us - rule->younger_us) {
        return KEPT_YOUNGER;
    }
    if (rule->pulled_us == 0) {
        return RETENTION_GOES;
    }
    int64_t since_us = now_us - rule->pulled_us;
    if (tag->updated_us > since_us) {
        return KEPT_YOUNGER;
    }
    return plan->pulls_since_us == 0 || plan->pulls_since_us > since_us ? KEPT_PULLS_UNKNOWN
                                                                        : RETENTION_GOES;
}

static bool decide_pulled(struct db_tx *tx, const struct retention_plan *plan,
                          const struct tag_rule *rule, const struct tag_item *item, int64_t now_us,
                          enum retention_reason *out, struct err *err)
{
    int64_t pulled_us = 0;
    if (rule->pulled_us == 0) {
        return true;
    }
    if (!pull_last(tx, plan->repo.id, &item->tag.digest, &pulled_us, err)) {
        return false;
    }
    if (pulled_us > now_us - rule->pulled_us) {
        *out = KEPT_PULLED;
    }
    return true;
}

static bool decide_trust(struct db_tx *tx, const struct retention_plan *plan,
                         const struct tag_item *item, int64_t now_us, enum retention_reason *out,
                         struct err *err)
{
    bool listed = false;
    if (!role_target_lists_tag(tx, plan->repo.id, tag_name_slice(&item->name), &listed, err)) {
        return false;
    }
    if (listed) {
        *out = KEPT_SIGNED;
        return true;
    }
    return retention_decide_manifest(tx, plan->repo.id, &item->tag.digest, plan->grace_us, now_us,
                                     out, err);
}

/* What has to be looked up: only for tags that the rule itself does not keep. */
static bool decide_looking(struct db_tx *tx, const struct retention_plan *plan,
                           const struct tag_rule *rule, const struct tag_item *item, int64_t now_us,
                           enum retention_reason *out, struct err *err)
{
    bool attached = false;
    if (!is_attached(tx, plan->repo.id, &item->name, &attached, err)) {
        return false;
    }
    if (attached) {
        *out = KEPT_ATTACHED;
        return true;
    }
    *out = reason_of_rule(plan, rule, &item->tag, now_us);
    if (*out != RETENTION_GOES) {
        return true;
    }
    return decide_pulled(tx, plan, rule, item, now_us, out, err) &&
           (*out != RETENTION_GOES || decide_trust(tx, plan, item, now_us, out, err));
}

bool retention_decide(const struct retention_plan *plan, struct db_tx *tx,
                      const struct tag_item *item, int64_t now_us, struct retention_verdict *out,
                      struct err *err)
{
    *out = (struct retention_verdict){.reason = KEPT_NO_RULE,
                                      .rule = rule_about(plan, tag_name_slice(&item->name))};
    if (out->rule == NULL) {
        return true;
    }
    if (out->rule->immutable) {
        out->reason = KEPT_IMMUTABLE;
        return true;
    }
    return decide_looking(tx, plan, out->rule, item, now_us, &out->reason, err);
}
