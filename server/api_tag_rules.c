/* Tag rules of a namespace by API: read, set, and see what they would remove. */
#include "server/administration.h"
#include "server/api.h"
#include "server/app.h"
#include "server/registry.h"
#include "storage/audit.h"
#include "storage/retention.h"
#include "storage/tag_rule_doc.h"
#include "trust/policy.h"

/* --- read ------------------------------------------------------------------------------------- */

static json_t *set_json(const struct namespace_name *ns, const struct tag_rule_set *set)
{
    json_t *out = json_pack("{s:s, s:I, s:o}", "namespace", ns->text, "generation",
                            (json_int_t)set->generation, "rules", tag_rule_doc_write(&set->rules));
    if (set->generation > 0) {
        (void)json_object_set_new(out, "updated", administration_time(set->updated_us));
        (void)json_object_set_new(out, "updated_by", json_string(set->updated_by));
    }
    return out;
}

/* GET /api/v1/namespaces/NS/tag-rules */
void api_tag_rules_get(struct request *rq, struct reply *reply)
{
    auto_snapshot struct db_tx *tx = NULL;
    auto_tag_rule_set struct tag_rule_set set = {0};
    struct access_answer answer;
    struct namespace_name ns;
    struct err err = {0};
    if (!administration_namespace(rq, &ns, &err) ||
        !administration_open(rq, ACTION_POLICY_READ, &tx, &answer, &err) ||
        !tag_rule_set_get(tx, answer.facts.namespace_id, &set, &err)) {
        return reply_error(reply, &err);
    }
    reply_json(reply, 200, set_json(&ns, &set));
}

/* --- set -------------------------------------------------------------------------------------- */

struct change {
    const struct request *rq;
    struct namespace_name ns;
    struct tag_rule_list rules;
    struct tag_rule_set stored; /* out */
    struct actor actor;
};

static void rules_text(const struct tag_rule_list *rules, struct buf *out)
{
    auto_json json_t *array = tag_rule_doc_write(rules);
    json_write(out, array);
}

static bool audit_change(struct db_tx *tx, const struct change *c, int64_t namespace_id,
                         const struct tag_rule_set *before, struct err *err)
{
    auto_buf struct buf old_text = {0};
    auto_buf struct buf new_text = {0};
    rules_text(&before->rules, &old_text);
    rules_text(&c->rules, &new_text);
    const struct audit_entry entry = {.action = "tag_rules.put",
                                      .namespace_id = namespace_id,
                                      .object = namespace_name_slice(&c->ns),
                                      .outcome = AUDIT_OK,
                                      .before = buf_slice_of(&old_text),
                                      .after = buf_slice_of(&new_text)};
    return audit_append(tx, &c->actor, &entry, c->rq->now_us, err);
}

static bool put_transaction(struct db_tx *tx, void *arg, struct err *err)
{
    struct change *c = arg;
    auto_tag_rule_set struct tag_rule_set before = {0};
    struct access_answer answer;
    int64_t now = c->rq->now_us;
    if (!access_check_namespace(tx, c->rq->identity, &c->ns, ACTION_POLICY_SET, &answer, err) ||
        !access_require(c->rq->identity, &answer, err)) {
        return false;
    }
    int64_t id = answer.facts.namespace_id;
    tag_rule_list_dispose(&c->stored.rules);
    return tag_rule_set_get(tx, id, &before, err) &&
           tag_rule_set_put(tx, id, &c->rules, &c->actor, now, err) &&
           audit_change(tx, c, id, &before, err) && tag_rule_set_get(tx, id, &c->stored, err);
}

/* The right is looked at before the body too: a stranger is not told what is wrong with it. */
static bool read_change(const struct request *rq, struct change *c, struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    auto_json json_t *body = NULL;
    struct access_answer answer;
    administration_actor(rq, &c->actor);
    return administration_namespace(rq, &c->ns, err) &&
           administration_open(rq, ACTION_POLICY_SET, &tx, &answer, err) &&
           request_json(rq, &body, err) && tag_rule_doc_read(body, &c->ns, &c->rules, err);
}

/* PUT /api/v1/namespaces/NS/tag-rules */
void api_tag_rules_put(struct request *rq, struct reply *reply)
{
    struct change c = {.rq = rq};
    struct err err = {0};
    if (read_change(rq, &c, &err) && db_write(rq->app->db, put_transaction, &c, &err)) {
        reply_json(reply, 200, set_json(&c.ns, &c.stored));
    } else {
        reply_error(reply, &err);
    }
    tag_rule_list_dispose(&c.rules);
    tag_rule_list_dispose(&c.stored.rules);
}

/* --- dry run ---------------------------------------------------------------------------------- */

static json_t *line_json(const struct retention_line *line)
{
    char digest[DIGEST_STR_MAX];
    enum retention_reason reason = line->verdict.reason;
    const struct tag_rule *rule = line->verdict.rule;
    return json_pack(
        "{s:s, s:s, s:s, s:o, s:s, s:s?, s:s, s:s}", "repository", line->repo.text, "tag",
        line->item.name.text, "digest", digest_format(&line->item.tag.digest, digest), "updated",
        administration_time(line->item.tag.updated_us), "action",
        reason == RETENTION_GOES ? "remove" : "keep", "rule", rule == NULL ? NULL : rule->name,
        "reason", retention_reason_word(reason), "why", retention_reason_sentence(reason));
}

static json_t *lines_json(const struct retention_lines *lines)
{
    json_t *tags = json_array();
    for (size_t i = 0; i < lines->count; i++) {
        (void)json_array_append_new(tags, line_json(&lines->items[i]));
    }
    json_t *out = json_pack("{s:o}", "tags", tags);
    if (lines->more && lines->count > 0) {
        const struct retention_line *last = &lines->items[lines->count - 1];
        (void)json_object_set_new(out, "next",
                                  json_sprintf("%s:%s", last->repo.text, last->item.name.text));
    }
    return out;
}

/* The rules of the body, or without one those that are stored. */
static bool rules_to_try(const struct request *rq, struct db_tx *tx, int64_t namespace_id,
                         struct tag_rule_set *out, struct err *err)
{
    auto_json json_t *body = NULL;
    struct namespace_name ns;
    if (rq->body.n == 0) {
        return tag_rule_set_get(tx, namespace_id, out, err);
    }
    return administration_namespace(rq, &ns, err) && request_json(rq, &body, err) &&
           tag_rule_doc_read(body, &ns, &out->rules, err);
}

/* `last` of the dry run: REPO:TAG that the page before ended with. Both empty: from the beginning. */
static bool read_place(const struct request *rq, struct buf *last, struct slice *repo_out,
                       struct slice *tag_out, struct err *err)
{
    *repo_out = (struct slice){0};
    (void)request_query(rq, "last", 0, last);
    *tag_out = buf_slice_of(last);
    if (last->n > 0 && (!slice_next(tag_out, ':', repo_out) || tag_out->n == 0)) {
        return err_set(err, ERR_REQUEST_INVALID,
                       "the parameter last is REPO:TAG, with which a page ended");
    }
    return true;
}

static bool dry_run(const struct request *rq, json_t **out, struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    auto_tag_rule_set struct tag_rule_set set = {0};
    auto_retention_lines struct retention_lines lines = {0};
    auto_buf struct buf last = {0};
    struct access_answer answer;
    struct slice repo, tag;
    if (!read_place(rq, &last, &repo, &tag, err) ||
        !administration_open(rq, ACTION_POLICY_READ, &tx, &answer, err) ||
        !rules_to_try(rq, tx, answer.facts.namespace_id, &set, err) ||
        !retention_preview(tx, answer.facts.namespace_id, &set, policy_grace, repo, tag, PAGE_MAX,
                           rq->now_us, &lines, err)) {
        return false;
    }
    *out = lines_json(&lines);
    return true;
}

/* POST /api/v1/namespaces/NS/tag-rules/dry-run?last=NS/REPO:TAG */
void api_tag_rules_dry_run(struct request *rq, struct reply *reply)
{
    struct err err = {0};
    json_t *answer = NULL;
    if (!dry_run(rq, &answer, &err)) {
        return reply_error(reply, &err);
    }
    reply_json(reply, 200, answer);
}
