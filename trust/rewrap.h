/* Another sealing key: every server key is sealed anew under it, then it takes the place of the old
 * one. Owns: the order of the steps.
 *
 * 1. The new key is written beside the old one, PATH.next. From then on a server that starts accepts
 *    both (sealing.h), so that an interrupted change stops nothing.
 * 2. Page by page, each key is opened with the old sealing key and sealed under the new one.
 * 3. Every key is opened with the new one alone, and its halves are compared.
 * 4. The checkpoint's code, which hangs on the sealing key, is made anew.
 * 5. PATH.next becomes PATH: the old key is forgotten.
 *
 * Killed at any moment, the same call goes on and ends it. */
#ifndef TRUST_REWRAP_H
#define TRUST_REWRAP_H

#include "base/db.h"
#include "trust/sealing.h"

#define SEALING_NEXT_SUFFIX ".next"

struct rewrap_request {
    struct db *db;               /* nobody else uses it */
    const char *sealing_path;    /* its folder takes PATH.next */
    const char *checkpoint_path; /* NULL: there is none */
    const char *new_key_path;    /* a file of 32 bytes; NULL: a fresh random key */
};
struct rewrap_result {
    bool resumed;      /* a change that was begun before went on */
    int64_t keys;      /* that exist */
    int64_t rewrapped; /* by this call */
};

/* Expected errors: ERR_INVALID (a key file, or the checkpoint, is not usable), ERR_CONFLICT (a change
 * to another key was begun), ERR_INTERNAL (a key does not open: nothing is forgotten), ERR_NO_SPACE.
 * Durable. */
bool trust_rewrap(const struct rewrap_request *request, struct rewrap_result *out,
                  struct err *err) MUST_USE;

/* Reads the sealing key, and PATH.next as another that is accepted when there is one. Errors as
 * sealing_read. */
bool sealing_read_both(const char *path, struct sealing **out, struct err *err) MUST_USE;
/* Seals what an earlier version left unbound. Errors as held_key_sign. One durable write for each
 * 100 keys. */
bool trust_keys_bind(struct db *db, const struct sealing *sealing, struct err *err) MUST_USE;

#endif
