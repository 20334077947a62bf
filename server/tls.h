/* Certificates of a TLS listener, read from files and read again on SIGHUP, and session tickets.
 *
 * Owns: what GnuTLS loaded. Refuses to know: listening. */
#ifndef SERVER_TLS_H
#define SERVER_TLS_H

#include "base/err.h"

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>

struct tls;

/* Expected errors: ERR_INVALID with a sentence naming the file (unreadable, no certificate, key
 * does not fit). */
bool tls_new(const char *certificate, const char *key, struct tls **out, struct err *err) MUST_USE;
/* No session may be left. Accepts NULL. */
void tls_free(struct tls *t);
/* Reads the files again; on failure the old ones stay. New connections take the new ones. One
 * thread at a time. */
bool tls_reload(struct tls *t, struct err *err) MUST_USE;
/* A connection began: its handshake is done while reading (server/tls_session.h), and its client is
 * offered tickets. The session must end before t. Loop threads. */
void tls_begin(struct tls *t, gnutls_session_t session);

/* gnutls_certificate_retrieve_function2; finds its struct tls by the session
 * (server/tls_session.h). */
int tls_retrieve(gnutls_session_t session, const gnutls_datum_t *authorities, int n_authorities,
                 const gnutls_pk_algorithm_t *algorithms, int n_algorithms, gnutls_pcert_st **chain,
                 unsigned *chain_length, gnutls_privkey_t *key);

#endif
