#include "auth/throttle.h"

#include "base/buf.h"
#include "base/clock.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

/* The rules of security.md "Throttling without lock-out DoS" in one place. */
enum {
    DEFAULT_CAPACITY = 65536,
    FREE_FAILURES = 3, /* of an account and prefix, before the first delay */
    DELAY_MAX_S = 60,
    BUCKET_SIZE = 20,      /* failures of a prefix */
    BUCKET_REFILL_S = 2,   /* one failure is forgiven every … */
    ACCOUNT_FAILURES = 20, /* of an account, from everywhere */
    ACCOUNT_WINDOW_S = 600,
    STRANGER_DELAY_S = 30, /* for prefixes that never signed in to an account under attack */
    REPEAT_WINDOW_S = 60,  /* the same wrong secret counts once */
    FORGET_S = 3600, /* failures of an account and prefix that lie this far back do not count */
};

enum counter_kind { COUNT_PAIR = 1, COUNT_PREFIX, COUNT_ACCOUNT, COUNT_REPEAT };

struct counter {
    uint8_t key[16];  /* keyed hash of kind and names: attackers cannot aim at a slot */
    int64_t last_us;  /* of the last failure or try */
    int64_t since_us; /* COUNT_ACCOUNT: begin of the window */
    unsigned failures;
    bool used;
    bool known; /* COUNT_PAIR: signed in from here before */
};

/* A set-associative table: a key has one row of WAYS counters, the least recently used of the row
 * goes first. */
#define WAYS 8

struct throttle {
    pthread_mutex_t lock;
    uint8_t hash_key[crypto_generichash_KEYBYTES];
    size_t rows;
    struct counter *counters;
};

struct throttle *throttle_new(size_t capacity)
{
    struct throttle *t = xcalloc(1, sizeof(*t));
    capacity = capacity ? capacity : DEFAULT_CAPACITY;
    t->rows = capacity / WAYS + 1;
    t->counters = xcalloc(t->rows * WAYS, sizeof(t->counters[0]));
    randombytes_buf(t->hash_key, sizeof(t->hash_key));
    pthread_mutex_init(&t->lock, NULL);
    return t;
}

void throttle_free(struct throttle *t)
{
    if (t == NULL) {
        return;
    }
    pthread_mutex_destroy(&t->lock);
    free(t->counters);
    free(t);
}

static const char *prefix_of_ipv4(const uint8_t *bytes, char out[THROTTLE_PREFIX_MAX])
{
    (void)snprintf(out, THROTTLE_PREFIX_MAX, "%u.%u.%u.0/24", bytes[0], bytes[1], bytes[2]);
    return out;
}

const char *throttle_prefix(const char *address, char out[THROTTLE_PREFIX_MAX])
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0,    0,
                                       0, 0, 0, 0, 0xFF, 0xFF}; /* ::ffff:a.b.c.d */
    uint8_t bytes[16];
    address = address ? address : "";
    if (inet_pton(AF_INET, address, bytes) == 1) {
        return prefix_of_ipv4(bytes, out);
    }
    if (inet_pton(AF_INET6, address, bytes) != 1) {
        (void)snprintf(out, THROTTLE_PREFIX_MAX, "%s", address);
        return out;
    }
    if (slice_equal(slice_of_bytes(bytes, sizeof(mapped)),
                    slice_of_bytes(mapped, sizeof(mapped)))) {
        return prefix_of_ipv4(bytes + sizeof(mapped), out);
    }
    (void)snprintf(out, THROTTLE_PREFIX_MAX, "%x:%x:%x:%x::/56", bytes[0] << 8 | bytes[1],
                   bytes[2] << 8 | bytes[3], bytes[4] << 8 | bytes[5], bytes[6] << 8);
    return out;
}

static void key_of(const struct throttle *t, enum counter_kind kind, const char *prefix,
                   const char *account, const uint8_t *mac, uint8_t out[16])
{
    crypto_generichash_state state;
    uint8_t kind_byte = (uint8_t)kind;
    crypto_generichash_init(&state, t->hash_key, sizeof(t->hash_key), 16);
    crypto_generichash_update(&state, &kind_byte, 1);
    crypto_generichash_update(&state, (const uint8_t *)prefix, strlen(prefix) + 1);
    crypto_generichash_update(&state, (const uint8_t *)account, strlen(account) + 1);
    if (mac != NULL) {
        crypto_generichash_update(&state, mac, 16);
    }
    crypto_generichash_final(&state, out, 16);
}

static struct counter *row_of(struct throttle *t, const uint8_t key[16])
{
    uint64_t number;
    memcpy(&number, key, sizeof(number));
    return &t->counters[(number % t->rows) * WAYS];
}

static struct counter *find(struct throttle *t, const uint8_t key[16])
{
    struct counter *row = row_of(t, key);
    for (int i = 0; i < WAYS; i++) {
        if (row[i].used && sodium_memcmp(row[i].key, key, 16) == 0) {
            return &row[i];
        }
    }
    return NULL;
}

/* Finds, or takes the place of the row's least recently used. */
static struct counter *find_or_make(struct throttle *t, const uint8_t key[16], int64_t now)
{
    struct counter *found = find(t, key);
    if (found != NULL) {
        return found;
    }
    struct counter *row = row_of(t, key);
    struct counter *oldest = &row[0];
    for (int i = 0; i < WAYS; i++) {
        if (!row[i].used) {
            oldest = &row[i];
            break;
        }
        oldest = row[i].last_us < oldest->last_us ? &row[i] : oldest;
    }
    *oldest = (struct counter){.used = true, .last_us = now, .since_us = now};
    memcpy(oldest->key, key, 16);
    return oldest;
}

/* Seconds that are still missing until `delay_s` after `from`. */
static int missing_s(int64_t from, int64_t delay_s, int64_t now)
{
    int64_t left = from + delay_s * US_PER_SECOND - now;
    return left <= 0 ? 0 : (int)((left + US_PER_SECOND - 1) / US_PER_SECOND);
}

static int pair_wait(const struct counter *pair, int64_t now)
{
    if (pair == NULL || pair->failures <= FREE_FAILURES ||
        missing_s(pair->last_us, FORGET_S, now) == 0) {
        return 0;
    }
    unsigned doublings = pair->failures - FREE_FAILURES - 1;
    int64_t delay = doublings > 5 ? DELAY_MAX_S : INT64_C(1) << doublings;
    return missing_s(pair->last_us, delay, now);
}

/* Failures of a prefix that are not forgiven yet; its last_us is when forgiving was last settled.
 */
static unsigned bucket_level(const struct counter *prefix, int64_t now)
{
    int64_t forgiven = (now - prefix->last_us) / (BUCKET_REFILL_S * US_PER_SECOND);
    return forgiven >= (int64_t)prefix->failures ? 0 : prefix->failures - (unsigned)forgiven;
}

static void count_prefix(struct counter *prefix, int64_t now)
{
    unsigned level = bucket_level(prefix, now);
    int64_t settled =
        prefix->last_us + (int64_t)(prefix->failures - level) * BUCKET_REFILL_S * US_PER_SECOND;
    prefix->last_us = level == 0 ? now : settled;
    prefix->failures = level + 1;
}

static int prefix_wait(const struct counter *prefix, int64_t now)
{
    if (prefix == NULL || bucket_level(prefix, now) < BUCKET_SIZE) {
        return 0;
    }
    /* Tries that were under way when it was full may have left more in it than it holds. */
    int64_t surplus = (int64_t)prefix->failures - BUCKET_SIZE + 1;
    return missing_s(prefix->last_us, surplus * BUCKET_REFILL_S, now);
}

static bool under_attack(const struct counter *account, int64_t now)
{
    return account != NULL && account->failures >= ACCOUNT_FAILURES &&
           missing_s(account->since_us, ACCOUNT_WINDOW_S, now) > 0;
}

static int longer(int a, int b)
{
    return a > b ? a : b;
}

int throttle_wait_s(struct throttle *t, const char *address, const char *account, int64_t mono_us)
{
    char prefix[THROTTLE_PREFIX_MAX];
    uint8_t pair_key[16];
    uint8_t prefix_key[16];
    uint8_t account_key[16];
    throttle_prefix(address, prefix);
    key_of(t, COUNT_PAIR, prefix, account, NULL, pair_key);
    key_of(t, COUNT_PREFIX, prefix, "", NULL, prefix_key);
    key_of(t, COUNT_ACCOUNT, "", account, NULL, account_key);

    pthread_mutex_lock(&t->lock);
    const struct counter *pair = find(t, pair_key);
    int wait = longer(pair_wait(pair, mono_us), prefix_wait(find(t, prefix_key), mono_us));
    bool stranger = pair == NULL || !pair->known;
    if (stranger && pair != NULL && pair->failures > 0 &&
        under_attack(find(t, account_key), mono_us)) {
        wait = longer(wait, missing_s(pair->last_us, STRANGER_DELAY_S, mono_us));
    }
    pthread_mutex_unlock(&t->lock);
    return wait;
}

/* True when this very try was counted within the last minute. */
static bool is_repeat(struct throttle *t, const uint8_t key[16], int64_t now)
{
    struct counter *c = find(t, key);
    if (c != NULL && missing_s(c->last_us, REPEAT_WINDOW_S, now) > 0) {
        return true;
    }
    c = find_or_make(t, key, now);
    c->last_us = now;
    return false;
}

static void count_account(struct counter *account, int64_t now)
{
    if (missing_s(account->since_us, ACCOUNT_WINDOW_S, now) == 0) {
        account->failures = 0;
        account->since_us = now;
    }
    account->failures++;
    account->last_us = now;
}

static void count_pair(struct counter *pair, int64_t now)
{
    if (missing_s(pair->last_us, FORGET_S, now) == 0) {
        pair->failures = 0;
    }
    pair->failures++;
    pair->last_us = now;
}

void throttle_failed(struct throttle *t, const char *address, const char *account,
                     const uint8_t mac[16], int64_t mono_us)
{
    char prefix[THROTTLE_PREFIX_MAX];
    uint8_t key[16];
    throttle_prefix(address, prefix);
    pthread_mutex_lock(&t->lock);
    key_of(t, COUNT_REPEAT, prefix, account, mac, key);
    if (!is_repeat(t, key, mono_us)) {
        key_of(t, COUNT_PAIR, prefix, account, NULL, key);
        count_pair(find_or_make(t, key, mono_us), mono_us);

        key_of(t, COUNT_PREFIX, prefix, "", NULL, key);
        count_prefix(find_or_make(t, key, mono_us), mono_us);

        key_of(t, COUNT_ACCOUNT, "", account, NULL, key);
        count_account(find_or_make(t, key, mono_us), mono_us);
    }
    pthread_mutex_unlock(&t->lock);
}

void throttle_succeeded(struct throttle *t, const char *address, const char *account,
                        int64_t mono_us)
{
    char prefix[THROTTLE_PREFIX_MAX];
    uint8_t key[16];
    throttle_prefix(address, prefix);
    key_of(t, COUNT_PAIR, prefix, account, NULL, key);
    pthread_mutex_lock(&t->lock);
    struct counter *pair = find_or_make(t, key, mono_us);
    pair->failures = 0;
    pair->known = true;
    pair->last_us = mono_us;
    pthread_mutex_unlock(&t->lock);
}
