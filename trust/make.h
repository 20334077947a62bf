/* The documents that the server makes and signs: snapshot and timestamp (notary-api 9 steps 5 and
 * 6, 15.3, 15.4). */
#ifndef TRUST_MAKE_H
#define TRUST_MAKE_H

#include "trust/load.h"

/*   docs      root, targets and every delegation to list; hashes are over their bytes
 *   root      the root in force, whose snapshot keys sign
 *   version   of the new document
 *   out       owned by the caller (tuf_doc_free)
 * Expected errors: ERR_INTERNAL (a key is not held or does not open). */
bool make_snapshot(const struct trust *trust, const struct trust_loaded *loaded,
                   const struct tuf_doc *root, const struct tuf_doc *const *docs, size_t doc_count,
                   int64_t version, int64_t now_us, struct tuf_doc **out, struct err *err) MUST_USE;
/* A snapshot with the same entries as `old` (renewal, notary-api 10). */
bool make_snapshot_again(const struct trust *trust, const struct trust_loaded *loaded,
                         const struct tuf_doc *root, const struct tuf_doc *old, int64_t now_us,
                         struct tuf_doc **out, struct err *err) MUST_USE;
bool make_timestamp(const struct trust *trust, const struct trust_loaded *loaded,
                    const struct tuf_doc *root, const struct tuf_doc *snapshot, int64_t version,
                    int64_t now_us, struct tuf_doc **out, struct err *err) MUST_USE;

#endif
