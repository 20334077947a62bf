/* Referrers: the manifests of a repository that name a subject (OCI distribution 1.1, "Listing
 * Referrers").
 * Owns: nothing; reads the manifest table through its index on the subject. */
#ifndef STORAGE_REFERRER_H
#define STORAGE_REFERRER_H

#include "base/db.h"
#include "storage/manifest_doc.h"

struct referrer {
    struct digest digest;
    int64_t size;
    char media_type[MEDIA_TYPE_MAX + 1];
    char artifact_type[MEDIA_TYPE_MAX + 1]; /* "" = leave it out */
    char *annotations; /* JSON text of the manifest's annotations, NULL when it has none */
};
struct referrer_list {
    struct referrer *items;
    size_t count;
    bool more; /* a next page exists */
};
/* A page of referrers by digest. The subject need not exist.
 *   artifact_type   only these; empty = all
 *   after           digests after this one (stored form order); unset = from the start
 *   max             1 … 1,000
 * Any tx. */
bool referrer_list(struct db_tx *tx, int64_t repository_id, const struct digest *subject,
                   struct slice artifact_type, const struct digest *after, int max,
                   struct referrer_list *out, struct err *err) MUST_USE;
void referrer_list_dispose(struct referrer_list *list);
static inline void cleanup_referrer_list(struct referrer_list *list)
{
    referrer_list_dispose(list);
}
#define auto_referrer_list __attribute__((cleanup(cleanup_referrer_list)))

#endif
