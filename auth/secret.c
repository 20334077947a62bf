#include "auth/secret.h"

#include "base/hash.h"

#include <sodium.h>

#define BODY_CHARS 30
#define CHECK_CHARS 6
#define PREFIX_CHARS 8 /* "bst_rob_" */

static const char base62[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

static const char *const prefixes[] = {
    [SECRET_NONE] = NULL,          [SECRET_ROBOT] = "bst_rob_", [SECRET_DEPLOYER] = "bst_dep_",
    [SECRET_SESSION] = "bst_ses_", [SECRET_PAT] = "bst_pat_",
};
#define KIND_COUNT ((int)(sizeof(prefixes) / sizeof(prefixes[0])))

/* CRC-32 of ISO 3309, as zlib has it. */
static uint32_t crc32_of(struct slice text)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < text.n; i++) {
        crc ^= (uint8_t)text.p[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = crc & 1 ? (crc >> 1) ^ UINT32_C(0xEDB88320) : crc >> 1;
        }
    }
    return ~crc;
}

static void checksum_text(struct slice body, char out[CHECK_CHARS])
{
    uint32_t crc = crc32_of(body);
    for (int i = CHECK_CHARS - 1; i >= 0; i--) {
        out[i] = base62[crc % 62];
        crc /= 62;
    }
}

static void random_chars(char *out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = base62[randombytes_uniform(62)];
    }
}

void secret_make(enum secret_kind kind, struct secret_text *out)
{
    memset(out, 0, sizeof(*out));
    memcpy(out->text, prefixes[kind], PREFIX_CHARS);
    char *body = out->text + PREFIX_CHARS;
    random_chars(body, BODY_CHARS);
    checksum_text((struct slice){body, BODY_CHARS}, body + BODY_CHARS);
}

void secret_make_password(char out[SECRET_PASSWORD_CHARS + 1])
{
    random_chars(out, SECRET_PASSWORD_CHARS);
    out[SECRET_PASSWORD_CHARS] = '\0';
}

static bool is_base62(struct slice text)
{
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'))) {
            return false;
        }
    }
    return true;
}

enum secret_kind secret_kind_of(struct slice text)
{
    if (text.n != PREFIX_CHARS + BODY_CHARS + CHECK_CHARS ||
        !is_base62(slice_from(text, PREFIX_CHARS))) {
        return SECRET_NONE;
    }
    char check[CHECK_CHARS];
    checksum_text((struct slice){text.p + PREFIX_CHARS, BODY_CHARS}, check);
    if (sodium_memcmp(check, text.p + PREFIX_CHARS + BODY_CHARS, CHECK_CHARS) != 0) {
        return SECRET_NONE;
    }
    for (int kind = SECRET_NONE + 1; kind < KIND_COUNT; kind++) {
        if (slice_starts(text, prefixes[kind])) {
            return (enum secret_kind)kind;
        }
    }
    return SECRET_NONE;
}

void secret_sha256(struct slice text, uint8_t out[32])
{
    hash_sha256(text, out);
}
