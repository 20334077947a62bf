/* A trust_set out of folders of role files, by the rules of the verdict tool: what is in `cur` is
 * what is stored, what is in `prev` was accepted before. */
#ifndef TESTS_ROLE_SET_H
#define TESTS_ROLE_SET_H

#include "base/json.h"
#include "tests/role_folder.h"
#include "trust/verify/state.h"

struct role_set {
    struct trust_set set;
    struct trust_file *roots, *files;
    struct trust_seen *seen;
    struct spki *pin;
};

/* The version that a root document gives; 0 when it has none that can be read. */
static inline int64_t role_set_root_version(struct slice bytes)
{
    auto_json json_t *top = NULL;
    int64_t version = 0;

    if (json_read(bytes, JSON_DEPTH_DEFAULT, &top, NULL)) {
        (void)json_get_int(json_object_get(top, "signed"), "version", &version);
    }
    return version;
}

static inline int64_t role_set_number(const struct role_text *doc)
{
    return doc->number ? doc->number : role_set_root_version(doc->bytes);
}

static inline int role_set_by_number(const void *a, const void *b)
{
    struct role_text x = {.number = 0};
    struct role_text y = {.number = 0};
    x.bytes = ((const struct trust_file *)a)->bytes;
    y.bytes = ((const struct trust_file *)b)->bytes;
    int64_t m = role_set_number(&x);
    int64_t n = role_set_number(&y);
    return (m > n) - (m < n);
}

static inline void role_set_add_root(struct role_set *s, const struct role_text *doc)
{
    s->roots = xrealloc(s->roots, (s->set.root_count + 1) * sizeof(*s->roots));
    s->roots[s->set.root_count++] = (struct trust_file){.role = "root", .bytes = doc->bytes};
    s->set.roots = s->roots;
}

static inline bool role_set_has_root(const struct role_set *s, int64_t number)
{
    for (size_t i = 0; i < s->set.root_count; i++) {
        if (role_set_root_version(s->roots[i].bytes) == number) {
            return true;
        }
    }
    return false;
}

/* Every root of `cur`, and of `prev` those that are older than any of them. A root.json beside an
 * equal N.root.json is one root. */
static inline void role_set_roots(struct role_set *s, const struct role_folder *cur,
                                  const struct role_folder *prev)
{
    int64_t lowest = INT64_MAX;

    for (size_t i = 0; i < cur->count; i++) {
        const struct role_text *doc = &cur->docs[i];
        if (strcmp(doc->role, "root") == 0) {
            int64_t number = role_set_number(doc);
            const struct role_text *newest = role_folder_find(cur, "root");
            bool repeated = doc->number && newest && role_set_number(newest) == number;
            lowest = number < lowest ? number : lowest;
            if (!repeated) {
                role_set_add_root(s, doc);
            }
        }
    }
    for (size_t i = 0; prev && i < prev->count; i++) {
        const struct role_text *doc = &prev->docs[i];
        int64_t number = strcmp(doc->role, "root") == 0 ? role_set_number(doc) : 0;
        if (number > 0 && number < lowest && !role_set_has_root(s, number)) {
            role_set_add_root(s, doc);
        }
    }
    if (s->set.root_count > 0) {
        qsort(s->roots, s->set.root_count, sizeof(*s->roots), role_set_by_number);
    }
}

static inline void role_set_files(struct role_set *s, const struct role_folder *cur)
{
    s->files = xcalloc(cur->count + 1, sizeof(*s->files));
    for (size_t i = 0; i < cur->count; i++) {
        if (cur->docs[i].number == 0 && strcmp(cur->docs[i].role, "root") != 0) {
            s->files[s->set.file_count++] =
                (struct trust_file){.role = cur->docs[i].role, .bytes = cur->docs[i].bytes};
        }
    }
    s->set.files = s->files;
}

/* The newest version of each role; of equal ones the first that is offered. */
static inline void role_set_see(struct role_set *s, const struct role_folder *from)
{
    for (size_t i = 0; from && i < from->count; i++) {
        struct tuf_doc *doc = NULL;
        struct trust_seen seen = {.role = from->docs[i].role};
        size_t at = 0;
        if (tuf_doc_read(slice_str(seen.role), from->docs[i].bytes, &doc, NULL) == DOC_OK) {
            seen.version = doc->version;
            seen.has_signed = true;
            memcpy(seen.signed_sha256, doc->signed_sha256, sizeof(seen.signed_sha256));
        }
        tuf_doc_free(doc);
        while (at < s->set.seen_count && strcmp(s->seen[at].role, seen.role) != 0) {
            at++;
        }
        if (at == s->set.seen_count) {
            s->seen = xrealloc(s->seen, (at + 1) * sizeof(*s->seen));
            s->seen[s->set.seen_count++] = seen;
        } else if (seen.version > s->seen[at].version) {
            s->seen[at] = seen;
        }
    }
    s->set.seen = s->seen;
}

/* The keys of the first root of the folder. A root that cannot be read pins a key that nobody has.
 */
static inline void role_set_pin(struct role_set *s, const struct role_folder *from)
{
    const struct role_text *first = NULL;
    struct tuf_doc *doc = NULL;

    for (size_t i = 0; i < from->count; i++) {
        const struct role_text *candidate = &from->docs[i];
        if (strcmp(candidate->role, "root") == 0 &&
            (!first || role_set_number(candidate) < role_set_number(first))) {
            first = candidate;
        }
    }
    if (!first) {
        return;
    }
    if (tuf_doc_read(SLICE_LIT("root"), first->bytes, &doc, NULL) == DOC_OK) {
        s->set.pin_count = trust_root_spkis(doc, &s->pin);
    }
    tuf_doc_free(doc);
    if (s->set.pin_count == 0) {
        free(s->pin);
        s->pin = xcalloc(1, sizeof(*s->pin));
        s->set.pin_count = 1;
    }
    s->set.pin = s->pin;
}

/* What is stored when `cur` is stored and `prev` (may be NULL) was accepted before. Borrows from
 * both; role_set_free. */
static inline void role_set_build(struct role_set *s, const struct role_folder *cur,
                                  const struct role_folder *prev, struct slice gun)
{
    *s = (struct role_set){.set = {.gun = gun}};
    role_set_roots(s, cur, prev);
    role_set_files(s, cur);
    role_set_see(s, prev);
    role_set_see(s, cur);
    role_set_pin(s, prev && prev->count > 0 ? prev : cur);
}

static inline void role_set_free(struct role_set *s)
{
    free(s->roots);
    free(s->files);
    free(s->seen);
    free(s->pin);
}

#endif
