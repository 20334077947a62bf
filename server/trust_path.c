#include "server/trust_path.h"

static bool role_segments(struct slice rest)
{
    struct slice segment;
    while (slice_next(&rest, '/', &segment)) {
        if (segment.n == 0) {
            return false;
        }
        for (size_t i = 0; i < segment.n; i++) {
            if (segment.p[i] <= ' ') {
                return false;
            }
        }
    }
    return true;
}

/* Whether such a role may exist is the trust code's question; here it is only a path that names
 * one. */
static bool is_role(struct slice text)
{
    if (slice_is(text, "root") || slice_is(text, "snapshot") || slice_is(text, "timestamp") ||
        slice_is(text, "targets")) {
        return true;
    }
    static const char prefix[] = "targets/";
    return slice_starts(text, prefix) && text.n > sizeof(prefix) - 1 &&
           role_segments(slice_from(text, sizeof(prefix) - 1));
}

static bool is_hex(struct slice text)
{
    if (text.n != 64 && text.n != 96 && text.n != 128) {
        return false;
    }
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))) {
            return false;
        }
    }
    return true;
}

static bool parse_checksum(struct slice stem, struct trust_path *out)
{
    ptrdiff_t dot = slice_rindex(stem, '.');
    if (dot < 0) {
        return false;
    }
    out->role = slice_first(stem, (size_t)dot);
    out->hex = slice_from(stem, (size_t)dot + 1);
    return is_hex(out->hex) && is_role(out->role);
}

static bool parse_version(struct slice stem, struct trust_path *out)
{
    ptrdiff_t dot = slice_index(stem, '.');
    if (dot < 0) {
        return false;
    }
    out->role = slice_from(stem, (size_t)dot + 1);
    return slice_to_int64(slice_first(stem, (size_t)dot), &out->version) && is_role(out->role);
}

bool trust_path_parse(struct slice text, struct trust_path *out)
{
    static const char suffix[] = ".json";
    *out = (struct trust_path){0};
    if (!slice_ends(text, suffix)) {
        return false;
    }
    struct slice stem = slice_first(text, text.n - (sizeof(suffix) - 1));
    out->kind = TRUST_PATH_CHECKSUM;
    if (parse_checksum(stem, out)) {
        return true;
    }
    out->kind = TRUST_PATH_VERSION;
    if (parse_version(stem, out)) {
        out->hex = (struct slice){0};
        return true;
    }
    *out = (struct trust_path){.kind = TRUST_PATH_CURRENT, .role = stem};
    return is_role(stem);
}
