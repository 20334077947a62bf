#include "storage/upload_internal.h"

#include <sodium.h>
#include <stdio.h>

#define BUCKETS 256

struct left {
    char id[UPLOAD_ID_MAX];
    struct left *next;
};

struct uploads {
    pthread_mutex_t lock;
    pthread_mutex_t space_lock; /* upload_table_lock_space; taken before the other */
    pthread_mutex_t start_lock; /* upload_table_lock_starts; taken before both */
    struct upload *buckets[BUCKETS];
    struct upload *coldest, *warmest;
    int warm;
    struct left *left;
};

struct uploads *uploads_new(void)
{
    struct uploads *uploads = xcalloc(1, sizeof(*uploads));
    pthread_mutex_init(&uploads->lock, NULL);
    pthread_mutex_init(&uploads->space_lock, NULL);
    pthread_mutex_init(&uploads->start_lock, NULL);
    return uploads;
}

struct upload *upload_new(struct store *store, const char *id, enum upload_kind kind)
{
    struct upload *u = xcalloc(1, sizeof(*u));
    u->store = store;
    snprintf(u->id, sizeof(u->id), "%s", id);
    u->kind = kind;
    u->fd = -1;
    u->announced = -1;
    u->busy = true;
    return u;
}

void upload_free(struct upload *u)
{
    cleanup_fd(&u->fd);
    buf_dispose(&u->held);
    hash_free(u->sha256);
    free(u);
}

/* --- what they may hold ----------------------------------------------------------------------- */

bool upload_table_claim(struct upload *u, int64_t end)
{
    struct uploads *uploads = u->store->uploads;
    pthread_mutex_lock(&uploads->lock);
    bool fits = end <= u->reserved;
    if (fits) {
        u->claimed = end;
    }
    pthread_mutex_unlock(&uploads->lock);
    return fits;
}

void upload_table_unclaim(struct upload *u)
{
    struct uploads *uploads = u->store->uploads;
    pthread_mutex_lock(&uploads->lock);
    u->claimed = upload_received(u);
    pthread_mutex_unlock(&uploads->lock);
}

bool upload_table_is_reserved(struct upload *u, int64_t end)
{
    struct uploads *uploads = u->store->uploads;
    pthread_mutex_lock(&uploads->lock);
    bool reserved = end <= u->reserved;
    pthread_mutex_unlock(&uploads->lock);
    return reserved;
}

void upload_table_set_space(struct upload *u, int64_t reserved, int64_t claimed)
{
    struct uploads *uploads = u->store->uploads;
    pthread_mutex_lock(&uploads->lock);
    u->reserved = reserved;
    u->claimed = claimed;
    pthread_mutex_unlock(&uploads->lock);
}

int64_t upload_table_limit_space(struct upload *u, int64_t room)
{
    struct uploads *uploads = u->store->uploads;
    pthread_mutex_lock(&uploads->lock);
    u->reserved = u->reserved < room ? u->reserved : room;
    int64_t reserved = u->reserved;
    pthread_mutex_unlock(&uploads->lock);
    return reserved;
}

void upload_table_lock_space(struct uploads *uploads)
{
    pthread_mutex_lock(&uploads->space_lock);
}

void upload_table_unlock_space(struct uploads *uploads)
{
    pthread_mutex_unlock(&uploads->space_lock);
}

void upload_table_lock_starts(struct uploads *uploads)
{
    pthread_mutex_lock(&uploads->start_lock);
}

void upload_table_unlock_starts(struct uploads *uploads)
{
    pthread_mutex_unlock(&uploads->start_lock);
}

/* With the lock held. */
static size_t count_of(const struct uploads *uploads, int64_t namespace_id)
{
    size_t n = 0;
    for (size_t i = 0; i < BUCKETS; i++) {
        for (const struct upload *u = uploads->buckets[i]; u; u = u->next) {
            n += u->namespace_id == namespace_id;
        }
    }
    return n;
}

static void shrink(struct upload *u, struct upload_hold *out)
{
    u->reserved = u->reserved < u->claimed ? u->reserved : u->claimed;
    out->bytes = u->claimed;
    memcpy(out->id, u->id, sizeof(out->id));
}

struct upload_hold *upload_table_shrink(struct uploads *uploads, int64_t namespace_id,
                                        size_t *count_out)
{
    size_t n = 0;
    pthread_mutex_lock(&uploads->lock);
    struct upload_hold *holds = xcalloc(count_of(uploads, namespace_id) + 1, sizeof(*holds));
    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct upload *u = uploads->buckets[i]; u; u = u->next) {
            if (u->namespace_id == namespace_id) {
                shrink(u, &holds[n++]);
            }
        }
    }
    pthread_mutex_unlock(&uploads->lock);
    *count_out = n;
    return holds;
}

/* --- hashes of idle ones: with the lock held -------------------------------------------------- */

static void cool(struct uploads *uploads, struct upload *u)
{
    if (uploads->coldest != u && !u->colder) {
        return; /* it is not among the warm */
    }
    *(u->colder ? &u->colder->warmer : &uploads->coldest) = u->warmer;
    *(u->warmer ? &u->warmer->colder : &uploads->warmest) = u->colder;
    u->colder = u->warmer = NULL;
    uploads->warm--;
}

static void warm(struct uploads *uploads, struct upload *u)
{
    u->colder = uploads->warmest;
    *(u->colder ? &u->colder->warmer : &uploads->coldest) = u;
    uploads->warmest = u;
    if (++uploads->warm > UPLOAD_HASHES_MAX) {
        struct upload *coldest = uploads->coldest;
        cool(uploads, coldest);
        hash_free(coldest->sha256);
        coldest->sha256 = NULL;
    }
}

/* --- the table -------------------------------------------------------------------------------- */

void uploads_free(struct uploads *uploads)
{
    char id[UPLOAD_ID_MAX];
    for (size_t i = 0; i < BUCKETS; i++) {
        while (uploads->buckets[i]) {
            struct upload *u = uploads->buckets[i];
            uploads->buckets[i] = u->next;
            upload_free(u);
        }
    }
    while (upload_table_next_left(uploads, id)) {
        /* each call frees one */
    }
    pthread_mutex_destroy(&uploads->start_lock);
    pthread_mutex_destroy(&uploads->space_lock);
    pthread_mutex_destroy(&uploads->lock);
    free(uploads);
}

/* Ids are random: two of their digits spread them. */
static struct upload **bucket_of(struct uploads *uploads, const char *id)
{
    unsigned char first = 0;
    (void)sodium_hex2bin(&first, 1, id, 2, NULL, NULL, NULL);
    return &uploads->buckets[first];
}

/* With the lock held. */
static struct upload *find(struct uploads *uploads, const char *id)
{
    struct upload *u = *bucket_of(uploads, id);
    while (u && strcmp(u->id, id) != 0) {
        u = u->next;
    }
    return u;
}

static bool is_of(const struct upload *u, const struct repo_name *repo, int64_t account_id)
{
    return slice_equal(repo_name_slice(repo), repo_name_slice(&u->repo)) &&
           u->account_id == account_id && u->kind == UPLOAD_SESSION;
}

bool upload_table_add(struct upload *u)
{
    struct uploads *uploads = u->store->uploads;
    pthread_mutex_lock(&uploads->lock);
    bool first = !find(uploads, u->id);
    if (first) {
        struct upload **bucket = bucket_of(uploads, u->id);
        u->next = *bucket;
        *bucket = u;
    }
    pthread_mutex_unlock(&uploads->lock);
    return first;
}

void upload_table_remove(struct upload *u)
{
    struct uploads *uploads = u->store->uploads;
    pthread_mutex_lock(&uploads->lock);
    struct upload **at = bucket_of(uploads, u->id);
    while (*at != u) {
        at = &(*at)->next;
    }
    *at = u->next;
    pthread_mutex_unlock(&uploads->lock);
    upload_free(u);
}

bool upload_table_take(struct uploads *uploads, const struct repo_name *repo, const char *id,
                       int64_t account_id, struct upload **out, struct err *err)
{
    bool taken = true;
    pthread_mutex_lock(&uploads->lock);
    struct upload *u = find(uploads, id);
    if (u && (u->over || !is_of(u, repo, account_id))) {
        taken = upload_unknown(err);
    } else if (u && u->busy) {
        taken = err_set(err, ERR_UPLOAD_BUSY, "");
    } else if (u) {
        u->busy = true;
        cool(uploads, u);
    }
    pthread_mutex_unlock(&uploads->lock);
    *out = taken ? u : NULL;
    return taken;
}

void upload_table_give_back(struct upload *u)
{
    struct uploads *uploads = u->store->uploads;
    pthread_mutex_lock(&uploads->lock);
    u->busy = false;
    if (u->sha256) {
        warm(uploads, u);
    }
    pthread_mutex_unlock(&uploads->lock);
}

void upload_table_end(struct upload *u)
{
    pthread_mutex_lock(&u->store->uploads->lock);
    u->over = true;
    pthread_mutex_unlock(&u->store->uploads->lock);
}

enum upload_found upload_table_look(struct uploads *uploads, const struct repo_name *repo,
                                    const char *id, int64_t account_id, int64_t *received_out)
{
    enum upload_found found = UPLOAD_ABSENT;
    pthread_mutex_lock(&uploads->lock);
    const struct upload *u = find(uploads, id);
    if (u) {
        found = u->over || !is_of(u, repo, account_id) ? UPLOAD_HIDDEN : UPLOAD_SEEN;
        *received_out = upload_received(u);
    }
    pthread_mutex_unlock(&uploads->lock);
    return found;
}

bool upload_table_last_used(struct uploads *uploads, const char *id, int64_t *out)
{
    pthread_mutex_lock(&uploads->lock);
    const struct upload *u = find(uploads, id);
    if (u) {
        *out = u->busy || u->over ? INT64_MAX : (int64_t)atomic_load(&u->last_used_us);
    }
    pthread_mutex_unlock(&uploads->lock);
    return u != NULL;
}

/* --- what is left of uploads that nobody knows ------------------------------------------------ */

void upload_table_leave(struct uploads *uploads, const char *id)
{
    struct left *left = xcalloc(1, sizeof(*left));
    snprintf(left->id, sizeof(left->id), "%s", id);
    pthread_mutex_lock(&uploads->lock);
    left->next = uploads->left;
    uploads->left = left;
    pthread_mutex_unlock(&uploads->lock);
}

bool upload_table_next_left(struct uploads *uploads, char id_out[UPLOAD_ID_MAX])
{
    pthread_mutex_lock(&uploads->lock);
    struct left *left = uploads->left;
    if (left) {
        uploads->left = left->next;
        memcpy(id_out, left->id, UPLOAD_ID_MAX);
    }
    pthread_mutex_unlock(&uploads->lock);
    bool found = left != NULL;
    free(left);
    return found;
}
