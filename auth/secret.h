/* Random secrets that programs carry: `bst_<kind>_` + 30 base62 characters (178 bits) + 6 base62
 * digits of the CRC32 of those 30, zero padded. Regular expression for secret scanners:
 * bst_(pat|rob|ses|dep)_[0-9A-Za-z]{36}. Owns: their form. Only the SHA-256 of the whole text is
 * ever stored (no key stretching: they are not guessable). */
#ifndef AUTH_SECRET_H
#define AUTH_SECRET_H

#include "base/slice.h"

enum secret_kind { SECRET_NONE = 0, SECRET_ROBOT, SECRET_DEPLOYER, SECRET_SESSION, SECRET_PAT };

#define SECRET_TEXT_MAX 48 /* "bst_rob_" + 36 + NUL, rounded up */

struct secret_text {
    char text[SECRET_TEXT_MAX]; /* NUL-terminated; wipe with sodium_memzero after use */
};

/* A new one from the system's random source. */
void secret_make(enum secret_kind kind, struct secret_text *out);
/* Kind of a well-formed secret whose checksum holds; SECRET_NONE otherwise. Costs no look-up. */
enum secret_kind secret_kind_of(struct slice text);
/* What is stored and looked up. */
void secret_sha256(struct slice text, uint8_t out[32]);
/* A password for a person: 28 random base62 characters (166 bits) and a NUL. */
#define SECRET_PASSWORD_CHARS 28
void secret_make_password(char out[SECRET_PASSWORD_CHARS + 1]);

#endif
