/* Programs that `bond` starts for somebody: the local engine, and what --exec names.
 * Security: a program and its arguments, never a shell; names without a slash are looked up in
 * PATH. */
#ifndef CLI_CHILD_H
#define CLI_CHILD_H

#include "cli/cli.h"

/* Runs a program to its end.
 *   argv     program and arguments, NULL-terminated
 *   to_stderr   what it prints goes to stderr: stdout is bond's own
 * False after a sentence on stderr: it could not be started, or did not end with status 0. */
bool child_run(const char *const argv[], bool to_stderr) MUST_USE;

#endif
