#include "server/route.h"

#include "server/api.h"

static const struct route table[] = {
#define ROUTE(methods, pattern, access, body, thread, handler)                                     \
    {methods, pattern, access, body, thread, handler, #handler, NULL},
#define STREAM(methods, pattern, access, handler, sink)                                            \
    {methods, pattern, access, BODY_STREAM, WORKER, handler, #handler, sink},
#include "server/routes_table.h"
#undef ROUTE
#undef STREAM
};

static const char *const labels[] = {
#define ROUTE(methods, pattern, access, body, thread, handler) #handler,
#define STREAM(methods, pattern, access, handler, sink) #handler,
#include "server/routes_table.h"
#undef ROUTE
#undef STREAM
};

const struct route *route_table(void)
{
    return table;
}

size_t route_count(void)
{
    return sizeof(table) / sizeof(table[0]);
}

const char *const *route_labels(void)
{
    return labels;
}
