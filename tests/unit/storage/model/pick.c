#include "tests/unit/storage/model/pick.h"

static const struct {
    const char *name;
    int weight;
} kinds[OP_COUNT] = {
#define OPERATION(symbol, stem, name, weight) [OP_##symbol] = {name, weight},
    OPERATIONS(OPERATION)
#undef OPERATION
};

const char *operation_name(enum operation_kind kind)
{
    return kinds[kind].name;
}

static enum operation_kind any_kind(struct dice *d)
{
    int sum = 0;
    for (int i = 0; i < OP_COUNT; i++) {
        sum += kinds[i].weight;
    }
    int at = dice_below(d, sum);
    int kind = 0;
    while (at >= kinds[kind].weight) {
        at -= kinds[kind++].weight;
    }
    return (enum operation_kind)kind;
}

/* Seconds mostly; now and then hours, or so long that everything that waits for time is due. */
static int64_t any_step(struct dice *d)
{
    int64_t up_to = dice_once_in(d, 150)  ? INT64_C(30) * 3600
                    : dice_once_in(d, 25) ? INT64_C(4) * 3600
                                          : 20;
    return 1 + (int64_t)(dice_next(d) % (uint64_t)(up_to * 1000000));
}

static int free_session(const struct model *m)
{
    int i = 0;
    while (m->sessions[i].open) {
        i++;
    }
    return i; /* there are more than the accounts may have */
}

/* One that a crash cut short while it was finished; NONE: there is none. */
static int cut_session(const struct model *m)
{
    int found = NONE;
    for (int i = 0; i < SESSIONS; i++) {
        found = m->sessions[i].cut && !m->sessions[i].busy ? i : found;
    }
    return found;
}

/* An open session when there is one; NONE: there is none. */
static int any_session(const struct model *m, struct dice *d, bool busy)
{
    int found = NONE;
    int seen = 0;
    for (int i = 0; i < SESSIONS; i++) {
        if (m->sessions[i].open && !m->sessions[i].dead && m->sessions[i].busy == busy &&
            dice_once_in(d, ++seen)) {
            found = i;
        }
    }
    return found;
}

/* A repository that exists when there is one. */
static int any_repository(const struct model *m, struct dice *d)
{
    int repository = dice_below(d, REPOSITORIES);
    for (int i = 0; i < 8 && !m->repositories[repository].exists; i++) {
        repository = dice_below(d, REPOSITORIES);
    }
    return repository;
}

/* One that the repository holds, mostly. */
static int any_blob(const struct model *m, struct dice *d, int repository)
{
    int blob = dice_below(d, BLOBS);
    for (int i = 0; i < 4 && !m->repositories[repository].blobs[blob].here; i++) {
        blob = dice_below(d, BLOBS);
    }
    return blob;
}

static int any_manifest(const struct model *m, struct dice *d, int repository)
{
    int manifest = dice_below(d, MANIFESTS);
    for (int i = 0; i < 4 && !m->repositories[repository].manifests[manifest].here; i++) {
        manifest = dice_below(d, MANIFESTS);
    }
    return manifest;
}

static bool lacks(const struct model_repository *r, const struct shape *s,
                  const struct content *blob, int number)
{
    bool wanted = false;
    for (int i = 0; i < s->edge_count; i++) {
        wanted |= s->edges[i].kind != EDGE_CHILD && s->edges[i].kind != EDGE_SUBJECT &&
                  digest_equal(&s->edges[i].digest, &blob->digest);
    }
    return wanted && !r->blobs[number].here;
}

/* One that a manifest lacks in the repository, so that pushes come to their end. */
static int useful_blob(const struct model *m, const struct universe *u, struct dice *d,
                       int repository)
{
    const struct shape *s = &u->manifests[dice_below(d, MANIFESTS)];
    int blob = dice_below(d, BLOBS);
    for (int i = 0; i < BLOBS && !dice_once_in(d, 4); i++) {
        int next = (blob + i) % BLOBS;
        if (lacks(&m->repositories[repository], s, &u->blobs[next], next)) {
            return next;
        }
    }
    return blob;
}

/* --- by kind ---------------------------------------------------------------------------------- */

/* A chunk: what is left, a part of it, or too much of something else. */
static void pick_chunk(const struct model_session *s, const struct universe *u, struct dice *d,
                       struct operation *op)
{
    int64_t rest = (int64_t)u->blobs[s->fed].bytes.n - s->received;
    op->junk = rest <= 0 || dice_once_in(d, 30);
    op->n = rest;
    if (op->junk) {
        op->n = 1 + dice_below(d, 300);
    } else if (dice_once_in(d, 3)) {
        op->n = 1 + (int64_t)(dice_next(d) % (uint64_t)rest);
    }
    op->out_of_order = dice_once_in(d, 25);
    op->announced = dice_once_in(d, 2);
}

static void pick_session(const struct model *m, const struct universe *u, struct dice *d,
                         struct operation *op)
{
    op->session = dice_once_in(d, 2) ? cut_session(m) : any_session(m, d, dice_once_in(d, 12));
    if (op->session == NONE) {
        op->session = any_session(m, d, false);
    }
    if (op->session == NONE || dice_once_in(d, 30)) {
        op->session = dice_below(d, SESSIONS); /* one that is gone or in use */
    }
    if (m->sessions[op->session].dead) {
        op->session = free_session(m);
    }
    const struct model_session *s = &m->sessions[op->session];
    op->repository = s->repository;
    op->blob = dice_once_in(d, 25) ? dice_below(d, BLOBS) : s->fed;
    op->strange = dice_once_in(d, 30);
    op->elsewhere = dice_once_in(d, 30);
    if (op->kind == OP_APPEND) {
        pick_chunk(s, u, d, op);
    }
}

static void pick_release(const struct model *m, struct operation *op, struct dice *d)
{
    op->session = any_session(m, d, true);
    if (op->session == NONE) {
        op->kind = OP_CHECK; /* nobody holds one */
    }
}

/* The next session that has all its bytes; NONE: there is none. */
static int complete_session(const struct model *m, const struct universe *u, int from)
{
    for (int i = 0; i < SESSIONS; i++) {
        const struct model_session *s = &m->sessions[(from + i) % SESSIONS];
        if (s->open && !s->busy && !s->dead && s->received == (int64_t)u->blobs[s->fed].bytes.n) {
            return (from + i) % SESSIONS;
        }
    }
    return NONE;
}

static void pick_finish(const struct model *m, const struct universe *u, struct dice *d,
                        struct operation *op)
{
    int session = complete_session(m, u, dice_below(d, SESSIONS));
    if (session != NONE && m->sessions[session].cut && !dice_once_in(d, 10)) {
        session = NONE; /* others may push the same, or end it, before */
    }
    op->rest = dice_once_in(d, 2);
    if (session == NONE && !op->rest &&
        !dice_once_in(d, 10)) { /* it would end one that is not complete */
        op->kind = OP_APPEND;
    }
    pick_session(m, u, d, op);
    if (session != NONE && !dice_once_in(d, 15)) {
        op->session = session;
        op->repository = m->sessions[session].repository;
        op->blob = m->sessions[session].fed;
    }
}

/* None; or so that the next thing fits exactly, or by one byte not, or so little that nothing does. */
static void pick_quota(const struct model *m, const struct universe *u, struct dice *d,
                       struct operation *op)
{
    op->space = dice_below(d, NAMESPACES);
    const struct content *next = dice_once_in(d, 3)
                                     ? &u->manifests[dice_below(d, MANIFESTS)].content
                                     : &u->blobs[dice_below(d, BLOBS)];
    static const int64_t off[] = {-5000, -1, 0, 0, 1, 1000, 100000};
    op->n = m->spaces[op->space].used + (int64_t)next->bytes.n + off[dice_below(d, 7)];
    if (op->n < 0 || dice_once_in(d, 2)) {
        op->n = 0;
    }
}

static void pick_mount(const struct model *m, const struct universe *u, struct dice *d,
                       struct operation *op)
{
    op->repository = dice_below(d, REPOSITORIES);
    op->other = any_repository(m, d);
    op->blob =
        dice_once_in(d, 2) ? any_blob(m, d, op->other) : useful_blob(m, u, d, op->repository);
    op->reader = dice_below(d, 3);
}

static void pick_tags(struct dice *d, struct operation *op)
{
    op->tag = dice_once_in(d, 2) ? dice_below(d, TAGS) : NONE;
    op->second_tag = dice_once_in(d, 5) ? dice_below(d, TAGS) : NONE;
}

static void pick_page(struct dice *d, struct operation *op)
{
    op->tag = dice_below(d, TAGS + 1) - 1;
    op->like = dice_once_in(d, 2) ? dice_below(d, MANIFESTS) : NONE;
    op->n = 1 + dice_below(d, 4);
}

static void pick_rest(const struct model *m, const struct universe *u, struct dice *d,
                      struct operation *op)
{
    switch (op->kind) {
    case OP_START:
        op->session = free_session(m);
        op->fed = useful_blob(m, u, d, op->repository);
        return;
    case OP_APPEND:
    case OP_CANCEL:
    case OP_HOLD:
        return pick_session(m, u, d, op);
    case OP_FINISH:
        return pick_finish(m, u, d, op);
    case OP_RELEASE:
        return pick_release(m, op, d);
    case OP_EXPIRE:
        op->n = 1 + dice_below(d, 4);
        return;
    case OP_SINGLE:
        op->fed = useful_blob(m, u, d, op->repository);
        op->rest = !dice_once_in(d, 3);
        op->blob = dice_once_in(d, 20) ? dice_below(d, BLOBS) : op->fed;
        return;
    case OP_MOUNT:
    case OP_MOUNT_ANY:
        return pick_mount(m, u, d, op);
    case OP_PUT:
        op->manifest = dice_below(d, MANIFESTS);
        op->sparse = dice_once_in(d, 8);
        return pick_tags(d, op);
    case OP_TAGS_PAGE:
    case OP_REFERRERS_PAGE:
        return pick_page(d, op);
    case OP_DRAIN:
        op->n = 1 + dice_below(d, 8);
        return;
    case OP_QUOTA:
        return pick_quota(m, u, d, op);
    case OP_UNLINK:
    case OP_READ:
    case OP_KEEP:
    case OP_DELETE:
    case OP_TAG:
    case OP_UNTAG:
    case OP_COLLECT:
    case OP_SETTLE:
    case OP_CHECK:
    case OP_COUNT:
        return;
    }
}

void operation_pick(const struct model *m, const struct universe *u, struct dice *d,
                    struct operation *out)
{
    *out = (struct operation){.kind = any_kind(d), .now_us = m->now_us + any_step(d)};
    out->repository = any_repository(m, d);
    if (dice_once_in(d, 6)) {
        out->repository = dice_below(d, REPOSITORIES);
    }
    out->account = dice_below(d, ACCOUNTS);
    out->blob = any_blob(m, d, out->repository);
    out->manifest = any_manifest(m, d, out->repository);
    out->tag = dice_below(d, TAGS);
    out->like = NONE;
    pick_rest(m, u, d, out);
}

void operation_format(const struct operation *op, const struct universe *u, struct buf *out)
{
    buf_printf(out,
               "%lld %s: %s from %s, blob %d fed %d, manifest %d like %d, tags %d %d, session %d",
               (long long)op->now_us, operation_name(op->kind),
               u->repositories[op->repository].text, u->repositories[op->other].text, op->blob,
               op->fed, op->manifest, op->like, op->tag, op->second_tag, op->session);
    buf_printf(out, ", account %d, space %d, n %lld, reader %d%s%s%s%s%s%s%s", op->account,
               op->space, (long long)op->n, op->reader, op->junk ? ", junk" : "",
               op->strange ? ", another's" : "", op->elsewhere ? ", elsewhere" : "",
               op->out_of_order ? ", out of order" : "", op->sealed ? ", sealed" : "",
               op->sparse ? ", sparse" : "", op->rest ? ", rest" : "");
}
