/* Forgery: no bytes are a good token unless they are, to the byte, one that was signed here. The
 * good token is made anew for every input (its jti differs every time); the input is tried as it
 * is, and laid over the good one. */
#include "auth/token.h"
#include "base/clock.h"
#include "tests/fuzz/fuzz.h"

#define NOW INT64_C(1795500000)

static const char *const names[] = {"reg.example.org:5443"};
static const struct scope_hosts hosts = {names, 1};
static const struct token_issuer issuer = {.iss = "https://reg.example.org:5443",
                                           .aud = "reg.example.org:5443",
                                           .host = "reg.example.org:5443",
                                           .hosts = &hosts};

static enum token_verdict verdict_of(const struct token_keys *keys, struct slice text)
{
    struct token_claims claims;
    enum token_verdict verdict = token_verify(keys, &issuer, text, NOW, &claims);
    HOLDS(verdict == TOKEN_GOOD || claims.grants == NULL);
    grant_unref(claims.grants);
    return verdict;
}

/* The input, then the input laid over a token that verifies. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t seed[32] = {7};
    const struct token_claims claims = {.issued_s = NOW, .expires_s = NOW + 3600};
    struct token_keys *keys = token_keys_from_seed(seed);
    auto_buf struct buf token = {0};
    HOLDS(token_sign(keys, &issuer, &claims, &token, NULL));
    HOLDS(verdict_of(keys, buf_slice_of(&token)) == TOKEN_GOOD);

    const struct slice text = slice_of_bytes(data, size);
    HOLDS(slice_equal(text, buf_slice_of(&token)) || verdict_of(keys, text) != TOKEN_GOOD);

    bool changed = false;
    size_t at = size > 0 ? data[0] % token.n : 0;
    for (size_t i = 1; i < size && at < token.n; i++, at++) {
        changed |= token.p[at] != (char)data[i];
        token.p[at] = (char)data[i];
    }
    HOLDS(!changed || verdict_of(keys, buf_slice_of(&token)) != TOKEN_GOOD);
    token_keys_free(keys);
    return 0;
}
