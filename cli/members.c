/* bond members list, set, rm */
#include "cli/check.h"
#include "cli/client.h"
#include "cli/command.h"
#include "cli/output.h"
#include "cli/prompt.h"
#include "cli/say.h"

static void members_path(struct buf *out, const char *ns, const char *email)
{
    buf_str(out, "/api/v1/namespaces/");
    client_segment(out, ns);
    buf_str(out, "/members");
    if (email) {
        buf_char(out, '/');
        client_segment(out, email);
    }
}

static enum outcome list(const struct call *call)
{
    static const struct column columns[] = {
        {"USER", "user"}, {"ROLE", "role"}, {"SIGNER", "signer"}, {NULL, NULL}};
    auto_json json_t *answer = NULL;
    auto_buf struct buf path = {0};

    if (!check_namespace(call->args[0])) {
        return OUTCOME_USAGE;
    }
    members_path(&path, call->args[0], NULL);
    enum outcome outcome = api(call, "GET", path.p, NULL, &answer);
    if (outcome == OUTCOME_OK) {
        output_list(call, answer, "members", columns);
    }
    return outcome;
}

static bool role_is_known(const char *role)
{
    static const char *const roles[] = {"reader", "developer", "maintainer", "owner", NULL};

    for (size_t i = 0; roles[i]; i++) {
        if (strcmp(roles[i], role) == 0) {
            return true;
        }
    }
    say("%s is no role; it is reader, developer, maintainer or owner", role);
    return false;
}

static enum outcome set(const struct call *call)
{
    const char *ns = call->args[0], *email = call->args[1], *role = call->args[2];
    auto_json json_t *answer = NULL;
    auto_buf struct buf path = {0};

    if (!check_namespace(ns) || !role_is_known(role)) {
        return OUTCOME_USAGE;
    }
    auto_json json_t *body =
        json_pack("{s:s, s:b}", "role", role, "signer", (int)call_has(call, OPTION_SIGNER));
    members_path(&path, ns, email);
    enum outcome outcome = api(call, "PUT", path.p, body, &answer);
    if (outcome != OUTCOME_OK) {
        return outcome;
    }
    if (call_has(call, OPTION_JSON) && answer) {
        output_json(answer);
    } else if (!call_has(call, OPTION_QUIET)) {
        say("%s is %s in %s%s", email, role, ns,
            call_has(call, OPTION_SIGNER) ? " and may sign" : "");
    }
    return OUTCOME_OK;
}

static enum outcome rm(const struct call *call)
{
    const char *ns = call->args[0], *email = call->args[1];
    auto_buf struct buf path = {0};
    auto_buf struct buf question = {0};

    if (!check_namespace(ns)) {
        return OUTCOME_USAGE;
    }
    buf_printf(&question, "take %s out of %s", email, ns);
    enum outcome outcome = prompt_confirm(call, question.p);
    if (outcome != OUTCOME_OK) {
        return outcome;
    }
    members_path(&path, ns, email);
    outcome = api(call, "DELETE", path.p, NULL, NULL);
    if (outcome == OUTCOME_OK && !call_has(call, OPTION_QUIET)) {
        say("%s has no role in %s any more", email, ns);
    }
    return outcome;
}

const struct command members_commands[] = {
    {"members list", "NS", 1, 1, true, {OPTION_NONE}, "List who may do what in a namespace.", list},
    {"members set",
     "NS EMAIL ROLE",
     3,
     3,
     true,
     {OPTION_SIGNER},
     "Give a user a role: reader, developer, maintainer or owner.",
     set},
    {"members rm", "NS EMAIL", 2, 2, true, {OPTION_YES}, "Take a user out of a namespace.", rm},
    {.name = NULL},
};
