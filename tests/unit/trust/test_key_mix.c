/* Roles whose keys are of different types: thresholds of one to three, each method with each key,
 * and signatures that are no numbers of the right kind. */
#include "tests/unit/trust/made.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/param_build.h>

#define YEAR_S INT64_C(31536000)

/* Every way in which a key can be given. */
static const struct {
    const char *name, *curve; /* curve NULL: RSA, or ed25519 when bits is 0 */
    unsigned bits;
    bool certificate;
    const char *method;
} kinds[] = {
    {"ecdsa P-256", "P-256", 0, false, "ecdsa"},
    {"ecdsa P-384", "P-384", 0, false, "ecdsa"},
    {"ecdsa P-521", "P-521", 0, false, "ecdsa"},
    {"ecdsa-x509 P-256", "P-256", 0, true, "ecdsa"},
    {"ecdsa-x509 P-384", "P-384", 0, true, "ecdsa"},
    {"rsa 2048 PSS", NULL, 2048, false, "rsapss"},
    {"rsa 2048 PKCS 1", NULL, 2048, false, "rsapkcs1v15"},
    {"rsa-x509 2048", NULL, 2048, true, "rsapss"},
    {"rsa-x509 4096", NULL, 4096, true, "rsapkcs1v15"},
    {"ed25519", NULL, 0, false, "eddsa"},
};
#define KINDS COUNT(kinds)

struct fixture {
    struct made_key of[KINDS], root, online, stranger;
};
static struct fixture *keys;

static void make_kind(struct made_key *out, size_t i)
{
    if (!kinds[i].curve && kinds[i].bits == 0) {
        made_key_new(out);
        return;
    }
    EVP_PKEY *pkey = kinds[i].curve ? EVP_EC_gen(kinds[i].curve) : EVP_RSA_gen(kinds[i].bits);
    if (kinds[i].certificate) {
        made_cert_new(out, pkey, MADE_GUN, -YEAR_S, YEAR_S);
    } else {
        made_bare_new(out, pkey);
    }
    EVP_PKEY_free(pkey);
    out->method = kinds[i].method;
}

static int setup(void **unused)
{
    (void)unused;
    keys = xcalloc(1, sizeof(*keys));
    for (size_t i = 0; i < KINDS; i++) {
        make_kind(&keys->of[i], i);
    }
    made_cert_new(&keys->root, NULL, MADE_GUN, -YEAR_S, YEAR_S);
    made_key_new(&keys->online);
    made_key_new(&keys->stranger);
    return 0;
}

static int teardown(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < KINDS; i++) {
        made_key_free(&keys->of[i]);
    }
    made_key_free(&keys->root);
    made_key_free(&keys->online);
    made_key_free(&keys->stranger);
    free(keys);
    return 0;
}

/* Valid signatures of `m`'s targets by the role that its root lists. */
static int valid_signatures(struct made *m, bool *met)
{
    struct tuf_doc *root = NULL;
    struct tuf_doc *targets = NULL;
    struct sig_count count;
    made_write(&m->docs[0]);
    made_write(&m->docs[1]);
    assert_int_equal(tuf_doc_read(SLICE_LIT("root"), buf_slice_of(&m->docs[0].bytes), &root, NULL),
                     DOC_OK);
    assert_int_equal(
        tuf_doc_read(SLICE_LIT("targets"), buf_slice_of(&m->docs[1].bytes), &targets, NULL),
        DOC_OK);
    tuf_count_signatures(targets, root, &root->targets, NULL, &count);
    *met = sig_count_met(&count);
    tuf_doc_free(root);
    tuf_doc_free(targets);
    return count.valid;
}

static void begin(struct made *m, const struct made_key *const list[], int threshold)
{
    const struct made_key *const roots[] = {&keys->root, NULL};
    json_t *root = made_root(1, roots, 1, &keys->online, &keys->online);
    json_object_set_new(json_object_get(root, "roles"), "targets",
                        made_role(json_object_get(root, "keys"), list, threshold));
    *m = (struct made){.count = 0};
    made_add(m, "root", root, &keys->root);
    made_add(m, "targets", made_targets(1), NULL);
}

static void sign_by(struct made *m, const struct made_key *const signers[], size_t count)
{
    struct made_doc *doc = &m->docs[1];
    memset(doc->signers, 0, sizeof(doc->signers));
    memcpy(doc->signers, signers, count * sizeof(signers[0]));
}

/* Three neighbours of the table share a role. */
static void thresholds_over_every_type(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < KINDS; i++) {
        const struct made_key *const list[] = {&keys->of[i], &keys->of[(i + 1) % KINDS],
                                               &keys->of[(i + 2) % KINDS], NULL};
        for (int threshold = 1; threshold <= 3; threshold++) {
            struct made m;
            begin(&m, list, threshold);
            for (int signers = 0; signers <= 3; signers++) {
                bool met = false;
                sign_by(&m, list, (size_t)signers);
                CHECK_CASE(valid_signatures(&m, &met) == signers, kinds[i].name);
                CHECK_CASE(met == (signers >= threshold), kinds[i].name);
            }
            /* a stranger's, and the first key's again, make no difference */
            const struct made_key *const others[] = {list[0], &keys->stranger, list[0]};
            bool met = false;
            sign_by(&m, others, 3);
            CHECK_CASE(valid_signatures(&m, &met) == 1, kinds[i].name);
            CHECK_CASE(met == (threshold == 1), kinds[i].name);
            made_free(&m);
        }
    }
}

/* ---- U26, U71: which method goes with which key ---- */

static void each_method_with_each_key(void **unused)
{
    static const char *const methods[] = {
        "ecdsa", "rsapss", "rsapkcs1v15", "pycrypto-pkcs#1 pss", "eddsa", "none", ""};
    const struct slice message = SLICE_LIT("signed");
    (void)unused;
    for (size_t i = 0; i < KINDS; i++) {
        struct tuf_key *key = NULL;
        auto_buf struct buf text = {0};
        auto_buf struct buf sig = {0};
        assert_true(tuf_key_read(keys->of[i].object, &key, NULL));
        made_sign_bytes(&keys->of[i], message, &text);
        assert_true(base64_decode(buf_slice_of(&text), &sig));
        for (size_t m = 0; m < COUNT(methods); m++) {
            bool right = strcmp(methods[m], kinds[i].method) == 0;
            CHECK_CASE((tuf_key_verify(key, slice_str(methods[m]), buf_slice_of(&sig), message) ==
                        SIG_ACCEPT) == right,
                       kinds[i].name);
        }
        for (size_t bit = 0; bit < 8 * sig.n; bit += 13) {
            sig.p[bit / 8] = (char)((unsigned char)sig.p[bit / 8] ^ (1U << bit % 8));
            CHECK_CASE(tuf_key_verify(key, slice_str(kinds[i].method), buf_slice_of(&sig),
                                      message) == SIG_REJECT,
                       kinds[i].name);
            sig.p[bit / 8] = (char)((unsigned char)sig.p[bit / 8] ^ (1U << bit % 8));
        }
        tuf_key_free(key);
    }
}

/* ---- numbers that are no signatures ---- */

/* r and s are 1 to n - 1: zero, n, and the right number plus n are not. */
static void ecdsa_numbers_out_of_range(void **unused)
{
    const struct slice message = SLICE_LIT("signed");
    struct tuf_key *key = NULL;
    auto_buf struct buf text = {0};
    auto_buf struct buf sig = {0};
    BIGNUM *order = NULL;
    uint8_t n[32], forged[64];
    (void)unused;
    assert_true(tuf_key_read(keys->of[0].object, &key, NULL));
    assert_int_equal(EVP_PKEY_get_bn_param(keys->of[0].pkey, OSSL_PKEY_PARAM_EC_ORDER, &order), 1);
    assert_int_equal(BN_bn2binpad(order, n, 32), 32);
    made_sign_bytes(&keys->of[0], message, &text);
    assert_true(base64_decode(buf_slice_of(&text), &sig));
    assert_int_equal(tuf_key_verify(key, SLICE_LIT("ecdsa"), buf_slice_of(&sig), message),
                     SIG_ACCEPT);
    for (size_t half = 0; half < 2; half++) {
        static const uint8_t zero[32];
        const uint8_t *const bad[] = {zero, n};
        for (size_t i = 0; i < COUNT(bad); i++) {
            memcpy(forged, sig.p, 64);
            memcpy(forged + 32 * half, bad[i], 32);
            assert_int_equal(
                tuf_key_verify(key, SLICE_LIT("ecdsa"), slice_of_bytes(forged, 64), message),
                SIG_REJECT);
        }
    }
    memset(forged, 0, sizeof(forged)); /* r = s = n, and r = n with s = 0 */
    memcpy(forged, n, 32);
    assert_int_equal(tuf_key_verify(key, SLICE_LIT("ecdsa"), slice_of_bytes(forged, 64), message),
                     SIG_REJECT);
    memcpy(forged + 32, n, 32);
    assert_int_equal(tuf_key_verify(key, SLICE_LIT("ecdsa"), slice_of_bytes(forged, 64), message),
                     SIG_REJECT);
    BN_free(order);
    tuf_key_free(key);
}

/* n - s of a signature verifies as s does (TUF asks for no smaller one): it is no second signer. */
static void the_other_s_is_the_same_signer(void **unused)
{
    const struct slice message = SLICE_LIT("signed");
    struct tuf_key *key = NULL;
    auto_buf struct buf text = {0};
    auto_buf struct buf sig = {0};
    BIGNUM *order = NULL;
    (void)unused;
    assert_true(tuf_key_read(keys->of[0].object, &key, NULL));
    assert_int_equal(EVP_PKEY_get_bn_param(keys->of[0].pkey, OSSL_PKEY_PARAM_EC_ORDER, &order), 1);
    made_sign_bytes(&keys->of[0], message, &text);
    assert_true(base64_decode(buf_slice_of(&text), &sig));
    BIGNUM *s = BN_bin2bn((const unsigned char *)sig.p + 32, 32, NULL);
    assert_int_equal(BN_sub(s, order, s), 1);
    assert_int_equal(BN_bn2binpad(s, (unsigned char *)sig.p + 32, 32), 32);
    assert_int_equal(tuf_key_verify(key, SLICE_LIT("ecdsa"), buf_slice_of(&sig), message),
                     SIG_ACCEPT);
    BN_free(s);
    BN_free(order);
    tuf_key_free(key);

    const struct made_key *const list[] = {&keys->of[0], &keys->of[1], NULL};
    const struct made_key *const twice[] = {&keys->of[0], &keys->of[0]};
    struct made m;
    bool met = true;
    begin(&m, list, 2);
    sign_by(&m, twice, 2); /* two signatures of one key and message: two different texts */
    assert_int_equal(valid_signatures(&m, &met), 1);
    assert_false(met);
    made_free(&m);
}

/* Points of small order sign anything; and a key has one encoding. */
static void ed25519_points_that_sign_for_nobody(void **unused)
{
    static const char *const points[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "0100000000000000000000000000000000000000000000000000000000000080",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    };
    (void)unused;
    for (size_t i = 0; i < COUNT(points); i++) {
        for (size_t r = 0; r < COUNT(points); r++) {
            uint8_t public[32], sig[64] = {0};
            struct tuf_key *key = NULL;
            assert_true(hex_decode(slice_str(points[i]), public, 32));
            assert_true(hex_decode(slice_str(points[r]), sig, 32));
            auto_json json_t *object = made_object("ed25519", slice_of_bytes(public, 32));
            assert_true(tuf_key_read(object, &key, NULL));
            for (char c = 0; c < 16; c++) { /* some of them would do for a lenient reader */
                CHECK_CASE(tuf_key_verify(key, SLICE_LIT("eddsa"), slice_of_bytes(sig, 64),
                                          (struct slice){&c, 1}) == SIG_REJECT,
                           points[i]);
            }
            tuf_key_free(key);
        }
    }
}

/* The second half of an ed25519 signature is below the group's order: plus the order it is another
 * text of the same number. */
static void an_ed25519_signature_has_one_encoding(void **unused)
{
    static const uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,
                                      0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
                                      0,    0,    0,    0,    0,    0,    0,    0,
                                      0,    0,    0,    0,    0,    0,    0,    0x10};
    const struct made_key *signer = &keys->of[KINDS - 1];
    const struct slice message = SLICE_LIT("signed");
    struct tuf_key *key = NULL;
    uint8_t sig[64];
    (void)unused;
    assert_true(tuf_key_read(signer->object, &key, NULL));
    assert_int_equal(crypto_sign_detached(sig, NULL, (const unsigned char *)message.p, message.n,
                                          signer->secret),
                     0);
    assert_int_equal(tuf_key_verify(key, SLICE_LIT("eddsa"), slice_of_bytes(sig, 64), message),
                     SIG_ACCEPT);
    sodium_add(sig + 32, order, 32);
    assert_int_equal(tuf_key_verify(key, SLICE_LIT("eddsa"), slice_of_bytes(sig, 64), message),
                     SIG_REJECT);
    tuf_key_free(key);
}

/* ---- RSA numbers ---- */

/* A SubjectPublicKeyInfo of any two numbers. */
static void put_rsa(const BIGNUM *n, unsigned long e, struct buf *out)
{
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    BIGNUM *exponent = BN_new();
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    EVP_PKEY *pkey = NULL;
    unsigned char *der = NULL;
    assert_int_equal(BN_set_word(exponent, e), 1);
    assert_int_equal(OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n), 1);
    assert_int_equal(OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, exponent), 1);
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
    assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
    assert_int_equal(EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params), 1);
    int size = i2d_PUBKEY(pkey, &der);
    assert_true(size > 0);
    buf_put(out, der, (size_t)size);
    OPENSSL_free(der);
    EVP_PKEY_free(pkey);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    EVP_PKEY_CTX_free(ctx);
    BN_free(exponent);
}

static void rsa_numbers_out_of_range(void **unused)
{
    BIGNUM *n = NULL;
    (void)unused;
    assert_int_equal(EVP_PKEY_get_bn_param(keys->of[5].pkey, OSSL_PKEY_PARAM_RSA_N, &n), 1);
    const struct {
        const char *name;
        unsigned long e;
        bool even, usable;
    } rows[] = {
        {"65537", 65537, false, true},
        {"3", 3, false, true},
        {"1", 1, false, false},
        {"2", 2, false, false},
        {"2^31 - 1", 2147483647, false, true},
        {"2^31 + 1", 2147483649, false, false},
        {"an even modulus", 65537, true, false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        auto_buf struct buf der = {0};
        struct tuf_key *key = NULL;
        if (rows[i].even) {
            assert_int_equal(BN_clear_bit(n, 0), 1);
        }
        put_rsa(n, rows[i].e, &der);
        auto_json json_t *object = made_object("rsa", buf_slice_of(&der));
        assert_true(tuf_key_read(object, &key, NULL));
        CHECK_CASE(tuf_key_usable(key, NULL) == rows[i].usable, rows[i].name);
        tuf_key_free(key);
    }
    BN_free(n);
}

/* ---- ids and base64 have one spelling ---- */

static void ids_and_texts_have_one_spelling(void **unused)
{
    const struct made_key *const list[] = {&keys->of[9], NULL};
    struct made m;
    bool met = false;
    (void)unused;
    begin(&m, list, 1);
    sign_by(&m, list, 1);
    assert_int_equal(valid_signatures(&m, &met), 1);
    const char *text = m.docs[1].bytes.p;
    const char *id = strstr(text, "\"keyid\":\"");
    const char *sig = strstr(text, "\"sig\":\"");
    assert_true(id && sig);
    id += strlen("\"keyid\":\"");
    sig += strlen("\"sig\":\"");
    const struct {
        const char *name;
        size_t at;
        const char *with;
        bool reads;
    } rows[] = {
        {"the id in capitals", (size_t)(id - text), "\1", true},
        {"a line break in the signature", (size_t)(sig - text) + 4, "\\n", false},
        {"a blank in the signature", (size_t)(sig - text) + 4, " ", false},
        {"more padding", (size_t)(sig - text) + 88, "=", false},
        {"as it is", 0, "", true},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        auto_buf struct buf changed = {0};
        struct tuf_doc *root = NULL;
        struct tuf_doc *doc = NULL;
        struct sig_count count = {0};
        bool upper = rows[i].with[0] == '\1';
        buf_put(&changed, text, rows[i].at);
        buf_str(&changed, upper ? "" : rows[i].with);
        buf_str(&changed, text + rows[i].at);
        for (size_t j = rows[i].at; upper && j < rows[i].at + 64; j++) {
            changed.p[j] = (char)(changed.p[j] >= 'a' ? changed.p[j] - 32 : changed.p[j]);
        }
        bool read =
            tuf_doc_read(SLICE_LIT("targets"), buf_slice_of(&changed), &doc, NULL) == DOC_OK;
        CHECK_CASE(read == rows[i].reads, rows[i].name);
        assert_int_equal(
            tuf_doc_read(SLICE_LIT("root"), buf_slice_of(&m.docs[0].bytes), &root, NULL), DOC_OK);
        if (doc) {
            tuf_count_signatures(doc, root, &root->targets, NULL, &count);
            CHECK_CASE(count.valid == (upper ? 0 : 1), rows[i].name);
        }
        tuf_doc_free(root);
        tuf_doc_free(doc);
    }
    made_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thresholds_over_every_type),
        cmocka_unit_test(each_method_with_each_key),
        cmocka_unit_test(ecdsa_numbers_out_of_range),
        cmocka_unit_test(the_other_s_is_the_same_signer),
        cmocka_unit_test(ed25519_points_that_sign_for_nobody),
        cmocka_unit_test(an_ed25519_signature_has_one_encoding),
        cmocka_unit_test(rsa_numbers_out_of_range),
        cmocka_unit_test(ids_and_texts_have_one_spelling),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
