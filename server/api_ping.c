#include "server/api.h"

/* The core has asked for credentials before (auth: docker takes its challenge from this address alone). */
void api_registry_ping(struct request *rq, struct reply *reply)
{
    (void)rq;
    reply_bytes(reply, 200, "application/json", SLICE_LIT("{}\n"));
}
