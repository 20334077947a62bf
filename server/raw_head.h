/* The head of a request as the HTTP library holds it, and what the library does not tell about it.
 * libmicrohttpd 0.9.75 takes lines that end in a bare LF, cuts values at a NUL, hangs a folded line
 * on the name of the header before it instead of its value, and takes a line without a name for the
 * end of the head. Another server on the way may find other headers in such a head, so it is marked
 * as malformed (RFC 9112 sections 2.2 and 5.2 allow to refuse each of them).
 *
 * All of it shows in where the texts lie. The library parses in place: in a plain head each name
 * begins two bytes (CR and LF, both zeroed) behind the text before it, and each value in the line of
 * its name. A library that copied the texts would have every request refused, none let through. Not
 * seen: three NULs or more at the very end of the last value.
 *
 * Owns: that knowledge. Refuses to know: what the headers mean (server/request_gate.h). */
#ifndef SERVER_RAW_HEAD_H
#define SERVER_RAW_HEAD_H

#include "server/request_gate.h"

#include <microhttpd.h>

/* Feeds each header line to `head`, whose method and target are set.
 *   version   as the library gave it: it lies before the first header
 * Loop threads, in the first call of a request. */
void raw_head_read(struct MHD_Connection *connection, const char *version,
                   struct request_head *head);

#endif
