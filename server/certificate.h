/* Makes the certificates of `bondstore init`: a CA of its own and a server certificate under it,
 * ECDSA P-256 (OpenSSL).
 *
 * Owns: their contents. Refuses to know: where they are used. */
#ifndef SERVER_CERTIFICATE_H
#define SERVER_CERTIFICATE_H

#include "base/buf.h"
#include "base/err.h"

struct certificate_set {
    struct buf ca_certificate, ca_key, server_certificate, server_key; /* PEM */
};

/*   host   name or address; also named are localhost, 127.0.0.1 and ::1
 * The CA lives ten years, the server's certificate 825 days (what Apple's clients accept at most).
 */
bool certificate_make(const char *host, int64_t now_us, struct certificate_set *out,
                      struct err *err) MUST_USE;
void certificate_set_dispose(struct certificate_set *set); /* wipes the keys */

#endif
