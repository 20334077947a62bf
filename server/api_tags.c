#include "server/api.h"
#include "server/app.h"
#include "server/registry.h"
#include "storage/tag.h"

/* The state of one listing: pages of the store are read until the client's page is full or the request has looked at
 * enough. */
struct listing {
    const struct request *rq;
    struct db_tx *tx;
    const struct repository *repo;
    struct gate_caller caller;
    bool filtered; /* only released tags (gate.md 3) */
    struct page page;
    struct buf json;
    int count;            /* written */
    int looks;            /* tags that may still be looked at */
    struct tag_name last; /* the last one looked at: the next page begins after it */
    bool more;
};

static bool is_listed(const struct listing *l, const struct tag_item *item)
{
    struct decision d = {0};
    if (!l->filtered) {
        return true;
    }
    gate_decide_tag(l->rq->app->trust, l->tx, &l->caller, l->repo, &l->rq->repo, &item->name,
                    &item->tag, item->tag.size, l->rq->now_us, &d);
    return d.effect == EFFECT_ALLOW;
}

static void write_tag(struct listing *l, const struct tag_name *name)
{
    buf_str(&l->json, l->count == 0 ? "" : ",");
    buf_json_string(&l->json, tag_name_slice(name));
    l->count++;
}

/* How much of the store is read at once: what the client asked for, unless some of it may be hidden from him. */
static int stride(const struct listing *l)
{
    int wanted = l->filtered ? l->looks : l->page.max;
    return wanted < PAGE_MAX ? wanted : PAGE_MAX;
}

static bool is_full(const struct listing *l)
{
    return l->count == l->page.max || l->looks == 0;
}

/* Writes what is listed of one page of the store, until the client's page is full. */
static void write_page(struct listing *l, const struct tag_list *tags)
{
    size_t i = 0;
    for (; i < tags->count && !is_full(l); i++) {
        l->last = tags->items[i].name;
        l->looks--;
        if (is_listed(l, &tags->items[i])) {
            write_tag(l, &l->last);
        }
    }
    l->more = tags->more || i < tags->count;
}

static bool write_tags(struct listing *l, struct err *err)
{
    struct slice after = buf_slice_of(&l->page.last);
    l->looks = l->filtered ? registry_looks(&l->page) : l->page.max;
    l->more = l->page.max > 0;
    while (l->more && !is_full(l)) {
        auto_tag_list struct tag_list tags = {0};
        if (!tag_list(l->tx, l->repo->id, after, stride(l), &tags, err)) {
            return false;
        }
        write_page(l, &tags);
        after = tag_name_slice(&l->last);
    }
    return true;
}

static bool list(struct listing *l, struct err *err)
{
    if (!registry_gate_caller(l->rq, l->tx, &l->caller, err)) {
        return false;
    }
    l->filtered = gate_lists_filtered(l->rq->app->trust, l->tx, &l->caller, l->repo, GATE_LIST_TAGS,
                                      l->rq->now_us);
    buf_str(&l->json, "{\"name\":");
    buf_json_string(&l->json, repo_name_slice(&l->rq->repo));
    buf_str(&l->json, ",\"tags\":[");
    if (!write_tags(l, err)) {
        return false;
    }
    buf_str(&l->json, "]}\n");
    return true;
}

/* GET /v2/NAME/tags/list */
void api_tags_list(struct request *rq, struct reply *reply)
{
    auto_snapshot struct db_tx *tx = NULL;
    struct repository repo;
    struct err err = {0};
    struct listing l = {.rq = rq, .repo = &repo};
    bool ok = registry_open(rq, &tx, &repo, &err) && registry_page(rq, &l.page, &err);
    l.tx = tx;
    ok = ok && list(&l, &err);
    if (ok) {
        reply_buf(reply, 200, "application/json", &l.json);
        if (l.more) {
            registry_next_link(rq, reply, &l.page, tag_name_slice(&l.last), NULL);
        }
        if (l.filtered) {
            reply_header(reply, "Cache-Control", "private, no-cache");
            reply_header(reply, "Vary", "Authorization");
        }
    } else {
        reply_error(reply, &err);
    }
    buf_dispose(&l.json);
    buf_dispose(&l.page.last);
}
