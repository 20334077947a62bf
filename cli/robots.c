/* bond robots list, create, rm */
#include "base/slice.h"
#include "cli/machine.h"
#include "cli/say.h"

static enum outcome list(const struct call *call)
{
    static const struct column columns[] = {
        {"USER", "user"}, {"ACTIONS", "actions"}, {"CREATED", "created"}, {NULL, NULL}};

    return machine_list(call, "robots", columns);
}

/* "pull,push" -> ["pull", "push"]; NULL after a sentence when a word is not known. */
static json_t *actions_parse(const char *text)
{
    auto_json json_t *actions = json_array();
    struct slice rest = slice_str(text);
    struct slice word;

    while (slice_next(&rest, ',', &word)) {
        word = slice_trim(word);
        if (!slice_is(word, "pull") && !slice_is(word, "push") && !slice_is(word, "delete") &&
            !slice_is(word, "sign") && !slice_is(word, "trust:read_unsigned")) {
            say("--actions takes pull, push, delete, sign and trust:read_unsigned with commas "
                "between them; not %s",
                text);
            return NULL;
        }
        (void)json_array_append_new(actions, json_stringn(word.p, word.n));
    }
    return take(actions);
}

static enum outcome create(const struct call *call)
{
    if (!call_has(call, OPTION_ACTIONS)) {
        say("say what the robot may do, for instance --actions pull,push");
        return OUTCOME_USAGE;
    }
    json_t *actions = actions_parse(call->value[OPTION_ACTIONS]);
    if (!actions) {
        return OUTCOME_USAGE;
    }
    return machine_create(call, "robots",
                          json_pack("{s:s, s:o}", "name", call->args[1], "actions", actions));
}

static enum outcome rm(const struct call *call)
{
    return machine_rm(call, "robots");
}

const struct command robots_commands[] = {
    {"robots list",
     "NS",
     1,
     1,
     true,
     {OPTION_NONE},
     "List the machine accounts of a namespace.",
     list},
    {"robots create",
     "NS NAME",
     2,
     2,
     true,
     {OPTION_ACTIONS},
     "Make an account for a build machine; prints USER SECRET once.",
     create},
    {"robots rm",
     "NS NAME",
     2,
     2,
     true,
     {OPTION_YES},
     "Remove it; its secret stops working at once.",
     rm},
    {.name = NULL},
};
