/* Shared by retention_run.c and retention_manifest.c. Not for others. */
#ifndef STORAGE_RETENTION_INTERNAL_H
#define STORAGE_RETENTION_INTERNAL_H

#include "storage/retention.h"

/* A removal in the audit log.
 *   what     "retention.tag" or "retention.manifest"
 *   object   the tag's or the digest's text, with its separator: ":v1", "@sha256:…"
 *   digest   of the manifest */
bool retention_audit(struct db_tx *tx, const struct repository *repo, const char *what,
                     const char *object, const struct digest *digest, const char *rule,
                     int64_t now_us, struct err *err) MUST_USE;
/* The server itself, as retention. */
void retention_actor(struct actor *out);

/* Puts a manifest into the queue of those that are looked at. Writer. */
bool retention_retire(struct db_tx *tx, int64_t repository_id, const struct digest *digest,
                      const char *rule, int64_t now_us, struct err *err) MUST_USE;
/* Looks at a few manifests of the queue that are due.
 *   examined_out, removed_out   how many */
bool retention_manifests(struct store *store, retention_grace_fn grace, int64_t now_us,
                         int *examined_out, int *removed_out, struct err *err) MUST_USE;

#endif
