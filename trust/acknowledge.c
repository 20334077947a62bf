#include "trust/acknowledge.h"

#include "base/clock.h"
#include "storage/audit.h"
#include "storage/repository.h"
#include "trust/exceptions.h"
#include "trust/forget.h"
#include "trust/trust_internal.h"

#define PAGE 500

struct acknowledgement {
    struct trust *trust;
    const struct acknowledge_request *rq;
    struct pin_list revoked;
    int64_t count; /* of repositories */
};

static const char *scope_of(const struct acknowledge_request *rq)
{
    return rq->all ? "*" : rq->repo.text;
}

/* In the store or in the checkpoint: a repository that the store has lost can be acknowledged too. */
static bool is_known(const struct acknowledgement *a, struct db_tx *tx, struct err *err)
{
    struct repository repo;
    return a->rq->all || checkpoint_knows(a->trust->checkpoint, &a->rq->repo) ||
           repository_get(tx, &a->rq->repo, &repo, err);
}

static bool write_audit(struct db_tx *tx, void *arg, struct err *err)
{
    const struct acknowledgement *a = arg;
    const struct acknowledge_request *rq = a->rq;
    if (!is_known(a, tx, err)) {
        return false;
    }
    auto_json json_t *after = json_pack("{s:s}", "reason", rq->reason);
    auto_buf struct buf text = {0};
    json_write(&text, after);
    struct audit_entry entry = {.action = "trust.acknowledge",
                                .object = slice_str(scope_of(rq)),
                                .outcome = AUDIT_OK,
                                .after = buf_slice_of(&text)};
    return audit_append(tx, rq->actor, &entry, rq->now_us, err);
}

static bool accept_repository(struct acknowledgement *a, struct db_tx *tx,
                              const struct repository *repo, struct err *err)
{
    struct trust_role_life_list lives = {0};
    if (!trust_role_lives(tx, repo->id, &lives, err)) {
        return false;
    }
    checkpoint_accept(a->trust->checkpoint, &repo->name, &lives);
    trust_role_life_list_dispose(&lives);
    a->count++;
    return true;
}

static bool accept_all(struct acknowledgement *a, struct db_tx *tx, struct err *err)
{
    int64_t last = 0;
    bool more = true;
    while (more) {
        auto_repository_list struct repository_list page = {0};
        if (!repository_list_trusted(tx, last, PAGE, &page, err)) {
            return false;
        }
        for (size_t i = 0; i < page.count; i++) {
            if (!accept_repository(a, tx, &page.items[i], err)) {
                return false;
            }
            last = page.items[i].id;
        }
        more = page.count == PAGE;
    }
    return true;
}

/* A repository that the store has lost altogether is forgotten: it has no lives. */
static bool accept_one(struct acknowledgement *a, struct db_tx *tx, struct err *err)
{
    const struct trust_role_life_list none = {0};
    struct repository repo;
    struct err why = {0};
    if (repository_get(tx, &a->rq->repo, &repo, &why)) {
        return accept_repository(a, tx, &repo, err);
    }
    if (why.code == ERR_NAME_UNKNOWN) {
        checkpoint_accept(a->trust->checkpoint, &a->rq->repo, &none);
        a->count++;
        return true;
    }
    *err = why;
    return false;
}

static bool accept_exceptions(const struct acknowledgement *a, struct db_tx *tx, struct err *err)
{
    auto_exception_list struct exception_list store = {0};
    if (!exceptions_load(tx, a->rq->now_us, &store, err)) {
        return false;
    }
    checkpoint_accept_exceptions(a->trust->checkpoint, &store);
    return true;
}

/* The snapshot ends before anything waits for a disk. */
static bool accept_snapshot(struct acknowledgement *a, struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    return db_snapshot(a->trust->db, &tx, err) && revoked_key_list(tx, &a->revoked, err) &&
           (a->rq->all ? accept_all(a, tx, err) && accept_exceptions(a, tx, err)
                       : accept_one(a, tx, err));
}

bool trust_acknowledge(struct trust *trust, const struct acknowledge_request *request,
                       json_t **result_out, struct err *err)
{
    struct acknowledgement a = {.trust = trust, .rq = request};
    *result_out = NULL;
    bool ok = exceptions_reason(request->reason, EXCEPTIONS_REASON_MAX, false, err) &&
              checkpoint_accept_begin(trust->checkpoint, request->all, err) &&
              db_write(trust->db, write_audit, &a, err) && accept_snapshot(&a, err) &&
              checkpoint_accept_end(trust->checkpoint, &a.revoked, request->all, request->now_us,
                                    clock_mono_us(), err);
    pin_list_dispose(&a.revoked);
    if (ok) {
        json_t *commands = json_array();
        if (request->all) {
            forget_all(trust, commands);
        } else {
            forget_repository(trust, &request->repo, commands);
        }
        *result_out = json_pack("{s:s, s:I, s:o}", "scope", scope_of(request), "repositories",
                                (json_int_t)a.count, "commands", commands);
    }
    return ok;
}
