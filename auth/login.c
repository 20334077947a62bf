#include "auth/login.h"

#include "auth/auth_internal.h"
#include "auth/live.h"
#include "auth/secret.h"
#include "base/clock.h"
#include "base/log.h"
#include "storage/account.h"
#include "storage/credential.h"
#include "storage/session.h"

#include <sodium.h>
#include <stdio.h>

/* One sentence for an unknown name, a wrong password and a disabled account: the answer tells
 * nothing. */
#define WRONG_SENTENCE "incorrect user name or password"

enum { BUSY_RETRY_S = 2 };

#define TOUCH_EVERY_US                                                                             \
    (INT64_C(3600) * US_PER_SECOND) /* a use is noted once an hour: limits are in days */

struct touch {
    struct live_anchor anchor;
    const char *address;
    int64_t now_us;
};

static bool write_touch(struct db_tx *tx, void *arg, struct err *err)
{
    const struct touch *t = arg;
    if (t->anchor.anchor == ANCHOR_SESSION) {
        return session_touch(tx, t->anchor.anchor_id, t->address, t->now_us, err);
    }
    return credential_touch(tx, t->anchor.anchor_id, t->now_us, err);
}

/* False also when it cannot be read: then nothing is noted. */
static bool wants_touch(struct db_tx *tx, const struct live_anchor *anchor, int64_t now_us)
{
    if (anchor->anchor == ANCHOR_SESSION) {
        struct session session;
        return session_get(tx, anchor->anchor_id, &session, NULL) &&
               now_us - session.last_used_us > TOUCH_EVERY_US;
    }
    struct credential credential;
    return credential_get(tx, anchor->anchor_id, &credential, NULL) &&
           now_us - credential.last_used_us > TOUCH_EVERY_US;
}

bool login_by_secret(struct auth *a, struct slice secret, const struct auth_context *context,
                     struct login *out, struct err *err)
{
    *out = (struct login){0};
    struct touch touch = {.address = context->address ? context->address : "",
                          .now_us = context->now_us};
    bool due = false;
    int64_t live_until = 0;
    {
        auto_snapshot struct db_tx *tx = NULL;
        if (!db_snapshot(a->db, &tx, err)) {
            return false;
        }
        if (live_find_secret(tx, secret, context->now_us, &touch.anchor, &out->who, &live_until,
                             err) != LIVE_YES) {
            return false;
        }
        due = wants_touch(tx, &touch.anchor, context->now_us);
    }
    out->who.proof = PROOF_BASIC;
    out->anchor = touch.anchor.anchor;
    out->anchor_id = touch.anchor.anchor_id;
    struct err untouched = {0};
    if (due && !db_write(a->db, write_touch, &touch, &untouched)) {
        log_err(LOG_WARN, "last_use_not_noted", &untouched); /* the sign-in is good all the same */
    }
    return true;
}

static void lower_case(struct slice text, char *out, size_t n)
{
    size_t used = text.n < n - 1 ? text.n : n - 1;
    for (size_t i = 0; i < used; i++) {
        char c = text.p[i];
        out[i] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
    out[used] = '\0';
}

/* A password that is being tried. */
struct attempt {
    char name[ACTOR_NAME_MAX + 1]; /* lower case */
    bool exists;                   /* a person who may sign in by password */
    struct account account;
    struct slice password;
    uint8_t mac[RECENT_KEY_BYTES]; /* of name, password version and password: a new password is a
                                      new key */
};

static void attempt_mac(const struct auth *a, struct attempt *attempt)
{
    crypto_generichash_state state;
    int64_t version = attempt->exists ? attempt->account.password_version : 0;
    crypto_generichash_init(&state, a->mac_key, sizeof(a->mac_key), RECENT_KEY_BYTES);
    crypto_generichash_update(&state, (const uint8_t *)attempt->name, strlen(attempt->name) + 1);
    crypto_generichash_update(&state, (const uint8_t *)&version, sizeof(version));
    crypto_generichash_update(&state, (const uint8_t *)attempt->password.p, attempt->password.n);
    crypto_generichash_final(&state, attempt->mac, RECENT_KEY_BYTES);
}

static bool attempt_load(struct auth *a, struct attempt *attempt, struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    struct err missing = {0};
    if (!db_snapshot(a->db, &tx, err)) {
        return false;
    }
    if (account_get_by_name(tx, slice_str(attempt->name), &attempt->account, &missing)) {
        const struct account *account = &attempt->account;
        attempt->exists = account->kind == ACCOUNT_USER && !account->disabled &&
                          account->password_hash[0] != '\0';
        return true;
    }
    if (missing.code != ERR_ACCOUNT_UNKNOWN) {
        *err = missing;
        return false;
    }
    return true;
}

static bool refuse_for_now(int wait_s, int *retry_after_s_out, struct err *err)
{
    *retry_after_s_out = wait_s;
    return err_set(err, ERR_TOO_MANY_REQUESTS, "too many sign-ins that failed; try again in %d s",
                   wait_s);
}

static bool refuse(struct err *err)
{
    return err_set(err, ERR_UNAUTHORIZED, WRONG_SENTENCE);
}

static void log_failure(const struct attempt *attempt, const struct auth_context *context)
{
    char name[160];
    log_event(LOG_WARN, "login_failed", "user=%s address=%s",
              log_quote(slice_str(attempt->name), name, sizeof(name)),
              context->address ? context->address : "-");
}

/* The stored hash was made with other parameters: replaced while the password is at hand. */
struct rehash {
    int64_t account_id;
    char hash[PASSWORD_PHC_MAX];
};

static bool write_rehash(struct db_tx *tx, void *arg, struct err *err)
{
    const struct rehash *r = arg;
    return account_set_password(tx, r->account_id, r->hash, err);
}

static void rehash_if_needed(struct auth *a, struct attempt *attempt)
{
    struct rehash r = {.account_id = attempt->account.id};
    struct err err = {0};
    if (!password_needs_rehash(attempt->account.password_hash, hasher_cost(a->hasher))) {
        return;
    }
    if (!hasher_hash(a->hasher, attempt->password, r.hash, &err) ||
        !db_write(a->db, write_rehash, &r, &err) || !attempt_load(a, attempt, &err)) {
        log_err(LOG_WARN, "rehash_failed", &err); /* the old hash goes on serving */
        return;
    }
    auth_changed(a);
    attempt_mac(a, attempt);
}

static bool verify_slowly(struct auth *a, struct attempt *attempt,
                          const struct auth_context *context, int *retry_after_s_out,
                          struct err *err)
{
    int wait = throttle_wait_s(a->throttle, context->address, attempt->name, clock_mono_us());
    if (wait > 0) {
        return refuse_for_now(wait, retry_after_s_out, err);
    }
    switch (hasher_verify(a->hasher, attempt->exists ? attempt->account.password_hash : NULL,
                          attempt->password)) {
    case HASHER_BUSY:
        *retry_after_s_out = BUSY_RETRY_S;
        return err_set(err, ERR_TOO_MANY_REQUESTS,
                       "many people are signing in at this moment; try again in %d s",
                       BUSY_RETRY_S);
    case HASHER_WRONG:
        recent_put(a->wrong, attempt->mac, clock_mono_us());
        throttle_failed(a->throttle, context->address, attempt->name, attempt->mac,
                        clock_mono_us());
        log_failure(attempt, context);
        return refuse(err);
    case HASHER_RIGHT:
        break;
    }
    rehash_if_needed(a, attempt);
    recent_put(a->right, attempt->mac, clock_mono_us());
    throttle_succeeded(a->throttle, context->address, attempt->name, clock_mono_us());
    return true;
}

static bool login_by_password_of(struct auth *a, struct slice user, struct slice password,
                                 const struct auth_context *context, struct login *out,
                                 int *retry_after_s_out, struct err *err)
{
    struct attempt attempt = {.password = password};
    int64_t live_until = 0;
    lower_case(user, attempt.name, sizeof(attempt.name));
    if (!attempt_load(a, &attempt, err)) {
        return false;
    }
    attempt_mac(a, &attempt);
    if (recent_has(
            a->wrong, attempt.mac,
            clock_mono_us())) { /* clients repeat a stored secret for ever: no work, no log */
        return refuse(err);
    }
    bool known = attempt.exists && recent_has(a->right, attempt.mac, clock_mono_us());
    if (!known && !verify_slowly(a, &attempt, context, retry_after_s_out, err)) {
        return false;
    }
    auto_snapshot struct db_tx *tx = NULL;
    const struct live_anchor anchor = {attempt.account.id, ANCHOR_ACCOUNT,
                                       attempt.account.password_version};
    if (!db_snapshot(a->db, &tx, err) ||
        live_load(tx, &anchor, context->now_us, &out->who, &live_until, err) != LIVE_YES) {
        return false;
    }
    out->who.proof = PROOF_PASSWORD;
    out->anchor = ANCHOR_ACCOUNT;
    out->anchor_id = anchor.anchor_id;
    return true;
}

bool login_verify(struct auth *a, struct slice user, struct slice secret,
                  const struct auth_context *context, struct login *out, int *retry_after_s_out,
                  struct err *err)
{
    *out = (struct login){0};
    *retry_after_s_out = 0;
    if (secret_kind_of(secret) != SECRET_NONE) {
        if (!login_by_secret(a, secret, context, out, err)) {
            return false;
        }
        return auth_name_fits(user, &out->who) || refuse(err);
    }
    if (secret.n > PASSWORD_BYTES_MAX) {
        return err_set(err, ERR_INVALID, "the password is longer than %d bytes",
                       PASSWORD_BYTES_MAX);
    }
    if (user.n == 0 || user.n > ACTOR_NAME_MAX) {
        return refuse(err);
    }
    return login_by_password_of(a, user, secret, context, out, retry_after_s_out, err);
}
