#include "server/record.h"

#include "base/clock.h"
#include "base/log.h"
#include "server/app.h"
#include "storage/decision_log.h"
#include "storage/repository.h"
#include "trust/basis.h"
#include "trust/trust.h"

#include <stdio.h>

/* --- what is recorded ------------------------------------------------------------------------- */

static const char *method_name(enum http_method method)
{
    static const struct {
        enum http_method method;
        const char *name;
    } names[] = {{METHOD_GET, "GET"}, {METHOD_HEAD, "HEAD"},   {METHOD_POST, "POST"},
                 {METHOD_PUT, "PUT"}, {METHOD_PATCH, "PATCH"}, {METHOD_DELETE, "DELETE"}};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (names[i].method == method) {
            return names[i].name;
        }
    }
    return NULL;
}

static const char *kind_name(enum identity_kind kind)
{
    static const char *const names[] = {
        [IDENTITY_ANONYMOUS] = "anonymous", [IDENTITY_USER] = "user",
        [IDENTITY_ROBOT] = "robot",         [IDENTITY_DEPLOYER] = "deployer",
        [IDENTITY_CONTROL] = "control",
    };
    return names[kind];
}

/* What lives as long as the entry is used. */
struct material {
    struct gate_basis basis;
    struct buf gun;
    char token[40];
    char override_id[24];
};

static void add_identity(const struct record *r, struct material *m, struct decision_entry *e)
{
    const struct identity *who = r->rq->identity;
    if (who->session_id != 0) {
        (void)snprintf(m->token, sizeof(m->token), "%s-%lld",
                       who->by_session ? "session" : "secret", (long long)who->session_id);
    }
    e->identity.account_id = who->account_id;
    e->identity.name = who->name;
    e->identity.kind = kind_name(who->kind);
    e->identity.gated = who->gated;
    e->identity.token = m->token;
    e->identity.address = r->rq->address;
    e->identity.agent = request_header(r->rq, "User-Agent");
}

static void add_trust(const struct record *r, const struct decision *d, struct material *m,
                      struct decision_entry *e)
{
    const struct gate_basis *basis = &m->basis;
    e->trust.gun = m->gun.p;
    e->trust.incarnation = basis->incarnation;
    e->trust.root = d->root_version;
    e->trust.root_spki = basis->has_root_key ? basis->root_key : NULL;
    e->trust.timestamp = d->timestamp_version;
    e->trust.snapshot = d->snapshot_version;
    e->trust.targets = d->targets_version;
    e->trust.role = d->role;
    e->trust.role_version = d->role_version;
    e->trust.signer_spki = basis->signer_keys;
    e->trust.signer_count = basis->signer_count;
    e->trust.valid_until_us = d->valid_until_us;
    e->policy.scope = d->policy_scope;
    e->policy.level = d->policy_scope[0] ? policy_level_name(d->level) : NULL;
    e->policy.generation = basis->policy_generation;
    e->generation = r->repo->gate_generation;
}

static void add_override(const struct decision *d, struct material *m, struct decision_entry *e)
{
    if (d->override_id > 0) {
        (void)snprintf(m->override_id, sizeof(m->override_id), "%lld", (long long)d->override_id);
        e->override_id = m->override_id;
    }
}

/* By tag the gate says what to serve; by digest that is what was asked for. */
static struct digest served_of(const struct decision *d)
{
    if (d->effect != EFFECT_ALLOW) {
        return (struct digest){0};
    }
    return digest_is_set(&d->serve) ? d->serve : d->requested;
}

struct decision_draft *record_draft(const struct record *r, struct decision *d)
{
    struct material m = {.token = ""};
    struct decision_entry e = {.time_us = r->rq->now_us,
                               .door = r->door,
                               .reason = gate_reason_info(d->reason)->name,
                               .allow = d->effect == EFFECT_ALLOW,
                               .took_us = clock_mono_us() - r->began_us};
    gate_basis_of(r->rq->app->trust, r->tx, r->repo, r->caller->kept, d, r->rq->now_us, &m.basis);
    trust_gun_write(r->rq->app->trust, &r->repo->name, &m.gun);
    add_identity(r, &m, &e);
    add_trust(r, d, &m, &e);
    add_override(d, &m, &e);
    e.request.method = method_name(r->rq->method);
    e.request.repository_id = r->repo->id;
    e.request.repo = r->repo->name.text;
    e.request.tag = d->tag;
    e.request.digest = d->requested;
    e.request.as = r->as;
    e.digests.registry = d->registry_digest;
    e.digests.signed_digest = d->signed_digest;
    e.digests.served = served_of(d);
    struct decision_draft *draft = decision_draft_new(&e);
    (void)snprintf(d->record, sizeof(d->record), "%s", draft->id);
    buf_dispose(&m.gun);
    return draft;
}

/* --- when, and by which thread ---------------------------------------------------------------- */

/* What is simply not there is told to everybody, and is no matter of the gate unless it applies. */
static bool is_recorded(const struct record *r, const struct decision *d)
{
    bool unknown = d->reason == REASON_UNKNOWN || d->reason == REASON_BLOB_UNKNOWN;
    return r->caller->gated || d->enforced || (d->effect == EFFECT_DENY && !unknown);
}

static void key_of(const struct record *r, const struct decision *d, struct decision_key *out)
{
    const struct decision_kind kind = {.door = r->door,
                                       .identity = r->rq->identity->name,
                                       .reason = gate_reason_info(d->reason)->name,
                                       .allow = d->effect == EFFECT_ALLOW,
                                       .account_id = r->rq->identity->account_id,
                                       .repository_id = r->repo->id,
                                       .generation = r->repo->gate_generation,
                                       .tag = d->tag,
                                       .as = r->as,
                                       .requested = &d->requested,
                                       .registry = &d->registry_digest,
                                       .signed_digest = &d->signed_digest,
                                       .served = &d->serve};
    decision_log_key(r->rq->app->decisions, &kind, out);
}

static void blob_key_of(const struct record *r, const struct digest *root, struct decision_key *out)
{
    decision_log_blob_key(r->rq->app->decisions, r->rq->identity->account_id, r->rq->identity->name,
                          r->repo->id, root, out);
}

static bool write_now(const struct record *r, const struct decision_key *key, struct decision *d)
{
    struct err why = {0};
    if (!request_on_worker(r->rq)) {
        d->record[0] = '\0';
        return false;
    }
    auto_decision_draft struct decision_draft *draft = record_draft(r, d);
    if (!decision_log_deny(r->rq->app->decisions, key, draft, clock_mono_us(), d->record, &why)) {
        log_err(LOG_ERROR, "decision_record", &why);
        *d = gate_unrecorded(&r->repo->name, d);
    }
    return true;
}

/* The first of its kind: queued, or written here when the queue is full. Blobs are counted into what
 * let their manifest through. */
static bool queue_allow(const struct record *r, const struct decision_key *key, bool blob,
                        struct decision *d)
{
    struct decision_key root;
    struct decision_draft *draft = record_draft(r, d);
    struct digest served = served_of(d);
    blob_key_of(r, blob && digest_is_set(&d->root) ? &d->root : &served, &root);
    if (decision_log_allow(r->rq->app->decisions, blob ? NULL : key, &root, draft, clock_mono_us(),
                           d->record)) {
        return true;
    }
    decision_draft_free(draft);
    return write_now(r, key, d);
}

static bool is_blob(const struct record *r)
{
    return strcmp(r->door, "blob") == 0;
}

bool record_decision(const struct record *r, struct decision *d)
{
    struct decision_key key;
    bool allow = d->effect == EFFECT_ALLOW;
    bool blob = allow && is_blob(r);
    if (!is_recorded(r, d)) {
        return true;
    }
    if (blob) {
        blob_key_of(r, digest_is_set(&d->root) ? &d->root : &d->requested, &key);
    } else {
        key_of(r, d, &key);
    }
    if (decision_log_count(r->rq->app->decisions, &key, allow, clock_mono_us(), d->record)) {
        return true;
    }
    bool waits = !allow || (d->reason == REASON_OVERRIDE && !blob); /* gate.md 12 */
    return waits ? write_now(r, &key, d) : queue_allow(r, &key, blob, d);
}

void record_write_url(const struct request *rq, const struct decision *d, struct buf *out)
{
    buf_printf(out, "%s/api/v1/deploy/decisions/%s", rq->app->config->public_url, d->record);
}
