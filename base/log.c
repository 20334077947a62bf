#include "base/log.h"

#include "base/buf.h"
#include "base/clock.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

#define LINE_MAX_BYTES 2048

static _Atomic int threshold = LOG_INFO;

static const char *const level_names[] = {
    [LOG_DEBUG] = "debug", [LOG_INFO] = "info", [LOG_WARN] = "warn", [LOG_ERROR] = "error"};

void log_set_level(enum log_level level)
{
    atomic_store(&threshold, (int)level);
}

static size_t clip(int n, size_t room)
{
    if (n < 0) {
        return 0;
    }
    return (size_t)n < room ? (size_t)n : room - 1;
}

/* One write per line, so that lines of several threads do not mix. What cannot be written is lost:
 * there is nobody to tell. */
static void write_line(char *line, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7F) {
            line[i] = '?'; /* a stray newline must not forge a line */
        }
    }
    line[n] = '\n';
    int saved = errno;
    ssize_t done = write(STDERR_FILENO, line, n + 1);
    (void)done;
    errno = saved;
}

void log_event(enum log_level level, const char *event, const char *fmt, ...)
{
    if ((int)level < atomic_load(&threshold)) {
        return;
    }
    char line[LINE_MAX_BYTES];
    char now[TIME_STR_MAX];
    size_t room = sizeof(line) - 1; /* the newline */
    size_t n = clip(snprintf(line, room, "time=%s level=%s event=%s ",
                             time_format(clock_now_us(), now), level_names[level], event),
                    room);
    va_list args;
    va_start(args, fmt);
    n += clip(vsnprintf(line + n, room - n, fmt, args), room - n);
    va_end(args);
    while (n > 0 && line[n - 1] == ' ') {
        n--;
    }
    write_line(line, n);
}

void log_err(enum log_level level, const char *event, const struct err *err)
{
    char msg[sizeof(err->msg) + 64];
    char detail[sizeof(err->detail) + 64];
    log_event(level, event, "code=%s sys=%d where=%s msg=%s detail=%s", err_info(err->code)->symbol,
              err->sys, err->where ? err->where : "-",
              log_quote(slice_str(err->msg), msg, sizeof(msg)),
              log_quote(slice_str(err->detail), detail, sizeof(detail)));
}

const char *log_quote(struct slice text, char *out, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    size_t at = 0;
    if (n < 3) {
        if (n > 0) {
            out[0] = '\0';
        }
        return out;
    }
    out[at++] = '"';
    for (size_t i = 0; i < text.n && at + 6 < n; i++) { /* room for \xHH, the quote and the NUL */
        unsigned char c = (unsigned char)text.p[i];
        if (c == '"' || c == '\\') {
            out[at++] = '\\';
            out[at++] = (char)c;
        } else if (c < 0x20 || c >= 0x7F) {
            out[at++] = '\\';
            out[at++] = 'x';
            out[at++] = digits[c >> 4];
            out[at++] = digits[c & 15];
        } else {
            out[at++] = (char)c;
        }
    }
    out[at++] = '"';
    out[at] = '\0';
    return out;
}
