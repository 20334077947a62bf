/* bond users list, create */
#include "base/json.h"
#include "cli/client.h"
#include "cli/output.h"
#include "cli/prompt.h"
#include "cli/say.h"

static enum outcome list(const struct call *call)
{
    static const struct column columns[] = {{"USER", "user"},
                                            {"ADMIN", "admin"},
                                            {"DISABLED", "disabled"},
                                            {"CREATED", "created"},
                                            {NULL, NULL}};
    auto_json json_t *answer = NULL;

    enum outcome outcome = api(call, "GET", "/api/v1/users", NULL, &answer);
    if (outcome == OUTCOME_OK) {
        output_list(call, answer, "users", columns);
    }
    return outcome;
}

static enum outcome create(const struct call *call)
{
    auto_secret struct buf password = {0};
    auto_json json_t *answer = NULL;
    auto_json json_t *body =
        json_pack("{s:s, s:b}", "email", call->args[0], "admin", (int)call_has(call, OPTION_ADMIN));

    if (!body) {
        say("the e-mail is not UTF-8 text; type it again");
        return OUTCOME_USAGE;
    }
    if (call_has(call, OPTION_PASSWORD_STDIN)) {
        enum outcome outcome = prompt_secret(call, "password", &password);
        if (outcome != OUTCOME_OK) {
            return outcome;
        }
        if (json_object_set_new(body, "password", json_string(password.p)) != 0) {
            say("the password is not UTF-8 text; type it again");
            return OUTCOME_USAGE;
        }
    }
    enum outcome outcome = api(call, "POST", "/api/v1/users", body, &answer);
    if (outcome == OUTCOME_OK) {
        output_secret(call, answer);
    }
    return outcome;
}

const struct command users_commands[] = {
    {"users list", "", 0, 0, false, {OPTION_NONE}, "List the people who may sign in.", list},
    {"users create",
     "EMAIL",
     1,
     1,
     false,
     {OPTION_ADMIN, OPTION_PASSWORD_STDIN},
     "Add a person; prints EMAIL PASSWORD once, unless the password was given.",
     create},
    {.name = NULL},
};
