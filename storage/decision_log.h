/* Decisions on their way to the chain of records (decision.h): equal ones are counted, those that
 * were allowed wait to be written together, those that were denied are written before the answer.
 * Owns: what is counted, and the queue. Refuses to know: what makes a decision, when it is called.
 *
 * A decision opens a window of a minute. Equal ones within it are counted, and a further record
 * says how many when it ends. Blobs are counted for ten minutes into the record through which they
 * were reached.
 *
 * Invariants
 *   1. Memory is bounded, whatever is asked by whom: there are so many windows and places in the
 *      queue, a window that must make room ends early.
 *   2. Counting waits for no write. Only the first of equal denials does, and those equal to it
 *      that come before it is written.
 *   3. decision_log_deny is true only of a decision whose record, or the record that it is counted
 *      into, is on the disk.
 *   4. Nothing is lost but with the process: then what was counted since the windows began, and
 *      what was allowed within the last moments. A clean stop writes all. */
#ifndef STORAGE_DECISION_LOG_H
#define STORAGE_DECISION_LOG_H

#include "storage/decision.h"

struct decision_log; /* any thread, but where said otherwise */

#define DECISION_WINDOW_US (INT64_C(60) * 1000000)
#define DECISION_BLOB_WINDOW_US (INT64_C(600) * 1000000)
#define DECISION_WINDOWS_MAX 8192
#define DECISION_QUEUE_MAX 4096
/* Denials of one account in a minute that get windows of their own. Further ones share one by
 * repository and reason: who asks for ten thousand names that do not exist fills no disk. */
#define DECISION_DENIALS_MAX 600

/*   db   borrowed, must outlive */
struct decision_log *decision_log_new(struct db *db);
/* What waits is lost: decision_log_flush comes first. Accepts NULL. */
void decision_log_free(struct decision_log *log);

/* What makes decisions equal, as keyed hashes of it. */
struct decision_key {
    uint8_t exact[16];
    uint8_t coarse[16]; /* identity, repository and reason alone */
    int64_t account_id;
};
struct decision_kind {
    const char *door, *identity, *reason; /* borrowed */
    bool allow;
    int64_t account_id, repository_id, generation;
    const char *tag, *as; /* NULL: none */
    const struct digest *requested, *registry, *signed_digest, *served; /* may be unset */
};
void decision_log_key(const struct decision_log *log, const struct decision_kind *kind,
                      struct decision_key *out);
/* The key of the blobs that `identity` reaches through a root. */
void decision_log_blob_key(const struct decision_log *log, int64_t account_id, const char *identity,
                           int64_t repository_id, const struct digest *root,
                           struct decision_key *out);

/* Counts a decision into its window. False: there is none (or its record is not written yet), and
 * one of the functions below is needed.
 *   now_us   monotonic
 *   id_out   of the record that it is counted into; may be NULL */
bool decision_log_count(struct decision_log *log, const struct decision_key *key, bool allow,
                        int64_t now_us, char id_out[DECISION_ID_SIZE]);
/* Queues the first of its kind and opens its window.
 *   key     NULL: no window, every one is a record
 *   roots   NULL, or the key under which blobs that were reached through it are counted
 *   draft   taken when true is returned
 * False: the queue is full. */
bool decision_log_allow(struct decision_log *log, const struct decision_key *key,
                        const struct decision_key *root, struct decision_draft *draft,
                        int64_t now_us, char id_out[DECISION_ID_SIZE]) MUST_USE;
/* Writes the first of its kind, durably, and opens its window; or waits for another thread that is
 * about to, and counts. Not from inside a write, and not where nothing may wait.
 *   draft    borrowed
 *   id_out   of the record that it is, or is counted into
 * Expected errors: those of writing (ERR_NO_SPACE …); then nothing is recorded. */
bool decision_log_deny(struct decision_log *log, const struct decision_key *key,
                       const struct decision_draft *draft, int64_t now_us,
                       char id_out[DECISION_ID_SIZE], struct err *err) MUST_USE;

/* Ends windows that are over, and writes what waits. What could not be written waits on.
 *   all        ends all windows, whatever their age, and makes everything durable: for a stop
 *   mono_us    monotonic, for the windows; now_us is the time of the records of their ends
 * One thread at a time. */
bool decision_log_flush(struct decision_log *log, bool all, int64_t mono_us, int64_t now_us,
                        struct err *err) MUST_USE;
/* Waits until something is queued, or `timeout_us` are over, or decision_log_wake was called. */
void decision_log_wait(struct decision_log *log, int64_t timeout_us);
void decision_log_wake(struct decision_log *log);
/* For metrics and tests: windows and drafts in memory now. */
void decision_log_load(struct decision_log *log, size_t *windows_out, size_t *queued_out);

#endif
