#include "storage/referrer_fallback.h"

#include "storage/manifest.h"
#include "storage/row.h"
#include "storage/tag.h"

#include <stdio.h>

#define INDEX_TYPE "application/vnd.oci.image.index.v1+json"
#define TAG_HEX_MAX 64

void referrer_fallback_tag(const struct digest *subject, struct tag_name *out)
{
    char hex[DIGEST_STR_MAX];
    int n =
        snprintf(out->text, sizeof(out->text), "%s-%.*s", digest_algorithm_name(subject->algorithm),
                 TAG_HEX_MAX, digest_hex(subject, hex));
    out->n = (uint8_t)n;
}

/* --- the index -------------------------------------------------------------------------------- */

/* One descriptor of the client's index. */
struct candidate {
    const struct digest *digest;
    const json_t *descriptor;
    size_t place; /* in the document */
};

static int compare_candidates(const void *a, const void *b)
{
    const struct candidate *left = a;
    const struct candidate *right = b;
    int order = digest_compare(left->digest, right->digest);
    if (order != 0) {
        return order;
    }
    return left->place < right->place ? -1 : left->place > right->place;
}

/* Passes on every error but the one that only means "no entry". */
static bool is_only(enum err_code harmless, const struct err *why, struct err *err)
{
    if (why->code != harmless && err) {
        *err = *why;
    }
    return why->code == harmless;
}

/* The index that the tag names, NULL when it names nothing that counts. */
static bool read_index(struct db_tx *tx, int64_t repository_id, const struct digest *subject,
                       struct digest *digest_out, struct manifest_doc **out, struct err *err)
{
    struct tag_name tag;
    struct manifest_info info;
    struct err why = {0};
    auto_manifest struct manifest *m = NULL;
    *out = NULL;
    referrer_fallback_tag(subject, &tag);
    if (!manifest_stat_by_tag(tx, repository_id, &tag, NULL, &info, &why)) {
        return is_only(ERR_TAG_UNKNOWN, &why, err);
    }
    if (strcmp(info.media_type, INDEX_TYPE) != 0 || info.size > REFERRER_FALLBACK_BYTES_MAX) {
        return true;
    }
    if (!manifest_get(tx, repository_id, &info.digest, &m, err)) {
        return false;
    }
    *digest_out = info.digest;
    return manifest_parse(manifest_content(m), slice_str(info.media_type), out, &why) ||
           is_only(ERR_MANIFEST_INVALID, &why, err);
}

/* The descriptors after `after` by digest, each digest once. The caller frees them. */
static struct candidate *sort_candidates(const struct manifest_doc *doc, const struct digest *after,
                                         size_t *count_out)
{
    const json_t *list = json_get_array(doc->json, "manifests");
    struct candidate *all = xcalloc(doc->edge_count + 1, sizeof(*all));
    size_t n = 0;
    for (size_t i = 0; i < doc->edge_count; i++) {
        const struct manifest_edge *edge = &doc->edges[i];
        /* children are the first edges of an index, in the order of its list */
        if (edge->kind == EDGE_CHILD && (!after || digest_compare(&edge->digest, after) > 0)) {
            all[n++] = (struct candidate){&edge->digest, json_array_get(list, i), i};
        }
    }
    qsort(all, n, sizeof(*all), compare_candidates);
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (kept == 0 || !digest_equal(all[i].digest, all[kept - 1].digest)) {
            all[kept++] = all[i];
        }
    }
    *count_out = kept;
    return all;
}

/* --- the entries ------------------------------------------------------------------------------ */

static bool is_object_of_texts(const json_t *value)
{
    const char *key = NULL;
    const json_t *text = NULL;
    json_object_foreach((json_t *)value, key, text)
    {
        if (!json_is_string(text)) {
            return false;
        }
    }
    return json_is_object(value);
}

static char *annotations_of(const json_t *descriptor)
{
    const json_t *value = json_get_object(descriptor, "annotations");
    auto_buf struct buf text = {0};
    if (!value || !is_object_of_texts(value)) {
        return NULL;
    }
    json_write(&text, value);
    return buf_steal(&text, NULL);
}

static void describe(struct referrer *out, const struct manifest_info *info,
                     const json_t *descriptor)
{
    struct slice type = slice_str(info->artifact_type);
    if (type.n == 0) {
        type = json_get_slice(descriptor, "artifactType");
    }
    *out = (struct referrer){.digest = info->digest, .size = info->size};
    (void)snprintf(out->media_type, sizeof(out->media_type), "%s", info->media_type);
    if (type.n <= MEDIA_TYPE_MAX) {
        (void)snprintf(out->artifact_type, sizeof(out->artifact_type), "%.*s", SLICE_FMT(type));
    }
}

/* Adds the entry of a descriptor, if it is one (invariant 1) and of the type that is asked for. */
static bool add_entry(struct db_tx *tx, int64_t repository_id, const struct digest *subject,
                      struct slice artifact_type, const struct candidate *c,
                      struct referrer_list *out, struct err *err)
{
    struct manifest_info info;
    struct referrer entry;
    struct err why = {0};
    if (!manifest_stat(tx, repository_id, c->digest, &info, &why)) {
        return is_only(ERR_MANIFEST_UNKNOWN, &why, err);
    }
    if (digest_equal(&info.subject, subject)) {
        return true;
    }
    describe(&entry, &info, c->descriptor);
    if (artifact_type.n > 0 && !slice_is(artifact_type, entry.artifact_type)) {
        return true;
    }
    entry.annotations = annotations_of(c->descriptor);
    out->items = list_room(out->items, out->count, sizeof(*out->items));
    out->items[out->count++] = entry;
    return true;
}

bool referrer_fallback_read(struct db_tx *tx, int64_t repository_id, const struct digest *subject,
                            struct slice artifact_type, const struct digest *after,
                            struct referrer_fallback *out, struct err *err)
{
    auto_manifest_doc struct manifest_doc *doc = NULL;
    auto_free struct candidate *candidates = NULL;
    size_t count = 0;
    *out = (struct referrer_fallback){0};
    if (!read_index(tx, repository_id, subject, &out->index, &doc, err)) {
        return false;
    }
    if (!doc) {
        return true;
    }
    candidates = sort_candidates(doc, after, &count);
    for (size_t i = 0; i < count; i++) {
        if (!add_entry(tx, repository_id, subject, artifact_type, &candidates[i], &out->list,
                       err)) {
            referrer_fallback_dispose(out);
            return false;
        }
    }
    return true;
}

void referrer_fallback_dispose(struct referrer_fallback *fallback)
{
    referrer_list_dispose(&fallback->list);
    fallback->index = (struct digest){0};
}

/* --- merging ---------------------------------------------------------------------------------- */

/* Where in `also` the page begins and ends: what comes after `after`, and not after the page's last entry when another
 * page follows it. */
static void range_of_page(const struct referrer_list *page, const struct referrer_list *also,
                          const struct digest *after, size_t *first_out, size_t *end_out)
{
    size_t first = 0;
    size_t end = also->count;
    const struct digest *last =
        page->more && page->count > 0 ? &page->items[page->count - 1].digest : NULL;
    while (after && first < end && digest_compare(&also->items[first].digest, after) <= 0) {
        first++;
    }
    while (last && end > first && digest_compare(&also->items[end - 1].digest, last) > 0) {
        end--;
    }
    *first_out = first;
    *end_out = end;
}

static struct referrer copy_of(const struct referrer *r)
{
    struct referrer copy = *r;
    copy.annotations = r->annotations ? xstrdup(r->annotations) : NULL;
    return copy;
}

void referrer_list_merge(struct referrer_list *page, const struct referrer_list *also,
                         const struct digest *after, int max)
{
    size_t next = 0;
    size_t end = 0;
    size_t own = 0;
    struct referrer_list merged = {.more = page->more};
    range_of_page(page, also, after, &next, &end);
    if (next == end) {
        return;
    }
    while ((own < page->count || next < end) && merged.count < (size_t)max) {
        merged.items = list_room(merged.items, merged.count, sizeof(*merged.items));
        bool take_own = next == end ||
                        (own < page->count &&
                         digest_compare(&page->items[own].digest, &also->items[next].digest) < 0);
        if (take_own) {
            merged.items[merged.count++] = page->items[own];
            page->items[own++].annotations = NULL; /* it is the merged entry's now */
        } else {
            merged.items[merged.count++] = copy_of(&also->items[next++]);
        }
    }
    merged.more = merged.more || own < page->count || next < end;
    referrer_list_dispose(page);
    *page = merged;
}
