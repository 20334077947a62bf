/* Deploying: the gate decides about an image, and the release of a service is recorded together
 * with the record of that decision.
 * Owns: that what is recorded is what was decided on. Refuses to know: how a request and an answer
 * look (api_deployment.c), what a release is kept for (storage/release.h). */
#ifndef SERVER_DEPLOYMENT_H
#define SERVER_DEPLOYMENT_H

#include "server/http.h"
#include "server/image_name.h"
#include "storage/release.h"
#include "trust/gate.h"

/* Zero refuses. */
enum deployment_result {
    DEPLOYMENT_FAILED = 0, /* err says why */
    DEPLOYMENT_REFUSED,    /* the gate's decision is the answer; it is recorded */
    DEPLOYMENT_DONE,
    DEPLOYMENT_AGAIN /* return without an answer (request_on_worker) */
};

struct deployment {
    struct request *rq;
    struct image_name image;  /* by tag, by digest, or both: then the digest must be of that tag */
    struct release release;   /* service, notes, rollback_of; the rest is filled in */
    struct decision decision; /* out */
};

/* Decides about the image as for a deployer, whoever asks, and records the release of that digest in
 * one transaction with the decision's record, in which the repository and the tag are still what
 * was decided on.
 * A use of the override that lets it through is counted before, as for a pull; a deployment that is
 * not recorded after all has still used it.
 * Rights: ACTION_DEPLOY in the namespace of the image, which is that of the service.
 * Expected errors: those of access_require, ERR_NAME_UNKNOWN, ERR_MANIFEST_UNKNOWN, ERR_BUSY (it
 * changed again and again), ERR_NOT_FOUND and ERR_CONFLICT of release_add, ERR_INDETERMINATE (the
 * override does not act any more). Worker threads; durable. */
enum deployment_result deployment_run(struct deployment *d, struct err *err) MUST_USE;

#endif
