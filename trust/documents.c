#include "trust/documents.h"

#include "base/buf.h"
#include "trust/trust_internal.h"

#define BUCKETS 4096

struct entry {
    struct entry *next; /* of its bucket */
    struct entry *newer, *older;
    struct tuf_doc *doc;
    size_t bytes;
};

struct documents {
    pthread_mutex_t lock;
    size_t max_bytes, bytes;
    struct entry *newest, *oldest;
    struct entry *buckets[BUCKETS];
};

struct documents *documents_new(size_t max_bytes)
{
    struct documents *d = xcalloc(1, sizeof *d);
    pthread_mutex_init(&d->lock, NULL);
    d->max_bytes = max_bytes;
    return d;
}

/* Nobody gains from documents that share a bucket: their bytes must be signed before they are kept. */
static struct entry **bucket_of(struct documents *d, const uint8_t sha256[32])
{
    return &d->buckets[((size_t)sha256[0] << 8 | sha256[1]) % BUCKETS];
}

static void list_remove(struct documents *d, struct entry *e)
{
    *(e->newer ? &e->newer->older : &d->newest) = e->older;
    *(e->older ? &e->older->newer : &d->oldest) = e->newer;
    e->newer = e->older = NULL;
}

static void list_push(struct documents *d, struct entry *e)
{
    e->older = d->newest;
    *(d->newest ? &d->newest->newer : &d->oldest) = e;
    d->newest = e;
}

static struct entry *find(struct documents *d, struct slice role, const uint8_t sha256[32])
{
    struct entry *e = *bucket_of(d, sha256);
    struct slice hash = slice_of_bytes(sha256, sizeof e->doc->sha256);
    while (e && (!slice_equal(slice_of_bytes(e->doc->sha256, sizeof e->doc->sha256), hash) ||
                 !slice_is(role, e->doc->role))) {
        e = e->next;
    }
    return e;
}

static void take_out(struct documents *d, struct entry *e)
{
    struct entry **at = bucket_of(d, e->doc->sha256);
    while (*at != e) {
        at = &(*at)->next;
    }
    *at = e->next;
    list_remove(d, e);
    d->bytes -= e->bytes;
}

static void entries_free(struct entry *e)
{
    while (e) {
        struct entry *next = e->next;
        tuf_doc_free(e->doc);
        free(e);
        e = next;
    }
}

void documents_free(struct documents *d)
{
    if (!d) {
        return;
    }
    for (size_t i = 0; i < BUCKETS; i++) {
        entries_free(d->buckets[i]);
    }
    pthread_mutex_destroy(&d->lock);
    free(d);
}

struct tuf_doc *documents_find(struct documents *d, struct slice role, const uint8_t sha256[32])
{
    struct tuf_doc *doc = NULL;
    pthread_mutex_lock(&d->lock);
    struct entry *e = find(d, role, sha256);
    if (e) {
        list_remove(d, e);
        list_push(d, e);
        doc = tuf_doc_share(e->doc);
    }
    pthread_mutex_unlock(&d->lock);
    return doc;
}

struct tuf_doc *trust_document(const struct trust *trust, struct slice role, const uint8_t sha256[32])
{
    return documents_find(trust->documents, role, sha256);
}

void documents_forget(struct documents *d, struct slice role, const uint8_t sha256[32])
{
    pthread_mutex_lock(&d->lock);
    struct entry *e = find(d, role, sha256);
    if (e) {
        take_out(d, e);
        e->next = NULL;
    }
    pthread_mutex_unlock(&d->lock);
    entries_free(e);
}

void documents_keep(struct documents *d, const struct tuf_doc *doc)
{
    struct entry *dropped = NULL;
    struct entry *e = xcalloc(1, sizeof *e);
    *e = (struct entry){.doc = tuf_doc_share(doc), .bytes = sizeof *e + tuf_doc_bytes(doc)};
    pthread_mutex_lock(&d->lock);
    struct entry *old = find(d, slice_str(doc->role), doc->sha256);
    if (old) {
        take_out(d, old);
        old->next = dropped;
        dropped = old;
    }
    while (d->oldest && d->bytes + e->bytes > d->max_bytes) {
        struct entry *last = d->oldest;
        take_out(d, last);
        last->next = dropped;
        dropped = last;
    }
    e->next = *bucket_of(d, doc->sha256);
    *bucket_of(d, doc->sha256) = e;
    list_push(d, e);
    d->bytes += e->bytes;
    pthread_mutex_unlock(&d->lock);
    entries_free(dropped); /* outside the lock */
}

static void keep_some(struct documents *d, const struct tuf_doc *doc)
{
    if (doc) {
        documents_keep(d, doc);
    }
}

void documents_keep_state(struct documents *d, const struct trust_state *state)
{
    keep_some(d, state->root);
    keep_some(d, state->timestamp);
    keep_some(d, state->snapshot);
    for (size_t i = 0; i < state->role_count; i++) {
        keep_some(d, state->roles[i].doc);
    }
}
