#include "trust/checkpoint_exception.h"

#include <stdio.h>

void exception_list_dispose(struct exception_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i].name);
    }
    free(list->items);
    *list = (struct exception_list){0};
}

const char *exception_denied_name(const struct denied_digest *denied, char out[EXCEPTION_NAME_MAX])
{
    char digest[DIGEST_STR_MAX];
    (void)snprintf(out, EXCEPTION_NAME_MAX, "denied:%s:%s", denied->scope,
                   digest_format(&denied->digest, digest));
    return out;
}

const char *exception_override_name(int64_t id, char out[EXCEPTION_NAME_MAX])
{
    (void)snprintf(out, EXCEPTION_NAME_MAX, "override:%lld", (long long)id);
    return out;
}

/* Where the name is, or belongs. */
static size_t place_of(const struct exception_list *list, const char *name)
{
    size_t low = 0, high = list->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(list->items[middle].name, name) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static const struct exception *find(const struct exception_list *list, const char *name)
{
    size_t i = place_of(list, name);
    return i < list->count && strcmp(list->items[i].name, name) == 0 ? &list->items[i] : NULL;
}

bool exception_list_raise(struct exception_list *list, const char *name, int64_t changes,
                          int64_t until_us)
{
    size_t i = place_of(list, name);
    if (i < list->count && strcmp(list->items[i].name, name) == 0) {
        bool raised = changes > list->items[i].changes;
        list->items[i].changes = raised ? changes : list->items[i].changes;
        return raised;
    }
    list->items = xrealloc(list->items, (list->count + 1) * sizeof *list->items);
    memmove(&list->items[i + 1], &list->items[i], (list->count - i) * sizeof *list->items);
    list->items[i] = (struct exception){xstrdup(name), changes, until_us};
    list->count++;
    return true;
}

static bool is_minded(const struct exception *e, int64_t now_us)
{
    return e->until_us == 0 || now_us < e->until_us;
}

bool exception_list_covered(const struct exception_list *list, const struct exception_list *store,
                            int64_t now_us, char *what, size_t n)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct exception *known = &list->items[i];
        const struct exception *there = find(store, known->name);
        if (is_minded(known, now_us) && (!there || there->changes < known->changes)) {
            (void)snprintf(what, n, "%.100s was changed since", known->name);
            return false;
        }
    }
    return true;
}

void exception_write(const char *name, int64_t changes, int64_t until_us, struct buf *out)
{
    buf_printf(out, "exception %s %lld %lld\n", name, (long long)changes, (long long)until_us);
}

bool exception_list_read(struct exception_list *list, struct slice rest)
{
    struct slice name, changes;
    int64_t count = 0, until_us = 0;
    if (!slice_next(&rest, ' ', &name) || !slice_next(&rest, ' ', &changes) || name.n == 0 ||
        name.n >= EXCEPTION_NAME_MAX || !slice_to_int64(changes, &count) ||
        !slice_to_int64(rest, &until_us) || count < 1 || until_us < 0) {
        return false;
    }
    auto_free char *text = xstrndup(name.p, name.n);
    (void)exception_list_raise(list, text, count, until_us);
    return true;
}

void exception_list_write(const struct exception_list *list, int64_t now_us, struct buf *out)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct exception *e = &list->items[i];
        if (is_minded(e, now_us)) {
            exception_write(e->name, e->changes, e->until_us, out);
        }
    }
}
