/* What is read obeys the depth, is UTF-8, and means the same after it was written and read. */
#include "base/json.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_of_bytes(data, size);
    auto_json json_t *value = NULL;
    auto_json json_t *again = NULL;
    auto_buf struct buf out = {0};
    struct err err = {0};
    if (!json_read(text, JSON_DEPTH_DEFAULT, &value, &err)) {
        HOLDS(value == NULL && err.code == ERR_REQUEST_INVALID);
        HOLDS(slice_is_utf8(slice_str(err.msg)));
        return 0;
    }
    HOLDS(json_depth(text, JSON_DEPTH_DEFAULT) >= 0);
    json_write(&out, value);
    HOLDS(!out.failed && slice_is_utf8(buf_slice_of(&out)));
    HOLDS(json_read(buf_slice_of(&out), JSON_DEPTH_DEFAULT, &again, NULL));
    HOLDS(json_equal(value, again));
    return 0;
}
