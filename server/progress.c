#include "server/progress.h"

#include "base/clock.h"

#include <stdarg.h>
#include <stdio.h>

#define DRAW_US (US_PER_SECOND / 5)
#define LINE_US (10 * US_PER_SECOND)
#define CLEAR_LINE "\r\033[K"

void progress_begin(struct progress *p)
{
    *p = (struct progress){.terminal = isatty(STDERR_FILENO) == 1};
    p->due_us = clock_mono_us() + (p->terminal ? DRAW_US : LINE_US);
}

bool progress_is_due(const struct progress *p)
{
    return clock_mono_us() >= p->due_us;
}

void progress_say(struct progress *p, const char *fmt, ...)
{
    char text[200];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    (void)fprintf(stderr, p->terminal ? CLEAR_LINE "%s" : "bondstore: %s\n", text);
    p->drawn = p->terminal;
    p->due_us = clock_mono_us() + (p->terminal ? DRAW_US : LINE_US);
}

void progress_clear(struct progress *p)
{
    if (p->drawn) {
        (void)fputs(CLEAR_LINE, stderr);
        p->drawn = false;
    }
}
