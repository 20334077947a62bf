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

/* libsodium refuses non-canonical trailing bits and wrong padding; without characters to ignore it takes no blank. */
static bool decode(struct slice text, struct buf *out, int variant)
{
    size_t room = text.n / 4 * 3 + 3;
    size_t before = out->n;
    size_t got = 0;
    const char *end = NULL;

    if (text.n == 0) {
        buf_put(out, NULL, 0);
        return !out->failed;
    }
    auto_free unsigned char *bytes = xmalloc(room);
    if (sodium_base642bin(bytes, room, text.p, text.n, NULL, &got, &end, variant) != 0 ||
        end != text.p + text.n) {
        sodium_memzero(bytes, room);
        return false;
    }
    buf_put(out, bytes, got);
    sodium_memzero(bytes, room);
    return !out->failed && out->n == before + got;
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
