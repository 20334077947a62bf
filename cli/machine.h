/* Accounts of machines, robots and deployers, which differ in one word of the address and one
 * member of the body. Owns: list, create and rm for both. */
#ifndef CLI_MACHINE_H
#define CLI_MACHINE_H

#include "cli/cli.h"
#include "cli/output.h"

/*   kind   "robots" or "deployers": the address, and the member of the answer that holds the rows
 */
enum outcome machine_list(const struct call *call, const char *kind, const struct column columns[]);
/*   body   what to create; takes the reference. NULL is told as a name that is no text. */
enum outcome machine_create(const struct call *call, const char *kind, json_t *body);
enum outcome machine_rm(const struct call *call, const char *kind);

#endif
