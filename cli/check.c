#include "cli/check.h"

#include "base/digest.h"
#include "base/name.h"
#include "cli/command.h"
#include "cli/say.h"

bool check_namespace(const char *text)
{
    struct namespace_name name;
    struct err err;

    if (!namespace_name_parse(slice_str(text), &name, &err)) {
        say("%s is no namespace: %s", text, err.msg);
        return false;
    }
    return true;
}

bool check_scope(const char *text)
{
    struct repo_name name;
    struct err err;

    if (!strchr(text, '/')) {
        return check_namespace(text);
    }
    if (!repo_name_parse(slice_str(text), &name, &err)) {
        say("%s is neither a namespace nor a repository: %s", text, err.msg);
        return false;
    }
    return true;
}

bool check_policy_scope(const char *text)
{
    if (strcmp(text, "*") == 0) {
        return true;
    }
    if (!strchr(text, '*')) {
        return check_scope(text);
    }
    auto_buf struct buf plain = {0};
    for (const char *p = text; *p; p++) {
        buf_char(&plain,
                 *p == '*' ? 'x' : *p); /* a pattern is a name in which '*' stands for characters */
    }
    const char *slash = strchr(text, '/');
    struct repo_name name;
    if (!slash || memchr(text, '*', (size_t)(slash - text)) ||
        !repo_name_parse(buf_slice_of(&plain), &name, NULL)) {
        say("%s is no policy scope; it is NS, NS/REPO, NS/PATTERN, or * for the whole server",
            text);
        return false;
    }
    return true;
}

bool check_repository(const struct call *call, const char *text, struct buf *out)
{
    const char *ns = call->value[OPTION_NAMESPACE];

    if (ns && !strchr(text, '/')) {
        buf_printf(out, "%s/%s", ns, text);
    } else {
        buf_str(out, text);
    }
    if (slice_index(buf_slice_of(out), '/') < 0) {
        say("%s names no namespace; write NS/%s or give -E NS", text, text);
        return false;
    }
    return check_scope(out->p);
}

/* ---- images ---- */

struct image {
    struct slice host; /* empty: the server that is asked */
    struct slice name;
    struct slice tag;    /* empty: none */
    struct slice digest; /* empty: none */
};

/* Docker's rule: the first component is a host when it holds a dot or a colon, or is "localhost".
 */
static bool is_host(struct slice component)
{
    return slice_index(component, '.') >= 0 || slice_index(component, ':') >= 0 ||
           slice_is(component, "localhost");
}

static void image_split(const char *text, struct image *out)
{
    struct slice s = slice_str(text);

    *out = (struct image){0};
    ptrdiff_t at = slice_index(s, '@');
    if (at >= 0) {
        out->digest = slice_from(s, (size_t)at + 1);
        s = slice_first(s, (size_t)at);
    }
    ptrdiff_t slash = slice_index(s, '/');
    if (slash > 0 && is_host(slice_first(s, (size_t)slash))) {
        out->host = slice_first(s, (size_t)slash);
        s = slice_from(s, (size_t)slash + 1);
    }
    ptrdiff_t colon = slice_rindex(s, ':');
    if (colon >= 0) {
        out->tag = slice_from(s, (size_t)colon + 1);
        s = slice_first(s, (size_t)colon);
    }
    out->name = s;
}

static bool image_fail(const char *text, const char *why)
{
    say("%s is no image: %s; it is [HOST[:PORT]/]NS/REPO:TAG or …@sha256:…", text, why);
    return false;
}

bool check_image(const struct call *call, const char *text, struct buf *out)
{
    const char *ns = call->value[OPTION_NAMESPACE];
    struct image image;
    struct repo_name repo;
    struct tag_name tag;
    struct digest digest;
    struct err err;
    auto_buf struct buf name = {0};

    image_split(text, &image);
    if (ns && !image.host.n && slice_index(image.name, '/') < 0) {
        buf_printf(&name, "%s/", ns);
    }
    buf_slice(&name, image.name);
    if (!repo_name_parse(buf_slice_of(&name), &repo, &err)) {
        return image_fail(text, err.msg);
    }
    if (image.host.n && !host_is_valid(image.host)) {
        return image_fail(text, "the host is not valid");
    }
    if (strchr(text, '@') && !digest_parse(image.digest, &digest, &err)) {
        return image_fail(text, err.msg);
    }
    if (image.tag.p && !tag_name_parse(image.tag, &tag, &err)) {
        return image_fail(text, err.msg);
    }
    if (!image.tag.p && !image.digest.n) {
        image.tag = SLICE_LIT("latest");
    }
    buf_printf(out, "%.*s%s%s", SLICE_FMT(image.host), image.host.n ? "/" : "", repo.text);
    if (image.tag.p) {
        buf_printf(out, ":%.*s", SLICE_FMT(image.tag));
    }
    if (image.digest.n) {
        buf_printf(out, "@%.*s", SLICE_FMT(image.digest));
    }
    return true;
}

bool check_image_says_which(const char *image)
{
    struct image parts;

    image_split(image, &parts);
    return parts.tag.n > 0 || parts.digest.n > 0;
}

struct slice check_image_host(const char *image)
{
    struct image parts;

    image_split(image, &parts);
    return parts.host;
}

static bool is_pinned(const struct image *image)
{
    struct repo_name repo;
    struct digest digest;

    return !image->tag.p && repo_name_parse(image->name, &repo, NULL) &&
           (!image->host.n || host_is_valid(image->host)) &&
           digest_parse(image->digest, &digest, NULL);
}

/* A host without a dot is read as the first component of the name. */
static bool is_name_of(struct slice asked, struct slice name)
{
    if (name.n > asked.n && name.p[name.n - asked.n - 1] == '/') {
        name = slice_from(name, name.n - asked.n);
    }
    return slice_equal(name, asked);
}

/* NAME:TAG with the name of NAME@DIGEST. */
static bool is_tag_of(const char *pinned, const char *image)
{
    size_t n = strcspn(pinned, "@");
    struct tag_name tag;

    return strncmp(image, pinned, n) == 0 && image[n] == ':' &&
           tag_name_parse(slice_str(image + n + 1), &tag, NULL);
}

bool check_released(const char *asked, const char *pinned, const char *image)
{
    struct image given, wanted = {0};

    image_split(pinned, &given);
    if (!is_pinned(&given) || (image && !is_tag_of(pinned, image))) {
        return false;
    }
    if (!asked) {
        return true;
    }
    image_split(asked, &wanted);
    return is_name_of(wanted.name, given.name) &&
           (!wanted.digest.n || slice_equal(wanted.digest, given.digest));
}

bool check_word(enum flag option, const char *text, const char *const words[])
{
    auto_buf struct buf list = {0};

    for (size_t i = 0; words[i]; i++) {
        if (strcmp(words[i], text) == 0) {
            return true;
        }
        buf_printf(&list, "%s%s", i ? ", " : "", words[i]);
    }
    say("--%s takes one of: %s; not %s", option_name(option), list.p, text);
    return false;
}
