#include "trust/import_key.h"

#include "base/hex.h"
#include "base/json.h"

#include <openssl/evp.h>

#define KEK_SIZE 16
#define CEK_SIZE 32
#define IV_SIZE 12
#define TAG_SIZE 16
#define HEADER_DEPTH 4

static void cleanup_cipher(EVP_CIPHER_CTX **ctx)
{
    EVP_CIPHER_CTX_free(*ctx);
}
#define auto_cipher __attribute__((cleanup(cleanup_cipher)))

enum part { PART_HEADER, PART_KEY, PART_IV, PART_TEXT, PART_TAG, PART_COUNT };

struct jwe {
    struct slice header_text; /* as written: what the tag covers */
    struct buf parts[PART_COUNT];
    struct buf salt; /* alg, a zero byte, p2s */
    int64_t iterations;
};

static void jwe_dispose(struct jwe *j)
{
    for (size_t i = 0; i < PART_COUNT; i++) {
        buf_dispose(&j->parts[i]);
    }
    buf_dispose(&j->salt);
}
#define auto_jwe __attribute__((cleanup(jwe_dispose)))

static bool malformed(struct err *err)
{
    return err_set(err, ERR_INVALID, "it is not sealed as Notary v1 seals keys (a compact JWE)");
}

static bool split(struct slice text, struct jwe *out, struct err *err)
{
    struct slice rest = text, part;
    size_t n = 0;
    if (text.n > IMPORT_SEALED_MAX) {
        return err_set(err, ERR_INVALID, "its sealed form has more than %d bytes",
                       IMPORT_SEALED_MAX);
    }
    while (slice_next(&rest, '.', &part)) {
        if (n == PART_COUNT || !base64url_decode(part, &out->parts[n])) {
            return malformed(err);
        }
        if (n++ == PART_HEADER) {
            out->header_text = part;
        }
    }
    return n == PART_COUNT || malformed(err);
}

static bool read_header(struct jwe *j, struct err *err)
{
    static const char alg[] = "PBES2-HS256+A128KW";
    auto_json json_t *header = NULL;
    if (!json_read(buf_slice_of(&j->parts[PART_HEADER]), HEADER_DEPTH, &header, NULL)) {
        return malformed(err);
    }
    struct slice salt = json_get_slice(header, "p2s");
    if (!slice_is(json_get_slice(header, "alg"), alg) ||
        !slice_is(json_get_slice(header, "enc"), "A256GCM")) {
        return err_set(err, ERR_INVALID,
                       "it is not sealed by PBES2-HS256+A128KW and A256GCM as Notary v1 does it");
    }
    buf_put(&j->salt, alg, sizeof(alg)); /* with its zero byte */
    if (!json_get_int(header, "p2c", &j->iterations) || j->iterations < 1 ||
        j->iterations > IMPORT_ITERATIONS_MAX || salt.n < 8 || !base64url_decode(salt, &j->salt)) {
        return malformed(err);
    }
    return true;
}

static bool unwrap(const struct jwe *j, struct slice phrase, uint8_t cek[CEK_SIZE])
{
    uint8_t kek[KEK_SIZE];
    uint8_t out[CEK_SIZE + 16];
    int n = 0, last = 0;
    const struct buf *wrapped = &j->parts[PART_KEY];
    auto_cipher EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    if (!ctx || wrapped->n != CEK_SIZE + 8 ||
        PKCS5_PBKDF2_HMAC(phrase.p, (int)phrase.n, (const unsigned char *)j->salt.p, (int)j->salt.n,
                          (int)j->iterations, EVP_sha256(), sizeof(kek), kek) != 1) {
        return false;
    }
    EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
    bool opened =
        EVP_DecryptInit_ex(ctx, EVP_aes_128_wrap(), NULL, kek, NULL) == 1 &&
        EVP_DecryptUpdate(ctx, out, &n, (const unsigned char *)wrapped->p, (int)wrapped->n) == 1 &&
        EVP_DecryptFinal_ex(ctx, out + n, &last) == 1 && n + last == CEK_SIZE;
    if (opened) {
        memcpy(cek, out, CEK_SIZE);
    }
    OPENSSL_cleanse(kek, sizeof(kek));
    OPENSSL_cleanse(out, sizeof(out));
    return opened;
}

static bool decrypt(const struct jwe *j, const uint8_t cek[CEK_SIZE], struct buf *out)
{
    const struct buf *iv = &j->parts[PART_IV], *text = &j->parts[PART_TEXT],
                     *tag = &j->parts[PART_TAG];
    auto_cipher EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    auto_wiped struct buf plain = {0};
    int n = 0, last = 0;
    if (!ctx || iv->n != IV_SIZE || tag->n != TAG_SIZE || text->n == 0) {
        return false;
    }
    buf_reserve(&plain, text->n + TAG_SIZE);
    if (EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, cek, (const unsigned char *)iv->p) != 1 ||
        EVP_DecryptUpdate(ctx, NULL, &n, (const unsigned char *)j->header_text.p,
                          (int)j->header_text.n) != 1 ||
        EVP_DecryptUpdate(ctx, (unsigned char *)plain.p, &n, (const unsigned char *)text->p,
                          (int)text->n) != 1 ||
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG_SIZE, tag->p) != 1 ||
        EVP_DecryptFinal_ex(ctx, (unsigned char *)plain.p + n, &last) != 1) {
        return false;
    }
    plain.n = (size_t)(n + last);
    buf_slice(out, buf_slice_of(&plain));
    return true;
}

bool import_key_open(struct slice jwe, struct slice phrase, struct buf *plain_out, struct err *err)
{
    auto_jwe struct jwe j = {0};
    uint8_t cek[CEK_SIZE];
    if (!split(jwe, &j, err) || !read_header(&j, err)) {
        return false;
    }
    bool opened = unwrap(&j, phrase, cek) && decrypt(&j, cek, plain_out);
    OPENSSL_cleanse(cek, sizeof(cek));
    return opened || err_set(err, ERR_INVALID, "the pass phrase does not open it");
}
