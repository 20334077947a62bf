/* Which policy applies to an image, and why (gate.md 2.3): everything that was looked at, in the order
 * of what wins. */
#include "base/pattern.h"
#include "server/administration.h"
#include "server/api.h"
#include "server/app.h"
#include "server/policy_scope.h"
#include "server/verify.h"
#include "storage/policy.h"

#include <stdarg.h>
#include <stdio.h>

#define PATTERNS_SHOWN_MAX 100

struct explanation {
    struct db_tx *tx;
    struct image_name image;
    struct policy_row row; /* the one that applies */
    struct policy policy;
    json_t *steps;
};

static void explanation_dispose(struct explanation *e)
{
    policy_row_dispose(&e->row);
    policy_dispose(&e->policy);
    json_decref(e->steps);
}
#define auto_explanation __attribute__((cleanup(explanation_dispose)))

static void step(struct explanation *e, const char *name, bool ok, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
static void step(struct explanation *e, const char *name, bool ok, const char *fmt, ...)
{
    auto_buf struct buf text = {0};
    char line[1024];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    buf_str(&text, line);
    json_array_append_new(
        e->steps, json_pack("{s:s, s:b, s:s}", "step", name, "ok", (int)ok, "text", text.p));
}

/* --- which one ---------------------------------------------------------------------------------- */

/* Whether a scope has a policy of its own, and whether that is the one. */
static bool explain_scope(struct explanation *e, const char *name, const char *scope,
                          struct err *err)
{
    auto_policy_row struct policy_row row = {0};
    struct err why = {0};
    if (strcmp(scope, e->row.scope) == 0) {
        step(e, name, true, "%s has a policy: it is the one that applies", scope);
        return true;
    }
    bool stored = policy_row_get(e->tx, scope, &row, &why);
    if (!stored && why.code != ERR_NOT_FOUND) {
        *err = why;
        return false;
    }
    step(e, name, false,
         stored ? "%s has a policy, behind the one that applies" : "%s has no policy of its own",
         scope);
    return true;
}

static void explain_pattern(struct explanation *e, const char *scope)
{
    const char *repo = e->image.repo.text;
    if (strcmp(scope, e->row.scope) == 0) {
        step(e, "pattern", true, "%s matches, and no longer pattern does: it applies", scope);
    } else if (pattern_matches(scope, slice_str(repo))) {
        step(e, "pattern", false, "%s matches, behind the one that applies", scope);
    } else {
        step(e, "pattern", false, "%s does not match %s", scope, repo);
    }
}

static bool explain_patterns(struct explanation *e, const char *ns, struct err *err)
{
    auto_policy_row_list struct policy_row_list rows = {0};
    auto_buf struct buf prefix = {0};
    buf_printf(&prefix, "%s/", ns);
    if (!policy_row_list(e->tx, buf_slice_of(&prefix), PATTERNS_SHOWN_MAX, &rows, err)) {
        return false;
    }
    for (size_t i = 0; i < rows.count; i++) {
        struct slice scope = slice_str(rows.items[i].scope);
        if (slice_starts(scope, prefix.p) && slice_ends(scope, "*")) {
            explain_pattern(e, rows.items[i].scope);
        }
    }
    return true;
}

/* --- what it means for the image -------------------------------------------------------------- */

static const char *level_text(enum policy_level level)
{
    switch (level) {
    case LEVEL_OFF:
        return "everybody gets everything that he may pull";
    case LEVEL_WARN:
        return "gated identities get everything, with a warning where `deploy` would refuse";
    case LEVEL_DEPLOY:
        return "gated identities get only what is signed, everybody else everything";
    case LEVEL_ALL:
        return "who may neither push nor sign gets only what is signed";
    case LEVEL_LOCK:
        return "as `all`; and a signed tag is moved only to what is signed for it";
    }
    return "";
}

static void join(const struct policy_texts *texts, struct buf *out)
{
    for (size_t i = 0; i < texts->count; i++) {
        buf_printf(out, "%s%s", i ? ", " : "", texts->items[i]);
    }
    if (texts->count == 0) {
        buf_str(out, "none");
    }
}

static void explain_tag(struct explanation *e)
{
    auto_buf struct buf tags = {0}, digest_tags = {0};
    struct slice tag = tag_name_slice(&e->image.tag);
    bool covered = policy_list_matches(&e->policy.tags, tag);
    bool counts = covered && policy_list_matches(&e->policy.digest_tags, tag);
    join(&e->policy.tags, &tags);
    join(&e->policy.digest_tags, &digest_tags);
    step(e, "tag", covered,
         covered ? "%s is covered (tags: %s)"
                 : "%s is not covered (tags: %s): gated identities do not get it",
         e->image.tag.text, tags.p);
    step(e, "digest", counts,
         counts ? "what %s releases may be pulled by digest too (digest_tags: %s)"
                : "what %s releases may not be pulled by digest for its sake (digest_tags: %s)",
         e->image.tag.text, digest_tags.p);
}

static void explain_meaning(struct explanation *e)
{
    auto_buf struct buf signers = {0};
    step(e, "level", true, "level %s: %s", policy_level_name(e->policy.level),
         level_text(e->policy.level));
    if (e->policy.signers_threshold > 0) {
        join(&e->policy.signers, &signers);
        step(e, "signers", true, "%lld of these must have signed the same: %s",
             (long long)e->policy.signers_threshold, signers.p);
    }
    if (e->image.has_tag) {
        explain_tag(e);
    }
}

/* --- the route -------------------------------------------------------------------------------- */

static bool explain(struct explanation *e, struct err *err)
{
    struct namespace_name ns;
    struct err bad = {0};
    repo_name_namespace(&e->image.repo, &ns);
    if (!policy_row_find(e->tx, &e->image.repo, &e->row, err)) {
        return false;
    }
    if (!policy_read_text(slice_str(e->row.json), &e->policy, &bad)) {
        return err_internal(err, "the stored policy of %s does not read: %s", e->row.scope,
                            bad.msg);
    }
    if (!explain_scope(e, "repository", e->image.repo.text, err) ||
        !explain_patterns(e, ns.text, err) || !explain_scope(e, "namespace", ns.text, err) ||
        !explain_scope(e, "server", "*", err)) {
        return false;
    }
    explain_meaning(e);
    return true;
}

static bool may_read(struct explanation *e, const struct request *rq, struct err *err)
{
    struct policy_scope scope = {.global = false};
    int64_t namespace_id = 0;
    repo_name_namespace(&e->image.repo, &scope.namespace_);
    return policy_scope_allowed(e->tx, rq, &scope, ACTION_POLICY_READ, &namespace_id, err);
}

/* GET /api/v1/policy/explain?image=NS/REPO[:TAG]. The repository need not be there yet. */
void api_policy_explain(struct request *rq, struct reply *reply)
{
    auto_snapshot struct db_tx *tx = NULL;
    auto_explanation struct explanation e = {.steps = json_array()};
    auto_buf struct buf image = {0};
    struct err err = {0};
    if (!request_query(rq, "image", 0, &image)) {
        (void)err_set(&err, ERR_INVALID, "the parameter image is needed: ?image=ns/app:tag");
        reply_error(reply, &err);
        return;
    }
    bool tagged = slice_rindex(buf_slice_of(&image), ':') > slice_rindex(buf_slice_of(&image), '/');
    if (!image_name_parse(rq->app->trust, buf_slice_of(&image), &e.image, &err) ||
        !db_snapshot(rq->app->db, &tx, &err)) {
        reply_error(reply, &err);
        return;
    }
    e.tx = tx;
    e.image.has_tag = e.image.has_tag && tagged;
    if (!may_read(&e, rq, &err) || !explain(&e, &err)) {
        reply_error(reply, &err);
        return;
    }
    reply_json(reply, 200,
               json_pack("{s:s, s:s, s:I, s:o, s:s, s:o, s:O}", "repository", e.image.repo.text,
                         "scope", e.row.scope, "generation", (json_int_t)e.row.generation,
                         "updated", administration_time(e.row.updated_us), "updated_by",
                         e.row.updated_by, "policy", policy_write(&e.policy), "explain", e.steps));
}
