/* SHA-256 and SHA-512, whole and streaming (OpenSSL EVP, methods fetched once). */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/digest.h"

struct hash; /* streaming state; one thread at a time */

struct hash *hash_new(enum digest_algorithm algorithm);
void hash_free(struct hash *h); /* accepts NULL */
void hash_update(struct hash *h, const void *p, size_t n);
/* The digest of what was fed so far; the state goes on (works on a copy). */
void hash_peek(const struct hash *h, struct digest *out);

/* One shot. */
void hash_bytes(enum digest_algorithm algorithm, struct slice bytes, struct digest *out);
void hash_sha256(struct slice bytes, uint8_t out[32]);
void hash_sha512(struct slice bytes, uint8_t out[64]);

static inline void cleanup_hash(struct hash **h)
{
    hash_free(*h);
}
#define auto_hash __attribute__((cleanup(cleanup_hash)))

#endif
