/* The routes of this program: the rows of routes_table.h with the handlers of the api_ files. */
#ifndef SERVER_ROUTE_H
#define SERVER_ROUTE_H

#include "server/http.h"

const struct route *route_table(void);
size_t route_count(void);
/* The handlers' names by number, for metrics and log. */
const char *const *route_labels(void);

#endif
