/* What deleting a repository, deleting a namespace and wiping signatures share: the name typed
 * twice, and what people with old signatures in their caches must run. */
#ifndef CLI_REMOVAL_H
#define CLI_REMOVAL_H

#include "base/buf.h"
#include "cli/cli.h"

#include <jansson.h>

/* --confirm repeats `name`; otherwise says what is missing and that nothing was done. */
bool removal_is_confirmed(const struct call *call, const char *name);
/* Says `sentence` and prints the commands of an answer for the caches of clients; nothing when there
 * are none. */
void removal_commands(const json_t *answer, const char *sentence);
/* DELETE `path` with --forget-pins; tells the outcome. */
enum outcome removal_request(const struct call *call, struct buf *path, const char *name);

#endif
