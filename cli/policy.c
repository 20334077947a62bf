/* bond policy list, get, set */
#include "base/json.h"
#include "cli/check.h"
#include "cli/client.h"
#include "cli/document.h"
#include "cli/output.h"
#include "cli/say.h"

static void policy_path(struct buf *out, const char *scope)
{
    buf_str(out, "/api/v1/policy");
    client_query(out, "scope", scope);
}

static enum outcome list(const struct call *call)
{
    static const struct column columns[] = {{"SCOPE", "scope"}, {"LEVEL", "level"}, {NULL, NULL}};
    auto_json json_t *answer = NULL;
    size_t i;
    json_t *row;

    enum outcome outcome = api(call, "GET", "/api/v1/policies", NULL, &answer);
    if (outcome != OUTCOME_OK) {
        return outcome;
    }
    if (call_has(call, OPTION_JSON)) {
        output_json(answer);
        return OUTCOME_OK;
    }
    json_array_foreach(json_get_array(answer, "policies"), i, row)
    {
        (void)json_object_set(row, "level",
                              json_object_get(json_object_get(row, "policy"), "level"));
    }
    output_list(call, answer, "policies", columns);
    return OUTCOME_OK;
}

/* A policy is a document, so it is printed as one in any case; with -q its level alone. */
static enum outcome get(const struct call *call)
{
    const char *scope = call->n ? call->args[0] : call->value[OPTION_NAMESPACE];
    auto_json json_t *answer = NULL;
    auto_buf struct buf path = {0};

    scope = scope ? scope : "*";
    if (!check_policy_scope(scope)) {
        return OUTCOME_USAGE;
    }
    policy_path(&path, scope);
    enum outcome outcome = api(call, "GET", path.p, NULL, &answer);
    if (outcome != OUTCOME_OK) {
        return outcome;
    }
    if (call_has(call, OPTION_QUIET)) {
        const char *level = json_get_string(json_get_object(answer, "policy"), "level");
        printf("%s\n", level ? level : "-");
        return OUTCOME_OK;
    }
    output_json(answer);
    return OUTCOME_OK;
}

static enum outcome policy_file(const char *name, json_t **out)
{
    enum outcome outcome = document_read(name, out);
    if (outcome != OUTCOME_OK) {
        return outcome;
    }
    /* the whole answer of `bond policy get` is taken as well */
    json_t *inner = json_get_object(*out, "policy");
    if (inner) {
        json_incref(inner);
        json_decref(*out);
        *out = inner;
    }
    return OUTCOME_OK;
}

/* Changes the level alone: everything else stays as it applies to this scope now, own policy or
 * inherited one, so that a stricter setting is never lost by raising or lowering the level. */
static enum outcome policy_with_level(const struct call *call, const char *scope, json_t **out)
{
    static const char *const levels[] = {"off", "warn", "deploy", "all", "lock", NULL};
    const char *level = call->value[OPTION_LEVEL];
    auto_json json_t *answer = NULL;
    auto_buf struct buf path = {0};

    if (!check_word(OPTION_LEVEL, level, levels)) {
        return OUTCOME_USAGE;
    }
    policy_path(&path, scope);
    enum outcome outcome = api(call, "GET", path.p, NULL, &answer);
    if (outcome != OUTCOME_OK) {
        return outcome;
    }
    json_t *policy = json_get_object(answer, "policy");
    *out = policy ? json_incref(policy) : json_object();
    (void)json_object_set_new(*out, "level", json_string(level));
    return OUTCOME_OK;
}

static enum outcome set(const struct call *call)
{
    const char *scope = call->args[0];
    auto_json json_t *policy = NULL;
    auto_json json_t *answer = NULL;
    auto_buf struct buf path = {0};

    if (call_has(call, OPTION_LEVEL) == call_has(call, OPTION_FILE)) {
        say("give either --level LEVEL, or the whole policy with --file FILE");
        return OUTCOME_USAGE;
    }
    if (!check_policy_scope(scope)) {
        return OUTCOME_USAGE;
    }
    enum outcome outcome = call_has(call, OPTION_FILE)
                               ? policy_file(call->value[OPTION_FILE], &policy)
                               : policy_with_level(call, scope, &policy);
    if (outcome != OUTCOME_OK) {
        return outcome;
    }
    policy_path(&path, scope);
    outcome = api(call, "PUT", path.p, policy, &answer);
    if (outcome != OUTCOME_OK) {
        return outcome;
    }
    if (call_has(call, OPTION_JSON) && answer) {
        output_json(answer);
    } else if (!call_has(call, OPTION_QUIET)) {
        const char *level = json_get_string(policy, "level");
        say("the policy of %s is stored, level %s", scope, level ? level : "deploy");
    }
    return OUTCOME_OK;
}

const struct command policy_commands[] = {
    {"policy list", "", 0, 0, false, {OPTION_NONE}, "List the policies you may see.", list},
    {"policy get",
     "[NS[/REPO|/PATTERN]]",
     0,
     1,
     false,
     {OPTION_NONE},
     "Show the policy that applies; without a scope the server's own.",
     get},
    {"policy set",
     "NS[/REPO|/PATTERN]",
     1,
     1,
     true,
     {OPTION_LEVEL, OPTION_FILE},
     "Set the gate's level, or the whole policy.",
     set},
    {.name = NULL},
};
