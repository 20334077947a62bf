/* Access tokens: JWS compact serialisation, EdDSA (RFC 7515, RFC 8037), signed and read by this
 * server only. Owns: the key, the claims, strict reading. Refuses to know: whether the account
 * still lives (auth). Reading order: three parts, strict base64url, header under 1 KiB with exactly
 * typ, alg and kid; alg and kid must be those of our key; the signature; only then the claims: iss,
 * aud, exp, nbf. */
#ifndef AUTH_TOKEN_H
#define AUTH_TOKEN_H

#include "auth/grant.h"

#define TOKEN_MAX 16384   /* bytes of a whole token */
#define TOKEN_LEEWAY_S 60 /* for exp and nbf */
#define TOKEN_KID_MAX 24
#define TOKEN_KEY_FILE "token.key"

struct token_keys; /* the signing key; constant after load, any thread */

/* Reads `token.key` (32 bytes, the Ed25519 seed) in the folder, making it with mode 0600 when
 * missing. create  false: a missing file is ERR_NOT_FOUND Expected errors: ERR_INTERNAL with a
 * sentence: wrong size, readable by group or others. */
bool token_keys_load(const char *secrets_dir, bool create, struct token_keys **out,
                     struct err *err) MUST_USE;
/* From a seed, for tests. */
struct token_keys *token_keys_from_seed(const uint8_t seed[32]);
void token_keys_free(struct token_keys *keys);            /* wipes; accepts NULL */
const char *token_keys_id(const struct token_keys *keys); /* kid */

/* On what the token hangs: ends with it. */
enum token_anchor {
    ANCHOR_NONE = 0 /* anonymous */,
    ANCHOR_ACCOUNT /* password */,
    ANCHOR_SESSION,
    ANCHOR_CREDENTIAL
};

struct token_claims {
    int64_t account_id; /* `sub`, decimal; 0 and "" for the anonymous */
    enum token_anchor anchor;
    int64_t anchor_id; /* `sid`: "p…", "s…" or "c…": password credential, session, robot or deployer
                          secret */
    int64_t issued_s;               /* iat; nbf = iat - 60 */
    int64_t expires_s;              /* exp */
    const struct grant_set *grants; /* owned by the struct when read; borrowed when signing */
};

struct token_issuer {
    const char *iss;  /* public URL */
    const char *aud;  /* service */
    const char *host; /* canonical host, in front of trust names */
    const struct scope_hosts *hosts;
};

/* Appends the token. Expected errors: ERR_INTERNAL when it would grow beyond TOKEN_MAX. */
bool token_sign(const struct token_keys *keys, const struct token_issuer *issuer,
                const struct token_claims *claims, struct buf *out, struct err *err) MUST_USE;

enum token_verdict {
    TOKEN_MALFORMED = 0,
    TOKEN_FOREIGN,     /* other algorithm, type or key */
    TOKEN_FORGED,      /* the signature does not verify */
    TOKEN_MISDIRECTED, /* other issuer or audience */
    TOKEN_EXPIRED,
    TOKEN_NOT_YET,
    TOKEN_GOOD
};

/*   now_s   seconds since the epoch
 *   out     filled on TOKEN_GOOD only; out->grants is then owned (grant_unref) */
enum token_verdict token_verify(const struct token_keys *keys, const struct token_issuer *issuer,
                                struct slice token, int64_t now_s,
                                struct token_claims *out) MUST_USE;
/* "the access token has expired" …: for error_description. */
const char *token_verdict_sentence(enum token_verdict verdict);

#endif
