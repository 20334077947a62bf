/* What is taken as a digest is written back byte for byte, and survives the stored form. */
#include "base/digest.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_of_bytes(data, size);
    struct digest d;
    struct digest back;
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
