/* Writing what publish and renewal made, in one transaction: documents, history, keys, pins, change
 * record. */
#ifndef TRUST_COMMIT_H
#define TRUST_COMMIT_H

#include "trust/load.h"

struct trust_commit {
    const struct repository *repo;
    const struct trust_loaded *loaded; /* what the decision was made from: must still be so */
    const struct tuf_doc *const
        *docs; /* to store: root first, then the others, snapshot, timestamp */
    size_t doc_count;
    const struct trust_state *state; /* verified state with these documents: signers of each role */
    const char *const *ended_roles;
    size_t ended_count;
    const struct tuf_doc *root; /* in force afterwards: which server keys are active */
    const struct spki *pin;     /* first root: its keys; NULL = the pin stays */
    size_t pin_count;
    const struct spki *accept; /* keys that enter the namespace's set */
    size_t accept_count;
    const struct tuf_doc *timestamp; /* new; makes the change record */
    const struct actor *actor;
    const char *audit_action; /* NULL = no audit entry (renewal) */
    int64_t space_max; /* bytes that all trust documents of the namespace may take; 0 = no limit */
    int64_t now_us;
    struct trust_role_life_list *reached; /* out: what the roles have reached, for the checkpoint */
};

/* Borrowed. Of `targets`: &role_paths_all. */
struct role_paths {
    const char *const *items;
    size_t count;
};
extern const struct role_paths role_paths_all;

/* db_write function; arg is a const struct trust_commit. Expected errors: ERR_CONFLICT when the
 * repository's trust data is no longer what was loaded (load and decide again), ERR_TRUST_VERSION,
 * ERR_TRUST_INVALID_UPDATE (the namespace's trust data would take more than space_max). */
bool trust_commit_write(struct db_tx *tx, void *arg, struct err *err) MUST_USE;

/* Parts of it, for documents that come in another way (import.h).
 * The row of a document, without renew_us. Borrows from it. Any thread. */
void trust_commit_row(const struct tuf_doc *doc, struct trust_doc_new *out);
/* Its renew_us: half of the life that this document has, whatever lives the present settings give to
 * new ones; 0 for what the server does not make, and for a snapshot by a client's key.
 *   root, loaded   the root in force, and the server's keys */
int64_t trust_commit_renewal(const struct tuf_doc *doc, const struct tuf_doc *root,
                             const struct trust_loaded *loaded, int64_t accepted_us);
/* All below: writer.
 * What a document of targets or of a delegation lists becomes history.
 *   paths       that its parent gives it
 *   signed_by   may be NULL: nobody */
bool trust_commit_listing(struct db_tx *tx, int64_t repository_id, const struct tuf_doc *doc,
                          const struct role_paths *paths, const struct sig_count *signed_by,
                          int64_t now_us, struct err *err) MUST_USE;
/* A delegation whose document stays may have got other paths. */
bool trust_commit_paths(struct db_tx *tx, int64_t repository_id, struct slice role,
                        const struct role_paths *paths, int64_t now_us, struct err *err) MUST_USE;
/* A key of the server's roles that the root in force names is active from now on; one that was and
 * is not named any more is retired. */
bool trust_commit_key_states(struct db_tx *tx, const struct trust_key_list *keys,
                             const struct tuf_doc *root, struct err *err) MUST_USE;

#endif
