/* bond completion bash: made from the command table, so it cannot lag behind. */
#include "cli/command.h"

#include <stdio.h>

static void lines_print(void)
{
    struct command_cursor cursor = {0};

    for (const struct command *c = command_next(&cursor); c; c = command_next(&cursor)) {
        printf("%s|", c->name);
        command_print_options(stdout, c);
        printf("\n");
    }
}

/* The script looks at the words that are no options, offers the next word of every command that
 * begins with them, and the options of the command that they name. */
static enum outcome bash(const struct call *call)
{
    (void)call;
    printf("# bash completion for bond; use: source <(bond completion bash)\n"
           "_bond() {\n"
           "    local current=${COMP_WORDS[COMP_CWORD]} typed= word line name offers=\n"
           "    for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
           "        [[ $word == -* ]] || typed+=\"$word \"\n"
           "    done\n"
           "    while IFS= read -r line; do\n"
           "        name=${line%%%%|*}\n"
           "        if [[ $current == -* ]]; then\n"
           "            [[ \"$typed\" == \"$name \"* ]] && offers+=\" ${line#*|}\"\n"
           "        elif [[ \"$name \" == \"$typed\"* && \"$name \" != \"$typed\" ]]; then\n"
           "            word=${name:${#typed}}\n"
           "            offers+=\" ${word%%%% *}\"\n"
           "        fi\n"
           "    done <<'COMMANDS'\n");
    lines_print();
    printf("COMMANDS\n"
           "    COMPREPLY=($(compgen -W \"$offers\" -- \"$current\"))\n"
           "}\n"
           "complete -F _bond bond\n");
    return OUTCOME_OK;
}

const struct command completion_commands[] = {
    {"completion bash",
     "",
     0,
     0,
     false,
     {OPTION_NONE},
     "Print the completion script for bash.",
     bash},
    {.name = NULL},
};
