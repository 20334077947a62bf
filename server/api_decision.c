/* Records of decisions for those who may see them (gate.md 12, 13): one, explained from history, and
 * lists. Whoever may pull from a repository sees its decisions, a gated identity its own alone, an
 * administrator all. What one may not see is answered like what does not exist. */
#include "auth/access.h"
#include "base/clock.h"
#include "server/administration.h"
#include "server/api.h"
#include "server/app.h"
#include "server/decision_today.h"
#include "server/registry.h"
#include "storage/decision.h"
#include "trust/past.h"

#define LIST_DEFAULT 100
#define LIST_MAX 1000

/* --- who may see what ------------------------------------------------------------------------- */

static bool may_pull(const struct request *rq, struct db_tx *tx, const struct repo_name *name,
                     bool *out, struct err *err)
{
    struct access_answer answer;
    if (!access_check(tx, rq->identity, name, ACTION_PULL, false, &answer, err)) {
        return false;
    }
    *out = answer.result == ACCESS_ALLOWED || access_is_admin(rq->identity);
    return true;
}

static bool is_own(const struct request *rq, const struct decision_row *row)
{
    return rq->identity->account_id != 0 && row->account_id == rq->identity->account_id;
}

/* Whether the caller may pull from the repository of the record, as it is now. */
static bool may_pull_now(const struct request *rq, struct db_tx *tx, const struct decision_row *row,
                         bool *out, struct err *err)
{
    struct repository repo;
    struct err gone = {0};
    *out = access_is_admin(rq->identity);
    if (*out) {
        return true;
    }
    if (!repository_get_by_id(tx, row->repository_id, &repo, &gone)) {
        *err = gone;
        return gone.code == ERR_NAME_UNKNOWN;
    }
    return may_pull(rq, tx, &repo.name, out, err);
}

/*   history_out   the history of the repository may be told too: one's own record stays visible when
 *                 the right to pull is gone, what happened in the repository does not */
static bool find(const struct request *rq, struct db_tx *tx, struct decision_row *out,
                 bool *history_out, struct err *err)
{
    if (!decision_get(tx, rq->params[0], out, err) ||
        !may_pull_now(rq, tx, out, history_out, err)) {
        return false;
    }
    bool visible = is_own(rq, out) || (*history_out && !rq->identity->gated);
    return (visible && out->effect != DECISION_CUT) ||
           err_set(err, ERR_NOT_FOUND, "no such decision");
}

/* --- one -------------------------------------------------------------------------------------- */

static bool explain(const struct request *rq, struct db_tx *tx, const struct decision_row *row,
                    json_t *record, struct err *err)
{
    json_t *steps = past_explain(tx, row, record, err);
    if (steps == NULL) {
        return false;
    }
    json_t *now = decision_today(rq, tx, row, record);
    (void)json_object_set_new(record, "explain", steps);
    (void)json_object_set_new(record, "now", now ? now : json_null());
    return true;
}

/* GET /api/v1/deploy/decisions/ID: the record, with `explain` and `now` beside its members for who may
 * pull */
void api_decisions_get(struct request *rq, struct reply *reply)
{
    auto_snapshot struct db_tx *tx = NULL;
    auto_decision_row struct decision_row row = {0};
    auto_json json_t *record = NULL;
    struct err err = {0};
    bool history = false;
    if (!db_snapshot(rq->app->db, &tx, &err) || !find(rq, tx, &row, &history, &err) ||
        !json_read(slice_str(row.text), JSON_DEPTH_DEFAULT, &record, &err) ||
        (history && !explain(rq, tx, &row, record, &err))) {
        reply_error(reply, &err);
        return;
    }
    reply_json(reply, 200, json_incref(record));
    reply_header(reply, "Cache-Control", "no-store");
}

/* --- lists ------------------------------------------------------------------------------------ */

struct listing {
    struct decision_filter filter;
    struct buf identity; /* filter.identity borrows it */
    int64_t before;
    int max;
};

static bool read_effect(const struct request *rq, struct listing *l, struct err *err)
{
    auto_buf struct buf effect = {0};
    bool given = request_query(rq, "effect", 0, &effect);
    if (!given) {
        return true;
    }
    struct slice word = buf_slice_of(&effect);
    l->filter.effect = slice_is(word, "allow") ? DECISION_ALLOW : DECISION_DENY;
    return slice_is(word, "allow") || slice_is(word, "deny") ||
           err_set(err, ERR_INVALID, "the parameter effect is allow or deny");
}

static bool read_since(const struct request *rq, struct listing *l, struct err *err)
{
    auto_buf struct buf since = {0};
    bool given = request_query(rq, "since", 0, &since);
    return !given || time_parse(buf_slice_of(&since), &l->filter.since_us) ||
           err_set(err, ERR_INVALID, "the parameter since is a time like 2026-11-24T00:12:15Z");
}

static bool read_count(const struct request *rq, const char *name, int64_t otherwise, int64_t *out,
                       struct err *err)
{
    auto_buf struct buf text = {0};
    *out = otherwise;
    bool given = request_query(rq, name, 0, &text);
    return !given || (slice_to_int64(buf_slice_of(&text), out) && *out >= 0) ||
           err_set(err, ERR_INVALID, "the parameter %s is a number", name);
}

static bool read_page(const struct request *rq, struct listing *l, struct err *err)
{
    int64_t max = 0;
    if (!read_count(rq, "n", LIST_DEFAULT, &max, err) ||
        !read_count(rq, "before", 0, &l->before, err)) {
        return false;
    }
    l->max = max < 1 ? 1 : max > LIST_MAX ? LIST_MAX : (int)max;
    return true;
}

/* `repo` is needed by everybody who sees no more than the repositories that he may pull from, and
 * his own. */
static bool read_repo(const struct request *rq, struct db_tx *tx, struct listing *l,
                      struct err *err)
{
    auto_buf struct buf text = {0};
    struct repo_name name;
    struct repository repo;
    bool visible = false;
    bool everything = access_is_admin(rq->identity);
    bool named = request_query(rq, "repo", 0, &text);
    if (rq->identity->gated || (!named && !everything)) {
        l->filter.account_id = rq->identity->account_id;
        if (l->filter.account_id == 0) {
            return err_set(err, ERR_INVALID, "the parameter repo is needed: ?repo=ns/app");
        }
    }
    if (!named) {
        return true;
    }
    if (!repo_name_parse(buf_slice_of(&text), &name, err) ||
        !may_pull(rq, tx, &name, &visible, err)) {
        return false;
    }
    if (!visible) {
        return err_set(err, ERR_NAME_UNKNOWN, "");
    }
    if (!repository_get(tx, &name, &repo, err)) {
        return false;
    }
    l->filter.repository_id = repo.id;
    return true;
}

static bool read_listing(const struct request *rq, struct db_tx *tx, struct listing *l,
                         struct err *err)
{
    (void)request_query(rq, "identity", 0, &l->identity);
    l->filter.identity = buf_slice_of(&l->identity);
    return read_effect(rq, l, err) && read_since(rq, l, err) && read_page(rq, l, err) &&
           read_repo(rq, tx, l, err);
}

static bool list_json(const struct decision_list *list, json_t **out, struct err *err)
{
    json_t *records = json_array();
    for (size_t i = 0; i < list->count; i++) {
        json_t *record = NULL;
        if (!json_read(slice_str(list->items[i].text), JSON_DEPTH_DEFAULT, &record, err)) {
            json_decref(records);
            return false;
        }
        (void)json_array_append_new(records, record);
    }
    *out = json_pack("{s:o, s:o}", "decisions", records, "next",
                     list->next ? json_integer((json_int_t)list->next) : json_null());
    return true;
}

/* GET /api/v1/deploy/decisions?repo=&identity=&effect=&since=&n=&before=: newest first */
void api_decisions_list(struct request *rq, struct reply *reply)
{
    auto_snapshot struct db_tx *tx = NULL;
    auto_decision_list struct decision_list list = {0};
    struct listing l = {.max = LIST_DEFAULT};
    struct err err = {0};
    json_t *answer = NULL;
    bool ok = db_snapshot(rq->app->db, &tx, &err) && read_listing(rq, tx, &l, &err) &&
              decision_list(tx, &l.filter, l.before, l.max, &list, &err) &&
              list_json(&list, &answer, &err);
    buf_dispose(&l.identity);
    if (!ok) {
        reply_error(reply, &err);
        return;
    }
    reply_json(reply, 200, answer);
    reply_header(reply, "Cache-Control", "no-store");
}
