#include "storage/manifest.h"
#include "storage/referrer.h"
#include "storage/tag.h"
#include "tests/unit/storage/model/run.h"
#include "tests/unit/storage/world.h"

static bool put_tag(struct db_tx *tx, struct call *c, int64_t repository_id, int tag,
                    int64_t *change_out, struct err *err)
{
    struct actor actor = call_actor(c->op);
    enum tag_change change = TAG_UNCHANGED;
    *change_out = NONE;
    if (tag == NONE) {
        return true;
    }
    bool ok = tag_put(tx, repository_id, &c->driver->universe->tags[tag], call_manifest(c), &actor,
                      c->op->now_us, &change, err);
    *change_out = change;
    return ok;
}

static bool put_in(struct db_tx *tx, void *arg, struct err *err)
{
    struct call *c = arg;
    const struct shape *shape = &c->driver->universe->manifests[c->op->manifest];
    struct actor actor = call_actor(c->op);
    struct repository r;
    bool created = false;
    struct manifest_put put = {.doc = shape->doc,
                               .digest = shape->content.digest,
                               .bytes = shape->content.bytes,
                               .sparse = c->op->sparse};
    bool ok = call_ensure(tx, c, &r, err) &&
              manifest_put(tx, r.id, &put, &actor, c->op->now_us, &created, err) &&
              put_tag(tx, c, r.id, c->op->tag, &c->answer.b, err) &&
              put_tag(tx, c, r.id, c->op->second_tag, &c->answer.c, err);
    c->answer.a = created;
    return ok;
}

void run_put(struct call *c)
{
    call_write(c, put_in);
}

static bool delete_in(struct db_tx *tx, void *arg, struct err *err)
{
    struct call *c = arg;
    struct actor actor = call_actor(c->op);
    return manifest_delete(tx, call_id(c, c->op->repository), call_manifest(c), &actor, KEEP_US,
                           c->op->now_us, err);
}

void run_delete(struct call *c)
{
    call_write(c, delete_in);
}

static bool tag_in(struct db_tx *tx, void *arg, struct err *err)
{
    struct call *c = arg;
    return put_tag(tx, c, call_id(c, c->op->repository), c->op->tag, &c->answer.a, err);
}

void run_tag(struct call *c)
{
    call_write(c, tag_in);
}

static bool untag_in(struct db_tx *tx, void *arg, struct err *err)
{
    struct call *c = arg;
    struct actor actor = call_actor(c->op);
    return tag_delete(tx, call_id(c, c->op->repository), &c->driver->universe->tags[c->op->tag],
                      &actor, c->op->now_us, err);
}

void run_untag(struct call *c)
{
    call_write(c, untag_in);
}

/* --- pages */

/* The next tag of the repository after `tag`; TAGS: none. */
static int next_tag(const struct model_repository *r, int tag)
{
    do {
        tag++;
    } while (tag < TAGS && r->tags[tag].manifest == NONE);
    return tag;
}

static void check_tags(struct call *c, const struct tag_list *list)
{
    const struct model_repository *r = &c->model->repositories[c->op->repository];
    int tag = c->op->tag;
    for (size_t i = 0; i < list->count; i++) {
        tag = next_tag(r, tag);
        const char *got = list->items[i].name.text;
        if (tag == TAGS || strcmp(got, c->driver->universe->tags[tag].text) != 0) {
            driver_differs(c->driver, "a page of tags has %s, which does not come next", got);
            return;
        }
    }
}

void run_tags_page(struct call *c)
{
    struct err err = {0};
    auto_tag_list struct tag_list list = {0};
    auto_snapshot struct db_tx *tx = snapshot_of(c->driver->db);
    struct slice last =
        c->op->tag == NONE ? SLICE_LIT("") : tag_name_slice(&c->driver->universe->tags[c->op->tag]);
    bool ok = tag_list(tx, call_id(c, c->op->repository), last, (int)c->op->n, &list, &err);
    c->answer.a = (int64_t)list.count;
    c->answer.b = list.more;
    call_refuse(c, ok, &err);
    check_tags(c, &list);
}

/* The manifest that a referrer is; NULL: none of ours. */
static const struct shape *shape_of(const struct call *c, const struct referrer *item)
{
    for (int i = 0; i < MANIFESTS; i++) {
        const struct shape *s = &c->driver->universe->manifests[i];
        bool here = c->model->repositories[c->op->repository].manifests[i].here;
        if (here && digest_equal(&s->content.digest, &item->digest)) {
            return s;
        }
    }
    return NULL;
}

static bool is_described(const struct shape *s, const struct referrer *item)
{
    return item->size == (int64_t)s->content.bytes.n && strcmp(item->media_type, s->type) == 0 &&
           strcmp(item->artifact_type, s->artifact_type) == 0 &&
           strcmp(item->annotations ? item->annotations : "", s->annotations) == 0;
}

static bool comes_after(const struct digest *a, const struct digest *b)
{
    uint8_t x[DIGEST_RAW_MAX], y[DIGEST_RAW_MAX];
    size_t n = digest_to_raw(a, x), k = digest_to_raw(b, y);
    return slice_compare(slice_of_bytes(x, n), slice_of_bytes(y, k)) > 0;
}

static bool check_referrers(struct call *c, const struct referrer_list *list, struct digest *last)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct referrer *item = &list->items[i];
        const struct shape *s = shape_of(c, item);
        if (!s || !digest_equal(&s->subject, call_manifest(c)) || !is_described(s, item)) {
            return driver_differs(c->driver, "a referrer is not what was pushed");
        }
        if (digest_is_set(last) && !comes_after(&item->digest, last)) {
            return driver_differs(c->driver, "the referrers are not in the order of their digests");
        }
        *last = item->digest;
    }
    return true;
}

static int64_t count_referrers(struct call *c, struct slice type)
{
    struct digest last = {0};
    int64_t count = 0;
    bool more = true;
    auto_snapshot struct db_tx *tx = snapshot_of(c->driver->db);
    while (more) {
        struct err err = {0};
        auto_referrer_list struct referrer_list list = {0};
        struct digest after = last;
        bool ok = referrer_list(tx, call_id(c, c->op->repository), call_manifest(c), type, &after,
                                (int)c->op->n, &list, &err);
        call_refuse(c, ok, &err);
        more = ok && check_referrers(c, &list, &last) && list.more;
        count += (int64_t)list.count;
    }
    return count;
}

void run_referrers_page(struct call *c)
{
    const char *type =
        c->op->like == NONE ? "" : c->driver->universe->manifests[c->op->like].artifact_type;
    c->answer.a = count_referrers(c, slice_str(type));
    c->answer.b = count_referrers(c, SLICE_LIT(""));
}
