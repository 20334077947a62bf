/* bond deploy list, releases list, update, rm: which image each service was given. */
#include "base/json.h"
#include "cli/check.h"
#include "cli/client.h"
#include "cli/output.h"
#include "cli/pages.h"
#include "cli/removal.h"
#include "cli/say.h"
#include "cli/service.h"

/* ---- lists ---- */

static enum outcome services_list(const struct call *call)
{
    static const struct column columns[] = {
        {"SERVICE", "service"}, {"RELEASE", "release"}, {"IMAGE", "image"}, {"PINNED", "pinned"},
        {"CREATED", "created"}, {"BY", "by"},           {NULL, NULL}};
    auto_json json_t *answer = NULL;
    auto_buf struct buf path = {0};

    if (!check_namespace(call->args[0])) {
        return OUTCOME_USAGE;
    }
    buf_str(&path, DEPLOYMENTS "/");
    client_segment(&path, call->args[0]);
    const struct pages pages = {
        .path = path.p, .rows = "services", .parameter = "last", .place = "service"};
    enum outcome outcome = pages_read(call, &pages, &answer);
    if (outcome == OUTCOME_OK) {
        output_list(call, answer, pages.rows, columns);
    }
    return outcome;
}

static enum outcome releases_list(const struct call *call)
{
    static const struct column columns[] = {
        {"RELEASE", "release"}, {"CURRENT", "current"}, {"IMAGE", "image"},
        {"PINNED", "pinned"},   {"CREATED", "created"}, {"BY", "by"},
        {"REASON", "reason"},   {"NOTES", "notes"},     {NULL, NULL}};
    auto_json json_t *answer = NULL;
    auto_buf struct buf path = {0};

    if (!service_path(call, call->args[0], &path)) {
        return OUTCOME_USAGE;
    }
    const struct pages pages = {
        .path = path.p, .rows = "releases", .parameter = "before", .place = "release"};
    enum outcome outcome = pages_read(call, &pages, &answer);
    if (outcome == OUTCOME_OK) {
        output_list(call, answer, pages.rows, columns);
    }
    return outcome;
}

/* ---- changing ---- */

static enum outcome update(const struct call *call)
{
    auto_json json_t *answer = NULL;
    auto_buf struct buf path = {0};
    int64_t number = 0;

    if (!call_has(call, OPTION_NOTES)) {
        say("say what to note: --notes TEXT");
        return OUTCOME_USAGE;
    }
    if (!service_path(call, call->args[0], &path) || !release_number(call->args[1], &number)) {
        return OUTCOME_USAGE;
    }
    buf_printf(&path, "/%lld", (long long)number);
    auto_json json_t *body = with_notes(call, json_object());
    if (!body) {
        return OUTCOME_USAGE;
    }
    enum outcome outcome = api(call, "PATCH", path.p, body, &answer);
    if (outcome == OUTCOME_OK && call_has(call, OPTION_JSON)) {
        output_json(answer);
    }
    return outcome;
}

/* One release, or with --confirm the service as a whole. */
static enum outcome rm(const struct call *call)
{
    auto_buf struct buf path = {0};
    int64_t number = 0;

    if (!service_path(call, call->args[0], &path)) {
        return OUTCOME_USAGE;
    }
    if (call->n == 1 ? !removal_is_confirmed(call, call->args[0])
                     : !release_number(call->args[1], &number)) {
        return OUTCOME_USAGE;
    }
    if (call->n > 1) {
        buf_printf(&path, "/%lld", (long long)number);
    }
    enum outcome outcome = api(call, "DELETE", path.p, NULL, NULL);
    if (outcome != OUTCOME_OK || call_has(call, OPTION_QUIET)) {
        return outcome;
    }
    if (call->n > 1) {
        say("release %lld of %s is removed", (long long)number, call->args[0]);
    } else {
        say("%s is removed with its releases; what runs is not touched", call->args[0]);
    }
    return outcome;
}

const struct command releases_commands[] = {
    {"deploy list",
     "NS",
     1,
     1,
     true,
     {OPTION_NONE},
     "List the services of a namespace with their current releases.",
     services_list},
    {"releases list",
     "[NS/]SERVICE",
     1,
     1,
     false,
     {OPTION_NONE},
     "List the releases of a service, newest first.",
     releases_list},
    {"releases update",
     "[NS/]SERVICE RELEASE",
     2,
     2,
     false,
     {OPTION_NOTES},
     "Change the notes of a release.",
     update},
    {"releases rm",
     "[NS/]SERVICE [RELEASE]",
     1,
     2,
     false,
     {OPTION_CONFIRM},
     "Forget an earlier release, or a whole service.",
     rm},
    {.name = NULL},
};
