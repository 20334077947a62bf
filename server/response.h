/* Replies on the wire: from struct reply to the HTTP library.
 *
 * Owns: headers that every answer has, files by sendfile or, under TLS, in blocks, and answers
 * written by hand (own reason phrase; refusals in the middle of a body). */
#ifndef SERVER_RESPONSE_H
#define SERVER_RESPONSE_H

#include "server/exchange.h"

/* Queues the reply of the exchange. Loop thread, in the first or the last call of the library's
 * handler only. */
enum MHD_Result response_queue(struct http_exchange *ex);
/* Writes the whole answer to the connection, in one piece, with `Connection: close`. Loop thread,
 * at any time before an answer began. For small replies without a file. True: it is on its way, in
 * whole or in part; nothing else may be written. False: nothing was written. */
bool response_send_raw(struct http_exchange *ex);
/* The reply can be sent with its own reason phrase: it has one, and there is no request body in the
 * way. */
bool response_wants_phrase(const struct http_exchange *ex);

#endif
