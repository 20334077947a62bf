/* What a long command says on stderr while it works: on a terminal one line that is drawn again,
 * elsewhere a line every ten seconds, so that a log shows life and is not flooded.
 * Owns: when and how. Refuses to know: what is said. One thread. */
#ifndef SERVER_PROGRESS_H
#define SERVER_PROGRESS_H

#include "base/cleanup.h"

#include <stdbool.h>
#include <stdint.h>

struct progress {
    bool terminal;
    bool drawn; /* a line stands on the terminal */
    int64_t due_us;
};

void progress_begin(struct progress *p);
/* Time to say something: ask before the text is made. */
bool progress_is_due(const struct progress *p);
/* One line without a newline; shown at once, the next one is due later. */
void progress_say(struct progress *p, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Takes the drawn line away: before anything else is written, and at the end. */
void progress_clear(struct progress *p);

#endif
