/* SubjectPublicKeyInfo bytes to a public key, only in the one encoding that exists of a key: a
 * second spelling of the same key would count as a second key. Internal to trust/verify, and to
 * trust/key_pair.c. */
#ifndef TRUST_VERIFY_SPKI_H
#define TRUST_VERIFY_SPKI_H

#include "base/slice.h"

#include <openssl/evp.h>

struct public_key {
    EVP_PKEY *pkey;
    size_t field_bytes; /* EC: 32, 48, 66; otherwise 0 */
    size_t size_bytes;  /* RSA: of the modulus */
};

/* P-256, P-384 or P-521, named curve, uncompressed point. The caller frees pkey (EVP_PKEY_free).
 * False: *why is a static text. */
bool spki_read_ec(struct slice der, struct public_key *out, const char **why);
/* The point of a P-256 key in that encoding, borrowed from it; no bytes when it is none. */
struct slice spki_p256_point(struct slice der);
/* rsaEncryption, modulus 2048 to 8192 bits, exponent below 2^31 (what the reference's clients can
 * verify). */
bool spki_read_rsa(struct slice der, struct public_key *out, const char **why);
#define SPKI_ED25519_KEY_BYTES 32
#define SPKI_ED25519_BYTES 44
void spki_write_ed25519(const uint8_t key[SPKI_ED25519_KEY_BYTES], uint8_t out[SPKI_ED25519_BYTES]);
/* The key of such bytes, borrowed from them; no bytes when it is none. */
struct slice spki_ed25519_key(struct slice der);

#endif
