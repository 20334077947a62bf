/* What is taken as a digest is "sha256:" or "sha512:" with as many lower-case hexadecimal digits as
 * belong to it, is written back byte for byte, and survives the stored form. */
#include "base/digest.h"
#include "tests/fuzz/fuzz.h"

#define HEX "0123456789abcdef"

/* OCI image specification 1.1, "Digests", read in another way. */
static bool is_digest(struct slice text)
{
    char hex[130];
    size_t n = text.n - 7;
    if (!(slice_starts(text, "sha256:") && n == 64) &&
        !(slice_starts(text, "sha512:") && n == 128)) {
        return false;
    }
    memcpy(hex, text.p + 7, n);
    hex[n] = '\0';
    return strspn(hex, HEX) == n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_of_bytes(data, size);
    struct digest d;
    struct digest back;
    HOLDS(digest_parse(text, &d, NULL) == is_digest(text));
    if (digest_parse(text, &d, NULL)) {
        char out[DIGEST_STR_MAX];
        uint8_t raw[DIGEST_RAW_MAX];
        HOLDS(slice_is(text, digest_format(&d, out)));
        size_t n = digest_to_raw(&d, raw);
        HOLDS(digest_from_raw(slice_of_bytes(raw, n), &back) && digest_equal(&d, &back));
    } else {
        HOLDS(!digest_is_set(&d));
    }
    if (digest_from_raw(text, &d)) {
        uint8_t raw[DIGEST_RAW_MAX];
        size_t n = digest_to_raw(&d, raw);
        HOLDS(slice_equal(text, slice_of_bytes(raw, n)));
    }
    return 0;
}
