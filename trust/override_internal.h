/* What the files of overrides share. Not for others. */
#ifndef TRUST_OVERRIDE_INTERNAL_H
#define TRUST_OVERRIDE_INTERNAL_H

#include "trust/override.h"

/* An entry of the audit log about one.
 *   before   NULL: there was none
 * Writer. */
bool override_audit(struct db_tx *tx, const char *action, const struct override *before,
                    const struct override *after, const struct actor *actor, int64_t now_us,
                    struct err *err) MUST_USE;
/* Notes in the checkpoint how often one was changed; durable when it is flushed. */
void override_note(struct trust *trust, int64_t id, int64_t changes, int64_t end_us);

#endif
