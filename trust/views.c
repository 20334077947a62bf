/* Which gate views are kept, and who builds one: a hash by repository and a list by use, both under
 * one lock, which nobody holds while he builds. */
#include "trust/view_internal.h"

#include <pthread.h>

#define BUCKETS 4096

struct gate_views {
    pthread_mutex_t lock;
    pthread_cond_t built; /* a claim has ended, or a view is kept */
    struct view_claim *claims;
    size_t max_bytes, max_count, bytes, count;
    struct gate_view *newest, *oldest;
    struct gate_view *buckets[BUCKETS];
};

struct gate_views *gate_views_new(size_t max_bytes, size_t max_count)
{
    struct gate_views *views = xcalloc(1, sizeof *views);
    pthread_mutex_init(&views->lock, NULL);
    pthread_cond_init(&views->built, NULL);
    views->max_bytes = max_bytes;
    views->max_count = max_count;
    return views;
}

static struct gate_view **bucket_of(struct gate_views *views, int64_t repository_id)
{
    return &views->buckets[(uint64_t)repository_id % BUCKETS];
}

static void list_remove(struct gate_views *views, struct gate_view *v)
{
    *(v->newer ? &v->newer->older : &views->newest) = v->older;
    *(v->older ? &v->older->newer : &views->oldest) = v->newer;
    v->newer = v->older = NULL;
}

static void list_push(struct gate_views *views, struct gate_view *v)
{
    v->older = views->newest;
    *(views->newest ? &views->newest->newer : &views->oldest) = v;
    views->newest = v;
}

/* Takes it out and returns it; the reference of the views passes to the caller. */
static struct gate_view *take_out(struct gate_views *views, struct gate_view *v)
{
    struct gate_view **at = bucket_of(views, v->repository_id);
    while (*at != v) {
        at = &(*at)->next_in_bucket;
    }
    *at = v->next_in_bucket;
    list_remove(views, v);
    views->bytes -= v->bytes;
    views->count--;
    return v;
}

static struct gate_view *find(struct gate_views *views, int64_t repository_id)
{
    struct gate_view *v = *bucket_of(views, repository_id);
    while (v && v->repository_id != repository_id) {
        v = v->next_in_bucket;
    }
    return v;
}

void gate_views_free(struct gate_views *views)
{
    if (!views) {
        return;
    }
    while (views->oldest) {
        gate_view_unref(take_out(views, views->oldest));
    }
    pthread_cond_destroy(&views->built);
    pthread_mutex_destroy(&views->lock);
    free(views);
}

/* An acknowledgement moves no generation. */
static bool is_acknowledged(const struct gate_view *v)
{
    return v->suspicion[0] && v->acceptances != checkpoint_acceptances(v->checkpoint);
}

static bool is_current(const struct gate_view *v, int64_t generation, int64_t now_us)
{
    return v && v->generation == generation && now_us >= v->valid_from_us &&
           now_us < v->valid_until_us && !is_acknowledged(v);
}

/* With the lock held; a reference, or NULL. */
static struct gate_view *find_current(struct gate_views *views, int64_t repository_id,
                                      int64_t generation, int64_t now_us)
{
    struct gate_view *v = find(views, repository_id);
    if (!is_current(v, generation, now_us)) {
        return NULL;
    }
    list_remove(views, v);
    list_push(views, v);
    return gate_view_ref(v);
}

struct gate_view *gate_views_find(struct gate_views *views, int64_t repository_id,
                                  int64_t generation, int64_t now_us)
{
    pthread_mutex_lock(&views->lock);
    struct gate_view *v = find_current(views, repository_id, generation, now_us);
    pthread_mutex_unlock(&views->lock);
    return v;
}

struct gate_view *gate_views_find_asked(struct gate_views *views, int64_t repository_id, int64_t generation,
                                        int64_t now_us)
{
    pthread_mutex_lock(&views->lock);
    struct gate_view *v = find_current(views, repository_id, generation, now_us);
    if (v) {
        v->was_asked = true;
    }
    pthread_mutex_unlock(&views->lock);
    return v;
}

struct gate_view *gate_views_last(struct gate_views *views, int64_t repository_id, bool *asked_out)
{
    pthread_mutex_lock(&views->lock);
    struct gate_view *v = find(views, repository_id);
    *asked_out = v && v->was_asked;
    if (v) {
        (void)gate_view_ref(v);
    }
    pthread_mutex_unlock(&views->lock);
    return v;
}

/* --- who builds ------------------------------------------------------------------------------- */

static bool is_claimed(const struct gate_views *views, int64_t repository_id, int64_t generation)
{
    const struct view_claim *c = views->claims;
    while (c && (c->repository_id != repository_id || c->generation != generation)) {
        c = c->next;
    }
    return c != NULL;
}

static void add_claim(struct gate_views *views, int64_t repository_id, int64_t generation,
                      struct view_claim *claim)
{
    *claim = (struct view_claim){.views = views,
                                 .repository_id = repository_id,
                                 .generation = generation,
                                 .next = views->claims};
    views->claims = claim;
}

/* What the asker builds would not be kept: a newer one is. */
static bool is_of_the_past(struct gate_views *views, int64_t repository_id, int64_t generation)
{
    const struct gate_view *kept = find(views, repository_id);
    return kept && kept->generation > generation;
}

struct gate_view *gate_views_find_or_claim(struct gate_views *views, int64_t repository_id,
                                           int64_t generation, int64_t now_us,
                                           struct view_claim *claim)
{
    struct gate_view *v;
    bool waited = false;
    *claim = (struct view_claim){.views = NULL};
    pthread_mutex_lock(&views->lock);
    while ((v = find_current(views, repository_id, generation, now_us)) == NULL &&
           !is_of_the_past(views, repository_id, generation) &&
           is_claimed(views, repository_id, generation)) {
        pthread_cond_wait(&views->built, &views->lock);
        waited = true;
    }
    if (v) {
        v->was_asked = true;
    } else if (!waited && !is_of_the_past(views, repository_id, generation)) {
        add_claim(views, repository_id, generation, claim);
    }
    pthread_mutex_unlock(&views->lock);
    return v;
}

bool gate_views_claim(struct gate_views *views, int64_t repository_id, int64_t generation,
                      struct view_claim *claim)
{
    pthread_mutex_lock(&views->lock);
    bool free_ = !is_claimed(views, repository_id, generation);
    if (free_) {
        add_claim(views, repository_id, generation, claim);
    }
    pthread_mutex_unlock(&views->lock);
    return free_;
}

void view_claim_end(struct view_claim *claim)
{
    struct gate_views *views = claim->views;
    if (!views) {
        return;
    }
    pthread_mutex_lock(&views->lock);
    struct view_claim **at = &views->claims;
    while (*at != claim) {
        at = &(*at)->next;
    }
    *at = claim->next;
    claim->views = NULL;
    pthread_cond_broadcast(&views->built);
    pthread_mutex_unlock(&views->lock);
}

/* --- keeping ---------------------------------------------------------------------------------- */

void gate_views_keep(struct gate_views *views, struct gate_view *view, bool asked)
{
    struct gate_view *dropped = NULL;
    pthread_mutex_lock(&views->lock);
    struct gate_view *old = find(views, view->repository_id);
    if (old && old->generation > view->generation) { /* built for a snapshot from before */
        pthread_mutex_unlock(&views->lock);
        return;
    }
    if (old) {
        old = take_out(views, old);
        old->next_in_bucket = dropped;
        dropped = old;
    }
    while (views->oldest &&
           (views->bytes + view->bytes > views->max_bytes || views->count >= views->max_count)) {
        struct gate_view *v = take_out(views, views->oldest);
        v->next_in_bucket = dropped;
        dropped = v;
    }
    /* one that is larger than all the room is kept by itself: it is the one that costs most to make */
    atomic_fetch_add(&view->references, 1);
    view->was_asked = asked;
    view->next_in_bucket = *bucket_of(views, view->repository_id);
    *bucket_of(views, view->repository_id) = view;
    list_push(views, view);
    views->bytes += view->bytes;
    views->count++;
    pthread_cond_broadcast(&views->built); /* whoever waits for an older one builds it himself now */
    pthread_mutex_unlock(&views->lock);
    while (dropped) { /* freed outside the lock */
        struct gate_view *next = dropped->next_in_bucket;
        gate_view_unref(dropped);
        dropped = next;
    }
}
