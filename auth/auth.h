/* The authentication part of a running server, made once at start: token keys, verified-token
 * cache, throttle and the bound on password hashing. Turns an Authorization header into an
 * identity. Owns: those parts and their locks. Refuses to know: HTTP (it is given texts), rights
 * (access).
 *
 * Invariants
 *   1. Every request is checked against the live account, session and secret; ending one ends its
 * tokens within one request.
 *   2. A user's password is never hashed outside POST /token, GET /token and POST /api/v1/sessions.
 *   3. Results are refusals unless set otherwise: the zero value of enum auth_result is one. */
#ifndef AUTH_AUTH_H
#define AUTH_AUTH_H

#include "auth/grant.h"
#include "auth/identity.h"
#include "base/db.h"
#include "base/err.h"

struct auth;

struct auth_options {
    struct db *db;           /* borrowed; must outlive */
    const char *secrets_dir; /* path of DIR/secrets; token.key is made in it (0600) when missing */
    const char *public_url;  /* `iss`: "https://HOST:PORT" without a slash at the end */
    const char *service;     /* `aud`: host[:port] of public_url */
    const char *canonical_host; /* of GUNs; a namespace may not be named like it */
    const char *const *aliases; /* further hosts accepted in trust scopes; may be NULL */
    size_t alias_count;
    int64_t token_lifetime_s; /* 0 = 3600; never below 300 */
    unsigned hash_slots;      /* passwords hashed at once; 0 = max(1, cores / 2) */
    unsigned hash_queue; /* callers that may wait for a slot; 0 = 32. Each holds its worker thread
                            meanwhile, so less than there are workers, or strangers could stop the
                            pushes of everybody */
    unsigned hash_opslimit; /* Argon2id passes; 0 = 3 */
    size_t hash_memlimit;   /* bytes; 0 = 64 MiB */
};

/* Copies the texts. Expected errors: ERR_INTERNAL with a sentence (secrets folder unreadable,
 * token.key malformed or readable by others). */
bool auth_new(const struct auth_options *options, struct auth **out, struct err *err) MUST_USE;
/* No other thread may use it any more. Accepts NULL. */
void auth_free(struct auth *a);

enum auth_result {
    AUTH_FAILED = 0,      /* could not be decided (database): err says so; 500 */
    AUTH_INVALID_TOKEN,   /* a bearer that is expired, malformed, forged or revoked: 401
                             error="invalid_token" */
    AUTH_BAD_CREDENTIALS, /* Basic that does not hold, or another scheme: 401 with err's sentence */
    AUTH_ANONYMOUS,       /* no Authorization header */
    AUTH_OK /* an access token of the anonymous too: kind IDENTITY_ANONYMOUS, proof PROOF_BEARER */
};

struct auth_context {
    const char *address;    /* of the peer, text; may be NULL */
    const char *user_agent; /* may be NULL */
    int64_t now_us;         /* wall clock, the request's one reading */
    bool api;               /* path below /api: a session secret is accepted as bearer too */
};

/* Who sends this request? Cheap: for a token or secret seen before, one hash and a look into the
 * cache; otherwise one signature check and point look-ups. Passwords of users are refused with a
 * sentence, never hashed here. Inline threads. tx      NULL: a snapshot of its own when one is
 * needed (the caller has none open on this thread). Prefer NULL: what is read in a caller's
 * snapshot may be old and is not kept in the cache header  value of Authorization, NULL when absent
 *   out     always filled: the anonymous identity unless AUTH_OK. Give it back with
 * identity_release. err     filled for AUTH_FAILED, AUTH_INVALID_TOKEN and AUTH_BAD_CREDENTIALS
 * (ERR_UNAUTHORIZED) with a printable ASCII sentence fit for error_description */
enum auth_result auth_identify(struct auth *a, struct db_tx *tx, const char *header,
                               const struct auth_context *context, struct identity *out,
                               struct err *err) MUST_USE;
/* Gives back what an identity holds (its grants) and makes it anonymous. Accepts one filled with
 * zeros. */
void identity_release(struct identity *who);
/* The same account with the same rights of its own, by the same kind of proof? Not: roles in
 * namespaces, which are no part of an identity, and what a token was granted. */
bool identity_equal(const struct identity *a, const struct identity *b);
/* The peer of the control socket. */
void identity_control(struct identity *out);
/* Whoever comes from this machine, where nobody has to sign in: an administrator of images and signatures. */
void identity_local(struct identity *out);

/* Who made a change, for the audit log and history. address may be NULL. */
struct actor;
void identity_actor(const struct identity *who, const char *address, struct actor *out);

/* Must be called after every committed change of accounts, secrets, sessions or memberships made
 * outside this folder's own functions, and after a wipe, which ends what older tokens may change
 * (access_token_is_of_before): what the cache knows of the living is read anew. Any thread. */
void auth_changed(struct auth *a);
/* How often that was. While the number is the same, whoever was identified after it was read lives
 * and has his role as he had it then. Any thread. */
uint64_t auth_generation(const struct auth *a);

/* For GUNs: the canonical host and the aliases. Borrowed for the life of `a`. */
const struct scope_hosts *auth_hosts(const struct auth *a);

/* Makes the first administrator (`bondstore init`), without a running server.
 *   password    NULL or empty: one is generated
 *   secret_out  the password when generated, empty otherwise; for secrets: buf_wipe
 * Expected errors: ERR_INVALID (address or password not acceptable), ERR_CONFLICT. Durable on true.
 */
bool auth_create_admin(struct db *db, const char *email, struct slice password, int64_t now_us,
                       struct buf *secret_out, struct err *err) MUST_USE;
/* Makes DIR/secrets/token.key when it is not there. */
bool auth_make_keys(const char *secrets_dir, struct err *err) MUST_USE;

#endif
