#include "base/unit.h"

bool unit_read(struct slice text, const struct unit *units, size_t count, int64_t *out)
{
    size_t digits = 0;
    while (digits < text.n && text.p[digits] >= '0' && text.p[digits] <= '9') {
        digits++;
    }
    struct slice name = slice_trim(slice_from(text, digits));
    int64_t number = 0;
    if (!slice_to_int64(slice_first(text, digits), &number)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (slice_is(name, units[i].name)) {
            return !__builtin_mul_overflow(number, units[i].factor, out);
        }
    }
    return false;
}
