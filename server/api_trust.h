/* What the files of the Notary API share. */
#ifndef SERVER_API_TRUST_H
#define SERVER_API_TRUST_H

#include "server/http.h"
#include "trust/publish.h"

/* 404 METADATA_NOT_FOUND with the empty detail of a missing document. */
void reply_trust_missing(struct reply *reply);
/* What storage does not have is that 404, whatever noun is missing; everything else as it is. */
void reply_trust_error(struct reply *reply, const struct err *err);
/* A Warning for each document of the repository that ends soon: who must act, and how. */
void reply_expiry_warnings(const struct request *rq, struct reply *reply);

/* Of a body that holds documents as texts of a JSON object, before it is parsed: no more of them than
 * the Notary API takes. Anybody signed in may send as many bytes as a signer needs.
 * ERR_INVALID. */
bool publish_body_within(const struct request *rq, struct err *err) MUST_USE;
/* Takes one of the turns that the caller's account has in a minute (limits.publishes). Seconds to wait
 * when it has none; 0: go on. Who has the control socket has the machine, and waits for nothing. */
int publish_wait_s(const struct request *rq);
/* The same for our own API. False: the reply is a 429 about too many `what`. */
bool publish_turn(const struct request *rq, struct reply *reply, const char *what) MUST_USE;

/* What the caller may do beyond publishing to out->repo: trust administration and ownership as they
 * are now (rbac.md). */
bool publish_rights(const struct request *rq, struct publish_request *out,
                    struct err *err) MUST_USE;

#endif
