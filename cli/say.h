/* Messages for the person: one sentence on stderr that says what to do next. Data goes to stdout,
 * see output.h. */
#ifndef CLI_SAY_H
#define CLI_SAY_H

#include "base/cleanup.h"

/* "bond: " + sentence + newline; control characters (a server's text may hold them) become '?'. */
void say(const char *fmt, ...) PRINTF_LIKE(1, 2);

#endif
