/* The inside of struct store, for the files of storage/ that keep files beside the index. */
#ifndef STORAGE_STORE_PRIVATE_H
#define STORAGE_STORE_PRIVATE_H

#include "base/digest.h"
#include "storage/store.h"

#include <pthread.h>
#include <stdatomic.h>

#define STORE_DIGEST_LOCKS 64

struct uploads; /* upload_table.c */

/* What waits in the journal of small blobs, about; blob_journal.c */
struct journal_size {
    atomic_int_fast64_t rows, bytes;
};

struct store {
    struct db *db;
    int dir_fd, lock_fd, blobs_fd, uploads_fd;
    struct store_limits limits;
    struct uploads *uploads;
    struct journal_size journal;
    pthread_mutex_t digest_locks[STORE_DIGEST_LOCKS];
    pthread_mutex_t folders_lock;
    bool folders[DIGEST_SHA512 + 1]
                [256]; /* made and synced by this process, by algorithm and first byte */
};

/* Held while a blob's file and its row are brought into being or out of it, so that the two cannot
 * cross. Never taken on the writer thread. One at a time per thread. */
void store_digest_lock(struct store *store, const struct digest *digest);
void store_digest_unlock(struct store *store, const struct digest *digest);
/* Makes blobs/<alg>/<hh> durably. */
bool store_blob_folder(struct store *store, const struct digest *digest, struct err *err) MUST_USE;

/* The uploads of a store; upload_table.c */
struct uploads *uploads_new(void);
void uploads_free(struct uploads *uploads);
/* At the start: remembers the sessions of the last run, and removes the files of uploads/ that no
 * row names, left by requests that a crash cut short; upload_expire.c. Reads no file. */
bool uploads_sweep(struct store *store, struct err *err) MUST_USE;

#endif
