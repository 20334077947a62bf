#include "cli/document.h"

#include "base/buf.h"
#include "base/fsx.h"
#include "base/json.h"
#include "cli/say.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DOCUMENT_MAX ((size_t)1 << 20)
#define ROLE_DOCUMENT_MAX ((size_t)16 << 20) /* the server's bound */
#define ROLE_DEPTH_MAX 8
#define ROLES_MAX 512

static enum outcome read_all(int fd, struct buf *out)
{
    char part[65536];
    ssize_t n;

    while ((n = read(fd, part, sizeof(part))) != 0) {
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return OUTCOME_FAILED;
        }
        buf_put(out, part, (size_t)n);
        if (out->failed) {
            return OUTCOME_FAILED;
        }
    }
    return OUTCOME_OK;
}

static bool is_stdin(const char *name)
{
    return strcmp(name, "-") == 0;
}

static const char *shown(const char *name)
{
    return is_stdin(name) ? "standard input" : name;
}

static enum outcome read_file(const char *name, struct buf *out)
{
    auto_fd int fd = is_stdin(name) ? -1 : open(name, O_RDONLY | O_CLOEXEC);

    if ((!is_stdin(name) && fd < 0) ||
        read_all(is_stdin(name) ? STDIN_FILENO : fd, out) != OUTCOME_OK) {
        say("cannot read the document from %s, or it is larger than 1 MiB", shown(name));
        return OUTCOME_USAGE;
    }
    return OUTCOME_OK;
}

enum outcome document_read(const char *name, json_t **out)
{
    auto_buf struct buf text = {.max = DOCUMENT_MAX};
    struct err err;

    if (read_file(name, &text) != OUTCOME_OK) {
        return OUTCOME_USAGE;
    }
    if (!json_read(buf_slice_of(&text), JSON_DEPTH_DEFAULT, out, &err)) {
        say("%s is no JSON document: %s", shown(name), err.msg);
        return OUTCOME_USAGE;
    }
    if (!json_is_object(*out)) {
        say("%s must hold one JSON object", shown(name));
        return OUTCOME_USAGE;
    }
    return OUTCOME_OK;
}

/* The lines of the next block, with its first and its last. */
static bool next_certificate(struct slice *rest, struct buf *block)
{
    struct slice line;
    bool inside = false;

    while (slice_next(rest, '\n', &line)) {
        line = slice_ends(line, "\r") ? slice_first(line, line.n - 1) : line;
        inside = inside || slice_is(line, "-----BEGIN CERTIFICATE-----");
        if (inside) {
            buf_slice(block, line);
            buf_str(block, "\n");
        }
        if (inside && slice_is(line, "-----END CERTIFICATE-----")) {
            return true;
        }
    }
    return false;
}

enum outcome certificates_read(const char *name, json_t **out)
{
    auto_buf struct buf text = {.max = DOCUMENT_MAX}, block = {0};

    if (read_file(name, &text) != OUTCOME_OK) {
        return OUTCOME_USAGE;
    }
    struct slice rest = buf_slice_of(&text);
    auto_json json_t *list = json_array();
    while (next_certificate(&rest, &block)) {
        (void)json_array_append_new(list, json_stringn(block.p, block.n));
        buf_clear(&block);
    }
    if (block.n > 0) {
        say("%s ends within a certificate: -----END CERTIFICATE----- is missing", shown(name));
        return OUTCOME_USAGE;
    }
    if (json_array_size(list) == 0) {
        say("%s holds no certificate in PEM, -----BEGIN CERTIFICATE-----", shown(name));
        return OUTCOME_USAGE;
    }
    *out = take(list);
    return OUTCOME_OK;
}

/* --- a folder of signed documents ------------------------------------------------------------- */

/* The text is kept as it is: signatures are over bytes. */
static enum outcome role_read(int folder, const char *file, const char *role, json_t *out)
{
    auto_buf struct buf text = {.max = ROLE_DOCUMENT_MAX};
    auto_fd int fd = openat(folder, file, O_RDONLY | O_CLOEXEC);
    json_t *value = NULL;

    if (fd >= 0 && read_all(fd, &text) == OUTCOME_OK) {
        value = json_stringn(text.p ? text.p : "", text.n);
    }
    if (!value || json_object_size(out) >= ROLES_MAX) {
        json_decref(value);
        say("cannot send the document %s: it cannot be read, is no text, is larger than 16 MiB, or "
            "there are more than %d",
            role, ROLES_MAX);
        return OUTCOME_USAGE;
    }
    (void)json_object_set_new(out, role, value);
    return OUTCOME_OK;
}

static enum outcome folder_read(int at, const char *name, const char *prefix, int depth,
                                json_t *out);

static enum outcome entry_read(int folder, const char *name, const char *prefix, int depth,
                               json_t *out)
{
    auto_buf struct buf role = {0};
    struct stat st;
    size_t n = strlen(name);

    if (name[0] == '.' || fstatat(folder, name, &st, 0) != 0) {
        return OUTCOME_OK;
    }
    buf_printf(&role, "%s%s%s", prefix, prefix[0] ? "/" : "", name);
    if (S_ISDIR(st.st_mode)) {
        return folder_read(folder, name, role.p, depth + 1, out);
    }
    if (!S_ISREG(st.st_mode) || n <= 5 || strcmp(name + n - 5, ".json") != 0) {
        return OUTCOME_OK;
    }
    role.p[role.n - 5] = '\0';
    return role_read(folder, name, role.p, out);
}

static enum outcome folder_read(int at, const char *name, const char *prefix, int depth,
                                json_t *out)
{
    enum outcome outcome = OUTCOME_OK;
    int fd = depth > ROLE_DEPTH_MAX ? -1 : openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);

    if (!dir) {
        say("cannot read the folder %s, or it is too deep", name);
        if (fd >= 0) {
            (void)close(fd);
        }
        return OUTCOME_USAGE;
    }
    const struct dirent *entry;
    while (outcome == OUTCOME_OK && (entry = readdir(dir)) != NULL) {
        outcome = entry_read(fd, entry->d_name, prefix, depth, out);
    }
    (void)closedir(dir);
    return outcome;
}

enum outcome documents_read(const char *folder, json_t **out)
{
    *out = json_object();
    enum outcome outcome = folder_read(AT_FDCWD, folder, "", 0, *out);
    if (outcome == OUTCOME_OK && json_object_size(*out) == 0) {
        say("%s holds no document: it is a folder of files such as targets.json", folder);
        outcome = OUTCOME_USAGE;
    }
    if (outcome != OUTCOME_OK) {
        json_decref(*out);
        *out = NULL;
    }
    return outcome;
}
