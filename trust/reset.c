#include "trust/reset.h"

#include "base/json.h"
#include "storage/audit.h"
#include "storage/repository.h"
#include "storage/trust_doc.h"
#include "storage/trust_pin.h"
#include "trust/exceptions.h"
#include "trust/trust_internal.h"
#include "trust/verify/doc.h"

struct reset {
    struct trust *trust;
    const struct reset_request *rq;
};

static bool role_has_reset(struct slice role, struct err *err)
{
    switch (role_parse(role)) {
    case ROLE_TARGETS:
    case ROLE_SNAPSHOT:
    case ROLE_TIMESTAMP:
        return true;
    case ROLE_DELEGATION:
        return err_set(err, ERR_INVALID,
                       "a delegation begins anew when it is removed and delegated again: notary "
                       "delegation remove, then add");
    case ROLE_ROOT:
        return err_set(
            err, ERR_INVALID,
            "a root cannot begin anew below the keys that it names: wipe the trust data");
    case ROLE_NONE:
        break;
    }
    return err_set(err, ERR_INVALID, "the role is targets, snapshot or timestamp");
}

static bool may_reset(struct db_tx *tx, const struct reset *r, const struct repository *repo,
                      struct err *err)
{
    auto_trust_role_life_list struct trust_role_life_list lives = {0};
    auto_pin_list struct pin_list revoked = {0};
    char why[SUSPICION_MAX];
    return trust_role_lives(tx, repo->id, &lives, err) && revoked_key_list(tx, &revoked, err) &&
           (checkpoint_allows(r->trust->checkpoint, &repo->name, &lives, &revoked, r->rq->now_us,
                              why) == CHECKPOINT_GOOD ||
            err_set(err, ERR_CONFLICT, "%s: %s", repo->name.text, why));
}

static bool put_audit(struct db_tx *tx, const struct reset *r, const struct repository *repo,
                      struct err *err)
{
    auto_json json_t *after =
        json_pack("{s:s%, s:s}", "role", r->rq->role.p, r->rq->role.n, "reason", r->rq->reason);
    auto_buf struct buf text = {0};
    json_write(&text, after);
    const struct audit_entry entry = {.action = "trust.role_reset",
                                      .namespace_id = repo->namespace_id,
                                      .object = repo_name_slice(&repo->name),
                                      .outcome = AUDIT_OK,
                                      .after = buf_slice_of(&text)};
    return audit_append(tx, r->rq->actor, &entry, r->rq->now_us, err);
}

/* The generation moves, so that a publish that was judged before is judged again. */
static bool write_reset(struct db_tx *tx, void *arg, struct err *err)
{
    const struct reset *r = arg;
    struct repository repo;
    return repository_get(tx, &r->rq->repo, &repo, err) && may_reset(tx, r, &repo, err) &&
           trust_role_permit_reset(tx, repo.id, r->rq->role, r->rq->now_us, err) &&
           put_audit(tx, r, &repo, err) && repository_gate_bump(tx, repo.id, err);
}

bool trust_role_reset(struct trust *trust, const struct reset_request *request, struct err *err)
{
    struct reset r = {.trust = trust, .rq = request};
    return exceptions_reason(request->reason, EXCEPTIONS_REASON_MAX, false, err) &&
           role_has_reset(request->role, err) && db_write(trust->db, write_reset, &r, err);
}
