#include "base/hash.h"
#include "base/hex.h"
#include "base/json.h"
#include "trust/verify/canon.h"
#include "trust/verify/cert.h"
#include "trust/verify/key_internal.h"

#include <sodium.h>

#define PUBLIC_TEXT_MAX 65536 /* base64 bytes of one key */

struct type_name {
    const char *name;
    enum key_type type;
};

static const struct type_name type_names[] = {
    {"ecdsa", KEY_ECDSA},       {"ecdsa-x509", KEY_ECDSA_X509}, {"rsa", KEY_RSA},
    {"rsa-x509", KEY_RSA_X509}, {"ed25519", KEY_ED25519},
};

static enum key_type type_of(struct slice name)
{
    for (size_t i = 0; i < sizeof(type_names) / sizeof(type_names[0]); i++) {
        if (slice_is(name, type_names[i].name)) {
            return type_names[i].type;
        }
    }
    return KEY_UNKNOWN;
}

static void put_string(struct buf *b, struct slice s)
{
    auto_json json_t *text = json_stringn_nocheck(s.p ? s.p : "", s.n);
    if (!text || !canon_encode(text, b, NULL)) {
        BUG("a string always has a canonical form");
    }
}

/* notary-api 14: sha256 of {"keytype":T,"keyval":{"private":null,"public":P}}. */
static void put_key_object(struct buf *b, struct slice type, struct slice public_text)
{
    buf_str(b, "{\"keytype\":");
    put_string(b, type);
    buf_str(b, ",\"keyval\":{\"private\":null,\"public\":");
    put_string(b, public_text);
    buf_str(b, "}}");
}

static void compute_id(struct slice type, struct slice public_text, char out[KEY_ID_MAX])
{
    auto_buf struct buf canonical = {0};
    uint8_t hash[32];

    put_key_object(&canonical, type, public_text);
    hash_sha256(buf_slice_of(&canonical), hash);
    hex_encode(hash, sizeof(hash), out);
}

static bool read_public_text(const json_t *object, struct slice *type, struct slice *public_text,
                             struct err *err)
{
    const json_t *value = json_get_object(object, "keyval");
    const json_t *private = json_object_get(value, "private");

    *type = json_get_slice(object, "keytype");
    *public_text = json_get_slice(value, "public");
    if (!type->p || !public_text->p) {
        return err_set(err, ERR_INVALID, "a key lacks its type or its public part");
    }
    if (private && !json_is_null(private)) {
        return err_set(err, ERR_INVALID, "a key carries a private part");
    }
    if (public_text->n > PUBLIC_TEXT_MAX) {
        return err_set(err, ERR_INVALID, "a key is longer than %d bytes", PUBLIC_TEXT_MAX);
    }
    return true;
}

/* ---- content by type; each gives the reason when the key is not usable ---- */

static const char *load_ec(struct tuf_key *key, struct slice der)
{
    const char *why = NULL;

    if (!spki_read_ec(der, &key->public, &why)) {
        return why;
    }
    hash_sha256(der, key->spki.sha256);
    return NULL;
}

static const char *load_rsa(struct tuf_key *key, struct slice der)
{
    const char *why = NULL;

    if (!spki_read_rsa(der, &key->public, &why)) {
        return why;
    }
    hash_sha256(der, key->spki.sha256);
    return NULL;
}

/* "pycrypto" keys carry the SubjectPublicKeyInfo as PEM text. */
static bool rsa_pem_to_der(struct slice text, struct buf *der)
{
    static const char begin[] = "-----BEGIN PUBLIC KEY-----\n";
    static const char end[] = "-----END PUBLIC KEY-----";
    auto_buf struct buf base64 = {0};
    struct slice line;

    while (slice_ends(text, "\n")) {
        text = slice_first(text, text.n - 1);
    }
    if (!slice_starts(text, begin) || !slice_ends(text, end)) {
        return false;
    }
    struct slice body = slice_from(text, sizeof(begin) - 1);
    if (body.n < sizeof(end) - 1) {
        return false;
    }
    body = slice_first(body, body.n - (sizeof(end) - 1));
    while (slice_next(&body, '\n', &line)) {
        buf_slice(&base64, line);
    }
    return base64.n > 0 && base64_decode(buf_slice_of(&base64), der);
}

static const char *load_bare_rsa(struct tuf_key *key, struct slice content)
{
    auto_buf struct buf der = {0};

    if (slice_starts(content, "-----BEGIN ")) {
        key->pem_spki = true;
        return rsa_pem_to_der(content, &der) ? load_rsa(key, buf_slice_of(&der))
                                             : "the key is no PEM public key";
    }
    return load_rsa(key, content);
}

static const char *load_certificate(struct tuf_key *key, struct slice pem)
{
    auto_buf struct buf spki = {0};
    const char *why = NULL;

    key->has_cert = true;
    if (!cert_read(pem, &key->cert, &spki, &why)) {
        return why;
    }
    if (key->cert.sha1_signed) {
        return "the certificate is signed with SHA-1 or another weak digest";
    }
    return key->type == KEY_ECDSA_X509 ? load_ec(key, buf_slice_of(&spki))
                                       : load_rsa(key, buf_slice_of(&spki));
}

static const char *load_ed25519(struct tuf_key *key, struct slice raw)
{
    uint8_t der[SPKI_ED25519_BYTES];

    if (raw.n != sizeof(key->ed25519)) {
        return "an ed25519 key has 32 bytes";
    }
    memcpy(key->ed25519, raw.p, raw.n);
    spki_write_ed25519(key->ed25519, der);
    hash_sha256(slice_of_bytes(der, sizeof(der)), key->spki.sha256);
    return NULL;
}

static const char *load(struct tuf_key *key, struct slice content)
{
    switch (key->type) {
    case KEY_ECDSA:
        return load_ec(key, content);
    case KEY_ECDSA_X509:
    case KEY_RSA_X509:
        return load_certificate(key, content);
    case KEY_RSA:
        return load_bare_rsa(key, content);
    case KEY_ED25519:
        return load_ed25519(key, content);
    case KEY_UNKNOWN:
        break;
    }
    return "the key type is not known";
}

bool tuf_key_read(const json_t *object, struct tuf_key **out, struct err *err)
{
    struct slice type = {0};
    struct slice public_text = {0};
    auto_buf struct buf content = {0};

    *out = NULL;
    if (!read_public_text(object, &type, &public_text, err)) {
        return false;
    }
    if (!base64_decode(public_text, &content)) {
        return err_set(err, ERR_INVALID, "a key's public part is no padded standard base64");
    }
    struct tuf_key *key = xcalloc(1, sizeof(*key));
    key->type = type_of(type);
    compute_id(type, public_text, key->id);
    key->defect = load(key, buf_slice_of(&content));
    *out = key;
    return true;
}

void tuf_key_free(struct tuf_key *key)
{
    if (!key) {
        return;
    }
    EVP_PKEY_free(key->public.pkey);
    free(key->cert.common_name);
    free(key);
}

const char *tuf_key_id(const struct tuf_key *key)
{
    return key->id;
}

struct spki tuf_key_spki(const struct tuf_key *key)
{
    return key->spki;
}

const struct tuf_cert *tuf_key_cert(const struct tuf_key *key)
{
    return key->has_cert ? &key->cert : NULL;
}

bool tuf_key_usable(const struct tuf_key *key, const char **why)
{
    if (why) {
        *why = key->defect;
    }
    return key->defect == NULL;
}

bool tuf_cert_names(const struct tuf_cert *cert, struct slice gun)
{
    if (!cert->common_name) {
        return false;
    }
    struct slice name = slice_str(cert->common_name);
    if (slice_equal(name, gun)) {
        return true;
    }
    if (!slice_ends(name, "*")) {
        return false;
    }
    while (slice_ends(name, "*")) {
        name = slice_first(name, name.n - 1);
    }
    return slice_equal(name, slice_first(gun, name.n));
}

bool spki_equal(const struct spki *a, const struct spki *b)
{
    return sodium_memcmp(a->sha256, b->sha256, sizeof(a->sha256)) == 0;
}

bool spki_in(const struct spki *list, size_t count, const struct spki *key)
{
    for (size_t i = 0; i < count; i++) {
        if (spki_equal(&list[i], key)) {
            return true;
        }
    }
    return false;
}

void tuf_key_write_spki(struct slice spki_der, struct buf *json_out, char id_out[KEY_ID_MAX])
{
    struct slice ed25519 = spki_ed25519_key(spki_der);
    struct slice type = ed25519.n > 0 ? SLICE_LIT("ed25519") : SLICE_LIT("ecdsa");
    auto_buf struct buf text = {0};

    base64_encode(&text, ed25519.n > 0 ? ed25519 : spki_der);
    put_key_object(json_out, type, buf_slice_of(&text));
    compute_id(type, buf_slice_of(&text), id_out);
}

const char *tuf_spki_method(struct slice spki_der)
{
    return spki_ed25519_key(spki_der).n > 0 ? "eddsa" : "ecdsa";
}
