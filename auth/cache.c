#include "auth/cache.h"

#include <pthread.h>
#include <sodium.h>

#define WAYS 8

struct slot {
    uint8_t key[32];
    uint64_t used;             /* tick of the last use */
    struct cache_entry *entry; /* NULL = empty */
};

struct cache {
    pthread_mutex_t lock;
    uint64_t tick;
    size_t rows;
    struct slot *slots;
};

struct cache *cache_new(size_t capacity)
{
    struct cache *c = xcalloc(1, sizeof(*c));
    c->rows = capacity / WAYS + 1;
    c->slots = xcalloc(c->rows * WAYS, sizeof(c->slots[0]));
    pthread_mutex_init(&c->lock, NULL);
    return c;
}

static void entry_free(struct cache_entry *entry)
{
    if (entry != NULL) {
        grant_unref(entry->who.grants);
        free(entry);
    }
}

void cache_free(struct cache *c)
{
    if (c == NULL) {
        return;
    }
    for (size_t i = 0; i < c->rows * WAYS; i++) {
        entry_free(c->slots[i].entry);
    }
    pthread_mutex_destroy(&c->lock);
    free(c->slots);
    free(c);
}

static struct slot *row_of(struct cache *c, const uint8_t key[32])
{
    uint64_t number;
    memcpy(&number, key, sizeof(number));
    return &c->slots[(number % c->rows) * WAYS];
}

static struct slot *find(struct cache *c, const uint8_t key[32])
{
    struct slot *row = row_of(c, key);
    for (int i = 0; i < WAYS; i++) {
        if (row[i].entry != NULL && sodium_memcmp(row[i].key, key, 32) == 0) {
            return &row[i];
        }
    }
    return NULL;
}

bool cache_get(struct cache *c, const uint8_t key[32], struct cache_entry *out)
{
    pthread_mutex_lock(&c->lock);
    struct slot *slot = find(c, key);
    if (slot != NULL) {
        slot->used = ++c->tick;
        *out = *slot->entry;
        (void)grant_ref(out->who.grants);
    }
    pthread_mutex_unlock(&c->lock);
    return slot != NULL;
}

void cache_put(struct cache *c, const uint8_t key[32], const struct cache_entry *entry)
{
    struct cache_entry *copy = xmalloc(sizeof(*copy));
    *copy = *entry;
    (void)grant_ref(copy->who.grants);

    pthread_mutex_lock(&c->lock);
    struct slot *slot = find(c, key);
    if (slot == NULL) {
        struct slot *row = row_of(c, key);
        slot = &row[0];
        for (int i = 1; i < WAYS; i++) {
            slot = row[i].used < slot->used ? &row[i] : slot; /* empty ones have 0 */
        }
    }
    struct cache_entry *old = slot->entry;
    memcpy(slot->key, key, 32);
    slot->entry = copy;
    slot->used = ++c->tick;
    pthread_mutex_unlock(&c->lock);
    entry_free(old);
}
