/* An instant that was read is written in our own form and read back as the same instant. */
#include "base/clock.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int64_t us = 0;
    int64_t back = 0;
    char text[TIME_STR_MAX];
    if (size == sizeof(us)) {
        memcpy(&us, data, sizeof(us));
        HOLDS(strlen(time_format(us, text)) < TIME_STR_MAX);
        HOLDS(strlen(time_format_http(us, text)) < TIME_STR_MAX);
    }
    if (time_parse(slice_of_bytes(data, size), &us)) {
        /* an offset may lead out of the years that have four digits */
        bool in_range = us >= INT64_C(-62135596800) * US_PER_SECOND &&
                        us < INT64_C(253402300800) * US_PER_SECOND;
        HOLDS(!in_range || (time_parse(slice_str(time_format(us, text)), &back) && back == us));
    }
    return 0;
}
