#include "auth/basic.h"

#include "base/hex.h"

bool basic_scheme_is(struct slice header, const char *scheme, struct slice *value_out)
{
    size_t n = strlen(scheme);
    if (header.n <= n || header.p[n] != ' ' || !slice_is_nocase(slice_first(header, n), scheme)) {
        return false;
    }
    *value_out = slice_trim(slice_from(header, n + 1));
    return true;
}

static bool has_control(struct slice text)
{
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c < 0x20 || c == 0x7F) {
            return true;
        }
    }
    return false;
}

bool basic_parse(struct slice header, struct basic *out, struct err *err)
{
    *out = (struct basic){0};
    struct slice encoded;
    if (!basic_scheme_is(header, "Basic", &encoded)) {
        return err_set(err, ERR_UNAUTHORIZED, "user name and password come by Basic here");
    }
    if (!base64_decode(encoded, &out->plain) || has_control(buf_slice_of(&out->plain))) {
        return err_set(err, ERR_UNAUTHORIZED, "the Authorization header is malformed");
    }
    struct slice plain = buf_slice_of(&out->plain);
    ptrdiff_t colon = slice_index(plain, ':');
    if (colon < 0) {
        return err_set(err, ERR_UNAUTHORIZED, "the Authorization header is malformed");
    }
    out->user = slice_first(plain, (size_t)colon);
    out->secret = slice_from(plain, (size_t)colon + 1);
    return true;
}

void basic_dispose(struct basic *b)
{
    buf_wipe(&b->plain);
    *b = (struct basic){0};
}
