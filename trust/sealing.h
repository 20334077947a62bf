/* The sealing key: a file outside the database under which the private halves of the server's keys
 * are stored (crypto_secretbox). Owns: the file's format, sealing, and what a sealed key is bound to.
 * Refuses to know: what is sealed.
 * Invariants
 *   1. Each key is sealed under a key of its own, made from the sealing key and the key's place: moved
 *      to another repository, role or key id it does not open.
 *   2. The sealing key, and what was unsealed, are in memory that is locked, guarded and wiped. */
#ifndef TRUST_SEALING_H
#define TRUST_SEALING_H

#include "base/buf.h"
#include "base/err.h"

#define SEALING_ID_MAX 17 /* 16 hex digits and NUL */

struct sealing;

/* Expected errors: ERR_INVALID (missing, of another size, readable by others: one sentence). */
bool sealing_read(const char *path, struct sealing **out, struct err *err) MUST_USE;
void sealing_free(struct sealing *s); /* accepts NULL */
/* From now on `s` also opens what was sealed under `next`; it goes on sealing under its own key. Takes
 * `next`; NULL takes it away. While a change of the sealing key is under way (rewrap.h). */
void sealing_accept(struct sealing *s, struct sealing *next);
/* The other key, or NULL. Borrowed. */
const struct sealing *sealing_next(const struct sealing *s);
/* Tells one sealing key from another and says nothing about it. Borrowed. */
const char *sealing_id(const struct sealing *s);
/* A further key of 32 bytes for one purpose, of this instance alone.
 *   purpose   8 characters */
void sealing_derive(const struct sealing *s, const char *purpose, uint8_t out[32]);

/* Where a key belongs. All borrowed. */
struct seal_place {
    struct slice repository; /* "ns/app": the host may be renamed */
    const char *role;        /* "timestamp" or "snapshot" */
    const char *key_id;
};

/* Unsealed bytes, in sodium_malloc memory. */
struct unsealed {
    uint8_t *p;
    size_t n;
};
void unsealed_dispose(struct unsealed *u); /* wipes */
#define auto_unsealed __attribute__((cleanup(unsealed_dispose)))

/* Appends nonce and box; sealed by sealing_id(s). */
void sealing_seal(const struct sealing *s, const struct seal_place *place, struct slice secret,
                  struct buf *out);
/*   sealed_by   the id of the sealing key that it was sealed under
 * Expected errors: ERR_INTERNAL (another sealing key, another place, changed bytes). */
bool sealing_unseal(const struct sealing *s, const struct seal_place *place, const char *sealed_by,
                    struct slice sealed, struct unsealed *out, struct err *err) MUST_USE;
/* What an earlier version sealed, bound to nothing; only to seal it anew. */
bool sealing_unseal_unbound(const struct sealing *s, struct slice sealed, struct unsealed *out,
                            struct err *err) MUST_USE;

#endif
