/* Finds the command that was typed and reads its options and arguments.
 * Owns: the table of options, help texts, usage errors. Refuses to know: what a command does. */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include "cli/cli.h"

#include <stdio.h>

/* All lists of commands, NULL-terminated; each list ends with a row without a name. */
extern const struct command *const command_lists[];

/* Walks over all commands: start with a zero cursor, NULL is the end. */
struct command_cursor {
    const struct command *const *list;
    const struct command *row;
};
const struct command *command_next(struct command_cursor *cursor);

/* Runs what argv asks for. Usage errors and help end here; `argv` must live until the return. */
enum outcome command_main(int argc, char **argv);

/* What an option is called ("--json"), for messages. */
const char *option_name(enum flag option);

/* The options taken everywhere, and those of one command, as words for a shell's completion. */
void command_print_options(FILE *out, const struct command *command_or_null);

#endif
