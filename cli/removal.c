#include "cli/removal.h"

#include "base/json.h"
#include "cli/client.h"
#include "cli/output.h"
#include "cli/say.h"

#include <stdio.h>

bool removal_is_confirmed(const struct call *call, const char *name)
{
    const char *confirm = call->value[OPTION_CONFIRM];

    if (confirm && strcmp(confirm, name) == 0) {
        return true;
    }
    if (confirm) {
        say("--confirm says %s, but this would delete %s; nothing was done", confirm, name);
    } else {
        say("this deletes %s with everything in it, for good; repeat its name to go on: "
            "--confirm %s",
            name, name);
    }
    return false;
}

void removal_commands(const json_t *answer, const char *sentence)
{
    const json_t *commands = json_get_array(answer, "commands");
    size_t i;
    json_t *line;

    if (json_array_size(commands) > 0) {
        say("%s", sentence);
    }
    json_array_foreach(commands, i, line)
    {
        auto_free char *text = xstrdup(json_is_string(line) ? json_string_value(line) : "");
        (void)fprintf(stderr, "  %s\n", printable(text));
    }
}

enum outcome removal_request(const struct call *call, struct buf *path, const char *name)
{
    auto_json json_t *answer = NULL;

    if (call_has(call, OPTION_FORGET_PINS)) {
        client_query(path, "pins", "forget");
    }
    enum outcome outcome = api(call, "DELETE", path->p, NULL, &answer);
    if (outcome != OUTCOME_OK) {
        return outcome;
    }
    if (call_has(call, OPTION_JSON)) {
        output_json(answer);
    } else if (!call_has(call, OPTION_QUIET)) {
        say("%s is deleted; its space comes back within minutes", name);
        removal_commands(answer, "clients remember what was signed there; before the name is "
                                 "signed again, run on each machine that signs or verifies:");
    }
    output_warning(answer);
    return OUTCOME_OK;
}
