/* Scrub: every blob file is read and hashed again, and every manifest's bytes, while the store is in
 * use; what is not what its name says is marked missing, told and moved aside, so that the next push
 * of the same digest repairs it (blob.h, invariant 4).
 * Owns: the table scrub (how far the round has come), the verdict on a file. Refuses to know:
 * schedules and rates (its caller paces it), how a finding is shown.
 * Invariants
 *   1. A file is judged by two readings, a rest apart when it is the disk that gives an error (it may
 *      pass, other bytes do not), and only if it is still the blob's file when the verdict
 *      falls, under the digest's lock: a push or a collection that comes between wins.
 *   2. The file is moved aside before the row is marked: a crash between the two leaves a blob
 *      without a file, which the next reading finds; never a marked row beside a file that a push
 *      would believe.
 *   3. The cursor moves after what it passes was judged: a restart repeats, it never skips. */
#ifndef STORAGE_SCRUB_H
#define STORAGE_SCRUB_H

#include "storage/blob_user.h"
#include "storage/quarantine.h"
#include "storage/store.h"

enum scrub_verdict {
    SCRUB_INTERRUPTED = 0, /* the caller's pace said stop: nothing is known */
    SCRUB_SOUND,           /* it is well, or it is no blob any more, or marked missing already */
    SCRUB_NO_FILE,
    SCRUB_OTHER_SIZE,
    SCRUB_OTHER_BYTES,
    SCRUB_UNREADABLE, /* the disk gives an error */
    SCRUB_MANIFEST,   /* a manifest's bytes in the index do not have its digest */
    SCRUB_VERDICT_COUNT
};
/* "its file has other bytes"; half a sentence about a blob. */
const char *scrub_verdict_text(enum scrub_verdict verdict);

#define SCRUB_USERS_MAX 100 /* named in one finding */

struct scrub_finding {
    enum scrub_verdict verdict; /* from SCRUB_NO_FILE on */
    struct digest digest;
    const struct blob_user_list *users; /* who needs it, at most SCRUB_USERS_MAX */
    const char *quarantined; /* where the file is now, below the data folder; "" nowhere */
};

#define SCRUB_REST_US (5 * INT64_C(1000000)) /* between two readings of what cannot be read */

/* Called on the scrubbing thread, without a lock and without a snapshot. */
struct scrub_listener {
    /* Before so many bytes are read: waits as the rate demands. False: stop now. */
    bool (*pace)(int64_t bytes, void *arg);
    /* Waits so many microseconds. False: stop now. */
    bool (*rest)(int64_t us, void *arg);
    /* After the finding was stored. Borrows. */
    void (*found)(const struct scrub_finding *finding, void *arg);
    void *arg;
};

/* One blob, now. Findings are stored durably: the mark, and an audit entry for the instance and for
 * each namespace concerned. Expected errors: those of reading the index; a file that cannot be
 * opened for a reason that says nothing of it (no descriptors, no rights). Any thread but the
 * writer's, no snapshot open. */
bool scrub_blob(struct store *store, const struct digest *digest,
                const struct scrub_listener *listener, int64_t now_us, enum scrub_verdict *out,
                struct err *err) MUST_USE;

enum scrub_phase { SCRUB_IDLE = 0, SCRUB_BLOBS = 1, SCRUB_MANIFESTS = 2 };

/* The round under way, or the last one. */
struct scrub_round {
    enum scrub_phase phase;
    struct digest after_digest; /* blobs up to here are done; unset: none */
    int64_t after_id;           /* manifests up to here are done */
    int64_t started_us;         /* 0: never */
    int64_t finished_us;        /* of the last whole round; 0: never */
    int64_t blobs, manifests;   /* looked at */
    int64_t bytes;              /* read */
    int64_t findings;
};
/* Any tx. */
bool scrub_round_get(struct db_tx *tx, struct scrub_round *out, struct err *err) MUST_USE;
/* How much of the blobs a round has behind it, 0 … 100: digests are evenly spread. */
int scrub_round_percent(const struct scrub_round *round);
/* Begins a round from the start, whether one is under way or not. */
bool scrub_begin(struct store *store, int64_t now_us, struct err *err) MUST_USE;
/* Goes on with the round under way: at most a page of blobs or manifests, then the cursor is stored.
 *   out        the round after it
 *   more_out   there is more to do: false when no round is under way, when this one ended, and when
 *              the listener's pace said stop
 * Expected errors as scrub_blob; what failed is tried again by the next call. One thread at a
 * time. */
bool scrub_step(struct store *store, const struct scrub_listener *listener, int64_t now_us,
                struct scrub_round *out, bool *more_out, struct err *err) MUST_USE;

#endif
