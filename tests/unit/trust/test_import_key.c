/* Keys of a Notary v1 signer: one that a real notary-signer sealed opens under its pass phrase and is
 * the key of its id; nothing else opens. */
#include "base/hex.h"
#include "storage/trust_key.h"
#include "tests/unit/base/check.h"
#include "trust/import_key.h"
#include "trust/key_pair.h"
#include "trust/keys.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <sodium.h>

/* The private column and the key id of notary-signer 0.7.0, test keys. */
static const char sealed_text[] =
    "eyJhbGciOiJQQkVTMi1IUzI1NitBMTI4S1ciLCJlbmMiOiJBMjU2R0NNIiwicDJjIjo4MTkyLCJwMnMi"
    "OiJ2aVhNR1FFQ0NpbnhmZ29yIn0."
    "A7EsHgEpbReIV5mI8JTn96Rh30R_RMGCdIDA_1dP1IrroMSV0pxp6Q."
    "8fvPL7mLXYOAwtDk."
    "eHFeUcwdRVNvp9cXF221_WShmBZhbiMv3wZysIP0aJZl26vT9svrBOyiAXyiFa6elKyCGVgR34U0kHtH"
    "GCOGqFAidjiT6grBg0bJ3EXU4zYYN9COhWJJFjWAF7nofkhanjsP6_0T4U-TvOHiJViyt9XewDyWZLBD"
    "cg."
    "hpNK4hGEnc7FQO7bnD53gg";
static const char key_id[] = "f1ff59e12b3da1064b5ee231a45310f38c052fa879edbc0269ecfac07b9115cc";
static const char sealed_ed25519[] =
    "eyJhbGciOiJQQkVTMi1IUzI1NitBMTI4S1ciLCJlbmMiOiJBMjU2R0NNIiwicDJjIjo4MTkyLCJwMnMi"
    "OiJJYTdpT2Y4RTZ3WGh1U1ZlIn0."
    "peF10zAr-OK8PXz380d0j4pTR3cAQwU87jGbEIIrLZnsjSvhhR1e9A."
    "Z3YUvWQN4gigpZfk."
    "fAkAsf_3ouyU0zWNKenJUf5ENI4Vyq2PtNCJCA5e1z3JziDU4UUUpaRm23ud8YAR2PjT0IefJHV-N5vz"
    "bb7jYriuVWNEAm-imSiVa1HtB4lKVFeJyGa80NGj5QtPOcGk."
    "yZrcBDU9k9PcJLDLlb9dbg";
static const char ed25519_id[] = "b448b5c70dc85e637851916d2bdf4eb14be527075000fe59edf3014972d1c17e";
/* The column beside it. */
static const uint8_t ed25519_public[32] = {
    0xb1, 0xd4, 0xe9, 0xaa, 0x8c, 0x78, 0x46, 0x37, 0x64, 0xe6, 0xfd, 0x8b, 0xad, 0xfa, 0xaa, 0x50,
    0xeb, 0x2e, 0xac, 0x09, 0x6f, 0x08, 0xf7, 0xd5, 0x62, 0x2c, 0xc6, 0xd6, 0x9b, 0xd2, 0x64, 0x34};
static const char phrase[] = "passphrase of the old signer";

static bool open_text(struct slice jwe, const char *with, struct buf *out, struct err *err)
{
    return import_key_open(jwe, slice_str(with), out, err);
}

static const struct repo_name app = {.text = "demo/app", .n = 8};

static struct sealing *make_sealing(const struct folder *f)
{
    char path[160];
    struct sealing *s = NULL;
    struct err err = {0};
    (void)snprintf(path, sizeof path, "%s/key", f->path);
    assert_true(trust_sealing_key_create(f->fd, "key", &err));
    assert_true(sealing_read(path, &s, &err));
    return s;
}

/* Opens, adopts and signs "x" with it; then as it is stored. */
static void take_and_sign(const char *sealed, struct trust_key *key, struct buf *sig)
{
    struct folder f;
    struct held_key made;
    auto_wiped struct buf plain = {0};
    struct err err = {0};
    folder_make(&f);
    struct sealing *s = make_sealing(&f);
    if (!open_text(slice_str(sealed), phrase, &plain, &err) ||
        !held_key_adopt(s, &app, key->role, buf_slice_of(&plain), &made, &err)) {
        fail_msg("%s", err.msg);
    }
    key->public_der = made.public_der;
    key->sealed = made.sealed;
    memcpy(key->key_id, made.id, sizeof made.id);
    (void)snprintf(key->sealed_by, sizeof key->sealed_by, "%s", sealing_id(s));
    assert_true(held_key_sign(s, &app, key, SLICE_LIT("x"), sig, &err));
    sealing_free(s);
    folder_remove(&f);
}

static void the_signers_key_opens_and_is_the_key_of_its_id(void **unused)
{
    auto_trust_key struct trust_key key = {.role = "timestamp"};
    auto_buf struct buf sig = {0};
    (void)unused;
    take_and_sign(sealed_text, &key, &sig);
    assert_string_equal(key.key_id, key_id);
    assert_int_equal(sig.n, 64);
}

static void an_ed25519_key_of_the_signer_signs_on(void **unused)
{
    auto_trust_key struct trust_key key = {.role = "timestamp"};
    auto_buf struct buf sig = {0};
    (void)unused;
    take_and_sign(sealed_ed25519, &key, &sig);
    assert_string_equal(key.key_id, ed25519_id);
    assert_int_equal(sig.n, 64);
    assert_int_equal(crypto_sign_verify_detached((const unsigned char *)sig.p,
                                                 (const unsigned char *)"x", 1, ed25519_public),
                     0);
    assert_int_not_equal(crypto_sign_verify_detached((const unsigned char *)sig.p,
                                                     (const unsigned char *)"y", 1, ed25519_public),
                         0);
}

/* Public half, seed, public half; and each of them of another key. */
static void halves_of_two_ed25519_keys_are_refused(void **unused)
{
    uint8_t public_half[2][32], pair[2][64];
    struct folder f;
    (void)unused;
    folder_make(&f);
    struct sealing *s = make_sealing(&f);
    for (int i = 0; i < 2; i++) {
        crypto_sign_keypair(public_half[i], pair[i]);
    }
    for (int mix = 0; mix < 8; mix++) {
        auto_held_key struct held_key made = {0};
        auto_buf struct buf form = {0};
        struct err err = {0};
        buf_put(&form, public_half[mix & 1], 32);
        buf_put(&form, pair[mix >> 1 & 1], 32);
        buf_put(&form, public_half[mix >> 2], 32);
        bool whole = mix == 0 || mix == 7;
        assert_int_equal(
            held_key_adopt(s, &app, "timestamp", buf_slice_of(&form), &made, &err), whole);
        assert_int_equal(made.sealed.n > 0, whole);
        if (!whole) {
            assert_int_equal(err.code, ERR_INVALID);
            assert_non_null(strstr(err.msg, "halves do not belong together"));
        }
    }
    sealing_free(s);
    folder_remove(&f);
}

/* What is stored of one key does not open as another, of the same kind or not. */
static void a_stored_half_is_read_only_with_its_own_other_half(void **unused)
{
    static const char *const sealed[] = {sealed_text, sealed_ed25519, sealed_ed25519};
    struct buf halves[COUNT(sealed)][2] = {0};
    struct err err = {0};
    (void)unused;
    for (size_t i = 0; i < COUNT(sealed); i++) {
        auto_key_pair struct key_pair pair = {0};
        auto_wiped struct buf plain = {0};
        assert_true(open_text(slice_str(sealed[i]), phrase, &plain, &err));
        if (i == 2) { /* another Ed25519 key */
            uint8_t other[64];
            crypto_sign_keypair((unsigned char *)plain.p, other);
            memcpy(plain.p + 32, other, sizeof other);
        }
        assert_true(key_pair_adopt(buf_slice_of(&plain), &pair, &err));
        assert_true(key_pair_write(&pair, &halves[i][0], &halves[i][1], &err));
    }
    for (size_t i = 0; i < COUNT(sealed); i++) {
        for (size_t j = 0; j < COUNT(sealed); j++) {
            auto_key_pair struct key_pair pair = {0};
            assert_int_equal(
                key_pair_read(buf_slice_of(&halves[i][0]), buf_slice_of(&halves[j][1]), &pair),
                i == j);
            assert_int_equal(pair.pkey != NULL, i == j);
        }
    }
    for (size_t i = 0; i < COUNT(sealed); i++) {
        buf_dispose(&halves[i][0]);
        buf_wipe(&halves[i][1]);
    }
}

static void another_pass_phrase_does_not_open_it(void **unused)
{
    static const char *const wrong[] = {"", "x", "passphrase of the old signer ",
                                        "Passphrase of the old signer"};
    (void)unused;
    for (size_t i = 0; i < COUNT(wrong); i++) {
        auto_buf struct buf plain = {0};
        struct err err = {0};
        assert_false(open_text(slice_str(sealed_text), wrong[i], &plain, &err));
        assert_int_equal(err.code, ERR_INVALID);
        assert_string_equal(err.msg, "the pass phrase does not open it");
        assert_int_equal(plain.n, 0);
    }
}

/* All of it stands under the tag, the wrapping or the derivation; every third place is tried. */
static void a_changed_character_does_not_open(void **unused)
{
    char text[sizeof sealed_text];
    (void)unused;
    for (size_t i = 0; i < sizeof text - 1; i += 3) {
        auto_buf struct buf plain = {0};
        struct err err = {0};
        memcpy(text, sealed_text, sizeof text);
        text[i] = text[i] == 'A' ? 'B' : 'A';
        if (open_text(slice_str(text), phrase, &plain, &err)) {
            fail_msg("it opens with another character in place %zu", i);
        }
        assert_int_equal(err.code, ERR_INVALID);
    }
}

static void put_jwe(struct buf *out, const char *header)
{
    base64url_encode(out, slice_str(header));
    buf_str(out, strchr(sealed_text, '.'));
}

static void other_ways_of_sealing_are_refused(void **unused)
{
    static const struct {
        const char *header, *why;
    } cases[] = {
        {"{\"alg\":\"dir\",\"enc\":\"A256GCM\",\"p2c\":8192,\"p2s\":\"viXMGQECCinxfgor\"}",
         "PBES2"},
        {"{\"alg\":\"PBES2-HS256+A128KW\",\"enc\":\"A128CBC-HS256\",\"p2c\":8192,\"p2s\":\"viXMGQECCinxfgor\"}",
         "A256GCM"},
        {"{\"alg\":\"PBES2-HS256+A128KW\",\"enc\":\"A256GCM\",\"p2c\":1000001,\"p2s\":\"viXMGQECCinxfgor\"}",
         "compact JWE"},
        {"{\"alg\":\"PBES2-HS256+A128KW\",\"enc\":\"A256GCM\",\"p2c\":0,\"p2s\":\"viXMGQECCinxfgor\"}",
         "compact JWE"},
        {"{\"alg\":\"PBES2-HS256+A128KW\",\"enc\":\"A256GCM\",\"p2c\":8192}", "compact JWE"},
        {"[]", "PBES2"},
        {"{", "compact JWE"},
    };
    static const char *const texts[] = {
        "", ".", "....", "a.b.c.d", "e30.e30.e30.e30.e30.e30", "-----BEGIN EC PRIVATE KEY-----"};
    (void)unused;
    for (size_t i = 0; i < COUNT(cases); i++) {
        auto_buf struct buf jwe = {0}, plain = {0};
        struct err err = {0};
        put_jwe(&jwe, cases[i].header);
        assert_false(open_text(buf_slice_of(&jwe), phrase, &plain, &err));
        if (!strstr(err.msg, cases[i].why)) {
            fail_msg("%s: %s", cases[i].header, err.msg);
        }
    }
    for (size_t i = 0; i < COUNT(texts); i++) {
        auto_buf struct buf plain = {0};
        struct err err = {0};
        assert_false(open_text(slice_str(texts[i]), phrase, &plain, &err));
        assert_int_equal(err.code, ERR_INVALID);
    }
}

static void more_than_a_key_needs_is_not_read(void **unused)
{
    auto_buf struct buf jwe = {0}, plain = {0};
    struct err err = {0};
    (void)unused;
    while (jwe.n <= IMPORT_SEALED_MAX) {
        buf_char(&jwe, 'A');
    }
    assert_false(open_text(buf_slice_of(&jwe), phrase, &plain, &err));
    assert_non_null(strstr(err.msg, "more than 16384 bytes"));
}

static void put_private(const char *curve, struct buf *out)
{
    EVP_PKEY *key = curve ? EVP_EC_gen(curve) : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    unsigned char *der = NULL;
    int n = i2d_PrivateKey(key, &der);
    assert_true(n > 0);
    buf_put(out, der, (size_t)n);
    OPENSSL_free(der);
    EVP_PKEY_free(key);
}

static void keys_of_other_kinds_and_forms_are_not_adopted(void **unused)
{
    static const char *const curves[] = {"P-384", "P-521", NULL}; /* NULL: PKCS#8 of an Ed25519 key */
    struct folder f;
    (void)unused;
    folder_make(&f);
    struct sealing *s = make_sealing(&f);
    for (size_t i = 0; i < COUNT(curves); i++) {
        auto_buf struct buf der = {0};
        auto_held_key struct held_key made = {0};
        struct err err = {0};
        put_private(curves[i], &der);
        assert_false(held_key_adopt(s, &app, "timestamp", buf_slice_of(&der), &made, &err));
        assert_int_equal(err.code, ERR_INVALID);
        assert_int_equal(made.sealed.n, 0);
    }
    sealing_free(s);
    folder_remove(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_signers_key_opens_and_is_the_key_of_its_id),
        cmocka_unit_test(an_ed25519_key_of_the_signer_signs_on),
        cmocka_unit_test(halves_of_two_ed25519_keys_are_refused),
        cmocka_unit_test(a_stored_half_is_read_only_with_its_own_other_half),
        cmocka_unit_test(another_pass_phrase_does_not_open_it),
        cmocka_unit_test(a_changed_character_does_not_open),
        cmocka_unit_test(other_ways_of_sealing_are_refused),
        cmocka_unit_test(more_than_a_key_needs_is_not_read),
        cmocka_unit_test(keys_of_other_kinds_and_forms_are_not_adopted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
