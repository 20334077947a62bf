/* What the layers of a signature or statement in cosign's legacy form are: documents, whatever their
 * media type says. */
#ifndef TRUST_ARTIFACT_PAYLOAD_H
#define TRUST_ARTIFACT_PAYLOAD_H

#include "storage/manifest_doc.h"
#include "trust/artifact.h"

#define ARTIFACT_PAYLOADS_MAX ((size_t)4 * 1024 * 1024) /* bytes, of all layers together */

/* Pure: one JSON object and nothing else, and no archive. A tar header fits into a JSON text, so
 * that is looked at too; what is compressed is no JSON text. */
bool artifact_payload_is_document(struct slice bytes);
/* True in *out when each layer is such a document, is here, and all are within
 * ARTIFACT_PAYLOADS_MAX and what the request may read. Reads files, each once in a request while it is
 * among the last ARTIFACT_JUDGED_MAX. False only on failure. */
bool artifact_payloads_are_documents(const struct artifact_place *place,
                                     const struct manifest_doc *doc, bool *out,
                                     struct err *err) MUST_USE;

#endif
