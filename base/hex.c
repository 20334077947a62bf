#include "base/hex.h"

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

#define NO_LETTER 64

/* The six bits that a letter of the standard alphabet stands for. */
static unsigned bits_of_letter(char c)
{
    if (c >= 'a' && c <= 'z') {
        return (unsigned)(c - 'a') + 26;
    }
    if (c >= 'A' && c <= 'Z') {
        return (unsigned)(c - 'A');
    }
    if (c >= '0' && c <= '9') {
        return (unsigned)(c - '0') + 52;
    }
    return c == '+' ? 62 : c == '/' ? 63 : NO_LETTER;
}

/* Not libsodium's, which hides what it reads from whoever measures time, and takes ten times as long: a list
 * of tags has a hash or two for each. */
bool base64_decode_fixed(struct slice text, uint8_t *out, size_t n)
{
    uint8_t bytes[64];
    size_t padding = (3 - n % 3) % 3, got = 0;
    uint32_t bits = 0;
    unsigned have = 0; /* of them are not written yet */

    if (n > sizeof bytes || text.n != (n + 2) / 3 * 4) {
        return false;
    }
    for (size_t i = 0; i < text.n - padding; i++) {
        unsigned six = bits_of_letter(text.p[i]);
        if (six == NO_LETTER) {
            return false;
        }
        bits = bits << 6 | six;
        have += 6;
        if (have >= 8) {
            have -= 8;
            bytes[got++] = (uint8_t)(bits >> have);
        }
    }
    struct slice rest = slice_from(text, text.n - padding);
    if ((bits & ((1U << have) - 1)) != 0 || !slice_equal(rest, slice_first(SLICE_LIT("=="), padding))) {
        return false;
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
