/* When the signed documents of repositories end that the server may not renew by itself, kept beside
 * them so that nobody walks over all repositories to find out.
 * Owns: the trust_expiry table. Refuses to know: what a document says, who must act (trust/expiry.h).
 * Invariant: of a repository and a role there is one row at most, of the current document. */
#ifndef STORAGE_TRUST_EXPIRY_H
#define STORAGE_TRUST_EXPIRY_H

#include "base/db.h"
#include "base/name.h"
#include "storage/trust_doc.h"

enum expiry_kind {
    EXPIRY_ROOT = 1,
    EXPIRY_CERTIFICATE = 2, /* of the root keys */
    EXPIRY_TARGETS = 3,
    EXPIRY_DELEGATION = 4,
    EXPIRY_SNAPSHOT = 5 /* whose key the server does not hold */
};
#define EXPIRY_KINDS 5

struct expiry {
    int64_t repository_id;
    struct repo_name repo;
    enum expiry_kind kind;
    char role[TRUST_ROLE_NAME_MAX + 1]; /* "root" of a certificate too */
    int64_t expires_us;
};
struct expiry_list {
    struct expiry *items;
    size_t count;
};
void expiry_list_dispose(struct expiry_list *list);
static inline void cleanup_expiry_list(struct expiry_list *list)
{
    expiry_list_dispose(list);
}
#define auto_expiry_list __attribute__((cleanup(cleanup_expiry_list)))

/* Makes or replaces the row of a role.
 *   expires_us   0 = nobody looked yet (expiry_unknown)
 * Writer. */
bool expiry_put(struct db_tx *tx, int64_t repository_id, enum expiry_kind kind, struct slice role,
                int64_t expires_us, struct err *err) MUST_USE;
/* What is not there is no error. Writer. */
bool expiry_remove(struct db_tx *tx, int64_t repository_id, enum expiry_kind kind,
                   struct slice role, struct err *err) MUST_USE;
/* The same for a role, whatever the kind; an empty role: all of the repository. Writer; trust_role_end
 * and trust_doc_wipe call it. */
bool expiry_remove_role(struct db_tx *tx, int64_t repository_id, struct slice role,
                        struct err *err) MUST_USE;

/* The place in the order of a list to go on from; all zero: from the start. */
struct expiry_place {
    int64_t expires_us, repository_id;
    enum expiry_kind kind;
    char role[TRUST_ROLE_NAME_MAX + 1];
};
/* What ends before `before_us`, first ends first; of deleted repositories nothing.
 *   namespace_id   0 = of all namespaces
 * Any tx. */
bool expiry_list_before(struct db_tx *tx, int64_t namespace_id, int64_t before_us,
                        const struct expiry_place *after, int max, struct expiry_list *out,
                        struct err *err) MUST_USE;
/* All rows of one repository, by kind and role. Any tx. */
bool expiry_list_repository(struct db_tx *tx, int64_t repository_id, struct expiry_list *out,
                            struct err *err) MUST_USE;
/* How many of a kind end before `before_us`. Any tx. */
bool expiry_count(struct db_tx *tx, enum expiry_kind kind, int64_t before_us, int64_t *out,
                  struct err *err) MUST_USE;
/* Repositories that have a row with expires_us 0, at most `max`. Any tx. */
bool expiry_unknown(struct db_tx *tx, int max, struct expiry_list *out, struct err *err) MUST_USE;

#endif
