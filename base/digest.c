#include "base/digest.h"

#include "base/hex.h"

struct algorithm_row {
    const char *name;
    size_t size;
};

static const struct algorithm_row rows[] = {
    [DIGEST_NONE] = {"none", 0},
    [DIGEST_SHA256] = {"sha256", 32},
    [DIGEST_SHA512] = {"sha512", 64},
};

#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

static const struct algorithm_row *row_of(enum digest_algorithm algorithm)
{
    if ((unsigned)algorithm >= ROW_COUNT) {
        BUG("no such digest algorithm");
    }
    return &rows[algorithm];
}

size_t digest_size(enum digest_algorithm algorithm)
{
    return row_of(algorithm)->size;
}

const char *digest_algorithm_name(enum digest_algorithm algorithm)
{
    return row_of(algorithm)->name;
}

bool digest_algorithm_parse(struct slice text, enum digest_algorithm *out)
{
    *out = DIGEST_NONE;
    for (enum digest_algorithm a = DIGEST_SHA256; a < ROW_COUNT; a++) {
        if (slice_is(text, rows[a].name)) {
            *out = a;
            return true;
        }
    }
    return false;
}

bool digest_parse(struct slice text, struct digest *out, struct err *err)
{
    *out = (struct digest){0};
    ptrdiff_t colon = slice_index(text, ':');
    if (colon < 0) {
        return err_set(err, ERR_DIGEST_INVALID, "a digest has the form sha256:<64 hex digits>");
    }
    struct digest d = {0};
    if (!digest_algorithm_parse(slice_first(text, (size_t)colon), &d.algorithm)) {
        return err_set(err, ERR_DIGEST_INVALID,
                       "the digest's algorithm is not supported: use sha256 or sha512");
    }
    size_t size = digest_size(d.algorithm);
    if (!hex_decode(slice_from(text, (size_t)colon + 1), d.bytes, size)) {
        return err_set(err, ERR_DIGEST_INVALID, "a %s digest has exactly %zu lower-case hex digits",
                       digest_algorithm_name(d.algorithm), 2 * size);
    }
    *out = d;
    return true;
}

const char *digest_hex(const struct digest *d, char out[DIGEST_STR_MAX])
{
    return hex_encode(d->bytes, digest_size(d->algorithm), out);
}

const char *digest_format(const struct digest *d, char out[DIGEST_STR_MAX])
{
    const char *name = digest_algorithm_name(d->algorithm);
    size_t n = strlen(name);
    memcpy(out, name, n);
    out[n] = ':';
    hex_encode(d->bytes, digest_size(d->algorithm), out + n + 1);
    return out;
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
    return a->algorithm == b->algorithm && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

int digest_compare(const struct digest *a, const struct digest *b)
{
    if (a->algorithm != b->algorithm) {
        return a->algorithm < b->algorithm ? -1 : 1;
    }
    return memcmp(a->bytes, b->bytes, digest_size(a->algorithm));
}

bool digest_is_set(const struct digest *d)
{
    return d->algorithm != DIGEST_NONE;
}

size_t digest_to_raw(const struct digest *d, uint8_t out[DIGEST_RAW_MAX])
{
    size_t size = digest_size(d->algorithm);
    out[0] = (uint8_t)d->algorithm;
    memcpy(out + 1, d->bytes, size);
    return 1 + size;
}

bool digest_from_raw(struct slice raw, struct digest *out)
{
    *out = (struct digest){0};
    if (raw.n < 1 || (raw.p[0] != DIGEST_SHA256 && raw.p[0] != DIGEST_SHA512)) {
        return false;
    }
    return digest_from_hash((enum digest_algorithm)raw.p[0], raw.p + 1, raw.n - 1, out);
}

bool digest_from_hash(enum digest_algorithm algorithm, const void *hash, size_t n,
                      struct digest *out)
{
    *out = (struct digest){0};
    if (algorithm == DIGEST_NONE || n != digest_size(algorithm)) {
        return false;
    }
    out->algorithm = algorithm;
    memcpy(out->bytes, hash, n);
    return true;
}
