/* Names of images as the API takes them. Refuses to know: whether there is such an image. */
#ifndef SERVER_IMAGE_NAME_H
#define SERVER_IMAGE_NAME_H

#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/name.h"
#include "trust/trust.h"

struct image_name { /* [HOST/]ns/app[:tag][@digest] */
    struct repo_name repo;
    bool has_tag, has_digest; /* never neither: that means :latest */
    struct tag_name tag;
    struct digest digest;
};
/* HOST must be a name of this server. Expected errors: ERR_NAME_INVALID, ERR_TAG_INVALID,
 * ERR_DIGEST_INVALID. */
bool image_name_parse(const struct trust *trust, struct slice text, struct image_name *out,
                      struct err *err) MUST_USE;
/* With the canonical host. */
void image_name_write(const struct trust *trust, const struct image_name *image, struct buf *out);

#endif
