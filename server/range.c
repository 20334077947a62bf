#include "server/range.h"

#define UNIT "bytes="

/* Digits and nothing else. RFC 9110 gives them no end: above INT64_MAX they count as that, which no blob has. */
static bool position_parse(struct slice text, int64_t *out)
{
    int64_t value = 0;
    for (size_t i = 0; i < text.n; i++) {
        int digit = text.p[i] - '0';
        if (digit < 0 || digit > 9) {
            return false;
        }
        value = value > (INT64_MAX - digit) / 10 ? INT64_MAX : value * 10 + digit;
    }
    *out = value;
    return text.n > 0;
}

static enum range_verdict suffix_range(struct slice text, int64_t size, int64_t *first,
                                       int64_t *length)
{
    int64_t last_bytes = 0;
    if (!position_parse(text, &last_bytes)) {
        return RANGE_NONE;
    }
    if (last_bytes == 0 || size == 0) {
        return RANGE_UNSATISFIABLE;
    }
    *length = last_bytes < size ? last_bytes : size;
    *first = size - *length;
    return RANGE_OK;
}

enum range_verdict range_parse(const char *header, int64_t size, int64_t *first_out,
                               int64_t *length_out)
{
    struct slice text = slice_trim(slice_str(header));
    if (header == NULL || !slice_starts(text, UNIT)) {
        return RANGE_NONE;
    }
    text = slice_from(text, sizeof(UNIT) - 1);
    ptrdiff_t dash = slice_index(text, '-');
    if (dash < 0 || slice_index(text, ',') >= 0) {
        return RANGE_NONE;
    }
    struct slice left = slice_first(text, (size_t)dash);
    struct slice right = slice_from(text, (size_t)dash + 1);
    if (left.n == 0) {
        return suffix_range(right, size, first_out, length_out);
    }
    int64_t first = 0;
    int64_t last = size - 1;
    if (!position_parse(left, &first) || (right.n > 0 && !position_parse(right, &last))) {
        return RANGE_NONE;
    }
    if (first >= size || last < first) {
        return RANGE_UNSATISFIABLE;
    }
    if (last > size - 1) {
        last = size - 1;
    }
    *first_out = first;
    *length_out = last - first + 1;
    return RANGE_OK;
}

bool content_range_parse(const char *header, int64_t *first_out, int64_t *last_out)
{
    struct slice text = slice_trim(slice_str(header));
    if (slice_starts(text, "bytes ")) {
        text = slice_from(text, sizeof("bytes ") - 1);
    }
    ptrdiff_t slash = slice_index(text, '/');
    if (slash >= 0) {
        text = slice_first(text, (size_t)slash);
    }
    ptrdiff_t dash = slice_index(text, '-');
    if (dash <= 0) {
        return false;
    }
    int64_t first = 0;
    int64_t last = 0;
    if (!slice_to_int64(slice_first(text, (size_t)dash), &first) ||
        !slice_to_int64(slice_from(text, (size_t)dash + 1), &last) || last < first ||
        last == INT64_MAX) { /* whose length would be no number */
        return false;
    }
    *first_out = first;
    *last_out = last;
    return true;
}
