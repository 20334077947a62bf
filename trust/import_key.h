/* Private keys as the signer of Notary v1 keeps them (notary-api 22): a compact JWE under a pass
 * phrase. Pure. */
#ifndef TRUST_IMPORT_KEY_H
#define TRUST_IMPORT_KEY_H

#include "base/buf.h"
#include "base/err.h"

#define IMPORT_SEALED_MAX 16384       /* bytes of a JWE */
#define IMPORT_ITERATIONS_MAX 1000000 /* of PBKDF2; Notary uses 8,192 */

/* Opens a compact JWE, PBES2-HS256+A128KW with A256GCM (RFC 7516, RFC 7518 sections 4.8 and 5.3).
 *   plain_out   appended; wipe it (buf_wipe)
 * Expected errors: ERR_INVALID with the reason (not of this kind, damaged, or another pass phrase).
 * Any thread. Costs as many hashes as the document asks for, at most IMPORT_ITERATIONS_MAX. */
bool import_key_open(struct slice jwe, struct slice phrase, struct buf *plain_out,
                     struct err *err) MUST_USE;

#endif
