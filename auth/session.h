/* Sessions: what a person gets for a password, carried as `bst_ses_…`: refresh token of clients
 * that ask for one at login, bearer of the API for `bond`. Idle limit 30 days, absolute limit 180
 * days, never rotated (auth.md 3). Owns: their limits and making and ending them. */
#ifndef AUTH_SESSION_H
#define AUTH_SESSION_H

#include "auth/login.h"
#include "auth/secret.h"

#define SESSION_IDLE_US (30 * US_PER_DAY)
#define SESSION_ABSOLUTE_US (180 * US_PER_DAY)

/* client_id of API sessions; a client that calls itself so is noted without a name. */
#define SESSION_CLIENT_API "bondstore-api"

enum session_purpose {
    SESSION_FOR_CLIENT /* docker login: images and trust only */,
    SESSION_FOR_API
};

/* Makes one for an identity that proved itself by password.
 *   client_id   as the client names itself; cut to 64 characters; may be empty
 *   token_out   shown once; wipe after use
 * Durable on true. */
bool auth_session_start(struct auth *a, const struct login *login, enum session_purpose purpose,
                        struct slice client_id, const struct auth_context *context,
                        struct secret_text *token_out, int64_t *expires_us_out,
                        struct err *err) MUST_USE;
/* Ends the session an identity came with, and every token that hangs on it. Expected errors:
 * ERR_INVALID when it came without one. */
bool auth_session_end(struct auth *a, const struct identity *who,
                      const struct auth_context *context, struct err *err) MUST_USE;

#endif
