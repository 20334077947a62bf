/* What deleting a repository and deleting a namespace share: the name typed twice, and what people
 * with old signatures in their caches must run. */
#ifndef CLI_REMOVAL_H
#define CLI_REMOVAL_H

#include "base/buf.h"
#include "cli/cli.h"

/* --confirm repeats `name`; otherwise says what is missing and that nothing was done. */
bool removal_is_confirmed(const struct call *call, const char *name);
/* DELETE `path` with --forget-pins; tells the outcome. */
enum outcome removal_request(const struct call *call, struct buf *path, const char *name);

#endif
