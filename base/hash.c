#include "base/hash.h"

#include "base/buf.h"

#include <openssl/evp.h>
#include <pthread.h>

struct hash {
    EVP_MD_CTX *context;
    enum digest_algorithm algorithm;
};

/* Fetching walks OpenSSL's providers under a lock: done once, constant afterwards. */
static struct {
    pthread_once_t once;
    EVP_MD *sha256;
    EVP_MD *sha512;
} methods = {.once = PTHREAD_ONCE_INIT};

static void fetch_methods(void)
{
    methods.sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    methods.sha512 = EVP_MD_fetch(NULL, "SHA512", NULL);
    if (!methods.sha256 || !methods.sha512) {
        BUG("the cryptographic library has no SHA-2");
    }
}

static const EVP_MD *method(enum digest_algorithm algorithm)
{
    if (pthread_once(&methods.once, fetch_methods) != 0) {
        BUG("pthread_once");
    }
    switch (algorithm) {
    case DIGEST_SHA256:
        return methods.sha256;
    case DIGEST_SHA512:
        return methods.sha512;
    case DIGEST_NONE:
        break;
    }
    BUG("hashing needs an algorithm");
}

static EVP_MD_CTX *new_context(void)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (!context) {
        BUG("out of memory");
    }
    return context;
}

struct hash *hash_new(enum digest_algorithm algorithm)
{
    struct hash *h = xcalloc(1, sizeof(*h));
    h->algorithm = algorithm;
    h->context = new_context();
    if (EVP_DigestInit_ex2(h->context, method(algorithm), NULL) != 1) {
        BUG("EVP_DigestInit_ex2");
    }
    return h;
}

void hash_free(struct hash *h)
{
    if (!h) {
        return;
    }
    EVP_MD_CTX_free(h->context);
    free(h);
}

void hash_update(struct hash *h, const void *p, size_t n)
{
    if (n && EVP_DigestUpdate(h->context, p, n) != 1) {
        BUG("EVP_DigestUpdate");
    }
}

void hash_peek(const struct hash *h, struct digest *out)
{
    uint8_t raw[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    EVP_MD_CTX *copy = new_context();
    if (EVP_MD_CTX_copy_ex(copy, h->context) != 1 || EVP_DigestFinal_ex(copy, raw, &n) != 1) {
        BUG("EVP_DigestFinal_ex");
    }
    EVP_MD_CTX_free(copy);
    if (!digest_from_hash(h->algorithm, raw, n, out)) {
        BUG("a hash of unexpected length");
    }
}

static void hash_raw(enum digest_algorithm algorithm, struct slice bytes, uint8_t *out)
{
    unsigned n = 0;
    const void *p = bytes.p ? bytes.p : "";
    if (EVP_Digest(p, bytes.n, out, &n, method(algorithm), NULL) != 1 ||
        n != digest_size(algorithm)) {
        BUG("EVP_Digest");
    }
}

void hash_sha256(struct slice bytes, uint8_t out[32])
{
    hash_raw(DIGEST_SHA256, bytes, out);
}

void hash_sha512(struct slice bytes, uint8_t out[64])
{
    hash_raw(DIGEST_SHA512, bytes, out);
}

void hash_bytes(enum digest_algorithm algorithm, struct slice bytes, struct digest *out)
{
    *out = (struct digest){.algorithm = algorithm};
    hash_raw(algorithm, bytes, out->bytes);
}
