#include "trust/chains.h"

#include "base/buf.h"

#include <pthread.h>

#define SLOTS 4096 /* repositories that share one forget each other's */

struct slot {
    int64_t repository_id; /* 0: free */
    uint8_t chain[32];
};

struct chains {
    pthread_mutex_t lock;
    struct slot slots[SLOTS];
};

struct chains *chains_new(void)
{
    struct chains *chains = xcalloc(1, sizeof *chains);
    pthread_mutex_init(&chains->lock, NULL);
    return chains;
}

void chains_free(struct chains *chains)
{
    if (chains) {
        pthread_mutex_destroy(&chains->lock);
        free(chains);
    }
}

static struct slot read_slot(struct chains *chains, int64_t repository_id)
{
    pthread_mutex_lock(&chains->lock);
    struct slot copy = chains->slots[(uint64_t)repository_id % SLOTS];
    pthread_mutex_unlock(&chains->lock);
    return copy;
}

static void write_slot(struct chains *chains, const struct slot *slot)
{
    pthread_mutex_lock(&chains->lock);
    chains->slots[(uint64_t)slot->repository_id % SLOTS] = *slot;
    pthread_mutex_unlock(&chains->lock);
}

void chains_build(struct chains *chains, int64_t repository_id, const struct trust_set *set,
                  const struct trust_options *options, struct trust_state **out)
{
    struct slot known = read_slot(chains, repository_id);
    struct slot now = {.repository_id = repository_id};
    struct trust_options with = *options;

    with.verified_chain = known.repository_id == repository_id ? known.chain : NULL;
    trust_state_build(set, &with, out);
    memcpy(now.chain, (*out)->chain, sizeof now.chain);
    if ((*out)->root) { /* every link of it holds */
        write_slot(chains, &now);
    }
}
