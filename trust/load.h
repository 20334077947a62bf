/* From stored rows to the bytes that verification works on (gate.md 4): one repository, one
 * snapshot, owning copies. */
#ifndef TRUST_LOAD_H
#define TRUST_LOAD_H

#include "storage/repository.h"
#include "storage/trust_doc.h"
#include "storage/trust_key.h"
#include "storage/trust_pin.h"
#include "trust/trust.h"
#include "trust/verify/state.h"

/* Signatures that the server puts on a document at most: more than a document may carry are of no
 * use, and a threshold above it cannot be met. */
#define SERVER_SIGNATURES_MAX SIG_SIGNERS_MAX

struct trust_loaded {
    struct repo_name repo;
    struct trust_doc_list roots, current;
    struct trust_role_life_list lives;
    struct trust_key_list keys;
    struct pin_list pin_rows, revoked_rows;
    struct trust_file *root_files, *files;
    struct tuf_doc **known; /* what `parsed` of files refers to; ends in NULL */
    struct trust_seen *seen;
    struct spki *pin, *revoked;
    struct trust_revocation *revocations;
    struct buf gun;
    struct trust_set set; /* borrows from all of the above */
};

/* Reads everything about `repo` in tx. Documents that were read before come read (documents.h). Dispose `out` in any case. Expected errors: ERR_INTERNAL. */
bool trust_load(const struct trust *trust, struct db_tx *tx, const struct repository *repo,
                struct trust_loaded *out, struct err *err) MUST_USE;
void trust_loaded_dispose(struct trust_loaded *loaded);
#define auto_trust_loaded __attribute__((cleanup(trust_loaded_dispose)))

/* The server's key of this id made for this role, or NULL. `spki` may be NULL. */
const struct trust_key *trust_loaded_key(const struct trust_loaded *loaded, enum role_kind role,
                                         const char *key_id, const struct spki *spki);
/* The server's keys that `keys` of the root lists, first come; how many were written (at most max).
 */
size_t trust_loaded_keys(const struct trust_loaded *loaded, const struct tuf_role_keys *keys,
                         enum role_kind role, const struct trust_key **out, size_t max);
/* True when the server holds enough of a root's keys for this role to sign for it. */
bool trust_loaded_holds(const struct trust_loaded *loaded, const struct tuf_role_keys *keys,
                        enum role_kind role);
/* Whether the current document of a role has come to the time at which the server makes it anew. */
bool trust_loaded_due(const struct trust_loaded *loaded, enum role_kind role, int64_t now_us);
/* Options for verifying at `now_us`: what the server can renew by itself counts as renewed. */
void trust_loaded_options(const struct trust_loaded *loaded, int64_t now_us,
                          struct trust_options *out);

#endif
