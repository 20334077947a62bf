/* A private key of the server in memory, and the forms in which its halves are kept: ECDSA P-256, which
 * the server makes, and Ed25519, which moves in from a Notary v1 signer (notary-api 8, 16, 22).
 * Owns: reading, writing, signing. Refuses to know: where a key is kept, and what it may sign. */
#ifndef TRUST_KEY_PAIR_H
#define TRUST_KEY_PAIR_H

#include "base/buf.h"
#include "base/err.h"

#include <openssl/evp.h>

#define KEY_SIGNATURE_BYTES 64 /* of both kinds */

struct key_pair {
    EVP_PKEY *pkey;
};
void key_pair_dispose(struct key_pair *pair); /* wipes */
#define auto_key_pair __attribute__((cleanup(key_pair_dispose)))

/* A fresh P-256 pair. Dispose out. */
bool key_pair_make(struct key_pair *out, struct err *err) MUST_USE;
/* A pair in the form of a Notary v1 signer.
 *   form   ECPrivateKey (SEC1) or PKCS#8 of a P-256 key; or the 96 bytes of an Ed25519 key: the public
 *          half, the seed, and the public half once more
 * Expected errors: ERR_INVALID (neither; or the halves do not belong together). */
bool key_pair_adopt(struct slice form, struct key_pair *out, struct err *err) MUST_USE;

/* Appends SubjectPublicKeyInfo, and the private half: ECPrivateKey, or the 32 bytes of a seed. */
bool key_pair_write(const struct key_pair *pair, struct buf *public_out, struct buf *private_out,
                    struct err *err) MUST_USE;
/* The pair of what key_pair_write wrote. False: they are no such halves, or not of one key. */
bool key_pair_read(struct slice public_half, struct slice private_half,
                   struct key_pair *out) MUST_USE;

/* Appends KEY_SIGNATURE_BYTES: r||s of ECDSA over SHA-256, or those of pure Ed25519. */
bool key_pair_sign(const struct key_pair *pair, struct slice bytes, struct buf *sig_out,
                   struct err *err) MUST_USE;

#endif
