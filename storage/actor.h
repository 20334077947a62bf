/* Who made a change, as a plain value: the server fills it from the request's identity, storage
 * writes it beside what changed. Names are kept as text because an account may be gone when
 * somebody asks who pushed. */
#ifndef STORAGE_ACTOR_H
#define STORAGE_ACTOR_H

#include <stdint.h>

#define ACTOR_NAME_MAX 255

struct actor {
    int64_t account_id;            /* 0: the control socket, or the server itself */
    char name[ACTOR_NAME_MAX + 1]; /* "alice@example.org", "ns.robot", "control", "server" */
    char address[64];              /* of the peer, or "" */
    char proof[16];                /* "bearer", "basic", "password", "peer", … */
};

#endif
