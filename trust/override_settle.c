/* Ending the overrides that nobody needs any more. */
#include "storage/repository.h"
#include "trust/override_internal.h"
#include "trust/trust_internal.h"
#include "trust/view.h"

#define SETTLED_WHY "the digest is properly released"
#define SETTLE_MAX 1000

struct settling {
    struct trust *trust;
    int64_t repository_id, now_us;
    struct override_change *ended; /* out, owned */
    size_t ended_count;
};

static bool end_released(struct settling *s, struct db_tx *tx, const struct override *o,
                         struct err *err)
{
    struct actor server = {.name = "server"};
    auto_override struct override after = {0};
    if (!override_set_ended(tx, o, SETTLED_WHY, &server, s->now_us, err) ||
        !override_get(tx, o->namespace_id, o->id, &after, err) ||
        !override_audit(tx, "override.end", o, &after, &server, s->now_us, err)) {
        return false;
    }
    s->ended = xrealloc(s->ended, (s->ended_count + 1) * sizeof *s->ended);
    s->ended[s->ended_count++] = (struct override_change){
        .id = after.id, .changes = after.changes, .end_us = after.end_us, .ended = true};
    return true;
}

static bool write_settled(struct db_tx *tx, void *arg, struct err *err)
{
    struct settling *s = arg;
    auto_gate_view struct gate_view *view = NULL;
    auto_override_list struct override_list live = {0};
    struct repository repo;
    struct err why = {0};
    s->ended_count = 0;
    if (!override_list_live(tx, s->repository_id, s->now_us, &live, err)) {
        return false;
    }
    if (live.count == 0) {
        return true;
    }
    if (!repository_get_by_id(tx, s->repository_id, &repo, &why)) {
        *err = why;
        return why.code == ERR_NAME_UNKNOWN; /* deleted: its overrides were ended then */
    }
    if (!gate_view_get_for_write(s->trust, tx, &repo, s->now_us, &view, err)) {
        return false;
    }
    bool ok = true;
    for (size_t i = 0; ok && i < live.count; i++) {
        struct gate_reached reached;
        gate_view_reached(view, &live.items[i].digest, &reached);
        ok = reached.kind != REACH_RELEASED || end_released(s, tx, &live.items[i], err);
    }
    return ok;
}

/* Most repositories have none: that is seen without a write. */
static bool any_live(struct trust *trust, int64_t repository_id, int64_t now_us, bool *out,
                     struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    auto_override_list struct override_list live = {0};
    if (!db_snapshot(trust->db, &tx, err) ||
        !override_list_live(tx, repository_id, now_us, &live, err)) {
        return false;
    }
    *out = live.count > 0;
    return true;
}

static bool settle_one(struct trust *trust, int64_t repository_id, int64_t now_us, struct err *err)
{
    struct settling s = {.trust = trust, .repository_id = repository_id, .now_us = now_us};
    bool live = false;
    if (!any_live(trust, repository_id, now_us, &live, err)) {
        return false;
    }
    bool ok = !live || db_write(trust->db, write_settled, &s, err);
    for (size_t i = 0; ok && i < s.ended_count; i++) {
        override_note(trust, s.ended[i].id, s.ended[i].changes, s.ended[i].end_us);
    }
    ok = ok && (s.ended_count == 0 || checkpoint_flush(trust->checkpoint, err));
    free(s.ended);
    return ok;
}

static bool list_live_changes(struct trust *trust, int64_t now_us, struct override_change_list *out,
                              struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    return db_snapshot(trust->db, &tx, err) && override_list_changes(tx, now_us, out, err);
}

bool override_settle(struct trust *trust, int64_t repository_id, int64_t now_us, struct err *err)
{
    auto_override_change_list struct override_change_list live = {0};
    if (repository_id != 0) {
        return settle_one(trust, repository_id, now_us, err);
    }
    bool ok = list_live_changes(trust, now_us, &live, err);
    int settled = 0;
    for (size_t i = 0; ok && i < live.count && settled < SETTLE_MAX; i++) {
        if (!live.items[i].ended) {
            ok = settle_one(trust, live.items[i].repository_id, now_us, err);
            settled++;
        }
    }
    return ok;
}
