#include "server/api.h"
#include "server/app.h"
#include "server/registry.h"
#include "storage/referrer.h"

#define INDEX_TYPE "application/vnd.oci.image.index.v1+json"

struct listing {
    const struct request *rq;
    struct db_tx *tx;
    const struct repository *repo; /* NULL when it does not exist */
    struct gate_caller caller;
    bool filtered; /* only what the gate would serve (gate.md 3) */
    struct buf artifact_type;
    struct buf json;
    int count;
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
        buf_printf(&l->json, ",\"annotations\":%s", r->annotations);
    }
    buf_char(&l->json, '}');
}

/* All pages of the store: the list of one subject is one document. */
static bool write_list(struct listing *l, struct err *err)
{
    struct digest after = {0};
    for (bool more = true; more;) {
        auto_referrer_list struct referrer_list page = {0};
        if (!referrer_list(l->tx, l->repo->id, &l->rq->digest, buf_slice_of(&l->artifact_type),
                           &after, PAGE_MAX, &page, err)) {
            return false;
        }
        for (size_t i = 0; i < page.count; i++) {
            if (is_listed(l, &page.items[i].digest)) {
                write_descriptor(l, &page.items[i]);
            }
            after = page.items[i].digest;
        }
        more = page.more;
    }
    return true;
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
    reply_buf(reply, 200, INDEX_TYPE, &l->json);
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
    if (list(&l, &err)) {
        answer(&l, reply);
    } else {
        reply_error(reply, &err);
    }
    buf_dispose(&l.json);
    buf_dispose(&l.artifact_type);
}
