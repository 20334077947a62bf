/* Repositories and their tags for people: what `bond images` lists. */
#include "server/administration.h"
#include "server/api.h"
#include "server/app.h"
#include "server/registry.h"
#include "storage/manifest.h"
#include "storage/tag.h"

#define TAGS_COUNTED 1000 /* of one repository; more than that is told as this many */
/* Of all on a page, which ends early beyond it: a list must not cost a thousand lists of tags. */
#define TAGS_COUNTED_PAGE 10000

/*   counted   tags read for this page so far; added to */
static json_t *image_json(struct db_tx *tx, const struct request *rq, const struct repository *repo,
                          size_t *counted, struct err *err)
{
    json_t *out = json_pack("{s:s, s:o, s:I}", "name", repo->name.text, "created",
                            administration_time(repo->created_us), "manifests",
                            (json_int_t)repo->manifest_count);
    if (rq->identity->gated) {
        return out; /* how much of it is released is not told here */
    }
    auto_tag_list struct tag_list tags = {0};
    if (!tag_list_names(tx, repo->id, (struct slice){0}, TAGS_COUNTED, &tags, err)) {
        json_decref(out);
        return NULL;
    }
    *counted += tags.count;
    (void)json_object_set_new(out, "tags", json_integer((json_int_t)tags.count));
    return out;
}

static bool find_repositories(struct db_tx *tx, const struct request *rq, struct slice ns,
                              struct slice last, struct repository_list *out, struct err *err)
{
    if (ns.n == 0) {
        struct reader reader;
        access_reader(rq->identity, &reader);
        return repository_list(tx, &reader, last, PAGE_MAX, out, err);
    }
    struct namespace_name name;
    struct access_answer answer;
    if (!namespace_name_parse(ns, &name, NULL)) {
        return err_set(err, ERR_NAMESPACE_UNKNOWN, "");
    }
    struct identity who = *rq->identity;
    who.grants = NULL; /* names, not content: the grants of a token are about content */
    return access_check_namespace(tx, &who, &name, ACTION_PULL, &answer, err) &&
           access_require(&who, &answer, err) &&
           repository_list_namespace(tx, answer.facts.namespace_id, false, last, PAGE_MAX, out,
                                     err);
}

static bool list(const struct request *rq, json_t *out, struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    auto_repository_list struct repository_list found = {0};
    auto_buf struct buf ns = {0};
    auto_buf struct buf last = {0};
    (void)request_query(rq, "namespace", 0, &ns);
    (void)request_query(rq, "last", 0, &last);
    if (!db_snapshot(rq->app->db, &tx, err) ||
        !find_repositories(tx, rq, buf_slice_of(&ns), buf_slice_of(&last), &found, err)) {
        return false;
    }
    size_t counted = 0;
    for (size_t i = 0; i < found.count && counted < TAGS_COUNTED_PAGE; i++) {
        json_t *image = image_json(tx, rq, &found.items[i], &counted, err);
        if (image == NULL) {
            return false;
        }
        (void)json_array_append_new(out, image);
    }
    return true;
}

/* GET /api/v1/images?namespace=NS&last=: the list goes on until a page is empty */
void api_images_list(struct request *rq, struct reply *reply)
{
    struct err err = {0};
    json_t *images = json_array();
    bool ok = list(rq, images, &err);
    administration_reply_list(reply, ok, "images", images, &err);
}

static json_t *tag_json(const struct tag_item *item)
{
    char digest[DIGEST_STR_MAX];
    return json_pack("{s:s, s:s, s:I, s:o, s:s}", "name", item->name.text, "digest",
                     digest_format(&item->tag.digest, digest), "size", (json_int_t)item->tag.size,
                     "updated", administration_time(item->tag.updated_us), "by",
                     item->tag.updated_by_name);
}

struct tags {
    const struct request *rq;
    struct db_tx *tx;
    struct repository repo;
    struct gate_caller caller;
    bool filtered; /* the caller is told the released tags only, as by tags/list */
    bool served;   /* a tag may be given out to him as another digest than it points to */
};

/* What the caller would be served by the tag is what he is told of it. */
static bool tell_served(const struct tags *t, const struct digest *served, struct tag_item *item,
                        struct err *err)
{
    struct manifest_info info;
    if (digest_equal(served, &item->tag.digest)) {
        return true;
    }
    if (!manifest_stat(t->tx, t->repo.id, served, &info, err)) {
        return false;
    }
    item->tag.digest = *served;
    item->tag.size = info.size;
    return true;
}

static bool is_told(const struct tags *t, struct tag_item *item, bool *out, struct err *err)
{
    struct decision d = {0};
    *out = true;
    if (!t->filtered && !t->served) {
        return true;
    }
    gate_decide_tag(t->rq->app->trust, t->tx, &t->caller, &t->repo, &t->rq->repo, &item->name,
                    &item->tag, item->tag.size, t->rq->now_us, &d);
    bool allowed = false;
    if (!registry_is_listed(&d, &allowed, err)) {
        return false;
    }
    *out = allowed || !t->filtered; /* what he is refused is told as it is, where it is told */
    return !allowed || tell_served(t, &d.serve, item, err);
}

static bool write_tags(const struct tags *t, struct tag_list *found, json_t *out, struct err *err)
{
    for (size_t i = 0; i < found->count; i++) {
        bool told = false;
        if (!is_told(t, &found->items[i], &told, err)) {
            return false;
        }
        if (told) {
            (void)json_array_append_new(out, tag_json(&found->items[i]));
        }
    }
    return true;
}

static bool tags(const struct request *rq, json_t *out, struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    auto_tag_list struct tag_list found = {0};
    auto_buf struct buf last = {0};
    struct tags t = {.rq = rq};
    (void)request_query(rq, "last", 0, &last);
    if (!registry_open(rq, &tx, &t.repo, err) ||
        !registry_gate_caller(rq, tx, &t.caller, err) ||
        !tag_list(tx, t.repo.id, buf_slice_of(&last), PAGE_MAX, &found, err)) {
        return false;
    }
    t.tx = tx;
    t.filtered = gate_lists_filtered(rq->app->trust, tx, &t.caller, &t.repo, GATE_LIST_TAGS,
                                     rq->now_us);
    t.served = gate_lists_filtered(rq->app->trust, tx, &t.caller, &t.repo, GATE_LIST_SERVED,
                                   rq->now_us);
    return write_tags(&t, &found, out, err);
}

/* GET /api/v1/images/NS/APP/tags */
void api_images_tags(struct request *rq, struct reply *reply)
{
    struct err err = {0};
    json_t *list_of_tags = json_array();
    if (!tags(rq, list_of_tags, &err)) {
        json_decref(list_of_tags);
        return reply_undecided(reply, &err);
    }
    administration_reply_list(reply, true, "tags", list_of_tags, &err);
}
