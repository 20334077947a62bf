/* The certificates of an *-x509 key (notary-api 17): PEM text to facts about its leaf. Internal to
 * trust/verify. Reads only what every implementation reads alike: CERTIFICATE blocks and nothing
 * between them. */
#ifndef TRUST_VERIFY_CERT_H
#define TRUST_VERIFY_CERT_H

#include "trust/verify/key.h"

#include <openssl/x509.h>

#define CERT_CHAIN_MAX 16

/* Cuts the first CERTIFICATE block off `pem`, with the empty lines before and behind it. NULL when
 * what comes next is none. Free with X509_free. */
X509 *cert_next(struct slice *pem);

/* Reads PEM text, the leaf first.
 *   cert   filled as far as it was read; common_name is the caller's to free, also on false
 *   spki   gets the leaf's SubjectPublicKeyInfo (DER)
 *   why    static text when false
 * True when every block is a certificate; whether they are in the order that root keys need is
 * cert->well_formed. */
bool cert_read(struct slice pem, struct tuf_cert *cert, struct buf *spki, const char **why);

#endif
