/* What a publish releases and the registry does not hold (attacks 5.10): deployments of it are refused
 * until it is pushed. */
#ifndef TRUST_PUBLISH_PUSHED_H
#define TRUST_PUBLISH_PUSHED_H

#include "trust/publish.h"

/* Adds a warning to an accepted upload for each tag that its releasing roles list anew, or with
 * another digest, and that is not in the registry or is another image there. Looks at the first 16
 * such tags. What cannot be looked up is not warned of. Any tx. */
void publish_warn_unpushed(struct db_tx *tx, int64_t repository_id,
                           struct publish_verdict *verdict);

#endif
