/* The handshake of a TLS connection, taken out of the HTTP library's hands.
 *
 * With epoll, libmicrohttpd 0.9.75 calls gnutls_handshake again and again, without a pause, until the
 * handshake is done: one byte of a stranger would keep a thread busy for a minute. (With poll it
 * waits, but takes in one connection per turn of its loop, so a crowd keeps everybody out.) Its
 * reading of records does wait. So the program has functions of its own by the names of
 * gnutls_handshake and gnutls_record_recv, which the dynamic linker gives to the library: the first
 * one says at once that all is done, the second one goes on with the handshake until it is, and says
 * meanwhile that there is nothing to read. Sessions that were not begun here pass through. Should the
 * linker not do so, TLS works as before; a test looks at the processor time.
 *
 * Owns: how far a session's handshake is. Refuses to know: certificates (server/tls.h). */
#ifndef SERVER_TLS_SESSION_H
#define SERVER_TLS_SESSION_H

#include <gnutls/gnutls.h>

struct tls;

/* What hangs on a session's own pointer: one place for each state that a handshake can be in, shared
 * by all sessions. So nothing is to be freed with a session, whose end the library does not always
 * tell. Part of struct tls; constant after tls_session_places. */
struct tls_session_place {
    struct tls *tls;
    int progress;
};
#define TLS_SESSION_PLACES 3
void tls_session_places(struct tls *tls, struct tls_session_place places[TLS_SESSION_PLACES]);

/* A connection began: its handshake is to be done while reading. Loop threads.
 *   places   borrowed: must outlive the session */
void tls_session_begin(gnutls_session_t session, struct tls_session_place *places);
/* What it began with. */
struct tls *tls_session_tls(gnutls_session_t session);

#endif
