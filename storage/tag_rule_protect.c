#include "base/pattern.h"
#include "storage/row.h"
#include "storage/statements.h"
#include "storage/tag.h"
#include "storage/tag_rule_row.h"

#define TAGS_PAGE 1000

/* The immutable rules that match a repository's name: most repositories have none. */
struct guard {
    struct tag_rule_list rules;
    struct repo_name repo;
};
static void guard_dispose(struct guard *guard)
{
    tag_rule_list_dispose(&guard->rules);
}
#define auto_guard __attribute__((cleanup(guard_dispose)))

/* Rows of RULE_COLUMNS and the repository's name. */
static bool read_guard(struct db_stmt *q, struct guard *out, struct err *err)
{
    enum db_result result;
    while ((result = db_step(q, err)) == DB_ROW) {
        struct tag_rule rule;
        tag_rule_read(q, &rule);
        if (!pattern_matches(rule.repository, db_col_text(q, 7))) {
            continue;
        }
        out->rules.items = list_room(out->rules.items, out->rules.count, sizeof(rule));
        out->rules.items[out->rules.count++] = rule;
        row_text(q, 7, out->repo.text, sizeof(out->repo.text));
        out->repo.n = (uint16_t)strlen(out->repo.text);
    }
    return result == DB_DONE;
}

static bool guard_of(struct db_tx *tx, int64_t repository_id, struct guard *out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_TAG_RULE_IMMUTABLE);
    db_bind_int(q, 1, repository_id);
    return read_guard(q, out, err);
}

/* Fills `out` when one of the rules matches the tag. */
static void look_at(const struct guard *guard, struct slice tag, struct tag_protection *out)
{
    const struct tag_rule *rule =
        tag_rule_immutable(&guard->rules, repo_name_slice(&guard->repo), tag);
    if (rule == NULL) {
        return;
    }
    out->holds = true;
    memcpy(out->rule, rule->name, sizeof(out->rule));
    out->tag.n = (uint8_t)slice_first(tag, TAG_NAME_MAX).n;
    memcpy(out->tag.text, tag.p, out->tag.n);
    out->tag.text[out->tag.n] = '\0';
}

static bool protects_tag(struct db_tx *tx, int64_t repository_id, const struct tag_name *tag,
                         struct tag_protection *out, struct err *err)
{
    auto_guard struct guard guard = {0};
    *out = (struct tag_protection){0};
    if (!guard_of(tx, repository_id, &guard, err)) {
        return false;
    }
    look_at(&guard, tag_name_slice(tag), out);
    return true;
}

static bool look_at_needing(struct db_tx *tx, int64_t repository_id, const struct digest *digest,
                            const struct guard *guard, struct tag_protection *out, struct err *err)
{
    enum db_result result = DB_DONE;
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_TAG_NEEDS);
    db_bind_int(q, 1, repository_id);
    db_bind_digest(q, 2, digest);
    while (!out->holds && (result = db_step(q, err)) == DB_ROW) {
        look_at(guard, db_col_text(q, 0), out);
    }
    return result != DB_FAILED;
}

static bool protects_content(struct db_tx *tx, int64_t repository_id, const struct digest *digest,
                             struct tag_protection *out, struct err *err)
{
    auto_guard struct guard guard = {0};
    *out = (struct tag_protection){0};
    if (!guard_of(tx, repository_id, &guard, err)) {
        return false;
    }
    return guard.rules.count == 0 || look_at_needing(tx, repository_id, digest, &guard, out, err);
}

bool tag_rule_protects_repository(struct db_tx *tx, int64_t repository_id,
                                  struct tag_protection *out, struct err *err)
{
    auto_guard struct guard guard = {0};
    struct tag_name last = {0};
    *out = (struct tag_protection){0};
    if (!guard_of(tx, repository_id, &guard, err)) {
        return false;
    }
    for (bool more = guard.rules.count > 0; more && !out->holds;) {
        auto_tag_list struct tag_list tags = {0};
        if (!tag_list_names(tx, repository_id, tag_name_slice(&last), TAGS_PAGE, &tags, err)) {
            return false;
        }
        for (size_t i = 0; i < tags.count && !out->holds; i++) {
            last = tags.items[i].name;
            look_at(&guard, tag_name_slice(&last), out);
        }
        more = tags.more;
    }
    return true;
}

/* --- refusals --------------------------------------------------------------------------------- */

bool tag_rule_may_move(struct db_tx *tx, int64_t repository_id, const struct tag_name *tag,
                       struct err *err)
{
    struct tag_protection p;
    if (!protects_tag(tx, repository_id, tag, &p, err)) {
        return false;
    }
    return !p.holds || err_set(err, ERR_DENIED,
                               "the tag %s is immutable by the tag rule \"%s\" of this namespace: "
                               "it is not moved or removed; push under another tag",
                               tag->text, p.rule);
}

bool tag_rule_may_delete(struct db_tx *tx, int64_t repository_id, const struct digest *digest,
                         struct err *err)
{
    struct tag_protection p;
    char text[DIGEST_STR_MAX];
    if (!protects_content(tx, repository_id, digest, &p, err)) {
        return false;
    }
    return !p.holds || err_set(err, ERR_DENIED,
                               "%s is part of the image of the tag %s, which is immutable by the "
                               "tag rule \"%s\" of this namespace: it is not deleted",
                               digest_format(digest, text), p.tag.text, p.rule);
}
