/* bond images list, images tags list */
#include "cli/check.h"
#include "cli/client.h"
#include "cli/output.h"

static enum outcome list(const struct call *call)
{
    static const struct column columns[] = {{"NAME", "name"}, {"TAGS", "tags"}, {NULL, NULL}};
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
    enum outcome outcome = api(call, "GET", path.p, NULL, &answer);
    if (outcome == OUTCOME_OK) {
        output_list(call, answer, "images", columns);
    }
    return outcome;
}

static enum outcome tags_list(const struct call *call)
{
    static const struct column columns[] = {
        {"TAG", "name"}, {"DIGEST", "digest"}, {"UPDATED", "updated"}, {NULL, NULL}};
    auto_json json_t *answer = NULL;
    auto_buf struct buf path = {0};
    auto_buf struct buf name = {0};

    if (!check_repository(call, call->args[0], &name)) {
        return OUTCOME_USAGE;
    }
    buf_str(&path, "/api/v1/images/");
    client_segments(&path, name.p);
    buf_str(&path, "/tags");
    enum outcome outcome = api(call, "GET", path.p, NULL, &answer);
    if (outcome == OUTCOME_OK) {
        output_list(call, answer, "tags", columns);
    }
    return outcome;
}

const struct command images_commands[] = {
    {"images list", "[NS]", 0, 1, false, {OPTION_NONE}, "List the repositories you may see.", list},
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
