#include "tests/unit/storage/model/rules.h"

void model_init(struct model *m)
{
    *m = (struct model){0};
    for (int r = 0; r < REPOSITORIES; r++) {
        for (int t = 0; t < TAGS; t++) {
            m->repositories[r].tags[t].manifest = NONE;
        }
    }
}

bool model_keeps(const struct model *m, const struct universe *u, int repository, int blob)
{
    bool keeps = false;
    for (int i = 0; i < MANIFESTS; i++) {
        keeps |= m->repositories[repository].manifests[i].here && u->manifests[i].keeps_blob[blob];
    }
    return keeps;
}

bool model_held(const struct model *m, int blob)
{
    bool held = false;
    for (int r = 0; r < REPOSITORIES; r++) {
        held |= m->repositories[r].blobs[blob].here;
    }
    return held;
}

bool model_reads(const struct universe *u, int reader, int repository)
{
    int space = u->namespace_of[repository];
    return reader == 2 || space == NAMESPACES - 1 || (reader == 1 && space == 0);
}

int model_manifest_count(const struct model_repository *r)
{
    int count = 0;
    for (int i = 0; i < MANIFESTS; i++) {
        count += r->manifests[i].here;
    }
    return count;
}

int64_t model_unfinished(const struct model *m, const struct universe *u, int space)
{
    int64_t sum = 0;
    for (int i = 0; i < SESSIONS; i++) {
        const struct model_session *s = &m->sessions[i];
        sum += s->open && u->namespace_of[s->repository] == space
                   ? (s->dead ? s->held : s->received)
                   : 0;
    }
    return sum;
}

typedef struct answer (*apply_fn)(struct model *, const struct universe *,
                                  const struct operation *);
static const apply_fn appliers[OP_COUNT] = {
#define OPERATION(symbol, stem, name, weight) [OP_##symbol] = apply_##stem,
    OPERATIONS(OPERATION)
#undef OPERATION
};

struct answer model_apply(struct model *m, const struct universe *u, const struct operation *op)
{
    m->now_us = op->now_us;
    return appliers[op->kind](m, u, op);
}

void model_restart(struct model *m)
{
    m->left_over = true;
    for (int i = 0; i < SESSIONS; i++) {
        struct model_session *s = &m->sessions[i];
        s->busy = false;
        s->used_us = s->written_us > s->started_us ? s->written_us : s->started_us;
    }
}
