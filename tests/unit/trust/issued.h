/* Certificates that certificates issue: CAs, what stands between, and leaves that are root keys. Dates
 * are around T0. */
#ifndef TESTS_UNIT_TRUST_ISSUED_H
#define TESTS_UNIT_TRUST_ISSUED_H

#include "tests/unit/trust/made.h"

#include <openssl/x509v3.h>

#define ISSUED_NOW INT64_C(1800000000000000)
#define ISSUED_DAY 86400L

struct issued {
    EVP_PKEY *pkey;
    X509 *x;
};

struct issuing {
    const char *name;             /* its common name */
    const struct issued *by;      /* NULL: itself */
    EVP_PKEY *pkey;               /* NULL: a new P-256 key */
    long from_s, to_s;            /* seconds around ISSUED_NOW; both 0: a day ago, in ten years */
    const char *basic, *usage;    /* extensions as OpenSSL writes them; NULL: none */
    const EVP_MD *digest;         /* NULL: SHA-256 */
};

#define BASIC_CA "critical,CA:TRUE"
#define BASIC_LEAF "critical,CA:FALSE"

static inline void issue_extension(X509 *x, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
    X509_EXTENSION *extension = value ? X509V3_EXT_conf_nid(NULL, &ctx, nid, value) : NULL;
    assert_true(!value || extension);
    assert_true(!value || X509_add_ext(x, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

static inline void issue(struct issued *out, const struct issuing *how)
{
    static long serial = 1000;
    X509 *x = X509_new();
    bool dated = how->from_s != 0 || how->to_s != 0;
    time_t now = (time_t)(ISSUED_NOW / US_PER_SECOND);
    *out = (struct issued){.x = x, .pkey = how->pkey ? how->pkey : EVP_EC_gen("P-256")};
    assert_true(x && out->pkey && (!how->pkey || EVP_PKEY_up_ref(how->pkey) == 1));
    assert_int_equal(X509_set_version(x, 2), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial), 1);
    assert_non_null(ASN1_TIME_set(X509_getm_notBefore(x), now + (dated ? how->from_s : -ISSUED_DAY)));
    assert_non_null(
        ASN1_TIME_set(X509_getm_notAfter(x), now + (dated ? how->to_s : 3650 * ISSUED_DAY)));
    X509_NAME_ENTRY *entry = X509_NAME_ENTRY_create_by_NID(
        NULL, NID_commonName, V_ASN1_UTF8STRING, (const unsigned char *)how->name, -1);
    assert_int_equal(X509_NAME_add_entry(X509_get_subject_name(x), entry, -1, 0), 1);
    X509_NAME_ENTRY_free(entry); /* not by X509_NAME_add_entry_by_NID, which takes 64 bytes at most */
    assert_int_equal(X509_set_issuer_name(x, X509_get_subject_name(how->by ? how->by->x : x)), 1);
    assert_int_equal(X509_set_pubkey(x, out->pkey), 1);
    issue_extension(x, NID_basic_constraints, how->basic);
    issue_extension(x, NID_key_usage, how->usage);
    assert_true(X509_sign(x, how->by ? how->by->pkey : out->pkey,
                          how->digest ? how->digest : EVP_sha256()) > 0);
}

static inline void issued_free(struct issued *c)
{
    EVP_PKEY_free(c->pkey);
    X509_free(c->x);
}

/* Appends its PEM text. */
static inline void issued_pem(const struct issued *c, struct buf *out)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    assert_int_equal(PEM_write_bio_X509(bio, c->x), 1);
    long n = BIO_get_mem_data(bio, &text);
    buf_put(out, text, (size_t)n);
    BIO_free(bio);
}

/* A root key of these certificates, the leaf first; NULL ends them. */
static inline void issued_key(struct made_key *out, const struct issued *const chain[])
{
    auto_buf struct buf pem = {0};
    made_key_own(out, chain[0]->pkey);
    for (size_t i = 0; chain[i]; i++) {
        issued_pem(chain[i], &pem);
    }
    out->object = made_object("ecdsa-x509", buf_slice_of(&pem));
    made_id(out);
}

/* Adds it to a list of texts, as a policy has them. */
static inline void issued_list(json_t *list, const struct issued *c)
{
    auto_buf struct buf pem = {0};
    issued_pem(c, &pem);
    json_array_append_new(list, json_stringn(pem.p, pem.n));
}

#endif
