#include "tests/unit/storage/model/rules.h"

static bool is_due(int64_t due_us, int64_t now_us)
{
    return due_us != 0 && due_us <= now_us;
}

static int collect_memberships(struct model *m, const struct universe *u, int64_t now_us)
{
    int removed = 0;
    for (int r = 0; r < REPOSITORIES; r++) {
        for (int b = 0; b < BLOBS; b++) {
            if (is_due(m->repositories[r].blobs[b].due_us, now_us)) {
                model_remove_member(m, u, r, b, now_us);
                removed++;
            }
        }
    }
    return removed;
}

static int take_due_blobs(const struct model *m, int64_t now_us, bool due[BLOBS])
{
    int count = 0;
    for (int b = 0; b < BLOBS; b++) {
        due[b] = is_due(m->blobs[b].due_us, now_us);
        count += due[b];
    }
    return count;
}

static void remove_blobs(struct model *m, const struct universe *u, const bool due[BLOBS],
                         struct answer *answer)
{
    for (int b = 0; b < BLOBS; b++) {
        if (due[b]) {
            bool file = m->blobs[b].row || m->blobs[b].file;
            answer->c += file;
            answer->d += file ? rule_size(u, b) : 0;
            m->blobs[b] = (struct model_blob){0};
        }
    }
}

/* a: entries examined; b: memberships that ended; c: blobs that went; d: their bytes */
struct answer apply_collect(struct model *m, const struct universe *u, const struct operation *op)
{
    bool due[BLOBS];
    struct answer answer = done;
    int blobs =
        take_due_blobs(m, op->now_us, due); /* those that lose their last one now are next */
    answer.b = collect_memberships(m, u, op->now_us);
    answer.a = answer.b + blobs;
    remove_blobs(m, u, due, &answer);
    return answer;
}

struct answer apply_drain(struct model *m, const struct universe *u, const struct operation *op)
{
    struct answer sum = done;
    struct answer step;
    do {
        step = apply_collect(m, u, op);
        sum = (struct answer){
            .a = sum.a + step.a, .b = sum.b + step.b, .c = sum.c + step.c, .d = sum.d + step.d};
    } while (step.a > 0);
    return sum;
}

/* Where the bytes are is nobody's concern. */
struct answer apply_settle(struct model *m, const struct universe *u, const struct operation *op)
{
    (void)m;
    (void)u;
    (void)op;
    return done;
}

struct answer apply_quota(struct model *m, const struct universe *u, const struct operation *op)
{
    (void)u;
    m->spaces[op->space].quota = op->n;
    return done;
}

struct answer apply_check(struct model *m, const struct universe *u, const struct operation *op)
{
    (void)m;
    (void)u;
    (void)op;
    return done; /* nothing is found */
}
