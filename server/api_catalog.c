#include "server/api.h"
#include "server/app.h"
#include "server/registry.h"

static bool list(struct request *rq, struct db_tx *tx, const struct page *page,
                 struct repository_list *out, struct err *err)
{
    struct reader reader;
    registry_reader(rq, &reader);
    return page->max == 0 ||
           repository_list(tx, &reader, buf_slice_of(&page->last), page->max, out, err);
}

static void write_reply(struct request *rq, struct reply *reply, const struct page *page,
                        const struct repository_list *repos)
{
    auto_buf struct buf json = {0};
    buf_str(&json, "{\"repositories\":[");
    for (size_t i = 0; i < repos->count; i++) {
        buf_str(&json, i == 0 ? "" : ",");
        buf_json_string(&json, repo_name_slice(&repos->items[i].name));
    }
    buf_str(&json, "]}\n");
    reply_buf(reply, 200, "application/json", &json);
    if (repos->more) {
        registry_next_link(rq, reply, page, repo_name_slice(&repos->items[repos->count - 1].name),
                           NULL, (struct slice){0});
    }
}

/* GET /v2/_catalog: the repositories that the caller may read. */
void api_catalog_list(struct request *rq, struct reply *reply)
{
    auto_snapshot struct db_tx *tx = NULL;
    auto_repository_list struct repository_list repos = {0};
    struct page page = {0};
    struct err err = {0};
    if (registry_page(rq, &page, &err) && db_snapshot(rq->app->db, &tx, &err) &&
        list(rq, tx, &page, &repos, &err)) {
        write_reply(rq, reply, &page, &repos);
    } else {
        reply_error(reply, &err);
    }
    buf_dispose(&page.last);
}
