/* The deny list and overrides against the checkpoint (gate.md 4.2): a restored store must not let
 * through again what was denied after it was saved, nor bring an override back that was ended. */
#ifndef TRUST_EXCEPTIONS_H
#define TRUST_EXCEPTIONS_H

#include "trust/checkpoint.h"

#include <jansson.h>

/* All that the store has. Any tx. */
bool exceptions_load(struct db_tx *tx, int64_t now_us, struct exception_list *out,
                     struct err *err) MUST_USE;
/* Compares them with the checkpoint, once in a run: afterwards it costs nothing.
 *   why   SUSPICION_MAX bytes: the sentence of a suspicion; "" when all is good
 * Any tx. */
bool exceptions_look(struct checkpoint *c, struct db_tx *tx, int64_t now_us, char *why,
                     struct err *err) MUST_USE;
/* Before a change of one of them, outside of the write. Expected errors: ERR_CONFLICT (the store, or
 * the clock, may have been set back), ERR_NO_SPACE, ERR_INTERNAL. */
bool exceptions_ready(struct checkpoint *c, struct db *db, int64_t now_us,
                      struct err *err) MUST_USE;

/* After the commit of a change: makes durable what was noted of it. The change is in force whatever
 * becomes of that.
 *   warning   "", or the sentence to tell with the answer: a store that is set back may not show it */
#define EXCEPTION_WARNING_MAX 300
void exceptions_noted(struct checkpoint *c, char warning[EXCEPTION_WARNING_MAX]);

/* The sentence as a member "warning" of an answer; none when it is "". */
void exceptions_put_warning(json_t *answer, const char *warning);

/* Who changes one of them is asked for his right inside the write: it may be gone since the request
 * came. Fills the namespace that it is about, 0 for the instance. False: err says why; nothing is
 * written. */
struct exception_right {
    bool (*check)(struct db_tx *tx, const void *arg, int64_t *namespace_id_out, struct err *err);
    const void *arg;
};

/* A text that people wrote, such as a reason: 1 to `max` bytes of UTF-8 without control characters.
 *   member   what it is called, for the sentence
 *   out      max + 1 bytes
 * Expected errors: ERR_INVALID. */
bool exceptions_text(struct slice text, const char *member, size_t max, char *out,
                     struct err *err) MUST_USE;
/* The same of a reason that is passed on as it is; "" and NULL are taken when it is not needed. */
#define EXCEPTIONS_REASON_MAX 500 /* bytes, where no table says otherwise */
bool exceptions_reason(const char *reason, size_t max, bool needed, struct err *err) MUST_USE;

#endif
