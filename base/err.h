/* Errors as values: on the caller's stack, no heap, no thread-local. Filled once, where the fault is detected;
 * upper layers may prefix context, never recode. Owns: the error codes and how one is filled. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "base/cleanup.h"

#include <stdbool.h>
#include <stdint.h>

/* An empty format is a request for the default sentence, not an oversight. */
#pragma GCC diagnostic ignored "-Wformat-zero-length"

enum err_class {
    ERR_CLASS_CLIENT,
    ERR_CLASS_AUTH,
    ERR_CLASS_CONFLICT,
    ERR_CLASS_INTEGRITY,
    ERR_CLASS_BUSY,
    ERR_CLASS_INTERNAL
};

enum err_code {
    ERR_NONE = 0,
#define ERR(symbol, code, status, class, sentence) symbol,
#include "base/err_table.h"
#undef ERR
    ERR_COUNT
};

struct err {
    enum err_code code;
    char msg[600];    /* safe to show to the client; one sentence that stands alone */
    char detail[400]; /* for the log only */
    int sys;          /* errno at the point of detection, or 0 */
    const char *where;
};

struct err_info {
    const char *symbol; /* "ERR_TAG_UNKNOWN" */
    const char *wire;   /* "MANIFEST_UNKNOWN" */
    int status;         /* HTTP status */
    enum err_class class_;
    const char *sentence; /* default message */
};

/* The table row of a code. Any thread; never NULL for a code below ERR_COUNT. */
const struct err_info *err_info(enum err_code code);

/* Fills `err` and returns false, so that a function can end with `return err_set(err, ERR_X, "…", …)`.
 *   fmt   printf format of the client-safe sentence; "" takes the table's default sentence
 * `err` may be NULL (the caller does not care). Too long a message is cut; control characters in it, and the bytes of
 * ill-formed UTF-8, become '?'. */
bool err_set_at(struct err *err, enum err_code code, const char *where, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
#define err_set(err, code, ...) err_set_at((err), (code), __func__, __VA_ARGS__)

/* Like err_set, for a failed system call: keeps `sys` (errno) and writes what was done and strerror into `detail`
 * only; ENOSPC and EDQUOT become ERR_NO_SPACE, EMFILE and ENFILE ERR_BUSY, everything else ERR_INTERNAL. Returns
 * false. */
bool err_sys_at(struct err *err, int sys, const char *where, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
#define err_sys(err, sys, ...) err_sys_at((err), (sys), __func__, __VA_ARGS__)

/* ERR_INTERNAL with a log-only detail and the default sentence for the client. Returns false. */
bool err_internal_at(struct err *err, const char *where, const char *fmt, ...) PRINTF_LIKE(3, 4);
#define err_internal(err, ...) err_internal_at((err), __func__, __VA_ARGS__)

/* Puts "context: " before the message of a filled error. Returns false. */
bool err_prefix(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
