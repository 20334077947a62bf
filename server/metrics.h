/* Counters of a running server and their text for Prometheus (exposition format 0.0.4).
 *
 * Owns: atomics, and one small table with a lock for the gate's words. Refuses to know: what a
 * request or decision is. Every function may be called by any thread. */
#ifndef SERVER_METRICS_H
#define SERVER_METRICS_H

#include "base/buf.h"

struct metrics;

/*   labels   names of the routes by number; borrowed, must outlive */
struct metrics *metrics_new(const char *const *labels, size_t label_count);
void metrics_free(struct metrics *m); /* accepts NULL */

/* A request is over.
 *   label        number of the route, or label_count and above for a request that matched none
 *   status       HTTP status; 0: its client went away, or was ended, before there was an answer
 *   took_us      microseconds from the request line to the end of the answer
 *   bytes_in, bytes_out   of the bodies */
void metrics_request(struct metrics *m, size_t label, int status, int64_t took_us, int64_t bytes_in,
                     int64_t bytes_out);

/* The gate decided: bondstore_gate_decisions_total{effect,reason,door}.
 *   door     "manifest", "blob", "tags", "referrers", "verify", …; a literal
 *   effect   "allow", "deny", …; a literal
 *   reason   gate.md 10.2; a literal */
void metrics_gate(struct metrics *m, const char *door, const char *effect, const char *reason);

enum metric {
    METRIC_CONNECTIONS, /* open now */
    METRIC_CONNECTIONS_TOTAL,
    METRIC_WORKERS_BUSY,     /* jobs queued or running now */
    METRIC_REFUSED_BUSY,     /* 503 because the queue of the workers was full */
    METRIC_REFUSED_REQUESTS, /* malformed requests that the request gate ended */
    METRIC_SLOW_ENDED,       /* connections ended below the minimum rate, or to make room */
    METRIC_INDEX_WRITABLE,   /* now: 1, or 0 */
    METRIC_UPLOADS_EXPIRED,
    METRIC_BLOBS_COLLECTED,
    METRIC_TRUST_OPERATIONAL, /* now: 1, or 0 */
    METRIC_TRUST_RENEWED,
    METRIC_TRUST_COLLECTED,
    METRIC_TAGS_RETIRED,
    METRIC_MANIFESTS_RETIRED,
    METRIC_MAINTENANCE_ERRORS,
    METRIC_SCRUB_BYTES,
    METRIC_SCRUB_FINDINGS,
    METRIC_BLOBS_MISSING,    /* marked missing now */
    METRIC_BLOB_READ_ERRORS, /* at requests */
    METRIC_OVERRIDES_ACTIVE, /* acting now */
    METRIC_COUNT
};

void metrics_add(struct metrics *m, enum metric which, int64_t by);
/* For what is counted elsewhere. */
void metrics_set(struct metrics *m, enum metric which, int64_t value);
int64_t metrics_value(const struct metrics *m, enum metric which);

/* Signed documents that end soon: bondstore_trust_expiring{role}.
 *   role   a literal, the same for the same index
 *   index  below METRICS_EXPIRING */
#define METRICS_EXPIRING 8
void metrics_expiring(struct metrics *m, size_t index, const char *role, int64_t count);

/* Appends everything as text. */
void metrics_write(struct metrics *m, struct buf *out);

#endif
