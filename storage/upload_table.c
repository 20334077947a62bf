#include "storage/upload_internal.h"

#include <sodium.h>
#include <stdio.h>

#define BUCKETS 256

/* What the unfinished uploads of one namespace hold, while there are any. */
struct space {
    int64_t namespace_id;
    int64_t quota_bytes, used_bytes; /* as the index last said; quota 0: none */
    int64_t reserved;                /* of all its uploads */
    int uploads;
    struct space *next;
};

struct left {
    char id[UPLOAD_ID_MAX];
    struct left *next;
};

struct uploads {
    pthread_mutex_t lock;
    struct upload *buckets[BUCKETS];
    struct space *spaces[BUCKETS];
    struct left *left;
};

struct uploads *uploads_new(void)
{
    struct uploads *uploads = xcalloc(1, sizeof(*uploads));
    pthread_mutex_init(&uploads->lock, NULL);
    return uploads;
}

struct upload *upload_new(struct store *store, const char *id, enum upload_kind kind)
{
    struct upload *u = xcalloc(1, sizeof(*u));
    u->store = store;
    snprintf(u->id, sizeof(u->id), "%s", id);
    u->kind = kind;
    u->fd = -1;
    u->busy = true;
    return u;
}

void upload_free(struct upload *u)
{
    cleanup_fd(&u->fd);
    hash_free(u->sha256);
    free(u);
}

/* --- the space of a namespace: with the lock held --------------------------------------------- */

static struct space **space_bucket(struct uploads *uploads, int64_t namespace_id)
{
    return &uploads->spaces[(uint64_t)namespace_id % BUCKETS];
}

static void join_space(struct uploads *uploads, struct upload *u)
{
    struct space **bucket = space_bucket(uploads, u->namespace_id);
    struct space *s = *bucket;
    while (s && s->namespace_id != u->namespace_id) {
        s = s->next;
    }
    if (!s) {
        s = xcalloc(1, sizeof(*s));
        s->namespace_id = u->namespace_id;
        s->next = *bucket;
        *bucket = s;
    }
    s->uploads++;
    u->space = s;
    u->reserved = upload_received(u);
    s->reserved += u->reserved;
}

static void give_space(struct upload *u)
{
    u->space->reserved -= u->reserved;
    u->reserved = 0;
}

static void leave_space(struct uploads *uploads, struct upload *u)
{
    struct space *s = u->space;
    give_space(u);
    u->space = NULL;
    if (--s->uploads > 0) {
        return;
    }
    struct space **at = space_bucket(uploads, s->namespace_id);
    while (*at != s) {
        at = &(*at)->next;
    }
    *at = s->next;
    free(s);
}

void upload_table_set_space(struct upload *u, const struct namespace *ns)
{
    struct uploads *uploads = u->store->uploads;
    pthread_mutex_lock(&uploads->lock);
    u->space->quota_bytes = ns->quota_bytes;
    u->space->used_bytes = ns->used_bytes;
    pthread_mutex_unlock(&uploads->lock);
}

/* Early, so that nobody sends what cannot stay; the transaction of upload_finish decides. */
bool upload_table_reserve(struct upload *u, int64_t bytes, struct err *err)
{
    struct uploads *uploads = u->store->uploads;
    pthread_mutex_lock(&uploads->lock);
    struct space *s = u->space;
    bool fits = s->quota_bytes == 0 || bytes <= s->quota_bytes - s->used_bytes - s->reserved;
    if (fits) {
        s->reserved += bytes;
        u->reserved += bytes;
    }
    pthread_mutex_unlock(&uploads->lock);
    return fits || err_set(err, ERR_QUOTA, "");
}

void upload_table_release(struct upload *u, int64_t bytes)
{
    struct uploads *uploads = u->store->uploads;
    pthread_mutex_lock(&uploads->lock);
    u->space->reserved -= bytes;
    u->reserved -= bytes;
    pthread_mutex_unlock(&uploads->lock);
}

void upload_table_hold(struct upload *u)
{
    struct uploads *uploads = u->store->uploads;
    pthread_mutex_lock(&uploads->lock);
    give_space(u);
    u->reserved = upload_received(u);
    u->space->reserved += u->reserved;
    pthread_mutex_unlock(&uploads->lock);
}

/* --- the table -------------------------------------------------------------------------------- */

void uploads_free(struct uploads *uploads)
{
    char id[UPLOAD_ID_MAX];
    for (size_t i = 0; i < BUCKETS; i++) {
        while (uploads->buckets[i]) {
            struct upload *u = uploads->buckets[i];
            uploads->buckets[i] = u->next;
            leave_space(uploads, u);
            upload_free(u);
        }
    }
    while (upload_table_next_left(uploads, id)) {
        /* each call frees one */
    }
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
        join_space(uploads, u);
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
    leave_space(uploads, u);
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
        taken = err_set(err, ERR_UPLOAD_INVALID, "another request is using this upload");
    } else if (u) {
        u->busy = true;
    }
    pthread_mutex_unlock(&uploads->lock);
    *out = taken ? u : NULL;
    return taken;
}

void upload_table_give_back(struct upload *u)
{
    pthread_mutex_t *lock = &u->store->uploads->lock;
    pthread_mutex_lock(lock);
    u->busy = false;
    pthread_mutex_unlock(lock);
}

void upload_table_end(struct upload *u)
{
    pthread_mutex_lock(&u->store->uploads->lock);
    u->over = true;
    give_space(u);
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
