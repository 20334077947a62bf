#include "server/api.h"
#include "server/app.h"
#include "server/registry.h"
#include "storage/tag.h"
#include "trust/artifact.h"
#include "trust/view.h"

struct listing {
    const struct request *rq;
    struct db_tx *tx;
    const struct repository *repo;
    struct gate_view *view; /* when it was ready */
    struct gate_caller caller;
    struct artifact_reading reading; /* by all its decisions */
    bool filtered;   /* only released tags (gate.md 3) */
    bool unfinished; /* one of them is not for this thread to decide: nothing is told */
    struct page page;
    struct buf json;
    int count;            /* written */
    struct tag_name last; /* the last one looked at: the next page begins after it */
    bool more;
};

static bool is_listed(struct listing *l, const struct tag_item *item, bool *out, struct err *err)
{
    struct decision d = {0};
    *out = true;
    if (!l->filtered) {
        return true;
    }
    gate_decide_tag(l->rq->app->trust, l->tx, &l->caller, l->repo, &l->rq->repo, &item->name,
                    &item->tag, item->tag.size, l->rq->now_us, &d);
    l->unfinished = d.unfinished;
    return registry_is_listed(&d, out, err);
}

static void write_tag(struct listing *l, const struct tag_name *name)
{
    buf_str(&l->json, l->count == 0 ? "" : ",");
    buf_json_string(&l->json, tag_name_slice(name));
    l->count++;
}

/* The gate asks what a tag points to; a client of tags/list does not. */
static bool read_tags(const struct listing *l, struct tag_list *out, struct err *err)
{
    struct slice after = buf_slice_of(&l->page.last);
    return l->filtered
               ? tag_list(l->tx, l->repo->id, after, registry_looks(&l->page), out, err)
               : tag_list_names(l->tx, l->repo->id, after, l->page.max, out, err);
}

/* Reads once what the client asked for, or what may be looked at to find it, and writes what is listed of it. */
static bool write_tags(struct listing *l, struct err *err)
{
    auto_tag_list struct tag_list tags = {0};
    if (l->page.max == 0) {
        return true;
    }
    if (!read_tags(l, &tags, err)) {
        return false;
    }
    size_t i = 0;
    for (; i < tags.count && l->count < l->page.max && l->reading.spent < ARTIFACT_READ_PAGE_MAX; i++) {
        bool listed = false;
        l->last = tags.items[i].name;
        if (!is_listed(l, &tags.items[i], &listed, err)) {
            return false;
        }
        if (listed) {
            write_tag(l, &l->last);
        }
    }
    l->more = tags.more || i < tags.count;
    return true;
}

static bool list(struct listing *l, struct err *err)
{
    if (!registry_gate_caller(l->rq, l->tx, &l->caller, err)) {
        return false;
    }
    l->caller.kept = l->view;
    l->caller.reading = &l->reading;
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

static void listing_dispose(struct listing *l)
{
    buf_dispose(&l->json);
    buf_dispose(&l->page.last);
}

/* GET /v2/NAME/tags/list */
void api_tags_list(struct request *rq, struct reply *reply)
{
    auto_snapshot struct db_tx *tx = NULL;
    auto_gate_view struct gate_view *view = NULL;
    struct repository repo;
    struct err err = {0};
    if (!registry_open(rq, &tx, &repo, &err)) {
        return reply_undecided(reply, &err);
    }
    if (!registry_gate_ready(rq, &repo, &view)) {
        return; /* a worker goes on */
    }
    struct listing l = {.rq = rq, .tx = tx, .repo = &repo, .view = view};
    bool ok = registry_page(rq, &l.page, &err) && list(&l, &err);
    if (l.unfinished && !request_on_worker_surely(rq)) {
        return listing_dispose(&l); /* a worker goes on */
    }
    if (ok) {
        reply_buf(reply, 200, "application/json", &l.json);
        if (l.more) {
            registry_next_link(rq, reply, &l.page, tag_name_slice(&l.last), NULL,
                               (struct slice){0});
        }
        if (l.filtered) {
            reply_header(reply, "Cache-Control", "private, no-cache");
            reply_header(reply, "Vary", "Authorization, Accept");
        }
    } else {
        reply_undecided(reply, &err);
    }
    listing_dispose(&l);
}
