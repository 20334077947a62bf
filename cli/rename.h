/* The commands that move signatures to another host name. */
#ifndef CLI_RENAME_H
#define CLI_RENAME_H

#include "cli/cli.h"

/* bond trust rename OLDHOST NEWHOST: asks the server which repositories are signed, and prints for
 * each what the key holders and the administrator run; changes nothing. */
enum outcome trust_rename(const struct call *call);

#endif
