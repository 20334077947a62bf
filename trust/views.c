/* Which gate views are kept: a hash by repository and a list by use, both under one lock. */
#include "trust/view_internal.h"

#include <pthread.h>

#define BUCKETS 4096

struct gate_views {
    pthread_mutex_t lock;
    size_t max_bytes, max_count, bytes, count;
    struct gate_view *newest, *oldest;
    struct gate_view *buckets[BUCKETS];
};

struct gate_views *gate_views_new(size_t max_bytes, size_t max_count)
{
    struct gate_views *views = xcalloc(1, sizeof *views);
    pthread_mutex_init(&views->lock, NULL);
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
    pthread_mutex_destroy(&views->lock);
    free(views);
}

struct gate_view *gate_views_find(struct gate_views *views, int64_t repository_id,
                                  int64_t generation, int64_t now_us)
{
    pthread_mutex_lock(&views->lock);
    struct gate_view *v = find(views, repository_id);
    if (v &&
        (v->generation != generation || now_us < v->valid_from_us || now_us >= v->valid_until_us)) {
        v = NULL;
    }
    if (v) {
        atomic_fetch_add(&v->references, 1);
        list_remove(views, v);
        list_push(views, v);
    }
    pthread_mutex_unlock(&views->lock);
    return v;
}

void gate_views_keep(struct gate_views *views, struct gate_view *view)
{
    struct gate_view *dropped = NULL;
    pthread_mutex_lock(&views->lock);
    struct gate_view *old = find(views, view->repository_id);
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
    view->next_in_bucket = *bucket_of(views, view->repository_id);
    *bucket_of(views, view->repository_id) = view;
    list_push(views, view);
    views->bytes += view->bytes;
    views->count++;
    pthread_mutex_unlock(&views->lock);
    while (dropped) { /* freed outside the lock */
        struct gate_view *next = dropped->next_in_bucket;
        gate_view_unref(dropped);
        dropped = next;
    }
}
