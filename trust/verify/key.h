/* Public keys of TUF documents: ecdsa, ecdsa-x509, rsa, rsa-x509, ed25519 (notary-api 16, 17).
 * Pure. */
#ifndef TRUST_VERIFY_KEY_H
#define TRUST_VERIFY_KEY_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"

#include <jansson.h>

#define KEY_ID_MAX 65 /* 64 hex + NUL */

enum key_type { KEY_UNKNOWN = 0, KEY_ECDSA, KEY_ECDSA_X509, KEY_RSA, KEY_RSA_X509, KEY_ED25519 };

/* sha256 of the SubjectPublicKeyInfo: what pins, revocations and signature counting go by. */
struct spki {
    uint8_t sha256[32];
};

/* A certificate may begin this much in the future: clocks of signers differ. */
#define CERT_NOT_BEFORE_SLACK_US US_PER_DAY

struct tuf_cert {      /* of the leaf, for *-x509 keys */
    char *common_name; /* may be longer than 64 bytes; NULL unless there is exactly one; owned by
                          the key */
    int64_t not_before_us, not_after_us;
    int64_t chain_not_after_us; /* earliest NotAfter of the CA certificates behind the leaf;
                                   INT64_MAX without any */
    bool sha1_signed;           /* signature algorithm uses SHA-1, MD5 or an unknown digest */
    bool well_formed; /* what root keys need (notary-api 17): the leaf first, and the only one that
                         is no CA. Delegation keys may be certificates of any kind: `openssl req
                         -x509` makes CA certificates */
};

struct tuf_key;

/* Reads a key object {"keytype","keyval":{"public","private":null}}. Unknown key types parse too
 * (KEY_UNKNOWN, never verifies). Expected errors: ERR_INVALID when members are missing, of a wrong
 * type, or not decodable. Ownership: tuf_key_free. */
bool tuf_key_read(const json_t *object, struct tuf_key **out, struct err *err) MUST_USE;
void tuf_key_free(struct tuf_key *key);
/* Computed id: sha256 hex of canonical {"keytype","keyval":{"private":null,"public"}}. Borrowed. */
const char *tuf_key_id(const struct tuf_key *key);
/* Zero for KEY_UNKNOWN or an unusable key. */
struct spki tuf_key_spki(const struct tuf_key *key);
/* NULL unless *-x509. */
const struct tuf_cert *tuf_key_cert(const struct tuf_key *key);
/* Usable: type known, curve P-256/384/521, RSA >= 2048 bits, certificates readable, the leaf not
 * signed with SHA-1. The reason, when not, is a static text in *why (may be NULL). */
bool tuf_key_usable(const struct tuf_key *key, const char **why);
/* notary-api 17: CN equals the GUN, or CN ends in '*' and what is before it is a prefix of the GUN.
 */
bool tuf_cert_names(const struct tuf_cert *cert, struct slice gun);
bool spki_equal(const struct spki *a, const struct spki *b);
bool spki_in(const struct spki *list, size_t count, const struct spki *key);

enum sig_verdict { SIG_REJECT = 0, SIG_ACCEPT = 1 };
/* One signature over `bytes`. `method` is compared in lower case and must fit the key type; ECDSA
 * is r||s of exact curve size over SHA-256; RSA-PSS has salt 32; eddsa is pure Ed25519. Anything
 * else rejects. */
enum sig_verdict tuf_key_verify(const struct tuf_key *key, struct slice method, struct slice sig,
                                struct slice bytes);

/* Writes the wire object {"keytype":…,"keyval":{"private":null,"public":…}} of a server key, and its id.
 *   spki_der   of a P-256 or an Ed25519 key */
void tuf_key_write_spki(struct slice spki_der, struct buf *json_out, char id_out[KEY_ID_MAX]);
/* The `method` of such a key's signatures; a literal. */
const char *tuf_spki_method(struct slice spki_der);

#endif
