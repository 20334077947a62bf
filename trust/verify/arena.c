#include "trust/verify/arena.h"

#include "base/buf.h"

#define BLOCK_BYTES 4096
#define ALIGNMENT 16

struct block {
    struct block *next;
    size_t used, cap;
    _Alignas(ALIGNMENT) unsigned char bytes[];
};

struct trust_arena {
    struct block *newest;
    size_t total;
};

struct trust_arena *trust_arena_new(void)
{
    return xcalloc(1, sizeof(struct trust_arena));
}

void trust_arena_free(struct trust_arena *arena)
{
    if (!arena) {
        return;
    }
    for (struct block *b = arena->newest; b;) {
        struct block *next = b->next;
        free(b);
        b = next;
    }
    free(arena);
}

static struct block *block_add(struct trust_arena *arena, size_t need)
{
    size_t cap = need > BLOCK_BYTES ? need : BLOCK_BYTES;
    struct block *b = xcalloc(1, sizeof(*b) + cap);
    b->cap = cap;
    b->next = arena->newest;
    arena->newest = b;
    arena->total += sizeof(*b) + cap;
    return b;
}

void *trust_arena_alloc(struct trust_arena *arena, size_t count, size_t size)
{
    if (size != 0 && count > (SIZE_MAX - 2 * BLOCK_BYTES) / size) {
        BUG("an arena request that no document can ask for");
    }
    size_t need = (count * size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    struct block *b = arena->newest;
    if (!b || b->cap - b->used < need) {
        b = block_add(arena, need);
    }
    void *p = b->bytes + b->used;
    b->used += need;
    return p;
}

const char *trust_arena_text(struct trust_arena *arena, struct slice text)
{
    char *copy = trust_arena_alloc(arena, text.n + 1, 1);
    if (text.n > 0) {
        memcpy(copy, text.p, text.n);
    }
    return copy;
}

size_t trust_arena_bytes(const struct trust_arena *arena)
{
    return arena->total;
}
