/* bond namespaces list, create (alias: environments) */
#include "cli/check.h"
#include "cli/client.h"
#include "cli/output.h"
#include "cli/say.h"

static const struct column columns[] = {
    {"NAME", "name"},       {"VISIBILITY", "visibility"},
    {"ROLE", "role"},       {"REPOSITORIES", "repositories"},
    {"CREATED", "created"}, {NULL, NULL},
};

static enum outcome list(const struct call *call)
{
    auto_json json_t *answer = NULL;

    enum outcome outcome = api(call, "GET", "/api/v1/namespaces", NULL, &answer);
    if (outcome == OUTCOME_OK) {
        output_list(call, answer, "namespaces", columns);
    }
    return outcome;
}

static enum outcome create(const struct call *call)
{
    static const char *const visibilities[] = {"private", "internal", "public", NULL};
    const char *visibility =
        call_has(call, OPTION_VISIBILITY) ? call->value[OPTION_VISIBILITY] : "private";
    auto_json json_t *answer = NULL;

    if (!check_namespace(call->args[0]) ||
        !check_word(OPTION_VISIBILITY, visibility, visibilities)) {
        return OUTCOME_USAGE;
    }
    auto_json json_t *body =
        json_pack("{s:s, s:s}", "name", call->args[0], "visibility", visibility);
    enum outcome outcome = api(call, "POST", "/api/v1/namespaces", body, &answer);
    if (outcome != OUTCOME_OK) {
        return outcome;
    }
    if (call_has(call, OPTION_JSON)) {
        output_json(answer);
    } else if (!call_has(call, OPTION_QUIET)) {
        say("the %s namespace %s is made", visibility, call->args[0]);
    }
    return OUTCOME_OK;
}

const struct command namespaces_commands[] = {
    {"namespaces list", "", 0, 0, false, {OPTION_NONE}, "List the namespaces you may see.", list},
    {"namespaces create", "NS", 1, 1, false, {OPTION_VISIBILITY}, "Make a namespace.", create},
    {.name = NULL},
};
