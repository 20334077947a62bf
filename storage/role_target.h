/* Role history: which tag each role listed as what, from when to when and why no longer. Only tells
 * the past (revoked, superseded within grace); what is listed now is decided from the verified
 * documents.
 * Owns: the role_target table.
 * Invariant: for one (repository, role, incarnation, tag) at most one row is open, and rows do not
 * overlap. */
#ifndef STORAGE_ROLE_TARGET_H
#define STORAGE_ROLE_TARGET_H

#include "base/db.h"
#include "base/digest.h"
#include "storage/trust_doc.h"

#define TARGET_NAME_MAX 255
#define TARGET_SIGNERS_MAX 16

enum role_target_why {
    ROLE_TARGET_LISTED = 0,     /* still listed */
    ROLE_TARGET_REPLACED = 1,   /* the tag got another digest or length, or came to lie outside of
                                   the role's paths, or inside */
    ROLE_TARGET_WITHDRAWN = 2,  /* no longer listed */
    ROLE_TARGET_ROLE_ENDED = 3, /* the role is no longer delegated, or was reset */
    ROLE_TARGET_WIPED = 4
};

struct role_target {
    char role[TRUST_ROLE_NAME_MAX + 1];
    int64_t incarnation; /* of the role */
    char tag[TARGET_NAME_MAX + 1];
    struct digest sha256, sha512; /* each may be unset */
    int64_t length;
    int64_t since_us, since_version; /* first document that listed it so */
    int64_t last_version;            /* last document that listed it so */
    int64_t until_us;                /* 0 = still listed */
    enum role_target_why why;
    uint8_t signers[TARGET_SIGNERS_MAX][32]; /* SPKI hashes that signed the last document */
    int signer_count;
    bool outside; /* of the role's paths: listed, but not its to say */
};
struct role_target_list {
    struct role_target *items;
    size_t count;
};
void role_target_list_dispose(struct role_target_list *list);
static inline void cleanup_role_target_list(struct role_target_list *list)
{
    role_target_list_dispose(list);
}
#define auto_role_target_list __attribute__((cleanup(cleanup_role_target_list)))

struct role_target_entry {
    struct slice tag; /* names above TARGET_NAME_MAX bytes are no tags and are left out */
    struct digest sha256, sha512; /* each may be unset */
    int64_t length;
    bool outside; /* of the paths that the role's parent gives it */
};
/* Brings the history up to date with a document just stored by trust_doc_put: what is new opens,
 * what changed is replaced, what is missing is withdrawn, what stays has the signers of this one.
 *   entries   sorted by tag, byte-wise, no duplicates
 *   signers   SPKI hashes whose signatures on the document are valid
 * Writer, in the same transaction as trust_doc_put. */
bool role_target_update(struct db_tx *tx, int64_t repository_id, struct slice role, int64_t version,
                        const struct role_target_entry *entries, size_t entry_count,
                        const uint8_t (*signers)[32], int signer_count, int64_t now_us,
                        struct err *err) MUST_USE;
/* The paths that its parent gives a role may have changed, and its document stays: rows that lie on the
 * other side now end as replaced, and go on as new ones.
 *   covers   is the tag inside the paths?
 * Writer. */
bool role_target_turn(struct db_tx *tx, int64_t repository_id, struct slice role,
                      bool (*covers)(const void *arg, struct slice tag), const void *arg, int64_t now_us,
                      struct err *err) MUST_USE;
/* Closes every open row of a role (of all roles when empty). Writer; trust_role_end and
 * trust_doc_wipe call it. */
bool role_target_close(struct db_tx *tx, int64_t repository_id, struct slice role,
                       enum role_target_why why, int64_t now_us, struct err *err) MUST_USE;

/* The history of a tag in a role over all its lives, newest first: rows that began at or before
 * `until_us`, at most `max`. What lies further back can only add to what is in grace, so without it
 * the gate refuses what it would have let through, never the reverse: a withdrawal is followed by
 * nothing until the tag is listed anew. Any tx. */
#define ROLE_TARGET_HISTORY_MAX 10000
bool role_target_history(struct db_tx *tx, int64_t repository_id, struct slice role,
                         struct slice tag, int64_t until_us, int max, struct role_target_list *out,
                         struct err *err) MUST_USE;
/* Calls `visit` for every row that a role ever had in all its lives, in no order; the row is gone
 * when it returns. Any tx. */
bool role_target_walk(struct db_tx *tx, int64_t repository_id, struct slice role,
                      void (*visit)(void *arg, const struct role_target *row), void *arg,
                      struct err *err) MUST_USE;
/* The open rows of a role. Any tx. */
bool role_target_listed(struct db_tx *tx, int64_t repository_id, struct slice role,
                        struct role_target_list *out, struct err *err) MUST_USE;
/* Rows of any role that ended at or after `since_us`, oldest end first (grace). Any tx. */
bool role_target_ended_since(struct db_tx *tx, int64_t repository_id, int64_t since_us,
                             struct role_target_list *out, struct err *err) MUST_USE;
/* True in *out when a digest is or was a target of this repository. Any tx. */
bool role_target_names(struct db_tx *tx, int64_t repository_id, const struct digest *digest,
                       bool *out, struct err *err) MUST_USE;
/* The next repository, by id, in which `targets` or `targets/releases` lists this digest now.
 *   after    ids above this one
 *   id_out   0: there is none
 * Any tx. */
bool role_target_next_repository(struct db_tx *tx, const struct digest *digest, int64_t after,
                                 int64_t *id_out, struct err *err) MUST_USE;
/* Tags that some role lists as this digest now, by name, at most `max`.
 *   out   room for `max` of them
 * Any tx. */
struct role_target_tag {
    char text[TARGET_NAME_MAX + 1];
};
bool role_target_tags(struct db_tx *tx, int64_t repository_id, const struct digest *digest, int max,
                      struct role_target_tag *out, int *count_out, struct err *err) MUST_USE;
/* True in *out when anything is or was a target of this repository. Any tx. */
bool role_target_any(struct db_tx *tx, int64_t repository_id, bool *out, struct err *err) MUST_USE;
/* True in *out when some role lists this tag now. Any tx. */
bool role_target_lists_tag(struct db_tx *tx, int64_t repository_id, struct slice tag, bool *out,
                           struct err *err) MUST_USE;
/* Whether a digest is a target of this repository now, or was at or after `since_us`.
 *   end_out   0 = it is now; -1 = not at all; else when it ended
 * Any tx. */
bool role_target_end(struct db_tx *tx, int64_t repository_id, const struct digest *digest,
                     int64_t since_us, int64_t *end_out, struct err *err) MUST_USE;

#endif
