#include "trust/verify/cert.h"

#include "base/clock.h"
#include "base/hex.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <time.h>

static const char pem_begin[] = "-----BEGIN CERTIFICATE-----";
static const char pem_end[] = "-----END CERTIFICATE-----";

static void cleanup_x509(X509 **x)
{
    X509_free(*x);
}
#define auto_x509 __attribute__((cleanup(cleanup_x509)))

static struct slice skip_newlines(struct slice s)
{
    while (s.n > 0 && (s.p[0] == '\n' || s.p[0] == '\r')) {
        s = slice_from(s, 1);
    }
    return s;
}

/* Collects the base64 lines up to the END line; PEM headers hold characters that base64 refuses
 * later. */
static bool take_lines(struct slice *rest, struct buf *text)
{
    struct slice line;
    while (slice_next(rest, '\n', &line)) {
        if (slice_ends(line, "\r")) {
            line = slice_first(line, line.n - 1);
        }
        if (slice_is(line, pem_end)) {
            return true;
        }
        buf_slice(text, line);
    }
    return false;
}

/* Cuts one block off `rest` and decodes it. */
static bool take_block(struct slice *rest, struct buf *der)
{
    auto_buf struct buf text = {0};
    struct slice line;

    if (!slice_next(rest, '\n', &line)) {
        return false;
    }
    if (slice_ends(line, "\r")) {
        line = slice_first(line, line.n - 1);
    }
    if (!slice_is(line, pem_begin) || !take_lines(rest, &text) || text.n == 0) {
        return false;
    }
    return base64_decode(buf_slice_of(&text), der);
}

static X509 *decode(struct slice der)
{
    const unsigned char *p = (const unsigned char *)der.p;
    X509 *x = d2i_X509(NULL, &p, (long)der.n);

    ERR_clear_error();
    if (x && p != (const unsigned char *)der.p + der.n) {
        X509_free(x);
        return NULL;
    }
    return x;
}

X509 *cert_next(struct slice *pem)
{
    auto_buf struct buf der = {0};
    *pem = skip_newlines(*pem);
    X509 *x = take_block(pem, &der) ? decode(buf_slice_of(&der)) : NULL;
    *pem = skip_newlines(*pem);
    return x;
}

static bool time_of(const ASN1_TIME *t, int64_t *out)
{
    struct tm tm = {0};

    if (ASN1_TIME_to_tm(t, &tm) != 1) {
        return false;
    }
    *out = (int64_t)timegm(&tm) * US_PER_SECOND;
    return true;
}

/* The one commonName as UTF-8, whatever its length: X.520's bound of 64 is not kept by the clients.
 */
static char *common_name_of(const X509 *x)
{
    const X509_NAME *subject = X509_get_subject_name(x);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (at < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0) {
        return NULL;
    }
    unsigned char *utf8 = NULL;
    int n = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    char *name = NULL;
    if (n > 0 && strlen((const char *)utf8) == (size_t)n) { /* no NUL hides inside */
        name = xstrndup((const char *)utf8, (size_t)n);
    }
    OPENSSL_free(utf8);
    ERR_clear_error();
    return name;
}

/* A signature digest that is not known to be strong is taken as weak. */
static bool signed_weakly(X509 *x)
{
    int digest = NID_undef;
    int key = NID_undef;
    int ok = X509_get_signature_info(x, &digest, &key, NULL, NULL);

    ERR_clear_error();
    if (ok != 1) {
        return true;
    }
    return !(digest == NID_sha256 || digest == NID_sha384 || digest == NID_sha512 ||
             key == NID_ED25519);
}

/* What the root rules ask of the certificate at this place: the leaf is no CA, every other one is.
 */
static bool is_in_place(X509 *x, bool leaf)
{
    uint32_t flags = X509_get_extension_flags(x);

    ERR_clear_error();
    return !(flags & EXFLAG_INVALID) && leaf == !(flags & EXFLAG_CA);
}

static bool put_spki(const X509 *x, struct buf *spki)
{
    unsigned char *der = NULL;
    int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der);

    ERR_clear_error();
    if (n <= 0) {
        return false;
    }
    buf_put(spki, der, (size_t)n);
    OPENSSL_free(der);
    return true;
}

static const char *read_leaf(X509 *x, struct tuf_cert *cert, struct buf *spki)
{
    if (!time_of(X509_get0_notBefore(x), &cert->not_before_us) ||
        !time_of(X509_get0_notAfter(x), &cert->not_after_us) ||
        cert->not_before_us > cert->not_after_us) {
        return "the certificate's dates are malformed";
    }
    cert->common_name = common_name_of(x);
    cert->sha1_signed = signed_weakly(x);
    return put_spki(x, spki) ? NULL : "the certificate holds no public key";
}

static const char *read_issuer(const X509 *x, struct tuf_cert *cert)
{
    int64_t not_after = 0;

    if (!time_of(X509_get0_notAfter(x), &not_after)) {
        return "a CA certificate's dates are malformed";
    }
    if (not_after < cert->chain_not_after_us) {
        cert->chain_not_after_us = not_after;
    }
    return NULL;
}

/* One block at place `at` of the list. */
static const char *read_next(struct slice *rest, int at, struct tuf_cert *cert, struct buf *spki)
{
    auto_x509 X509 *x = NULL;

    if (at == CERT_CHAIN_MAX) {
        return "the key has too many certificates";
    }
    if (!(x = cert_next(rest))) {
        return "the key is not a list of PEM certificates";
    }
    cert->well_formed = is_in_place(x, at == 0) && (at == 0 || cert->well_formed);
    return at == 0 ? read_leaf(x, cert, spki) : read_issuer(x, cert);
}

bool cert_read(struct slice pem, struct tuf_cert *cert, struct buf *spki, const char **why)
{
    struct slice rest = skip_newlines(pem);
    int count = 0;

    *cert = (struct tuf_cert){.chain_not_after_us = INT64_MAX, .sha1_signed = true};
    *why = rest.n > 0 ? NULL : "the key holds no certificate";
    while (!*why && rest.n > 0) {
        *why = read_next(&rest, count++, cert, spki);
    }
    cert->well_formed = cert->well_formed && !*why;
    return !*why;
}
