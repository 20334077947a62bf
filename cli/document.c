#include "cli/document.h"

#include "base/buf.h"
#include "base/fsx.h"
#include "base/json.h"
#include "cli/say.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define DOCUMENT_MAX ((size_t)1 << 20)

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

enum outcome document_read(const char *name, json_t **out)
{
    auto_buf struct buf text = {.max = DOCUMENT_MAX};
    struct err err;
    bool from_stdin = strcmp(name, "-") == 0;
    auto_fd int fd = from_stdin ? -1 : open(name, O_RDONLY | O_CLOEXEC);

    if ((!from_stdin && fd < 0) || read_all(from_stdin ? STDIN_FILENO : fd, &text) != OUTCOME_OK) {
        say("cannot read the document from %s, or it is larger than 1 MiB",
            from_stdin ? "standard input" : name);
        return OUTCOME_USAGE;
    }
    if (!json_read(buf_slice_of(&text), JSON_DEPTH_DEFAULT, out, &err)) {
        say("%s is no JSON document: %s", from_stdin ? "standard input" : name, err.msg);
        return OUTCOME_USAGE;
    }
    if (!json_is_object(*out)) {
        say("%s must hold one JSON object", from_stdin ? "standard input" : name);
        return OUTCOME_USAGE;
    }
    return OUTCOME_OK;
}
