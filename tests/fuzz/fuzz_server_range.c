/* A range that is taken lies inside the representation and is the one that was written; a chunk's
 * range is what its text says. The first 8 bytes of the input are the size, the rest is the header. */
#include "base/buf.h"
#include "server/range.h"
#include "tests/fuzz/fuzz.h"

#include <inttypes.h>
#include <stdio.h>

/* Written out again, the range is the same one; one byte longer, it is cut to the size. */
static void check_again(int64_t first, int64_t length, int64_t size)
{
    char text[64];
    int64_t again_first = -1;
    int64_t again_length = -1;
    (void)snprintf(text, sizeof(text), "bytes=%" PRId64 "-%" PRId64, first, first + length - 1);
    HOLDS(range_parse(text, size, &again_first, &again_length) == RANGE_OK);
    HOLDS(again_first == first && again_length == length);
    (void)snprintf(text, sizeof(text), "bytes=%" PRId64 "-", first);
    HOLDS(range_parse(text, size, &again_first, &again_length) == RANGE_OK);
    HOLDS(again_first == first && again_length == size - first);
    (void)snprintf(text, sizeof(text), "bytes=-%" PRId64, size - first);
    HOLDS(range_parse(text, size, &again_first, &again_length) == RANGE_OK);
    HOLDS(again_first == first && again_length == size - first);
}

static void check_range(const char *header, int64_t size)
{
    int64_t first = -1;
    int64_t length = -1;
    switch (range_parse(header, size, &first, &length)) {
    case RANGE_OK:
        HOLDS(first >= 0 && length > 0 && first < size && length <= size - first);
        check_again(first, length, size);
        break;
    case RANGE_NONE:
    case RANGE_UNSATISFIABLE:
        HOLDS(first == -1 && length == -1);
        break;
    }
}

static void check_chunk(const char *header)
{
    char text[64];
    int64_t first = -1;
    int64_t last = -1;
    if (!content_range_parse(header, &first, &last)) {
        HOLDS(first == -1 && last == -1);
        return;
    }
    int64_t again_first = -1;
    int64_t again_last = -1;
    HOLDS(first >= 0 && last >= first);
    (void)snprintf(text, sizeof(text), "%" PRId64 "-%" PRId64, first, last);
    HOLDS(content_range_parse(text, &again_first, &again_last));
    HOLDS(again_first == first && again_last == last);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int64_t whole = 0;
    if (size < sizeof(whole)) {
        return 0;
    }
    memcpy(&whole, data, sizeof(whole));
    auto_free char *header = xstrndup((const char *)data + sizeof(whole), size - sizeof(whole));
    check_range(header, whole & INT64_MAX);
    check_range(header, whole & 0xff);
    check_chunk(header);
    return 0;
}
