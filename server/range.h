/* Byte ranges as clients write them: the Range header of a download (RFC 9110 section 14.2) and the Content-Range of an
 * upload chunk (OCI distribution 1.1, "Pushing a blob in chunks": bare "first-last"). Pure. */
#ifndef SERVER_RANGE_H
#define SERVER_RANGE_H

#include "base/slice.h"

enum range_verdict {
    RANGE_NONE, /* no header, or one that is to be ignored: several ranges, another unit, not a range at all */
    RANGE_OK,
    RANGE_UNSATISFIABLE /* 416; also last before first, which conformance asks for */
};

/*   header      value of Range, NULL when absent
 *   size        bytes of the whole representation
 *   first_out, length_out   set on RANGE_OK: within [0, size)
 * A number that is too large to be counted is one beyond the end. */
enum range_verdict range_parse(const char *header, int64_t size, int64_t *first_out,
                               int64_t *length_out);

/* "first-last", optionally "bytes first-last[/total]". False when it is no such thing or last < first. */
bool content_range_parse(const char *header, int64_t *first_out, int64_t *last_out);

#endif
