/* The names of root chains whose links were verified since the start, one for a repository: what
 * trust_options.verified_chain is filled from. A lost or foreign name costs time, never trust: a
 * name is the hash of the very bytes that were verified (verify/chain.h). Fixed size. Any thread. */
#ifndef TRUST_CHAINS_H
#define TRUST_CHAINS_H

#include "trust/verify/state.h"

struct chains;

struct chains *chains_new(void);
void chains_free(struct chains *chains); /* accepts NULL */

/* trust_state_build with what is remembered of this repository's chain, which is remembered anew
 * afterwards. `options` is copied; its verified_chain says nothing. */
void chains_build(struct chains *chains, int64_t repository_id, const struct trust_set *set,
                  const struct trust_options *options, struct trust_state **out);

#endif
