/* Passwords of people: Argon2id (libsodium, version 1.3, one lane) in PHC text, and what a password
 * must be (NIST SP 800-63B-4: length and a block list, no composition rules). Owns: hashing
 * parameters and the acceptance rule. Refuses to know: accounts, throttling. Hashing takes about
 * 150 ms and 64 MiB: only under a slot of auth/hasher. */
#ifndef AUTH_PASSWORD_H
#define AUTH_PASSWORD_H

#include "base/err.h"
#include "base/slice.h"

#define PASSWORD_PHC_MAX 128
#define PASSWORD_BYTES_MAX 1024
#define PASSWORD_MIN_CHARS 15

struct password_cost {
    unsigned opslimit; /* passes */
    size_t memlimit;   /* bytes */
};

/* t = 3, m = 64 MiB. */
struct password_cost password_cost_default(void);
/* PHC string `$argon2id$v=19$m=65536,t=3,p=1$…`. Expected errors: ERR_INVALID (longer than
 * PASSWORD_BYTES_MAX). */
bool password_hash(struct slice password, struct password_cost cost, char out[PASSWORD_PHC_MAX],
                   struct err *err) MUST_USE;

enum password_verdict { PASSWORD_WRONG = 0, PASSWORD_RIGHT };
/* A malformed hash is PASSWORD_WRONG. */
enum password_verdict password_verify(const char *hash, struct slice password) MUST_USE;
/* The stored hash was made with other parameters: hash again at this login. */
bool password_needs_rehash(const char *hash, struct password_cost cost);
/* At least 15 code points of UTF-8 without control characters, at most 1024 bytes; not made of the
 * local part of the address, the product's name, one repeated character or a run, nor a common
 * password. email   of the account; may be NULL Expected errors: ERR_INVALID with the sentence that
 * says what is missing. */
bool password_acceptable(struct slice password, const char *email, struct err *err) MUST_USE;

#endif
