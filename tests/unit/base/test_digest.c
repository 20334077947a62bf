#include "base/digest.h"
#include "tests/unit/base/check.h"

/* FIPS 180-4 examples: SHA-256 and SHA-512 of "abc". */
#define ABC256 "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define ABC512                                                                                     \
    "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"                             \
    "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"

static void parse(void **state)
{
    static const struct {
        const char *name;
        const char *text;
        enum digest_algorithm want; /* none: refused */
    } cases[] = {
        {"sha256", "sha256:" ABC256, DIGEST_SHA256},
        {"sha512", "sha512:" ABC512, DIGEST_SHA512},
        {"empty", "", DIGEST_NONE},
        {"no colon", ABC256, DIGEST_NONE},
        {"only the algorithm", "sha256:", DIGEST_NONE},
        {"no algorithm", ":" ABC256, DIGEST_NONE},
        {"upper-case hex",
         "sha256:BA7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", DIGEST_NONE},
        {"upper-case algorithm", "SHA256:" ABC256, DIGEST_NONE},
        {"md5", "md5:900150983cd24fb0d6963f7d28e17f72", DIGEST_NONE},
        {"sha384", "sha384:" ABC256, DIGEST_NONE},
        {"sha256 of the wrong length", "sha256:" ABC512, DIGEST_NONE},
        {"sha512 of the wrong length", "sha512:" ABC256, DIGEST_NONE},
        {"one digit short",
         "sha256:a7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", DIGEST_NONE},
        {"one digit long", "sha256:" ABC256 "0", DIGEST_NONE},
        {"blank before", " sha256:" ABC256, DIGEST_NONE},
        {"newline after", "sha256:" ABC256 "\n", DIGEST_NONE},
        {"colon in the hex",
         "sha256:b:7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", DIGEST_NONE},
        {"path", "sha256:../../../../../../../../../../../../../../../../../../../../etc/passwd",
         DIGEST_NONE},
        {"two algorithms", "sha256+sha512:" ABC256, DIGEST_NONE},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct digest d;
        struct err err = {0};
        bool good = digest_parse(slice_str(cases[i].text), &d, &err);
        CHECK_CASE(good == (cases[i].want != DIGEST_NONE), cases[i].name);
        CHECK_CASE(d.algorithm == cases[i].want, cases[i].name);
        CHECK_CASE(good || err.code == ERR_DIGEST_INVALID, cases[i].name);
        if (good) {
            char text[DIGEST_STR_MAX];
            char hex[DIGEST_STR_MAX];
            assert_string_equal(digest_format(&d, text), cases[i].text);
            assert_string_equal(digest_hex(&d, hex), cases[i].text + 7);
        }
    }
    struct digest d;
    static const char with_nul[] = "sha256\0:" ABC256;
    assert_false(digest_parse(slice_of_bytes(with_nul, sizeof(with_nul) - 1), &d, NULL));
}

static void raw_form(void **state)
{
    static const char *const texts[] = {"sha256:" ABC256, "sha512:" ABC512};
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct digest d;
        struct digest back;
        uint8_t raw[DIGEST_RAW_MAX];
        assert_true(digest_parse(slice_str(texts[i]), &d, NULL));
        size_t n = digest_to_raw(&d, raw);
        assert_int_equal(n, 1 + digest_size(d.algorithm));
        assert_true(digest_from_raw(slice_of_bytes(raw, n), &back));
        assert_true(digest_equal(&d, &back));
        assert_false(digest_from_raw(slice_of_bytes(raw, n - 1), &back));
        assert_false(digest_is_set(&back));
        raw[0] ^= 3; /* the other algorithm: wrong length */
        assert_false(digest_from_raw(slice_of_bytes(raw, n), &back));
        raw[0] = 0;
        assert_false(digest_from_raw(slice_of_bytes(raw, n), &back));
        raw[0] = 0xFF;
        assert_false(digest_from_raw(slice_of_bytes(raw, n), &back));
    }
    struct digest none;
    assert_false(digest_from_raw((struct slice){NULL, 0}, &none));
    assert_false(digest_from_hash(DIGEST_NONE, "", 0, &none));
    assert_false(digest_from_hash(DIGEST_SHA256, ABC512, 64, &none));
}

static void equality(void **state)
{
    struct digest a;
    struct digest b;
    (void)state;
    assert_true(digest_parse(SLICE_LIT("sha256:" ABC256), &a, NULL));
    b = a;
    assert_true(digest_equal(&a, &b));
    b.bytes[31] ^= 1;
    assert_false(digest_equal(&a, &b));
    b = a;
    b.algorithm = DIGEST_SHA512;
    assert_false(digest_equal(&a, &b));
    assert_true(digest_is_set(&a));
    assert_false(digest_is_set(&(struct digest){0}));
}

/* As the stored forms compare byte by byte, the shorter first. */
static void order(void **state)
{
    static const char *const ascending[] = {
        "sha256:00"
        "00000000000000000000000000000000000000000000000000000000000000",
        "sha256:7f"
        "00000000000000000000000000000000000000000000000000000000000000",
        "sha256:80"
        "00000000000000000000000000000000000000000000000000000000000000",
        "sha256:80"
        "00000000000000000000000000000000000000000000000000000000000001",
        "sha512:" ABC512,
    };
    struct digest d[COUNT(ascending) + 1] = {{0}};
    (void)state;
    for (size_t i = 0; i < COUNT(ascending); i++) {
        assert_true(digest_parse(slice_str(ascending[i]), &d[i + 1], NULL));
    }
    for (size_t i = 0; i < COUNT(d); i++) {
        for (size_t k = 0; k < COUNT(d); k++) {
            uint8_t a[DIGEST_RAW_MAX];
            uint8_t b[DIGEST_RAW_MAX];
            struct slice raw_a = slice_of_bytes(a, digest_to_raw(&d[i], a));
            struct slice raw_b = slice_of_bytes(b, digest_to_raw(&d[k], b));
            int got = digest_compare(&d[i], &d[k]);
            assert_int_equal((got > 0) - (got < 0), (i > k) - (i < k));
            assert_int_equal(slice_compare(raw_a, raw_b) < 0, i < k);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse),
        cmocka_unit_test(raw_form),
        cmocka_unit_test(equality),
        cmocka_unit_test(order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
