/* A request to the server that has a data folder open, over its control socket: for verbs that work
 * while it runs. Owns: just enough HTTP/1.1. Refuses to know: what is asked. */
#ifndef SERVER_CONTROL_CLIENT_H
#define SERVER_CONTROL_CLIENT_H

#include "base/err.h"
#include "base/json.h"

/* One request without a body on DIR/run/control.sock.
 *   method, path   our own literals, or a path made of checked names
 *   out            the JSON of a 2xx answer; new reference
 * Expected errors: ERR_BUSY (no server listens there, or it ended in the middle), ERR_INVALID with
 * the server's sentence for any other status. Blocks. */
bool control_request(const char *data_dir, const char *method, const char *path, json_t **out,
                     struct err *err) MUST_USE;

#endif
