/* Tags by which clients attach signatures and the like to an image in registries that have no
 * referrers: sha256-<64 hex>, with or without .sig, .att or .sbom. */
#ifndef BASE_ARTIFACT_TAG_H
#define BASE_ARTIFACT_TAG_H

#include "base/digest.h"

#define ARTIFACT_TAG_NAMES 4 /* that one digest has */
#define ARTIFACT_TAG_SIZE 80 /* bytes of the longest, with its NUL, and room */

/* True when the tag has that form.
 *   subject_out   the digest that it belongs to; filled on true */
bool artifact_tag_subject(struct slice tag, struct digest *subject_out);
/* All names that such a tag of this digest may have. False: there are none, it is no sha256. */
bool artifact_tag_names(const struct digest *subject, char out[ARTIFACT_TAG_NAMES][ARTIFACT_TAG_SIZE]);

#endif
