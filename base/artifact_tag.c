#include "base/artifact_tag.h"

#include "base/hex.h"

#include <stdio.h>

static const char *const suffixes[ARTIFACT_TAG_NAMES] = {"", ".sig", ".att", ".sbom"};

bool artifact_tag_subject(struct slice tag, struct digest *subject_out)
{
    uint8_t raw[32];
    if (!slice_starts(tag, "sha256-")) {
        return false;
    }
    struct slice hex = slice_from(tag, 7);
    for (size_t i = 1; i < ARTIFACT_TAG_NAMES; i++) {
        if (slice_ends(hex, suffixes[i])) {
            hex.n -= strlen(suffixes[i]);
            break;
        }
    }
    return hex_decode(hex, raw, sizeof raw) &&
           digest_from_hash(DIGEST_SHA256, raw, sizeof raw, subject_out);
}

bool artifact_tag_names(const struct digest *subject, char out[ARTIFACT_TAG_NAMES][ARTIFACT_TAG_SIZE])
{
    char hex[DIGEST_STR_MAX];
    if (subject->algorithm != DIGEST_SHA256) {
        return false;
    }
    (void)digest_hex(subject, hex);
    for (size_t i = 0; i < ARTIFACT_TAG_NAMES; i++) {
        (void)snprintf(out[i], ARTIFACT_TAG_SIZE, "sha256-%.64s%s", hex, suffixes[i]);
    }
    return true;
}
