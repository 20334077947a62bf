/* Asks the person: secrets with echo off, confirmations. Owns: the terminal while it asks. */
#ifndef CLI_PROMPT_H
#define CLI_PROMPT_H

#include "base/buf.h"
#include "cli/cli.h"

#define SECRET_MAX 1024 /* bytes of a password, security bound of the server */

/* Reads a secret: the first line of standard input with --password-stdin, else from the terminal
 * with echo off. question   shown on the terminal, without colon out        without the newline,
 * never empty; the caller wipes it (auto_secret) OUTCOME_USAGE (said on stderr) when there is no
 * terminal, nothing was typed or it is too long; OUTCOME_INTERRUPTED is told by the signal itself.
 */
enum outcome prompt_secret(const struct call *call, const char *question, struct buf *out);

/* Reads one line from the terminal with echo on, for names. Like prompt_secret. */
enum outcome prompt_line(const char *question, struct buf *out);

/* OUTCOME_OK when --yes was given or the person answers y. Refuses with OUTCOME_USAGE when there is
 * nobody to ask. */
enum outcome prompt_confirm(const struct call *call, const char *what);

static inline void cleanup_secret(struct buf *b)
{
    buf_wipe(b);
}
#define auto_secret __attribute__((cleanup(cleanup_secret)))

#endif
