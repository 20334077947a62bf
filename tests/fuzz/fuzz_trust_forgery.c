/* A good repository with known keys, changed at several places at once by a forger who owns the
 * server's keys: whatever loads or is published says what was signed. The first byte chooses the
 * repository and what is made anew afterwards; then six bytes a change: document, kind, place. */
#include "tests/fuzz/fuzz.h"
#include "tests/unit/trust/forgery.h"
#include "tests/unit/trust/mutate.h"

#define CHANGE_BYTES 6
#define CHANGES_MAX 16
#define GROWN_MAX 65536

/* Further kinds, which need a second document. */
enum { KIND_OTHER_DOCUMENT = MUTATIONS, KIND_OTHER_SIGNATURES, KIND_OTHER_PIECE, KINDS };

static struct forger *forger;

static size_t find(struct slice text, const char *what)
{
    const char *p = memmem(text.p, text.n, what, strlen(what));
    return p ? (size_t)(p - text.p) : text.n;
}

/* `signed` of one, `signatures` of the other. */
static void graft(struct slice text, struct slice other, struct buf *out)
{
    static const char mark[] = ",\"signatures\":";
    put_range(out, text, 0, find(text, mark));
    put_range(out, other, find(other, mark), other.n);
}

static void change(const struct attempt *a, const uint8_t *c, struct buf *out)
{
    struct slice text = buf_slice_of(&a->now.docs[c[0] % a->now.count].bytes);
    struct slice other = buf_slice_of(&a->now.docs[c[2] % a->now.count].bytes);
    size_t place = (size_t)c[3] << 16 | (size_t)c[4] << 8 | c[5];

    switch (c[1] % KINDS) {
    case KIND_OTHER_DOCUMENT:
        buf_slice(out, other);
        return;
    case KIND_OTHER_SIGNATURES:
        graft(text, other, out);
        return;
    case KIND_OTHER_PIECE:
        put_range(out, text, 0, place % (text.n + 1));
        put_range(out, other, place % (text.n + 1), other.n);
        return;
    default:
        break;
    }
    size_t steps = mutation_steps((enum mutation)(c[1] % KINDS), text);
    if (steps > 0) {
        mutate((enum mutation)(c[1] % KINDS), text, place % steps, out);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct attempt a;

    if (size == 0) {
        return 0;
    }
    if (!forger) {
        forger = forger_new(); /* for the whole run */
    }
    enum shape shape = (enum shape)(data[0] % SHAPE_COUNT);
    attempt_begin(&a, &forger->good[shape]);
    for (size_t i = 0; i < CHANGES_MAX && 1 + (i + 1) * CHANGE_BYTES <= size; i++) {
        const uint8_t *c = data + 1 + i * CHANGE_BYTES;
        auto_buf struct buf changed = {0};
        change(&a, c, &changed);
        if (changed.n <= GROWN_MAX) {
            attempt_set(&a, c[0] % a.now.count, buf_slice_of(&changed));
        }
    }
    if (data[0] & 0x80) {
        attempt_list(&a, (data[0] & 0x40) != 0);
    }
    HOLDS(attempt_load(&a) != FORGED);
    HOLDS(shape == SHAPE_ROTATED || attempt_publish(&a, &forger->online) != FORGED);
    attempt_end(&a);
    return 0;
}
