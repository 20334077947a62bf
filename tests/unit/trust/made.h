/* Repositories made in memory, so that one thing can be wrong at a time: keys, root certificates,
 * signed documents. Everything lives in a `struct made`; made_free gives it back. */
#ifndef TESTS_UNIT_TRUST_MADE_H
#define TESTS_UNIT_TRUST_MADE_H

#include "base/hash.h"
#include "tests/unit/trust/trust_check.h"
#include "trust/verify/canon.h"

#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <sodium.h>

#define MADE_GUN "registry.example/ns/app"
#define MADE_EXPIRES "2040-01-01T00:00:00Z"
#define MADE_PAST "2026-01-01T00:00:00Z"
#define MADE_DOCS_MAX 64

struct made_key {
    EVP_PKEY *pkey; /* EC or RSA; NULL: ed25519 */
    const char *method;
    uint8_t public[32], secret[64];
    json_t *object; /* wire key object */
    char id[KEY_ID_MAX];
};

struct made_doc {
    char role[ROLE_NAME_MAX + 1];
    json_t *part; /* `signed` */
    const struct made_key *signers[SIG_SIGNERS_MAX];
    struct buf bytes;
};

struct made {
    struct made_doc docs[MADE_DOCS_MAX];
    size_t count;
};

/* ---- keys ---- */

static inline void made_id(struct made_key *key)
{
    struct tuf_key *read = NULL;
    assert_true(tuf_key_read(key->object, &read, NULL));
    memcpy(key->id, tuf_key_id(read), KEY_ID_MAX);
    tuf_key_free(read);
}

static inline json_t *made_object(const char *type, struct slice content)
{
    auto_buf struct buf text = {0};
    base64_encode(&text, content);
    return json_pack("{s:s,s:{s:n,s:s}}", "keytype", type, "keyval", "private", "public", text.p);
}

static inline void made_key_new(struct made_key *key)
{
    *key = (struct made_key){.method = "eddsa"};
    assert_int_equal(crypto_sign_keypair(key->public, key->secret), 0);
    key->object = made_object("ed25519", slice_of_bytes(key->public, 32));
    made_id(key);
}

static inline bool made_is_rsa(const struct made_key *key)
{
    return EVP_PKEY_get_base_id(key->pkey) == EVP_PKEY_RSA;
}

/* Begins a key with this EC or RSA key; NULL: a new P-256 key. */
static inline void made_key_own(struct made_key *key, EVP_PKEY *pkey)
{
    *key = (struct made_key){.pkey = pkey ? pkey : EVP_EC_gen("P-256")};
    assert_non_null(key->pkey);
    if (pkey) {
        EVP_PKEY_up_ref(pkey);
    }
    key->method = made_is_rsa(key) ? "rsapss" : "ecdsa";
}

/* A bare EC or RSA key. */
static inline void made_bare_new(struct made_key *key, EVP_PKEY *pkey)
{
    unsigned char *der = NULL;
    made_key_own(key, pkey);
    int n = i2d_PUBKEY(key->pkey, &der);
    assert_true(n > 0);
    key->object = made_object(made_is_rsa(key) ? "rsa" : "ecdsa", slice_of_bytes(der, (size_t)n));
    OPENSSL_free(der);
    made_id(key);
}

/* A certificate for an EC or RSA key (made when NULL), valid from and to seconds around `now_us`. */
static inline void made_cert_new(struct made_key *key, EVP_PKEY *pkey, const char *common_name,
                                 int64_t from_s, int64_t to_s)
{
    static long serial = 0;
    X509 *x = X509_new();
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    made_key_own(key, pkey);
    assert_int_equal(X509_set_version(x, 2), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial), 1);
    assert_non_null(
        ASN1_TIME_set(X509_getm_notBefore(x), (time_t)(vectors_now() / US_PER_SECOND + from_s)));
    assert_non_null(
        ASN1_TIME_set(X509_getm_notAfter(x), (time_t)(vectors_now() / US_PER_SECOND + to_s)));
    X509_NAME_ENTRY *entry = X509_NAME_ENTRY_create_by_NID(NULL, NID_commonName, V_ASN1_UTF8STRING,
                                                           (const unsigned char *)common_name, -1);
    assert_int_equal(X509_NAME_add_entry(X509_get_subject_name(x), entry, -1, 0), 1);
    X509_NAME_ENTRY_free(entry);
    assert_int_equal(X509_set_pubkey(x, key->pkey), 1);
    assert_true(X509_sign(x, key->pkey, EVP_sha256()) > 0);
    assert_int_equal(PEM_write_bio_X509(bio, x), 1);
    long n = BIO_get_mem_data(bio, &text);
    key->object =
        made_object(made_is_rsa(key) ? "rsa-x509" : "ecdsa-x509", (struct slice){text, (size_t)n});
    made_id(key);
    BIO_free(bio);
    X509_free(x);
}

static inline void made_key_free(struct made_key *key)
{
    EVP_PKEY_free(key->pkey);
    json_decref(key->object);
}

/* DER to r||s, each of the field's size. */
static inline void made_flatten(const struct made_key *key, const unsigned char *der, size_t n,
                                struct buf *out)
{
    unsigned char raw[132];
    int field = (EVP_PKEY_get_bits(key->pkey) + 7) / 8;
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &der, (long)n);
    assert_non_null(pair);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(pair), raw, field), field);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(pair), raw + field, field), field);
    base64_encode(out, slice_of_bytes(raw, 2 * (size_t)field));
    ECDSA_SIG_free(pair);
}

static inline void made_sign_evp(const struct made_key *key, struct slice bytes, struct buf *out)
{
    unsigned char sig[1024];
    size_t n = sizeof(sig);
    EVP_PKEY_CTX *padding = NULL;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(ctx, &padding, EVP_sha256(), NULL, key->pkey), 1);
    if (strcmp(key->method, "ecdsa") != 0 && strcmp(key->method, "rsapkcs1v15") != 0) {
        assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(padding, RSA_PKCS1_PSS_PADDING), 1);
        assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(padding, 32), 1);
    }
    assert_int_equal(EVP_DigestSign(ctx, sig, &n, (const unsigned char *)bytes.p, bytes.n), 1);
    if (made_is_rsa(key)) {
        base64_encode(out, slice_of_bytes(sig, n));
    } else {
        made_flatten(key, sig, n, out);
    }
    EVP_MD_CTX_free(ctx);
}

/* By the key's method, in base64. */
static inline void made_sign_bytes(const struct made_key *key, struct slice bytes, struct buf *out)
{
    uint8_t raw[64];
    if (key->pkey) {
        made_sign_evp(key, bytes, out);
        return;
    }
    assert_int_equal(
        crypto_sign_detached(raw, NULL, (const unsigned char *)bytes.p, bytes.n, key->secret), 0);
    base64_encode(out, slice_of_bytes(raw, 64));
}

/* ---- parts ---- */

static inline json_t *made_part(const char *type, int64_t version)
{
    return json_pack("{s:s,s:s,s:I}", "_type", type, "expires", MADE_EXPIRES, "version",
                     (json_int_t)version);
}

/* {"keyids":[…],"threshold":n} of a NULL-terminated list; the keys go into `keys`. */
static inline json_t *made_role(json_t *keys, const struct made_key *const list[], int threshold)
{
    json_t *ids = json_array();
    for (size_t i = 0; list[i]; i++) {
        json_array_append_new(ids, json_string(list[i]->id));
        json_object_set(keys, list[i]->id, list[i]->object);
    }
    return json_pack("{s:o,s:i}", "keyids", ids, "threshold", threshold);
}

static inline json_t *made_root(int64_t version, const struct made_key *const roots[],
                                int threshold, const struct made_key *targets,
                                const struct made_key *online)
{
    const struct made_key *const t[] = {targets, NULL};
    const struct made_key *const o[] = {online, NULL};
    json_t *part = made_part("Root", version);
    json_t *keys = json_object();
    json_t *roles = json_object();
    json_object_set_new(roles, "root", made_role(keys, roots, threshold));
    json_object_set_new(roles, "targets", made_role(keys, t, 1));
    json_object_set_new(roles, "snapshot", made_role(keys, o, 1));
    json_object_set_new(roles, "timestamp", made_role(keys, o, 1));
    json_object_set_new(part, "keys", keys);
    json_object_set_new(part, "roles", roles);
    json_object_set_new(part, "consistent_snapshot", json_false());
    return part;
}

static inline json_t *made_targets(int64_t version)
{
    json_t *part = made_part("Targets", version);
    json_object_set_new(part, "targets", json_object());
    json_object_set_new(part, "delegations", json_pack("{s:{},s:[]}", "keys", "roles"));
    return part;
}

/* Adds a delegation with one path. */
static inline json_t *made_delegate(json_t *targets, const char *name,
                                    const struct made_key *const list[], int threshold,
                                    const char *path)
{
    json_t *delegations = json_object_get(targets, "delegations");
    json_t *role = made_role(json_object_get(delegations, "keys"), list, threshold);
    json_object_set_new(role, "name", json_string(name));
    json_object_set_new(role, "paths", json_pack("[s]", path));
    json_array_append_new(json_object_get(delegations, "roles"), role);
    return role;
}

/* ---- documents ---- */

/* Takes `part`. */
static inline struct made_doc *made_add(struct made *m, const char *role, json_t *part,
                                        const struct made_key *signer)
{
    struct made_doc *doc = &m->docs[m->count++];
    assert_true(m->count <= MADE_DOCS_MAX);
    *doc = (struct made_doc){.part = part, .signers = {signer}};
    (void)snprintf(doc->role, sizeof(doc->role), "%s", role);
    return doc;
}

static inline struct made_doc *made_find(struct made *m, const char *role)
{
    for (size_t i = m->count; i > 0; i--) { /* the newest root is the last */
        if (strcmp(m->docs[i - 1].role, role) == 0) {
            return &m->docs[i - 1];
        }
    }
    return NULL;
}

static inline void made_write(struct made_doc *doc)
{
    auto_buf struct buf canonical = {0};
    buf_clear(&doc->bytes);
    assert_true(canon_encode(doc->part, &canonical, NULL));
    buf_str(&doc->bytes, "{\"signed\":");
    assert_true(canon_encode_wire(doc->part, &doc->bytes, NULL));
    buf_str(&doc->bytes, ",\"signatures\":[");
    for (size_t i = 0; i < COUNT(doc->signers) && doc->signers[i]; i++) {
        const struct made_key *key = doc->signers[i];
        buf_printf(&doc->bytes, "%s{\"keyid\":\"%s\",\"method\":\"%s\",\"sig\":\"", i ? "," : "",
                   key->id, key->method);
        made_sign_bytes(key, buf_slice_of(&canonical), &doc->bytes);
        buf_str(&doc->bytes, "\"}");
    }
    buf_str(&doc->bytes, "]}");
}

static inline void made_list(json_t *meta, const struct made_doc *doc)
{
    auto_buf struct buf s256 = {0};
    auto_buf struct buf s512 = {0};
    uint8_t a[32];
    uint8_t b[64];
    hash_sha256(buf_slice_of(&doc->bytes), a);
    hash_sha512(buf_slice_of(&doc->bytes), b);
    base64_encode(&s256, slice_of_bytes(a, 32));
    base64_encode(&s512, slice_of_bytes(b, 64));
    json_object_set_new(meta, doc->role,
                        json_pack("{s:{s:s,s:s},s:I}", "hashes", "sha256", s256.p, "sha512", s512.p,
                                  "length", (json_int_t)doc->bytes.n));
}

/* Writes root, targets and delegations, then adds (or makes anew) the snapshot and the timestamp
 * over them. */
static inline void made_finish(struct made *m, const struct made_key *online, int64_t version)
{
    struct made_doc *old;
    json_t *meta = json_object();
    for (size_t i = 0; i < m->count; i++) {
        made_write(&m->docs[i]);
        made_list(meta, &m->docs[i]);
    }
    json_object_del(meta, "snapshot");
    json_object_del(meta, "timestamp");
    old = made_find(m, "snapshot");
    if (!old) {
        old = made_add(m, "snapshot", made_part("Snapshot", version), online);
        made_add(m, "timestamp", made_part("Timestamp", version), online);
    }
    json_object_set_new(made_find(m, "snapshot")->part, "meta", meta);
    made_write(made_find(m, "snapshot"));
    meta = json_object();
    made_list(meta, made_find(m, "snapshot"));
    json_object_set_new(made_find(m, "timestamp")->part, "meta", meta);
    made_write(made_find(m, "timestamp"));
}

/* Only the timestamp, over whatever the snapshot is now. */
static inline void made_timestamp(struct made *m)
{
    json_t *meta = json_object();
    made_list(meta, made_find(m, "snapshot"));
    json_object_set_new(made_find(m, "timestamp")->part, "meta", meta);
    made_write(made_find(m, "timestamp"));
}

/* As a folder; every root is there under its number. The texts stay with `m`, the list is the
 * caller's to free(). */
static inline void made_folder(const struct made *m, struct role_folder *out)
{
    *out = (struct role_folder){.docs = xcalloc(m->count + 1, sizeof(struct role_text))};
    for (size_t i = 0; i < m->count; i++) {
        struct role_text *doc = &out->docs[out->count++];
        bool older_root = strcmp(m->docs[i].role, "root") == 0 &&
                          made_find((struct made *)(uintptr_t)m, "root") != &m->docs[i];
        (void)snprintf(doc->role, sizeof(doc->role), "%s", m->docs[i].role);
        doc->number =
            older_root ? json_integer_value(json_object_get(m->docs[i].part, "version")) : 0;
        doc->bytes = buf_slice_of(&m->docs[i].bytes);
    }
}

static inline void made_free(struct made *m)
{
    for (size_t i = 0; i < m->count; i++) {
        json_decref(m->docs[i].part);
        buf_dispose(&m->docs[i].bytes);
    }
    m->count = 0;
}

#endif
