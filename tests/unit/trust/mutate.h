/* Every small change of a document's bytes, numbered: step n of a kind is always the same change of
 * the same bytes. Pure; needs compact JSON for the changes of its members. */
#ifndef TESTS_UNIT_TRUST_MUTATE_H
#define TESTS_UNIT_TRUST_MUTATE_H

#include "base/buf.h"
#include "base/cleanup.h"

/* ---- the members and elements of a JSON text ---- */

struct span {
    size_t from, to; /* "name":value of a member, or an element */
    size_t value;    /* where its value begins */
    bool member;
    size_t next; /* the sibling after it; 0: none */
};

struct spans {
    struct span *list;
    size_t count, capacity;
};

static inline size_t span_add(struct spans *s, struct span span)
{
    if (s->count == s->capacity) {
        s->capacity = s->capacity ? 2 * s->capacity : 64;
        s->list = xrealloc(s->list, s->capacity * sizeof(*s->list));
    }
    s->list[s->count] = span;
    return s->count++;
}

static inline size_t skip_string(struct slice text, size_t at)
{
    for (at++; at < text.n && text.p[at] != '"'; at++) {
        at += text.p[at] == '\\';
    }
    return at + 1;
}

static inline size_t spans_read_value(struct spans *s, struct slice text, size_t at);

static inline size_t spans_read_inside(struct spans *s, struct slice text, size_t at, bool members)
{
    size_t last = 0;
    size_t had = s->count;

    while (at < text.n && text.p[at] != '}' && text.p[at] != ']') {
        size_t value = members ? skip_string(text, at) + 1 : at;
        size_t self = span_add(s, (struct span){at, at, value, members, 0});
        at = spans_read_value(s, text, value);
        s->list[self].to = at < text.n ? at : text.n;
        if (had < self) {
            s->list[last].next = self;
        }
        last = self;
        at += at < text.n && text.p[at] == ',';
    }
    return at + 1;
}

static inline size_t spans_read_value(struct spans *s, struct slice text, size_t at)
{
    if (at >= text.n) {
        return text.n;
    }
    switch (text.p[at]) {
    case '"':
        return skip_string(text, at);
    case '{':
    case '[':
        return spans_read_inside(s, text, at + 1, text.p[at] == '{');
    default:
        while (at < text.n && !strchr(",]}", text.p[at])) {
            at++;
        }
        return at;
    }
}

/* ---- changes ---- */

static inline void put_range(struct buf *out, struct slice text, size_t from, size_t to)
{
    from = from < text.n ? from : text.n;
    to = to < text.n ? to : text.n;
    if (from < to) {
        buf_put(out, text.p + from, to - from);
    }
}

/* The text with [from, to) replaced. */
static inline void put_replaced(struct buf *out, struct slice text, size_t from, size_t to,
                                struct slice by)
{
    put_range(out, text, 0, from);
    buf_slice(out, by);
    put_range(out, text, to, text.n);
}

static const char *const other_values[] = {
    "null", "true", "0", "-1", "1.0", "1e0", "9007199254740993", "\"\"", "[]", "{}",
};
#define OTHER_VALUES (sizeof(other_values) / sizeof(other_values[0]))

enum change { CHANGE_DELETE, CHANGE_DUPLICATE, CHANGE_SWAP, CHANGE_SWAP_VALUES, CHANGE_UPPER };
#define CHANGES (5 + OTHER_VALUES)

static inline void delete_span(struct buf *out, struct slice text, const struct span *s)
{
    bool comma_after = s->to < text.n && text.p[s->to] == ',';
    bool comma_before = !comma_after && s->from > 0 && text.p[s->from - 1] == ',';
    put_replaced(out, text, s->from - comma_before, s->to + comma_after, (struct slice){"", 0});
}

/* Exchanges [a, b) and [c, d), b <= c. */
static inline void put_exchanged(struct buf *out, struct slice text, size_t a, size_t b, size_t c,
                                 size_t d)
{
    put_range(out, text, 0, a);
    put_range(out, text, c, d);
    put_range(out, text, b, c);
    put_range(out, text, a, b);
    put_range(out, text, d, text.n);
}

static inline void change_span(struct buf *out, struct slice text, const struct spans *spans,
                               size_t at, size_t change)
{
    const struct span *s = &spans->list[at];
    const struct span *next = &spans->list[s->next ? s->next : at];
    auto_buf struct buf part = {0};

    switch (change) {
    case CHANGE_DELETE:
        delete_span(out, text, s);
        return;
    case CHANGE_DUPLICATE:
        buf_char(&part, ',');
        put_range(&part, text, s->from, s->to);
        put_replaced(out, text, s->to, s->to, buf_slice_of(&part));
        return;
    case CHANGE_SWAP:
    case CHANGE_SWAP_VALUES:
        if (!s->next) {
            buf_slice(out, text);
        } else if (change == CHANGE_SWAP) {
            put_exchanged(out, text, s->from, s->to, next->from, next->to);
        } else {
            put_exchanged(out, text, s->value, s->to, next->value, next->to);
        }
        return;
    case CHANGE_UPPER:
        buf_slice(out, text);
        for (size_t i = s->from; s->member && i + 1 < s->value && i < out->n; i++) {
            out->p[i] = (char)(out->p[i] >= 'a' && out->p[i] <= 'z' ? out->p[i] - 32 : out->p[i]);
        }
        return;
    default:
        put_replaced(out, text, s->value, s->to, slice_str(other_values[change - 5]));
    }
}

/* ---- kinds ---- */

static const char inserted[] = " \n\t0\",{}[]:\\";

enum mutation { MUTATION_BIT, MUTATION_CUT, MUTATION_DROP, MUTATION_INSERT, MUTATION_MEMBER };
#define MUTATIONS 5

static inline const char *mutation_name(enum mutation kind)
{
    static const char *const names[MUTATIONS] = {"bit flipped", "cut short", "byte dropped",
                                                 "byte inserted", "member changed"};
    return names[kind];
}

/* How many steps a kind has for this text. */
static inline size_t mutation_steps(enum mutation kind, struct slice text)
{
    struct spans spans = {0};
    switch (kind) {
    case MUTATION_BIT:
        return 8 * text.n;
    case MUTATION_CUT:
    case MUTATION_DROP:
        return text.n;
    case MUTATION_INSERT:
        return (sizeof(inserted) - 1) * (text.n + 1);
    case MUTATION_MEMBER:
        (void)spans_read_value(&spans, text, 0);
        free(spans.list);
        return CHANGES * spans.count;
    }
    return 0;
}

/* Step `step` (below mutation_steps) of the kind, appended to `out`. */
static inline void mutate(enum mutation kind, struct slice text, size_t step, struct buf *out)
{
    struct spans spans = {0};
    switch (kind) {
    case MUTATION_BIT:
        buf_slice(out, text);
        out->p[step / 8] = (char)((unsigned char)out->p[step / 8] ^ (1U << step % 8));
        return;
    case MUTATION_CUT:
        buf_slice(out, slice_first(text, step));
        return;
    case MUTATION_DROP:
        put_replaced(out, text, step, step + 1, (struct slice){"", 0});
        return;
    case MUTATION_INSERT:
        put_replaced(out, text, step / (sizeof(inserted) - 1), step / (sizeof(inserted) - 1),
                     (struct slice){&inserted[step % (sizeof(inserted) - 1)], 1});
        return;
    case MUTATION_MEMBER:
        (void)spans_read_value(&spans, text, 0);
        change_span(out, text, &spans, step / CHANGES, step % CHANGES);
        free(spans.list);
        return;
    }
}

#endif
