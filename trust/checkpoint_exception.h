/* What the checkpoint knows of the deny list and of overrides, in memory: how often each entry was
 * changed. Not thread-safe; checkpoint.c keeps it under its lock. Not for others but for the list
 * that exceptions.c fills.
 *
 * An entry of the store is only ever changed so that its count rises, so a store in which one is
 * lower, or missing, was set back: what was denied is let through again, or an override that was
 * ended or used up acts again. */
#ifndef TRUST_CHECKPOINT_EXCEPTION_H
#define TRUST_CHECKPOINT_EXCEPTION_H

#include "base/buf.h"
#include "storage/denied_digest.h"
#include "storage/override.h"

#define EXCEPTION_NAME_MAX (DENIED_SCOPE_SIZE + DIGEST_STR_MAX + 16)

struct exception {
    char *name; /* "denied:SCOPE:DIGEST" or "override:ID"; owned */
    int64_t changes;
    int64_t until_us; /* nobody minds it from then on; 0 = for ever */
};
struct exception_list { /* by name */
    struct exception *items;
    size_t count;
};
void exception_list_dispose(struct exception_list *list);
static inline void cleanup_exception_list(struct exception_list *list)
{
    exception_list_dispose(list);
}
#define auto_exception_list __attribute__((cleanup(cleanup_exception_list)))

/* What an entry is called. Returns out. */
const char *exception_denied_name(const struct denied_digest *denied, char out[EXCEPTION_NAME_MAX]);
const char *exception_override_name(int64_t id, char out[EXCEPTION_NAME_MAX]);

/* Adds an entry, or raises its count. False: it was known as that, or as changed more often. */
bool exception_list_raise(struct exception_list *list, const char *name, int64_t changes,
                          int64_t until_us);
/* True when `store` has everything of the list that is still minded, changed at least as often.
 *   what   of n bytes: the first that is not so, a part of a sentence */
bool exception_list_covered(const struct exception_list *list, const struct exception_list *store,
                            int64_t now_us, char *what, size_t n);

/* One line of the file: "exception NAME CHANGES UNTIL". */
void exception_write(const char *name, int64_t changes, int64_t until_us, struct buf *out);
/* Reads what follows "exception " into the list; false when it is none. */
bool exception_list_read(struct exception_list *list, struct slice rest);
/* Every entry that is still minded, as lines. */
void exception_list_write(const struct exception_list *list, int64_t now_us, struct buf *out);

#endif
