/* Who is at the door with a name and a secret: every kind of secret in every position (auth.md 3):
 * passwords of people, session tokens, secrets of robots and deployers. Owns: the order of checks
 * (form, cache, throttle, hash). Refuses to know: grant types, HTTP. */
#ifndef AUTH_LOGIN_H
#define AUTH_LOGIN_H

#include "auth/auth.h"
#include "auth/token.h"

struct login {
    struct identity who; /* proof PROOF_PASSWORD for a person's password, PROOF_BASIC otherwise;
                            identity_release */
    enum token_anchor anchor; /* ANCHOR_ACCOUNT: by a person's password, may be given a session */
    int64_t anchor_id;
};

static inline bool login_by_password(const struct login *login)
{
    return login->anchor == ANCHOR_ACCOUNT;
}

/* Verifies. Blocks for a hashing slot when it is a password: worker threads only.
 *   user     may be empty (BuildKit sends the refresh token so) or, for secrets other than
 * passwords, `<token>` secret   as sent Expected errors: ERR_UNAUTHORIZED (one sentence for every
 * wrong name or password), ERR_TOO_MANY_REQUESTS with *retry_after_s_out > 0, ERR_INVALID (password
 * longer than 1024 bytes). */
bool login_verify(struct auth *a, struct slice user, struct slice secret,
                  const struct auth_context *context, struct login *out, int *retry_after_s_out,
                  struct err *err) MUST_USE;
/* A secret that is no password (refresh_token grant): robots, deployers and sessions. Never hashes.
 */
bool login_by_secret(struct auth *a, struct slice secret, const struct auth_context *context,
                     struct login *out, struct err *err) MUST_USE;

#endif
