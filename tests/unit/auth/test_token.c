#include "auth/token.h"
#include "base/hex.h"
#include "base/json.h"
#include "tests/unit/base/check.h"

#include <sodium.h>

static const char *const host_names[] = {"reg.example.org:5443"};
static const struct scope_hosts hosts = {host_names, 1};
static const struct token_issuer issuer = {.iss = "https://reg.example.org:5443",
                                           .aud = "reg.example.org:5443",
                                           .host = "reg.example.org:5443",
                                           .hosts = &hosts};

#define NOW INT64_C(1795500000)

/* The seed of RFC 8037 appendix A.1. */
static const uint8_t seed[32] = {0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a,
                                 0xf4, 0x92, 0xec, 0x2c, 0xc4, 0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32,
                                 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60};
/* Its public key, as the RFC prints it. */
#define SEED_PUBLIC_X "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"

static struct grant_set *some_grants(void)
{
    auto_json json_t *claim = NULL;
    struct grant_set *set = NULL;
    assert_true(json_read(
        SLICE_LIT(
            "[{\"type\":\"repository\",\"name\":\"ns/app\",\"actions\":[\"pull\",\"push\"]}]"),
        8, &claim, NULL));
    assert_true(grant_from_claim(claim, &hosts, &set, NULL));
    return set;
}

static void sign_default(struct token_keys *keys, struct buf *out)
{
    struct grant_set *grants = some_grants();
    const struct token_claims claims = {.account_id = 42,
                                        .anchor = ANCHOR_SESSION,
                                        .anchor_id = 7,
                                        .issued_s = NOW,
                                        .expires_s = NOW + 3600,
                                        .grants = grants};
    struct err err = {0};
    assert_true(token_sign(keys, &issuer, &claims, out, &err));
    grant_unref(grants);
}

static enum token_verdict verdict_at(struct token_keys *keys, struct slice token, int64_t now_s)
{
    struct token_claims claims;
    enum token_verdict verdict = token_verify(keys, &issuer, token, now_s, &claims);
    grant_unref(claims.grants);
    return verdict;
}

static void signed_and_verified(void **state)
{
    (void)state;
    struct token_keys *keys = token_keys_from_seed(seed);
    auto_buf struct buf token = {0};
    struct token_claims claims;
    struct repo_name name;
    sign_default(keys, &token);
    assert_int_equal(token_verify(keys, &issuer, buf_slice_of(&token), NOW, &claims), TOKEN_GOOD);
    assert_int_equal(claims.account_id, 42);
    assert_int_equal(claims.anchor, ANCHOR_SESSION);
    assert_int_equal(claims.anchor_id, 7);
    assert_int_equal(claims.issued_s, NOW);
    assert_int_equal(claims.expires_s, NOW + 3600);
    assert_true(repo_name_parse(SLICE_LIT("ns/app"), &name, NULL));
    assert_int_equal(grant_bits(claims.grants, SCOPE_IMAGE, &name), SCOPE_PULL | SCOPE_PUSH);
    grant_unref(claims.grants);
    token_keys_free(keys);
}

/* The whole text as another implementation must see it: header, claims, and the signature by
 * libsodium's verify with the key that RFC 8037 gives for this seed. */
static void what_is_in_it(void **state)
{
    (void)state;
    struct token_keys *keys = token_keys_from_seed(seed);
    auto_buf struct buf token = {0};
    auto_buf struct buf header = {0};
    auto_buf struct buf body = {0};
    auto_buf struct buf signature = {0};
    auto_buf struct buf public = {0};
    auto_buf struct buf want_header = {0};
    auto_json json_t *claims = NULL;
    sign_default(keys, &token);
    struct slice rest = buf_slice_of(&token);
    struct slice part[3];
    for (int i = 0; i < 3; i++) {
        assert_true(slice_next(&rest, '.', &part[i]));
    }
    assert_true(base64url_decode(part[0], &header));
    buf_printf(&want_header, "{\"typ\":\"JWT\",\"alg\":\"EdDSA\",\"kid\":\"%s\"}",
               token_keys_id(keys));
    assert_string_equal(header.p, want_header.p);

    assert_true(base64url_decode(part[1], &body));
    assert_true(json_read(buf_slice_of(&body), 8, &claims, NULL));
    assert_string_equal(json_get_string(claims, "iss"), issuer.iss);
    assert_string_equal(json_get_string(claims, "aud"), issuer.aud);
    assert_string_equal(json_get_string(claims, "sub"), "42");
    assert_string_equal(json_get_string(claims, "sid"), "s7");
    assert_int_equal(json_integer_value(json_object_get(claims, "nbf")), NOW - 60);
    assert_int_equal(strlen(json_get_string(claims, "jti")), 32);
    assert_int_equal(json_array_size(json_object_get(claims, "access")), 1);

    assert_true(base64url_decode(SLICE_LIT(SEED_PUBLIC_X), &public));
    assert_true(base64url_decode(part[2], &signature));
    assert_int_equal(
        crypto_sign_verify_detached((const uint8_t *)signature.p, (const uint8_t *)token.p,
                                    part[0].n + 1 + part[1].n, (const uint8_t *)public.p),
        0);
    token_keys_free(keys);
}

static void the_anonymous(void **state)
{
    (void)state;
    struct token_keys *keys = token_keys_from_seed(seed);
    auto_buf struct buf token = {0};
    struct token_claims claims = {.issued_s = NOW, .expires_s = NOW + 3600};
    struct err err = {0};
    assert_true(token_sign(keys, &issuer, &claims, &token, &err));
    assert_int_equal(token_verify(keys, &issuer, buf_slice_of(&token), NOW, &claims), TOKEN_GOOD);
    assert_int_equal(claims.account_id, 0);
    assert_int_equal(claims.anchor, ANCHOR_NONE);
    assert_int_equal(grant_count(claims.grants), 0);
    grant_unref(claims.grants);
    token_keys_free(keys);
}

static void in_time(void **state)
{
    (void)state;
    static const struct {
        int64_t at;
        enum token_verdict want;
    } cases[] = {
        {NOW, TOKEN_GOOD},
        {NOW + 3600 + 59, TOKEN_GOOD}, /* leeway */
        {NOW + 3600 + 60, TOKEN_EXPIRED},
        {NOW + 1000000, TOKEN_EXPIRED},
        {NOW - 120, TOKEN_GOOD}, /* nbf is 60 s before iat, and 60 s of leeway */
        {NOW - 121, TOKEN_NOT_YET},
    };
    struct token_keys *keys = token_keys_from_seed(seed);
    auto_buf struct buf token = {0};
    sign_default(keys, &token);
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(verdict_at(keys, buf_slice_of(&token), cases[i].at), cases[i].want);
    }
    token_keys_free(keys);
}

/* Signs any header and body with the key of the test seed: what an attacker could not, and a future
 * us could. */
static void sign_text(const char *header, const char *body, struct buf *out)
{
    uint8_t public[crypto_sign_PUBLICKEYBYTES];
    uint8_t secret[crypto_sign_SECRETKEYBYTES];
    uint8_t signature[crypto_sign_BYTES];
    crypto_sign_seed_keypair(public, secret, seed);
    base64url_encode(out, slice_str(header));
    buf_char(out, '.');
    base64url_encode(out, slice_str(body));
    crypto_sign_detached(signature, NULL, (const uint8_t *)out->p, out->n, secret);
    buf_char(out, '.');
    base64url_encode(out, slice_of_bytes(signature, sizeof(signature)));
}

#define KID "%KID%"
#define GOOD_HEADER "{\"typ\":\"JWT\",\"alg\":\"EdDSA\",\"kid\":\"" KID "\"}"
#define CLAIMS_WITH(iss, aud, sub, sid, exp)                                                       \
    "{\"iss\":" iss ",\"aud\":" aud ",\"sub\":" sub ",\"sid\":" sid                                \
    ",\"iat\":1795500000,\"nbf\":1795499940,\"exp\":" exp ",\"jti\":\"x\",\"access\":[]}"
#define ISS "\"https://reg.example.org:5443\""
#define AUD "\"reg.example.org:5443\""
#define EXP "1795503600"
#define GOOD_CLAIMS CLAIMS_WITH(ISS, AUD, "\"42\"", "\"s7\"", EXP)

struct forged {
    const char *name, *header, *body;
    enum token_verdict want;
};

/* All carry a signature that verifies: refused for what they say. */
static const struct forged forgeries[] = {
    {"as we make it", GOOD_HEADER, GOOD_CLAIMS, TOKEN_GOOD},
    {"alg none", "{\"typ\":\"JWT\",\"alg\":\"none\",\"kid\":\"" KID "\"}", GOOD_CLAIMS,
     TOKEN_FOREIGN},
    {"alg HS256", "{\"typ\":\"JWT\",\"alg\":\"HS256\",\"kid\":\"" KID "\"}", GOOD_CLAIMS,
     TOKEN_FOREIGN},
    {"alg eddsa in other letters", "{\"typ\":\"JWT\",\"alg\":\"eddsa\",\"kid\":\"" KID "\"}",
     GOOD_CLAIMS, TOKEN_FOREIGN},
    {"no alg", "{\"typ\":\"JWT\",\"kid\":\"" KID "\"}", GOOD_CLAIMS, TOKEN_FOREIGN},
    {"other kid", "{\"typ\":\"JWT\",\"alg\":\"EdDSA\",\"kid\":\"other\"}", GOOD_CLAIMS,
     TOKEN_FOREIGN},
    {"no kid", "{\"typ\":\"JWT\",\"alg\":\"EdDSA\"}", GOOD_CLAIMS, TOKEN_FOREIGN},
    {"kid twice", "{\"typ\":\"JWT\",\"alg\":\"EdDSA\",\"kid\":\"x\",\"kid\":\"" KID "\"}",
     GOOD_CLAIMS, TOKEN_MALFORMED},
    {"other typ", "{\"typ\":\"ticket\",\"alg\":\"EdDSA\",\"kid\":\"" KID "\"}", GOOD_CLAIMS,
     TOKEN_FOREIGN},
    {"brings a key", "{\"typ\":\"JWT\",\"alg\":\"EdDSA\",\"kid\":\"" KID "\",\"jwk\":\"x\"}",
     GOOD_CLAIMS, TOKEN_FOREIGN},
    {"names a key's address",
     "{\"typ\":\"JWT\",\"alg\":\"EdDSA\",\"kid\":\"" KID "\",\"jku\":\"https://evil\"}",
     GOOD_CLAIMS, TOKEN_FOREIGN},
    {"critical extension", "{\"typ\":\"JWT\",\"alg\":\"EdDSA\",\"kid\":\"" KID "\",\"crit\":\"x\"}",
     GOOD_CLAIMS, TOKEN_FOREIGN},
    {"header is an array", "[]", GOOD_CLAIMS, TOKEN_MALFORMED},
    {"header nests", "{\"typ\":{\"a\":1}}", GOOD_CLAIMS, TOKEN_MALFORMED},
    {"header is no JSON", "typ", GOOD_CLAIMS, TOKEN_MALFORMED},
    {"more after the header", GOOD_HEADER "{}", GOOD_CLAIMS, TOKEN_MALFORMED},
    {"other issuer", GOOD_HEADER, CLAIMS_WITH("\"https://evil\"", AUD, "\"42\"", "\"s7\"", EXP),
     TOKEN_MISDIRECTED},
    {"other audience", GOOD_HEADER, CLAIMS_WITH(ISS, "\"evil\"", "\"42\"", "\"s7\"", EXP),
     TOKEN_MISDIRECTED},
    {"audience as an array", GOOD_HEADER, CLAIMS_WITH(ISS, "[" AUD "]", "\"42\"", "\"s7\"", EXP),
     TOKEN_MISDIRECTED},
    {"exp as text", GOOD_HEADER, CLAIMS_WITH(ISS, AUD, "\"42\"", "\"s7\"", "\"1795503600\""),
     TOKEN_MALFORMED},
    {"exp as a fraction", GOOD_HEADER, CLAIMS_WITH(ISS, AUD, "\"42\"", "\"s7\"", "1795503600.5"),
     TOKEN_MALFORMED},
    {"exp beyond 64 bits", GOOD_HEADER,
     CLAIMS_WITH(ISS, AUD, "\"42\"", "\"s7\"", "99999999999999999999"), TOKEN_MALFORMED},
    {"exp far in the past", GOOD_HEADER,
     CLAIMS_WITH(ISS, AUD, "\"42\"", "\"s7\"", "-9223372036854775807"), TOKEN_EXPIRED},
    {"exp twice", GOOD_HEADER, CLAIMS_WITH(ISS, AUD, "\"42\"", "\"s7\"", "1,\"exp\":1795503600"),
     TOKEN_MALFORMED},
    {"sub as a number", GOOD_HEADER, CLAIMS_WITH(ISS, AUD, "42", "\"s7\"", EXP), TOKEN_MALFORMED},
    {"sub negative", GOOD_HEADER, CLAIMS_WITH(ISS, AUD, "\"-1\"", "\"s7\"", EXP), TOKEN_MALFORMED},
    {"sub zero", GOOD_HEADER, CLAIMS_WITH(ISS, AUD, "\"0\"", "\"s7\"", EXP), TOKEN_MALFORMED},
    {"somebody who hangs on nothing", GOOD_HEADER, CLAIMS_WITH(ISS, AUD, "\"42\"", "\"\"", EXP),
     TOKEN_MALFORMED},
    {"unknown anchor", GOOD_HEADER, CLAIMS_WITH(ISS, AUD, "\"42\"", "\"x7\"", EXP),
     TOKEN_MALFORMED},
    {"anchor without a number", GOOD_HEADER, CLAIMS_WITH(ISS, AUD, "\"42\"", "\"s\"", EXP),
     TOKEN_MALFORMED},
    {"no access", GOOD_HEADER,
     "{\"iss\":" ISS ",\"aud\":" AUD
     ",\"sub\":\"42\",\"sid\":\"s7\",\"iat\":1795500000,\"nbf\":1795499940,\"exp\":" EXP "}",
     TOKEN_MALFORMED},
    {"claims nest deep", GOOD_HEADER, "{\"x\":[[[[[[1]]]]]]}", TOKEN_MALFORMED},
    {"claims are empty", GOOD_HEADER, "{}", TOKEN_MALFORMED},
    {"claims are no object", GOOD_HEADER, "[]", TOKEN_MALFORMED},
};

static void with_kid(const char *header, const char *kid, struct buf *out)
{
    const char *at = strstr(header, KID);
    if (at == NULL) {
        buf_str(out, header);
        return;
    }
    buf_put(out, header, (size_t)(at - header));
    buf_str(out, kid);
    with_kid(at + strlen(KID), kid, out);
}

static void says_something_else(void **state)
{
    (void)state;
    struct token_keys *keys = token_keys_from_seed(seed);
    for (size_t i = 0; i < COUNT(forgeries); i++) {
        auto_buf struct buf header = {0};
        auto_buf struct buf token = {0};
        with_kid(forgeries[i].header, token_keys_id(keys), &header);
        sign_text(header.p, forgeries[i].body, &token);
        CHECK_CASE(verdict_at(keys, buf_slice_of(&token), NOW) == forgeries[i].want,
                   forgeries[i].name);
    }
    token_keys_free(keys);
}

/* One changed character anywhere makes it worthless. */
static void every_character_counts(void **state)
{
    (void)state;
    struct token_keys *keys = token_keys_from_seed(seed);
    auto_buf struct buf token = {0};
    sign_default(keys, &token);
    for (size_t i = 0; i < token.n; i++) {
        char was = token.p[i];
        token.p[i] = was == 'A' ? 'B' : 'A';
        if (verdict_at(keys, buf_slice_of(&token), NOW) == TOKEN_GOOD) {
            fail_msg("character %zu may be changed", i);
        }
        token.p[i] = was;
    }
    assert_int_equal(verdict_at(keys, buf_slice_of(&token), NOW), TOKEN_GOOD);
    token_keys_free(keys);
}

static void another_key(void **state)
{
    (void)state;
    uint8_t other_seed[32];
    memcpy(other_seed, seed, sizeof(seed));
    other_seed[0] ^= 1;
    struct token_keys *keys = token_keys_from_seed(seed);
    struct token_keys *other = token_keys_from_seed(other_seed);
    auto_buf struct buf token = {0};
    auto_buf struct buf disguised = {0};
    auto_buf struct buf header = {0};
    sign_default(other, &token);
    assert_int_equal(verdict_at(keys, buf_slice_of(&token), NOW), TOKEN_FOREIGN);
    /* the same with our kid: only the signature tells */
    with_kid(GOOD_HEADER, token_keys_id(other), &header);
    sign_text(header.p, GOOD_CLAIMS, &disguised);
    assert_int_equal(verdict_at(other, buf_slice_of(&disguised), NOW), TOKEN_FORGED);
    token_keys_free(keys);
    token_keys_free(other);
}

static void shape(void **state)
{
    (void)state;
    struct token_keys *keys = token_keys_from_seed(seed);
    auto_buf struct buf token = {0};
    sign_default(keys, &token);
    static const char *const wrappers[][2] = {
        {"", "."}, {".", ""}, {"", ".x"}, {"x.", ""}, {"", "="},
        {"", " "}, {" ", ""}, {"", "\n"}, {"", "AA"},
    };
    for (size_t i = 0; i < COUNT(wrappers); i++) {
        auto_buf struct buf text = {0};
        buf_str(&text, wrappers[i][0]);
        buf_slice(&text, buf_slice_of(&token));
        buf_str(&text, wrappers[i][1]);
        CHECK_CASE(verdict_at(keys, buf_slice_of(&text), NOW) != TOKEN_GOOD, text.p);
    }
    static const char *const texts[] = {"",          ".",    "..",       "...",      "a.b.c",
                                        "bst_ses_x", "....", "e30.e30.", ".e30.e30", "e30..e30"};
    for (size_t i = 0; i < COUNT(texts); i++) {
        CHECK_CASE(verdict_at(keys, slice_str(texts[i]), NOW) != TOKEN_GOOD, texts[i]);
    }
    auto_buf struct buf huge = {0};
    while (huge.n <= TOKEN_MAX) {
        buf_str(&huge, "A.");
    }
    assert_int_equal(verdict_at(keys, buf_slice_of(&huge), NOW), TOKEN_MALFORMED);
    token_keys_free(keys);
}

static void key_on_disk(void **state)
{
    (void)state;
    struct folder folder;
    struct token_keys *keys = NULL;
    struct token_keys *again = NULL;
    struct err err = {0};
    struct stat st;
    folder_make(&folder);
    assert_false(token_keys_load(folder.path, false, &keys, &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_true(token_keys_load(folder.path, true, &keys, &err));
    assert_int_equal(fstatat(folder.fd, TOKEN_KEY_FILE, &st, 0), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(st.st_size, 32);

    /* tokens survive a restart */
    auto_buf struct buf token = {0};
    sign_default(keys, &token);
    assert_true(token_keys_load(folder.path, false, &again, &err));
    assert_int_equal(verdict_at(again, buf_slice_of(&token), NOW), TOKEN_GOOD);
    token_keys_free(keys);
    token_keys_free(again);

    assert_int_equal(fchmodat(folder.fd, TOKEN_KEY_FILE, 0640, 0), 0);
    assert_false(token_keys_load(folder.path, true, &keys, &err));
    assert_non_null(strstr(err.msg, "can be read by others"));
    assert_int_equal(fchmodat(folder.fd, TOKEN_KEY_FILE, 0600, 0), 0);

    char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", folder.path, TOKEN_KEY_FILE);
    assert_int_equal(truncate(path, 31), 0);
    assert_false(token_keys_load(folder.path, true, &keys, &err));
    assert_non_null(strstr(err.msg, "damaged"));
    assert_int_equal(truncate(path, 33), 0);
    assert_false(token_keys_load(folder.path, true, &keys, &err));
    folder_remove(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signed_and_verified), cmocka_unit_test(what_is_in_it),
        cmocka_unit_test(the_anonymous),       cmocka_unit_test(in_time),
        cmocka_unit_test(says_something_else), cmocka_unit_test(every_character_counts),
        cmocka_unit_test(another_key),         cmocka_unit_test(shape),
        cmocka_unit_test(key_on_disk),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
