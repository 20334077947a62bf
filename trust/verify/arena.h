/* Memory that is freed as a whole: the strings and tables of a parsed document or a built state.
 * One thread at a time. */
#ifndef TRUST_VERIFY_ARENA_H
#define TRUST_VERIFY_ARENA_H

#include "base/slice.h"

struct trust_arena;

struct trust_arena *trust_arena_new(void);
/* Frees everything ever handed out; accepts NULL. */
void trust_arena_free(struct trust_arena *arena);
/* Zeroed memory for count things of size bytes, aligned for any type. Never NULL, also for none. */
void *trust_arena_alloc(struct trust_arena *arena, size_t count, size_t size);
/* A NUL-terminated copy. */
const char *trust_arena_text(struct trust_arena *arena, struct slice text);
/* Bytes taken from the heap so far: what a cache charges for the owner. */
size_t trust_arena_bytes(const struct trust_arena *arena);

#endif
