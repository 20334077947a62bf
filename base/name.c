#include "base/name.h"

#define NAMESPACE_NAME_MAX 128
#define HOST_NAME_MAX_BYTES 253
#define HOST_LABEL_MAX 63

static bool is_alnum_lower(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Bytes of one separator (\.|_|__|-+) at the start of s, 0 when there is none. */
static size_t separator(struct slice s)
{
    if (s.n == 0) {
        return 0;
    }
    if (s.p[0] == '.') {
        return 1;
    }
    if (s.p[0] == '_') {
        return (s.n > 1 && s.p[1] == '_') ? 2 : 1;
    }
    size_t n = 0;
    while (n < s.n && s.p[n] == '-') {
        n++;
    }
    return n;
}

/* [a-z0-9]+((\.|_|__|-+)[a-z0-9]+)* */
static bool is_component(struct slice s)
{
    for (;;) {
        size_t n = 0;
        while (n < s.n && is_alnum_lower(s.p[n])) {
            n++;
        }
        if (n == 0) {
            return false;
        }
        s = slice_from(s, n);
        if (s.n == 0) {
            return true;
        }
        n = separator(s);
        if (n == 0) {
            return false;
        }
        s = slice_from(s, n);
    }
}

static bool name_set(struct slice text, char *out, size_t max, uint16_t *n)
{
    if (text.n == 0 || text.n > max) {
        return false;
    }
    memcpy(out, text.p, text.n);
    out[text.n] = '\0';
    *n = (uint16_t)text.n;
    return true;
}

static bool components_are_valid(struct slice text)
{
    struct slice rest = text;
    struct slice component;
    while (slice_next(&rest, '/', &component)) {
        if (!is_component(component)) {
            return false;
        }
    }
    return text.n > 0;
}

bool repo_name_parse(struct slice text, struct repo_name *out, struct err *err)
{
    *out = (struct repo_name){0};
    if (text.n > REPO_NAME_MAX) {
        return err_set(err, ERR_NAME_INVALID, "a repository name has at most %d characters",
                       REPO_NAME_MAX);
    }
    if (!components_are_valid(text)) {
        return err_set(err, ERR_NAME_INVALID,
                       "invalid repository name: components of lower-case letters and digits, "
                       "separated inside by one of . _ __ or dashes, are joined by /");
    }
    ptrdiff_t slash = slice_index(text, '/');
    if (slash < 0) {
        return err_set(err, ERR_NAME_INVALID,
                       "the repository name %.*s lacks a namespace: use NAMESPACE/%.*s",
                       SLICE_FMT(text), SLICE_FMT(text));
    }
    if (slash > NAMESPACE_NAME_MAX) {
        return err_set(err, ERR_NAME_INVALID, "a namespace name has at most %d characters",
                       NAMESPACE_NAME_MAX);
    }
    out->namespace_n = (uint16_t)slash;
    return name_set(text, out->text, REPO_NAME_MAX, &out->n);
}

bool namespace_name_parse(struct slice text, struct namespace_name *out, struct err *err)
{
    *out = (struct namespace_name){0};
    if (text.n > NAMESPACE_NAME_MAX) {
        return err_set(err, ERR_NAME_INVALID, "a namespace name has at most %d characters",
                       NAMESPACE_NAME_MAX);
    }
    if (!is_component(text)) {
        return err_set(err, ERR_NAME_INVALID,
                       "invalid namespace name: lower-case letters and digits, separated inside "
                       "by one of . _ __ or dashes");
    }
    return name_set(text, out->text, NAMESPACE_NAME_MAX, &out->n);
}

static bool is_tag_char(char c, bool first)
{
    if (is_alnum_lower(c) || (c >= 'A' && c <= 'Z') || c == '_') {
        return true;
    }
    return !first && (c == '.' || c == '-');
}

bool tag_name_parse(struct slice text, struct tag_name *out, struct err *err)
{
    *out = (struct tag_name){0};
    bool good = text.n >= 1 && text.n <= TAG_NAME_MAX;
    for (size_t i = 0; good && i < text.n; i++) {
        good = is_tag_char(text.p[i], i == 0);
    }
    if (!good) {
        return err_set(err, ERR_TAG_INVALID,
                       "invalid tag name: 1 to %d of letters, digits, _ . -, not starting with . "
                       "or -",
                       TAG_NAME_MAX);
    }
    memcpy(out->text, text.p, text.n);
    out->n = (uint8_t)text.n;
    return true;
}

void repo_name_namespace(const struct repo_name *repo, struct namespace_name *out)
{
    *out = (struct namespace_name){.n = repo->namespace_n};
    memcpy(out->text, repo->text, repo->namespace_n);
}

static bool is_host_label(struct slice label)
{
    if (label.n == 0 || label.n > HOST_LABEL_MAX || label.p[0] == '-' ||
        label.p[label.n - 1] == '-') {
        return false;
    }
    for (size_t i = 0; i < label.n; i++) {
        if (!is_alnum_lower(label.p[i]) && label.p[i] != '-') {
            return false;
        }
    }
    return true;
}

static bool is_port(struct slice text)
{
    int64_t port = 0;
    return text.n <= 5 && text.n > 0 && is_digit(text.p[0]) && text.p[0] != '0' &&
           slice_to_int64(text, &port) && port <= 65535;
}

bool host_is_valid(struct slice host)
{
    ptrdiff_t colon = slice_index(host, ':');
    struct slice name = colon < 0 ? host : slice_first(host, (size_t)colon);
    if (colon >= 0 && !is_port(slice_from(host, (size_t)colon + 1))) {
        return false;
    }
    if (name.n == 0 || name.n > HOST_NAME_MAX_BYTES) {
        return false;
    }
    struct slice rest = name;
    struct slice label;
    while (slice_next(&rest, '.', &label)) {
        if (!is_host_label(label)) {
            return false;
        }
    }
    return true;
}
