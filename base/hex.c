#include "base/hex.h"

#include <openssl/evp.h>
#include <sodium.h>

const char *hex_encode(const void *p, size_t n, char *out)
{
    if (n == 0) {
        out[0] = '\0';
        return out;
    }
    return sodium_bin2hex(out, 2 * n + 1, p, n);
}

bool hex_decode(struct slice text, void *out, size_t n)
{
    if (text.n != 2 * n) {
        return false;
    }
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) {
            return false; /* libsodium takes upper case too */
        }
    }
    size_t got = 0;
    return n == 0 || (sodium_hex2bin(out, n, text.p, text.n, NULL, &got, NULL) == 0 && got == n);
}

static void encode(struct buf *b, struct slice bytes, int variant)
{
    if (bytes.n > SIZE_MAX / 4) {
        b->failed = true;
        return;
    }
    size_t size = sodium_base64_encoded_len(bytes.n, variant);
    size_t before = b->n;
    buf_reserve(b, size); /* one more than the text: its NUL */
    if (b->failed) {
        return;
    }
    sodium_bin2base64(b->p + before, size, (const unsigned char *)bytes.p, bytes.n, variant);
    b->n = before + strlen(b->p + before);
}

/* The letters of the variant, padding included. libsodium 1.0.18 takes some bytes above 127 for '+'
 * and '/', so they are sorted out before. */
static bool is_alphabet(struct slice text, int variant)
{
    bool url = variant == sodium_base64_VARIANT_URLSAFE_NO_PADDING;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        bool special = url ? (c == '-' || c == '_') : (c == '+' || c == '/' || c == '=');
        if (!letter && !special) {
            return false;
        }
    }
    return true;
}

/* libsodium refuses trailing bits and wrong padding. */
static bool decode(struct slice text, struct buf *out, int variant)
{
    size_t room = text.n / 4 * 3 + 3;
    size_t before = out->n;
    size_t got = 0;
    const char *end = NULL;

    if (!is_alphabet(text, variant)) {
        return false;
    }
    buf_put(out, "", 0); /* no bytes at all are an empty string */
    if (text.n == 0) {
        return !out->failed;
    }
    auto_free unsigned char *bytes = xmalloc(room);
    bool good = sodium_base642bin(bytes, room, text.p, text.n, NULL, &got, &end, variant) == 0 &&
                end == text.p + text.n;
    if (good) {
        buf_put(out, bytes, got);
        good = !out->failed && out->n == before + got;
    }
    sodium_memzero(bytes, room); /* keys and secrets are read this way */
    return good;
}

/* As long as `bytes` bytes are: letters, then the padding that is due and no other. */
static bool is_padded(struct slice text, size_t bytes)
{
    size_t padding = (3 - bytes % 3) % 3;
    return text.n == (bytes + 2) / 3 * 4 && is_alphabet(text, sodium_base64_VARIANT_ORIGINAL) &&
           (text.n == 0 || memchr(text.p, '=', text.n - padding) == NULL) &&
           slice_equal(slice_from(text, text.n - padding), slice_first(SLICE_LIT("=="), padding));
}

/* Not by libsodium, which hides what it reads from whoever measures time, and takes ten times as long: a list of
 * tags has a hash or two for each. Padding is read as zeros, behind which trailing bits would show. */
bool base64_decode_fixed(struct slice text, uint8_t *out, size_t n)
{
    uint8_t bytes[64 + 2] = {0};
    if (n > 64 || !is_padded(text, n) ||
        EVP_DecodeBlock(bytes, (const unsigned char *)text.p, (int)text.n) != (int)(text.n / 4 * 3)) {
        return false;
    }
    for (size_t i = n; i < text.n / 4 * 3; i++) {
        if (bytes[i] != 0) {
            return false;
        }
    }
    memcpy(out, bytes, n);
    return true;
}

void base64_encode(struct buf *b, struct slice bytes)
{
    encode(b, bytes, sodium_base64_VARIANT_ORIGINAL);
}

bool base64_decode(struct slice text, struct buf *out)
{
    return decode(text, out, sodium_base64_VARIANT_ORIGINAL);
}

void base64url_encode(struct buf *b, struct slice bytes)
{
    encode(b, bytes, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

bool base64url_decode(struct slice text, struct buf *out)
{
    return decode(text, out, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}
