#include "storage/decision_log.h"

#include "storage/decision_queue.h"

#include <pthread.h>
#include <sodium.h>

#define SHARDS 16
#define SHARD_WINDOWS (DECISION_WINDOWS_MAX / SHARDS)
#define BUCKETS 256 /* of one shard */
#define BUDGETS 1024

/* --- what there is ---------------------------------------------------------------------------- */

struct window {
    uint8_t key[16];
    struct decision_draft *first; /* a stub of the record */
    int64_t began_us;             /* monotonic */
    int64_t count;                /* how many came after the first */
    enum decision_repeat kind;
    bool written;        /* false: a thread is about to write the record */
    struct window *next; /* in its bucket */
    struct window *older, *newer;
};

/* Windows by their keys, and by their age, each kind for itself: their lives differ. */
struct ages {
    struct window *oldest, *newest;
};
struct shard {
    pthread_mutex_t lock;
    pthread_cond_t written; /* a record that was about to be written is, or is not */
    struct window *buckets[BUCKETS];
    struct ages requests, blobs;
    size_t count;
};

/* Denials of accounts within a minute; accounts that fall together share. */
struct budget {
    int64_t minute;
    int count;
};

struct decision_log {
    struct db *db;
    uint8_t hash_key[crypto_shorthash_siphashx24_KEYBYTES];
    struct shard shards[SHARDS];
    pthread_mutex_t budget_lock;
    struct budget budgets[BUDGETS];
    struct decision_queue *queue;
};

static void init_lock(pthread_mutex_t *lock)
{
    if (pthread_mutex_init(lock, NULL) != 0) {
        BUG("a lock could not be made");
    }
}

struct decision_log *decision_log_new(struct db *db)
{
    struct decision_log *log = xcalloc(1, sizeof(*log));
    log->db = db;
    randombytes_buf(log->hash_key, sizeof(log->hash_key));
    init_lock(&log->budget_lock);
    log->queue = decision_queue_new(db);
    for (size_t i = 0; i < SHARDS; i++) {
        init_lock(&log->shards[i].lock);
        (void)pthread_cond_init(&log->shards[i].written, NULL);
    }
    return log;
}

static void window_free(struct window *w)
{
    decision_draft_free(w->first);
    free(w);
}

static void free_windows(struct ages *ages)
{
    while (ages->oldest) {
        struct window *w = ages->oldest;
        ages->oldest = w->newer;
        window_free(w);
    }
}

void decision_log_free(struct decision_log *log)
{
    if (log == NULL) {
        return;
    }
    for (size_t i = 0; i < SHARDS; i++) {
        struct shard *s = &log->shards[i];
        free_windows(&s->requests);
        free_windows(&s->blobs);
        (void)pthread_cond_destroy(&s->written);
        (void)pthread_mutex_destroy(&s->lock);
    }
    decision_queue_free(log->queue);
    (void)pthread_mutex_destroy(&log->budget_lock);
    free(log);
}

/* --- keys ------------------------------------------------------------------------------------- */

/* Bytes to hash: texts with their lengths, so that no two kinds have the same. */
struct material {
    uint8_t bytes[1500];
    size_t n;
};

static void add(struct material *m, const void *p, size_t n)
{
    if (m->n + n > sizeof(m->bytes)) {
        BUG("a decision is described by more than it can be");
    }
    memcpy(m->bytes + m->n, p, n);
    m->n += n;
}

static void add_text(struct material *m, const char *text)
{
    size_t n = text ? strnlen(text, 255) : 0;
    uint8_t length = (uint8_t)n;
    add(m, &length, 1);
    if (n > 0) {
        add(m, text, n);
    }
}

static void add_int(struct material *m, int64_t value)
{
    add(m, &value, sizeof(value));
}

static void add_digest(struct material *m, const struct digest *digest)
{
    uint8_t algorithm = digest && digest_is_set(digest) ? (uint8_t)digest->algorithm : 0;
    add(m, &algorithm, 1);
    if (algorithm != 0) {
        add(m, digest->bytes, digest_size(digest->algorithm));
    }
}

#define AS_REGISTRY 0xff /* in the place of an algorithm */

/* Nearly always it is the digest that the tag points to, which is described already. */
static void add_other_digest(struct material *m, const struct digest *digest,
                             const struct digest *registry)
{
    uint8_t same = AS_REGISTRY;
    if (digest && registry && digest_is_set(registry) && digest_equal(digest, registry)) {
        add(m, &same, 1);
    } else {
        add_digest(m, digest);
    }
}

static void finish(const struct decision_log *log, const struct material *m, uint8_t out[16])
{
    (void)crypto_shorthash_siphashx24(out, m->bytes, m->n, log->hash_key);
}

void decision_log_key(const struct decision_log *log, const struct decision_kind *kind,
                      struct decision_key *out)
{
    struct material m;
    m.n = 0; /* the bytes are written before they are read */
    out->account_id = kind->account_id;
    add_text(&m, kind->door);
    add_text(&m, kind->identity);
    add_text(&m, kind->reason);
    add_int(&m, kind->account_id);
    add_int(&m, kind->repository_id);
    finish(log, &m, out->coarse);
    add_text(&m, kind->allow ? "allow" : "deny");
    add_int(&m, kind->generation);
    add_text(&m, kind->tag);
    add_text(&m, kind->as);
    add_digest(&m, kind->registry);
    add_other_digest(&m, kind->requested, kind->registry);
    add_other_digest(&m, kind->signed_digest, kind->registry);
    add_other_digest(&m, kind->served, kind->registry);
    finish(log, &m, out->exact);
}

void decision_log_blob_key(const struct decision_log *log, int64_t account_id, const char *identity,
                           int64_t repository_id, const struct digest *root,
                           struct decision_key *out)
{
    struct material m = {.n = 0};
    add_text(&m, "blobs");
    add_text(&m, identity);
    add_int(&m, account_id);
    add_int(&m, repository_id);
    add_digest(&m, root);
    finish(log, &m, out->exact);
    memcpy(out->coarse, out->exact, sizeof(out->coarse));
    out->account_id = account_id;
}

/* --- windows: all with the lock of the shard held --------------------------------------------- */

static struct shard *shard_of(struct decision_log *log, const uint8_t key[16])
{
    return &log->shards[key[0] % SHARDS];
}

static struct window **place_of(struct shard *s, const uint8_t key[16])
{
    struct window **at = &s->buckets[key[1] % BUCKETS];
    while (*at && !slice_equal(slice_of_bytes((*at)->key, 16), slice_of_bytes(key, 16))) {
        at = &(*at)->next;
    }
    return at;
}

static int64_t life_us(const struct window *w)
{
    return w->kind == DECISION_REPEAT_BLOBS ? DECISION_BLOB_WINDOW_US : DECISION_WINDOW_US;
}

static struct ages *ages_of(struct shard *s, const struct window *w)
{
    return w->kind == DECISION_REPEAT_BLOBS ? &s->blobs : &s->requests;
}

static void window_add(struct shard *s, struct window *w)
{
    struct ages *ages = ages_of(s, w);
    struct window **at = place_of(s, w->key);
    w->next = NULL;
    *at = w;
    w->older = ages->newest;
    if (ages->newest) {
        ages->newest->newer = w;
    } else {
        ages->oldest = w;
    }
    ages->newest = w;
    s->count++;
}

static void window_remove(struct shard *s, struct window *w)
{
    struct ages *ages = ages_of(s, w);
    struct window **at = place_of(s, w->key);
    *at = w->next;
    *(w->older ? &w->older->newer : &ages->oldest) = w->newer;
    *(w->newer ? &w->newer->older : &ages->newest) = w->older;
    s->count--;
}

/* The window that counts `key` now. One that is over counts no more: the next flush ends it. */
static struct window *window_find(struct shard *s, const uint8_t key[16], int64_t now_us)
{
    struct window *w = *place_of(s, key);
    return w && now_us - w->began_us < life_us(w) ? w : NULL;
}

/* --- opening and ending windows: with the lock of the shard held ------------------------------ */

/* False: its record of the end finds no room in the queue, it stays. */
static bool window_end(struct decision_log *log, struct shard *s, struct window *w, int64_t now_us)
{
    if (w->count > 0) {
        struct decision_draft *draft = decision_draft_repeat(w->first, w->count, w->kind, now_us);
        if (!decision_queue_put(log->queue, draft, DECISION_QUEUE_MAX * 2)) {
            decision_draft_free(draft);
            return false;
        }
    }
    window_remove(s, w);
    window_free(w);
    return true;
}

static bool make_room(struct decision_log *log, struct shard *s, int64_t now_us)
{
    if (s->count < SHARD_WINDOWS) {
        return true;
    }
    struct window *w = s->requests.oldest ? s->requests.oldest : s->blobs.oldest;
    return w && w->written && window_end(log, s, w, now_us);
}

/* In place of one of the same key that is over. NULL: there is no room, so it is not counted. */
static struct window *window_open(struct decision_log *log, struct shard *s, const uint8_t key[16],
                                  const struct decision_draft *draft, enum decision_repeat kind,
                                  int64_t now_us)
{
    struct window *over = *place_of(s, key);
    if (over && (!over->written || !window_end(log, s, over, draft->time_us))) {
        return NULL;
    }
    if (!make_room(log, s, draft->time_us)) {
        return NULL;
    }
    struct window *w = xcalloc(1, sizeof(*w));
    memcpy(w->key, key, sizeof(w->key));
    w->first = decision_draft_stub(draft);
    w->began_us = now_us;
    w->kind = kind;
    w->written = true;
    window_add(s, w);
    return w;
}

/* --- counting --------------------------------------------------------------------------------- */

static void give_id(const char *id, char out[DECISION_ID_SIZE])
{
    if (out) {
        memcpy(out, id, DECISION_ID_SIZE);
    }
}

static bool count_in(struct decision_log *log, const uint8_t key[16], int64_t now_us,
                     char id_out[DECISION_ID_SIZE])
{
    struct shard *s = shard_of(log, key);
    (void)pthread_mutex_lock(&s->lock);
    struct window *w = window_find(s, key, now_us);
    bool counted = w && w->written;
    if (counted) {
        w->count++;
        give_id(w->first->id, id_out);
    }
    (void)pthread_mutex_unlock(&s->lock);
    return counted;
}

/* Whether the account had its denials of this minute. */
static bool is_over_budget(struct decision_log *log, int64_t account_id, int64_t now_us, int spend)
{
    int64_t minute = now_us / DECISION_WINDOW_US;
    struct budget *b = &log->budgets[(uint64_t)account_id % BUDGETS];
    (void)pthread_mutex_lock(&log->budget_lock);
    if (b->minute != minute) {
        *b = (struct budget){.minute = minute};
    }
    bool over = b->count >= DECISION_DENIALS_MAX;
    b->count += over ? 0 : spend;
    (void)pthread_mutex_unlock(&log->budget_lock);
    return over;
}

bool decision_log_count(struct decision_log *log, const struct decision_key *key, bool allow,
                        int64_t now_us, char id_out[DECISION_ID_SIZE])
{
    if (count_in(log, key->exact, now_us, id_out)) {
        return true;
    }
    return !allow && is_over_budget(log, key->account_id, now_us, 0) &&
           count_in(log, key->coarse, now_us, id_out);
}

static void open_for_blobs(struct decision_log *log, const struct decision_key *key,
                           const struct decision_draft *draft, int64_t now_us)
{
    struct shard *s = shard_of(log, key->exact);
    (void)pthread_mutex_lock(&s->lock);
    if (window_find(s, key->exact, now_us) == NULL) {
        (void)window_open(log, s, key->exact, draft, DECISION_REPEAT_BLOBS, now_us);
    }
    (void)pthread_mutex_unlock(&s->lock);
}

/* Counts, or queues and opens the window, in one step: of equal ones at once one is the first. */
static bool first_or_counted(struct decision_log *log, const struct decision_key *key,
                             struct decision_draft *draft, const struct decision_draft *stub,
                             int64_t now_us, char id_out[DECISION_ID_SIZE])
{
    struct shard *s = shard_of(log, key->exact);
    (void)pthread_mutex_lock(&s->lock);
    struct window *w = window_find(s, key->exact, now_us);
    w = w && w->written ? w : NULL; /* into a record that may come to nothing nothing is counted */
    bool taken = w != NULL || decision_queue_put(log->queue, draft, DECISION_QUEUE_MAX);
    if (w) {
        w->count++;
        decision_draft_free(draft);
    } else if (taken) {
        (void)window_open(log, s, key->exact, stub, DECISION_REPEAT_SAME, now_us);
    }
    give_id(w ? w->first->id : stub->id, id_out);
    (void)pthread_mutex_unlock(&s->lock);
    return taken;
}

bool decision_log_allow(struct decision_log *log, const struct decision_key *key,
                        const struct decision_key *root, struct decision_draft *draft,
                        int64_t now_us, char id_out[DECISION_ID_SIZE])
{
    auto_decision_draft struct decision_draft *stub = decision_draft_stub(draft);
    bool taken = key ? first_or_counted(log, key, draft, stub, now_us, id_out)
                     : decision_queue_put(log->queue, draft, DECISION_QUEUE_MAX);
    if (taken && key == NULL) {
        give_id(stub->id, id_out);
    }
    if (taken && root) {
        open_for_blobs(log, root, stub, now_us);
    }
    return taken;
}

/* --- denials ---------------------------------------------------------------------------------- */

static bool append(struct db_tx *tx, void *arg, struct err *err)
{
    const struct decision_draft *draft = arg;
    return decision_append(tx, draft, err);
}

/* Waits for whoever writes the record of the same. True: it was counted. Otherwise the window is
 * this thread's to write, or there is none (*out NULL). */
static bool claim(struct decision_log *log, struct shard *s, const uint8_t key[16],
                  enum decision_repeat kind, const struct decision_draft *draft, int64_t now_us,
                  struct window **out, char id_out[DECISION_ID_SIZE])
{
    struct window *w;
    (void)pthread_mutex_lock(&s->lock);
    while ((w = window_find(s, key, now_us)) != NULL && !w->written) {
        (void)pthread_cond_wait(&s->written, &s->lock);
    }
    if (w) {
        w->count++;
        give_id(w->first->id, id_out);
    } else {
        *out = window_open(log, s, key, draft, kind, now_us);
        if (*out) {
            (*out)->written = false;
        }
    }
    (void)pthread_mutex_unlock(&s->lock);
    return w != NULL;
}

/* A record that was not written counts nobody: the next of those that waited tries. */
static void settle(struct shard *s, struct window *w, bool written)
{
    (void)pthread_mutex_lock(&s->lock);
    w->written = written;
    if (!written) {
        window_remove(s, w);
        window_free(w);
    }
    (void)pthread_cond_broadcast(&s->written);
    (void)pthread_mutex_unlock(&s->lock);
}

bool decision_log_deny(struct decision_log *log, const struct decision_key *key,
                       const struct decision_draft *draft, int64_t now_us,
                       char id_out[DECISION_ID_SIZE], struct err *err)
{
    struct window *window = NULL;
    bool flood = is_over_budget(log, key->account_id, now_us, 1);
    const uint8_t *which = flood ? key->coarse : key->exact;
    struct shard *s = shard_of(log, which);
    enum decision_repeat kind = flood ? DECISION_REPEAT_OTHERS : DECISION_REPEAT_SAME;
    if (claim(log, s, which, kind, draft, now_us, &window, id_out)) {
        return true;
    }
    bool written = db_write(log->db, append, (void *)draft, err);
    if (window) {
        settle(s, window, written);
    }
    if (written) {
        give_id(draft->id, id_out);
    }
    return written;
}

/* --- ends of windows, writing ------------------------------------------------------------------- */

static void end_over(struct decision_log *log, struct shard *s, struct ages *ages, bool all,
                     int64_t mono_us, int64_t now_us)
{
    struct window *w = ages->oldest;
    while (w && (all || mono_us - w->began_us >= life_us(w))) {
        struct window *newer = w->newer;
        if (w->written && !window_end(log, s, w, now_us)) {
            return;
        }
        w = newer;
    }
}

static void end_windows(struct decision_log *log, bool all, int64_t mono_us, int64_t now_us)
{
    for (size_t i = 0; i < SHARDS; i++) {
        struct shard *s = &log->shards[i];
        (void)pthread_mutex_lock(&s->lock);
        end_over(log, s, &s->requests, all, mono_us, now_us);
        end_over(log, s, &s->blobs, all, mono_us, now_us);
        (void)pthread_mutex_unlock(&s->lock);
    }
}

bool decision_log_flush(struct decision_log *log, bool all, int64_t mono_us, int64_t now_us,
                        struct err *err)
{
    /* the queue takes the ends of all windows at once, or, when it was full, at the second time */
    for (int i = 0; i < (all ? 2 : 1); i++) {
        end_windows(log, all, mono_us, now_us);
        if (!decision_queue_write(log->queue, all, err)) {
            return false;
        }
    }
    return true;
}

void decision_log_load(struct decision_log *log, size_t *windows_out, size_t *queued_out)
{
    *windows_out = 0;
    for (size_t i = 0; i < SHARDS; i++) {
        (void)pthread_mutex_lock(&log->shards[i].lock);
        *windows_out += log->shards[i].count;
        (void)pthread_mutex_unlock(&log->shards[i].lock);
    }
    *queued_out = decision_queue_count(log->queue);
}

void decision_log_wait(struct decision_log *log, int64_t timeout_us)
{
    decision_queue_wait(log->queue, timeout_us);
}

void decision_log_wake(struct decision_log *log)
{
    decision_queue_wake(log->queue);
}
