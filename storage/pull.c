#include "storage/pull.h"

#include "base/clock.h"
#include "storage/row.h"
#include "storage/statements.h"

#include <pthread.h>
#include <stdatomic.h>

#define SEEN_SLOTS 8192 /* a power of two */
#define NOTE_US (3600 * US_PER_SECOND)

struct entry {
    int64_t repository_id;
    struct digest digest;
    int64_t pulled_us;
};

struct pull_log {
    /* By a hash of (repository, digest, hour): what was noted. One that is overwritten by another is
     * noted once more, which does no harm. */
    _Atomic uint64_t seen[SEEN_SLOTS];
    pthread_mutex_t lock;
    struct entry *entries; /* under lock, as many as ever waited at once */
    size_t count;
    bool started; /* it is stored since when pulls are noted; maintenance thread */
};

struct pull_log *pull_log_new(void)
{
    struct pull_log *log = xcalloc(1, sizeof(*log));
    if (pthread_mutex_init(&log->lock, NULL) != 0) {
        BUG("a lock could not be made");
    }
    return log;
}

void pull_log_free(struct pull_log *log)
{
    if (log != NULL) {
        (void)pthread_mutex_destroy(&log->lock);
        free(log->entries);
        free(log);
    }
}

/* A digest is a hash already; never 0, which is a free slot. */
static uint64_t mark_of(int64_t repository_id, const struct digest *digest, int64_t now_us)
{
    uint64_t hash;
    memcpy(&hash, digest->bytes, sizeof(hash));
    hash ^= (uint64_t)repository_id * UINT64_C(0x9e3779b97f4a7c15);
    hash ^= (uint64_t)(now_us / NOTE_US) * UINT64_C(0xc2b2ae3d27d4eb4f);
    return hash | 1;
}

/* False: there is no room. */
static bool add(struct pull_log *log, const struct entry *entry)
{
    (void)pthread_mutex_lock(&log->lock);
    bool room = log->count < PULL_LOG_MAX;
    if (room) {
        log->entries = list_room(log->entries, log->count, sizeof(*log->entries));
        log->entries[log->count++] = *entry;
    }
    (void)pthread_mutex_unlock(&log->lock);
    return room;
}

void pull_log_note(struct pull_log *log, int64_t repository_id, const struct digest *digest,
                   int64_t now_us)
{
    uint64_t mark = mark_of(repository_id, digest, now_us);
    _Atomic uint64_t *slot = &log->seen[(mark >> 16) % SEEN_SLOTS];
    if (atomic_load_explicit(slot, memory_order_relaxed) == mark) {
        return;
    }
    const struct entry entry = {repository_id, *digest, now_us};
    if (add(log, &entry)) {
        atomic_store_explicit(slot, mark, memory_order_relaxed);
    }
}

/* --- writing ---------------------------------------------------------------------------------- */

struct batch {
    struct entry *entries;
    size_t count;
    int64_t now_us;
};

/* Takes the newest entries out: the order is of no importance. */
static void take_batch(struct pull_log *log, size_t max, struct batch *out)
{
    (void)pthread_mutex_lock(&log->lock);
    out->count = log->count < max ? log->count : max;
    log->count -= out->count;
    out->entries = xcalloc(out->count + 1, sizeof(*out->entries));
    if (out->count > 0) {
        memcpy(out->entries, log->entries + log->count, out->count * sizeof(*out->entries));
    }
    (void)pthread_mutex_unlock(&log->lock);
}

static bool write_entry(struct db_tx *tx, const struct entry *entry, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_PULL_PUT);
    db_bind_int(q, 1, entry->repository_id);
    db_bind_digest(q, 2, &entry->digest);
    db_bind_int(q, 3, entry->pulled_us);
    return db_run(q, err);
}

static bool write_batch(struct db_tx *tx, void *arg, struct err *err)
{
    const struct batch *batch = arg;
    auto_stmt struct db_stmt *start = db_stmt(tx, SQL_PULL_START);
    db_bind_int(start, 1, batch->now_us);
    if (!db_run(start, err)) {
        return false;
    }
    for (size_t i = 0; i < batch->count; i++) {
        if (!write_entry(tx, &batch->entries[i], err)) {
            return false;
        }
    }
    return true;
}

bool pull_log_write(struct pull_log *log, struct db *db, int max, int64_t now_us, bool *more_out,
                    struct err *err)
{
    struct batch batch = {.now_us = now_us};
    take_batch(log, (size_t)max, &batch);
    auto_free struct entry *owned = batch.entries;
    *more_out = batch.count == (size_t)max;
    if ((batch.count == 0 && log->started) || db_write(db, write_batch, &batch, err)) {
        log->started = true;
        return true;
    }
    for (size_t i = 0; i < batch.count; i++) {
        (void)add(log, &owned[i]);
    }
    return false;
}

bool pull_last(struct db_tx *tx, int64_t repository_id, const struct digest *digest,
               int64_t *us_out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_PULL_LAST);
    db_bind_int(q, 1, repository_id);
    db_bind_digest(q, 2, digest);
    return row_int(q, us_out, err);
}

/* --- lists ------------------------------------------------------------------------------------ */

static void read_pulled(struct db_stmt *q, void *item)
{
    struct pulled *out = item;
    (void)db_col_digest(q, 0, &out->digest);
    out->us = db_col_int(q, 1);
}

bool pull_list_since(struct db_tx *tx, int64_t repository_id, int64_t since_us,
                     const struct digest *after, int max, struct pulled_list *out, struct err *err)
{
    struct row_page page = {.items = NULL};
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_PULL_LIST);
    db_bind_int(q, 1, repository_id);
    row_bind_after(q, 2, after);
    db_bind_int(q, 3, since_us);
    db_bind_int(q, 4, (int64_t)max + 1);
    bool ok = row_page(q, max, sizeof(struct pulled), read_pulled, &page, err);
    *out = (struct pulled_list){.items = page.items, .count = page.count, .more = page.more};
    return ok;
}

void pulled_list_dispose(struct pulled_list *list)
{
    free(list->items);
    *list = (struct pulled_list){0};
}
