/* A checked name is what was asked for and is exactly what the specification's own regular expression
 * takes (OCI distribution 1.1, "Pulling manifests"): no byte that a path or a header could misread. */
#include "base/buf.h"
#include "base/name.h"
#include "tests/fuzz/fuzz.h"

#include <regex.h>

#define COMPONENT "[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*"

struct grammar {
    const char *expression;
    regex_t compiled;
    bool ready;
};

static struct grammar repository = {.expression = "^" COMPONENT "(/" COMPONENT ")*$"};
static struct grammar component = {.expression = "^" COMPONENT "$"};
static struct grammar tag_grammar = {.expression = "^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$"};

static bool matches(struct grammar *g, struct slice text)
{
    auto_free char *copy = xstrndup(text.n > 0 ? text.p : "", text.n);
    if (!g->ready) {
        HOLDS(regcomp(&g->compiled, g->expression, REG_EXTENDED | REG_NOSUB) == 0);
        g->ready = true;
    }
    return strlen(copy) == text.n && regexec(&g->compiled, copy, 0, NULL, 0) == 0;
}

/* At least two components, the first of at most 128 bytes, is this product's own rule. */
static bool is_repository(struct slice text)
{
    ptrdiff_t slash = slice_index(text, '/');
    return slash > 0 && slash <= 128 && text.n <= REPO_NAME_MAX && matches(&repository, text);
}

static void check_grammar(struct slice text)
{
    struct repo_name repo;
    struct namespace_name ns;
    struct tag_name tag;
    HOLDS(repo_name_parse(text, &repo, NULL) == is_repository(text));
    HOLDS(namespace_name_parse(text, &ns, NULL) == (text.n <= 128 && matches(&component, text)));
    HOLDS(tag_name_parse(text, &tag, NULL) == matches(&tag_grammar, text));
}

static void check_path(struct slice text)
{
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        HOLDS(c > 0x20 && c < 0x7F && c != '%' && c != '\\' && c != '"');
        HOLDS(i + 1 == text.n || c != '.' || text.p[i + 1] != '.');
        HOLDS(i + 1 == text.n || c != '/' || text.p[i + 1] != '/');
    }
    HOLDS(text.n > 0 && text.p[0] != '/' && text.p[text.n - 1] != '/');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_of_bytes(data, size);
    struct repo_name repo;
    struct namespace_name ns;
    struct namespace_name first;
    struct tag_name tag;
    if (text.n <= 512) {
        check_grammar(text);
    }
    if (repo_name_parse(text, &repo, NULL)) {
        HOLDS(slice_equal(text, repo_name_slice(&repo)) && slice_is(text, repo.text));
        check_path(text);
        repo_name_namespace(&repo, &first);
        HOLDS(namespace_name_parse(namespace_name_slice(&first), &ns, NULL));
        HOLDS(repo.text[first.n] == '/');
    }
    if (namespace_name_parse(text, &ns, NULL)) {
        HOLDS(slice_equal(text, namespace_name_slice(&ns)) && slice_is(text, ns.text));
        HOLDS(slice_index(text, '/') < 0);
        check_path(text);
    }
    if (tag_name_parse(text, &tag, NULL)) {
        HOLDS(slice_equal(text, tag_name_slice(&tag)) && slice_is(text, tag.text));
        HOLDS(slice_index(text, '/') < 0 && slice_index(text, ':') < 0 && text.p[0] != '.');
    }
    if (host_is_valid(text)) {
        HOLDS(text.n > 0 && slice_index(text, '/') < 0 && slice_index(text, '@') < 0);
    }
    return 0;
}
