#include "server/cmd.h"

#include <argp.h>
#include <stdio.h>

static const struct argp_option options[] = {
    {.name = "markdown", .key = 'm', .doc = "The reference page"},
    {.name = "example", .key = 'e', .doc = "An annotated bondstore.yaml (the default)"},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    bool *markdown = state->input;
    switch (key) {
    case 'm':
        *markdown = true;
        return 0;
    case 'e':
        *markdown = false;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "%s: it takes no argument", arg);
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int cmd_settings(int argc, char **argv)
{
    bool markdown = false;
    auto_buf struct buf text = {0};
    const struct argp argp = {.options = options, .parser = parse, .doc = "Prints every setting."};
    if (argp_parse(&argp, argc, argv, 0, NULL, &markdown) != 0) {
        return EXIT_USAGE;
    }
    if (markdown) {
        config_write_markdown(&text);
    } else {
        config_write_example(&text);
    }
    return fwrite(text.p, 1, text.n, stdout) == text.n && fflush(stdout) == 0 ? 0 : 1;
}
