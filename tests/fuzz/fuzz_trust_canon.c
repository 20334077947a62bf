/* The canonical form of what was read from a canonical form is itself; so is that of the wire form.
 */
#include "base/json.h"
#include "tests/fuzz/fuzz.h"
#include "trust/verify/canon.h"

static bool has_control(const struct buf *b)
{
    for (size_t i = 0; i < b->n; i++) {
        if ((unsigned char)b->p[i] < 0x20) {
            return true;
        }
    }
    return false;
}

static void check_again(const struct buf *form, const struct buf *canonical)
{
    auto_json json_t *value = NULL;
    auto_buf struct buf again = {0};

    HOLDS(json_read(buf_slice_of(form), 64, &value, NULL));
    HOLDS(canon_encode(value, &again, NULL));
    HOLDS(slice_equal(buf_slice_of(canonical), buf_slice_of(&again)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_json json_t *value = NULL;
    auto_buf struct buf canonical = {0};
    auto_buf struct buf wire = {0};
    struct err err = {0};

    if (!json_read(slice_of_bytes(data, size), 64, &value, &err)) {
        return 0;
    }
    if (!canon_encode(value, &canonical, &err)) {
        HOLDS(err.code == ERR_INVALID && !canon_encode_wire(value, &wire, NULL));
        return 0;
    }
    HOLDS(canon_encode_wire(value, &wire, NULL));
    if (!has_control(&canonical)) { /* raw control characters are canonical, and no JSON */
        check_again(&canonical, &canonical);
        check_again(&wire, &canonical);
    }
    return 0;
}
