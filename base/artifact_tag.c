#include "base/artifact_tag.h"

#include "base/hex.h"

bool artifact_tag_subject(struct slice tag, struct digest *subject_out)
{
    static const char *const suffixes[] = {".sig", ".att", ".sbom"};
    uint8_t raw[32];
    if (!slice_starts(tag, "sha256-")) {
        return false;
    }
    struct slice hex = slice_from(tag, 7);
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        if (slice_ends(hex, suffixes[i])) {
            hex.n -= strlen(suffixes[i]);
            break;
        }
    }
    return hex_decode(hex, raw, sizeof raw) &&
           digest_from_hash(DIGEST_SHA256, raw, sizeof raw, subject_out);
}
