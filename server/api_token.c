/* The token endpoint (auth.md 2 and 3): GET with Basic, POST with an OAuth2 form. */
#include "auth/auth.h"
#include "auth/basic.h"
#include "auth/login.h"
#include "auth/session.h"
#include "auth/ticket.h"
#include "server/api.h"
#include "server/app.h"

#include <sodium.h>

/* How a parameter is read: from the query (GET) or from the form (POST). */
typedef bool (*parameter_fn)(const struct request *rq, const char *name, int nth, struct buf *out);

/* One token request, whatever its method. */
struct token_request {
    const struct request *rq;
    struct auth *auth;
    parameter_fn parameter;
    struct auth_context context;
    struct scope_list wishes;
    struct login login;
    bool signed_in; /* login holds somebody; otherwise anonymous */
    int retry_after_s;
};

static void request_begin(struct token_request *t, const struct request *rq, parameter_fn parameter)
{
    *t = (struct token_request){.rq = rq, .auth = rq->app->auth, .parameter = parameter};
    t->context = (struct auth_context){
        .address = rq->address,
        .user_agent = request_header(rq, "User-Agent"),
        .now_us = rq->now_us,
    };
}

static void request_end(struct token_request *t)
{
    scope_list_dispose(&t->wishes);
    identity_release(&t->login.who);
}

/* The parameter's only value; empty when absent. */
static void parameter_get(const struct token_request *t, const char *name, struct buf *out)
{
    if (!t->parameter(t->rq, name, 0, out)) {
        buf_clear(out);
    }
}

static bool parameter_is(const struct token_request *t, const char *name, const char *value)
{
    auto_buf struct buf text = {0};
    parameter_get(t, name, &text);
    return slice_is(buf_slice_of(&text), value);
}

/* Repeated parameters and blanks inside of one mean the same (docker and skopeo each do one of it).
 */
static void read_wishes(struct token_request *t)
{
    for (int i = 0; i <= SCOPE_LIST_MAX; i++) {
        auto_buf struct buf text = {0};
        if (!t->parameter(t->rq, "scope", i, &text)) {
            return;
        }
        scope_list_add(&t->wishes, buf_slice_of(&text), auth_hosts(t->auth));
    }
    t->wishes.cut = true; /* nobody reads on */
}

static bool check_service(const struct token_request *t, struct err *err)
{
    auto_buf struct buf service = {0};
    parameter_get(t, "service", &service);
    if (ticket_service_is_ours(t->auth, buf_slice_of(&service))) {
        return true;
    }
    return err_set(err, ERR_INVALID,
                   "tokens for another service cannot be had here; this one is %s",
                   t->rq->app->config->service);
}

static bool wants_session(const struct token_request *t)
{
    return t->signed_in && login_by_password(&t->login) &&
           (parameter_is(t, "offline_token", "true") || parameter_is(t, "access_type", "offline"));
}

static bool start_session(const struct token_request *t, struct secret_text *out, struct err *err)
{
    auto_buf struct buf client_id = {0};
    int64_t expires_us = 0;
    parameter_get(t, "client_id", &client_id);
    return auth_session_start(t->auth, &t->login, SESSION_FOR_CLIENT, buf_slice_of(&client_id),
                              &t->context, out, &expires_us, err);
}

/* No issued_at: clients would measure expiry against it with their own clock (auth.md 2). */
static void reply_ticket(struct reply *reply, const struct ticket *ticket,
                         struct slice refresh_token)
{
    struct buf body = {0};
    buf_str(&body, "{\"token\":");
    buf_json_string(&body, buf_slice_of(&ticket->token));
    buf_str(&body, ",\"access_token\":");
    buf_json_string(&body, buf_slice_of(&ticket->token));
    buf_printf(&body, ",\"expires_in\":%lld,\"scope\":", (long long)ticket->expires_in);
    buf_json_string(&body, buf_slice_of(&ticket->scope));
    if (refresh_token.n > 0) {
        buf_str(&body, ",\"refresh_token\":");
        buf_json_string(&body, refresh_token);
    }
    buf_str(&body, "}\n");
    reply_buf(reply, 200, "application/json", &body);
}

/* Somebody, or nobody, is established: makes the answer. `refresh_token` is repeated when one was
 * used. */
static bool answer(struct token_request *t, struct slice refresh_token, struct reply *reply,
                   struct err *err)
{
    auto_ticket struct ticket ticket = {0};
    struct secret_text session = {0};
    read_wishes(t);
    if (!ticket_issue(t->auth, t->signed_in ? &t->login : NULL, &t->wishes, t->rq->now_us, &ticket,
                      err)) {
        return false;
    }
    if (wants_session(t)) {
        if (!start_session(t, &session, err)) {
            return false;
        }
        refresh_token = slice_str(session.text);
    }
    reply_ticket(reply, &ticket, refresh_token);
    sodium_memzero(&session, sizeof(session));
    return true;
}

static void refuse(const struct token_request *t, struct reply *reply, const struct err *err)
{
    reply_error(reply, err);
    if (err->code == ERR_UNAUTHORIZED) {
        reply_header(reply, "WWW-Authenticate", "Basic realm=\"%s\"", t->rq->app->config->service);
    }
    if (t->retry_after_s > 0) {
        reply_retry_after(reply, t->retry_after_s);
    }
}

static void finish(struct token_request *t, bool ok, struct reply *reply, const struct err *err)
{
    if (!ok) {
        refuse(t, reply, err);
    }
    reply_header(reply, "Cache-Control", "no-store");
    reply_header(reply, "Pragma", "no-cache");
    request_end(t);
}

static bool sign_in(struct token_request *t, struct slice user, struct slice secret,
                    struct err *err)
{
    t->signed_in =
        login_verify(t->auth, user, secret, &t->context, &t->login, &t->retry_after_s, err);
    return t->signed_in;
}

static bool sign_in_by_header(struct token_request *t, struct err *err)
{
    const char *header = request_header(t->rq, "Authorization");
    if (header == NULL) {
        return true; /* anonymous: a token with what is public (auth.md 2) */
    }
    auto_basic struct basic basic = {0};
    if (!basic_parse(slice_str(header), &basic, err)) {
        return false;
    }
    if (basic.user.n == 0 && basic.secret.n == 0) {
        return true;
    }
    return sign_in(t, basic.user, basic.secret, err);
}

/* GET /token */
void api_token_get(struct request *rq, struct reply *reply)
{
    struct token_request t;
    struct err err = {0};
    request_begin(&t, rq, request_query);
    bool ok = check_service(&t, &err) && sign_in_by_header(&t, &err) &&
              answer(&t, (struct slice){0}, reply, &err);
    finish(&t, ok, reply, &err);
}

static bool grant_password(struct token_request *t, struct reply *reply, struct err *err)
{
    auto_buf struct buf user = {0};
    struct buf password = {0};
    parameter_get(t, "username", &user);
    parameter_get(t, "password", &password);
    bool ok = sign_in(t, buf_slice_of(&user), buf_slice_of(&password), err);
    buf_wipe(&password);
    return ok && answer(t, (struct slice){0}, reply, err);
}

/* The refresh token stays the same for ever: docker does not store a new one (auth.md 3). */
static bool grant_refresh(struct token_request *t, struct reply *reply, struct err *err)
{
    struct buf secret = {0};
    parameter_get(t, "refresh_token", &secret);
    t->signed_in = login_by_secret(t->auth, buf_slice_of(&secret), &t->context, &t->login, err);
    bool is_session = t->signed_in && t->login.anchor == ANCHOR_SESSION;
    bool ok = t->signed_in &&
              answer(t, is_session ? buf_slice_of(&secret) : (struct slice){0}, reply, err);
    buf_wipe(&secret);
    return ok;
}

static bool grant_by_type(struct token_request *t, struct reply *reply, struct err *err)
{
    if (parameter_is(t, "grant_type", "password")) {
        return grant_password(t, reply, err);
    }
    if (parameter_is(t, "grant_type", "refresh_token")) {
        return grant_refresh(t, reply, err);
    }
    return err_set(err, ERR_INVALID, "grant_type must be password or refresh_token");
}

/* POST /token */
void api_token_post(struct request *rq, struct reply *reply)
{
    struct token_request t;
    struct err err = {0};
    request_begin(&t, rq, request_form);
    bool ok = request_form_check(rq, &err) && check_service(&t, &err) &&
              grant_by_type(&t, reply, &err);
    finish(&t, ok, reply, &err);
}
