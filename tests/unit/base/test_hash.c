#include "base/hash.h"
#include "base/hex.h"
#include "tests/unit/base/check.h"

#include <pthread.h>

/* FIPS 180-4 examples. */
static const struct {
    enum digest_algorithm algorithm;
    const char *text;
    const char *want;
} cases[] = {
    {DIGEST_SHA256, "", "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {DIGEST_SHA256, "abc",
     "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {DIGEST_SHA256, "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
     "sha256:248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    {DIGEST_SHA512, "",
     "sha512:cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
     "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e"},
    {DIGEST_SHA512, "abc",
     "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
     "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"},
};

static void known_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct digest d;
        char text[DIGEST_STR_MAX];
        hash_bytes(cases[i].algorithm, slice_str(cases[i].text), &d);
        assert_string_equal(digest_format(&d, text), cases[i].want);
    }
    uint8_t raw[64];
    char hex[129];
    hash_sha256((struct slice){NULL, 0}, raw);
    assert_string_equal(hex_encode(raw, 32, hex), cases[0].want + 7);
    hash_sha512(SLICE_LIT("abc"), raw);
    assert_string_equal(hex_encode(raw, 64, hex), cases[4].want + 7);
}

/* A digest looked at on the way must not end the hash: an upload is asked for its state between two
 * chunks. */
static void streaming_goes_on_after_a_peek(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        auto_hash struct hash *h = hash_new(cases[i].algorithm);
        struct digest d;
        struct digest whole;
        char text[DIGEST_STR_MAX];
        for (size_t n = 0; cases[i].text[n]; n++) {
            hash_update(h, cases[i].text + n, 1);
            hash_peek(h, &d);
            hash_bytes(cases[i].algorithm, slice_of_bytes(cases[i].text, n + 1), &whole);
            assert_true(digest_equal(&d, &whole));
        }
        hash_update(h, NULL, 0);
        hash_peek(h, &d);
        assert_string_equal(digest_format(&d, text), cases[i].want);
    }
    hash_free(NULL);
}

static void *hash_many(void *arg)
{
    bool *good = arg;
    *good = true;
    for (int i = 0; i < 200; i++) {
        struct digest d;
        char text[DIGEST_STR_MAX];
        hash_bytes(DIGEST_SHA256, SLICE_LIT("abc"), &d);
        *good = *good && strcmp(digest_format(&d, text), cases[1].want) == 0;
    }
    return NULL;
}

static void several_threads(void **state)
{
    pthread_t threads[4];
    bool good[COUNT(threads)];
    (void)state;
    for (size_t i = 0; i < COUNT(threads); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, hash_many, &good[i]), 0);
    }
    for (size_t i = 0; i < COUNT(threads); i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_true(good[i]);
    }
}

static void hash_nothing(void *arg)
{
    (void)arg;
    hash_free(hash_new(DIGEST_NONE));
}

static void no_algorithm_is_a_bug(void **state)
{
    (void)state;
    assert_true(aborts(hash_nothing, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answers),
        cmocka_unit_test(streaming_goes_on_after_a_peek),
        cmocka_unit_test(several_threads),
        cmocka_unit_test(no_algorithm_is_a_bug),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
