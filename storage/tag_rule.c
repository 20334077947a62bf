#include "storage/tag_rule.h"

#include "base/pattern.h"
#include "storage/row.h"
#include "storage/statements.h"
#include "storage/tag_rule_row.h"

void tag_rule_list_dispose(struct tag_rule_list *list)
{
    free(list->items);
    *list = (struct tag_rule_list){0};
}

void tag_rule_read(struct db_stmt *q, struct tag_rule *out)
{
    row_text(q, 0, out->name, sizeof(out->name));
    row_text(q, 1, out->repository, sizeof(out->repository));
    row_text(q, 2, out->tag, sizeof(out->tag));
    out->immutable = db_col_int(q, 3) != 0;
    out->newest = db_col_int(q, 4);
    out->younger_us = db_col_int(q, 5);
    out->pulled_us = db_col_int(q, 6);
}

static bool read_all(struct db_stmt *q, struct tag_rule_list *out, struct err *err)
{
    enum db_result result;
    *out = (struct tag_rule_list){0};
    while ((result = db_step(q, err)) == DB_ROW) {
        out->items = list_room(out->items, out->count, sizeof(*out->items));
        tag_rule_read(q, &out->items[out->count++]);
    }
    if (result == DB_FAILED) {
        tag_rule_list_dispose(out);
    }
    return result == DB_DONE;
}

/* --- the set of a namespace ------------------------------------------------------------------- */

/* The set without its rules; zero when it was never set. */
static bool read_head(struct db_tx *tx, int64_t namespace_id, struct tag_rule_set *out,
                      struct err *err)
{
    bool found = false;
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_TAG_RULE_SET_GET);
    db_bind_int(q, 1, namespace_id);
    *out = (struct tag_rule_set){0};
    if (!row_exists(q, &found, err)) {
        return false;
    }
    if (found) {
        out->generation = db_col_int(q, 0);
        out->updated_us = db_col_int(q, 1);
        row_text(q, 2, out->updated_by, sizeof(out->updated_by));
    }
    return true;
}

bool tag_rule_set_get(struct db_tx *tx, int64_t namespace_id, struct tag_rule_set *out,
                      struct err *err)
{
    if (!read_head(tx, namespace_id, out, err)) {
        return false;
    }
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_TAG_RULE_LIST);
    db_bind_int(q, 1, namespace_id);
    return read_all(q, &out->rules, err);
}

bool tag_rule_generation(struct db_tx *tx, int64_t namespace_id, int64_t *out, struct err *err)
{
    struct tag_rule_set head;
    bool done = read_head(tx, namespace_id, &head, err);
    *out = head.generation;
    return done;
}

static bool insert_rule(struct db_tx *tx, int64_t namespace_id, int64_t place,
                        const struct tag_rule *rule, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_TAG_RULE_INSERT);
    db_bind_int(q, 1, namespace_id);
    db_bind_int(q, 2, place);
    db_bind_str(q, 3, rule->name);
    db_bind_str(q, 4, rule->repository);
    db_bind_str(q, 5, rule->tag);
    db_bind_int(q, 6, rule->immutable);
    db_bind_int(q, 7, rule->newest);
    db_bind_int(q, 8, rule->younger_us);
    db_bind_int(q, 9, rule->pulled_us);
    return db_run(q, err);
}

static bool replace_head(struct db_tx *tx, int64_t namespace_id, const struct actor *actor,
                         int64_t now_us, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_TAG_RULE_SET_PUT);
    db_bind_int(q, 1, namespace_id);
    db_bind_int(q, 2, now_us);
    db_bind_str(q, 3, actor->name);
    if (!db_run(q, err)) {
        return false;
    }
    auto_stmt struct db_stmt *clear = db_stmt(tx, SQL_TAG_RULE_CLEAR);
    db_bind_int(clear, 1, namespace_id);
    return db_run(clear, err);
}

bool tag_rule_set_put(struct db_tx *tx, int64_t namespace_id, const struct tag_rule_list *rules,
                      const struct actor *actor, int64_t now_us, struct err *err)
{
    if (!replace_head(tx, namespace_id, actor, now_us, err)) {
        return false;
    }
    for (size_t i = 0; i < rules->count; i++) {
        if (!insert_rule(tx, namespace_id, (int64_t)i, &rules->items[i], err)) {
            return false;
        }
    }
    return true;
}

bool tag_rule_next_namespace(struct db_tx *tx, int64_t namespace_id, int64_t *out, struct err *err)
{
    bool found = false;
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_TAG_RULE_NEXT_NAMESPACE);
    db_bind_int(q, 1, namespace_id);
    if (!row_exists(q, &found, err)) {
        return false;
    }
    *out = found ? db_col_int(q, 0) : 0;
    return true;
}

/* --- which rule ------------------------------------------------------------------------------- */

static bool matches(const struct tag_rule *rule, struct slice repository, struct slice tag)
{
    return pattern_matches(rule->tag, tag) && pattern_matches(rule->repository, repository);
}

static const struct tag_rule *first_of(const struct tag_rule_list *rules, bool immutable,
                                       struct slice repository, struct slice tag)
{
    for (size_t i = 0; i < rules->count; i++) {
        const struct tag_rule *rule = &rules->items[i];
        if (rule->immutable == immutable && matches(rule, repository, tag)) {
            return rule;
        }
    }
    return NULL;
}

const struct tag_rule *tag_rule_immutable(const struct tag_rule_list *rules,
                                          struct slice repository, struct slice tag)
{
    return first_of(rules, true, repository, tag);
}

const struct tag_rule *tag_rule_retention(const struct tag_rule_list *rules,
                                          struct slice repository, struct slice tag)
{
    return first_of(rules, false, repository, tag);
}
