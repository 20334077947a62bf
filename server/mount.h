/* Mounting a blob from another repository (OCI distribution 1.1, "Mounting a blob from another repository").
 * Owns: where a mount may take a blob from. Refuses to know: how a membership is stored (storage/blob.h).
 * Invariants
 *   1. A mount gives nobody a blob that a GET at its source would not give him: he may pull there, and the gate lets
 *      the blob through (gate.md 7). An override whose use is still to be counted is no ground for a mount.
 *   2. A mount that is not done tells nothing about any repository. */
#ifndef SERVER_MOUNT_H
#define SERVER_MOUNT_H

#include "server/http.h"

/* Does what `?mount=` asks for. False: it asks for none or it cannot be done, and the request is an upload; err is set
 * only when an upload cannot be either: it would not fit (ERR_QUOTA), or the caller may not push any more
 * (request_may_still).
 *   out   the blob that is mounted
 * Worker threads. */
bool mount_try(struct request *rq, struct digest *out, struct err *err) MUST_USE;

#endif
