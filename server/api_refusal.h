/* The wire form of a gate refusal, and the headers of gated answers (gate.md 10). Formats
 * decisions, computes none. */
#ifndef SERVER_API_REFUSAL_H
#define SERVER_API_REFUSAL_H

#include "server/http.h"
#include "trust/door.h"

/* 403/404/503 with the OCI envelope, Warning, reason phrase, Cache-Control: no-store, Vary. For
 * HEAD the core drops the body. `rq` may not be NULL. Call reply_gated instead when d->effect is
 * EFFECT_ALLOW. */
void reply_refusal(struct request *rq, struct reply *reply, const struct decision *d);
/* A write that failed: what the gate forbids is told in its form.
 *   refusal   the gate's, when it is the reason */
void reply_write_failed(struct request *rq, struct reply *reply, const struct decision *refusal,
                        const struct err *err);
/* The detail object of a decision; new reference. */
json_t *decision_detail(const struct decision *d);
/* Adds to an answer that is served: Warning (served_signed, would_deny), and for gated identities
 * `Cache-Control: private, no-cache` (by tag) or `private, max-age=0` (by digest) and Vary. Nothing
 * when the gate did not apply. */
void reply_gated(struct reply *reply, const struct decision *d, bool by_tag);

#endif
