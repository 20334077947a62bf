/* A file name of the trust API that is understood says so in one way: put together again from its
 * parts it is the same text, and its role cannot be another path. */
#include "base/buf.h"
#include "server/trust_path.h"
#include "tests/fuzz/fuzz.h"

#include <inttypes.h>

static void put(struct buf *b, const struct trust_path *path, struct slice text)
{
    switch (path->kind) {
    case TRUST_PATH_CURRENT:
        break;
    case TRUST_PATH_VERSION: /* leading zeros are the sender's own */
        for (size_t i = 0; i < text.n && text.p[i] == '0' && i + 1 < text.n && text.p[i + 1] != '.';
             i++) {
            buf_char(b, '0');
        }
        buf_printf(b, "%" PRId64 ".", path->version);
        break;
    case TRUST_PATH_CHECKSUM:
        buf_slice(b, path->role);
        buf_char(b, '.');
        buf_slice(b, path->hex);
        return;
    }
    buf_slice(b, path->role);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_of_bytes(data, size);
    struct trust_path path;
    auto_buf struct buf again = {0};
    if (!trust_path_parse(text, &path)) {
        return 0;
    }
    put(&again, &path, text);
    buf_str(&again, ".json");
    HOLDS(slice_equal(buf_slice_of(&again), text));
    HOLDS(path.role.n > 0 && path.role.p[0] != '/' && path.role.p[path.role.n - 1] != '/');
    HOLDS(path.kind != TRUST_PATH_VERSION || path.version >= 0);
    HOLDS((path.kind == TRUST_PATH_CHECKSUM) == (path.hex.n > 0));
    for (size_t i = 0; i < path.hex.n; i++) {
        HOLDS(memchr("0123456789abcdefABCDEF", path.hex.p[i], 22) != NULL);
    }
    HOLDS(path.hex.n == 0 || path.hex.n == 64 || path.hex.n == 96 || path.hex.n == 128);
    return 0;
}
