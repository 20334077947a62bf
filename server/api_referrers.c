#include "server/api.h"
#include "server/app.h"
#include "server/registry.h"
#include "storage/referrer.h"

#define INDEX_TYPE "application/vnd.oci.image.index.v1+json"

/* Each referrer carries the annotations of its manifest, which may be nearly as large as a manifest can be. */
#define READ_MAX 16
#define ANSWER_MAX ((size_t)4 << 20) /* from here on the rest is another page */

struct listing {
    const struct request *rq;
    struct db_tx *tx;
    const struct repository *repo; /* NULL when it does not exist */
    struct gate_caller caller;
    bool filtered; /* only what the gate would serve (gate.md 3) */
    struct buf artifact_type;
    struct page page;
    struct digest after; /* page.last, then the last one written */
    struct buf json;
    int count;
    bool more;
};

static bool is_listed(const struct listing *l, const struct digest *digest)
{
    struct decision d = {0};
    if (!l->filtered) {
        return true;
    }
    gate_decide_digest(l->rq->app->trust, l->tx, &l->caller, l->repo, &l->rq->repo, digest,
                       l->rq->now_us, &d);
    return d.effect == EFFECT_ALLOW;
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
    l->after = r->digest;
}

static bool is_full(const struct listing *l)
{
    return l->count == l->page.max || l->json.n >= ANSWER_MAX;
}

/* Writes what is listed of one page of the store; more is left when the answer is full before its end. */
static void write_page(struct listing *l, const struct referrer_list *found)
{
    for (size_t i = 0; i < found->count; i++) {
        if (!is_listed(l, &found->items[i].digest)) {
            continue;
        }
        if (is_full(l)) {
            l->more = true;
            return;
        }
        write_descriptor(l, &found->items[i]);
    }
}

static bool write_list(struct listing *l, struct err *err)
{
    struct digest after = l->after;
    bool more = l->page.max > 0;
    while (more && !l->more) {
        auto_referrer_list struct referrer_list found = {0};
        if (!referrer_list(l->tx, l->repo->id, &l->rq->digest, buf_slice_of(&l->artifact_type),
                           &after, READ_MAX, &found, err)) {
            return false;
        }
        write_page(l, &found);
        more = found.more;
        if (found.count > 0) {
            after = found.items[found.count - 1].digest;
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

static bool list(struct listing *l, struct err *err)
{
    buf_str(&l->json, "{\"schemaVersion\":2,\"mediaType\":\"" INDEX_TYPE "\",\"manifests\":[");
    if (l->repo != NULL) {
        if (!registry_gate_caller(l->rq, l->tx, &l->caller, err)) {
            return false;
        }
        l->filtered = gate_lists_filtered(l->rq->app->trust, l->tx, &l->caller, l->repo,
                                          &l->rq->repo, l->rq->now_us);
        if (!write_list(l, err)) {
            return false;
        }
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
                           "artifactType");
    }
    if (l->artifact_type.n > 0) {
        reply_header(reply, "OCI-Filters-Applied", "artifactType");
    }
    if (l->filtered) {
        reply_header(reply, "Cache-Control", "private, no-cache");
        reply_header(reply, "Vary", "Authorization");
    }
}

/* GET /v2/NAME/referrers/DIGEST: a repository that does not exist has an empty list (OCI distribution 1.1). */
void api_referrers_list(struct request *rq, struct reply *reply)
{
    auto_snapshot struct db_tx *tx = NULL;
    struct repository repo;
    struct err err = {0};
    struct listing l = {.rq = rq, .repo = &repo};
    bool found = registry_open(rq, &tx, &repo, &err);
    if (!found && err.code != ERR_NAME_UNKNOWN) {
        return reply_error(reply, &err);
    }
    l.tx = tx;
    l.repo = found ? &repo : NULL;
    (void)request_query(rq, "artifactType", 0, &l.artifact_type);
    if (read_page(&l, &err) && list(&l, &err)) {
        answer(&l, reply);
    } else {
        reply_error(reply, &err);
    }
    buf_dispose(&l.json);
    buf_dispose(&l.page.last);
    buf_dispose(&l.artifact_type);
}
