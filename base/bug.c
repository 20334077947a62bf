#include "base/cleanup.h"

#include <stdio.h>

/* Plain stdio and abort: what is broken may be anything, the log included. */
void bug_at(const char *file, int line, const char *what)
{
    fprintf(stderr, "level=error event=bug at=%s:%d what=\"%s\"\n", file, line, what);
    abort();
}
