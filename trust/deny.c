#include "trust/deny.h"

#include "base/clock.h"
#include "storage/audit.h"
#include "trust/exceptions.h"
#include "trust/trust_internal.h"

json_t *deny_json(const struct denied_digest *denied)
{
    char digest[DIGEST_STR_MAX], since[TIME_STR_MAX];
    return json_pack("{s:s, s:s, s:s, s:s, s:s}", "scope", denied->scope, "digest",
                     digest_format(&denied->digest, digest), "reason", denied->reason, "since",
                     time_format(denied->since_us - denied->since_us % US_PER_SECOND, since), "by",
                     denied->denied_by);
}

struct denying {
    const struct deny_request *rq;
    char reason[DENIED_REASON_MAX + 1];
    int64_t namespace_id; /* whose audit log it is for; 0 = the instance's */
    struct denied_digest *out;
};

static bool audit(struct db_tx *tx, const struct denying *d, const char *action, struct err *err)
{
    const struct deny_request *rq = d->rq;
    auto_json json_t *json = deny_json(d->out);
    auto_buf struct buf text = {0};
    char digest[DIGEST_STR_MAX];
    json_write(&text, json);
    bool lifted = d->out->lifted_us > 0;
    struct audit_entry entry = {.action = action,
                                .namespace_id = d->namespace_id,
                                .object = slice_str(digest_format(&rq->digest, digest)),
                                .outcome = AUDIT_OK,
                                .before = lifted ? buf_slice_of(&text) : (struct slice){0},
                                .after = lifted ? (struct slice){0} : buf_slice_of(&text)};
    return audit_append(tx, rq->actor, &entry, rq->now_us, err);
}

static bool write_added(struct db_tx *tx, void *arg, struct err *err)
{
    struct denying *d = arg;
    const struct deny_request *rq = d->rq;
    return rq->right.check(tx, rq->right.arg, &d->namespace_id, err) &&
           denied_digest_put(tx, rq->scope, &rq->digest, d->reason, rq->actor, rq->now_us, d->out,
                             err) &&
           audit(tx, d, "deny.add", err);
}

static bool write_lifted(struct db_tx *tx, void *arg, struct err *err)
{
    struct denying *d = arg;
    const struct deny_request *rq = d->rq;
    return rq->right.check(tx, rq->right.arg, &d->namespace_id, err) &&
           denied_digest_lift(tx, rq->scope, &rq->digest, rq->now_us, d->out, err) &&
           audit(tx, d, "deny.lift", err);
}

static bool change(struct trust *trust, struct denying *d, db_write_fn fn,
                   char warning[EXCEPTION_WARNING_MAX], struct err *err)
{
    char name[EXCEPTION_NAME_MAX];
    if (!exceptions_ready(trust->checkpoint, trust->db, d->rq->now_us, err) ||
        !db_write(trust->db, fn, d, err)) {
        return false;
    }
    checkpoint_note_exception(trust->checkpoint, exception_denied_name(d->out, name),
                              d->out->changes, 0);
    exceptions_noted(trust->checkpoint, warning);
    return true;
}

bool deny_add(struct trust *trust, const struct deny_request *request, struct denied_digest *out,
              char warning[EXCEPTION_WARNING_MAX], struct err *err)
{
    struct denying d = {.rq = request, .out = out};
    return exceptions_text(request->reason, "reason", DENIED_REASON_MAX, d.reason, err) &&
           change(trust, &d, write_added, warning, err);
}

bool deny_lift(struct trust *trust, const struct deny_request *request, struct denied_digest *out,
               char warning[EXCEPTION_WARNING_MAX], struct err *err)
{
    struct denying d = {.rq = request, .out = out};
    return change(trust, &d, write_lifted, warning, err);
}
