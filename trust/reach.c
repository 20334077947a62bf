#include "trust/reach.h"

#include "storage/manifest.h"
#include "trust/second_name.h"

#define SIZE_UNKNOWN (-1)
#define NAMED_AS_CHILD (UINT32_C(1) << 31) /* beside a number in `children` */

struct reach_entry {
    struct digest digest;
    struct digest root;
    int64_t valid_until_us;
    int64_t size; /* of a manifest that is here; SIZE_UNKNOWN */
    int depth;    /* of the shortest way found, for manifests */
    enum reach_kind kind;
    bool is_manifest, in_grace;
    bool is_noted; /* all that it names is in `children` */
    uint32_t first_child, child_count;
};

/* --- the set ---------------------------------------------------------------------------------- */

/* Where the digest's number is, or would be. */
static size_t slot_of(const struct reach *reach, const struct digest *digest)
{
    uint64_t hash;
    memcpy(&hash, digest->bytes, sizeof hash); /* a digest is its own hash */
    size_t i = (size_t)hash & (reach->capacity - 1);
    while (reach->slots[i] &&
           !digest_equal(&reach->entries[reach->slots[i] - 1].digest, digest)) {
        i = (i + 1) & (reach->capacity - 1);
    }
    return i;
}

/* NULL when it is not reached. */
static struct reach_entry *find(const struct reach *reach, const struct digest *digest)
{
    if (reach->capacity == 0 || !digest_is_set(digest)) {
        return NULL;
    }
    uint32_t number = reach->slots[slot_of(reach, digest)];
    return number ? &reach->entries[number - 1] : NULL;
}

static void grow_slots(struct reach *reach)
{
    free(reach->slots);
    reach->capacity = reach->capacity ? reach->capacity * 2 : 64;
    reach->slots = xcalloc(reach->capacity, sizeof *reach->slots);
    for (size_t i = 0; i < reach->count; i++) {
        reach->slots[slot_of(reach, &reach->entries[i].digest)] = (uint32_t)i + 1;
    }
}

static void grow_entries(struct reach *reach)
{
    reach->room = reach->room ? reach->room + reach->room / 2 : 32;
    reach->entries = xrealloc(reach->entries, reach->room * sizeof *reach->entries);
}

/* The entry of a digest, made when missing (*made). Valid until the next call. */
static struct reach_entry *entry_of(struct reach *reach, const struct digest *digest, bool *made)
{
    if (reach->count * 2 >= reach->capacity) {
        grow_slots(reach);
    }
    size_t slot = slot_of(reach, digest);
    *made = reach->slots[slot] == 0;
    if (!*made) {
        return &reach->entries[reach->slots[slot] - 1];
    }
    if (reach->count == reach->room) {
        grow_entries(reach);
    }
    struct reach_entry *e = &reach->entries[reach->count++];
    *e = (struct reach_entry){.digest = *digest, .size = SIZE_UNKNOWN};
    reach->slots[slot] = (uint32_t)reach->count;
    return e;
}

/* --- what manifests name ---------------------------------------------------------------------- */

static void push_child(struct reach *reach, uint32_t child)
{
    if (reach->child_count == reach->child_room) {
        reach->child_room = reach->child_room ? reach->child_room + reach->child_room / 2 : 64;
        reach->children = xrealloc(reach->children, reach->child_room * sizeof *reach->children);
    }
    reach->children[reach->child_count++] = child;
}

/* For the set that is built after this one. Where something named is not in the set, since it is
 * denied or lies too deep, nothing is noted. */
static void note_children(struct reach *reach, const struct digest *digest,
                          const struct edge_list *edges)
{
    size_t first = reach->child_count;
    struct reach_entry *e = find(reach, digest);
    if (e->is_noted) {
        return;
    }
    for (size_t i = 0; i < edges->count; i++) {
        const struct edge *edge = &edges->items[i];
        const struct reach_entry *child = find(reach, &edge->digest);
        if (edge->kind == EDGE_SUBJECT) {
            continue;
        }
        if (child == NULL) {
            reach->child_count = first;
            return;
        }
        push_child(reach, (uint32_t)(child - reach->entries) |
                              (edge->kind == EDGE_CHILD ? NAMED_AS_CHILD : 0));
    }
    e->first_child = (uint32_t)first;
    e->child_count = (uint32_t)(reach->child_count - first);
    e->is_noted = true;
}

/* False: it is not known. Subjects are left out; what is no child is called a layer. */
static bool known_edges(const struct reach *known, const struct digest *digest,
                        struct edge_list *out)
{
    const struct reach_entry *e = known ? find(known, digest) : NULL;
    if (e == NULL || !e->is_noted) {
        return false;
    }
    out->items = xcalloc(e->child_count + 1, sizeof *out->items);
    for (; out->count < e->child_count; out->count++) {
        uint32_t child = known->children[e->first_child + out->count];
        out->items[out->count] =
            (struct edge){.kind = child & NAMED_AS_CHILD ? EDGE_CHILD : EDGE_LAYER,
                          .digest = known->entries[child & ~NAMED_AS_CHILD].digest};
    }
    return true;
}

/* --- walking ---------------------------------------------------------------------------------- */

static void fill(struct reach_entry *e, const struct gate_root *root, int depth, bool is_manifest)
{
    e->root = root->digest;
    e->valid_until_us = root->valid_until_us;
    e->depth = depth;
    e->is_manifest = is_manifest;
    e->in_grace = root->superseded;
    e->kind = REACH_CHILD;
    if (depth == 0) {
        e->kind = root->superseded ? REACH_SUPERSEDED : REACH_RELEASED;
    }
}

static void fill_denied(struct reach_entry *e, const struct digest *denied, int depth,
                        bool is_manifest)
{
    e->root = *denied;
    e->depth = depth;
    e->is_manifest = is_manifest;
    e->kind = REACH_DENIED;
}

struct walk {
    struct reach *reach;
    struct db_tx *tx;
    int64_t repository_id;
    const struct gate_root *root;    /* NULL: what is below `below` is marked as denied */
    const struct denied_set *denied; /* of the roots; met ones are left for later */
    const struct digest *below;
};

static void put_denied_by(struct reach *reach, const struct digest *digest)
{
    for (size_t i = 0; i < reach->denied_count; i++) {
        if (digest_equal(&reach->denied[i], digest)) {
            return;
        }
    }
    reach->denied = xrealloc(reach->denied, (reach->denied_count + 1) * sizeof *reach->denied);
    reach->denied[reach->denied_count++] = *digest;
}

/* True: the walk does not enter it. */
static bool is_denied(const struct walk *w, const struct digest *digest)
{
    bool denied = w->root && denied_set_has(w->denied, digest);
    if (denied) {
        put_denied_by(w->reach, digest);
    }
    return denied;
}

/* The same of a manifest, which may have been denied by its other name. */
static bool is_denied_manifest(const struct walk *w, const struct digest *digest, bool *out,
                               struct err *err)
{
    struct digest second;
    *out = is_denied(w, digest);
    if (*out || !w->root || !denied_set_uses(w->denied, second_name_algorithm(digest))) {
        return true;
    }
    if (!second_name(w->tx, w->repository_id, digest, &second, err)) {
        return false;
    }
    *out = digest_is_set(&second) && denied_set_has(w->denied, &second);
    if (*out) {
        put_denied_by(w->reach, digest);
    }
    return true;
}

static void fill_by(const struct walk *w, struct reach_entry *e, int depth, bool is_manifest)
{
    if (w->root) {
        fill(e, w->root, depth, is_manifest);
    } else {
        fill_denied(e, w->below, depth, is_manifest);
    }
}

static void add_blob(const struct walk *w, const struct digest *digest, int depth)
{
    bool made = false;
    if (is_denied(w, digest)) {
        return;
    }
    struct reach_entry *e = entry_of(w->reach, digest, &made);
    if (made) {
        fill_by(w, e, depth, false);
    }
}

/* True: there is nothing to do below it. */
static bool enter(const struct walk *w, const struct digest *digest, int depth)
{
    bool made = false;
    struct reach_entry *e = entry_of(w->reach, digest, &made);
    if (!made && !w->root && e->kind != REACH_DENIED) {
        return true; /* there is a way that is allowed */
    }
    if (!made && e->is_manifest && e->depth <= depth) {
        return true; /* seen on a way that is no longer */
    }
    if (made || !e->is_manifest) {
        fill_by(w, e, depth, true);
    }
    e->depth = depth;
    return false;
}

static bool walk(const struct walk *w, const struct digest *digest, int depth, struct err *err)
{
    auto_edge_list struct edge_list edges = {0};
    bool denied = false;
    if (!is_denied_manifest(w, digest, &denied, err)) {
        return false;
    }
    if (denied || enter(w, digest, depth)) {
        return true;
    }
    if (!known_edges(w->reach->known, digest, &edges) &&
        !manifest_edges(w->tx, w->repository_id, digest, &edges, err)) {
        return false;
    }
    for (size_t i = 0; i < edges.count; i++) {
        const struct edge *edge = &edges.items[i];
        if (edge->kind == EDGE_SUBJECT || (edge->kind == EDGE_CHILD && depth >= REACH_DEPTH)) {
            continue;
        }
        if (edge->kind != EDGE_CHILD) {
            add_blob(w, &edge->digest, depth + 1);
        } else if (!walk(w, &edge->digest, depth + 1, err)) {
            return false;
        }
    }
    note_children(w->reach, digest, &edges);
    return true;
}

bool reach_add(struct reach *reach, struct db_tx *tx, int64_t repository_id,
               const struct gate_root *root, const struct denied_set *denied, struct err *err)
{
    struct walk w = {
        .reach = reach, .tx = tx, .repository_id = repository_id, .root = root, .denied = denied};
    return walk(&w, &root->digest, 0, err);
}

bool reach_finish(struct reach *reach, struct db_tx *tx, int64_t repository_id, struct err *err)
{
    bool ok = true;
    for (size_t i = 0; ok && i < reach->denied_count; i++) {
        struct walk w = {
            .reach = reach, .tx = tx, .repository_id = repository_id, .below = &reach->denied[i]};
        ok = walk(&w, w.below, 0, err);
    }
    free(reach->denied);
    reach->denied = NULL;
    reach->denied_count = 0;
    return ok;
}

void reach_get(const struct reach *reach, const struct digest *digest, struct gate_reached *out)
{
    const struct reach_entry *e = find(reach, digest);
    *out = (struct gate_reached){.kind = REACH_NONE};
    if (e) {
        *out = (struct gate_reached){.kind = e->kind,
                                     .is_manifest = e->is_manifest,
                                     .in_grace = e->in_grace,
                                     .root = e->root,
                                     .valid_until_us = e->valid_until_us};
    }
}

bool reach_next_manifest(const struct reach *reach, size_t *at, struct digest *out)
{
    while (*at < reach->count) {
        const struct reach_entry *e = &reach->entries[(*at)++];
        if (e->is_manifest && e->kind != REACH_NONE && e->kind != REACH_DENIED) {
            *out = e->digest;
            return true;
        }
    }
    return false;
}

void reach_note_size(struct reach *reach, const struct digest *root, int64_t size)
{
    struct reach_entry *e = find(reach, root);
    if (e) {
        e->size = size;
    }
}

bool reach_knows_size(const struct reach *reach, const struct digest *root, int64_t size)
{
    const struct reach_entry *e = reach->known ? find(reach->known, root) : NULL;
    return e && e->is_manifest && e->size != SIZE_UNKNOWN && e->size == size;
}

size_t reach_bytes(const struct reach *reach)
{
    return reach->room * sizeof *reach->entries + reach->capacity * sizeof *reach->slots +
           reach->child_room * sizeof *reach->children;
}

void reach_dispose(struct reach *reach)
{
    free(reach->entries);
    free(reach->slots);
    free(reach->children);
    free(reach->denied);
    *reach = (struct reach){0};
}

static bool below(struct db_tx *tx, int64_t repository_id, const struct digest *at,
                  const struct digest *digest, int depth, bool *out, struct err *err)
{
    auto_edge_list struct edge_list edges = {0};
    *out = digest_equal(at, digest);
    if (*out || depth >= REACH_DEPTH) {
        return true;
    }
    if (!manifest_edges(tx, repository_id, at, &edges, err)) {
        return false;
    }
    for (size_t i = 0; i < edges.count && !*out; i++) {
        if (edges.items[i].kind == EDGE_CHILD &&
            !below(tx, repository_id, &edges.items[i].digest, digest, depth + 1, out, err)) {
            return false;
        }
    }
    return true;
}

bool reach_is_below(struct db_tx *tx, int64_t repository_id, const struct digest *root,
                    const struct digest *digest, bool *out, struct err *err)
{
    return below(tx, repository_id, root, digest, 0, out, err);
}
