/* Parts lie inside the body, in order, without overlap; a body that was taken apart has an end. The
 * first line of the input is the Content-Type. */
#include "server/multipart.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_of_bytes(data, size);
    struct slice type;
    struct err err = {0};
    auto_multipart struct multipart m = {0};
    if (!slice_next(&text, '\n', &type) || text.p == NULL) {
        return 0;
    }
    auto_free char *type_text = xstrndup(type.p, type.n);
    if (!multipart_parse(type_text, text, &m, &err)) {
        HOLDS(m.count == 0 && m.parts == NULL && err.code == ERR_TRUST_MALFORMED_UPLOAD);
        return 0;
    }
    const char *at = text.p;
    for (size_t i = 0; i < m.count; i++) {
        const struct multipart_part *part = &m.parts[i];
        HOLDS(part->bytes.p >= at && part->bytes.p + part->bytes.n <= text.p + text.n);
        HOLDS(part->has_filename || part->filename.n == 0);
        HOLDS(part->filename.n == 0 ||
              (part->filename.p >= at && part->filename.p < part->bytes.p));
        at = part->bytes.p + part->bytes.n;
    }
    HOLDS(m.count <= MULTIPART_PARTS_MAX);
    return 0;
}
