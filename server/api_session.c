/* Signing in and out of the API, and who one is. */
#include "auth/login.h"
#include "auth/session.h"
#include "server/administration.h"
#include "server/api.h"
#include "server/app.h"

#include <sodium.h>

static const char *const kind_words[] = {
    [IDENTITY_ANONYMOUS] = "anonymous", [IDENTITY_USER] = "user",       [IDENTITY_ROBOT] = "robot",
    [IDENTITY_DEPLOYER] = "deployer",   [IDENTITY_CONTROL] = "control",
};

/* A session begins with a person's password and nothing less. */
static bool sign_in(const struct request *rq, const struct auth_context *context,
                    struct login *login, int *retry_after_s_out, struct err *err)
{
    static const char *const known[] = {"email", "password", NULL};
    auto_json json_t *body = NULL;
    struct slice email;
    struct slice password;
    if (!administration_body(rq, known, &body, err) ||
        !administration_text(body, "email", NULL, &email, err) ||
        !administration_text(body, "password", NULL, &password, err)) {
        return false;
    }
    if (!login_verify(rq->app->auth, email, password, context, login, retry_after_s_out, err)) {
        return false;
    }
    return login_by_password(login) ||
           err_set(err, ERR_UNAUTHORIZED,
                   "a session begins with an e-mail address and its password");
}

/* POST /api/v1/sessions */
void api_sessions_create(struct request *rq, struct reply *reply)
{
    struct auth_context context;
    struct login login = {0};
    struct secret_text token = {0};
    int64_t expires_us = 0;
    int retry_after_s = 0;
    struct err err = {0};
    administration_context(rq, &context);
    bool ok = sign_in(rq, &context, &login, &retry_after_s, &err) &&
              auth_session_start(rq->app->auth, &login, SESSION_FOR_API, (struct slice){0},
                                 &context, &token, &expires_us, &err);
    if (ok) {
        reply_json(reply, 201,
                   json_pack("{s:s, s:s, s:o}", "user", login.who.name, "token", token.text,
                             "expires", administration_time(expires_us)));
    } else {
        reply_error(reply, &err);
    }
    if (retry_after_s > 0) {
        reply_retry_after(reply, retry_after_s);
    }
    reply_header(reply, "Cache-Control", "no-store");
    sodium_memzero(&token, sizeof(token));
    identity_release(&login.who);
}

/* DELETE /api/v1/sessions/current */
void api_sessions_end(struct request *rq, struct reply *reply)
{
    struct auth_context context;
    struct err err = {0};
    administration_context(rq, &context);
    bool ok = auth_session_end(rq->app->auth, rq->identity, &context, &err);
    administration_reply_done(reply, ok, &err);
}

/* GET /api/v1/whoami */
void api_whoami(struct request *rq, struct reply *reply)
{
    const struct identity *who = rq->identity;
    reply_json(reply, 200,
               json_pack("{s:s, s:s, s:b}", "user", who->name, "kind", kind_words[who->kind],
                         "admin", (int)access_is_admin(who)));
}
