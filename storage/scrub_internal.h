/* What scrub.c (rounds) and scrub_blob.c (one file) share. Private to them. */
#ifndef STORAGE_SCRUB_INTERNAL_H
#define STORAGE_SCRUB_INTERNAL_H

#include "storage/scrub.h"

/* Writes the audit entries of a finding: one for the instance, one for each namespace. Writer. */
bool scrub_audit(struct db_tx *tx, const struct scrub_finding *finding, int64_t now_us,
                 struct err *err) MUST_USE;

#endif
