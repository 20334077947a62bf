#include "auth/live.h"

#include "auth/secret.h"
#include "auth/session.h"
#include "storage/credential.h"
#include "storage/session.h"

#include <stdio.h>

#define SESSION_OVER "this sign-in has ended: run docker login (or bond login) again"
#define SECRET_OVER "this secret is not valid here: it was revoked or never existed"

static bool is_missing(const struct err *e)
{
    return e->code == ERR_NOT_FOUND || e->code == ERR_ACCOUNT_UNKNOWN;
}

static enum live_result ended(struct err *err, const char *sentence)
{
    (void)err_set(err, ERR_UNAUTHORIZED, "%s", sentence);
    return LIVE_ENDED;
}

static enum live_result missing_or_failed(struct err *err, const struct err *cause,
                                          const char *sentence)
{
    if (is_missing(cause)) {
        return ended(err, sentence);
    }
    *err = *cause;
    return LIVE_FAILED;
}

void live_identity(const struct account *account, struct identity *out)
{
    static const enum identity_kind kinds[] = {
        [ACCOUNT_USER] = IDENTITY_USER,
        [ACCOUNT_ROBOT] = IDENTITY_ROBOT,
        [ACCOUNT_DEPLOYER] = IDENTITY_DEPLOYER,
    };
    *out = (struct identity){
        .kind = kinds[account->kind],
        .account_id = account->id,
        .administrator = account->kind == ACCOUNT_USER && account->administrator,
        .gated = account->kind == ACCOUNT_DEPLOYER,
        .namespace_id = account->namespace_id,
        .robot_actions = account->kind == ACCOUNT_ROBOT ? account->actions : 0,
    };
    (void)snprintf(out->name, sizeof(out->name), "%s", account->name);
}

static int64_t session_end_us(const struct session *s)
{
    int64_t idle = s->last_used_us + s->idle_us;
    int64_t absolute = s->created_us + s->absolute_us;
    return idle < absolute ? idle : absolute;
}

static enum live_result check_session(struct db_tx *tx, const struct live_anchor *anchor,
                                      int64_t now_us, struct identity *out, int64_t *live_until_out,
                                      struct err *err)
{
    struct session session;
    struct err cause = {0};
    if (!session_get(tx, anchor->anchor_id, &session, &cause)) {
        return missing_or_failed(err, &cause, SESSION_OVER);
    }
    if (session.account_id != anchor->account_id || !session_is_live(&session, now_us)) {
        return ended(err, SESSION_OVER);
    }
    out->session_id = session.id;
    out->by_session = true;
    out->registry_only = strcmp(session.client_id, SESSION_CLIENT_API) != 0;
    *live_until_out = session_end_us(&session);
    return LIVE_YES;
}

static enum live_result check_credential(struct db_tx *tx, const struct live_anchor *anchor,
                                         struct identity *out, struct err *err)
{
    struct credential credential;
    struct err cause = {0};
    if (!credential_get(tx, anchor->anchor_id, &credential, &cause)) {
        return missing_or_failed(err, &cause, SECRET_OVER);
    }
    if (credential.account_id != anchor->account_id || credential.revoked_us != 0) {
        return ended(err, SECRET_OVER);
    }
    out->session_id = credential.id;
    return LIVE_YES;
}

enum live_result live_load(struct db_tx *tx, const struct live_anchor *anchor, int64_t now_us,
                           struct identity *out, int64_t *live_until_out, struct err *err)
{
    struct account account;
    struct err cause = {0};
    *out = (struct identity){0};
    *live_until_out = INT64_MAX;
    if (!account_get(tx, anchor->account_id, &account, &cause)) {
        return missing_or_failed(err, &cause, "the account is gone");
    }
    if (account.disabled) {
        return ended(err, "the account is disabled");
    }
    live_identity(&account, out);
    switch (anchor->anchor) {
    case ANCHOR_NONE:
        break;
    case ANCHOR_ACCOUNT:
        if (anchor->anchor_id == account.password_version) {
            return LIVE_YES;
        }
        return ended(err, "the password was changed since: sign in again");
    case ANCHOR_SESSION:
        return check_session(tx, anchor, now_us, out, live_until_out, err);
    case ANCHOR_CREDENTIAL:
        return check_credential(tx, anchor, out, err);
    }
    return ended(err, "the access token hangs on nothing");
}

static enum live_result find_session(struct db_tx *tx, const uint8_t sha256[32],
                                     struct live_anchor *out, struct err *err)
{
    struct session session;
    struct err cause = {0};
    if (!session_find(tx, sha256, &session, &cause)) {
        return missing_or_failed(err, &cause, SESSION_OVER);
    }
    *out = (struct live_anchor){session.account_id, ANCHOR_SESSION, session.id};
    return LIVE_YES;
}

static enum live_result find_credential(struct db_tx *tx, const uint8_t sha256[32],
                                        struct live_anchor *out, struct err *err)
{
    struct credential credential;
    struct err cause = {0};
    if (!credential_find(tx, sha256, &credential, &cause)) {
        return missing_or_failed(err, &cause, SECRET_OVER);
    }
    *out = (struct live_anchor){credential.account_id, ANCHOR_CREDENTIAL, credential.id};
    return LIVE_YES;
}

enum live_result live_find_secret(struct db_tx *tx, struct slice secret, int64_t now_us,
                                  struct live_anchor *anchor_out, struct identity *out,
                                  int64_t *live_until_out, struct err *err)
{
    uint8_t sha256[32];
    enum live_result found = LIVE_ENDED;
    *out = (struct identity){0};
    *anchor_out = (struct live_anchor){0};
    secret_sha256(secret, sha256);
    switch (secret_kind_of(secret)) {
    case SECRET_SESSION:
        found = find_session(tx, sha256, anchor_out, err);
        break;
    case SECRET_ROBOT:
    case SECRET_DEPLOYER:
        found = find_credential(tx, sha256, anchor_out, err);
        break;
    case SECRET_NONE:
    case SECRET_PAT:
        return ended(err, SECRET_OVER);
    }
    return found == LIVE_YES ? live_load(tx, anchor_out, now_us, out, live_until_out, err) : found;
}
