/* What the commands about services share: how a service and a release are typed, and where they are
 * at the server. The services run elsewhere. Each function says on stderr what is wrong and returns
 * false then. */
#ifndef CLI_SERVICE_H
#define CLI_SERVICE_H

#include "base/buf.h"
#include "cli/cli.h"

#include <jansson.h>

#define DEPLOYMENTS "/api/v1/deployments"

/* SERVICE with -E, or NS/SERVICE; `out` becomes the address of the service. */
bool service_path(const struct call *call, const char *text, struct buf *out) MUST_USE;
/* A release's number, from 1 on. */
bool release_number(const char *text, int64_t *out) MUST_USE;
/* `body` with the text of --notes; it is consumed. NULL after a sentence: it is no UTF-8. */
json_t *with_notes(const struct call *call, json_t *body);

#endif
