#include "auth/user.h"

#include "auth/access.h"
#include "auth/auth_internal.h"
#include "auth/secret.h"
#include "storage/account.h"
#include "storage/audit.h"

#include <sodium.h>
#include <stdio.h>

static bool is_email_char(unsigned char c)
{
    return c > 0x20 && c < 0x7F && strchr(":\"\\/<>,;()[]'`", c) == NULL;
}

bool email_parse(struct slice text, struct email *out, struct err *err)
{
    ptrdiff_t at = slice_index(text, '@');
    bool shaped = at > 0 && at <= 64 && (size_t)at + 1 < text.n && slice_rindex(text, '@') == at &&
                  text.n <= EMAIL_MAX;
    for (size_t i = 0; shaped && i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        shaped = is_email_char(c);
        out->text[i] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
        out->text[i + 1] = '\0';
    }
    return shaped || err_set(err, ERR_INVALID,
                             "a user is named by an e-mail address such as alice@example.org");
}

struct user_write {
    struct account_new account;
    const struct actor *actor;
    int64_t now_us;
};

static bool write_user(struct db_tx *tx, void *arg, struct err *err)
{
    struct user_write *u = arg;
    int64_t id = 0;
    if (!account_create(tx, &u->account, u->now_us, &id, err)) {
        return false;
    }
    const struct audit_entry entry = {
        .action = "user.create",
        .object = u->account.name,
        .outcome = AUDIT_OK,
        .after = slice_str(u->account.administrator ? "{\"admin\":true}" : "{\"admin\":false}"),
    };
    return audit_append(tx, u->actor, &entry, u->now_us, err);
}

static bool store_user(struct db *db, struct user_write *u, struct err *err)
{
    if (db_write(db, write_user, u, err)) {
        return true;
    }
    if (err->code == ERR_CONFLICT) {
        return err_set(err, ERR_CONFLICT, "there is an account named %.*s already",
                       SLICE_FMT(u->account.name));
    }
    return false;
}

/* The password to store: the given one when it is acceptable, a generated one otherwise asked for.
 */
static bool choose_password(struct slice given, const char *email, struct buf *generated,
                            struct slice *out, struct err *err)
{
    if (given.n > 0) {
        *out = given;
        return password_acceptable(given, email, err);
    }
    char made[SECRET_PASSWORD_CHARS + 1];
    secret_make_password(made);
    buf_str(generated, made);
    sodium_memzero(made, sizeof(made));
    *out = buf_slice_of(generated);
    return true;
}

bool user_create(struct auth *a, const struct identity *who, const struct actor *actor,
                 const struct user_new *user, int64_t now_us, struct buf *secret_out,
                 struct err *err)
{
    if (!access_is_admin(who)) {
        return err_set(err, ERR_DENIED, "making an account needs an instance administrator");
    }
    char hash[PASSWORD_PHC_MAX];
    struct slice password;
    if (!choose_password(user->password, user->email.text, secret_out, &password, err) ||
        !hasher_hash(a->hasher, password, hash, err)) {
        return false;
    }
    struct user_write write = {
        .account = {.kind = ACCOUNT_USER,
                    .name = slice_str(user->email.text),
                    .administrator = user->administrator,
                    .password_hash = hash},
        .actor = actor,
        .now_us = now_us,
    };
    if (!store_user(a->db, &write, err)) {
        return false;
    }
    auth_changed(a);
    return true;
}

bool auth_create_admin(struct db *db, const char *email, struct slice password, int64_t now_us,
                       struct buf *secret_out, struct err *err)
{
    struct email name;
    char hash[PASSWORD_PHC_MAX];
    if (sodium_init() < 0) {
        return err_internal(err, "libsodium does not start");
    }
    if (!email_parse(slice_str(email), &name, err) ||
        !choose_password(password, name.text, secret_out, &password, err) ||
        !password_hash(password, password_cost_default(), hash, err)) {
        return false;
    }
    struct actor actor = {0};
    (void)snprintf(actor.name, sizeof(actor.name), "init");
    struct user_write write = {
        .account = {.kind = ACCOUNT_USER,
                    .name = slice_str(name.text),
                    .administrator = true,
                    .password_hash = hash},
        .actor = &actor,
        .now_us = now_us,
    };
    return store_user(db, &write, err);
}
