#include "auth/token.h"

#include "base/clock.h"
#include "base/fsx.h"
#include "base/hash.h"
#include "base/hex.h"
#include "base/json.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/stat.h>

#define SEED_BYTES 32
#define HEADER_MAX 1024
#define NBF_BEFORE_S 60

struct token_keys {
    uint8_t public[crypto_sign_PUBLICKEYBYTES];
    uint8_t secret[crypto_sign_SECRETKEYBYTES];
    char kid[TOKEN_KID_MAX];
};

_Static_assert(crypto_sign_SEEDBYTES == SEED_BYTES, "the file holds an Ed25519 seed");

struct token_keys *token_keys_from_seed(const uint8_t seed[32])
{
    if (sodium_init() < 0) {
        BUG("libsodium does not start");
    }
    struct token_keys *keys =
        sodium_malloc(sizeof(*keys)); /* guarded and locked: it holds the signing key */
    if (keys == NULL) {
        BUG("no memory for the token key");
    }
    memset(keys, 0, sizeof(*keys));
    crypto_sign_seed_keypair(keys->public, keys->secret, seed);

    uint8_t sum[32];
    auto_buf struct buf kid = {0};
    hash_sha256(slice_of_bytes(keys->public, sizeof(keys->public)), sum);
    base64url_encode(&kid, slice_of_bytes(sum, 12));
    (void)snprintf(keys->kid, sizeof(keys->kid), "%s", kid.p);
    return keys;
}

void token_keys_free(struct token_keys *keys)
{
    if (keys != NULL) {
        sodium_free(keys); /* wipes */
    }
}

const char *token_keys_id(const struct token_keys *keys)
{
    return keys->kid;
}

static bool make_key_file(int dir, struct err *err)
{
    uint8_t seed[SEED_BYTES];
    randombytes_buf(seed, sizeof(seed));
    bool ok = fsx_replace(dir, TOKEN_KEY_FILE, slice_of_bytes(seed, sizeof(seed)), 0600, err);
    sodium_memzero(seed, sizeof(seed));
    return ok;
}

static bool is_private(int dir, const char *secrets_dir, struct err *err)
{
    struct stat st;
    if (fstatat(dir, TOKEN_KEY_FILE, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        return err_sys(err, errno, "stat %s/%s", secrets_dir, TOKEN_KEY_FILE);
    }
    if (!S_ISREG(st.st_mode) || (st.st_mode & 077) != 0) {
        return err_set(
            err, ERR_INTERNAL,
            "%s/%s can be read by others: chmod 600 it, or remove it to have a new key made",
            secrets_dir, TOKEN_KEY_FILE);
    }
    return true;
}

bool token_keys_load(const char *secrets_dir, bool create, struct token_keys **out, struct err *err)
{
    *out = NULL;
    if (sodium_init() < 0) {
        return err_internal(err, "libsodium does not start");
    }
    auto_fd int dir = fsx_open_dir(AT_FDCWD, secrets_dir, false, 0700, err);
    if (dir < 0) {
        return err_prefix(err, "folder %s", secrets_dir);
    }
    struct buf seed = {0};
    struct err missing = {0};
    bool read = fsx_read(dir, TOKEN_KEY_FILE, SEED_BYTES + 1, &seed, &missing);
    if (!read && missing.code == ERR_NOT_FOUND && create) {
        read = make_key_file(dir, &missing) &&
               fsx_read(dir, TOKEN_KEY_FILE, SEED_BYTES + 1, &seed, &missing);
    }
    bool ok = false;
    if (!read) {
        *err = missing;
        (void)err_prefix(err, "%s/%s", secrets_dir, TOKEN_KEY_FILE);
    } else if (seed.n != SEED_BYTES) {
        (void)err_set(err, ERR_INTERNAL, "%s/%s is damaged: it must hold %d bytes", secrets_dir,
                      TOKEN_KEY_FILE, SEED_BYTES);
    } else if (is_private(dir, secrets_dir, err)) {
        *out = token_keys_from_seed((const uint8_t *)seed.p);
        ok = true;
    }
    buf_wipe(&seed);
    return ok;
}

static const char anchor_letters[] = {
    [ANCHOR_ACCOUNT] = 'p', [ANCHOR_SESSION] = 's', [ANCHOR_CREDENTIAL] = 'c'};
#define ANCHOR_COUNT ((int)sizeof(anchor_letters))

static void write_subject(struct buf *b, const struct token_claims *claims)
{
    if (claims->anchor == ANCHOR_NONE) {
        buf_str(b, ",\"sub\":\"\",\"sid\":\"\"");
        return;
    }
    buf_printf(b, ",\"sub\":\"%" PRId64 "\",\"sid\":\"%c%" PRId64 "\"", claims->account_id,
               anchor_letters[claims->anchor], claims->anchor_id);
}

static void write_claims(struct buf *b, const struct token_issuer *issuer,
                         const struct token_claims *claims)
{
    uint8_t random[16];
    char jti[2 * sizeof(random) + 1];
    randombytes_buf(random, sizeof(random));
    buf_str(b, "{\"iss\":");
    buf_json_string(b, slice_str(issuer->iss));
    buf_str(b, ",\"aud\":");
    buf_json_string(b, slice_str(issuer->aud));
    write_subject(b, claims);
    buf_printf(b,
               ",\"iat\":%" PRId64 ",\"nbf\":%" PRId64 ",\"exp\":%" PRId64
               ",\"jti\":\"%s\",\"access\":",
               claims->issued_s, claims->issued_s - NBF_BEFORE_S, claims->expires_s,
               hex_encode(random, sizeof(random), jti));
    grant_write_claim(claims->grants, issuer->host, b);
    buf_char(b, '}');
}

bool token_sign(const struct token_keys *keys, const struct token_issuer *issuer,
                const struct token_claims *claims, struct buf *out, struct err *err)
{
    auto_buf struct buf header = {0};
    auto_buf struct buf body = {0};
    buf_printf(&header, "{\"typ\":\"JWT\",\"alg\":\"EdDSA\",\"kid\":\"%s\"}", keys->kid);
    write_claims(&body, issuer, claims);

    size_t start = out->n;
    base64url_encode(out, buf_slice_of(&header));
    buf_char(out, '.');
    base64url_encode(out, buf_slice_of(&body));

    uint8_t signature[crypto_sign_BYTES];
    crypto_sign_detached(signature, NULL, (const uint8_t *)out->p + start, out->n - start,
                         keys->secret);
    buf_char(out, '.');
    base64url_encode(out, slice_of_bytes(signature, sizeof(signature)));
    if (out->failed || out->n - start > TOKEN_MAX) {
        return err_internal(err, "an access token of %zu bytes", out->n - start);
    }
    return true;
}

/* The header names our algorithm and key and nothing else: a key or an address in it is not even
 * looked at. */
static enum token_verdict check_header(const struct token_keys *keys, struct slice part)
{
    static const char *const known[] = {"typ", "alg", "kid", NULL};
    auto_buf struct buf text = {0};
    auto_json json_t *header = NULL;
    if (part.n > HEADER_MAX || !base64url_decode(part, &text) ||
        !json_read(buf_slice_of(&text), 1, &header, NULL) || !json_is_object(header)) {
        return TOKEN_MALFORMED;
    }
    bool ours = json_only_members(header, known, NULL) &&
                slice_is(json_get_slice(header, "typ"), "JWT") &&
                slice_is(json_get_slice(header, "alg"), "EdDSA") &&
                slice_is(json_get_slice(header, "kid"), keys->kid);
    return ours ? TOKEN_GOOD : TOKEN_FOREIGN;
}

static enum token_verdict check_signature(const struct token_keys *keys, struct slice signed_part,
                                          struct slice part)
{
    enum token_verdict verdict = TOKEN_FORGED;
    auto_buf struct buf signature = {0};
    if (!base64url_decode(part, &signature) || signature.n != crypto_sign_BYTES) {
        return TOKEN_MALFORMED;
    }
    if (crypto_sign_verify_detached((const uint8_t *)signature.p, (const uint8_t *)signed_part.p,
                                    signed_part.n, keys->public) == 0) {
        verdict = TOKEN_GOOD;
    }
    return verdict;
}

static bool read_subject(const json_t *claims, struct token_claims *out)
{
    const char *sub = json_get_string(claims, "sub");
    struct slice sid = json_get_slice(claims, "sid");
    if (sub == NULL || json_get_string(claims, "sid") == NULL) {
        return false;
    }
    if (sid.n == 0) {
        out->anchor = ANCHOR_NONE;
        return sub[0] == '\0';
    }
    for (int anchor = ANCHOR_NONE + 1; anchor < ANCHOR_COUNT; anchor++) {
        if (anchor_letters[anchor] == sid.p[0]) {
            out->anchor = (enum token_anchor)anchor;
        }
    }
    return out->anchor != ANCHOR_NONE && slice_to_int64(slice_from(sid, 1), &out->anchor_id) &&
           slice_to_int64(slice_str(sub), &out->account_id) && out->account_id > 0;
}

static enum token_verdict read_claims(const struct token_issuer *issuer, struct slice part,
                                      int64_t now_s, struct token_claims *out)
{
    enum { CLAIMS_DEPTH = 4 };
    auto_buf struct buf text = {0};
    auto_json json_t *claims = NULL;
    int64_t not_before = 0;
    if (!base64url_decode(part, &text) ||
        !json_read(buf_slice_of(&text), CLAIMS_DEPTH, &claims, NULL) ||
        !json_get_int(claims, "exp", &out->expires_s) ||
        !json_get_int(claims, "nbf", &not_before) || !json_get_int(claims, "iat", &out->issued_s) ||
        !read_subject(claims, out)) {
        return TOKEN_MALFORMED;
    }
    if (!slice_is(json_get_slice(claims, "iss"), issuer->iss) ||
        !slice_is(json_get_slice(claims, "aud"), issuer->aud)) {
        return TOKEN_MISDIRECTED;
    }
    if (now_s - TOKEN_LEEWAY_S >= out->expires_s) {
        return TOKEN_EXPIRED;
    }
    if (now_s + TOKEN_LEEWAY_S < not_before) {
        return TOKEN_NOT_YET;
    }
    struct grant_set *grants = NULL;
    if (!grant_from_claim(json_object_get(claims, "access"), issuer->hosts, &grants, NULL)) {
        return TOKEN_MALFORMED;
    }
    out->grants = grants;
    return TOKEN_GOOD;
}

enum token_verdict token_verify(const struct token_keys *keys, const struct token_issuer *issuer,
                                struct slice token, int64_t now_s, struct token_claims *out)
{
    *out = (struct token_claims){0};
    ptrdiff_t first = slice_index(token, '.');
    ptrdiff_t last = slice_rindex(token, '.');
    if (token.n > TOKEN_MAX || first <= 0 || last <= first + 1) {
        return TOKEN_MALFORMED;
    }
    struct slice header = slice_first(token, (size_t)first);
    struct slice body = slice_from(slice_first(token, (size_t)last), (size_t)first + 1);
    if (slice_index(body, '.') >= 0) {
        return TOKEN_MALFORMED;
    }
    enum token_verdict verdict = check_header(keys, header);
    if (verdict == TOKEN_GOOD) {
        verdict = check_signature(keys, slice_first(token, (size_t)last),
                                  slice_from(token, (size_t)last + 1));
    }
    struct token_claims claims = {0};
    if (verdict == TOKEN_GOOD) {
        verdict = read_claims(issuer, body, now_s, &claims);
    }
    if (verdict == TOKEN_GOOD) {
        *out = claims;
    }
    return verdict;
}

const char *token_verdict_sentence(enum token_verdict verdict)
{
    switch (verdict) {
    case TOKEN_MALFORMED:
        return "the access token is malformed";
    case TOKEN_FOREIGN:
        return "the access token was not made by this registry";
    case TOKEN_FORGED:
        return "the signature of the access token does not verify";
    case TOKEN_MISDIRECTED:
        return "the access token is for another registry";
    case TOKEN_EXPIRED:
        return "the access token has expired";
    case TOKEN_NOT_YET:
        return "the access token is not valid yet";
    case TOKEN_GOOD:
        return "";
    }
    BUG("no such verdict");
}
