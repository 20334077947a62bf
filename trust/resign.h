/* Renewal of what the server signs: timestamps, and snapshots when the server holds their key, each at
 * half of its own life (gate.md 4.1, notary-api 10). Under the repository's publish lock; never for a repository
 * whose root is expired, rolled back or not the pinned one. */
#ifndef TRUST_RESIGN_H
#define TRUST_RESIGN_H

#include "trust/trust.h"

enum resign_result { RESIGN_FAILED = 0, RESIGN_DONE, RESIGN_NOT_DUE, RESIGN_NOT_POSSIBLE };

/* Renews the timestamp of one repository, and first its snapshot, when due: past expiry, or past half
 * life when `early`. RESIGN_FAILED fills err (internal: not a trust verdict). RESIGN_NOT_POSSIBLE:
 * the key is not held, the set does not verify, or the store may be a restored one (checkpoint.h). One durable write when done. Any thread but the
 * writer; must hold no publish lock. */
enum resign_result trust_resign(struct trust *trust, int64_t repository_id, bool early,
                                int64_t now_us, struct err *err);
/* Maintenance: tries the next `max` documents that are past half life, longest first, and begins anew
 * after the last. What cannot be renewed (an expired root, a lost key) is tried once in
 * such a turn, so it neither holds up the others nor the writer.
 *   more_out   there is more that is worth going on for at once
 * Returns how many were renewed. Maintenance thread only. */
int trust_renew_due(struct trust *trust, int64_t now_us, int max, bool *more_out);

#endif
