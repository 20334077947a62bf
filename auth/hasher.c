#include "auth/hasher.h"

#include "base/buf.h"
#include "base/clock.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

struct hasher {
    pthread_mutex_t lock;
    pthread_cond_t freed;
    unsigned slots, busy, waiting, queue;
    int64_t wait_us;
    struct password_cost cost;
    char dummy[PASSWORD_PHC_MAX]; /* made with `cost`: verified for names that do not exist */
};

static unsigned default_slots(void)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return cores >= 4 ? (unsigned)(cores / 2) : 1;
}

struct hasher *hasher_new(const struct hasher_options *options)
{
    struct hasher *h = xcalloc(1, sizeof(*h));
    h->slots = options->slots ? options->slots : default_slots();
    h->queue = options->queue ? options->queue : 32;
    h->wait_us = options->wait_us ? options->wait_us : 5 * US_PER_SECOND;
    h->cost = options->cost.opslimit ? options->cost : password_cost_default();
    pthread_mutex_init(&h->lock, NULL);
    pthread_cond_init(&h->freed, NULL);
    return h;
}

void hasher_free(struct hasher *h)
{
    if (h == NULL) {
        return;
    }
    pthread_cond_destroy(&h->freed);
    pthread_mutex_destroy(&h->lock);
    free(h);
}

struct password_cost hasher_cost(const struct hasher *h)
{
    return h->cost;
}

static struct timespec deadline_after(int64_t wait_us)
{
    int64_t at = clock_mono_us() + wait_us;
    return (struct timespec){.tv_sec = at / US_PER_SECOND, .tv_nsec = (at % US_PER_SECOND) * 1000};
}

/* False: the queue is full or no slot came free in time. */
static bool slot_take(struct hasher *h)
{
    struct timespec deadline = deadline_after(h->wait_us);
    bool taken = false;
    pthread_mutex_lock(&h->lock);
    if (h->busy < h->slots || h->waiting < h->queue) {
        h->waiting++;
        int rc = 0;
        while (h->busy >= h->slots && rc == 0) {
            rc = pthread_cond_clockwait(&h->freed, &h->lock, CLOCK_MONOTONIC, &deadline);
        }
        h->waiting--;
        taken = h->busy < h->slots;
        h->busy += taken;
    }
    pthread_mutex_unlock(&h->lock);
    return taken;
}

static void slot_give(struct hasher *h)
{
    pthread_mutex_lock(&h->lock);
    h->busy--;
    pthread_cond_signal(&h->freed);
    pthread_mutex_unlock(&h->lock);
}

/* Copies the dummy hash out, making it at its first use (under a slot: it costs a hashing). */
static void dummy_hash(struct hasher *h, char out[PASSWORD_PHC_MAX])
{
    pthread_mutex_lock(&h->lock);
    memcpy(out, h->dummy, PASSWORD_PHC_MAX);
    pthread_mutex_unlock(&h->lock);
    if (out[0] != '\0' ||
        !password_hash(SLICE_LIT("a password that nobody has"), h->cost, out, NULL)) {
        return;
    }
    pthread_mutex_lock(&h->lock);
    memcpy(h->dummy, out, PASSWORD_PHC_MAX);
    pthread_mutex_unlock(&h->lock);
}

enum hasher_result hasher_verify(struct hasher *h, const char *hash, struct slice password)
{
    if (!slot_take(h)) {
        return HASHER_BUSY;
    }
    enum hasher_result result = HASHER_WRONG;
    if (hash != NULL) {
        result = password_verify(hash, password) == PASSWORD_RIGHT ? HASHER_RIGHT : HASHER_WRONG;
    } else {
        char dummy[PASSWORD_PHC_MAX] = "";
        dummy_hash(h, dummy);
        (void)(password_verify(dummy, password) ==
               PASSWORD_RIGHT); /* only its duration is wanted */
    }
    slot_give(h);
    return result;
}

bool hasher_hash(struct hasher *h, struct slice password, char out[PASSWORD_PHC_MAX],
                 struct err *err)
{
    if (!slot_take(h)) {
        return err_set(err, ERR_TOO_MANY_REQUESTS,
                       "many people are signing in at this moment, try again in a few seconds");
    }
    bool ok = password_hash(password, h->cost, out, err);
    slot_give(h);
    return ok;
}
