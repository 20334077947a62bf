/* No bytes are a key under a pass phrase that was never used to seal one, and nothing of them is
 * handed out. */
#include "tests/fuzz/fuzz.h"
#include "trust/import_key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_buf struct buf plain = {0};
    struct err err = {0};
    HOLDS(!import_key_open(slice_of_bytes(data, size), SLICE_LIT("nobody sealed with this"), &plain,
                           &err));
    HOLDS(plain.n == 0 && err.code == ERR_INVALID && err.msg[0] != '\0');
    return 0;
}
