#include "trust/verify/key_internal.h"

#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <sodium.h>

#define PSS_SALT_BYTES 32

enum scheme {
    SCHEME_NONE = 0,
    SCHEME_ECDSA,
    SCHEME_PSS,
    SCHEME_PYCRYPTO_PSS,
    SCHEME_PKCS1,
    SCHEME_EDDSA
};

struct method_name {
    const char *name;
    enum scheme scheme;
};

static const struct method_name method_names[] = {
    {"ecdsa", SCHEME_ECDSA},
    {"rsapss", SCHEME_PSS},
    {"pycrypto-pkcs#1 pss", SCHEME_PYCRYPTO_PSS},
    {"rsapkcs1v15", SCHEME_PKCS1},
    {"eddsa", SCHEME_EDDSA},
};

static enum scheme scheme_of(struct slice method)
{
    for (size_t i = 0; i < sizeof(method_names) / sizeof(method_names[0]); i++) {
        if (slice_is_nocase(method, method_names[i].name)) {
            return method_names[i].scheme;
        }
    }
    return SCHEME_NONE;
}

static bool is_ec(const struct tuf_key *key)
{
    return key->type == KEY_ECDSA || key->type == KEY_ECDSA_X509;
}

static bool is_rsa(const struct tuf_key *key)
{
    return key->type == KEY_RSA || key->type == KEY_RSA_X509;
}

/* r||s, each of the field's size, as the DER that EVP wants. Returns its length, 0 on failure; *der
 * by OPENSSL_free. */
static int ecdsa_to_der(struct slice sig, size_t field_bytes, unsigned char **der)
{
    const unsigned char *p = (const unsigned char *)sig.p;
    ECDSA_SIG *pair = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(p, (int)field_bytes, NULL);
    BIGNUM *s = BN_bin2bn(p + field_bytes, (int)field_bytes, NULL);
    int n = 0;

    if (pair && r && s && ECDSA_SIG_set0(pair, r, s) == 1) {
        r = NULL; /* they belong to the pair now */
        s = NULL;
        n = i2d_ECDSA_SIG(pair, der);
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(pair);
    return n > 0 ? n : 0;
}

/* The padding's parameters; a no-op for ECDSA. */
static bool set_padding(EVP_PKEY_CTX *pkey_ctx, enum scheme scheme)
{
    switch (scheme) {
    case SCHEME_ECDSA:
        return true;
    case SCHEME_PKCS1:
        return EVP_PKEY_CTX_set_rsa_padding(pkey_ctx, RSA_PKCS1_PADDING) == 1;
    case SCHEME_PSS:
    case SCHEME_PYCRYPTO_PSS:
        return EVP_PKEY_CTX_set_rsa_padding(pkey_ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
               EVP_PKEY_CTX_set_rsa_mgf1_md(pkey_ctx, EVP_sha256()) == 1 &&
               EVP_PKEY_CTX_set_rsa_pss_saltlen(pkey_ctx, PSS_SALT_BYTES) == 1;
    case SCHEME_EDDSA:
    case SCHEME_NONE:
        break;
    }
    return false;
}

static enum sig_verdict verify_evp(const struct tuf_key *key, enum scheme scheme, const void *sig,
                                   size_t sig_n, struct slice bytes)
{
    enum sig_verdict verdict = SIG_REJECT;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pkey_ctx = NULL; /* owned by ctx */

    if (ctx && EVP_DigestVerifyInit(ctx, &pkey_ctx, EVP_sha256(), NULL, key->public.pkey) == 1 &&
        set_padding(pkey_ctx, scheme) &&
        EVP_DigestVerify(ctx, sig, sig_n, (const unsigned char *)bytes.p, bytes.n) == 1) {
        verdict = SIG_ACCEPT;
    }
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    return verdict;
}

static enum sig_verdict verify_ecdsa(const struct tuf_key *key, struct slice sig,
                                     struct slice bytes)
{
    unsigned char *der = NULL;

    if (!is_ec(key) || sig.n != 2 * key->public.field_bytes) {
        return SIG_REJECT;
    }
    int n = ecdsa_to_der(sig, key->public.field_bytes, &der);
    enum sig_verdict verdict =
        n > 0 ? verify_evp(key, SCHEME_ECDSA, der, (size_t)n, bytes) : SIG_REJECT;
    OPENSSL_free(der);
    return verdict;
}

static enum sig_verdict verify_rsa(const struct tuf_key *key, enum scheme scheme, struct slice sig,
                                   struct slice bytes)
{
    if (!is_rsa(key) || sig.n != key->public.size_bytes ||
        key->pem_spki != (scheme == SCHEME_PYCRYPTO_PSS)) {
        return SIG_REJECT;
    }
    return verify_evp(key, scheme, sig.p, sig.n, bytes);
}

static enum sig_verdict verify_ed25519(const struct tuf_key *key, struct slice sig,
                                       struct slice bytes)
{
    if (key->type != KEY_ED25519 || sig.n != crypto_sign_BYTES) {
        return SIG_REJECT;
    }
    return crypto_sign_verify_detached((const unsigned char *)sig.p, (const unsigned char *)bytes.p,
                                       bytes.n, key->ed25519) == 0
               ? SIG_ACCEPT
               : SIG_REJECT;
}

enum sig_verdict tuf_key_verify(const struct tuf_key *key, struct slice method, struct slice sig,
                                struct slice bytes)
{
    enum scheme scheme = scheme_of(method);

    if (!tuf_key_usable(key, NULL)) {
        return SIG_REJECT;
    }
    switch (scheme) {
    case SCHEME_ECDSA:
        return verify_ecdsa(key, sig, bytes);
    case SCHEME_PSS:
    case SCHEME_PYCRYPTO_PSS:
    case SCHEME_PKCS1:
        return verify_rsa(key, scheme, sig, bytes);
    case SCHEME_EDDSA:
        return verify_ed25519(key, sig, bytes);
    case SCHEME_NONE:
        break;
    }
    return SIG_REJECT;
}
