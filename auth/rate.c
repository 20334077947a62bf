#include "auth/rate.h"

#include "base/buf.h"
#include "base/clock.h"

#include <pthread.h>
#include <stdbool.h>

/* A set-associative table: an account has one row of WAYS buckets. */
#define WAYS 8
#define MINUTE_US (60 * US_PER_SECOND)

/* A bucket is the time at which it will be full again: one number that needs no upkeep. */
struct bucket {
    bool used;
    int64_t account_id;
    int64_t full_us;
};

struct rate {
    pthread_mutex_t lock;
    int64_t turn_us; /* until one turn comes back; 0: no limit */
    size_t rows;
    struct bucket *buckets;
};

struct rate *rate_new(int64_t per_minute, size_t capacity)
{
    struct rate *rate = xcalloc(1, sizeof(*rate));
    rate->turn_us = per_minute > 0 ? MINUTE_US / per_minute : 0;
    rate->rows = capacity / WAYS > 0 ? capacity / WAYS : 1;
    rate->buckets = xcalloc(rate->rows * WAYS, sizeof(rate->buckets[0]));
    pthread_mutex_init(&rate->lock, NULL);
    return rate;
}

void rate_free(struct rate *rate)
{
    if (rate) {
        pthread_mutex_destroy(&rate->lock);
        free(rate->buckets);
        free(rate);
    }
}

/* The account's bucket; a new one, full, takes the place of the one that is full soonest. */
static struct bucket *bucket_of(struct rate *rate, int64_t account_id)
{
    struct bucket *row = &rate->buckets[(uint64_t)account_id % rate->rows * WAYS];
    struct bucket *oldest = row;
    for (int i = 0; i < WAYS; i++) {
        if (row[i].used && row[i].account_id == account_id) {
            return &row[i];
        }
        if (!row[i].used || (oldest->used && row[i].full_us < oldest->full_us)) {
            oldest = &row[i];
        }
    }
    *oldest = (struct bucket){.used = true, .account_id = account_id, .full_us = INT64_MIN};
    return oldest;
}

int rate_take(struct rate *rate, int64_t account_id, int64_t mono_us)
{
    if (rate->turn_us == 0) {
        return 0;
    }
    pthread_mutex_lock(&rate->lock);
    struct bucket *b = bucket_of(rate, account_id);
    int64_t full_us = (b->full_us > mono_us ? b->full_us : mono_us) + rate->turn_us;
    int64_t over_us = full_us - mono_us - MINUTE_US;
    if (over_us <= 0) {
        b->full_us = full_us;
    }
    pthread_mutex_unlock(&rate->lock);
    return over_us <= 0 ? 0 : (int)((over_us + US_PER_SECOND - 1) / US_PER_SECOND);
}
