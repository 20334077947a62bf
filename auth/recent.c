#include "auth/recent.h"

#include "base/buf.h"

#include <pthread.h>
#include <sodium.h>
#include <string.h>

/* Rows of WAYS places: a key has one row (keys are keyed hashes, so nobody can aim at a row). */
#define WAYS 8

struct place {
    uint8_t key[RECENT_KEY_BYTES];
    int64_t until_us; /* 0 = empty */
};

struct recent {
    pthread_mutex_t lock;
    int64_t life_us;
    size_t rows;
    struct place *places;
};

struct recent *recent_new(size_t capacity, int64_t life_us)
{
    struct recent *r = xcalloc(1, sizeof(*r));
    r->life_us = life_us;
    r->rows = capacity / WAYS + 1;
    r->places = xcalloc(r->rows * WAYS, sizeof(r->places[0]));
    pthread_mutex_init(&r->lock, NULL);
    return r;
}

void recent_free(struct recent *r)
{
    if (r == NULL) {
        return;
    }
    pthread_mutex_destroy(&r->lock);
    sodium_memzero(r->places, r->rows * WAYS * sizeof(r->places[0]));
    free(r->places);
    free(r);
}

static struct place *row_of(struct recent *r, const uint8_t key[RECENT_KEY_BYTES])
{
    uint64_t number;
    memcpy(&number, key, sizeof(number));
    return &r->places[(number % r->rows) * WAYS];
}

static struct place *find(struct recent *r, const uint8_t key[RECENT_KEY_BYTES])
{
    struct place *row = row_of(r, key);
    for (int i = 0; i < WAYS; i++) {
        if (row[i].until_us != 0 && sodium_memcmp(row[i].key, key, RECENT_KEY_BYTES) == 0) {
            return &row[i];
        }
    }
    return NULL;
}

bool recent_has(struct recent *r, const uint8_t key[RECENT_KEY_BYTES], int64_t mono_us)
{
    pthread_mutex_lock(&r->lock);
    const struct place *place = find(r, key);
    bool has = place != NULL && mono_us < place->until_us;
    pthread_mutex_unlock(&r->lock);
    return has;
}

void recent_put(struct recent *r, const uint8_t key[RECENT_KEY_BYTES], int64_t mono_us)
{
    pthread_mutex_lock(&r->lock);
    struct place *place = find(r, key);
    if (place == NULL) {
        struct place *row = row_of(r, key);
        place = &row[0];
        for (int i = 1; i < WAYS; i++) {
            place = row[i].until_us < place->until_us ? &row[i] : place; /* empty ones have 0 */
        }
        memcpy(place->key, key, RECENT_KEY_BYTES);
    }
    place->until_us = mono_us + r->life_us;
    pthread_mutex_unlock(&r->lock);
}
