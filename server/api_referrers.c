#include "base/clock.h"
#include "server/api.h"
#include "server/api_refusal.h"
#include "server/app.h"
#include "server/record.h"
#include "server/registry.h"
#include "storage/referrer_fallback.h"
#include "trust/artifact.h"

#define INDEX_TYPE "application/vnd.oci.image.index.v1+json"

/* Each referrer carries the annotations of its manifest, which may be nearly as large as a manifest can be. */
#define READ_MAX 16
#define ANSWER_MAX ((size_t)4 << 20) /* from here on the rest is another page */

#define DOOR "referrers"

struct listing {
    struct request *rq;
    struct db_tx *tx;
    const struct repository *repo; /* NULL when it does not exist */
    struct gate_caller caller;
    struct decision subject; /* on the digest whose referrers are asked for */
    bool filtered;           /* only what the gate would serve (gate.md 3) */
    struct buf artifact_type;
    struct page page;
    struct digest after; /* page.last, then the last one looked at */
    struct buf json;
    int count; /* written */
    int looks; /* entries that may still be looked at */
    struct artifact_reading reading; /* by the decisions about them */
    bool more;
};

static bool is_listed(const struct listing *l, const struct digest *digest, bool *out,
                      struct err *err)
{
    struct decision d = {0};
    *out = true;
    if (!l->filtered) {
        return true;
    }
    gate_decide_digest(l->rq->app->trust, l->tx, &l->caller, l->repo, &l->rq->repo, digest,
                       l->rq->now_us, &d);
    return registry_is_listed(&d, out, err);
}

static void write_descriptor(struct listing *l, const struct referrer *r)
{
    char digest[DIGEST_STR_MAX];
    buf_str(&l->json, l->count++ == 0 ? "" : ",");
    buf_str(&l->json, "{\"mediaType\":");
    buf_json_string(&l->json, slice_str(r->media_type));
    buf_printf(&l->json, ",\"digest\":\"%s\",\"size\":%lld", digest_format(&r->digest, digest),
               (long long)r->size);
    if (r->artifact_type[0] != '\0') {
        buf_str(&l->json, ",\"artifactType\":");
        buf_json_string(&l->json, slice_str(r->artifact_type));
    }
    if (r->annotations != NULL) {
        buf_str(&l->json, ",\"annotations\":");
        buf_str(&l->json, r->annotations);
    }
    buf_char(&l->json, '}');
}

static bool is_full(const struct listing *l)
{
    return l->count == l->page.max || l->json.n >= ANSWER_MAX || l->looks == 0 ||
           l->reading.spent >= ARTIFACT_READ_PAGE_MAX;
}

/* Writes what is listed of one page of the store, until the answer is full. */
static bool write_page(struct listing *l, const struct referrer_list *found, struct err *err)
{
    size_t i = 0;
    for (; i < found->count && !is_full(l); i++) {
        l->after = found->items[i].digest;
        l->looks--;
        bool listed = false;
        if (!is_listed(l, &l->after, &listed, err)) {
            return false;
        }
        if (listed) {
            write_descriptor(l, &found->items[i]);
        }
    }
    l->more = found->more || i < found->count;
    return true;
}

/* An index that a gated identity would not be served tells him nothing. */
static bool read_fallback(const struct listing *l, struct referrer_fallback *out, struct err *err)
{
    if (!referrer_fallback_read(l->tx, l->repo->id, &l->rq->digest, buf_slice_of(&l->artifact_type),
                                &l->after, out, err)) {
        return false;
    }
    bool listed = true;
    if (out->list.count > 0 && !is_listed(l, &out->index, &listed, err)) {
        return false;
    }
    if (!listed) {
        referrer_fallback_dispose(out);
    }
    return true;
}

static bool write_list(struct listing *l, struct err *err)
{
    auto_referrer_fallback struct referrer_fallback fallback = {0};
    l->looks = l->filtered ? registry_looks(&l->page) : l->page.max;
    l->more = l->page.max > 0;
    if (l->more && !read_fallback(l, &fallback, err)) {
        return false;
    }
    l->caller.reading = &l->reading;
    while (l->more && !is_full(l)) {
        auto_referrer_list struct referrer_list found = {0};
        if (!referrer_list(l->tx, l->repo->id, &l->rq->digest, buf_slice_of(&l->artifact_type),
                           &l->after, READ_MAX, &found, err)) {
            return false;
        }
        referrer_list_merge(&found, &fallback.list, &l->after, READ_MAX);
        if (!write_page(l, &found, err)) {
            return false;
        }
    }
    return true;
}

/* `n` and `last` as for tags; `last` is a digest that a Link of ours named. */
static bool read_page(struct listing *l, struct err *err)
{
    return registry_page(l->rq, &l->page, err) &&
           (l->page.last.n == 0 || digest_parse(buf_slice_of(&l->page.last), &l->after, err));
}

/* A media type has no blank (RFC 6838 section 4.2): one is a '+' that the client did not encode, as in "vnd.x+json". */
static void read_filter(struct listing *l)
{
    (void)request_query(l->rq, "artifactType", 0, &l->artifact_type);
    for (size_t i = 0; i < l->artifact_type.n; i++) {
        if (l->artifact_type.p[i] == ' ') {
            l->artifact_type.p[i] = '+';
        }
    }
}

/* A gated identity is told about what it may have (gate.md 3); what is not here may be asked for by everybody. */
static bool is_refused(const struct listing *l)
{
    return l->repo != NULL && l->subject.effect != EFFECT_ALLOW &&
           l->subject.reason != REASON_UNKNOWN;
}

static bool decide(struct listing *l, struct err *err)
{
    const struct request *rq = l->rq;
    if (!registry_gate_caller(rq, l->tx, &l->caller, err)) {
        return false;
    }
    gate_decide_digest(rq->app->trust, l->tx, &l->caller, l->repo, &rq->repo, &rq->digest,
                       rq->now_us, &l->subject);
    l->filtered = gate_lists_filtered(rq->app->trust, l->tx, &l->caller, l->repo,
                                      GATE_LIST_REFERRERS, rq->now_us);
    return true;
}

/* As the manifest door does: the use of an override is counted before anything is told by it, and the
 * decision has a record; what is not here was not decided on. False: `reply` has the refusal, or the
 * handler returns without one. */
static bool note(struct listing *l, int64_t began_us, struct reply *reply)
{
    const struct record record = {l->rq, l->tx, DOOR, &l->caller, l->repo, began_us, NULL};
    if (!registry_use_override(l->rq, l->repo, &l->subject, reply)) {
        return false;
    }
    if (l->subject.reason != REASON_UNKNOWN && !record_decision(&record, &l->subject)) {
        return false;
    }
    registry_count_decision(l->rq, DOOR, &l->subject);
    return true;
}

static bool list(struct listing *l, struct err *err)
{
    buf_str(&l->json, "{\"schemaVersion\":2,\"mediaType\":\"" INDEX_TYPE "\",\"manifests\":[");
    if (l->repo != NULL && !write_list(l, err)) {
        return false;
    }
    buf_str(&l->json, "]}");
    return true;
}

static void answer(struct listing *l, struct reply *reply)
{
    char last[DIGEST_STR_MAX];
    reply_buf(reply, 200, INDEX_TYPE, &l->json);
    if (l->more) {
        registry_next_link(l->rq, reply, &l->page, slice_str(digest_format(&l->after, last)),
                           "artifactType", buf_slice_of(&l->artifact_type));
    }
    if (l->artifact_type.n > 0) {
        reply_header(reply, "OCI-Filters-Applied", "artifactType");
    }
    reply_gated(reply, &l->subject, true);
}

static void decide_and_answer(struct listing *l, struct reply *reply)
{
    struct err err = {0};
    int64_t began_us = clock_mono_us();
    if (!read_page(l, &err) || (l->repo != NULL && !decide(l, &err))) {
        return reply_undecided(reply, &err);
    }
    if (l->repo != NULL && !note(l, began_us, reply)) {
        return;
    }
    if (is_refused(l)) {
        reply_refusal(l->rq, reply, &l->subject);
    } else if (list(l, &err)) {
        answer(l, reply);
    } else {
        reply_undecided(reply, &err);
    }
}

/* GET /v2/NAME/referrers/DIGEST: a repository that does not exist has an empty list (OCI distribution 1.1). */
void api_referrers_list(struct request *rq, struct reply *reply)
{
    auto_snapshot struct db_tx *tx = NULL;
    struct repository repo;
    struct err err = {0};
    struct listing l = {.rq = rq};
    bool found = registry_open(rq, &tx, &repo, &err);
    if (!found && err.code != ERR_NAME_UNKNOWN) {
        return reply_undecided(reply, &err);
    }
    l.tx = tx;
    l.repo = found ? &repo : NULL;
    read_filter(&l);
    decide_and_answer(&l, reply);
    buf_dispose(&l.json);
    buf_dispose(&l.page.last);
    buf_dispose(&l.artifact_type);
}
