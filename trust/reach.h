/* The set of digests reachable from allowed roots (gate.md 6 c, 7): manifests down to depth 4,
 * their configs and layers. Owns: the set and the walk over storage's edges. One builder at a time;
 * read-only afterwards, any thread. */
#ifndef TRUST_REACH_H
#define TRUST_REACH_H

#include "base/db.h"
#include "storage/denied_digest.h"
#include "trust/gate.h"

#define REACH_DEPTH 4

struct reach_entry;
struct reach {
    struct reach_entry *entries;
    size_t count, room;
    uint32_t *slots; /* numbers of entries from 1; open addressing by digest */
    size_t capacity;
    uint32_t *children; /* what manifests name, as numbers of entries */
    size_t child_count, child_room;
    struct digest *denied; /* that were met, until reach_finish */
    size_t denied_count;
    const struct reach *known; /* while it is built: what manifests name as an earlier one found it,
                                  where no manifest came or went since. NULL: none; borrowed */
};

/* Adds a root and everything below it, but for what is denied and reached through that alone. Roots
 * must come best first: what is already there stays as it is. */
bool reach_add(struct reach *reach, struct db_tx *tx, int64_t repository_id,
               const struct gate_root *root, const struct denied_set *denied,
               struct err *err) MUST_USE;
/* After the last root: what is reached through denied digests alone becomes REACH_DENIED, with the
 * denied one as its root. */
bool reach_finish(struct reach *reach, struct db_tx *tx, int64_t repository_id,
                  struct err *err) MUST_USE;
void reach_get(const struct reach *reach, const struct digest *digest, struct gate_reached *out);
/* The next manifest that is reached by an allowed way, in no order; false after the last.
 *   at   0 to begin with */
bool reach_next_manifest(const struct reach *reach, size_t *at, struct digest *out);
/* What was found out about a root that was added: the manifest is here and has this size. */
void reach_note_size(struct reach *reach, const struct digest *root, int64_t size);
/* True when the earlier set had noted just that; false when it is not known. */
bool reach_knows_size(const struct reach *reach, const struct digest *root, int64_t size);
size_t reach_bytes(const struct reach *reach);
void reach_dispose(struct reach *reach);

/* True in *out when `digest` is `root` or a manifest below it. */
bool reach_is_below(struct db_tx *tx, int64_t repository_id, const struct digest *root,
                    const struct digest *digest, bool *out, struct err *err) MUST_USE;

#endif
