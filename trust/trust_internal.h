/* What the files of trust/ share. Not for others. */
#ifndef TRUST_TRUST_INTERNAL_H
#define TRUST_TRUST_INTERNAL_H

#include "storage/trust_doc.h"
#include "trust/chains.h"
#include "trust/checkpoint.h"
#include "trust/documents.h"
#include "trust/keys.h"
#include "trust/view.h"

#include <pthread.h>

#define PUBLISH_LOCKS 64

struct trust {
    const struct store *store;
    struct db *db;
    char *host;
    char **aliases; /* NULL-terminated */
    struct sealing *sealing;
    struct gate_views *views;
    struct chains *chains;         /* root chains that were verified since the start */
    struct documents *documents;   /* documents that were read since the start */
    struct checkpoint *checkpoint; /* may be NULL */
    int64_t timestamp_life_us, snapshot_life_us;
    int64_t max_lifetime_us; /* trust_settings */
    struct trust_due
        renewed_to; /* where the maintenance thread, its only user, goes on; zero = at the start */
    struct trust_superseded collected_to; /* the same, of collection */
    int64_t namespace_bytes;              /* trust_settings */
    /* One publish or renewal of a repository at a time; striped by repository id. Taken before
     * db_write, never by the writer. They only save work that would be done in vain: what was loaded
     * is compared inside the write (commit.h), and a wipe, a reset or a revocation takes no lock. */
    pthread_mutex_t publish_locks[PUBLISH_LOCKS];
};

pthread_mutex_t *trust_publish_lock(struct trust *trust, int64_t repository_id);
static inline void cleanup_unlock(pthread_mutex_t **lock)
{
    if (*lock) {
        pthread_mutex_unlock(*lock);
    }
}
#define auto_unlock __attribute__((cleanup(cleanup_unlock)))

#endif
