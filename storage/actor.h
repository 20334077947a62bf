/* Who makes a change: the server fills it from the request's identity, storage writes it beside what
 * changed. Names are kept as text because an account may be gone when somebody asks who pushed. A
 * change may have waited for its turn to be written, and its maker may have lost his right
 * meanwhile: so he can be asked about once more there. */
#ifndef STORAGE_ACTOR_H
#define STORAGE_ACTOR_H

#include <stdbool.h>
#include <stdint.h>

struct db_tx;
struct err;

#define ACTOR_NAME_MAX 255

struct actor {
    int64_t account_id;            /* 0: the control socket, or the server itself */
    char name[ACTOR_NAME_MAX + 1]; /* "alice@example.org", "ns.robot", "control", "server" */
    char address[64];              /* of the peer, or "" */
    char proof[16];                /* "bearer", "basic", "password", "peer", … */
    /* Has he kept the right to what he is changing? NULL: he has nothing to lose, as the server itself. */
    bool (*still)(struct db_tx *tx, const void *arg, struct err *err);
    const void *still_arg; /* borrowed; outlives the write */
};

/* Asked in the transaction of a change. audit_append does, so what is audited need not. Expected
 * errors: those of `still`, as a rule ERR_DENIED. Writer. */
static inline bool actor_may_still(struct db_tx *tx, const struct actor *actor, struct err *err)
{
    return !actor->still || actor->still(tx, actor->still_arg, err);
}

#endif
