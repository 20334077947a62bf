#include "tests/unit/storage/model/rules.h"

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

struct answer apply_start(struct model *m, const struct universe *u, const struct operation *op)
{
    (void)u;
    /* more than one has to go when a crash left the row of an upload at once, which nobody counts before */
    while (open_of(m, op->account) >= SESSIONS_PER_ACCOUNT) {
        int evicted = model_evicted(m, op->account);
        if (evicted == NONE) {
            return refused(ERR_BUSY);
        }
        m->sessions[evicted] = (struct model_session){0};
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
    return s->busy ? ERR_UPLOAD_BUSY : ERR_NONE;
}

struct answer apply_append(struct model *m, const struct universe *u, const struct operation *op)
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
    if (s->received + op->n > op->reserved &&
        !rule_has_room(m, u, u->namespace_of[s->repository], op->n)) {
        return refused(ERR_QUOTA);
    }
    s->received += op->n;
    s->written_us = op->now_us;
    s->junk |= op->junk;
    return (struct answer){.a = s->received};
}

struct answer apply_finish(struct model *m, const struct universe *u, const struct operation *op)
{
    struct model_session *s = &m->sessions[op->session];
    enum err_code code = take_session(m, op);
    if (code != ERR_NONE) {
        return refused(code);
    }
    int64_t rest = op->rest ? rule_size(u, s->fed) - s->received : 0;
    s->used_us = op->now_us;
    if (rest > 0) {
        struct operation chunk = *op;
        chunk.n = rest;
        struct answer answer = apply_append(m, u, &chunk);
        if (answer.code != ERR_NONE) {
            return answer;
        }
    }
    if (s->junk || !universe_is(u, s->fed, s->received, op->blob)) {
        *s = (struct model_session){0};
        return refused(ERR_DIGEST_INVALID);
    }
    struct model_session old = *s;
    *s = (struct model_session){0}; /* what it held is room for the blob */
    if (!rule_add_member(m, u, op)) {
        *s = old;
        return refused(ERR_QUOTA);
    }
    return (struct answer){.a = rule_size(u, op->blob)};
}

struct answer apply_cancel(struct model *m, const struct universe *u, const struct operation *op)
{
    (void)u;
    enum err_code code = take_session(m, op);
    if (code != ERR_NONE) {
        return refused(code);
    }
    m->sessions[op->session] = (struct model_session){0};
    return done;
}

struct answer apply_hold(struct model *m, const struct universe *u, const struct operation *op)
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

struct answer apply_release(struct model *m, const struct universe *u, const struct operation *op)
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

struct answer apply_expire(struct model *m, const struct universe *u, const struct operation *op)
{
    (void)u;
    struct answer answer = done;
    m->left_over = false;
    for (int i = 0; i < SESSIONS; i++) {
        if (m->sessions[i].dead) {
            m->sessions[i] = (struct model_session){0};
        }
    }
    for (int s; answer.a < op->n && (s = next_idle(m, op->now_us - IDLE_US)) != NONE; answer.a++) {
        m->sessions[s] = (struct model_session){0};
    }
    return answer;
}

struct answer apply_single(struct model *m, const struct universe *u, const struct operation *op)
{
    int64_t size = rule_size(u, op->fed);
    if (size > 0 && !rule_has_room(m, u, u->namespace_of[op->repository], size)) {
        return refused(ERR_QUOTA);
    }
    if (!universe_is(u, op->fed, size, op->blob)) {
        return refused(ERR_DIGEST_INVALID);
    }
    return rule_add_member(m, u, op) ? (struct answer){.a = size} : refused(ERR_QUOTA);
}
