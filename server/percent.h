/* Percent-encoding (RFC 3986 section 2.1), one character at a time. Pure. */
#ifndef SERVER_PERCENT_H
#define SERVER_PERCENT_H

#include "base/slice.h"

/* Takes one character off the front: a byte as it stands, or what %XX means.
 *   rest   not empty; shortened by 1 or 3
 * False: a '%' that two hexadecimal digits do not follow. */
bool percent_next(struct slice *rest, char *out);

#endif
