/* Recording decisions at the doors (gate.md 12): what is recorded of a request, and that a refusal
 * waits for its record. Refuses to know: how records are chained (storage/decision.h), counted and
 * queued (storage/decision_log.h). */
#ifndef SERVER_RECORD_H
#define SERVER_RECORD_H

#include "server/http.h"
#include "storage/decision.h"
#include "trust/door.h"

struct repository;

/* A decision that was just made for a request. All borrowed. */
struct record {
    struct request *rq;
    struct db_tx *tx; /* the snapshot that it was made in */
    const char *door; /* "pull", "referrers", "blob", "verify", "deploy", "release"; a literal */
    const struct gate_caller *caller;
    const struct repository *repo;
    int64_t began_us; /* monotonic: when deciding began */
    const char *as;   /* by name, whom the question was asked for; NULL: for who asked, or any deployer */
};

/* Records it if it is one to record: every decision about a gated identity or one that the gate
 * applied to, and every refusal, but for what an ungated identity merely did not find. Sets
 * d->record. A refusal whose record cannot be written becomes REASON_INDETERMINATE (503), and so
 * does an allow that finds neither the queue nor the disk to take it.
 * False: return now without an answer; the handler is run again from its beginning, on a worker
 * (request_on_worker). Not from inside a write. */
bool record_decision(const struct record *r, struct decision *d) MUST_USE;

/* For decisions that let something happen in the same transaction: the draft to give to
 * decision_append in that very write, so that both are stored or none. Made before it, never inside.
 * Sets d->record. New; decision_draft_free. */
struct decision_draft *record_draft(const struct record *r, struct decision *d);

/* The address of a decision's record, for people: "https://HOST/api/v1/deploy/decisions/ID". */
void record_write_url(const struct request *rq, const struct decision *d, struct buf *out);

#endif
