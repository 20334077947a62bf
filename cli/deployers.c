/* bond deployers list, create, rm (alias: deploy-keys) */
#include "cli/machine.h"

static enum outcome list(const struct call *call)
{
    static const struct column columns[] = {{"USER", "user"}, {"CREATED", "created"}, {NULL, NULL}};

    return machine_list(call, "deployers", columns);
}

static enum outcome create(const struct call *call)
{
    return machine_create(call, "deployers", json_pack("{s:s}", "name", call->args[1]));
}

static enum outcome rm(const struct call *call)
{
    return machine_rm(call, "deployers");
}

const struct command deployers_commands[] = {
    {"deployers list",
     "NS",
     1,
     1,
     true,
     {OPTION_NONE},
     "List the accounts that deploy from a namespace.",
     list},
    {"deployers create",
     "NS NAME",
     2,
     2,
     true,
     {OPTION_NONE},
     "Make an account that receives only what the gate allows; prints USER SECRET once.",
     create},
    {"deployers rm",
     "NS NAME",
     2,
     2,
     true,
     {OPTION_YES},
     "Remove it; its secret stops working at once.",
     rm},
    {.name = NULL},
};
