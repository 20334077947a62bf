/* People's accounts as acts of administrators, with the audit entry.
 * Owns: what an address looks like, generated passwords. */
#ifndef AUTH_USER_H
#define AUTH_USER_H

#include "auth/auth.h"
#include "storage/actor.h"

#define EMAIL_MAX 254

struct email {
    char text[EMAIL_MAX + 1]; /* lower case: names are compared as such */
};
/* local@domain, at most 254 printable ASCII characters, no blank, colon, quote, backslash or slash
 * (it stands in URLs, in Basic credentials and in quoted header texts). Expected errors:
 * ERR_INVALID. */
bool email_parse(struct slice text, struct email *out, struct err *err) MUST_USE;

struct user_new {
    struct email email;
    bool administrator;
    struct slice password; /* empty: one is generated */
};
/* Makes an account. Instance administrators only. Hashes a password: worker threads.
 *   secret_out   the password when it was generated, else empty; shown once, buf_wipe
 * Expected errors: ERR_DENIED, ERR_CONFLICT, ERR_INVALID (password), ERR_TOO_MANY_REQUESTS. Durable
 * on true. */
bool user_create(struct auth *a, const struct identity *who, const struct actor *actor,
                 const struct user_new *user, int64_t now_us, struct buf *secret_out,
                 struct err *err) MUST_USE;

#endif
