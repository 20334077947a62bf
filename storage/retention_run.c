#include "storage/retention_internal.h"
#include "storage/row.h"
#include "storage/statements.h"

#include <stdio.h>

#define PAGE 500         /* tags that are counted or decided about in one step */
#define TAGS_MAX 50      /* removed in one transaction */
#define BURST 200        /* steps, then the other tasks of maintenance have their turn */
#define CURSOR_EVERY 100 /* repositories; the place is stored so often, and after removals */

struct retention {
    struct store *store;
    struct db *db; /* the store's */
    retention_grace_fn grace;
    int64_t interval_us;
    int steps; /* since the last rest */

    /* the round; namespace 0: none */
    bool loaded;
    int64_t began_us, namespace_id;
    struct repo_name done; /* the last repository that was done in it; n 0: none */
    int unsaved;

    /* the repository at hand, if there is one */
    bool at_hand;
    struct repository repo;
    struct tag_rule_set rules;
    struct retention_plan *plan;
    bool counted;
    struct tag_name last; /* decided up to here */
};

struct retention *retention_new(struct store *store, retention_grace_fn grace, int64_t interval_us)
{
    struct retention *r = xcalloc(1, sizeof(*r));
    r->store = store;
    r->db = store_db(store);
    r->grace = grace;
    r->interval_us = interval_us;
    return r;
}

/* Lets go of the repository at hand. */
static void drop_plan(struct retention *r)
{
    retention_plan_free(r->plan);
    tag_rule_list_dispose(&r->rules.rules);
    r->plan = NULL;
    r->at_hand = r->counted = false;
    r->last = (struct tag_name){0};
}

void retention_free(struct retention *r)
{
    if (r != NULL) {
        drop_plan(r);
        free(r);
    }
}

/* --- where the round is ----------------------------------------------------------------------- */

static bool load(struct retention *r, struct db_tx *tx, struct err *err)
{
    bool found = false;
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_RETENTION_GET);
    if (r->loaded) {
        return true;
    }
    if (!row_exists(q, &found, err)) {
        return false;
    }
    if (!found) {
        return err_internal(err, "the row of retention is missing");
    }
    r->began_us = db_col_int(q, 0);
    r->namespace_id = db_col_int(q, 1);
    row_text(q, 2, r->done.text, sizeof(r->done.text));
    r->done.n = (uint16_t)strlen(r->done.text);
    r->loaded = true;
    return true;
}

static bool store_begin(struct db_tx *tx, void *arg, struct err *err)
{
    const struct retention *r = arg;
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_RETENTION_BEGIN);
    db_bind_int(q, 1, r->began_us);
    db_bind_int(q, 2, r->namespace_id);
    return db_run(q, err);
}

static bool store_place(struct db_tx *tx, void *arg, struct err *err)
{
    const struct retention *r = arg;
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_RETENTION_MOVE);
    db_bind_int(q, 1, r->namespace_id);
    db_bind_str(q, 2, r->done.text);
    return db_run(q, err);
}

static bool save_place(struct retention *r, struct err *err)
{
    r->unsaved = 0;
    return db_write(r->db, store_place, r, err);
}

static bool begin_round(struct retention *r, struct db_tx **tx, int64_t now_us, struct err *err)
{
    int64_t first = 0;
    if (!tag_rule_next_namespace(*tx, 1, &first, err)) {
        return false;
    }
    db_snapshot_end(*tx);
    *tx = NULL;
    r->began_us = now_us;
    r->namespace_id = first;
    r->done = (struct repo_name){0};
    return db_write(r->db, store_begin, r, err);
}

static bool next_namespace(struct retention *r, struct db_tx **tx, struct err *err)
{
    int64_t next = 0;
    if (!tag_rule_next_namespace(*tx, r->namespace_id + 1, &next, err)) {
        return false;
    }
    db_snapshot_end(*tx);
    *tx = NULL;
    r->namespace_id = next;
    r->done = (struct repo_name){0};
    return save_place(r, err);
}

/* The repository at hand is done. */
static bool finish_repository(struct retention *r, bool removed, struct err *err)
{
    r->done = r->repo.name;
    r->unsaved++;
    drop_plan(r);
    return (!removed && r->unsaved < CURSOR_EVERY) || save_place(r, err);
}

/* --- the next repository ---------------------------------------------------------------------- */

static bool take_repository(struct retention *r, struct db_tx *tx, const struct repository *repo,
                            struct err *err)
{
    r->repo = *repo;
    r->at_hand = true;
    return tag_rule_set_get(tx, repo->namespace_id, &r->rules, err) &&
           retention_plan_new(tx, repo, &r->rules, r->grace, &r->plan, err);
}

static bool next_repository(struct retention *r, int64_t now_us, bool *more_out, struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    auto_repository_list struct repository_list page = {0};
    if (!db_snapshot(r->db, &tx, err) || !load(r, tx, err)) {
        return false;
    }
    if (r->namespace_id == 0) {
        /* a clock that was turned back begins a new day too */
        bool due = now_us - r->began_us >= r->interval_us || now_us < r->began_us;
        bool done = !due || begin_round(r, &tx, now_us, err);
        *more_out = due && r->namespace_id != 0;
        return done;
    }
    *more_out = true;
    if (!repository_list_namespace(tx, r->namespace_id, false, repo_name_slice(&r->done), 1, &page,
                                   err)) {
        return false;
    }
    return page.count > 0 ? take_repository(r, tx, &page.items[0], err)
                          : next_namespace(r, &tx, err);
}

/* --- the repository at hand ------------------------------------------------------------------- */

static bool count_page(struct retention *r, struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    bool more = false;
    if (!db_snapshot(r->db, &tx, err) || !retention_plan_count(r->plan, tx, PAGE, &more, err)) {
        return false;
    }
    r->counted = !more;
    return true;
}

/* The tags of a page that go. */
struct batch {
    struct retention *r;
    struct tag_name victims[TAGS_MAX];
    int count;
    int64_t now_us;
    bool more;  /* tags are left after this page */
    bool stale; /* out: the plan is worth nothing any more */
    int removed;
};

static bool decide_page(struct batch *batch, struct err *err)
{
    struct retention *r = batch->r;
    auto_snapshot struct db_tx *tx = NULL;
    auto_tag_list struct tag_list tags = {0};
    if (!db_snapshot(r->db, &tx, err) || !retention_plan_follow(r->plan, tx, err) ||
        !tag_list(tx, r->repo.id, tag_name_slice(&r->last), PAGE, &tags, err)) {
        return false;
    }
    batch->more = tags.more;
    for (size_t i = 0; i < tags.count; i++) {
        struct retention_verdict verdict;
        if (batch->count == TAGS_MAX) {
            batch->more = true;
            return true;
        }
        if (!retention_decide(r->plan, tx, &tags.items[i], batch->now_us, &verdict, err)) {
            return false;
        }
        r->last = tags.items[i].name;
        if (verdict.reason == RETENTION_GOES) {
            batch->victims[batch->count++] = tags.items[i].name;
        }
    }
    return true;
}

/* Decides again, about the tag as it is now. */
static bool remove_tag(struct db_tx *tx, struct batch *batch, const struct tag_name *name,
                       struct err *err)
{
    struct retention *r = batch->r;
    struct tag_item item = {.name = *name};
    struct retention_verdict verdict;
    struct actor actor;
    struct err why = {0};
    char object[TAG_NAME_MAX + 2];
    if (!tag_get(tx, r->repo.id, name, &item.tag, &why)) {
        *err = why;
        return why.code == ERR_TAG_UNKNOWN;
    }
    if (!retention_decide(r->plan, tx, &item, batch->now_us, &verdict, err)) {
        return false;
    }
    if (verdict.reason != RETENTION_GOES) {
        return true;
    }
    retention_actor(&actor);
    (void)snprintf(object, sizeof(object), ":%s", name->text);
    batch->removed++;
    return tag_delete(tx, r->repo.id, name, &actor, batch->now_us, err) &&
           retention_retire(tx, r->repo.id, &item.tag.digest, verdict.rule->name, batch->now_us,
                            err) &&
           retention_audit(tx, &r->repo, "retention.tag", object, &item.tag.digest,
                           verdict.rule->name, batch->now_us, err);
}

static bool remove_tags(struct db_tx *tx, void *arg, struct err *err)
{
    struct batch *batch = arg;
    bool holds = false;
    batch->removed = 0;
    if (!retention_plan_renew(batch->r->plan, tx, &holds, err)) {
        return false;
    }
    batch->stale = !holds;
    for (int i = 0; holds && i < batch->count; i++) {
        if (!remove_tag(tx, batch, &batch->victims[i], err)) {
            return false;
        }
    }
    return true;
}

static bool remove_page(struct retention *r, int64_t now_us, int *removed_out, struct err *err)
{
    auto_free struct batch *batch = xcalloc(1, sizeof(*batch));
    batch->r = r;
    batch->now_us = now_us;
    if (!decide_page(batch, err)) {
        return false;
    }
    if (batch->count > 0 && !db_write(r->db, remove_tags, batch, err)) {
        return false;
    }
    *removed_out = batch->removed;
    if (batch->stale) {
        drop_plan(r); /* it is taken up again from the beginning */
        return true;
    }
    return batch->more || finish_repository(r, batch->count > 0, err);
}

/* --- a step ----------------------------------------------------------------------------------- */

static bool step(struct retention *r, int64_t now_us, struct retention_result *out, struct err *err)
{
    int examined = 0;
    if (!retention_manifests(r->store, r->grace, now_us, &examined, &out->manifests, err)) {
        return false;
    }
    out->more = true;
    if (examined > 0) {
        return true;
    }
    if (r->plan == NULL) {
        return next_repository(r, now_us, &out->more, err);
    }
    return r->counted ? remove_page(r, now_us, &out->tags, err) : count_page(r, err);
}

bool retention_step(struct retention *r, int64_t now_us, struct retention_result *out,
                    struct err *err)
{
    *out = (struct retention_result){0};
    bool done = step(r, now_us, out, err);
    if (!done) {
        out->more = out->more && r->at_hand; /* or else the same would fail again at once */
    }
    if (!done && out->more) {
        /* whatever it was: the others come first, this one has its turn in the next round */
        r->done = r->repo.name;
        drop_plan(r);
    }
    r->steps = out->more ? r->steps + 1 : 0;
    if (r->steps == BURST) {
        r->steps = 0;
        out->more = false;
    }
    return done;
}
