/* Server-held keys (key_pair.h), one life of keys per (repository, role), private parts sealed on disk
 * with secrets/sealing.key (sealing.h, notary-api 8). Owns: creation, signing. A key signs for the
 * (repository, role) it was made for and for nothing else. */
#ifndef TRUST_KEYS_H
#define TRUST_KEYS_H

#include "base/buf.h"
#include "base/db.h"
#include "base/name.h"
#include "storage/actor.h"
#include "storage/trust_key.h"
#include "trust/sealing.h"
#include "trust/trust.h"
#include "trust/verify/doc.h"

/* A key as it will be stored. */
struct held_key {
    struct buf public_der; /* SubjectPublicKeyInfo */
    struct buf sealed;     /* the private half */
    char id[KEY_ID_MAX];   /* TUF key id */
};
void held_key_dispose(struct held_key *key);
#define auto_held_key __attribute__((cleanup(held_key_dispose)))

/* A fresh P-256 key pair for one repository and role ("timestamp" or "snapshot"). Dispose out. */
bool held_key_make(const struct sealing *sealing, const struct repo_name *repo, const char *role,
                   struct held_key *out, struct err *err) MUST_USE;
/* The same for a key pair made elsewhere.
 *   form   as key_pair_adopt
 * Expected errors: ERR_INVALID (as key_pair_adopt). */
bool held_key_adopt(const struct sealing *sealing, const struct repo_name *repo, const char *role,
                    struct slice form, struct held_key *out, struct err *err) MUST_USE;
/* The row of such a key. Borrows from all. */
void held_key_row(const struct sealing *sealing, const struct held_key *key, const char *role,
                  struct trust_key_new *out);
/* Signs `bytes` (canonical): appends as key_pair_sign.
 * Expected errors: ERR_INTERNAL (the sealing key does not open it; it was sealed for another
 * repository, role or key). */
bool held_key_sign(const struct sealing *sealing, const struct repo_name *repo,
                   const struct trust_key *key, struct slice bytes, struct buf *sig_out,
                   struct err *err) MUST_USE;
/* Whether it opens and is the private half of its row. Errors as held_key_sign.
 *   repository   "ns/app" */
bool held_key_opens(const struct sealing *sealing, struct slice repository,
                    const struct trust_key *key, struct err *err) MUST_USE;
/* The key sealed anew, by sealing_id(to); what an earlier version sealed is bound to its place by it.
 * Errors as held_key_sign. */
bool held_key_reseal(const struct sealing *from, const struct sealing *to, struct slice repository,
                     const struct trust_key *key, struct buf *sealed_out, struct err *err) MUST_USE;
/* Builds a signed document {"signed":S,"signatures":[…]} in wire form (notary-api 14), signed by
 * every key given. */
bool trust_sign_document(const struct sealing *sealing, const struct repo_name *repo,
                         const json_t *signed_part, const struct trust_key *const *keys,
                         size_t key_count, struct buf *wire_out, struct err *err) MUST_USE;

/* GET …/<role>.key: the first key of that role in the current root that the server holds, else the
 * pending key of (repository, role), created when there is none. rotate (POST): always the pending
 * key. Makes the repository's row when needed.
 *   role       ROLE_TIMESTAMP or ROLE_SNAPSHOT
 *   by         who asks; may be NULL. A key is made only if he may still (storage/actor.h)
 *   json_out   {"keytype","keyval":{"public","private":null}}
 * Expected errors: ERR_NAMESPACE_UNKNOWN, those of actor_may_still. Worker threads; durable when it
 * creates. */
bool server_key_current(struct trust *trust, const struct repo_name *repo, enum role_kind role,
                        const struct actor *by, int64_t now_us, struct buf *json_out,
                        struct err *err) MUST_USE;
bool server_key_rotate(struct trust *trust, const struct repo_name *repo, enum role_kind role,
                       const struct actor *by, int64_t now_us, struct buf *json_out,
                       struct err *err) MUST_USE;

#endif
