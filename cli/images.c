/* bond images list, rm, images tags list */
#include "base/json.h"
#include "cli/check.h"
#include "cli/client.h"
#include "cli/output.h"
#include "cli/pages.h"
#include "cli/removal.h"

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
    const struct pages pages = {
        .path = path.p, .rows = "images", .parameter = "last", .place = "name"};
    enum outcome outcome = pages_read(call, &pages, &answer);
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
    const struct pages pages = {
        .path = path.p, .rows = "tags", .parameter = "last", .place = "name"};
    enum outcome outcome = pages_read(call, &pages, &answer);
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
