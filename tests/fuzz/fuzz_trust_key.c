/* Any bytes as a public key of any type: it is usable exactly when it has an SPKI, and it verifies
 * nothing that it did not sign. The first byte chooses the type. */
#include "base/hex.h"
#include "tests/fuzz/fuzz.h"
#include "trust/verify/key.h"

#include <string.h>

static void check_key(const struct tuf_key *key)
{
    static const char *const methods[] = {"ecdsa", "rsapss", "rsapkcs1v15", "pycrypto-pkcs#1 pss",
                                          "eddsa", ""};
    static const uint8_t zeros[1024];
    const struct spki none = {{0}};
    struct spki spki = tuf_key_spki(key);
    const char *why = NULL;
    bool usable = tuf_key_usable(key, &why);

    HOLDS(usable == !spki_equal(&spki, &none));
    HOLDS(usable == (why == NULL));
    HOLDS(strlen(tuf_key_id(key)) == 64);
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        static const size_t sizes[] = {0, 64, 96, 132, 256, 384, 512, 1024};
        for (size_t j = 0; j < sizeof(sizes) / sizeof(sizes[0]); j++) {
            HOLDS(tuf_key_verify(key, slice_str(methods[i]), slice_of_bytes(zeros, sizes[j]),
                                 SLICE_LIT("x")) == SIG_REJECT);
        }
    }
    if (tuf_key_cert(key)) {
        const struct tuf_cert *cert = tuf_key_cert(key);
        HOLDS(!usable || cert->not_before_us <= cert->not_after_us);
        HOLDS(cert->common_name || !tuf_cert_names(cert, SLICE_LIT("a/b/c")));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const types[] = {"ecdsa",    "ecdsa-x509", "rsa",
                                        "rsa-x509", "ed25519",    "other"};
    auto_buf struct buf text = {0};
    struct tuf_key *key = NULL;

    if (size == 0 || size > 40000) {
        return 0;
    }
    base64_encode(&text, slice_of_bytes(data + 1, size - 1));
    auto_json json_t *object = json_pack("{s:s,s:{s:n,s:s}}", "keytype", types[data[0] % 6],
                                         "keyval", "private", "public", text.p ? text.p : "");
    HOLDS(object != NULL);
    HOLDS(tuf_key_read(object, &key, NULL));
    check_key(key);
    tuf_key_free(key);
    return 0;
}
