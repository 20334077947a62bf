/* Data on stdout: a table with a header on a terminal, tab-separated lines without one elsewhere,
 * the server's JSON with --json, the first column alone with -q. Owns: how rows look. Refuses to
 * know: what they mean. */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include "cli/cli.h"

#include <jansson.h>

struct column {
    const char *header; /* NULL ends a list of columns */
    const char *member; /* of each row's object; strings, numbers, booleans (yes, no), arrays joined
                           by ',', "-" when absent */
};

#define COLUMNS_MAX 10

/* Prints the array `answer[rows]`, one object a line. */
void output_list(const struct call *call, const json_t *answer, const char *rows,
                 const struct column columns[]);
/* Prints one object as a single line of those columns (the whole document with --json). */
void output_object(const struct call *call, const json_t *object, const struct column columns[]);
/* Prints one line; control characters are replaced. */
void output_text(const char *line);
/* Prints a document, indented. */
void output_json(const json_t *value);
/* Prints `USER SECRET`, the one line that scripts read; USER alone when the answer has no secret.
 */
void output_secret(const struct call *call, const json_t *answer);

/* Replaces control characters, so that text of a server or an image cannot steer the terminal.
 * Returns `text`. */
char *printable(char *text);
/* Says the warning of an answer that went well, when it has one: its member "warning". */
void output_warning(const json_t *answer);

#endif
