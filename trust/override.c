#include "trust/override.h"

#include "base/clock.h"
#include "base/duration.h"
#include "storage/account.h"
#include "storage/audit.h"
#include "storage/denied_digest.h"
#include "storage/repository.h"
#include "trust/exceptions.h"
#include "trust/policy.h"
#include "trust/second_name.h"
#include "trust/trust_internal.h"

#include <stdio.h>

#define SETTLED_WHY "the digest is properly released"
#define SETTLE_MAX 1000
#define REASON_SHOWN_MAX 100 /* bytes of a sentence */

/* --- how it is told --------------------------------------------------------------------------- */

const char *override_state_word(enum override_state state)
{
    switch (state) {
    case OVERRIDE_ENDED:
        return "ended";
    case OVERRIDE_EXPIRED:
        return "expired";
    case OVERRIDE_USED_UP:
        return "used_up";
    case OVERRIDE_WAITING:
        return "waiting";
    case OVERRIDE_AHEAD:
        return "ahead";
    case OVERRIDE_ACTIVE:
        return "active";
    }
    return "ended";
}

static json_t *time_json(int64_t us)
{
    char text[TIME_STR_MAX];
    return us > 0 ? json_string(time_format(us - us % US_PER_SECOND, text)) : json_null();
}

static json_t *name_json(const struct override_act *act)
{
    return act->us > 0 ? json_string(act->name) : json_null();
}

json_t *override_json(const struct override *o, int64_t now_us)
{
    char digest[DIGEST_STR_MAX];
    json_t *identities = json_array();
    for (size_t i = 0; i < o->identity_count; i++) {
        json_array_append_new(identities, json_string(o->identities[i].name));
    }
    json_t *out =
        json_pack("{s:I, s:s, s:s, s:o, s:s, s:s, s:s, s:o, s:o, s:I}", "id", (json_int_t)o->id,
                  "repository", o->repository, "digest", digest_format(&o->digest, digest),
                  "identities", identities, "reason", o->reason, "ticket", o->ticket, "state",
                  override_state_word(override_state_of(o, now_us)), "start",
                  time_json(o->start_us), "end", time_json(o->end_us), "uses", (json_int_t)o->uses);
    json_object_set_new(out, "max_uses",
                        o->max_uses > 0 ? json_integer((json_int_t)o->max_uses) : json_null());
    json_object_set_new(out, "two_person", json_boolean(o->two_person));
    json_object_set_new(out, "created", time_json(o->created.us));
    json_object_set_new(out, "created_by", name_json(&o->created));
    json_object_set_new(out, "approved", time_json(o->approved.us));
    json_object_set_new(out, "approved_by", name_json(&o->approved));
    json_object_set_new(out, "ended", time_json(o->ended.us));
    json_object_set_new(out, "ended_by", name_json(&o->ended));
    json_object_set_new(out, "ended_why",
                        o->ended.us > 0 ? json_string(o->ended_why) : json_null());
    return out;
}

static bool audit(struct db_tx *tx, const char *action, const struct override *before,
                  const struct override *after, const struct actor *actor, int64_t now_us,
                  struct err *err)
{
    auto_json json_t *old = before ? override_json(before, now_us) : NULL;
    auto_json json_t *new = override_json(after, now_us);
    auto_buf struct buf old_text = {0}, new_text = {0}, object = {0};
    char digest[DIGEST_STR_MAX];
    buf_printf(&object, "%s@%s", after->repository, digest_format(&after->digest, digest));
    if (old) {
        json_write(&old_text, old);
    }
    json_write(&new_text, new);
    struct audit_entry entry = {.action = action,
                                .namespace_id = after->namespace_id,
                                .object = buf_slice_of(&object),
                                .outcome = AUDIT_OK,
                                .before = buf_slice_of(&old_text),
                                .after = buf_slice_of(&new_text)};
    return audit_append(tx, actor, &entry, now_us, err);
}

static void note(struct trust *trust, int64_t id, int64_t changes, int64_t end_us)
{
    char name[EXCEPTION_NAME_MAX];
    checkpoint_note_exception(trust->checkpoint, exception_override_name(id, name), changes,
                              end_us);
}

static bool noted(struct trust *trust, const struct override *o, struct err *err)
{
    note(trust, o->id, o->changes, o->end_us);
    return checkpoint_flush(trust->checkpoint, err);
}

/* --- making ----------------------------------------------------------------------------------- */

struct making {
    struct trust *trust;
    const struct override_request *rq;
    struct repository repo;
    struct override *out; /* disposed by a run of the write that fails, or is run again */
};

static bool check_times(const struct override_request *rq, const struct policy *policy,
                        const char *scope, struct override *out, struct err *err)
{
    char max[DURATION_STR_MAX];
    out->start_us = rq->start_us > 0 ? rq->start_us : rq->now_us;
    if (rq->length_us <= 0 || rq->length_us > policy->override_max_us) {
        return err_set(err, ERR_INVALID, "policy %.80s lets an override last at most %s", scope,
                       duration_format(policy->override_max_us, max));
    }
    if (out->start_us > rq->now_us + OVERRIDE_AHEAD_MAX_US) {
        return err_set(err, ERR_INVALID, "an override begins within 7 days");
    }
    out->end_us = out->start_us + rq->length_us;
    return out->end_us > rq->now_us ||
           err_set(err, ERR_INVALID, "the override would have ended already");
}

static bool check_policy(struct making *m, struct db_tx *tx, struct err *err)
{
    auto_policy struct policy policy = {0};
    char scope[POLICY_SCOPE_SIZE];
    if (!policy_for(tx, &m->rq->repo, scope, &policy, err) ||
        !check_times(m->rq, &policy, scope, m->out, err)) {
        return false;
    }
    m->out->two_person = policy.override_two_person;
    return true;
}

static bool add_identities(struct making *m, struct db_tx *tx, struct err *err)
{
    struct override *o = m->out;
    o->identities = xcalloc(m->rq->identity_count, sizeof *o->identities);
    for (size_t i = 0; i < m->rq->identity_count; i++) {
        struct account account;
        struct slice name = m->rq->identities[i];
        struct err why = {0};
        if (!account_get_by_name(tx, name, &account, &why)) {
            *err = why;
            return why.code != ERR_ACCOUNT_UNKNOWN
                       ? false
                       : err_set(err, ERR_INVALID, "\"identities\": there is no account %.*s",
                                 (int)(name.n < 100 ? name.n : 100), name.p);
        }
        struct override_identity *identity = &o->identities[o->identity_count++];
        identity->account_id = account.id;
        (void)snprintf(identity->name, sizeof identity->name, "%s", account.name);
    }
    return true;
}

/* By either name of the manifest, when it is here already. */
static bool check_denied(struct making *m, struct db_tx *tx, struct err *err)
{
    struct slice ns = slice_first(repo_name_slice(&m->rq->repo), m->rq->repo.namespace_n);
    struct denied_digest denied;
    struct digest second;
    bool found = false;
    if (!denied_digest_find(tx, ns, &m->rq->digest, &denied, &found, err) ||
        !second_name(tx, m->repo.id, &m->rq->digest, &second, err) ||
        (!found && digest_is_set(&second) &&
         !denied_digest_find(tx, ns, &second, &denied, &found, err))) {
        return false;
    }
    struct slice why = slice_cut(slice_str(denied.reason), REASON_SHOWN_MAX);
    return !found || err_set(err, ERR_DENIED,
                             "the digest is on the deny list, which no override lifts: %.*s "
                             "(denied_digest)",
                             SLICE_FMT(why));
}

/* gate.md 14: what it never lets through is refused here already, and so is what needs none. */
static bool check_trust(struct making *m, struct db_tx *tx, struct err *err)
{
    auto_gate_view struct gate_view *view = NULL;
    struct gate_facts facts;
    struct gate_reached reached;
    if (!gate_view_get_for_write(m->trust, tx, &m->repo, m->rq->now_us, &view, err)) {
        return false;
    }
    gate_view_facts(view, m->rq->now_us, &facts);
    gate_view_reached(view, &m->rq->digest, &reached);
    if (facts.suspicion) {
        return err_set(err, ERR_DENIED,
                       "no override acts on a store that may have been set back "
                       "(rollback_suspected)");
    }
    if (facts.trust->status == TRUST_ROOT_KEY_REVOKED) {
        return err_set(err, ERR_DENIED,
                       "no override acts while the root key of %.100s is revoked "
                       "(root_key_revoked)",
                       m->rq->repo.text);
    }
    if (reached.kind == REACH_DENIED) {
        return err_set(err, ERR_DENIED,
                       "the digest is part of an image on the deny list, which no "
                       "override lifts (denied_digest)");
    }
    return reached.kind != REACH_RELEASED ||
           err_set(err, ERR_CONFLICT, "the digest is properly released and needs no override");
}

static bool write_new(struct db_tx *tx, void *arg, struct err *err)
{
    struct making *m = arg;
    const struct override_request *rq = m->rq;
    struct override *o = m->out;
    override_dispose(o); /* of a run before */
    if (!repository_get(tx, &rq->repo, &m->repo, err)) {
        return false;
    }
    *o = (struct override){.namespace_id = m->repo.namespace_id,
                           .repository_id = m->repo.id,
                           .digest = rq->digest,
                           .max_uses = rq->max_uses,
                           .changes = 1,
                           .created = {.us = rq->now_us, .account_id = rq->actor->account_id}};
    (void)snprintf(o->repository, sizeof o->repository, "%s", rq->repo.text);
    (void)snprintf(o->created.name, sizeof o->created.name, "%s", rq->actor->name);
    return exceptions_text(rq->reason, "reason", OVERRIDE_REASON_MAX, o->reason, err) &&
           exceptions_text(rq->ticket, "ticket", OVERRIDE_TICKET_MAX, o->ticket, err) &&
           check_policy(m, tx, err) && add_identities(m, tx, err) && check_denied(m, tx, err) &&
           check_trust(m, tx, err) && override_insert(tx, o, err) &&
           audit(tx, "override.create", NULL, o, rq->actor, rq->now_us, err);
}

static bool check_request(const struct override_request *rq, struct err *err)
{
    if (rq->identity_count == 0 || rq->identity_count > OVERRIDE_IDENTITIES_MAX) {
        return err_set(err, ERR_INVALID,
                       "an override is for 1 to %d identities, each named: \"identities\"",
                       OVERRIDE_IDENTITIES_MAX);
    }
    return (rq->max_uses >= 0 && rq->max_uses <= OVERRIDE_USES_MAX) ||
           err_set(err, ERR_INVALID, "\"uses\" is at most %d", OVERRIDE_USES_MAX);
}

bool override_make(struct trust *trust, const struct override_request *request,
                   struct override *out, struct err *err)
{
    struct making m = {.trust = trust, .rq = request, .out = out};
    *out = (struct override){0};
    if (check_request(request, err) &&
        exceptions_ready(trust->checkpoint, trust->db, request->now_us, err) &&
        db_write(trust->db, write_new, &m, err)) {
        return noted(trust, out, err);
    }
    override_dispose(out);
    return false;
}

/* --- approving, ending ------------------------------------------------------------------------ */

struct changing {
    const struct override_change_request *rq;
    struct override *out;
};

static bool reload(struct db_tx *tx, struct override *before, struct changing *c, struct err *err)
{
    return override_get(tx, before->namespace_id, before->id, c->out, err);
}

static bool may_approve(const struct override *o, const struct override_change_request *rq,
                        struct err *err)
{
    if (!o->two_person) {
        return err_set(err, ERR_CONFLICT, "override %lld needs no approval", (long long)o->id);
    }
    return o->created.account_id != rq->actor->account_id ||
           err_set(err, ERR_DENIED,
                   "a second person must approve override %lld, not the one who made it",
                   (long long)o->id);
}

static bool write_approved(struct db_tx *tx, void *arg, struct err *err)
{
    struct changing *c = arg;
    const struct override_change_request *rq = c->rq;
    auto_override struct override before = {0};
    override_dispose(c->out);
    return override_get(tx, rq->namespace_id, rq->id, &before, err) &&
           may_approve(&before, rq, err) &&
           override_set_approved(tx, &before, rq->actor, rq->now_us, err) &&
           reload(tx, &before, c, err) &&
           audit(tx, "override.approve", &before, c->out, rq->actor, rq->now_us, err);
}

static bool write_ended(struct db_tx *tx, void *arg, struct err *err)
{
    struct changing *c = arg;
    const struct override_change_request *rq = c->rq;
    auto_override struct override before = {0};
    char why[OVERRIDE_REASON_MAX + 1] = "";
    override_dispose(c->out);
    return (rq->why.n == 0 || exceptions_text(rq->why, "reason", OVERRIDE_REASON_MAX, why, err)) &&
           override_get(tx, rq->namespace_id, rq->id, &before, err) &&
           override_set_ended(tx, &before, why, rq->actor, rq->now_us, err) &&
           reload(tx, &before, c, err) &&
           audit(tx, "override.end", &before, c->out, rq->actor, rq->now_us, err);
}

static bool change(struct trust *trust, const struct override_change_request *request,
                   db_write_fn fn, struct override *out, struct err *err)
{
    struct changing c = {.rq = request, .out = out};
    *out = (struct override){0};
    if (exceptions_ready(trust->checkpoint, trust->db, request->now_us, err) &&
        db_write(trust->db, fn, &c, err)) {
        return noted(trust, out, err);
    }
    override_dispose(out);
    return false;
}

bool override_approve(struct trust *trust, const struct override_change_request *request,
                      struct override *out, struct err *err)
{
    return change(trust, request, write_approved, out, err);
}

bool override_end(struct trust *trust, const struct override_change_request *request,
                  struct override *out, struct err *err)
{
    return change(trust, request, write_ended, out, err);
}

/* --- using ------------------------------------------------------------------------------------ */

struct using
{
    int64_t namespace_id, id;
    const struct digest *digest;
    const struct actor *actor;
    int64_t now_us;
    int64_t changes, end_us; /* out */
};

static bool audit_use(struct db_tx *tx, const struct using *u, const struct override *o,
                      struct err *err)
{
    char digest[DIGEST_STR_MAX];
    auto_buf struct buf object = {0}, after = {0};
    auto_json json_t *text = json_pack("{s:I, s:s, s:I}", "override", (json_int_t)o->id, "ticket",
                                       o->ticket, "uses", (json_int_t)(o->uses + 1));
    buf_printf(&object, "%s@%s", o->repository, digest_format(u->digest, digest));
    json_write(&after, text);
    struct audit_entry entry = {.action = "override.use",
                                .namespace_id = o->namespace_id,
                                .object = buf_slice_of(&object),
                                .outcome = AUDIT_OK,
                                .after = buf_slice_of(&after)};
    return audit_append(tx, u->actor, &entry, u->now_us, err);
}

/* Another request of the same identity may have counted it meanwhile. */
static bool write_use(struct db_tx *tx, void *arg, struct err *err)
{
    struct using *u = arg;
    auto_override struct override o = {0};
    struct override_standing standing;
    if (!override_get(tx, u->namespace_id, u->id, &o, err) ||
        !override_standing_get(tx, u->id, u->actor->account_id, u->now_us, &standing, err)) {
        return false;
    }
    u->changes = o.changes;
    u->end_us = o.end_us;
    if (standing.open && o.ended.us == 0) {
        return true;
    }
    return override_count_use(tx, u->id, u->actor->account_id, u->now_us, &u->changes, err) &&
           audit_use(tx, u, &o, err);
}

bool override_use(struct trust *trust, int64_t namespace_id, int64_t id,
                  const struct digest *digest, const struct actor *actor, int64_t now_us,
                  struct err *err)
{
    struct using u = {
        .namespace_id = namespace_id, .id = id, .digest = digest, .actor = actor, .now_us = now_us};
    if (!checkpoint_ready(trust->checkpoint, err)) {
        return false;
    }
    if (!db_write(trust->db, write_use, &u, err)) {
        return err->code != ERR_CONFLICT
                   ? false
                   : err_set(err, ERR_INDETERMINATE, "override %lld has just ended; try again",
                             (long long)id);
    }
    note(trust, id, u.changes, u.end_us);
    return checkpoint_flush(trust->checkpoint, err);
}

/* --- settling --------------------------------------------------------------------------------- */

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
        !audit(tx, "override.end", o, &after, &server, s->now_us, err)) {
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
        note(trust, s.ended[i].id, s.ended[i].changes, s.ended[i].end_us);
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
