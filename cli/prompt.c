#include "cli/prompt.h"

#include "cli/say.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

enum line_result { LINE_FAILED, LINE_READ, LINE_INTERRUPTED };

/* One byte at a time, so that nothing after the newline is taken from a pipe that others read too.
 */
static enum line_result line_read(int fd, int signals, struct buf *out)
{
    for (;;) {
        struct pollfd wait[2] = {{.fd = fd, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
        if (signals >= 0 && poll(wait, 2, -1) > 0 && wait[1].revents) {
            return LINE_INTERRUPTED;
        }
        char c;
        ssize_t n = read(fd, &c, 1);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0 || (n == 0 && out->n == 0) || out->failed) {
            return LINE_FAILED;
        }
        if (n == 0 || c == '\n') {
            break;
        }
        buf_char(out, c);
    }
    if (out->n > 0 && out->p[out->n - 1] == '\r') {
        out->p[--out->n] = '\0';
    }
    return out->failed || out->n == 0 ? LINE_FAILED : LINE_READ;
}

/* With the signals that would leave the terminal without echo held back: they are delivered after
 * it is restored. */
static enum line_result terminal_ask(int tty, const char *question, bool echo, struct buf *out)
{
    struct termios before;
    sigset_t held, old;

    (void)sigemptyset(&held);
    (void)sigaddset(&held, SIGINT);
    (void)sigaddset(&held, SIGTERM);
    (void)sigaddset(&held, SIGTSTP);
    if (tcgetattr(tty, &before) != 0 || sigprocmask(SIG_BLOCK, &held, &old) != 0) {
        return LINE_FAILED;
    }
    auto_fd int signals = signalfd(-1, &held, SFD_CLOEXEC);
    struct termios quiet = before;
    quiet.c_lflag &= ~(tcflag_t)(echo ? 0 : ECHO);
    (void)tcsetattr(tty, TCSAFLUSH, &quiet);

    (void)dprintf(tty, "%s: ", question);
    enum line_result result = line_read(tty, signals, out);

    (void)tcsetattr(tty, TCSAFLUSH, &before);
    if (!echo || result == LINE_INTERRUPTED) {
        (void)dprintf(tty, "\n");
    }
    (void)sigprocmask(SIG_SETMASK, &old, NULL);
    return result;
}

static enum outcome terminal_line(const char *question, bool echo, const char *instead,
                                  struct buf *out)
{
    auto_fd int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);

    if (tty < 0) {
        say("there is no terminal to ask for the %s; %s", question, instead);
        return OUTCOME_USAGE;
    }
    switch (terminal_ask(tty, question, echo, out)) {
    case LINE_READ:
        return OUTCOME_OK;
    case LINE_INTERRUPTED:
        return OUTCOME_INTERRUPTED;
    case LINE_FAILED:
        break;
    }
    say("no %s was given; nothing was done", question);
    return OUTCOME_USAGE;
}

enum outcome prompt_secret(const struct call *call, const char *question, struct buf *out)
{
    out->max = SECRET_MAX;
    buf_reserve(out, SECRET_MAX); /* it never moves, so no copy stays behind unwiped */
    if (!call_has(call, OPTION_PASSWORD_STDIN)) {
        return terminal_line(question, false, "give it on standard input with --password-stdin",
                             out);
    }
    if (line_read(STDIN_FILENO, -1, out) == LINE_READ) {
        return OUTCOME_OK;
    }
    say("standard input holds no %s of 1 to %d bytes on its first line", question, SECRET_MAX);
    return OUTCOME_USAGE;
}

enum outcome prompt_line(const char *question, struct buf *out)
{
    out->max = SECRET_MAX;
    return terminal_line(question, true, "give it with --user", out);
}

enum outcome prompt_confirm(const struct call *call, const char *what)
{
    auto_buf struct buf question = {0};
    auto_buf struct buf answer = {.max = SECRET_MAX};

    if (call_has(call, OPTION_YES)) {
        return OUTCOME_OK;
    }
    if (!isatty(STDIN_FILENO)) {
        say("nobody can be asked here whether to %s; add --yes when that is meant", what);
        return OUTCOME_USAGE;
    }
    buf_printf(&question, "%s (y/n)", what);
    enum outcome outcome = terminal_line(question.p, true, "add --yes", &answer);
    if (outcome != OUTCOME_OK) {
        return outcome;
    }
    if (slice_is_nocase(buf_slice_of(&answer), "y") ||
        slice_is_nocase(buf_slice_of(&answer), "yes")) {
        return OUTCOME_OK;
    }
    say("cancelled; nothing was done");
    return OUTCOME_USAGE;
}
