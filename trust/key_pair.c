#include "trust/key_pair.h"

#include "trust/verify/spki.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/x509.h>

static void cleanup_md_ctx(EVP_MD_CTX **ctx)
{
    EVP_MD_CTX_free(*ctx);
}
#define auto_md_ctx __attribute__((cleanup(cleanup_md_ctx)))

void key_pair_dispose(struct key_pair *pair)
{
    EVP_PKEY_free(pair->pkey);
    pair->pkey = NULL;
}

static bool is_ed25519(const EVP_PKEY *pkey)
{
    return EVP_PKEY_is_a(pkey, "ED25519");
}

/* --- P-256 ------------------------------------------------------------------------------------ */

static bool is_p256(const EVP_PKEY *pkey)
{
    char group[32] = "";
    return EVP_PKEY_is_a(pkey, "EC") &&
           EVP_PKEY_get_group_name(pkey, group, sizeof group, NULL) == 1 &&
           strcmp(group, "prime256v1") == 0;
}

/* The public half must belong to the private one: documents would not verify otherwise. */
static bool halves_fit(EVP_PKEY *pkey)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    bool fits = ctx && EVP_PKEY_check(ctx) == 1;
    EVP_PKEY_CTX_free(ctx);
    return fits;
}

static EVP_PKEY *adopt_p256(struct slice der)
{
    const unsigned char *p = (const unsigned char *)der.p;
    EVP_PKEY *pkey = d2i_AutoPrivateKey(NULL, &p, (long)der.n);
    if (pkey && is_p256(pkey) && halves_fit(pkey)) {
        return pkey;
    }
    EVP_PKEY_free(pkey);
    ERR_clear_error();
    return NULL;
}

/* How the library writes a P-256 pair: these, the number, those, and the point. */
#define NUMBER_SIZE 32
#define POINT_SIZE 65
static const unsigned char before_number[] = {0x30, 0x77, 0x02, 0x01, 0x01, 0x04, NUMBER_SIZE};
static const unsigned char before_point[] = {0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d,
                                             0x03, 0x01, 0x07, 0xa1, 0x44, 0x03, 0x42, 0x00};
#define PAIR_SIZE (sizeof before_number + NUMBER_SIZE + sizeof before_point + POINT_SIZE)

static EVP_PKEY *pair_of(const unsigned char number[NUMBER_SIZE], struct slice point)
{
    unsigned char native[NUMBER_SIZE];
    BIGNUM *n = BN_bin2bn(number, NUMBER_SIZE, NULL);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    EVP_PKEY *key = NULL;
    bool ready = n && ctx && BN_bn2nativepad(n, native, sizeof native) == NUMBER_SIZE;
    OSSL_PARAM parts[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)"P-256", 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)(uintptr_t)point.p,
                                          point.n),
        OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_PRIV_KEY, native, sizeof native),
        OSSL_PARAM_construct_end()};
    if (!ready || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, parts) != 1) {
        key = NULL;
    }
    OPENSSL_cleanse(native, sizeof native);
    BN_clear_free(n);
    EVP_PKEY_CTX_free(ctx);
    ERR_clear_error();
    return key;
}

/* A pair in that form whose point is the public half's; NULL: look closer. The decoders of the library
 * find out first what the bytes may be, which costs ten times as much as signing. */
static EVP_PKEY *read_usual(struct slice public_half, struct slice pair)
{
    struct slice point = spki_p256_point(public_half);
    if (pair.n != PAIR_SIZE) {
        return NULL;
    }
    struct slice rest = slice_from(pair, sizeof before_number + NUMBER_SIZE);
    if (!slice_equal(slice_first(pair, sizeof before_number),
                     slice_of_bytes(before_number, sizeof before_number)) ||
        !slice_equal(slice_first(rest, sizeof before_point),
                     slice_of_bytes(before_point, sizeof before_point)) ||
        !slice_equal(slice_from(rest, sizeof before_point), point)) {
        return NULL;
    }
    return pair_of((const unsigned char *)pair.p + sizeof before_number, point);
}

static bool write_public(const EVP_PKEY *pkey, struct buf *out)
{
    unsigned char *der = NULL;
    int n = i2d_PUBKEY(pkey, &der);
    buf_put(out, der, n > 0 ? (size_t)n : 0);
    OPENSSL_free(der);
    return n > 0;
}

static EVP_PKEY *read_unusual(struct slice public_half, struct slice private_half)
{
    auto_buf struct buf own = {0};
    const unsigned char *p = (const unsigned char *)private_half.p;
    /* guessing the type takes thrice as long */
    EVP_PKEY *pkey = d2i_PrivateKey(EVP_PKEY_EC, NULL, &p, (long)private_half.n);
    if (pkey && write_public(pkey, &own) && slice_equal(buf_slice_of(&own), public_half)) {
        return pkey;
    }
    EVP_PKEY_free(pkey);
    ERR_clear_error();
    return NULL;
}

static EVP_PKEY *read_p256(struct slice public_half, struct slice private_half)
{
    EVP_PKEY *pkey = read_usual(public_half, private_half);
    return pkey ? pkey : read_unusual(public_half, private_half);
}

/* DER ECDSA-Sig-Value to r||s, each left-padded to 32 bytes. */
static bool flatten_signature(const unsigned char *der, size_t n, struct buf *out, struct err *err)
{
    unsigned char raw[KEY_SIGNATURE_BYTES];
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)n);
    bool ok = sig && BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, 32) == 32 &&
              BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + 32, 32) == 32;
    ECDSA_SIG_free(sig);
    if (!ok) {
        return err_internal(err, "a signature does not encode");
    }
    buf_put(out, raw, sizeof raw);
    return true;
}

/* --- Ed25519 ---------------------------------------------------------------------------------- */

#define SEED_SIZE 32
#define ED25519_FORM_SIZE (SPKI_ED25519_KEY_BYTES + SEED_SIZE + SPKI_ED25519_KEY_BYTES)

/* NULL unless the seed's public half is this one. */
static EVP_PKEY *read_ed25519(struct slice public_key, struct slice seed)
{
    uint8_t own[SPKI_ED25519_KEY_BYTES];
    size_t n = sizeof own;
    EVP_PKEY *pkey = seed.n == SEED_SIZE
                         ? EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL,
                                                        (const unsigned char *)seed.p, seed.n)
                         : NULL;
    if (pkey && EVP_PKEY_get_raw_public_key(pkey, own, &n) == 1 &&
        slice_equal(slice_of_bytes(own, n), public_key)) {
        return pkey;
    }
    EVP_PKEY_free(pkey);
    ERR_clear_error();
    return NULL;
}

static EVP_PKEY *adopt_ed25519(struct slice form)
{
    struct slice first = slice_first(form, SPKI_ED25519_KEY_BYTES);
    struct slice rest = slice_from(form, first.n);
    return slice_equal(slice_from(rest, SEED_SIZE), first)
               ? read_ed25519(first, slice_first(rest, SEED_SIZE))
               : NULL;
}

/* --- both ------------------------------------------------------------------------------------- */

bool key_pair_make(struct key_pair *out, struct err *err)
{
    out->pkey = EVP_EC_gen("P-256");
    return out->pkey || err_internal(err, "no P-256 key could be made");
}

bool key_pair_adopt(struct slice form, struct key_pair *out, struct err *err)
{
    out->pkey = form.n == ED25519_FORM_SIZE ? adopt_ed25519(form) : adopt_p256(form);
    return out->pkey ||
           err_set(err, ERR_INVALID,
                   "it is neither an ECDSA P-256 key nor an Ed25519 key, or its halves do not belong "
                   "together");
}

static bool write_private(const EVP_PKEY *pkey, struct buf *out)
{
    unsigned char seed[SEED_SIZE], *der = NULL;
    size_t n = sizeof seed;
    if (is_ed25519(pkey)) {
        bool ok = EVP_PKEY_get_raw_private_key(pkey, seed, &n) == 1;
        buf_put(out, seed, ok ? n : 0);
        OPENSSL_cleanse(seed, sizeof seed);
        return ok;
    }
    int der_n = i2d_PrivateKey(pkey, &der);
    buf_put(out, der, der_n > 0 ? (size_t)der_n : 0);
    OPENSSL_clear_free(der, der_n > 0 ? (size_t)der_n : 0);
    return der_n > 0;
}

bool key_pair_write(const struct key_pair *pair, struct buf *public_out, struct buf *private_out,
                    struct err *err)
{
    return (write_public(pair->pkey, public_out) && write_private(pair->pkey, private_out)) ||
           err_internal(err, "a server key does not encode");
}

bool key_pair_read(struct slice public_half, struct slice private_half, struct key_pair *out)
{
    struct slice ed25519 = spki_ed25519_key(public_half);
    out->pkey = ed25519.n > 0 ? read_ed25519(ed25519, private_half)
                              : read_p256(public_half, private_half);
    return out->pkey != NULL;
}

bool key_pair_sign(const struct key_pair *pair, struct slice bytes, struct buf *sig_out,
                   struct err *err)
{
    auto_md_ctx EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool pure = is_ed25519(pair->pkey);
    unsigned char sig[128];
    size_t n = sizeof sig;
    if (!ctx ||
        EVP_DigestSignInit_ex(ctx, NULL, pure ? NULL : "SHA256", NULL, NULL, pair->pkey, NULL) != 1 ||
        EVP_DigestSign(ctx, sig, &n, (const unsigned char *)bytes.p, bytes.n) != 1) {
        return err_internal(err, "a server key does not sign");
    }
    if (!pure) {
        return flatten_signature(sig, n, sig_out, err);
    }
    buf_put(sig_out, sig, n);
    return true;
}
