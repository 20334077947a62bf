/* The stock client's command line, for sentences that tell people what to run. Said here once, for the
 * server and for `bond`. */
#ifndef TRUST_VERIFY_NOTARY_CLIENT_H
#define TRUST_VERIFY_NOTARY_CLIENT_H

#include "base/buf.h"

/* "notary -s https://HOST --tlscacert ca.crt -d ~/.docker/trust": the client with this server and with
 * the folder of keys that docker has; what is to be done comes behind it.
 *   host   HOST[:PORT], checked: a shell will read it */
static inline void notary_client_write(const char *host, struct buf *out)
{
    buf_printf(out, "notary -s https://%s --tlscacert ca.crt -d ~/.docker/trust", host);
}

#endif
