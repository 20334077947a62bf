/* People's accounts of the administration API. */
#include "auth/user.h"
#include "server/administration.h"
#include "server/api.h"
#include "server/app.h"
#include "storage/account.h"

#define USERS_MAX 1000 /* of one answer */

static bool list(const struct request *rq, json_t *out, struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    auto_account_list struct account_list found = {0};
    auto_buf struct buf last = {0};
    (void)request_query(rq, "last", 0, &last);
    if (!db_snapshot(rq->app->db, &tx, err) ||
        !account_list(tx, ACCOUNT_USER, 0, buf_slice_of(&last), USERS_MAX, &found, err)) {
        return false;
    }
    for (size_t i = 0; i < found.count; i++) {
        const struct account *account = &found.items[i];
        (void)json_array_append_new(out, json_pack("{s:s, s:b, s:o, s:b}", "user", account->name,
                                                   "admin", (int)account->administrator, "created",
                                                   administration_time(account->created_us),
                                                   "disabled", (int)account->disabled));
    }
    return true;
}

/* GET /api/v1/users */
void api_users_list(struct request *rq, struct reply *reply)
{
    struct err err = {0};
    json_t *users = json_array();
    bool ok = list(rq, users, &err);
    administration_reply_list(reply, ok, "users", users, &err);
}

static bool create(const struct request *rq, struct email *email_out, struct buf *secret_out,
                   struct err *err)
{
    static const char *const known[] = {"email", "admin", "password", NULL};
    auto_json json_t *body = NULL;
    struct slice email;
    struct user_new user = {0};
    struct actor actor;
    if (!administration_body(rq, known, &body, err) ||
        !administration_text(body, "email", NULL, &email, err) ||
        !administration_text(body, "password", "", &user.password, err) ||
        !administration_flag(body, "admin", &user.administrator, err) ||
        !email_parse(email, &user.email, err)) {
        return false;
    }
    if (json_object_get(body, "password") != NULL && user.password.n == 0) {
        return err_set(err, ERR_INVALID,
                       "\"password\" is empty; leave it out to have one generated");
    }
    *email_out = user.email;
    administration_actor(rq, &actor);
    return user_create(rq->app->auth, rq->identity, &actor, &user, rq->now_us, secret_out, err);
}

/* POST /api/v1/users */
void api_users_create(struct request *rq, struct reply *reply)
{
    struct email email;
    struct buf secret = {0};
    struct err err = {0};
    if (!create(rq, &email, &secret, &err)) {
        reply_error(reply, &err);
    } else if (secret.n > 0) {
        reply_json(reply, 201, json_pack("{s:s, s:s}", "user", email.text, "secret", secret.p));
    } else {
        reply_json(reply, 201, json_pack("{s:s}", "user", email.text));
    }
    reply_header(reply, "Cache-Control", "no-store");
    buf_wipe(&secret);
}
