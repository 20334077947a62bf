/* Server-held keys: ECDSA P-256, one life of keys per (repository, role), private parts sealed on
 * disk with secrets/sealing.key (notary-api 8). Owns: sealing, creation, signing. A key signs for
 * the (repository, role) it was made for and for nothing else. */
#ifndef TRUST_KEYS_H
#define TRUST_KEYS_H

#include "base/buf.h"
#include "base/db.h"
#include "trust/trust.h"
#include "trust/verify/doc.h"

struct sealing; /* the sealing key in sodium_malloc memory */

bool sealing_read(const char *path, struct sealing **out, struct err *err) MUST_USE;
void sealing_free(struct sealing *s); /* accepts NULL */
/* A further key of 32 bytes for one purpose, of this instance alone.
 *   purpose   8 characters */
void sealing_derive(const struct sealing *sealing, const char *purpose, uint8_t out[32]);

struct trust_key; /* storage/trust_key.h */

/* A fresh P-256 key pair.
 *   public_der_out   SubjectPublicKeyInfo
 *   sealed_out       the private half: nonce and secretbox
 *   id_out           TUF key id */
bool held_key_make(const struct sealing *sealing, struct buf *public_der_out,
                   struct buf *sealed_out, char id_out[KEY_ID_MAX], struct err *err) MUST_USE;
/* The same for a key pair made elsewhere.
 *   private_der   ECPrivateKey (SEC1) or PKCS#8
 * Expected errors: ERR_INVALID (no P-256 key). */
bool held_key_adopt(const struct sealing *sealing, struct slice private_der,
                    struct buf *public_der_out, struct buf *sealed_out, char id_out[KEY_ID_MAX],
                    struct err *err) MUST_USE;
/* Signs `bytes` (canonical): r||s, 64 raw bytes appended to sig_out.
 * Expected errors: ERR_INTERNAL (the sealing key does not open it). */
bool held_key_sign(const struct sealing *sealing, const struct trust_key *key, struct slice bytes,
                   struct buf *sig_out, struct err *err) MUST_USE;
/* Builds a signed document {"signed":S,"signatures":[…]} in wire form (notary-api 14), signed by
 * every key given. */
bool trust_sign_document(const struct sealing *sealing, const json_t *signed_part,
                         const struct trust_key *const *keys, size_t key_count,
                         struct buf *wire_out, struct err *err) MUST_USE;

/* GET …/<role>.key: the first key of that role in the current root that the server holds, else the
 * pending key of (repository, role), created when there is none. rotate (POST): always the pending
 * key. role       ROLE_TIMESTAMP or ROLE_SNAPSHOT json_out
 * {"keytype","keyval":{"public","private":null}} Makes the repository's row when needed. Expected
 * errors: ERR_NAMESPACE_UNKNOWN. Worker threads; durable when it creates. */
bool server_key_current(struct trust *trust, const struct repo_name *repo, enum role_kind role,
                        int64_t now_us, struct buf *json_out, struct err *err) MUST_USE;
bool server_key_rotate(struct trust *trust, const struct repo_name *repo, enum role_kind role,
                       int64_t now_us, struct buf *json_out, struct err *err) MUST_USE;

#endif
