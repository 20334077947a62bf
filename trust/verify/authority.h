/* CA certificates that a policy names (allow_root_ca, gate.md 8 and 11.1), and which signers of a
 * root they vouch for. Owns: what counts as a CA, and how a root key's certificates lead to one.
 * Refuses to know: what follows from it (publish). Pure. Invariants
 *   1. A certificate counts that meets every rule of root keys (notary-api 17) itself: another
 *      certificate of the same key, for another name, lends it nothing.
 *   2. No certificate is believed for being in the key's list: the last step is one of these CAs.
 *   3. Every certificate on the way is valid at that moment, none is signed weakly (SHA-1), no key is
 *      weak (RSA below 2,048 bits). Lists of revoked certificates are not asked. */
#ifndef TRUST_VERIFY_AUTHORITY_H
#define TRUST_VERIFY_AUTHORITY_H

#include "trust/verify/doc.h"

#define AUTHORITIES_MAX 8      /* of one policy */
#define AUTHORITY_PEM_MAX 6144 /* bytes of one certificate's text */
#define AUTHORITY_SUBJECTS_SHOWN 2

struct authorities;

/* Whether the text is one certificate in PEM, of at most AUTHORITY_PEM_MAX bytes and with nothing
 * before or behind it, that may sign certificates: basicConstraints says CA, and keyUsage, when there
 * is one, keyCertSign. It may be an intermediate one; its dates are asked when it is used. Any thread. */
bool authority_is_good(const char *pem);

/* The CAs of these texts; one that is not good vouches for nothing.
 *   count   at most AUTHORITIES_MAX, more are left out
 * Ownership: authorities_free, which takes NULL. Any thread. */
struct authorities *authorities_new(char *const *pems, size_t count);
void authorities_free(struct authorities *authorities);
static inline void cleanup_authorities(struct authorities **authorities)
{
    authorities_free(*authorities);
}
#define auto_authorities __attribute__((cleanup(cleanup_authorities)))

/* Counts the valid signatures of a root by its own keys, as tuf_count_signatures does, but of those
 * keys alone whose certificate leads to one of the CAs: over CA certificates of the same key, if need
 * be. The CAs may themselves stand below others.
 *   rules     gun and now_us; dates are always checked
 *   out       its `checks` have the certificates that were looked at, too
 *   why_out   why the first signer that was left out was; a static text, NULL when none was. May be
 *             NULL
 * Any thread. */
void authorities_count(const struct authorities *authorities, const struct tuf_doc *root,
                       const struct root_rules *rules, struct sig_count *out, const char **why_out);

/* Writes their subjects as a person reads them ("CN=Root CA,O=Example", ASCII), the first
 * AUTHORITY_SUBJECTS_SHOWN of them, and which have run out. */
void authorities_describe(const struct authorities *authorities, int64_t now_us, struct buf *out);

#endif
