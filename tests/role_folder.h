/* A folder of role files as in tests/vectors/tuf: <role>.json with '/' of the role written as "__"
 * or as a folder, older roots as N.root.json. For the verdict tool and the tests; everything is
 * read into memory. */
#ifndef TESTS_ROLE_FOLDER_H
#define TESTS_ROLE_FOLDER_H

#include "base/buf.h"
#include "trust/verify/role.h"

#include <dirent.h>
#include <stdio.h>

#define ROLE_FOLDER_MAX 600

struct role_text {
    char role[512];
    int64_t number; /* of N.root.json; 0 for the current document of the role */
    struct slice bytes;
};

struct role_folder {
    struct role_text *docs;
    size_t count;
};

static inline bool role_folder_read_file(const char *path, struct buf *out)
{
    FILE *f = fopen(path, "rb");
    char piece[65536];
    size_t n;

    if (!f) {
        return false;
    }
    while ((n = fread(piece, 1, sizeof(piece), f)) > 0) {
        buf_put(out, piece, n);
    }
    bool ok = !ferror(f);
    (void)fclose(f);
    return ok;
}

/* "targets__releases" or "targets/releases" -> role; "3.root" -> root 3. False when the name means
 * nothing here. */
static inline bool role_folder_name(const char *stem, struct role_text *doc)
{
    struct slice name = slice_str(stem);
    ptrdiff_t dot = slice_index(name, '.');
    size_t n = 0;

    if (dot > 0 && slice_is(slice_from(name, (size_t)dot + 1), "root") &&
        slice_to_int64(slice_first(name, (size_t)dot), &doc->number)) {
        (void)snprintf(doc->role, sizeof(doc->role), "root");
        return doc->number > 0;
    }
    for (size_t i = 0; i < name.n && n + 1 < sizeof(doc->role); i++) {
        bool cut = name.p[i] == '_' && i + 1 < name.n && name.p[i + 1] == '_';
        doc->role[n++] = cut ? '/' : name.p[i];
        i += cut;
    }
    doc->role[n] = '\0';
    return role_parse(slice_str(doc->role)) != ROLE_NONE ||
           slice_starts(slice_str(doc->role), "targets/");
}

static inline bool role_folder_add(struct role_folder *f, const char *path, const char *stem)
{
    auto_buf struct buf bytes = {0};
    struct role_text doc = {.role = "", .number = 0};

    if (!role_folder_name(stem, &doc)) {
        return true;
    }
    if (f->count == ROLE_FOLDER_MAX || !role_folder_read_file(path, &bytes)) {
        return false;
    }
    doc.bytes.p = buf_steal(&bytes, &doc.bytes.n);
    f->docs = xrealloc(f->docs, (f->count + 1) * sizeof(*f->docs));
    f->docs[f->count++] = doc;
    return true;
}

static inline bool role_folder_scan(struct role_folder *f, const char *path, const char *prefix);

/* One entry of a folder: a document, a folder of delegations, or nothing of ours. */
static inline bool role_folder_entry(struct role_folder *f, const char *path, const char *prefix,
                                     const char *entry)
{
    auto_buf struct buf child = {0};
    auto_buf struct buf stem = {0};
    struct slice name = slice_str(entry);

    buf_printf(&child, "%s/%s", path, entry);
    if (slice_ends(name, ".json")) {
        buf_printf(&stem, "%s%.*s", prefix, SLICE_FMT(slice_first(name, name.n - 5)));
        return role_folder_add(f, child.p, stem.p);
    }
    if (!prefix[0] && !slice_is(name, "targets")) {
        return true;
    }
    buf_printf(&stem, "%s%s/", prefix, entry);
    return role_folder_scan(f, child.p, stem.p);
}

static inline bool role_folder_scan(struct role_folder *f, const char *path, const char *prefix)
{
    DIR *dir = opendir(path);
    bool ok = dir != NULL;

    for (struct dirent *e = dir ? readdir(dir) : NULL; ok && e; e = readdir(dir)) {
        ok = e->d_name[0] == '.' || role_folder_entry(f, path, prefix, e->d_name);
    }
    if (dir) {
        (void)closedir(dir);
    }
    return ok;
}

/* False when the folder or a file of it cannot be read. Free with role_folder_free, also then. */
static inline bool role_folder_read(const char *path, struct role_folder *out)
{
    *out = (struct role_folder){0};
    return role_folder_scan(out, path, "");
}

static inline void role_folder_free(struct role_folder *f)
{
    for (size_t i = 0; i < f->count; i++) {
        free((void *)(uintptr_t)f->docs[i].bytes.p);
    }
    free(f->docs);
}

static inline const struct role_text *role_folder_find(const struct role_folder *f,
                                                       const char *role)
{
    for (size_t i = 0; i < f->count; i++) {
        if (f->docs[i].number == 0 && strcmp(f->docs[i].role, role) == 0) {
            return &f->docs[i];
        }
    }
    return NULL;
}

#endif
