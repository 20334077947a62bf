#include "server/certificate.h"

#include "base/clock.h"

#include <arpa/inet.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#define CA_DAYS 3650
#define SERVER_DAYS 825
#define BACKDATE_S 3600 /* clients whose clock is a little behind */

#define AUTO(type, free_fn)                                                                        \
    static inline void cleanup_##type(type **p)                                                    \
    {                                                                                              \
        free_fn(*p);                                                                               \
    }
AUTO(X509, X509_free)
AUTO(EVP_PKEY, EVP_PKEY_free)
AUTO(BIO, BIO_free_all)
#define auto_x509 __attribute__((cleanup(cleanup_X509)))
#define auto_pkey __attribute__((cleanup(cleanup_EVP_PKEY)))
#define auto_bio __attribute__((cleanup(cleanup_BIO)))

static bool put_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, x, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    bool ok = extension != NULL && X509_add_ext(x, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return ok;
}

/* RFC 5280 section 4.1.2.2: positive, at most 20 bytes; random, so that two CAs of one name do not
 * clash. */
static bool put_serial(X509 *x)
{
    unsigned char bytes[16];
    if (RAND_bytes(bytes, sizeof(bytes)) != 1) {
        return false;
    }
    bytes[0] = (unsigned char)((bytes[0] & 0x7f) | 0x40);
    BIGNUM *number = BN_bin2bn(bytes, sizeof(bytes), NULL);
    bool ok = number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x)) != NULL;
    BN_free(number);
    return ok;
}

static bool put_name(X509_NAME *name, const char *common_name)
{
    return X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8, (const unsigned char *)"Bondstore",
                                      -1, -1, 0) == 1 &&
           X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)common_name,
                                      -1, -1, 0) == 1;
}

/* A common name holds 64 characters; what counts are the alternative names. */
static X509 *begin_certificate(EVP_PKEY *key, const char *common_name, int64_t now_us, int days)
{
    char short_name[65];
    auto_x509 X509 *x = X509_new();
    time_t now = (time_t)(now_us / US_PER_SECOND);
    time_t from = now - BACKDATE_S;
    (void)snprintf(short_name, sizeof(short_name), "%s", common_name);
    if (x == NULL || X509_set_version(x, X509_VERSION_3) != 1 || !put_serial(x) ||
        X509_time_adj_ex(X509_getm_notBefore(x), 0, 0, &from) == NULL ||
        X509_time_adj_ex(X509_getm_notAfter(x), days, 0, &now) == NULL ||
        X509_set_pubkey(x, key) != 1 || !put_name(X509_get_subject_name(x), short_name)) {
        return NULL;
    }
    return take(x);
}

static X509 *make_ca(EVP_PKEY *key, const char *host, int64_t now_us)
{
    auto_buf struct buf name = {0};
    buf_printf(&name, "CA of %s", host);
    auto_x509 X509 *x = begin_certificate(key, name.p, now_us, CA_DAYS);
    if (x == NULL || X509_set_issuer_name(x, X509_get_subject_name(x)) != 1 ||
        !put_extension(x, x, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
        !put_extension(x, x, NID_key_usage, "critical,keyCertSign,cRLSign") ||
        !put_extension(x, x, NID_subject_key_identifier, "hash") ||
        X509_sign(x, key, EVP_sha256()) <= 0) {
        return NULL;
    }
    return take(x);
}

static void alternative_names(const char *host, struct buf *out)
{
    unsigned char address[16];
    bool numeric =
        inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
    bool known = strcmp(host, "localhost") == 0 || strcmp(host, "127.0.0.1") == 0 ||
                 strcmp(host, "::1") == 0;
    if (!known) {
        buf_printf(out, "%s:%s,", numeric ? "IP" : "DNS", host);
    }
    buf_str(out, "DNS:localhost,IP:127.0.0.1,IP:::1");
}

static X509 *make_server(EVP_PKEY *key, const char *host, X509 *ca, EVP_PKEY *ca_key,
                         int64_t now_us)
{
    auto_buf struct buf names = {0};
    alternative_names(host, &names);
    auto_x509 X509 *x = begin_certificate(key, host, now_us, SERVER_DAYS);
    if (x == NULL || X509_set_issuer_name(x, X509_get_subject_name(ca)) != 1 ||
        !put_extension(x, ca, NID_basic_constraints, "critical,CA:FALSE") ||
        !put_extension(x, ca, NID_key_usage, "critical,digitalSignature") ||
        !put_extension(x, ca, NID_ext_key_usage, "serverAuth") ||
        !put_extension(x, ca, NID_subject_key_identifier, "hash") ||
        !put_extension(x, ca, NID_authority_key_identifier, "keyid") ||
        !put_extension(x, ca, NID_subject_alt_name, names.p) ||
        X509_sign(x, ca_key, EVP_sha256()) <= 0) {
        return NULL;
    }
    return take(x);
}

static bool bio_text(BIO *bio, struct buf *out)
{
    char *p = NULL;
    long n = BIO_get_mem_data(bio, &p);
    if (n <= 0) {
        return false;
    }
    buf_put(out, p, (size_t)n);
    return true;
}

static bool certificate_text(X509 *x, struct buf *out)
{
    auto_bio BIO *bio = BIO_new(BIO_s_mem());
    return bio != NULL && PEM_write_bio_X509(bio, x) == 1 && bio_text(bio, out);
}

static bool key_text(EVP_PKEY *key, struct buf *out)
{
    auto_bio BIO *bio = BIO_new(BIO_s_secmem());
    return bio != NULL && PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1 &&
           bio_text(bio, out);
}

bool certificate_make(const char *host, int64_t now_us, struct certificate_set *out,
                      struct err *err)
{
    *out = (struct certificate_set){0};
    auto_pkey EVP_PKEY *ca_key = EVP_EC_gen("P-256");
    auto_pkey EVP_PKEY *server_key = EVP_EC_gen("P-256");
    auto_x509 X509 *ca = ca_key != NULL ? make_ca(ca_key, host, now_us) : NULL;
    auto_x509 X509 *server =
        ca != NULL && server_key != NULL ? make_server(server_key, host, ca, ca_key, now_us) : NULL;
    if (server == NULL || !certificate_text(ca, &out->ca_certificate) ||
        !key_text(ca_key, &out->ca_key) || !certificate_text(server, &out->server_certificate) ||
        !key_text(server_key, &out->server_key)) {
        certificate_set_dispose(out);
        return err_set(err, ERR_INTERNAL, "the certificates for %s could not be made", host);
    }
    return true;
}

void certificate_set_dispose(struct certificate_set *set)
{
    buf_dispose(&set->ca_certificate);
    buf_dispose(&set->server_certificate);
    buf_wipe(&set->ca_key);
    buf_wipe(&set->server_key);
}
