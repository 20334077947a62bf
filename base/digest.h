/* Content digests "algorithm:hex" (OCI image spec 1.1, "Digests"): sha256 and sha512, lower-case hex.
 * A `struct digest` can only be made by the functions here, so its content is always well formed. */
#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include "base/err.h"
#include "base/slice.h"

enum digest_algorithm { DIGEST_NONE = 0, DIGEST_SHA256 = 1, DIGEST_SHA512 = 2 };

#define DIGEST_STR_MAX 136 /* "sha512:" + 128 + NUL */
#define DIGEST_RAW_MAX 65  /* 1 byte of algorithm + 64 */

struct digest {
    enum digest_algorithm algorithm;
    uint8_t bytes[64]; /* first digest_size() bytes count, the rest is 0 */
};

/* Parses "sha256:<64 hex>" or "sha512:<128 hex>", lower case only.
 * Expected errors: ERR_DIGEST_INVALID (also for an unknown algorithm). */
bool digest_parse(struct slice text, struct digest *out, struct err *err) MUST_USE;
/* 32, 64, or 0 for DIGEST_NONE. */
size_t digest_size(enum digest_algorithm algorithm);
/* "sha256" / "sha512". */
const char *digest_algorithm_name(enum digest_algorithm algorithm);
bool digest_algorithm_parse(struct slice text, enum digest_algorithm *out);
/* Writes "alg:hex" and a NUL into `out` and returns it. */
const char *digest_format(const struct digest *d, char out[DIGEST_STR_MAX]);
/* Only the hex part. */
const char *digest_hex(const struct digest *d, char out[DIGEST_STR_MAX]);
bool digest_equal(const struct digest *a, const struct digest *b);
/* The order of the stored forms, as the index sorts: below, equal to or above 0. Unset comes first. */
int digest_compare(const struct digest *a, const struct digest *b);
bool digest_is_set(const struct digest *d);
/* Stored form: one byte of algorithm, then the raw digest. Returns the number of bytes written. */
size_t digest_to_raw(const struct digest *d, uint8_t out[DIGEST_RAW_MAX]);
/* False when the bytes are no stored digest. */
bool digest_from_raw(struct slice raw, struct digest *out);
/* From raw hash bytes of known algorithm; n must be digest_size(algorithm). */
bool digest_from_hash(enum digest_algorithm algorithm, const void *hash, size_t n,
                      struct digest *out);

#endif
