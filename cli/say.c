#include "cli/say.h"

#include "base/buf.h"
#include "cli/output.h"

#include <stdarg.h>
#include <stdio.h>

void say(const char *fmt, ...)
{
    char text[2048];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    printable(text);
    (void)fflush(stdout); /* where both go to one place, lines stay in order */
    (void)fprintf(stderr, "bond: %s\n", text);
}
