/* Collection of superseded trust documents: clients read them by hash within seconds of reading a
 * timestamp, and nobody later (notary-api 21). Never roots, never what is current, and no document of
 * targets or of a delegation while what it released is in grace (gate.md 6 b). What they listed stays
 * (storage/role_target.h). */
#ifndef TRUST_COLLECT_H
#define TRUST_COLLECT_H

#include "trust/trust.h"

struct trust_collected {
    int64_t documents, bytes;
    bool more; /* it is worth going on at once */
};
/* Maintenance: the next `max` documents that were superseded longer than keep_us ago, oldest first;
 * begins anew after the last. What grace keeps is looked at once in such a turn. Durable.
 * Maintenance thread only. */
bool trust_collect(struct trust *trust, int64_t now_us, int64_t keep_us, int max,
                   struct trust_collected *out, struct err *err) MUST_USE;

#endif
