/* A checked name is what was asked for, has no byte that a path or a header could misread, and has
 * a namespace. */
#include "base/name.h"
#include "tests/fuzz/fuzz.h"

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
