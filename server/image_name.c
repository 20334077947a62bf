#include "server/image_name.h"

bool image_name_parse(const struct trust *trust, struct slice text, struct image_name *out,
                      struct err *err)
{
    *out = (struct image_name){0};
    struct slice name = text;
    ptrdiff_t at = slice_index(text, '@');
    if (at >= 0) {
        name = slice_first(text, (size_t)at);
        out->has_digest = digest_parse(slice_from(text, (size_t)at + 1), &out->digest, err);
        if (!out->has_digest) {
            return false;
        }
    }
    ptrdiff_t colon = slice_rindex(name, ':'), slash = slice_rindex(name, '/');
    if (colon > slash) {
        out->has_tag = tag_name_parse(slice_from(name, (size_t)colon + 1), &out->tag, err);
        name = slice_first(name, (size_t)colon);
        if (!out->has_tag) {
            return false;
        }
    }
    if (!out->has_tag && !out->has_digest) {
        out->has_tag = tag_name_parse(SLICE_LIT("latest"), &out->tag, err);
    }
    return trust_gun_parse(trust, name, &out->repo, NULL) || repo_name_parse(name, &out->repo, err);
}

void image_name_write(const struct trust *trust, const struct image_name *image, struct buf *out)
{
    char digest[DIGEST_STR_MAX];
    trust_gun_write(trust, &image->repo, out);
    if (image->has_tag) {
        buf_printf(out, ":%s", image->tag.text);
    }
    if (image->has_digest) {
        buf_printf(out, "@%s", digest_format(&image->digest, digest));
    }
}
