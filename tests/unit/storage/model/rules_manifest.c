#include "tests/unit/storage/model/rules.h"

static bool same(const struct digest *a, const struct digest *b)
{
    return digest_equal(a, b);
}

/* The size that the repository knows for what an edge names; -1: it is not there. */
static int64_t known_size(const struct model_repository *r, const struct universe *u,
                          const struct name_edge *edge)
{
    for (int m = 0; edge->kind == EDGE_CHILD && m < MANIFESTS; m++) {
        const struct content *c = &u->manifests[m].content;
        if (r->manifests[m].here && same(&c->digest, &edge->digest)) {
            return (int64_t)c->bytes.n;
        }
    }
    for (int b = 0; edge->kind != EDGE_CHILD && b < BLOBS; b++) {
        if (r->blobs[b].here && same(&u->blobs[b].digest, &edge->digest)) {
            return rule_size(u, b);
        }
    }
    return -1;
}

static enum err_code check_edges(const struct model_repository *r, const struct universe *u,
                                 const struct operation *op)
{
    const struct shape *shape = &u->manifests[op->manifest];
    for (int i = 0; i < shape->edge_count; i++) {
        const struct name_edge *edge = &shape->edges[i];
        if (edge->kind == EDGE_SUBJECT || edge->kind == EDGE_BLOB) {
            continue; /* nothing is asked of them */
        }
        int64_t size = known_size(r, u, edge);
        if (size < 0 && !op->sparse && !edge->foreign) {
            return ERR_MANIFEST_BLOB_UNKNOWN;
        }
        if (size >= 0 && size != edge->size) {
            return ERR_SIZE_INVALID;
        }
    }
    return ERR_NONE;
}

static bool is_named(const struct model_repository *r, const struct universe *u, int manifest)
{
    bool named = false;
    for (int i = 0; i < MANIFESTS; i++) {
        named |= r->manifests[i].here && u->manifests[i].names_manifest[manifest];
    }
    return named;
}

static void remember(struct model_repository *r, int tag, const struct model_tag *change)
{
    struct model_tag *history = r->history[tag];
    memmove(&history[1], &history[0], (HISTORY - 1) * sizeof(*history));
    history[0] = *change;
    r->changes[tag] += r->changes[tag] < HISTORY;
}

static int64_t put_tag(struct model_repository *r, const struct operation *op, int tag)
{
    enum { CREATED, MOVED, UNCHANGED }; /* as enum tag_change */
    int was = r->tags[tag].manifest;
    if (was == op->manifest) {
        return UNCHANGED;
    }
    r->tags[tag] = (struct model_tag){
        .manifest = op->manifest, .updated_us = op->now_us, .account = op->account};
    remember(r, tag, &r->tags[tag]);
    return was == NONE ? CREATED : MOVED;
}

static void take_tag(struct model_repository *r, const struct operation *op, int tag)
{
    const struct model_tag removed = {
        .manifest = NONE, .updated_us = op->now_us, .account = op->account};
    r->tags[tag] = (struct model_tag){.manifest = NONE};
    remember(r, tag, &removed);
}

static void spare_named(struct model_repository *r, const struct universe *u, int manifest)
{
    for (int b = 0; b < BLOBS; b++) {
        if (u->manifests[manifest].keeps_blob[b]) {
            r->blobs[b].due_us = 0;
        }
    }
}

/* a: it was new; b, c: what happened to the first and the second tag (NONE: not asked for) */
struct answer apply_put(struct model *m, const struct universe *u, const struct operation *op)
{
    struct model_repository *r = &m->repositories[op->repository];
    struct answer answer = {.b = NONE, .c = NONE};
    enum err_code code = check_edges(r, u, op);
    if (code != ERR_NONE) {
        return refused(code);
    }
    if (!r->manifests[op->manifest].here) {
        int64_t size = (int64_t)u->manifests[op->manifest].content.bytes.n;
        if (!rule_charge(m, u, op->repository, size)) {
            return refused(ERR_QUOTA);
        }
        answer.a = 1;
        r->exists = true;
        r->gate += is_named(r, u, op->manifest);
        r->manifests[op->manifest] =
            (struct model_manifest){.here = true, .pushed_us = op->now_us, .account = op->account};
        spare_named(r, u, op->manifest);
    }
    answer.b = op->tag == NONE ? NONE : put_tag(r, op, op->tag);
    answer.c = op->second_tag == NONE ? NONE : put_tag(r, op, op->second_tag);
    return answer;
}

struct answer apply_delete(struct model *m, const struct universe *u, const struct operation *op)
{
    struct model_repository *r = &m->repositories[op->repository];
    if (!r->manifests[op->manifest].here) {
        return refused(ERR_MANIFEST_UNKNOWN);
    }
    for (int t = 0; t < TAGS; t++) {
        if (r->tags[t].manifest == op->manifest) {
            take_tag(r, op, t);
        }
    }
    r->manifests[op->manifest] = (struct model_manifest){0};
    r->gate++;
    (void)rule_charge(m, u, op->repository, -(int64_t)u->manifests[op->manifest].content.bytes.n);
    for (int b = 0; b < BLOBS; b++) {
        bool freed = u->manifests[op->manifest].keeps_blob[b] && r->blobs[b].here &&
                     !model_keeps(m, u, op->repository, b);
        r->blobs[b].due_us = freed ? op->now_us + KEEP_US : r->blobs[b].due_us;
    }
    return done;
}

struct answer apply_tag(struct model *m, const struct universe *u, const struct operation *op)
{
    (void)u;
    struct model_repository *r = &m->repositories[op->repository];
    if (!r->manifests[op->manifest].here) {
        return refused(ERR_MANIFEST_UNKNOWN);
    }
    return (struct answer){.a = put_tag(r, op, op->tag)};
}

struct answer apply_untag(struct model *m, const struct universe *u, const struct operation *op)
{
    (void)u;
    struct model_repository *r = &m->repositories[op->repository];
    if (r->tags[op->tag].manifest == NONE) {
        return refused(ERR_TAG_UNKNOWN);
    }
    take_tag(r, op, op->tag);
    return done;
}

/* a: how many there are after the one that is named, at most n; b: whether there are more */
struct answer apply_tags_page(struct model *m, const struct universe *u, const struct operation *op)
{
    (void)u;
    const struct model_repository *r = &m->repositories[op->repository];
    struct answer answer = done;
    for (int t = op->tag + 1; t < TAGS; t++) {
        bool here = r->tags[t].manifest != NONE;
        answer.b |= here && answer.a == op->n;
        answer.a += here && answer.a < op->n;
    }
    return answer;
}

/* a: referrers of the manifest of the wanted type; b: all of them */
struct answer apply_referrers_page(struct model *m, const struct universe *u,
                                   const struct operation *op)
{
    const struct model_repository *r = &m->repositories[op->repository];
    const struct digest *subject = &u->manifests[op->manifest].content.digest;
    const char *type = op->like == NONE ? "" : u->manifests[op->like].artifact_type;
    struct answer answer = done;
    for (int i = 0; i < MANIFESTS; i++) {
        const struct shape *s = &u->manifests[i];
        bool refers =
            r->manifests[i].here && digest_is_set(&s->subject) && same(&s->subject, subject);
        answer.a += refers && (type[0] == '\0' || strcmp(s->artifact_type, type) == 0);
        answer.b += refers;
    }
    return answer;
}
