/* What a token was granted: requested ∩ permitted, fixed when the token is made, carried in its
 * `access` claim. Immutable after it is built; shared between the verified-token cache and the
 * identities of running requests. Owns: the set and its two texts. Refuses to know: why something
 * was permitted. */
#ifndef AUTH_GRANT_H
#define AUTH_GRANT_H

#include "auth/scope.h"
#include "base/err.h"

#include <jansson.h>

struct grant_set;

/* The answer of the rule for one wish: the bits permitted at all (SCOPE_ALL only for someone who
 * has everything). */
typedef unsigned (*grant_permit_fn)(void *arg, const struct scope *wish);

/* Intersects every wish with what `permit` allows. A wished "*" becomes the literal "*" when
 * SCOPE_ALL is permitted, otherwise every permitted action. Wishes that come to nothing are left
 * out. Owned by the caller: grant_unref. The set is cut where its claim would grow beyond
 * GRANT_CLAIM_MAX bytes.
 *   host_n    bytes of the host in front of trust names
 *   cut_out   something that is permitted was left out */
struct grant_set *grant_new(const struct scope_list *wishes, size_t host_n, grant_permit_fn permit,
                            void *arg, bool *cut_out);
/* bits of `actions` (one wish) after intersection; the rule above for a single pair. */
unsigned grant_intersect(unsigned wished, unsigned permitted);
/* Reads the `access` claim of a verified token. Expected errors: ERR_UNAUTHORIZED when it is not of
 * our shape. */
bool grant_from_claim(const json_t *access, const struct scope_hosts *hosts, struct grant_set **out,
                      struct err *err) MUST_USE;

#define GRANT_CLAIM_MAX 8192

/* Appends the claim `[{"type":"repository","name":"…","actions":[…]},…]`; trust names get `host` in
 * front. */
void grant_write_claim(const struct grant_set *set, const char *host, struct buf *out);
/* Appends the `scope` text of a token answer: "repository:ns/app:pull,push …", space separated. */
void grant_write_scope(const struct grant_set *set, const char *host, struct buf *out);

/* Bits granted on a repository (SCOPE_ALL implies every other bit); 0 when none. */
unsigned grant_bits(const struct grant_set *set, enum scope_kind kind,
                    const struct repo_name *repo);
bool grant_has_catalog(const struct grant_set *set);
size_t grant_count(const struct grant_set *set);

/* Shared ownership, any thread; both accept NULL. */
const struct grant_set *grant_ref(const struct grant_set *set);
void grant_unref(const struct grant_set *set);

#endif
