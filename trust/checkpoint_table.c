#include "trust/checkpoint_table.h"

#include "base/hex.h"
#include "base/name.h"
#include "trust/verify/role.h"

#include <sodium.h>
#include <stdio.h>

#define BUCKETS_FIRST 64

struct checkpoint_table {
    uint8_t hash_key[crypto_shorthash_KEYBYTES]; /* pushers choose the names */
    struct checkpoint_entry **buckets;
    size_t bucket_count, count;
};

/* --- entries ---------------------------------------------------------------------------------- */

static void places_clear(struct checkpoint_entry *entry)
{
    for (size_t i = 0; i < entry->count; i++) {
        free(entry->places[i].role);
    }
    free(entry->places);
    entry->places = NULL;
    entry->count = 0;
}

static void entry_free(struct checkpoint_entry *entry)
{
    places_clear(entry);
    free(entry->repo);
    free(entry);
}

/* How many places are of roles before this one. */
static size_t places_before(const struct checkpoint_entry *entry, struct slice role)
{
    size_t low = 0, high = entry->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (slice_compare(slice_str(entry->places[middle].role), role) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* The place of the role, made when missing. */
static struct place *place_get(struct checkpoint_entry *entry, struct slice role)
{
    size_t at = places_before(entry, role);
    if (at < entry->count && slice_is(role, entry->places[at].role)) {
        return &entry->places[at];
    }
    entry->places = xrealloc(entry->places, (entry->count + 1) * sizeof *entry->places);
    memmove(entry->places + at + 1, entry->places + at,
            (entry->count - at) * sizeof *entry->places);
    entry->places[at] = (struct place){.role = xstrndup(role.p, role.n)};
    entry->count++;
    return &entry->places[at];
}

static int compare_numbers(int64_t a, int64_t b)
{
    return a < b ? -1 : a > b;
}

static int compare_places(const struct place *a, const struct trust_role_life *b)
{
    int by_life = compare_numbers(a->incarnation, b->incarnation);
    int by_version = compare_numbers(a->version, b->version);
    if (by_life != 0) {
        return by_life;
    }
    return by_version != 0 ? by_version : compare_numbers(a->ended, b->ended);
}

static void place_take(struct place *place, const struct trust_role_life *life)
{
    place->incarnation = life->incarnation;
    place->version = life->version;
    place->ended = life->ended;
    memcpy(place->signed_sha256, life->signed_sha256, sizeof place->signed_sha256);
}

void checkpoint_entry_raise(struct checkpoint_entry *entry,
                            const struct trust_role_life_list *lives)
{
    for (size_t i = 0; i < lives->count; i++) {
        const struct trust_role_life *life = &lives->items[i];
        struct place *place = place_get(entry, slice_str(life->role));
        if (compare_places(place, life) < 0) {
            place_take(place, life);
        }
    }
}

void checkpoint_entry_set(struct checkpoint_entry *entry, const struct trust_role_life_list *lives)
{
    places_clear(entry);
    checkpoint_entry_raise(entry, lives);
}

/* --- comparing -------------------------------------------------------------------------------- */

static enum checkpoint_order place_order(const struct place *place,
                                         const struct trust_role_life *life, char *why, size_t n)
{
    if (!life) {
        (void)snprintf(why, n, "it has no %s, but version %lld was accepted", place->role,
                       (long long)place->version);
        return STORE_BEHIND;
    }
    int order = compare_places(place, life);
    if (order > 0) {
        (void)snprintf(why, n, "its %s is version %lld%s, but version %lld%s was accepted",
                       place->role, (long long)life->version, life->ended ? " (ended)" : "",
                       (long long)place->version, place->ended ? " (ended)" : "");
        return STORE_BEHIND;
    }
    /* Of an ended life too: what a version said never changes. */
    bool same_version = place->incarnation == life->incarnation && place->version == life->version;
    if (same_version && sodium_memcmp(place->signed_sha256, life->signed_sha256,
                                      sizeof place->signed_sha256) != 0) {
        (void)snprintf(why, n, "its %s version %lld is not the one that was accepted", place->role,
                       (long long)place->version);
        return STORE_BEHIND;
    }
    return order == 0 ? STORE_SAME : STORE_AHEAD;
}

enum checkpoint_order checkpoint_entry_order(const struct checkpoint_entry *entry,
                                             const struct trust_role_life_list *lives, char *why,
                                             size_t n)
{
    size_t known = entry ? entry->count : 0;
    bool ahead = lives->count > known;
    for (size_t i = 0; i < known; i++) {
        const struct place *place = &entry->places[i];
        switch (place_order(place, trust_role_life_find(lives, place->role), why, n)) {
        case STORE_BEHIND:
            return STORE_BEHIND;
        case STORE_SAME:
            break;
        case STORE_AHEAD:
            ahead = true;
            break;
        }
    }
    return ahead ? STORE_AHEAD : STORE_SAME;
}

/* --- the table -------------------------------------------------------------------------------- */

struct checkpoint_table *checkpoint_table_new(void)
{
    struct checkpoint_table *table = xcalloc(1, sizeof *table);
    randombytes_buf(table->hash_key, sizeof table->hash_key);
    table->bucket_count = BUCKETS_FIRST;
    table->buckets = xcalloc(table->bucket_count, sizeof(struct checkpoint_entry *));
    return table;
}

void checkpoint_table_free(struct checkpoint_table *table)
{
    if (!table) {
        return;
    }
    for (size_t i = 0; i < table->bucket_count; i++) {
        while (table->buckets[i]) {
            struct checkpoint_entry *entry = table->buckets[i];
            table->buckets[i] = entry->next;
            entry_free(entry);
        }
    }
    free(table->buckets);
    free(table);
}

static struct checkpoint_entry **bucket_of(const struct checkpoint_table *table, struct slice repo)
{
    uint64_t hash;
    uint8_t raw[crypto_shorthash_BYTES];
    (void)crypto_shorthash(raw, (const uint8_t *)repo.p, repo.n, table->hash_key);
    memcpy(&hash, raw, sizeof hash);
    return &table->buckets[hash % table->bucket_count];
}

static void grow(struct checkpoint_table *table)
{
    struct checkpoint_entry **old = table->buckets;
    size_t old_count = table->bucket_count;
    table->bucket_count *= 2;
    table->buckets = xcalloc(table->bucket_count, sizeof(struct checkpoint_entry *));
    for (size_t i = 0; i < old_count; i++) {
        while (old[i]) {
            struct checkpoint_entry *entry = old[i];
            struct checkpoint_entry **bucket = bucket_of(table, slice_str(entry->repo));
            old[i] = entry->next;
            entry->next = *bucket;
            *bucket = entry;
        }
    }
    free(old);
}

struct checkpoint_entry *checkpoint_table_find(const struct checkpoint_table *table,
                                               struct slice repo)
{
    struct checkpoint_entry *entry = *bucket_of(table, repo);
    while (entry && !slice_is(repo, entry->repo)) {
        entry = entry->next;
    }
    return entry;
}

struct checkpoint_entry *checkpoint_table_get(struct checkpoint_table *table, struct slice repo)
{
    struct checkpoint_entry *entry = checkpoint_table_find(table, repo);
    if (entry) {
        return entry;
    }
    if (++table->count > table->bucket_count) {
        grow(table);
    }
    entry = xcalloc(1, sizeof *entry);
    entry->repo = xstrndup(repo.p, repo.n);
    struct checkpoint_entry **bucket = bucket_of(table, repo);
    entry->next = *bucket;
    *bucket = entry;
    return entry;
}

static void remove_at(struct checkpoint_table *table, struct checkpoint_entry **at)
{
    struct checkpoint_entry *entry = *at;
    *at = entry->next;
    table->count--;
    entry_free(entry);
}

void checkpoint_table_remove(struct checkpoint_table *table, struct slice repo)
{
    struct checkpoint_entry **at = bucket_of(table, repo);
    while (*at && !slice_is(repo, (*at)->repo)) {
        at = &(*at)->next;
    }
    if (*at) {
        remove_at(table, at);
    }
}

void checkpoint_table_filter(struct checkpoint_table *table,
                             bool (*keep)(const struct checkpoint_entry *entry, void *arg),
                             void *arg)
{
    for (size_t i = 0; i < table->bucket_count; i++) {
        struct checkpoint_entry **at = &table->buckets[i];
        while (*at) {
            if (keep(*at, arg)) {
                at = &(*at)->next;
            } else {
                remove_at(table, at);
            }
        }
    }
}

/* --- lines ------------------------------------------------------------------------------------ */

void checkpoint_entry_write(const struct checkpoint_entry *entry, struct buf *out)
{
    char hex[65];
    buf_printf(out, "repo %s", entry->repo);
    for (size_t i = 0; i < entry->count; i++) {
        const struct place *p = &entry->places[i];
        buf_printf(out, " %s %lld %lld %d %s", p->role, (long long)p->incarnation,
                   (long long)p->version, (int)p->ended,
                   hex_encode(p->signed_sha256, sizeof p->signed_sha256, hex));
    }
    buf_char(out, '\n');
}

void checkpoint_table_write(const struct checkpoint_table *table, struct buf *out)
{
    for (size_t i = 0; i < table->bucket_count; i++) {
        for (const struct checkpoint_entry *e = table->buckets[i]; e; e = e->next) {
            if (e->count > 0) {
                checkpoint_entry_write(e, out);
            }
        }
    }
}

static bool read_place(struct checkpoint_entry *entry, struct slice role, struct slice *rest)
{
    struct slice incarnation, version, ended, hex;
    uint8_t sha256[32];
    int64_t life, number;
    if (role_parse(role) == ROLE_NONE || !slice_next(rest, ' ', &incarnation) ||
        !slice_next(rest, ' ', &version) || !slice_next(rest, ' ', &ended) ||
        !slice_next(rest, ' ', &hex) || !slice_to_int64(incarnation, &life) ||
        !slice_to_int64(version, &number) || !(slice_is(ended, "0") || slice_is(ended, "1")) ||
        !hex_decode(hex, sha256, sizeof sha256)) {
        return false;
    }
    struct place *place = place_get(entry, role);
    place->incarnation = life;
    place->version = number;
    place->ended = slice_is(ended, "1");
    memcpy(place->signed_sha256, sha256, sizeof sha256);
    return true;
}

bool checkpoint_table_read(struct checkpoint_table *table, struct slice line)
{
    struct slice rest = line, word;
    struct repo_name name;
    if (!slice_next(&rest, ' ', &word) || !slice_is(word, "repo") ||
        !slice_next(&rest, ' ', &word) || !repo_name_parse(word, &name, NULL)) {
        return false;
    }
    struct checkpoint_entry *entry = checkpoint_table_get(table, word);
    places_clear(entry);
    while (slice_next(&rest, ' ', &word)) {
        if (!read_place(entry, word, &rest)) {
            return false;
        }
    }
    return true;
}
