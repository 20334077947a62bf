#include "auth/ticket.h"

#include "auth/access.h"
#include "auth/auth_internal.h"
#include "base/clock.h"

/* What the permissions of one token request are computed from. */
struct permit {
    struct db_tx *tx;
    const struct identity *who;
    struct namespace_name
        name; /* of the facts below: pushes ask for several repositories of one namespace */
    struct access_facts facts;
    struct err *err;
    bool failed;
};

static bool permit_facts(struct permit *p, const struct repo_name *repo)
{
    struct namespace_name name;
    repo_name_namespace(repo, &name);
    if (p->name.n > 0 && slice_equal(namespace_name_slice(&name), namespace_name_slice(&p->name))) {
        return true;
    }
    if (!access_facts_load(p->tx, p->who, &name, &p->facts, p->err)) {
        p->failed = true;
        return false;
    }
    p->name = name;
    return true;
}

static unsigned permit_wish(void *arg, const struct scope *wish)
{
    struct permit *p = arg;
    if (wish->kind == SCOPE_CATALOG) {
        return p->who->kind == IDENTITY_ANONYMOUS ? 0 : SCOPE_ALL;
    }
    if (p->failed || !permit_facts(p, &wish->repo)) {
        return 0;
    }
    return access_scope_bits(access_permitted(p->who, &p->facts), wish->kind);
}

static bool check_whole(bool cut, struct err *err)
{
    return !cut || err_set(err, ERR_INVALID,
                           "a token cannot carry so many scopes (%d, or %d KiB of names): ask for fewer at once",
                           SCOPE_LIST_MAX, GRANT_CLAIM_MAX / 1024);
}

bool ticket_issue(struct auth *a, const struct login *login, const struct scope_list *wishes,
                  int64_t now_us, struct ticket *out, struct err *err)
{
    static const struct identity nobody = {0};
    auto_snapshot struct db_tx *tx = NULL;
    *out = (struct ticket){0};
    if (!db_snapshot(a->db, &tx, err)) {
        return false;
    }
    struct permit permit = {.tx = tx, .who = login ? &login->who : &nobody, .err = err};
    bool cut = false;
    struct grant_set *grants =
        grant_new(wishes, strlen(a->issuer.host), permit_wish, &permit, &cut);
    const struct token_claims claims = {
        .account_id = permit.who->account_id,
        .anchor = login ? login->anchor : ANCHOR_NONE,
        .anchor_id = login ? login->anchor_id : 0,
        .issued_s = now_us / US_PER_SECOND,
        .expires_s = now_us / US_PER_SECOND + a->token_lifetime_s,
        .grants = grants,
    };
    bool ok = !permit.failed && check_whole(wishes->cut || cut, err) &&
              token_sign(a->keys, &a->issuer, &claims, &out->token, err);
    grant_write_scope(grants, a->issuer.host, &out->scope);
    out->expires_in = a->token_lifetime_s;
    grant_unref(grants);
    return ok;
}

void ticket_dispose(struct ticket *t)
{
    buf_wipe(&t->token);
    buf_dispose(&t->scope);
}

bool ticket_service_is_ours(const struct auth *a, struct slice service)
{
    return service.n == 0 || slice_is(service, a->service);
}
