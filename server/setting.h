/* One setting: its row in settings_table.h as a value, and the reading of texts by type. Pure.
 *
 * Owns: units. Refuses to know: where a text came from. */
#ifndef SERVER_SETTING_H
#define SERVER_SETTING_H

#include "base/buf.h"
#include "base/err.h"

enum setting_type {
    SETTING_TEXT,
    SETTING_FLAG,
    SETTING_WORD,
    SETTING_COUNT,
    SETTING_SIZE,
    SETTING_DURATION
};

struct setting {
    const char *section; /* "" at the top level */
    const char *key;
    enum setting_type type;
    const char *fallback;
    int64_t low, high;
    const char *words; /* "a|b" */
    const char *sentence, *reason;
    size_t offset; /* of its field in struct config */
};

size_t setting_count(void);
const struct setting *setting_at(size_t i);
/* "limits.manifest". */
void setting_name(const struct setting *s, struct buf *out);
/* "BONDSTORE_LIMITS_MANIFEST". */
void setting_environment(const struct setting *s, struct buf *out);

/* Reads a text by the type.
 *   number_out   FLAG 0 or 1; COUNT, SIZE in bytes, DURATION in microseconds; 0 for TEXT and WORD
 * Expected errors: ERR_INVALID with a sentence that says what is expected. */
bool setting_read(const struct setting *s, struct slice text, int64_t *number_out,
                  struct err *err) MUST_USE;

#endif
