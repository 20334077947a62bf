/* One text per value: what is decoded is encoded to exactly what was given. Then the writers of
 * JSON, HTML, URLs and log lines over the same bytes. */
#include "base/hex.h"
#include "base/log.h"
#include "tests/fuzz/fuzz.h"

static void check_base64(struct slice text)
{
    auto_buf struct buf bytes = {0};
    auto_buf struct buf back = {0};
    if (base64_decode(text, &bytes)) {
        base64_encode(&back, buf_slice_of(&bytes));
        HOLDS(slice_equal(text, buf_slice_of(&back)));
    }
    buf_clear(&bytes);
    buf_clear(&back);
    if (base64url_decode(text, &bytes)) {
        base64url_encode(&back, buf_slice_of(&bytes));
        HOLDS(slice_equal(text, buf_slice_of(&back)));
    }
}

static void check_hex(struct slice text)
{
    char back[129];
    uint8_t bytes[64];
    if (text.n / 2 <= sizeof(bytes) && hex_decode(text, bytes, text.n / 2)) {
        HOLDS(slice_is(text, hex_encode(bytes, text.n / 2, back)));
    }
}

static void check_writers(struct slice text)
{
    auto_buf struct buf out = {0};
    char quoted[64];
    buf_json_string(&out, text);
    auto_json json_t *value = json_loadb(out.p, out.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    HOLDS(json_is_string(value));
    HOLDS(!slice_is_utf8(text) ||
          (json_string_length(value) == text.n &&
           slice_equal(text, slice_of_bytes(json_string_value(value), text.n))));
    buf_clear(&out);
    buf_url(&out, text);
    HOLDS(slice_is_utf8(buf_slice_of(&out)) && slice_index(buf_slice_of(&out), '/') < 0);
    HOLDS(strlen(log_quote(text, quoted, sizeof(quoted))) < sizeof(quoted));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_of_bytes(data, size);
    check_base64(text);
    check_hex(text);
    check_writers(text);
    return 0;
}
