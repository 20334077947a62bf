/* The `signed` part of each role, JSON to the fields of struct tuf_doc (notary-api 15). Internal to
 * trust/verify. */
#ifndef TRUST_VERIFY_DOC_BODY_H
#define TRUST_VERIFY_DOC_BODY_H

#include "trust/verify/arena.h"
#include "trust/verify/doc.h"

/* Fills everything of `doc` that comes from `part` beyond _type, version and expires.
 * Strings and tables go into the arena; keys belong to the document.
 * Results: DOC_OK, DOC_STRUCTURE, DOC_NOT_STRICT (a control character in a path). */
enum doc_fault doc_body_read(struct trust_arena *arena, const json_t *part, struct tuf_doc *doc,
                             struct err *err) MUST_USE;

#endif
