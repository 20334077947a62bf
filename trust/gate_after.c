/* What a publish would make of the history (gate.md 13, `if_published`). */
#include "trust/gate_internal.h"

/* The first listing of this tag; `count` when there is none. */
static size_t first_of(const struct gate_listing *sorted, size_t count, const char *tag)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(sorted[middle].tag, tag) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < count && strcmp(sorted[low].tag, tag) == 0 ? low : count;
}

/* Ends what is listed now as the change ends it. */
static void end_listing(struct gate_listing *l, const struct gate_listing *change, size_t count)
{
    if (l->end != LISTING_OPEN) {
        return;
    }
    for (size_t i = first_of(change, count, l->tag);
         i < count && strcmp(change[i].tag, l->tag) == 0; i++) {
        if (change[i].end != LISTING_OPEN && strcmp(change[i].role, l->role) == 0) {
            l->end = change[i].end;
            l->until_us = change[i].until_us;
            l->end_version = change[i].end_version;
        }
    }
}

struct gate_listing *gate_history_after(const struct gate_listing *stored, size_t stored_count,
                                        const struct trust_state *before,
                                        const struct trust_state *after, int64_t now_us,
                                        size_t *count_out)
{
    size_t change_count = 0, count = stored_count;
    auto_free struct gate_listing *change = gate_history(before, 0, after, now_us, &change_count);
    struct gate_listing *out = xcalloc(stored_count + change_count + 1, sizeof *out);
    for (size_t i = 0; i < stored_count; i++) {
        out[i] = stored[i];
        end_listing(&out[i], change, change_count);
    }
    for (size_t i = 0; i < change_count; i++) {
        bool begins = change[i].since_us == now_us;
        if (begins || first_of(stored, stored_count, change[i].tag) == stored_count) {
            out[count++] = change[i];
        }
    }
    qsort(out, count, sizeof *out, gate_listing_compare);
    *count_out = count;
    return out;
}
