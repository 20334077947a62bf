/* Tag rules from text, and the images and changes that their tests need. */
#ifndef TESTS_UNIT_STORAGE_RULES_H
#define TESTS_UNIT_STORAGE_RULES_H

#include "storage/tag.h"
#include "storage/tag_rule_doc.h"
#include "tests/unit/storage/image.h"

/* {"rules": text}. */
static inline json_t *rules_object(const char *rules)
{
    json_t *object = NULL;
    auto_buf struct buf text = {0};
    buf_printf(&text, "{\"rules\":%s}", rules);
    OK(json_read(buf_slice_of(&text), JSON_DEPTH_DEFAULT, &object, err));
    return object;
}

static inline void rules_read(const char *rules, struct tag_rule_list *out)
{
    auto_json json_t *object = rules_object(rules);
    struct namespace_name ns = ns_of("ns");
    OK(tag_rule_doc_read(object, &ns, out, err));
}

static inline void set_rules(struct world *w, const char *rules)
{
    auto_tag_rule_list struct tag_rule_list list = {0};
    rules_read(rules, &list);
    WRITE(w)
    {
        OK(tag_rule_set_put(tx, w->ns.id, &list, &w->alice, T0, err));
    }
}

/* NULL = none. */
static inline bool is_rule(const struct tag_rule *rule, const char *name)
{
    return name == NULL ? rule == NULL : rule != NULL && strcmp(rule->name, name) == 0;
}

/* --- changes that may be refused, as db_write takes them --------------------------------------- */

struct tag_write {
    struct world *w;
    const struct tag_name *tag;
    const struct digest *digest;
    int64_t now_us; /* 0 = T0 */
};

static inline bool write_tag(struct db_tx *tx, void *arg, struct err *err)
{
    const struct tag_write *t = arg;
    return tag_put(tx, t->w->repo.id, t->tag, t->digest, &t->w->alice, t->now_us ? t->now_us : T0,
                   NULL, err);
}

static inline bool remove_tag(struct db_tx *tx, void *arg, struct err *err)
{
    const struct tag_write *t = arg;
    return tag_delete(tx, t->w->repo.id, t->tag, &t->w->alice, T0, err);
}

static inline bool delete_manifest_in(struct db_tx *tx, void *arg, struct err *err)
{
    const struct tag_write *t = arg;
    return manifest_delete(tx, t->w->repo.id, t->digest, &t->w->alice, 24 * HOUR, T0, err);
}

static inline bool delete_blob_in(struct db_tx *tx, void *arg, struct err *err)
{
    const struct tag_write *t = arg;
    return blob_unlink(tx, t->w->repo.id, t->digest, T0, err);
}

static inline bool delete_manifest(struct world *w, const struct digest *digest, struct err *err)
{
    struct tag_write t = {.w = w, .digest = digest};
    return db_write(w->db, delete_manifest_in, &t, err);
}

static inline bool delete_blob(struct world *w, const struct digest *digest, struct err *err)
{
    struct tag_write t = {.w = w, .digest = digest};
    return db_write(w->db, delete_blob_in, &t, err);
}

/* --- questions -------------------------------------------------------------------------------- */

static inline bool has_tag(struct world *w, const char *name, struct tag *out)
{
    struct tag_name tag = tag_of(name);
    bool found = false;
    READ(w)
    {
        found = tag_get(tx, w->repo.id, &tag, out, NULL);
    }
    return found;
}

static inline bool tag_is(struct world *w, const char *name, const struct digest *digest)
{
    struct tag tag;
    return has_tag(w, name, &tag) && digest_equal(&tag.digest, digest);
}

static inline bool has_manifest(struct world *w, const struct digest *digest)
{
    bool here = false;
    READ(w)
    {
        OK(manifest_exists(tx, w->repo.id, digest, &here, err));
    }
    return here;
}

static inline bool has_blob(struct world *w, const struct digest *digest)
{
    struct blob blob;
    bool here = false;
    READ(w)
    {
        here = blob_get(tx, w->repo.id, digest, &blob, NULL);
    }
    return here;
}

static inline size_t size_of_manifest(struct world *w, const struct digest *digest)
{
    struct manifest_info info = {.size = 0};
    READ(w)
    {
        OK(manifest_stat(tx, w->repo.id, digest, &info, err));
    }
    return (size_t)info.size;
}

/* --- images ----------------------------------------------------------------------------------- */

static inline struct digest push_index(struct world *w, const struct digest *child, size_t size,
                                       const char *type)
{
    auto_buf struct buf text = {0};
    buf_str(&text, "{\"schemaVersion\":2,\"manifests\":[");
    descriptor(&text, type, child, size);
    buf_str(&text, "]}");
    return store_manifest(w, TYPE_INDEX, buf_slice_of(&text));
}

/* An artifact whose subject is `subject`; `layer` has three bytes and tells it from others. */
static inline struct digest push_referrer(struct world *w, const struct digest *subject,
                                          const char *layer)
{
    auto_buf struct buf text = {0};
    auto_buf struct buf more = {0};
    struct digest c = push_blob(w, "{}");
    struct digest l = push_blob(w, layer);
    buf_str(&more, ",\"subject\":");
    descriptor(&more, TYPE_IMAGE, subject, IMAGE_TEXT_SIZE);
    image_text(&text, &c, &l, more.p);
    return store_manifest(w, TYPE_IMAGE, buf_slice_of(&text));
}

#endif
