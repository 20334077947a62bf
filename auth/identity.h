/* Who is asking: a plain value, made by auth, read by everybody. Kinds are types, never name
 * prefixes. */
#ifndef AUTH_IDENTITY_H
#define AUTH_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

enum identity_kind {
    IDENTITY_ANONYMOUS = 0,
    IDENTITY_USER,
    IDENTITY_ROBOT,
    IDENTITY_DEPLOYER,
    IDENTITY_CONTROL /* peer of the control socket; or from this machine, where nobody signs in */
};

/* How the request proved it. */
enum identity_proof { PROOF_NONE = 0, PROOF_BEARER, PROOF_BASIC, PROOF_PASSWORD, PROOF_PEER };

#define IDENTITY_NAME_MAX 255

struct grant_set; /* what a bearer token was asked and granted (auth/grant.h); NULL = not limited by
                     a token */

struct identity {
    enum identity_kind kind;
    enum identity_proof proof;
    int64_t account_id;               /* 0: anonymous, or the control socket */
    int64_t session_id;               /* session or secret the token hangs on; 0 = none */
    bool by_session;                  /* session_id is a session's */
    char name[IDENTITY_NAME_MAX + 1]; /* e-mail, "ns.robot", "" anonymous, "control", "local" */
    bool administrator;               /* instance administrator */
    bool gated;                       /* deployers */
    bool registry_only;     /* an access token or a client's login session: images and trust, no
                               administration */
    int64_t namespace_id;   /* robots and deployers: their namespace; 0 otherwise */
    unsigned robot_actions; /* robots: bits of enum robot_action (storage/account.h) */
    const struct grant_set *grants;
    int64_t token_issued_us; /* of the bearer token, in whole seconds; 0 without one */
};

#endif
