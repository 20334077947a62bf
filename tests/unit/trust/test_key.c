/* Key objects, certificates and single signatures. Keys are made here, so that each good one has
 * its hostile twins. */
#include "base/hash.h"
#include "base/hex.h"
#include "tests/unit/trust/trust_check.h"
#include "trust/verify/canon.h"
#include "trust/verify/key.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <sodium.h>

static const char gun[] = "localhost:5000/ns/app";

/* ---- making keys ---- */

static void spki_of(EVP_PKEY *pkey, struct buf *out)
{
    unsigned char *der = NULL;
    int n = i2d_PUBKEY(pkey, &der);
    assert_true(n > 0);
    buf_put(out, der, (size_t)n);
    OPENSSL_free(der);
}

static struct tuf_key *key_of(const char *type, struct slice content)
{
    auto_buf struct buf text = {0};
    struct tuf_key *key = NULL;
    struct err err = {0};
    base64_encode(&text, content);
    auto_json json_t *object =
        json_pack("{s:s,s:{s:n,s:s}}", "keytype", type, "keyval", "private", "public", text.p);
    assert_non_null(object);
    if (!tuf_key_read(object, &key, &err)) {
        fail_msg("%s: %s", type, err.msg);
    }
    return key;
}

static struct tuf_key *key_of_pkey(const char *type, EVP_PKEY *pkey)
{
    auto_buf struct buf spki = {0};
    spki_of(pkey, &spki);
    return key_of(type, buf_slice_of(&spki));
}

struct cert_wish {
    const char *common_name; /* NULL: none */
    const char *second_name;
    const EVP_MD *digest; /* NULL: SHA-256 */
    bool ca;
    long from_days, to_days; /* from now */
};

static void put_cert(struct buf *pem, EVP_PKEY *pkey, const struct cert_wish *wish)
{
    X509 *x = X509_new();
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    const char *const names[] = {wish->common_name, wish->second_name};

    assert_int_equal(X509_set_version(x, 2), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(x), 7), 1);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(x), wish->from_days * 86400));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(x), wish->to_days * 86400));
    for (size_t i = 0; i < COUNT(names) && names[i]; i++) {
        /* a plain string type: the library keeps X.520's bound of 64 for the others */
        X509_NAME_ENTRY *entry = X509_NAME_ENTRY_create_by_NID(
            NULL, NID_commonName, V_ASN1_UTF8STRING, (const unsigned char *)names[i], -1);
        assert_non_null(entry);
        assert_int_equal(X509_NAME_add_entry(X509_get_subject_name(x), entry, -1, 0), 1);
        X509_NAME_ENTRY_free(entry);
    }
    assert_int_equal(X509_set_pubkey(x, pkey), 1);
    if (wish->ca) {
        X509_EXTENSION *ext =
            X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "critical,CA:TRUE");
        assert_int_equal(X509_add_ext(x, ext, -1), 1);
        X509_EXTENSION_free(ext);
    }
    assert_true(X509_sign(x, pkey, wish->digest ? wish->digest : EVP_sha256()) > 0);
    assert_int_equal(PEM_write_bio_X509(bio, x), 1);
    long n = BIO_get_mem_data(bio, &text);
    buf_put(pem, text, (size_t)n);
    BIO_free(bio);
    X509_free(x);
}

static EVP_PKEY *new_ec(const char *curve)
{
    EVP_PKEY *pkey = EVP_EC_gen(curve);
    assert_non_null(pkey);
    return pkey;
}

static EVP_PKEY *new_rsa(size_t bits)
{
    EVP_PKEY *pkey = EVP_RSA_gen((unsigned)bits);
    assert_non_null(pkey);
    return pkey;
}

/* ---- making signatures ---- */

static void sign_ec(EVP_PKEY *pkey, size_t field, const EVP_MD *md, struct slice bytes,
                    struct buf *out)
{
    unsigned char der[256];
    unsigned char raw[132];
    size_t n = sizeof(der);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(ctx, NULL, md, NULL, pkey), 1);
    assert_int_equal(EVP_DigestSign(ctx, der, &n, (const unsigned char *)bytes.p, bytes.n), 1);
    const unsigned char *p = der;
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &p, (long)n);
    assert_non_null(pair);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(pair), raw, (int)field), (int)field);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(pair), raw + field, (int)field), (int)field);
    buf_put(out, raw, 2 * field);
    ECDSA_SIG_free(pair);
    EVP_MD_CTX_free(ctx);
}

static void sign_rsa(EVP_PKEY *pkey, int padding, int salt, const EVP_MD *mgf, struct slice bytes,
                     struct buf *out)
{
    unsigned char sig[1024];
    size_t n = sizeof(sig);
    EVP_PKEY_CTX *pctx = NULL;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(ctx, &pctx, EVP_sha256(), NULL, pkey), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(pctx, padding), 1);
    if (padding == RSA_PKCS1_PSS_PADDING) {
        assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, salt), 1);
        assert_int_equal(EVP_PKEY_CTX_set_rsa_mgf1_md(pctx, mgf), 1);
    }
    assert_int_equal(EVP_DigestSign(ctx, sig, &n, (const unsigned char *)bytes.p, bytes.n), 1);
    buf_put(out, sig, n);
    EVP_MD_CTX_free(ctx);
}

static enum sig_verdict verify(const struct tuf_key *key, const char *method, const struct buf *sig,
                               struct slice bytes)
{
    return tuf_key_verify(key, slice_str(method), buf_slice_of(sig), bytes);
}

static const struct slice message = {"signed bytes", 12};
static const struct slice other = {"signed byteS", 12};

/* ---- ids ---- */

static void recorded_key_ids(void **unused)
{
    auto_json json_t *cases = vector_json("notary/canonical/keyids.json");
    size_t i;
    json_t *c;
    (void)unused;

    assert_true(json_array_size(cases) > 10);
    json_array_foreach(cases, i, c)
    {
        const char *id = json_get_string(c, "keyid");
        const char *cn = json_get_string(c, "cn");
        struct tuf_key *key = NULL;
        struct err err = {0};
        CHECK_CASE(tuf_key_read(json_object_get(c, "key"), &key, &err), id);
        CHECK_CASE(strcmp(tuf_key_id(key), id) == 0, id);
        CHECK_CASE(tuf_key_usable(key, NULL), id);
        const struct tuf_cert *cert = tuf_key_cert(key);
        CHECK_CASE((cert != NULL) == (cn != NULL), id);
        if (cert) {
            CHECK_CASE(strcmp(cert->common_name, cn + strlen("CN=")) == 0, id);
            CHECK_CASE(!cert->sha1_signed && cert->not_before_us < cert->not_after_us, id);
        }
        tuf_key_free(key);
    }
}

/* tuf-conformance's test_deprecated_keyid_hash_algorithms: the id is over keytype and keyval alone, so
 * that a member which older tools wrote beside them changes nothing; the id over all of it is the
 * wrong one. */
static void a_member_beside_type_and_value_does_not_enter_the_key_id(void **unused)
{
    auto_json json_t *cases = vector_json("notary/canonical/keyids.json");
    const json_t *first = json_array_get(cases, 0);
    auto_json json_t *object = json_deep_copy(json_object_get(first, "key"));
    auto_buf struct buf whole = {0};
    struct tuf_key *key = NULL;
    uint8_t hash[32];
    char wrong[65];
    (void)unused;

    assert_non_null(object);
    assert_int_equal(json_object_set_new(object, "keyid_hash_algorithms",
                                         json_pack("[s, s]", "sha256", "sha512")),
                     0);
    assert_true(canon_encode(object, &whole, NULL));
    hash_sha256(buf_slice_of(&whole), hash);
    hex_encode(hash, sizeof hash, wrong);
    assert_true(tuf_key_read(object, &key, NULL));
    assert_string_equal(tuf_key_id(key), json_get_string(first, "keyid"));
    assert_string_not_equal(tuf_key_id(key), wrong);
    tuf_key_free(key);
}

static void a_written_key_reads_back(void **unused)
{
    EVP_PKEY *pkey = new_ec("P-256");
    auto_buf struct buf spki = {0};
    auto_buf struct buf text = {0};
    auto_json json_t *object = NULL;
    char id[KEY_ID_MAX];
    struct tuf_key *key = NULL;
    uint8_t hash[32];
    (void)unused;

    spki_of(pkey, &spki);
    tuf_key_write_spki(buf_slice_of(&spki), &text, id);
    assert_true(json_read(buf_slice_of(&text), 8, &object, NULL));
    assert_true(tuf_key_read(object, &key, NULL));
    assert_string_equal(tuf_key_id(key), id);
    assert_true(tuf_key_usable(key, NULL));
    hash_sha256(buf_slice_of(&spki), hash);
    assert_memory_equal(tuf_key_spki(key).sha256, hash, 32);
    tuf_key_free(key);
    EVP_PKEY_free(pkey);
}

static void malformed_objects_are_refused(void **unused)
{
    static const char *const texts[] = {
        "{}",
        "[]",
        "{\"keytype\":\"ecdsa\"}",
        "{\"keytype\":\"ecdsa\",\"keyval\":{\"private\":null}}",
        "{\"keytype\":5,\"keyval\":{\"private\":null,\"public\":\"\"}}",
        "{\"keytype\":\"ecdsa\",\"keyval\":{\"private\":null,\"public\":7}}",
        "{\"keytype\":\"ecdsa\",\"keyval\":{\"private\":null,\"public\":\"*\"}}",
        "{\"keytype\":\"ecdsa\",\"keyval\":{\"private\":null,\"public\":\"QQ\"}}",
        "{\"keytype\":\"ecdsa\",\"keyval\":{\"private\":\"QQ==\",\"public\":\"QQ==\"}}",
    };
    (void)unused;
    for (size_t i = 0; i < COUNT(texts); i++) {
        auto_json json_t *object = NULL;
        struct tuf_key *key = NULL;
        struct err err = {0};
        assert_true(json_read(slice_str(texts[i]), 8, &object, NULL));
        CHECK_CASE(!tuf_key_read(object, &key, &err), texts[i]);
        CHECK_CASE(key == NULL && err.code == ERR_INVALID, texts[i]);
    }
    /* an unknown type, or content that is no key, is read, has an id, and verifies nothing */
    struct tuf_key *key = key_of("quantum", SLICE_LIT("whatever"));
    assert_false(tuf_key_usable(key, NULL));
    assert_int_equal(tuf_key_verify(key, SLICE_LIT("ecdsa"), message, message), SIG_REJECT);
    tuf_key_free(key);
    const char *why = NULL;
    key = key_of("ecdsa", SLICE_LIT("no key"));
    assert_false(tuf_key_usable(key, &why));
    assert_non_null(why);
    tuf_key_free(key);
}

/* ---- signatures ---- */

static void ecdsa(void **unused)
{
    static const struct {
        const char *curve;
        size_t field;
    } curves[] = {{"P-256", 32}, {"P-384", 48}, {"P-521", 66}};
    (void)unused;

    for (size_t i = 0; i < COUNT(curves); i++) {
        EVP_PKEY *pkey = new_ec(curves[i].curve);
        struct tuf_key *key = key_of_pkey("ecdsa", pkey);
        auto_buf struct buf sig = {0};
        auto_buf struct buf sha512 = {0};
        CHECK_CASE(tuf_key_usable(key, NULL), curves[i].curve);
        sign_ec(pkey, curves[i].field, EVP_sha256(), message, &sig);
        CHECK_CASE(verify(key, "ecdsa", &sig, message) == SIG_ACCEPT, curves[i].curve);
        CHECK_CASE(verify(key, "ECDSA", &sig, message) == SIG_ACCEPT, curves[i].curve);
        CHECK_CASE(verify(key, "ecdsa", &sig, other) == SIG_REJECT, curves[i].curve);
        CHECK_CASE(verify(key, "rsapss", &sig, message) == SIG_REJECT, curves[i].curve);
        CHECK_CASE(verify(key, "eddsa", &sig, message) == SIG_REJECT, curves[i].curve);
        CHECK_CASE(verify(key, "", &sig, message) == SIG_REJECT, curves[i].curve);
        sign_ec(pkey, curves[i].field, EVP_sha512(), message, &sha512);
        CHECK_CASE(verify(key, "ecdsa", &sha512, message) == SIG_REJECT, curves[i].curve);

        struct slice cut = slice_first(buf_slice_of(&sig), sig.n - 1);
        CHECK_CASE(tuf_key_verify(key, SLICE_LIT("ecdsa"), cut, message) == SIG_REJECT,
                   curves[i].curve);
        sig.p[sig.n - 1] ^= 1;
        CHECK_CASE(verify(key, "ecdsa", &sig, message) == SIG_REJECT, curves[i].curve);
        memset(sig.p, 0, sig.n); /* r = s = 0 */
        CHECK_CASE(verify(key, "ecdsa", &sig, message) == SIG_REJECT, curves[i].curve);
        memset(sig.p, 0xff, sig.n);
        CHECK_CASE(verify(key, "ecdsa", &sig, message) == SIG_REJECT, curves[i].curve);
        tuf_key_free(key);
        EVP_PKEY_free(pkey);
    }
}

static void a_der_signature_is_refused(void **unused)
{
    EVP_PKEY *pkey = new_ec("P-256");
    struct tuf_key *key = key_of_pkey("ecdsa", pkey);
    unsigned char der[256];
    size_t n = sizeof(der);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    (void)unused;

    assert_int_equal(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, pkey), 1);
    assert_int_equal(EVP_DigestSign(ctx, der, &n, (const unsigned char *)message.p, message.n), 1);
    assert_int_equal(tuf_key_verify(key, SLICE_LIT("ecdsa"), slice_of_bytes(der, n), message),
                     SIG_REJECT);
    EVP_MD_CTX_free(ctx);
    tuf_key_free(key);
    EVP_PKEY_free(pkey);
}

static void rsa(void **unused)
{
    EVP_PKEY *pkey = new_rsa(2048);
    struct tuf_key *key = key_of_pkey("rsa", pkey);
    auto_buf struct buf pss = {0};
    auto_buf struct buf salted = {0};
    auto_buf struct buf mgf = {0};
    auto_buf struct buf pkcs1 = {0};
    (void)unused;

    assert_true(tuf_key_usable(key, NULL));
    sign_rsa(pkey, RSA_PKCS1_PSS_PADDING, 32, EVP_sha256(), message, &pss);
    sign_rsa(pkey, RSA_PKCS1_PSS_PADDING, 20, EVP_sha256(), message, &salted);
    sign_rsa(pkey, RSA_PKCS1_PSS_PADDING, 32, EVP_sha1(), message, &mgf);
    sign_rsa(pkey, RSA_PKCS1_PADDING, 0, NULL, message, &pkcs1);
    assert_int_equal(verify(key, "rsapss", &pss, message), SIG_ACCEPT);
    assert_int_equal(verify(key, "RSAPSS", &pss, message), SIG_ACCEPT);
    assert_int_equal(verify(key, "rsapss", &pss, other), SIG_REJECT);
    assert_int_equal(verify(key, "rsapss", &salted, message), SIG_REJECT);
    assert_int_equal(verify(key, "rsapss", &mgf, message), SIG_REJECT);
    assert_int_equal(verify(key, "rsapss", &pkcs1, message), SIG_REJECT);
    assert_int_equal(verify(key, "rsapkcs1v15", &pkcs1, message), SIG_ACCEPT);
    assert_int_equal(verify(key, "rsapkcs1v15", &pss, message), SIG_REJECT);
    assert_int_equal(verify(key, "rsapkcs1v15", &pkcs1, other), SIG_REJECT);
    assert_int_equal(verify(key, "ecdsa", &pss, message), SIG_REJECT);
    assert_int_equal(verify(key, "pycrypto-pkcs#1 pss", &pss, message), SIG_REJECT);
    struct slice cut = slice_first(buf_slice_of(&pss), pss.n - 1);
    assert_int_equal(tuf_key_verify(key, SLICE_LIT("rsapss"), cut, message), SIG_REJECT);

    /* the pycrypto form: the same key as PEM text */
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    assert_int_equal(PEM_write_bio_PUBKEY(bio, pkey), 1);
    long n = BIO_get_mem_data(bio, &text);
    struct tuf_key *pem = key_of("rsa", (struct slice){text, (size_t)n});
    assert_true(tuf_key_usable(pem, NULL));
    struct spki a = tuf_key_spki(key);
    struct spki b = tuf_key_spki(pem);
    assert_true(spki_equal(&a, &b)); /* one key, whatever its spelling */
    assert_int_equal(verify(pem, "pycrypto-pkcs#1 pss", &pss, message), SIG_ACCEPT);
    assert_int_equal(verify(pem, "rsapss", &pss, message), SIG_REJECT);
    tuf_key_free(pem);
    BIO_free(bio);
    tuf_key_free(key);
    EVP_PKEY_free(pkey);
}

static void ed25519(void **unused)
{
    uint8_t public[32];
    uint8_t secret[64];
    uint8_t sig[64];
    (void)unused;

    assert_int_equal(crypto_sign_keypair(public, secret), 0);
    struct tuf_key *key = key_of("ed25519", slice_of_bytes(public, 32));
    assert_int_equal(
        crypto_sign_detached(sig, NULL, (const unsigned char *)message.p, message.n, secret), 0);
    assert_int_equal(tuf_key_verify(key, SLICE_LIT("eddsa"), slice_of_bytes(sig, 64), message),
                     SIG_ACCEPT);
    assert_int_equal(tuf_key_verify(key, SLICE_LIT("eddsa"), slice_of_bytes(sig, 64), other),
                     SIG_REJECT);
    assert_int_equal(tuf_key_verify(key, SLICE_LIT("eddsa"), slice_of_bytes(sig, 63), message),
                     SIG_REJECT);
    assert_int_equal(tuf_key_verify(key, SLICE_LIT("ecdsa"), slice_of_bytes(sig, 64), message),
                     SIG_REJECT);
    tuf_key_free(key);

    key = key_of("ed25519", slice_of_bytes(public, 31));
    assert_false(tuf_key_usable(key, NULL));
    tuf_key_free(key);
    memset(public, 0, sizeof(public)); /* a point of small order: everything would verify */
    public[0] = 1;
    memset(sig, 0, sizeof(sig));
    sig[0] = 1;
    key = key_of("ed25519", slice_of_bytes(public, 32));
    assert_int_equal(tuf_key_verify(key, SLICE_LIT("eddsa"), slice_of_bytes(sig, 64), message),
                     SIG_REJECT);
    tuf_key_free(key);
}

/* ---- weak or oddly spelled keys ---- */

static void expect_unusable(const char *type, struct slice content, const char *name)
{
    struct tuf_key *key = key_of(type, content);
    struct spki zero = {{0}};
    struct spki got = tuf_key_spki(key);
    CHECK_CASE(!tuf_key_usable(key, NULL), name);
    CHECK_CASE(spki_equal(&got, &zero), name);
    tuf_key_free(key);
}

static void weak_keys_do_not_count(void **unused)
{
    static const char *const weak_curves[] = {"P-224", "secp256k1", "brainpoolP256r1"};
    (void)unused;
    for (size_t i = 0; i < COUNT(weak_curves); i++) {
        EVP_PKEY *pkey = new_ec(weak_curves[i]);
        auto_buf struct buf spki = {0};
        spki_of(pkey, &spki);
        expect_unusable("ecdsa", buf_slice_of(&spki), weak_curves[i]);
        EVP_PKEY_free(pkey);
    }
    EVP_PKEY *pkey = new_rsa(1024);
    auto_buf struct buf spki = {0};
    auto_buf struct buf pem = {0};
    spki_of(pkey, &spki);
    expect_unusable("rsa", buf_slice_of(&spki), "RSA 1024");
    put_cert(&pem, pkey, &(struct cert_wish){.common_name = gun, .to_days = 10});
    expect_unusable("rsa-x509", buf_slice_of(&pem), "RSA 1024 certificate");
    EVP_PKEY_free(pkey);
}

static void a_key_has_one_spelling(void **unused)
{
    EVP_PKEY *ec = new_ec("P-256");
    EVP_PKEY *rsa_key = new_rsa(2048);
    auto_buf struct buf spki = {0};
    auto_buf struct buf longer = {0};
    auto_buf struct buf compressed = {0};
    auto_buf struct buf explicit_curve = {0};
    auto_buf struct buf rsa_spki = {0};
    (void)unused;

    spki_of(ec, &spki);
    buf_slice(&longer, buf_slice_of(&spki));
    buf_char(&longer, '\0');
    expect_unusable("ecdsa", buf_slice_of(&longer), "a byte after it");

    assert_int_equal(EVP_PKEY_set_utf8_string_param(ec, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
                                                    "compressed"),
                     1);
    spki_of(ec, &compressed);
    assert_true(compressed.n < spki.n);
    expect_unusable("ecdsa", buf_slice_of(&compressed), "a compressed point");
    assert_int_equal(EVP_PKEY_set_utf8_string_param(ec, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
                                                    "uncompressed"),
                     1);
    assert_int_equal(EVP_PKEY_set_utf8_string_param(ec, OSSL_PKEY_PARAM_EC_ENCODING, "explicit"),
                     1);
    spki_of(ec, &explicit_curve);
    assert_true(explicit_curve.n > spki.n);
    expect_unusable("ecdsa", buf_slice_of(&explicit_curve), "explicit curve parameters");

    spki.p[spki.n - 1] ^= 1;
    expect_unusable("ecdsa", buf_slice_of(&spki), "a point off the curve");

    spki_of(rsa_key, &rsa_spki);
    expect_unusable("ecdsa", buf_slice_of(&rsa_spki), "an RSA key called ecdsa");
    /* rsaEncryption without its NULL: 30 82 01 22 30 0d … 05 00 -> two bytes less */
    auto_buf struct buf bare = {0};
    buf_slice(&bare, slice_first(buf_slice_of(&rsa_spki), 17));
    buf_slice(&bare, slice_from(buf_slice_of(&rsa_spki), 19));
    bare.p[3] = (char)(bare.p[3] - 2);
    bare.p[5] = (char)(bare.p[5] - 2);
    expect_unusable("rsa", buf_slice_of(&bare), "an RSA key without its NULL parameter");
    buf_char(&rsa_spki, '\0');
    expect_unusable("rsa", buf_slice_of(&rsa_spki), "a byte after an RSA key");
    EVP_PKEY_free(ec);
    EVP_PKEY_free(rsa_key);
}

/* ---- certificates ---- */

static void certificates(void **unused)
{
    EVP_PKEY *pkey = new_ec("P-256");
    char long_name[200];
    (void)unused;
    memset(long_name, 'x', sizeof(long_name));
    memcpy(long_name, "localhost:5000/ns/", 18);
    long_name[199] = '\0';
    const struct {
        const char *name;
        struct cert_wish wish;
        bool usable, well_formed, names_gun;
    } cases[] = {
        {"good", {.common_name = gun, .to_days = 10}, true, true, true},
        {"another name",
         {.common_name = "localhost:5000/ns/app2", .to_days = 10},
         true,
         true,
         false},
        {"a prefix without a star",
         {.common_name = "localhost:5000/ns/ap", .to_days = 10},
         true,
         true,
         false},
        {"star", {.common_name = "localhost:5000/ns*", .to_days = 10}, true, true, true},
        {"star alone", {.common_name = "*", .to_days = 10}, true, true, true},
        {"stars", {.common_name = "localhost:5000/**", .to_days = 10}, true, true, true},
        {"star of another", {.common_name = "localhost:5001/*", .to_days = 10}, true, true, false},
        {"star beyond the name",
         {.common_name = "localhost:5000/ns/app/*", .to_days = 10},
         true,
         true,
         false},
        {"star inside", {.common_name = "localhost:5000/*/app", .to_days = 10}, true, true, false},
        {"no name", {.to_days = 10}, true, true, false},
        {"two names", {.common_name = "x", .second_name = gun, .to_days = 10}, true, true, false},
        {"long name", {.common_name = long_name, .to_days = 10}, true, true, false},
        {"a CA certificate", {.common_name = gun, .ca = true, .to_days = 10}, true, false, true},
        {"SHA-1", {.common_name = gun, .digest = EVP_sha1(), .to_days = 10}, false, true, true},
        {"SHA-224", {.common_name = gun, .digest = EVP_sha224(), .to_days = 10}, false, true, true},
        {"SHA-384", {.common_name = gun, .digest = EVP_sha384(), .to_days = 10}, true, true, true},
        {"dates the wrong way round",
         {.common_name = gun, .from_days = 10, .to_days = 5},
         false,
         false,
         false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        auto_buf struct buf pem = {0};
        put_cert(&pem, pkey, &cases[i].wish);
        struct tuf_key *key = key_of("ecdsa-x509", buf_slice_of(&pem));
        const struct tuf_cert *cert = tuf_key_cert(key);
        CHECK_CASE(cert != NULL, cases[i].name);
        CHECK_CASE(tuf_key_usable(key, NULL) == cases[i].usable, cases[i].name);
        CHECK_CASE(cert->well_formed == cases[i].well_formed, cases[i].name);
        CHECK_CASE(tuf_cert_names(cert, slice_str(gun)) == cases[i].names_gun, cases[i].name);
        tuf_key_free(key);
        key = key_of("rsa-x509", buf_slice_of(&pem));
        CHECK_CASE(!tuf_key_usable(key, NULL), cases[i].name);
        tuf_key_free(key);
    }
    auto_buf struct buf pem = {0};
    put_cert(&pem, pkey, &(struct cert_wish){.common_name = long_name, .to_days = 10});
    struct tuf_key *key = key_of("ecdsa-x509", buf_slice_of(&pem));
    assert_true(tuf_cert_names(tuf_key_cert(key), slice_str(long_name)));
    tuf_key_free(key);
    EVP_PKEY_free(pkey);
}

static void a_certificate_and_its_bare_key_are_one_key(void **unused)
{
    EVP_PKEY *pkey = new_ec("P-256");
    auto_buf struct buf first = {0};
    auto_buf struct buf second = {0};
    auto_buf struct buf sig = {0};
    (void)unused;

    put_cert(&first, pkey, &(struct cert_wish){.common_name = gun, .to_days = 10});
    put_cert(&second, pkey, &(struct cert_wish){.common_name = gun, .to_days = 11});
    struct tuf_key *keys[] = {key_of_pkey("ecdsa", pkey),
                              key_of("ecdsa-x509", buf_slice_of(&first)),
                              key_of("ecdsa-x509", buf_slice_of(&second))};
    sign_ec(pkey, 32, EVP_sha256(), message, &sig);
    for (size_t i = 0; i < COUNT(keys); i++) {
        struct spki a = tuf_key_spki(keys[0]);
        struct spki b = tuf_key_spki(keys[i]);
        assert_true(spki_equal(&a, &b));
        assert_int_equal(verify(keys[i], "ecdsa", &sig, message), SIG_ACCEPT);
        assert_true(i == 0 || strcmp(tuf_key_id(keys[0]), tuf_key_id(keys[i])) != 0);
    }
    assert_string_not_equal(tuf_key_id(keys[1]), tuf_key_id(keys[2]));
    for (size_t i = 0; i < COUNT(keys); i++) {
        tuf_key_free(keys[i]);
    }
    EVP_PKEY_free(pkey);
}

static void chains_of_certificates(void **unused)
{
    EVP_PKEY *pkey = new_ec("P-256");
    EVP_PKEY *issuer = new_ec("P-256");
    auto_buf struct buf leaf = {0};
    auto_buf struct buf ca = {0};
    (void)unused;
    put_cert(&leaf, pkey, &(struct cert_wish){.common_name = gun, .to_days = 10});
    put_cert(&ca, issuer, &(struct cert_wish){.common_name = "ca", .ca = true, .to_days = 5});
    const struct {
        const char *name;
        const char *parts[4];
        bool usable, well_formed;
    } cases[] = {
        {"leaf, CA", {leaf.p, ca.p}, true, true},
        {"leaf, CA, CA", {leaf.p, ca.p, ca.p}, true, true},
        {"blank lines around", {"\n", leaf.p, "\r\n\n", ca.p}, true, true},
        {"CA, leaf", {ca.p, leaf.p}, true, false},
        {"leaf, leaf", {leaf.p, leaf.p}, true, false},
        {"nothing", {""}, false, false},
        {"text before", {"hello\n", leaf.p}, false, false},
        {"text after", {leaf.p, "hello\n"}, false, false},
        {"cut", {"-----BEGIN CERTIFICATE-----\nAAAA\n"}, false, false},
        {"empty block", {"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"}, false, false},
        {"no certificate in it",
         {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"},
         false,
         false},
        {"another block",
         {leaf.p, "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"},
         false,
         false},
        {"headers",
         {"-----BEGIN CERTIFICATE-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END "
          "CERTIFICATE-----\n"},
         false,
         false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        auto_buf struct buf pem = {0};
        for (size_t j = 0; j < 4 && cases[i].parts[j]; j++) {
            buf_str(&pem, cases[i].parts[j]);
        }
        struct tuf_key *key = key_of("ecdsa-x509", buf_slice_of(&pem));
        const struct tuf_cert *cert = tuf_key_cert(key);
        CHECK_CASE(tuf_key_usable(key, NULL) == cases[i].usable, cases[i].name);
        CHECK_CASE(cert->well_formed == cases[i].well_formed, cases[i].name);
        tuf_key_free(key);
    }
    auto_buf struct buf pem = {0};
    buf_slice(&pem, buf_slice_of(&leaf));
    buf_slice(&pem, buf_slice_of(&ca));
    struct tuf_key *key = key_of("ecdsa-x509", buf_slice_of(&pem));
    assert_true(tuf_key_cert(key)->chain_not_after_us < tuf_key_cert(key)->not_after_us);
    tuf_key_free(key);
    for (int i = 0; i < 16; i++) {
        buf_slice(&pem, buf_slice_of(&ca));
    }
    key = key_of("ecdsa-x509", buf_slice_of(&pem));
    assert_false(tuf_key_usable(key, NULL));
    tuf_key_free(key);
    EVP_PKEY_free(pkey);
    EVP_PKEY_free(issuer);
}

/* DER inside its PEM block: one certificate, and nothing behind it or missing of it. */
static void a_block_holds_one_certificate(void **unused)
{
    EVP_PKEY *pkey = new_ec("P-256");
    auto_buf struct buf pem = {0};
    unsigned char *der = NULL;
    (void)unused;
    put_cert(&pem, pkey, &(struct cert_wish){.common_name = gun, .to_days = 10});
    BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
    X509 *x = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    int n = i2d_X509(x, &der);
    assert_true(n > 0);
    for (int extra = -1; extra <= 1; extra++) {
        auto_buf struct buf bytes = {0};
        auto_buf struct buf again = {0};
        buf_put(&bytes, der, (size_t)n);
        buf_char(&bytes, '\0');
        buf_str(&again, "-----BEGIN CERTIFICATE-----\n");
        base64_encode(&again, slice_first(buf_slice_of(&bytes), (size_t)(n + extra)));
        buf_str(&again, "\n-----END CERTIFICATE-----\n");
        struct tuf_key *key = key_of("ecdsa-x509", buf_slice_of(&again));
        assert_true(tuf_key_usable(key, NULL) == (extra == 0));
        tuf_key_free(key);
    }
    OPENSSL_free(der);
    X509_free(x);
    BIO_free(bio);
    EVP_PKEY_free(pkey);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recorded_key_ids),
        cmocka_unit_test(a_member_beside_type_and_value_does_not_enter_the_key_id),
        cmocka_unit_test(a_written_key_reads_back),
        cmocka_unit_test(malformed_objects_are_refused),
        cmocka_unit_test(ecdsa),
        cmocka_unit_test(a_der_signature_is_refused),
        cmocka_unit_test(rsa),
        cmocka_unit_test(ed25519),
        cmocka_unit_test(weak_keys_do_not_count),
        cmocka_unit_test(a_key_has_one_spelling),
        cmocka_unit_test(certificates),
        cmocka_unit_test(a_certificate_and_its_bare_key_are_one_key),
        cmocka_unit_test(chains_of_certificates),
        cmocka_unit_test(a_block_holds_one_certificate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
