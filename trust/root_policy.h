/* Which roots a policy lets be published: those by the keys that it lists (allow_roots), and those by
 * certificates of the CAs that it names (allow_root_ca; gate.md 8, 11.1). A signer counts who is in the
 * list or under a CA, and as many must as the root's threshold asks. What the two lists are held
 * against differs:
 *   allow_roots alone   the first root of a repository; a later one is judged by the chain of roots
 *   allow_root_ca       every root, as a stock client with a CA pin does; then allow_roots too
 * Owns: that rule, for whoever has a root at hand. Refuses to know: the namespace's own set (publish). */
#ifndef TRUST_ROOT_POLICY_H
#define TRUST_ROOT_POLICY_H

#include "trust/policy.h"
#include "trust/verify/authority.h"

/* The keys of allow_roots. Owned array, NULL and 0 when there are none. */
struct spki *root_policy_keys(const struct policy *policy, size_t *count_out);
/* The CAs of allow_root_ca; NULL when there are none. Ownership: authorities_free. */
struct authorities *root_policy_authorities(const struct policy *policy);
/* Whether a first root (or else a later one) is held against the policy's lists at all. */
bool root_policy_binds(const struct policy *policy, bool first);

/* Whether the policy's lists accept this root, one that names neither accepts none. The dates of
 * certificates are asked where a CA has to vouch for them. Any thread. */
bool root_policy_accepts(const struct policy *policy, const struct tuf_doc *root, struct slice gun,
                         int64_t now_us);
/* "CN=…" of the CAs that the policy names, and which have run out; "" when it names none. */
void root_policy_describe(const struct policy *policy, int64_t now_us, struct buf *out);

#endif
