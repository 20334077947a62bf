/* Tags by which clients attach signatures and the like to an image in registries that have no
 * referrers: sha256-<64 hex>, with or without .sig, .att or .sbom. */
#ifndef BASE_ARTIFACT_TAG_H
#define BASE_ARTIFACT_TAG_H

#include "base/digest.h"

/* True when the tag has that form.
 *   subject_out   the digest that it belongs to; filled on true */
bool artifact_tag_subject(struct slice tag, struct digest *subject_out);

#endif
