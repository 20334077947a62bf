/* Lists of the server come in pages; all of them become one document. */
#ifndef CLI_PAGES_H
#define CLI_PAGES_H

#include "cli/cli.h"

#include <jansson.h>

struct pages {
    const char *method;    /* NULL: GET */
    const char *path;      /* may have a query */
    const json_t *body;    /* sent for every page; NULL: none */
    const char *rows;      /* the member of an answer that holds its rows */
    const char *parameter; /* of the query: asks for the page that follows */
    const char *place;     /* member of the last row that it is given, a text or a number, until a
                            * page is empty; NULL: the answer's `next`, until there is none */
};
/* Says on stderr what went wrong.
 *   out   {ROWS: all of them}, new reference; only after OUTCOME_OK */
enum outcome pages_read(const struct call *call, const struct pages *pages, json_t **out);

#endif
