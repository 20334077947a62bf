#include "trust/verify/spki.h"

#include "base/cleanup.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/x509.h>

#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 8192
#define RSA_EXPONENT_BITS_MAX 31

/* A key of these curves is this head and the two coordinates, nothing else. */
struct curve {
    const char *name;
    size_t head_n;
    size_t field_bytes;
    unsigned char head[26];
};

static const struct curve curves[] = {
    {"P-256", 26, 32, {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
                       0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
                       0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00}},
    {"P-384", 23, 48, {0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02,
                       0x01, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22, 0x03, 0x62, 0x00}},
    {"P-521", 25, 66, {0x30, 0x81, 0x9b, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02,
                       0x01, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23, 0x03, 0x81, 0x86, 0x00}},
};

static const struct curve *curve_of(struct slice der)
{
    for (size_t i = 0; i < sizeof(curves) / sizeof(curves[0]); i++) {
        const struct curve *c = &curves[i];
        if (der.n == c->head_n + 1 + 2 * c->field_bytes && memcmp(der.p, c->head, c->head_n) == 0 &&
            der.p[c->head_n] == 0x04) {
            return c;
        }
    }
    return NULL;
}

struct slice spki_p256_point(struct slice der)
{
    const struct curve *curve = curve_of(der);
    return curve == &curves[0] ? slice_from(der, curve->head_n) : (struct slice){0};
}

/* The whole input, as one key; NULL otherwise. */
static EVP_PKEY *decode(struct slice der)
{
    const unsigned char *p = (const unsigned char *)der.p;
    EVP_PKEY *pkey = d2i_PUBKEY(NULL, &p, (long)der.n);

    ERR_clear_error();
    if (pkey && p != (const unsigned char *)der.p + der.n) {
        EVP_PKEY_free(pkey);
        return NULL;
    }
    return pkey;
}

static bool encodes_to(const EVP_PKEY *pkey, struct slice der)
{
    unsigned char *again = NULL;
    int n = i2d_PUBKEY(pkey, &again);
    bool same = n > 0 && (size_t)n == der.n && memcmp(again, der.p, der.n) == 0;

    OPENSSL_free(again);
    ERR_clear_error();
    return same;
}

/* From its point, which must be on the curve. The decoders of the library find out first what the
 * bytes may be, which costs five times as much; here it is known. */
static EVP_PKEY *make_ec(const struct curve *curve, struct slice point)
{
    OSSL_PARAM parts[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)curve->name, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)point.p, point.n),
        OSSL_PARAM_construct_end()};
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    EVP_PKEY *pkey = NULL;

    if (!ctx || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, parts) != 1) {
        pkey = NULL;
    }
    EVP_PKEY_CTX_free(ctx);
    ERR_clear_error();
    return pkey;
}

bool spki_read_ec(struct slice der, struct public_key *out, const char **why)
{
    const struct curve *curve = curve_of(der);
    if (!curve) {
        *why = "the key is no P-256, P-384 or P-521 key in its usual encoding";
        return false;
    }
    EVP_PKEY *pkey = make_ec(curve, slice_from(der, curve->head_n));
    if (!pkey) {
        *why = "the key's point is not on its curve";
        return false;
    }
    *out = (struct public_key){.pkey = pkey, .field_bytes = curve->field_bytes};
    return true;
}

static const char *rsa_defect(const EVP_PKEY *pkey, struct slice der)
{
    if (EVP_PKEY_get_base_id(pkey) != EVP_PKEY_RSA) {
        return "the key is no RSA key";
    }
    int bits = EVP_PKEY_get_bits(pkey);
    if (bits < RSA_BITS_MIN) {
        return "the RSA key is shorter than 2048 bits";
    }
    if (bits > RSA_BITS_MAX) {
        return "the RSA key is longer than 8192 bits";
    }
    BIGNUM *e = NULL;
    BIGNUM *n = NULL;
    bool usable = EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &e) == 1 &&
                  BN_num_bits(e) <= RSA_EXPONENT_BITS_MAX && BN_is_odd(e) && !BN_is_one(e);
    bool odd = EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_N, &n) == 1 && BN_is_odd(n);
    BN_free(e);
    BN_free(n);
    if (!usable) {
        return "the RSA key's exponent is out of range";
    }
    if (!odd) {
        return "the RSA key's modulus is even";
    }
    return encodes_to(pkey, der) ? NULL : "the RSA key is not in its usual encoding";
}

bool spki_read_rsa(struct slice der, struct public_key *out, const char **why)
{
    EVP_PKEY *pkey = decode(der);
    if (!pkey) {
        *why = "the key is no SubjectPublicKeyInfo";
        return false;
    }
    *why = rsa_defect(pkey, der);
    ERR_clear_error();
    if (*why) {
        EVP_PKEY_free(pkey);
        return false;
    }
    *out = (struct public_key){.pkey = pkey, .size_bytes = (size_t)EVP_PKEY_get_size(pkey)};
    return true;
}

static const uint8_t ed25519_head[SPKI_ED25519_BYTES - SPKI_ED25519_KEY_BYTES] = {
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};

void spki_write_ed25519(const uint8_t key[SPKI_ED25519_KEY_BYTES], uint8_t out[SPKI_ED25519_BYTES])
{
    memcpy(out, ed25519_head, sizeof(ed25519_head));
    memcpy(out + sizeof(ed25519_head), key, SPKI_ED25519_KEY_BYTES);
}

struct slice spki_ed25519_key(struct slice der)
{
    bool is_one = der.n == SPKI_ED25519_BYTES &&
                  slice_equal(slice_first(der, sizeof(ed25519_head)),
                              slice_of_bytes(ed25519_head, sizeof(ed25519_head)));
    return is_one ? slice_from(der, sizeof(ed25519_head)) : (struct slice){0};
}
