#include "trust/override_internal.h"

#include "base/duration.h"
#include "storage/account.h"
#include "storage/audit.h"
#include "storage/denied_digest.h"
#include "storage/repository.h"
#include "trust/policy.h"
#include "trust/releasing.h"
#include "trust/second_name.h"
#include "trust/trust_internal.h"
#include "trust/view.h"

#include <stdio.h>

#define REASON_SHOWN_MAX 100 /* bytes of a sentence */

bool override_audit(struct db_tx *tx, const char *action, const struct override *before,
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

void override_note(struct trust *trust, int64_t id, int64_t changes, int64_t end_us)
{
    char name[EXCEPTION_NAME_MAX];
    checkpoint_note_exception(trust->checkpoint, exception_override_name(id, name), changes,
                              end_us);
}

static void noted(struct trust *trust, const struct override *o,
                  char warning[EXCEPTION_WARNING_MAX])
{
    override_note(trust, o->id, o->changes, o->end_us);
    exceptions_noted(trust->checkpoint, warning);
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

/* By digest it is given out already, by its tag too; by another tag an override does not help. */
static bool refuse_released(const struct making *m, struct db_tx *tx,
                            const struct gate_facts *facts, struct err *err)
{
    char tag[TAG_NAME_MAX + 1];
    if (!releasing_tag(tx, m->repo.id, facts, &m->rq->digest, tag, err)) {
        return false;
    }
    return err_set(err, ERR_CONFLICT,
                   "the digest is properly released and needs no override: pull it by digest%s%s; "
                   "another tag that points to it has to be signed itself",
                   tag[0] ? ", or by the tag that is signed, " : "", tag);
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
    return reached.kind != REACH_RELEASED || refuse_released(m, tx, &facts, err);
}

static bool write_new(struct db_tx *tx, void *arg, struct err *err)
{
    struct making *m = arg;
    const struct override_request *rq = m->rq;
    struct override *o = m->out;
    int64_t namespace_id = 0;
    override_dispose(o); /* of a run before */
    if (!rq->right.check(tx, rq->right.arg, &namespace_id, err) ||
        !repository_get(tx, &rq->repo, &m->repo, err)) {
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
           override_audit(tx, "override.create", NULL, o, rq->actor, rq->now_us, err);
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
                   struct override *out, char warning[EXCEPTION_WARNING_MAX], struct err *err)
{
    struct making m = {.trust = trust, .rq = request, .out = out};
    *out = (struct override){0};
    if (check_request(request, err) &&
        exceptions_ready(trust->checkpoint, trust->db, request->now_us, err) &&
        db_write(trust->db, write_new, &m, err)) {
        noted(trust, out, warning);
        return true;
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
    int64_t namespace_id = 0;
    override_dispose(c->out);
    return rq->right.check(tx, rq->right.arg, &namespace_id, err) &&
           override_get(tx, namespace_id, rq->id, &before, err) &&
           may_approve(&before, rq, err) &&
           override_set_approved(tx, &before, rq->actor, rq->now_us, err) &&
           reload(tx, &before, c, err) &&
           override_audit(tx, "override.approve", &before, c->out, rq->actor, rq->now_us, err);
}

static bool write_ended(struct db_tx *tx, void *arg, struct err *err)
{
    struct changing *c = arg;
    const struct override_change_request *rq = c->rq;
    auto_override struct override before = {0};
    char why[OVERRIDE_REASON_MAX + 1] = "";
    int64_t namespace_id = 0;
    override_dispose(c->out);
    return rq->right.check(tx, rq->right.arg, &namespace_id, err) &&
           (rq->why.n == 0 || exceptions_text(rq->why, "reason", OVERRIDE_REASON_MAX, why, err)) &&
           override_get(tx, namespace_id, rq->id, &before, err) &&
           override_set_ended(tx, &before, why, rq->actor, rq->now_us, err) &&
           reload(tx, &before, c, err) &&
           override_audit(tx, "override.end", &before, c->out, rq->actor, rq->now_us, err);
}

static bool change(struct trust *trust, const struct override_change_request *request,
                   db_write_fn fn, struct override *out, char warning[EXCEPTION_WARNING_MAX],
                   struct err *err)
{
    struct changing c = {.rq = request, .out = out};
    *out = (struct override){0};
    if (exceptions_ready(trust->checkpoint, trust->db, request->now_us, err) &&
        db_write(trust->db, fn, &c, err)) {
        noted(trust, out, warning);
        return true;
    }
    override_dispose(out);
    return false;
}

bool override_approve(struct trust *trust, const struct override_change_request *request,
                      struct override *out, char warning[EXCEPTION_WARNING_MAX], struct err *err)
{
    return change(trust, request, write_approved, out, warning, err);
}

bool override_end(struct trust *trust, const struct override_change_request *request,
                  struct override *out, char warning[EXCEPTION_WARNING_MAX], struct err *err)
{
    return change(trust, request, write_ended, out, warning, err);
}
