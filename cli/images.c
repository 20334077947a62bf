/* bond images list, rm, images tags list */
#include "base/json.h"
#include "cli/check.h"
#include "cli/client.h"
#include "cli/output.h"
#include "cli/removal.h"

/* Lists come in pages; all of them become one document. The last name of a page asks for the next
 * one. */
static enum outcome pages_read(const struct call *call, const char *path, const char *rows,
                               json_t **out)
{
    auto_json json_t *all = json_array();
    auto_buf struct buf next = {0};

    buf_str(&next, path);
    for (;;) {
        auto_json json_t *page = NULL;
        enum outcome outcome = api(call, "GET", next.p, NULL, &page);
        if (outcome != OUTCOME_OK) {
            return outcome;
        }
        json_t *part = json_get_array(page, rows);
        size_t n = json_array_size(part);
        const char *last = n ? json_get_string(json_array_get(part, n - 1), "name") : NULL;
        (void)json_array_extend(all, part);
        if (!last) {
            break;
        }
        buf_clear(&next);
        buf_str(&next, path);
        client_query(&next, "last", last);
    }
    *out = json_pack("{s:O}", rows, all);
    return OUTCOME_OK;
}

static enum outcome list(const struct call *call)
{
    static const struct column columns[] = {{"NAME", "name"},
                                            {"TAGS", "tags"},
                                            {"MANIFESTS", "manifests"},
                                            {"CREATED", "created"},
                                            {NULL, NULL}};
    const char *ns = call->n ? call->args[0] : call->value[OPTION_NAMESPACE];
    auto_json json_t *answer = NULL;
    auto_buf struct buf path = {0};

    if (ns && !check_namespace(ns)) {
        return OUTCOME_USAGE;
    }
    buf_str(&path, "/api/v1/images");
    if (ns) {
        client_query(&path, "namespace", ns);
    }
    enum outcome outcome = pages_read(call, path.p, "images", &answer);
    if (outcome == OUTCOME_OK) {
        output_list(call, answer, "images", columns);
    }
    return outcome;
}

static enum outcome tags_list(const struct call *call)
{
    static const struct column columns[] = {{"TAG", "name"},  {"DIGEST", "digest"},
                                            {"SIZE", "size"}, {"UPDATED", "updated"},
                                            {"BY", "by"},     {NULL, NULL}};
    auto_json json_t *answer = NULL;
    auto_buf struct buf path = {0};
    auto_buf struct buf name = {0};

    if (!check_repository(call, call->args[0], &name)) {
        return OUTCOME_USAGE;
    }
    buf_str(&path, "/api/v1/images/");
    client_segments(&path, name.p);
    buf_str(&path, "/tags");
    enum outcome outcome = pages_read(call, path.p, "tags", &answer);
    if (outcome == OUTCOME_OK) {
        output_list(call, answer, "tags", columns);
    }
    return outcome;
}

static enum outcome remove_repository(const struct call *call)
{
    auto_buf struct buf path = {0};
    auto_buf struct buf name = {0};

    if (!check_repository(call, call->args[0], &name) || !removal_is_confirmed(call, name.p)) {
        return OUTCOME_USAGE;
    }
    buf_str(&path, "/api/v1/repositories/");
    client_segments(&path, name.p);
    return removal_request(call, &path, name.p);
}

const struct command images_commands[] = {
    {"images list", "[NS]", 0, 1, false, {OPTION_NONE}, "List the repositories you may see.", list},
    {"images rm",
     "NS/REPO",
     1,
     1,
     false,
     {OPTION_CONFIRM, OPTION_FORGET_PINS},
     "Delete a repository with its tags, images and signatures.",
     remove_repository},
    {"images tags list",
     "NS/REPO",
     1,
     1,
     false,
     {OPTION_NONE},
     "List the tags of a repository.",
     tags_list},
    {.name = NULL},
};
