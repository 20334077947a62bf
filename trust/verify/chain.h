/* One link of a root chain, with the reason when it does not hold. Internal to trust/verify. */
#ifndef TRUST_VERIFY_CHAIN_H
#define TRUST_VERIFY_CHAIN_H

#include "trust/verify/doc.h"
#include "trust/verify/state.h"

enum root_link {
    ROOT_LINK_BAD_VERSION = 0, /* not the successor; a first root is 1 or 2 */
    ROOT_LINK_NOT_BY_PREVIOUS, /* too few valid signatures by the previous root's keys */
    ROOT_LINK_NOT_BY_ITSELF,   /* too few by its own keys */
    ROOT_LINK_HOLDS
};

/* Verifies `next` as the successor of `prev` (NULL: a first root).
 *   check_dates   whether the certificates of next's own keys must be valid at now_us; never asked
 * of prev's own           signatures by next's own root keys */
enum root_link root_link(const struct tuf_doc *prev, const struct tuf_doc *next, struct slice gun,
                         int64_t now_us, bool check_dates, struct sig_count *own);

/* False when a repository with these roots, and one more of `more` bytes (0: none), would be beyond
 * TRUST_ROOTS_MAX or TRUST_ROOT_BYTES_MAX. Counts; reads nothing. */
bool root_chain_within_limits(const struct trust_set *set, size_t more);

/* What names a chain of roots: its repository and the bytes of every root in their order. */
struct chain_name {
    uint8_t sha256[32];
};
/* The names of the chain's beginnings: out[i] is that of the first i + 1 roots. Whether the links
 * of a chain hold (undated) depends on nothing else.
 *   out   one for each root of the set */
void root_chain_names(const struct trust_set *set, struct chain_name *out);

#endif
