/* Documents that were read from their bytes since the start, the ones used last: reading costs ten
 * times as much as fetching the bytes, and a publish changes one document of a repository. A document is
 * found by the hash of its own bytes, so what is found is what reading would give; none proves that
 * a store holds it. Bounded by bytes. Any thread. */
#ifndef TRUST_DOCUMENTS_H
#define TRUST_DOCUMENTS_H

#include "trust/verify/state.h"

struct documents;
struct trust;

/*   max_bytes   one document that takes more is kept by itself: it is the one that costs most to read */
struct documents *documents_new(size_t max_bytes);
void documents_free(struct documents *documents); /* accepts NULL */

/* The document of this role whose bytes have this hash; NULL when it is not kept. Ownership:
 * tuf_doc_free. */
struct tuf_doc *documents_find(struct documents *documents, struct slice role,
                               const uint8_t sha256[32]);
/* The same, of a server: for handing out bytes that the caller knows to be stored. */
struct tuf_doc *trust_document(const struct trust *trust, struct slice role, const uint8_t sha256[32]);
/* One that is not the current one of its repository any more. */
void documents_forget(struct documents *documents, struct slice role, const uint8_t sha256[32]);
/* Shares the document. */
void documents_keep(struct documents *documents, const struct tuf_doc *doc);
/* The same for all documents of a state. */
void documents_keep_state(struct documents *documents, const struct trust_state *state);

#endif
