#include "tests/unit/storage/model/model.h"

static struct answer refused(enum err_code code)
{
    return (struct answer){.code = code};
}

static const struct answer done = {.code = ERR_NONE};

void model_init(struct model *m)
{
    *m = (struct model){0};
    for (int r = 0; r < REPOSITORIES; r++) {
        for (int t = 0; t < TAGS; t++) {
            m->repositories[r].tags[t].manifest = NONE;
        }
    }
}

/* --- questions -------------------------------------------------------------------------------- */

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

static int64_t size_of(const struct universe *u, int blob)
{
    return (int64_t)u->blobs[blob].bytes.n;
}

/* Bytes of the unfinished uploads of a namespace. */
static int64_t unfinished(const struct model *m, const struct universe *u, int space)
{
    int64_t sum = 0;
    for (int i = 0; i < SESSIONS; i++) {
        const struct model_session *s = &m->sessions[i];
        sum += s->open && u->namespace_of[s->repository] == space ? s->received : 0;
    }
    return sum;
}

/* May so many bytes more be received? */
static bool has_room(const struct model *m, const struct universe *u, int space, int64_t bytes)
{
    const struct model_space *s = &m->spaces[space];
    return s->quota == 0 || s->used + unfinished(m, u, space) + bytes <= s->quota;
}

static bool charge(struct model *m, const struct universe *u, int repository, int64_t bytes)
{
    struct model_space *s = &m->spaces[u->namespace_of[repository]];
    if (bytes > 0 && s->quota != 0 && s->used + bytes > s->quota) {
        return false;
    }
    s->used += bytes;
    return true;
}

/* --- blobs ------------------------------------------------------------------------------------ */

static bool add_member(struct model *m, const struct universe *u, const struct operation *op)
{
    struct model_member *member = &m->repositories[op->repository].blobs[op->blob];
    if (!member->here && !charge(m, u, op->repository, size_of(u, op->blob))) {
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
    (void)charge(m, u, repository, -size_of(u, blob));
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
    if (!add_member(m, u, op)) {
        return refused(ERR_QUOTA);
    }
    return (struct answer){.a = size_of(u, op->blob),
                           .b = m->repositories[op->repository].blobs[op->blob].due_us};
}

static struct answer apply_mount(struct model *m, const struct universe *u,
                                 const struct operation *op)
{
    return mount(m, u, op, op->other);
}

/* The newest repository that holds it and that the reader may read. */
static struct answer apply_mount_any(struct model *m, const struct universe *u,
                                     const struct operation *op)
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

static struct answer apply_unlink(struct model *m, const struct universe *u,
                                  const struct operation *op)
{
    if (!m->repositories[op->repository].blobs[op->blob].here) {
        return refused(ERR_BLOB_UNKNOWN);
    }
    model_remove_member(m, u, op->repository, op->blob, op->now_us);
    return done;
}

static struct answer apply_read(struct model *m, const struct universe *u,
                                const struct operation *op)
{
    const struct model_member *member = &m->repositories[op->repository].blobs[op->blob];
    if (!member->here) {
        return refused(ERR_BLOB_UNKNOWN);
    }
    return (struct answer){.a = size_of(u, op->blob), .b = member->due_us};
}

static struct answer apply_keep(struct model *m, const struct universe *u,
                                const struct operation *op)
{
    struct model_member *member = &m->repositories[op->repository].blobs[op->blob];
    int64_t until_us = op->now_us + KEEP_US;
    if (member->due_us != 0 && member->due_us < until_us) {
        member->due_us = until_us;
    }
    return apply_read(m, u, op);
}

/* --- uploads ---------------------------------------------------------------------------------- */

int model_evicted(const struct model *m, int account)
{
    int open = 0;
    int oldest = NONE;
    for (int i = 0; i < SESSIONS; i++) {
        const struct model_session *s = &m->sessions[i];
        if (!s->open || s->account != account) {
            continue;
        }
        open++;
        if (!s->busy && (oldest == NONE || s->used_us < m->sessions[oldest].used_us)) {
            oldest = i;
        }
    }
    return open < SESSIONS_PER_ACCOUNT ? NONE : oldest;
}

static int open_of(const struct model *m, int account)
{
    int open = 0;
    for (int i = 0; i < SESSIONS; i++) {
        open += m->sessions[i].open && m->sessions[i].account == account;
    }
    return open;
}

static struct answer apply_start(struct model *m, const struct universe *u,
                                 const struct operation *op)
{
    (void)u;
    int evicted = model_evicted(m, op->account);
    if (evicted != NONE) {
        m->sessions[evicted] = (struct model_session){0};
    } else if (open_of(m, op->account) >= SESSIONS_PER_ACCOUNT) {
        return refused(ERR_BUSY);
    }
    m->sessions[op->session] = (struct model_session){.open = true,
                                                      .repository = op->repository,
                                                      .account = op->account,
                                                      .fed = op->fed,
                                                      .started_us = op->now_us,
                                                      .used_us = op->now_us};
    m->repositories[op->repository].exists = true;
    return done;
}

/* Taking a session for a request; ERR_NONE when it is taken. */
static enum err_code take_session(const struct model *m, const struct operation *op)
{
    const struct model_session *s = &m->sessions[op->session];
    if (!s->open || op->strange || op->elsewhere) {
        return ERR_UPLOAD_UNKNOWN;
    }
    return s->busy ? ERR_UPLOAD_INVALID : ERR_NONE;
}

static struct answer apply_append(struct model *m, const struct universe *u,
                                  const struct operation *op)
{
    struct model_session *s = &m->sessions[op->session];
    enum err_code code = take_session(m, op);
    if (code != ERR_NONE) {
        return refused(code);
    }
    s->used_us = op->now_us;
    if (op->out_of_order) {
        return refused(ERR_UPLOAD_RANGE);
    }
    if (op->sealed) {
        return refused(ERR_UPLOAD_INVALID);
    }
    if (!has_room(m, u, u->namespace_of[s->repository], op->n)) {
        return refused(ERR_QUOTA);
    }
    s->received += op->n;
    s->written_us = op->now_us;
    s->junk |= op->junk;
    return (struct answer){.a = s->received};
}

static struct answer apply_finish(struct model *m, const struct universe *u,
                                  const struct operation *op)
{
    struct model_session *s = &m->sessions[op->session];
    enum err_code code = take_session(m, op);
    if (code != ERR_NONE) {
        return refused(code);
    }
    s->used_us = op->now_us;
    if (s->junk || !universe_is(u, s->fed, s->received, op->blob)) {
        *s = (struct model_session){0};
        return refused(ERR_DIGEST_INVALID);
    }
    if (!add_member(m, u, op)) {
        return refused(ERR_QUOTA);
    }
    *s = (struct model_session){0};
    return (struct answer){.a = size_of(u, op->blob)};
}

static struct answer apply_cancel(struct model *m, const struct universe *u,
                                  const struct operation *op)
{
    (void)u;
    enum err_code code = take_session(m, op);
    if (code != ERR_NONE) {
        return refused(code);
    }
    m->sessions[op->session] = (struct model_session){0};
    return done;
}

static struct answer apply_hold(struct model *m, const struct universe *u,
                                const struct operation *op)
{
    (void)u;
    struct model_session *s = &m->sessions[op->session];
    enum err_code code = take_session(m, op);
    if (code != ERR_NONE) {
        return refused(code);
    }
    s->busy = true;
    s->used_us = op->now_us;
    return (struct answer){.a = s->received};
}

static struct answer apply_release(struct model *m, const struct universe *u,
                                   const struct operation *op)
{
    (void)u;
    m->sessions[op->session].busy = false;
    return done;
}

/* The longest begun first. */
static int next_idle(const struct model *m, int64_t before_us)
{
    int next = NONE;
    for (int i = 0; i < SESSIONS; i++) {
        const struct model_session *s = &m->sessions[i];
        bool idle = s->open && !s->busy && s->used_us < before_us;
        if (idle && (next == NONE || s->started_us < m->sessions[next].started_us)) {
            next = i;
        }
    }
    return next;
}

static struct answer apply_expire(struct model *m, const struct universe *u,
                                  const struct operation *op)
{
    (void)u;
    struct answer answer = done;
    for (int s; answer.a < op->n && (s = next_idle(m, op->now_us - IDLE_US)) != NONE; answer.a++) {
        m->sessions[s] = (struct model_session){0};
    }
    return answer;
}

static struct answer apply_single(struct model *m, const struct universe *u,
                                  const struct operation *op)
{
    int64_t size = size_of(u, op->fed);
    if (size > 0 && !has_room(m, u, u->namespace_of[op->repository], size)) {
        return refused(ERR_QUOTA);
    }
    if (!universe_is(u, op->fed, size, op->blob)) {
        return refused(ERR_DIGEST_INVALID);
    }
    return add_member(m, u, op) ? (struct answer){.a = size} : refused(ERR_QUOTA);
}

/* --- manifests and tags ----------------------------------------------------------------------- */

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
            return size_of(u, b);
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
static struct answer apply_put(struct model *m, const struct universe *u,
                               const struct operation *op)
{
    struct model_repository *r = &m->repositories[op->repository];
    struct answer answer = {.b = NONE, .c = NONE};
    if (!r->manifests[op->manifest].here) {
        enum err_code code = check_edges(r, u, op);
        int64_t size = (int64_t)u->manifests[op->manifest].content.bytes.n;
        if (code != ERR_NONE) {
            return refused(code);
        }
        if (!charge(m, u, op->repository, size)) {
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

static struct answer apply_delete(struct model *m, const struct universe *u,
                                  const struct operation *op)
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
    (void)charge(m, u, op->repository, -(int64_t)u->manifests[op->manifest].content.bytes.n);
    for (int b = 0; b < BLOBS; b++) {
        bool freed = u->manifests[op->manifest].keeps_blob[b] && r->blobs[b].here &&
                     !model_keeps(m, u, op->repository, b);
        r->blobs[b].due_us = freed ? op->now_us + KEEP_US : r->blobs[b].due_us;
    }
    return done;
}

static struct answer apply_tag(struct model *m, const struct universe *u,
                               const struct operation *op)
{
    (void)u;
    struct model_repository *r = &m->repositories[op->repository];
    if (!r->manifests[op->manifest].here) {
        return refused(ERR_MANIFEST_UNKNOWN);
    }
    return (struct answer){.a = put_tag(r, op, op->tag)};
}

static struct answer apply_untag(struct model *m, const struct universe *u,
                                 const struct operation *op)
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
static struct answer apply_tags_page(struct model *m, const struct universe *u,
                                     const struct operation *op)
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
static struct answer apply_referrers_page(struct model *m, const struct universe *u,
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

/* --- collection ------------------------------------------------------------------------------- */

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
            answer->d += file ? size_of(u, b) : 0;
            m->blobs[b] = (struct model_blob){0};
        }
    }
}

/* a: entries examined; b: memberships that ended; c: blobs that went; d: their bytes */
static struct answer apply_collect(struct model *m, const struct universe *u,
                                   const struct operation *op)
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

static struct answer apply_drain(struct model *m, const struct universe *u,
                                 const struct operation *op)
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

/* --- the rest --------------------------------------------------------------------------------- */

static struct answer apply_quota(struct model *m, const struct universe *u,
                                 const struct operation *op)
{
    (void)u;
    m->spaces[op->space].quota = op->n;
    return done;
}

static struct answer apply_check(struct model *m, const struct universe *u,
                                 const struct operation *op)
{
    (void)m;
    (void)u;
    (void)op;
    return done; /* nothing is found */
}

typedef struct answer (*apply_fn)(struct model *, const struct universe *,
                                  const struct operation *);
static const apply_fn appliers[OP_COUNT] = {
    [OP_START] = apply_start,
    [OP_APPEND] = apply_append,
    [OP_FINISH] = apply_finish,
    [OP_CANCEL] = apply_cancel,
    [OP_HOLD] = apply_hold,
    [OP_RELEASE] = apply_release,
    [OP_EXPIRE] = apply_expire,
    [OP_SINGLE] = apply_single,
    [OP_MOUNT] = apply_mount,
    [OP_MOUNT_ANY] = apply_mount_any,
    [OP_UNLINK] = apply_unlink,
    [OP_READ] = apply_read,
    [OP_KEEP] = apply_keep,
    [OP_PUT] = apply_put,
    [OP_DELETE] = apply_delete,
    [OP_TAG] = apply_tag,
    [OP_UNTAG] = apply_untag,
    [OP_TAGS_PAGE] = apply_tags_page,
    [OP_REFERRERS_PAGE] = apply_referrers_page,
    [OP_COLLECT] = apply_collect,
    [OP_DRAIN] = apply_drain,
    [OP_QUOTA] = apply_quota,
    [OP_CHECK] = apply_check,
};

struct answer model_apply(struct model *m, const struct universe *u, const struct operation *op)
{
    m->now_us = op->now_us;
    return appliers[op->kind](m, u, op);
}

void model_restart(struct model *m)
{
    for (int i = 0; i < SESSIONS; i++) {
        struct model_session *s = &m->sessions[i];
        s->busy = false;
        s->used_us = s->written_us > s->started_us ? s->written_us : s->started_us;
    }
}
