/* bond status, version */
#include "cli/client.h"
#include "cli/output.h"
#include "cli/say.h"

#include <stdio.h>

static enum outcome status(const struct call *call)
{
    auto_client struct client *c = client_open(call, NULL);
    auto_answer struct answer answer = {0};

    if (!c) {
        return OUTCOME_USAGE;
    }
    client_be_anonymous(c);
    client_request(c, "GET", "/readyz", NULL, &answer);
    enum outcome outcome = answer_report(c, &answer);
    if (call_has(call, OPTION_JSON)) {
        auto_json json_t *all =
            json_pack("{s:s, s:b, s:O?}", "server", client_name(c), "ready", outcome == OUTCOME_OK,
                      "warning", json_object_get(answer.json, "warning"));
        output_json(all);
    } else if (outcome == OUTCOME_OK && !call_has(call, OPTION_QUIET)) {
        printf("%s\tready\n", client_name(c));
    }
    output_warning(answer.json);
    return outcome;
}

static enum outcome version(const struct call *call)
{
    if (call_has(call, OPTION_JSON)) {
        auto_json json_t *all = json_pack("{s:s}", "version", BONDSTORE_VERSION);
        output_json(all);
    } else {
        printf("bond %s\n", BONDSTORE_VERSION);
    }
    return OUTCOME_OK;
}

const struct command status_commands[] = {
    {"status", "", 0, 0, false, {OPTION_NONE}, "Ask whether the server is ready.", status},
    {"version", "", 0, 0, false, {OPTION_NONE}, "Print the version of this program.", version},
    {.name = NULL},
};
