/* One line per event, logfmt on stderr: time, level, event, then key=value pairs. Never a token, password or
 * Authorization header. Thread-safe (one write per line). */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/err.h"
#include "base/slice.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/* Process-wide threshold, set once at start (the only process state of base/log). */
void log_set_level(enum log_level level);
/*   event   short snake_case word
 *   fmt     printf format of "key=value key=value"; values that may hold blanks or quotes go through %s of log_quote()
 *           or are written as key="%s" with text of our own */
void log_event(enum log_level level, const char *event, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Logs an error value with its code, message, detail, errno and place. */
void log_err(enum log_level level, const char *event, const struct err *err);
/* Quoted, escaped, printable form cut to fit; returns out. */
const char *log_quote(struct slice text, char *out, size_t n);

#endif
