/* The inside of struct tuf_key, shared by key.c and sig.c. */
#ifndef TRUST_VERIFY_KEY_INTERNAL_H
#define TRUST_VERIFY_KEY_INTERNAL_H

#include "trust/verify/key.h"
#include "trust/verify/spki.h"

struct tuf_key {
    enum key_type type;
    char id[KEY_ID_MAX];
    const char *defect; /* why it is unusable; NULL when it is usable */
    struct spki spki;
    struct public_key public; /* EC and RSA */
    uint8_t ed25519[32];
    bool pem_spki; /* rsa whose `public` is PEM text: only `pycrypto-pkcs#1 pss` */
    bool has_cert;
    struct tuf_cert cert;
};

#endif
