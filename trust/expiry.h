/* What ends and the server may not renew: roots, root certificates, targets, delegations, and
 * snapshots whose key the client holds (gate.md 4.1). Kept up to date by every write of documents
 * (storage/trust_expiry.h). Owns: who must act, and by which command. */
#ifndef TRUST_EXPIRY_H
#define TRUST_EXPIRY_H

#include "storage/trust_expiry.h"
#include "storage/trust_key.h"
#include "trust/trust.h"
#include "trust/verify/doc.h"

/* Documents become the current ones of a repository.
 *   root   in force with them
 *   keys   all that the server holds for the repository
 * Writer, in the transaction that stores them. */
bool expiry_note(struct db_tx *tx, int64_t repository_id, struct slice gun,
                 const struct tuf_doc *root, const struct trust_key_list *keys,
                 const struct tuf_doc *const *docs, size_t doc_count, struct err *err) MUST_USE;
/* Documents came in another way: maintenance looks at the repository. Writer. */
bool expiry_note_unknown(struct db_tx *tx, int64_t repository_id, struct err *err) MUST_USE;
/* Maintenance: looks at up to `max` repositories that nobody looked at.
 *   more_out   there may be more
 * Durable. */
bool expiry_look(struct trust *trust, int max, bool *more_out, struct err *err) MUST_USE;

/* When a root stops to verify by the dates of certificates, intermediate ones too: the moment at
 * which fewer than its threshold are left of those that signed it and name the GUN, as the gate
 * counts. INT64_MAX when it does not verify anyhow. Checks signatures. */
int64_t expiry_of_certificates(const struct tuf_doc *root, struct slice gun);

/* From how long ahead it is told: expiring_within of the policy that applies.
 *   repo, ns   one of both; both NULL: the policy of the whole instance
 *   us_out     DURATION_FOREVER is possible
 * Errors as policy_for. Any tx. */
bool expiry_within(struct db_tx *tx, const struct repo_name *repo, const struct namespace_name *ns,
                   int64_t *us_out, struct err *err) MUST_USE;
/* now_us + within_us, or INT64_MAX. */
int64_t expiry_before(int64_t now_us, int64_t within_us);

/* "root", "root_certificate", "targets", "delegation", "snapshot": for metrics and JSON. */
const char *expiry_kind_name(enum expiry_kind kind);
/* Appends who must act, "the holder of the root key"; of what has run out by `now_us` an owner first. */
void expiry_who(const struct expiry *e, int64_t now_us, struct buf *out);
/* Appends the command that they run, one line for a shell: before the end to renew it, afterwards to
 * take it away and publish it again. */
void expiry_command(const struct trust *trust, const struct expiry *e, int64_t now_us,
                    struct buf *out);
/* Appends one sentence: what ends when, who does what. */
void expiry_sentence(const struct trust *trust, const struct expiry *e, int64_t now_us,
                     struct buf *out);

#endif
