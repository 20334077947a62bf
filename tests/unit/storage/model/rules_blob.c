#include "tests/unit/storage/model/rules.h"

int64_t rule_size(const struct universe *u, int blob)
{
    return (int64_t)u->blobs[blob].bytes.n;
}

/* May so many bytes more be received? */
bool rule_has_room(const struct model *m, const struct universe *u, int space, int64_t bytes)
{
    const struct model_space *s = &m->spaces[space];
    return s->quota == 0 || s->used + model_unfinished(m, u, space) + bytes <= s->quota;
}

bool rule_charge(struct model *m, const struct universe *u, int repository, int64_t bytes)
{
    struct model_space *s = &m->spaces[u->namespace_of[repository]];
    if (bytes > 0 && !rule_has_room(m, u, u->namespace_of[repository], bytes)) {
        return false;
    }
    s->used += bytes;
    return true;
}

bool rule_add_member(struct model *m, const struct universe *u, const struct operation *op)
{
    struct model_member *member = &m->repositories[op->repository].blobs[op->blob];
    if (!member->here && !rule_charge(m, u, op->repository, rule_size(u, op->blob))) {
        return false;
    }
    bool named = model_keeps(m, u, op->repository, op->blob);
    m->repositories[op->repository].exists = true;
    m->blobs[op->blob] = (struct model_blob){.row = true};
    *member = (struct model_member){.here = true, .due_us = named ? 0 : op->now_us + KEEP_US};
    return true;
}

void model_remove_member(struct model *m, const struct universe *u, int repository, int blob,
                         int64_t now_us)
{
    m->repositories[repository].blobs[blob] = (struct model_member){0};
    (void)rule_charge(m, u, repository, -rule_size(u, blob));
    if (!model_held(m, blob)) {
        m->blobs[blob].due_us = now_us;
    }
}

static struct answer mount(struct model *m, const struct universe *u, const struct operation *op,
                           int source)
{
    if (source == NONE || !m->repositories[source].blobs[op->blob].here) {
        return refused(ERR_BLOB_UNKNOWN);
    }
    if (!rule_add_member(m, u, op)) {
        return refused(ERR_QUOTA);
    }
    return (struct answer){.a = rule_size(u, op->blob),
                           .b = m->repositories[op->repository].blobs[op->blob].due_us};
}

struct answer apply_mount(struct model *m, const struct universe *u, const struct operation *op)
{
    return mount(m, u, op, op->other);
}

/* The newest repository that holds it and that the reader may read. */
struct answer apply_mount_any(struct model *m, const struct universe *u, const struct operation *op)
{
    int source = NONE;
    for (int r = 0; r < REPOSITORIES; r++) {
        bool good = m->repositories[r].blobs[op->blob].here && model_reads(u, op->reader, r);
        if (good && (source == NONE || m->repositories[r].id > m->repositories[source].id)) {
            source = r;
        }
    }
    struct answer answer = mount(m, u, op, source);
    answer.c = answer.code == ERR_NONE ? m->repositories[source].id : 0;
    return answer;
}

struct answer apply_unlink(struct model *m, const struct universe *u, const struct operation *op)
{
    if (!m->repositories[op->repository].blobs[op->blob].here) {
        return refused(ERR_BLOB_UNKNOWN);
    }
    model_remove_member(m, u, op->repository, op->blob, op->now_us);
    return done;
}

struct answer apply_read(struct model *m, const struct universe *u, const struct operation *op)
{
    const struct model_member *member = &m->repositories[op->repository].blobs[op->blob];
    if (!member->here) {
        return refused(ERR_BLOB_UNKNOWN);
    }
    return (struct answer){.a = rule_size(u, op->blob), .b = member->due_us};
}

struct answer apply_keep(struct model *m, const struct universe *u, const struct operation *op)
{
    struct model_member *member = &m->repositories[op->repository].blobs[op->blob];
    int64_t until_us = op->now_us + KEEP_US;
    if (member->due_us != 0 && member->due_us < until_us) {
        member->due_us = until_us;
    }
    return apply_read(m, u, op);
}
